"""Downloads: files from URLs as jobs of kind `download`, with their API and pages.

A **download** is one file from one or several mirrors into the download folder. The bytes are moved by `transfer`.
"""
