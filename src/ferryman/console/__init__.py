"""What crosses features: overview, jobs of every kind, settings, users, tokens and the audit log, as API and pages.

It shows and steers what other rooms keep and decides nothing itself.
"""
