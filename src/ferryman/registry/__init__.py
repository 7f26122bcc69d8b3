"""The depot served over the OCI distribution protocol, under `/v2/`.

A **repository** is a name in the depot with its tags, manifests and linked blobs. An **upload** is a blob on its way,
with an id and an offset; it outlives the process. **Access** says who may do what; **upstreams** are registries whose
content is fetched when it is first asked for. Both are ports: see `ports.py`.

What it does not do: move bytes from other registries (`oci`, `depot`), decide what is kept (`depot`), or show pages.
"""
