"""Hooks: what is told or run when a download has ended.

A *hook* is a webhook (a signed POST) or a command, defined by an admin. A *delivery* is one call of it, a job of its
own of the kind `hook`: it is tried again by the ledger and survives a restart. At least once: after a crash at the
wrong moment the other side may see a delivery twice, with the same id.
"""
