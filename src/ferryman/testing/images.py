"""Container images made on this machine: real layers, real signatures, no network, the same bytes for the same seed.

`Images(folder)` is an OCI layout that grows: every blob goes straight to disk, so a family of gigabytes needs no memory.

    images = Images(tmp_path / "made")
    both = images.index([images.image(platform=p) for p in ("linux/amd64", "linux/arm64")], tag="tools")
    images.signed(both, form="tag")
    images.push("127.0.0.1:5000", "team/tools", both)

Programs in the images come from Debian's `busybox-static`; without it the images hold a file that says so and do not run.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ferryman.testing.image_layers import (
    Compression,
    File,
    Noise,
    Packed,
    busybox_files,
    pack_files,
    pack_tree,
)
from ferryman.testing.image_pushing import Registry

__all__ = ["File", "Images", "Layer", "Made", "Noise", "busybox_files"]

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE: Final = "application/vnd.dsse.envelope.v1+json"
IN_TOTO: Final = "application/vnd.in-toto+json"
SPDX: Final = "text/spdx+json"
CREATED: Final = "2024-01-01T00:00:00Z"
Form = Literal["tag", "referrer"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer in the layout: `digest` of the bytes as they are, `diff_id` of the tar inside."""

    media_type: str
    digest: str
    size: int
    diff_id: str

    @property
    def descriptor(self) -> dict[str, Any]:
        """As a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class Made:
    """A manifest or an index in the layout; `blobs` are (digest, size) of config and layers, without children's."""

    media_type: str
    digest: str
    raw: bytes
    blobs: tuple[tuple[str, int], ...] = ()
    children: tuple["Made", ...] = ()
    platform: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None

    @property
    def descriptor(self) -> dict[str, Any]:
        """As an index names it."""
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.raw)}
        return found | ({"platform": dict(self.platform)} if self.platform else {})

    def everything(self) -> Iterator["Made"]:
        """Children first, then this."""
        for child in self.children:
            yield from child.everything()
        yield self

    def sizes(self) -> dict[str, int]:
        """Every blob of this and of all children, each once: digest to bytes."""
        return dict(blob for made in self.everything() for blob in made.blobs)


