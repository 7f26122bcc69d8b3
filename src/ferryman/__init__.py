"""Ferryman carries software to places the internet does not reach well, and runs it there."""

__version__ = "0.1.0"
