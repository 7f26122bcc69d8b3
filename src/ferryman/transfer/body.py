"""Where a body ends: by length, by its last chunk, or with the connection. Pure."""

from typing import Final

_MOST_LINE: Final = 4096


class Chunked:
    """Decoder of the chunked coding (RFC 9112 section 7.1). Feed bytes, get pieces of the body."""

    def __init__(self) -> None:
        """Wait for the first chunk size."""
        self._left = 0
        self._line = bytearray()
        self._state = "size"
        self.done = False

    def feed(self, data: memoryview) -> list[memoryview]:
        """Decode; what follows the last chunk is ignored. Raises `ValueError` on anything malformed."""
        pieces: list[memoryview] = []
        while data and not self.done:
            if self._state == "data":
                piece = data[: self._left]
                pieces.append(piece)
                self._left -= len(piece)
                data = data[len(piece) :]
                if not self._left:
                    self._state = "crlf"
            else:
                data = self._take_line(data)
        return pieces

    def _take_line(self, data: memoryview) -> memoryview:
        window = bytes(data[: _MOST_LINE + 2])
        at = window.find(b"\n")
        self._line += window if at < 0 else window[: at + 1]
        if len(self._line) > _MOST_LINE:
            raise ValueError("line of a chunk is too long")
        if at < 0:
            return data[len(window) :]
        line = bytes(self._line).strip()
        self._line.clear()
        self._step(line)
        return data[at + 1 :]

    def _step(self, line: bytes) -> None:
        if self._state == "crlf":
            if line:
                raise ValueError("chunk is longer than it said")
            self._state = "size"
        elif self._state == "size":
            digits = line.partition(b";")[0].strip()
            if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
                raise ValueError(f"chunk size {line[:20]!r}")
            self._left = int(digits, 16)
            self._state = "data" if self._left else "trailer"
        elif not line:
            self.done = True
