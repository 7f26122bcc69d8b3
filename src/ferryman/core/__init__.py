"""What every room shares: errors, ids, time, digests, units, safe paths, settings and the start/stop lifecycle.

Nothing here does network or database work, and nothing but `core.settings` imports pydantic,
so that one-shot commands start fast.
"""
