"""Images and other artifacts as the OCI specifications describe them: names, manifests, and where they are kept.

Words: a *reference* names something in a repository of a registry, by tag or digest; a *descriptor* points to bytes by
digest and size; a *manifest* is a small document of descriptors; an *index* is a manifest of manifests; a *blob* is any
other content; a *source* can be read from and a *target* written to, whatever is behind them. This room knows no
database and keeps nothing on disk: that is the depot's.
"""