class Images:
    """An OCI layout that images are made in. Not for concurrent use."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        """Make the layout in `folder`, or go on with the one that is there."""
        self.folder = folder
        self.seed = seed
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        if not (folder / "index.json").exists():
            self._write_index([])

    def blob_path(self, digest: str) -> Path:
        """Return where the blob lies."""
        algorithm, _, value = digest.partition(":")
        return self.folder / "blobs" / algorithm / value

    def blob(self, data: bytes, algorithm: str = "sha256") -> str:
        """Put bytes into the layout and return their digest."""
        digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        path = self.blob_path(digest)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return digest

    def layer(
        self, files: Mapping[str, File | bytes], compression: Compression = "gzip", *, docker: bool = False
    ) -> Layer:
        """Make a layer of files by path without a leading slash; folders come by themselves."""
        packed = self._packed(lambda out: pack_files(out, files, compression))
        return self._layer(packed, compression, docker=docker)

    def tree(self, root: Path, compression: Compression = "gzip", *, docker: bool = False) -> Layer:
        """Make a layer of a folder, such as one that `debootstrap` filled."""
        packed = self._packed(lambda out: pack_tree(out, root, compression))
        return self._layer(packed, compression, docker=docker)

    def noise(self, size: int, seed: int = 0, name: str = "opt/noise", *, docker: bool = False) -> Layer:
        """Make a layer of about `size` bytes that do not compress."""
        return self.layer({name: File(Noise(size, self.seed * 1_000_003 + seed))}, docker=docker)

    def base(self, size: int = 0, *, docker: bool = False) -> Layer:
        """Make the layer with a shell and its programs, and `size` bytes of noise."""
        files = dict(busybox_files())
        if size:
            files["usr/share/noise"] = File(Noise(size, self.seed * 1_000_003 + 7))
        return self.layer(files, docker=docker)

    def image(
        self,
        layers: Sequence[Layer] | None = None,
        platform: str = "linux/amd64",
        *,
        tag: str | None = None,
        command: Sequence[str] = ("/bin/cat", "/etc/greeting"),
        labels: Mapping[str, str] | None = None,
        docker: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> Made:
        """Make an image; without `layers` a shell and a greeting that names the platform and the seed."""
        if layers is None:
            greeting = {"etc/greeting": f"hello from {platform}, seed {self.seed}\n".encode()}
            layers = [self.base(docker=docker), self.layer(greeting, docker=docker)]
        where = _platform(platform)
        config = _json(
            {"created": CREATED, **where}
            | {"config": {"Cmd": list(command), "Env": ["PATH=/bin"], "Labels": dict(labels or {})}}
            | {"rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}}
            | {"history": [{"created": CREATED, "created_by": f"layer {n}"} for n in range(len(layers))]}
        )
        kind, config_kind = (DOCKER_MANIFEST, DOCKER_CONFIG) if docker else (OCI_MANIFEST, OCI_CONFIG)
        config_of = {"mediaType": config_kind, "digest": self.blob(config), "size": len(config)}
        body: dict[str, Any] = {"schemaVersion": 2, "mediaType": kind, "config": config_of}
        body["layers"] = [layer.descriptor for layer in layers]
        if annotations:
            body["annotations"] = dict(annotations)
        return self._made(body, platform=where, tag=tag)

    def index(
        self,
        images: Sequence[Made],
        *,
        tag: str | None = None,
        docker: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> Made:
        """Make an index (`docker`: a manifest list) of images, which may be indexes themselves."""
        body: dict[str, Any] = {"schemaVersion": 2, "mediaType": DOCKER_LIST if docker else OCI_INDEX}
        body["manifests"] = [made.descriptor for made in images]
        if annotations:
            body["annotations"] = dict(annotations)
        return self._made(body, children=tuple(images), tag=tag)

    def two_platforms(self, tag: str | None = "two", *, docker: bool = False) -> Made:
        """Make an index for linux/amd64 and linux/arm64; the second holds the same programs and does not run."""
        both = [self.image(platform=name, docker=docker) for name in ("linux/amd64", "linux/arm64/v8")]
        return self.index(both, tag=tag, docker=docker)

    def signed(self, subject: Made, form: Form = "tag", reference: str = "example.test/made") -> Made:
        """Sign `subject` as cosign does: under the tag `sha256-HEX.sig`, or as a referrer. The key is of the seed."""
        payload = _json(
            {
                "critical": {
                    "identity": {"docker-reference": reference},
                    "image": {"docker-manifest-digest": subject.digest},
                    "type": "cosign container image signature",
                },
                "optional": None,
            }
        )
        signature = base64.b64encode(self.key().sign(payload)).decode()
        layer = {"mediaType": SIMPLE_SIGNING, "digest": self.blob(payload), "size": len(payload)}
        layer["annotations"] = {"dev.cosignproject.cosign/signature": signature}
        return self._attached(subject, layer, form, "sig", SIMPLE_SIGNING)

    def attested(self, subject: Made, form: Form = "referrer") -> Made:
        """Attach a signed in-toto statement: as a referrer, or under the tag `sha256-HEX.att`."""
        subjects = [{"name": "made", "digest": {"sha256": subject.digest.partition(":")[2]}}]
        statement = _json(
            {"_type": "https://in-toto.io/Statement/v1", "subject": subjects}
            | {"predicateType": "https://slsa.dev/provenance/v1", "predicate": {"seed": self.seed}}
        )
        signed = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(statement), statement)
        envelope = _json(
            {"payloadType": IN_TOTO, "payload": base64.b64encode(statement).decode()}
            | {"signatures": [{"sig": base64.b64encode(self.key().sign(signed)).decode()}]}
        )
        layer = {"mediaType": DSSE, "digest": self.blob(envelope), "size": len(envelope)}
        return self._attached(subject, layer, form, "att", IN_TOTO)

    def listed(self, subject: Made, form: Form = "referrer") -> Made:
        """Attach a list of parts (SBOM): as a referrer, or under the tag `sha256-HEX.sbom`."""
        data = _json({"spdxVersion": "SPDX-2.3", "name": subject.digest, "packages": []})
        layer = {"mediaType": SPDX, "digest": self.blob(data), "size": len(data)}
        return self._attached(subject, layer, form, "sbom", SPDX)

    def key(self) -> Ed25519PrivateKey:
        """Return the key that `signed` and `attested` use; anyone can make it from the seed."""
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"images %d" % self.seed).digest())

    def family(self, count: int = 20, base_size: int = 2 << 20, own_size: int = 256 << 10) -> list[Made]:
        """Make images tagged `image-00`, `image-01`…: one shared base of `base_size`, `own_size` bytes of their own."""
        base = self.base(base_size)
        made = []
        for number in range(count):
            own: dict[str, File | bytes] = {
                "etc/greeting": b"image %d\n" % number,
                "opt/own": File(Noise(own_size, self.seed * 1_000_003 + 100 + number)),
            }
            made.append(self.image([base, self.layer(own)], tag=f"image-{number:02d}"))
        return made

    def push(
        self,
        address: str,
        repository: str,
        made: Made,
        tag: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Push to the plain HTTP registry at HOST:PORT with everything below it; raises `RuntimeError` when refused.

        The tag is `tag`, or the one it was made with, or none. `headers` go with every request.
        """
        with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as connection:
            registry = Registry(connection, repository, headers or {})
            for part in made.everything():
                for digest, _ in part.blobs:
                    registry.put_blob(digest, self.blob_path(digest))
                name = (tag or made.tag or made.digest) if part is made else part.digest
                registry.put_manifest(part.raw, part.media_type, name)

    def _packed(self, pack: Callable[[BinaryIO], Packed]) -> Packed:
        (self.folder / "blobs" / "sha256").mkdir(exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.folder / "blobs")
        with os.fdopen(descriptor, "wb") as out:
            packed = pack(out)
        Path(name).replace(self.blob_path(packed.digest))
        return packed

    @staticmethod
    def _layer(packed: Packed, compression: Compression, *, docker: bool) -> Layer:
        ending = {"gzip": "+gzip", "zstd": "+zstd", "none": ""}[compression]
        return Layer(
            DOCKER_LAYER if docker else OCI_LAYER + ending, packed.digest, packed.size, packed.diff_id
        )

    def _attached(
        self, subject: Made, layer: dict[str, Any], form: Form, ending: str, artifact_type: str
    ) -> Made:
        body: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
        if form == "tag":
            config = _json(
                {"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
            )
            body["config"] = {"mediaType": OCI_CONFIG, "digest": self.blob(config), "size": len(config)}
            body["layers"] = [layer]
            return self._made(body, tag=f"{subject.digest.replace(':', '-')}.{ending}")
        body["artifactType"] = artifact_type
        body["config"] = {"mediaType": OCI_EMPTY, "digest": self.blob(b"{}"), "size": 2}
        body["layers"] = [layer]
        subject_of = {key: subject.descriptor[key] for key in ("mediaType", "digest", "size")}
        return self._made(body | {"subject": subject_of}, listed=True)

    def _made(
        self,
        body: dict[str, Any],
        *,
        children: tuple[Made, ...] = (),
        platform: Mapping[str, str] | None = None,
        tag: str | None = None,
        listed: bool = False,
    ) -> Made:
        raw = _json(body)
        blobs = [body["config"], *body["layers"]] if "config" in body else []
        sizes = tuple(dict.fromkeys((blob["digest"], blob["size"]) for blob in blobs))
        made = Made(body["mediaType"], self.blob(raw), raw, sizes, children, platform or {}, tag)
        if tag or listed:
            self._list(made)
        return made

    def _list(self, made: Made) -> None:
        entries = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        entry = made.descriptor
        if made.tag:
            entry["annotations"] = {"org.opencontainers.image.ref.name": made.tag}
        kept = [one for one in entries if one != entry and (not made.tag or _name(one) != made.tag)]
        self._write_index([*kept, entry])

    def _write_index(self, entries: list[dict[str, Any]]) -> None:
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        (self.folder / "index.json").write_bytes(_json(body))


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


def _name(entry: Mapping[str, Any]) -> str | None:
    found: str | None = entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
    return found


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
