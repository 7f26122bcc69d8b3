"""Ollama models: which of them the depot has, and carrying them to and from the folder, or a zip of it, that Ollama reads.

Fetching them is copying like that of images (`ollama:MODEL` is a place of `oci.location`); this room adds what is theirs alone.
"""
