"""Settings that people change while Ferryman runs: stored, recorded in the audit log, put in force at once where possible.

What a setting is, and which wins, is decided in `core.settings` and `core.live`; this room keeps the values.
"""
