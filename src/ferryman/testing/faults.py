"""Ways in which real web servers misbehave, as behaviours for `upstream.Upstream`."""

import gzip
import hashlib
import re
import secrets
import threading
from collections.abc import Mapping

from ferryman.testing.upstream import Behaviour, Exchange, File


def first(count: int, fault: Behaviour, then: Behaviour) -> Behaviour:
    """Let the first `count` requests meet `fault`, later ones `then`."""

    def answer(exchange: Exchange) -> None:
        (fault if exchange.number <= count else then)(exchange)

    return answer


def status(code: int, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with a status and nothing else."""
    return lambda exchange: exchange.text(code, headers=headers)


def redirect(location: str, code: int = 302) -> Behaviour:
    """Send the client elsewhere."""
    return status(code, {"Location": location})


def whole(file: File) -> Behaviour:
    """Ignore Range: 200 and everything."""

    def answer(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Length": len(file.data), **file.known()})
        exchange.write(file.data, file.rate)

    return answer


def mislabelled(file: File, *, shift: int = 0, claim: int = 0, label: str | None = "") -> Behaviour:
    """Answer a range with bytes from `shift` further on and say so, with a total that is `claim` too large.

    `label` replaces Content-Range; None leaves it out.
    """

    def answer(exchange: Exchange) -> None:
        size = len(file.data)
        wanted = exchange.wanted(size)
        if wanted is None:
            file(exchange)
            return
        start, end = wanted[0] + shift, min(wanted[1] + shift, size)
        said = f"bytes {start}-{end - 1}/{size + claim}" if label == "" else label
        exchange.start(206, {"Content-Range": said, "Content-Length": end - start, **file.known()})
        exchange.write(file.data[start:end])

    return answer


def short_parts(file: File, most: int) -> Behaviour:
    """Answer ranges with at most `most` bytes, which is allowed: Content-Range says so."""

    def answer(exchange: Exchange) -> None:
        size = len(file.data)
        wanted = exchange.wanted(size)
        if wanted is None:
            file(exchange)
            return
        start, end = wanted[0], min(wanted[1], wanted[0] + most)
        said = f"bytes {start}-{end - 1}/{size}"
        exchange.start(206, {"Content-Range": said, "Content-Length": end - start, **file.known()})
        exchange.write(file.data[start:end], file.rate)

    return answer


def packed(data: bytes) -> bytes:
    """Compress quickly, to the same bytes each time."""
    return gzip.compress(data, 1, mtime=0)


def encoded(file: File) -> Behaviour:
    """Compress although identity was asked for, and call it a part when one was asked."""

    def answer(exchange: Exchange) -> None:
        body = packed(file.data)
        wanted = exchange.wanted(len(body))
        start, end = wanted or (0, len(body))
        part = {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}"} if wanted else {}
        headers = {"Content-Encoding": "gzip", "Content-Length": end - start, **part, **file.known()}
        exchange.start(206 if wanted else 200, headers)
        exchange.write(body[start:end])

    return answer


def chunked(file: File, *, cut_after: int | None = None, piece: int = 10_000) -> Behaviour:
    """Send without a length, in chunks; with `cut_after` close after so many bytes, before the last chunk."""

    def answer(exchange: Exchange) -> None:
        exchange.start(200, {"Transfer-Encoding": "chunked", **file.known()})
        data = file.data if cut_after is None else file.data[:cut_after]
        for at in range(0, len(data), piece):
            part = data[at : at + piece]
            exchange.write(b"%x\r\n" % len(part) + part + b"\r\n", file.rate)
        if cut_after is None:
            exchange.write(b"0\r\n\r\n")
        else:
            exchange.hang_up()

    return answer


def until_close(file: File) -> Behaviour:
    """Send without length or chunks: the end of the connection is the end of the body."""

    def answer(exchange: Exchange) -> None:
        exchange.start(200, {"Connection": "close", **file.known()})
        exchange.write(file.data)
        exchange.hang_up()

    return answer


def broken_off(file: File, after: int, *, rudely: bool = False) -> Behaviour:
    """Promise the whole range and close after `after` bytes of it."""

    def answer(exchange: Exchange) -> None:
        size = len(file.data)
        wanted = exchange.wanted(size)
        start, end = wanted or (0, size)
        part = {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if wanted else {}
        headers = {"Content-Length": end - start, **part, **file.known()}
        exchange.start(206 if wanted else 200, headers)
        exchange.write(file.data[start : min(end, start + after)], file.rate)
        if end - start > after:
            exchange.hang_up(rudely=rudely)

    return answer


def stalling(file: File, after: int, seconds: float = 60.0) -> Behaviour:
    """Send `after` bytes and then nothing more, with the connection open."""

    def answer(exchange: Exchange) -> None:
        size = len(file.data)
        start, end = exchange.wanted(size) or (0, size)
        part = {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if exchange.wanted(size) else {}
        headers = {"Content-Length": end - start, **part, **file.known()}
        exchange.start(206 if part else 200, headers)
        exchange.write(file.data[start : min(end, start + after)])
        if end - start > after:
            exchange.wait(seconds)
            exchange.hang_up()

    return answer


class Crawling:
    """The first connection that comes to offset `at` goes on with `rate` bytes per second; all others are served well.

    `rest` is how much that connection still had to send there (0: none came), `sent` how much of it it sent.
    """

    def __init__(self, file: File, at: int, rate: int) -> None:
        """Serve `file`."""
        self.file, self.at, self.rate = file, at, rate
        self.rest = self.sent = 0
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        """Answer."""
        file, size = self.file, len(self.file.data)
        wanted = exchange.wanted(size)
        start, end = wanted or (0, size)
        part = {"Content-Range": f"bytes {start}-{end - 1}/{size}"} if wanted else {}
        exchange.start(206 if part else 200, {"Content-Length": end - start, **part, **file.known()})
        turn = min(end, max(start, self.at))
        exchange.write(memoryview(file.data)[start:turn], file.rate)
        with self._lock:
            slow = start <= self.at < end and not self.rest
            if slow:
                self.rest = end - turn
        step = max(1, self.rate // 4)
        for at in range(turn, end, step if slow else size):
            exchange.write(memoryview(file.data)[at : min(end, at + step if slow else end)], file.rate)
            if slow:
                self.sent += min(step, end - at)
                exchange.wait(0.25)


def expiring(file: Behaviour, uses: int) -> Behaviour:
    """A signed address: each distinct query is good for `uses` requests, then 403."""
    used: dict[str, int] = {}

    def answer(exchange: Exchange) -> None:
        query = exchange.path.partition("?")[2]
        used[query] = used.get(query, 0) + 1
        if not query or used[query] > uses:
            exchange.text(403, "the signature has expired\n")
        else:
            file(exchange)

    return answer


def signing(location: str) -> Behaviour:
    """Redirect to `location` with a fresh signature each time."""
    return lambda exchange: exchange.text(
        307, headers={"Location": f"{location}?signature={exchange.number}"}
    )


def crowded(file: File, most: int, code: int = 429, retry_after: str | None = None) -> Behaviour:
    """Refuse with `code` when more than `most` exchanges are open."""

    def answer(exchange: Exchange) -> None:
        if exchange.active > most:
            exchange.text(code, headers={"Retry-After": retry_after})
        else:
            file(exchange)

    return answer


def no_head(file: File) -> Behaviour:
    """Refuse HEAD, as many signed addresses do."""

    def answer(exchange: Exchange) -> None:
        if exchange.method == "HEAD":
            exchange.text(405, headers={"Allow": "GET"})
        else:
            file(exchange)

    return answer


def wants(file: File, name: str, value: str, refusal: int = 401) -> Behaviour:
    """Answer only requests whose header `name` is `value`."""

    def answer(exchange: Exchange) -> None:
        if exchange.headers.get(name.lower()) == value:
            file(exchange)
        else:
            exchange.text(refusal, headers={"WWW-Authenticate": 'Basic realm="test"'})

    return answer


_DIGEST_PART = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


def wants_digest(file: File, user: str, password: str, algorithm: str = "SHA-256") -> Behaviour:
    """Answer only requests that prove to know the password as RFC 7616 says, with quality `auth`."""
    nonce = secrets.token_hex(16)

    def hashed(*parts: str) -> str:
        text = ":".join(parts).encode()
        if algorithm == "MD5":
            return hashlib.md5(text, usedforsecurity=False).hexdigest()
        return hashlib.sha256(text).hexdigest()

    def proves(exchange: Exchange) -> bool:
        kind, _, rest = exchange.headers.get("authorization", "").partition(" ")
        said = {name: quoted or bare for name, quoted, bare in _DIGEST_PART.findall(rest)}
        if kind != "Digest" or said.get("nonce") != nonce or said.get("uri") != exchange.path:
            return False
        secret, request = hashed(user, "test", password), hashed(exchange.method, exchange.path)
        proof = hashed(
            secret, nonce, said.get("nc", ""), said.get("cnonce", ""), said.get("qop", ""), request
        )
        return said.get("username") == user and said.get("response") == proof

    def answer(exchange: Exchange) -> None:
        if proves(exchange):
            file(exchange)
        else:
            challenge = f'Digest realm="test", qop="auth", algorithm={algorithm}, nonce="{nonce}"'
            exchange.text(401, headers={"WWW-Authenticate": challenge})

    return answer
