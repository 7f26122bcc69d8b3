"""The reference pages, made from the code, so that they cannot differ from it.

Each module here reads one thing (settings, commands, error codes, metrics, API paths) and gives a `Page`: its
text, and what in the code lacks words. `make docs` and the tests of the house fail while anything lacks them.
"""
