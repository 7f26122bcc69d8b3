"""A process that is killed: fetches a blob into a file, or sends one, saving how far an upload is. `python carrier.py …`"""

import json
import sys
from pathlib import Path

from ferryman.core.digests import Digest
from ferryman.oci import media
from ferryman.oci.client import RegistryClient
from ferryman.oci.manifest import Descriptor
from ferryman.oci.options import RegistryOptions
from ferryman.oci.ports import ResumeUpload, UploadState
from ferryman.oci.streams import FileStream


def main(what: str, host: str, digest: str, file: Path, state: Path, chunk: int, size: int) -> None:
    blob = Descriptor(media.OCI_LAYER, Digest.parse(digest), size)
    with RegistryClient(host, "team/app", RegistryOptions(plain_http=True, chunk=chunk)) as client:
        if what == "fetch":
            fetch(client, blob, file)
        else:
            send(client, blob, file, state)


def fetch(client: RegistryClient, blob: Descriptor, file: Path) -> None:
    at = file.stat().st_size if file.exists() else 0
    view = memoryview(bytearray(64 * 1024))
    with client.source().open_blob(blob, at) as stream, file.open("ab", buffering=0) as target:
        while count := stream.readinto(view):
            target.write(view[:count])


def send(client: RegistryClient, blob: Descriptor, file: Path, state: Path) -> None:
    known = json.loads(state.read_text()) if state.exists() else None
    resume = ResumeUpload(UploadState(*known) if known else None, lambda now: save(state, now))
    client.target().put_blob(blob, lambda at: FileStream(file, at), lambda _: None, resume)


def save(file: Path, state: UploadState | None) -> None:
    new = file.with_suffix(".new")
    new.write_text(json.dumps([state.location, state.offset] if state else None))
    new.rename(file)


if __name__ == "__main__":
    what, host, digest, file, state, chunk, size = sys.argv[1:]
    main(what, host, digest, Path(file), Path(state), int(chunk), int(size))
