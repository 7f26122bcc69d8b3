"""Bundles: images of a depot in signed files that are carried to another one, and inventories of what is there.

Blocking. Files from outside are hostile: see `volume` and `model` for what is checked. `docs/reference/bundle-format.md`.
"""
