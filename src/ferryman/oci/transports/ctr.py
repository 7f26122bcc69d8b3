"""The program `ctr`: what is asked of containerd through it, and bytes that go in and out."""

import array
import contextlib
import fcntl
import os
import select
import subprocess
import tempfile
import termios
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Self

from ferryman.core.digests import Digest
from ferryman.core.errors import Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.manifest import MOST_MANIFEST, Manifest, parse_manifest, too_large
from ferryman.oci.reference import parse_digest
from ferryman.oci.transports.options import TransportOptions
from ferryman.oci.transports.reading import read_all
from ferryman.oci.transports.streams import PIECE


class Ctr:
    """Runs `ctr` for one namespace; without one, that of `CONTAINERD_NAMESPACE`, or containerd's default. Thread-safe."""

    def __init__(self, namespace: str, options: TransportOptions) -> None:
        """Run nothing yet."""
        self._program = options.ctr
        namespace = namespace or options.containerd_namespace
        self._words = ["--namespace", namespace] if namespace else []
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


class Importing:
    """A tar on its way into `ctr images import`: a `Delivery`. Used by one thread at a time."""

    def __init__(self, ctr: Ctr, platform: str = "") -> None:
        """Start it with the first byte. With a `platform` only what is for that is expected to be there."""
        self._ctr = ctr
        self._platforms = ("--platform", platform) if platform else ("--all-platforms",)
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
        words = ("images", "import", "--no-unpack", *self._platforms, "-")
        self._process = self._ctr.start(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._said
        )
        return self._process


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
