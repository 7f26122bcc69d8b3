"""The history of downloads: saved filters, export and import of lists, and how long ended downloads are kept."""
