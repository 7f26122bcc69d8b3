"""containerd on this machine as a place of images: `containerd:[NAMESPACE/]REFERENCE`, through its program `ctr`.

Blobs are read one by one from its content store and written as one tar into `ctr images import`; nothing is laid down in
between, and manifests stay as they are.
"""

import array
import contextlib
import fcntl
import os
import select
import subprocess
import tempfile
import termios
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, Final, Self

from ferryman.core.digests import Digest
from ferryman.core.errors import Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.manifest import MOST_MANIFEST, Descriptor, Manifest, parse_manifest, too_large
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import Reference, parse_digest
from ferryman.oci.transports.entries import COSIGN, REF_NAME
from ferryman.oci.transports.options import TransportOptions
from ferryman.oci.transports.packed import PackedTarget
from ferryman.oci.transports.packing import Style
from ferryman.oci.transports.reading import read_all
from ferryman.oci.transports.streams import PIECE

DEFAULT_NAMESPACE: Final = "default"


class Ctr:
    """Runs `ctr` for one namespace. Thread-safe."""

    def __init__(self, namespace: str, options: TransportOptions) -> None:
        """Run nothing yet."""
        self._program = options.ctr
        self._words = ["--namespace", namespace or DEFAULT_NAMESPACE]
        if options.containerd_address:
            self._words = ["--address", options.containerd_address, *self._words]
        self._words += ["--connect-timeout", f"{options.connect_timeout:g}s"]
        self.answer_timeout = options.answer_timeout

    def run(self, *words: str) -> str:
        """Return what it prints. Raises what `translated` makes of its complaint."""
        with tempfile.TemporaryFile() as said:
            process = self.start(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
            with process:
                try:
                    output, _ = process.communicate(timeout=self.answer_timeout)
                except subprocess.TimeoutExpired as error:
                    process.kill()
                    raise Unavailable(
                        "containerd_unreachable",
                        f"containerd did not answer within {self.answer_timeout:g} s.",
                        advice="See its log.",
                    ) from error
            if process.returncode:
                raise translated(said)
        return bytes(output).decode(errors="replace")

    def start(
        self,
        words: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: IO[bytes],
    ) -> "subprocess.Popen[bytes]":
        """Start it. Raises `NotFound` (`ctr_missing`)."""
        try:
            return subprocess.Popen(  # noqa: S603 - the program is configured, its arguments are no shell's
                [self._program, *self._words, *words], stdin=stdin, stdout=stdout, stderr=stderr, bufsize=0
            )
        except (FileNotFoundError, PermissionError) as error:
            raise NotFound(
                "ctr_missing",
                f"'{self._program}' is not installed or cannot be run.",
                advice="Install containerd, which brings the program ctr.",
            ) from error

    def images(self) -> dict[str, Digest]:
        """Return all images of the namespace: their digests by name."""
        found = {}
        for line in self.run("images", "ls").splitlines()[1:]:
            columns = line.split()
            with contextlib.suppress(Invalid, IndexError):
                found[columns[0]] = parse_digest(columns[2])
        return found

    def blobs(self) -> set[Digest]:
        """Return the digests of everything in the content store."""
        found = set()
        for line in self.run("content", "ls", "-q").split():
            with contextlib.suppress(Invalid):
                found.add(parse_digest(line))
        return found

    def content(self, digest: Digest, size: int | None, offset: int = 0) -> "ContentStream":
        """Open a blob of the content store. Raises `NotFound` (`blob_unknown`), `Unavailable`."""
        return ContentStream(self, digest, size, offset)

    def manifest(self, digest: Digest, media_type: str = "") -> Manifest:
        """Return a manifest from the content store. Raises `NotFound` (`manifest_unknown`), `Invalid`, `Corrupt`."""
        try:
            with self.content(digest, None) as stream:
                raw = read_all(stream, MOST_MANIFEST + 1)
        except NotFound as error:
            raise NotFound(
                "manifest_unknown",
                f"containerd has no manifest {digest}.",
                advice="It may have pulled another platform only; choose one that is there.",
            ) from error
        if len(raw) > MOST_MANIFEST:
            raise too_large(None)
        return parse_manifest(raw, media_type, digest)


class ContentStream:
    """What `ctr content get` prints, as a `BlobStream`. For one thread at a time."""

    def __init__(self, ctr: Ctr, digest: Digest, size: int | None, offset: int) -> None:
        """Start it and wait for the first byte, or for the news that there is none."""
        self.size = size
        self.offset = offset
        self._digest = digest
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stream
        self._left = None if size is None else size - offset
        try:
            self._process = ctr.start(
                ("content", "get", str(digest)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
            )
        except BaseException:
            self._said.close()
            raise
        try:
            self._wait(ctr.answer_timeout)
            self._skip(offset)
        except BaseException:
            self.close()
            raise

    def readinto(self, view: memoryview, /) -> int:
        """Fill `view`; 0 at the end. Raises `Unavailable` (`blob_short`) when it ends early."""
        wanted = len(view) if self._left is None else min(len(view), self._left)
        if wanted == 0:
            return 0
        count = os.readv(self._pipe, [view[:wanted]])
        if count == 0 and (self._process.wait() or self._left):
            raise translated(self._said) if self._process.returncode else _short(self._digest)
        if self._left is not None:
            self._left -= count
        return count

    def fileno(self) -> int | None:
        """Return the pipe, which holds nothing but the rest of the blob."""
        return self._pipe

    def moved(self, count: int, /) -> None:
        """Count bytes that left through `fileno`."""
        if self._left is not None:
            self._left -= count

    def close(self) -> None:
        """End the program. Repeatable."""
        if self._process.poll() is None:
            self._process.kill()
        if self._process.stdout and not self._process.stdout.closed:
            self._process.stdout.close()
        self._process.wait()
        self._said.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close."""
        self.close()

    @property
    def _pipe(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _wait(self, timeout: float) -> None:
        ready, _, _ = select.select([self._pipe], [], [], timeout)
        if not ready:
            raise Unavailable("containerd_unreachable", f"containerd gave nothing of {self._digest}.")
        waiting = array.array("i", [0])
        fcntl.ioctl(self._pipe, termios.FIONREAD, waiting)
        if waiting[0] == 0 and self._process.wait():
            raise translated(self._said)

    def _skip(self, count: int) -> None:
        view = memoryview(bytearray(min(PIECE, count)))
        while count:
            got = os.readv(self._pipe, [view[:count]])
            if got == 0:
                raise _short(self._digest)
            count -= got


class ContainerdSource:
    """One repository in containerd as a `Source`. Thread-safe. `notes` are sentences that a person should be told."""

    def __init__(self, ctr: Ctr, reference: Reference) -> None:
        """List the images there are. Raises `Unavailable` (`containerd_unreachable`), `NotFound` (`ctr_missing`)."""
        self._ctr = ctr
        self._reference = reference
        self._images = ctr.images()
        self._lock = threading.Lock()
        self._types: dict[Digest, str] = {}
        self.notes: tuple[str, ...] = ()

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest of a tag or digest; None means `latest`. Raises `NotFound` (`manifest_unknown`)."""
        wanted = tag_or_digest or "latest"
        if ":" in wanted:
            return self.manifest(parse_digest(wanted))
        digest = self._images.get(f"{self._reference.name}:{wanted}")
        if digest is None:
            raise NotFound(
                "manifest_unknown",
                f"containerd has no image {self._reference.name}:{wanted}.",
                advice="See 'ctr -n NAMESPACE images ls' for what is there; Kubernetes uses the namespace k8s.io.",
            )
        return self.manifest(digest)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest of the content store. Raises `NotFound` (`manifest_unknown`), `Corrupt`."""
        with self._lock:
            known = self._types.get(digest, "")
        manifest = self._ctr.manifest(digest, known)
        with self._lock:
            self._types |= {child.digest: child.media_type for child in manifest.children}
        return manifest

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a blob of the content store. Raises `NotFound` (`blob_unknown`), `Unavailable`."""
        return self._ctr.content(blob.digest, blob.size, offset)

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """What refers to a manifest and is kept under a name of the repository."""
        found = []
        for name, other in self._images.items():
            rest = name.removeprefix(self._reference.name)
            named = COSIGN.fullmatch(rest[1:]) if rest.startswith(":") else None
            if named and Digest(named[1], named[2]) == digest:
                found.append(self._described(self.manifest(other), rest[1:]))
            elif rest.startswith("@") and (manifest := self._referring(other, digest)):
                found.append(self._described(manifest, None))
        return found

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository."""
        start = f"{self._reference.name}:"
        yield from (name.removeprefix(start) for name in self._images if name.startswith(start))

    def close(self) -> None:
        """Nothing is held open."""

    def _referring(self, other: Digest, digest: Digest) -> Manifest | None:
        try:
            manifest = self.manifest(other)
        except (NotFound, Invalid):
            return None
        return manifest if manifest.subject and manifest.subject.digest == digest else None

    @staticmethod
    def _described(manifest: Manifest, tag: str | None) -> Descriptor:
        annotations = {**manifest.annotations, **({REF_NAME: tag} if tag else {})}
        return Descriptor(
            manifest.media_type,
            manifest.digest,
            len(manifest.raw),
            annotations=annotations,
            artifact_type=manifest.artifact_type,
        )


class ContainerdKnown:
    """What is in containerd's content store when it is opened. Thread-safe."""

    def __init__(self, ctr: Ctr, reference: Reference) -> None:
        """List it. Raises `Unavailable` (`containerd_unreachable`), `NotFound` (`ctr_missing`)."""
        self._ctr = ctr
        self._reference = reference
        self._images = ctr.images()
        self._blobs = ctr.blobs()

    def complete(self, digest: Digest) -> bool:
        """Whether a manifest is there with all that belongs to it."""
        return digest in self._blobs and self._whole(digest, 0)

    def has(self, digest: Digest) -> bool:
        """Whether a blob is there."""
        return digest in self._blobs

    def tagged(self, tag: str) -> Digest | None:
        """Return what a tag points to."""
        return self._images.get(f"{self._reference.name}:{tag}")

    def _whole(self, digest: Digest, depth: int) -> bool:
        try:
            manifest = self._ctr.manifest(digest)
        except FerryError:
            return False
        return (
            depth < 16
            and all(blob.digest in self._blobs for blob in manifest.blobs)
            and all(
                child.digest in self._blobs and self._whole(child.digest, depth + 1)
                for child in manifest.children
            )
        )


class Importing:
    """A tar on its way into `ctr images import`: a `Delivery`. Used by one thread at a time."""

    def __init__(self, ctr: Ctr) -> None:
        """Start it with the first byte."""
        self._ctr = ctr
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    def write(self, piece: bytes | memoryview, /) -> None:
        """Write to its input. Raises what it said when it ended."""
        process = self._process or self._begin()
        assert process.stdin is not None
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(process.stdin.fileno(), rest) :]
        except BrokenPipeError as error:
            process.wait()
            assert self._said is not None
            raise translated(self._said) from error

    def undo(self, to: int, /) -> bool:
        """What was written was written."""
        del to
        return self._process is None

    def finish(self) -> None:
        """Close its input and hear how it ended. Raises `Unavailable`, `Invalid` (`containerd_refused`)."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert self._said is not None
        process.stdin.close()
        try:
            if process.wait(self._ctr.answer_timeout):
                raise translated(self._said)
        except subprocess.TimeoutExpired as error:
            raise Unavailable("containerd_unreachable", "containerd does not finish the import.") from error

    def give_up(self) -> None:
        """End it; what it did not hear the end of has no name and is collected by containerd."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            if self._process.stdin:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
            self._process.wait()
            self._process = None
        if self._said is not None:
            self._said.close()
            self._said = None

    def _begin(self) -> "subprocess.Popen[bytes]":
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `give_up`
        words = ("images", "import", "--no-unpack", "--all-platforms", "-")
        self._process = self._ctr.start(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._said
        )
        return self._process


def containerd_source(namespace: str, reference: Reference, options: TransportOptions) -> ContainerdSource:
    """Open containerd to read from. Raises `Unavailable` (`containerd_unreachable`), `NotFound` (`ctr_missing`)."""
    return ContainerdSource(Ctr(namespace, options), reference)


def containerd_target(namespace: str, reference: Reference, options: TransportOptions) -> PackedTarget:
    """Open containerd to write to: images are there when the target is closed. Raises what `containerd_source` raises."""
    ctr = Ctr(namespace, options)
    style = Style(reference, full_names=True, all_named=True)
    return PackedTarget(Importing(ctr), style, ContainerdKnown(ctr, reference))


def translated(said: IO[bytes]) -> FerryError:
    """Make an error of what `ctr` complained about."""
    said.seek(0)
    text = said.read(8192).decode(errors="replace").strip()
    last = text.splitlines()[-1][:400] if text else "it said nothing"
    lower = last.lower()
    if "permission denied" in lower:
        return Denied("containerd_denied", f"containerd does not let us in: {last}", advice="Run as root.")
    if "not found" in lower:
        return NotFound(
            "blob_unknown", f"containerd lacks something: {last}", advice="Check the name and the namespace."
        )
    if any(word in lower for word in ("dial", "connect", "deadline", "unavailable", "no such file")):
        return Unavailable(
            "containerd_unreachable",
            f"containerd cannot be reached: {last}",
            advice="Start it, or say where its socket is with the option for its address.",
        )
    return Invalid("containerd_refused", f"containerd refused: {last}", advice="See containerd's log.")


def _short(digest: Digest) -> Unavailable:
    return Unavailable("blob_short", f"containerd ended the blob {digest} too early.", advice="Try again.")
