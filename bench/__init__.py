"""Measurements side by side with the tools people use today; `make bench` runs them all and prints ratios."""
