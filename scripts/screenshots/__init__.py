"""Takes the screenshots of the documentation from a running console."""
