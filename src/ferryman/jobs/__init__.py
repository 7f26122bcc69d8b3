"""The ledger: durable, resumable jobs with states, leases, retries, events, logs and reports.

Words: a **job** is one unit of work of a kind; a **handler** does the work of a kind; a **run** is one attempt of a job
by a handler; a **lease** is a worker's right to a job, with an epoch that grows with each lease, so that a late write
of a worker that lost its lease is refused. The room knows no feature: the daemon brings the handlers.
"""
