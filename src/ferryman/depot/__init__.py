"""What Ferryman keeps: content by digest, and names for it.

A *blob* is content under its digest, immutable. A *manifest* is a blob that names others (its *children*). A *repository*
holds manifests and *links* to blobs; a *reference* is a tag in a repository. A *pin* is a person's wish that something stays,
a *hold* that of a running job or upload, for a while. The *sweep* (`gc`) removes what nothing of these needs; the *check*
(`fsck`) reads what is there, and sets damaged content aside.

The depot knows neither registries nor jobs: what moves content in and out uses the ports of `oci`.
"""
