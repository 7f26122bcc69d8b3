"""What was done on each day and how fast: sums that stay when the history is deleted, and the speed over time.

An *end* is the end of a job or of one attempt. A *facet* is what ends are summed by: kind, category, host, reason.
"""
