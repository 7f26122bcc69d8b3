"""The libcurl carrier: FTP, proxies, and HTTP authentication beyond basic.

Runs inside the pump: libcurl tells which sockets to watch, and the pump's tick serves its timer.
"""

import os
import re
import select
import socket
import ssl
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pycurl

from ferryman.core.errors import Denied, FerryError, Unavailable
from ferryman.transfer.ask import credentials
from ferryman.transfer.carrier import Ask, Sink
from ferryman.transfer.failures import curl_error, shown
from ferryman.transfer.http import Head, parse_head
from ferryman.transfer.proxy import proxy_for
from ferryman.transfer.pump import READ, WRITE, Pump

_BUFFER: Final = 512 * 1024
_FTP_213: Final = re.compile(rb"213 +(\d{1,19})")
_FTP_TIME: Final = re.compile(rb"(?:19|20)\d{12}")


class Curl:
    """The carrier. Loop only."""

    def __init__(self, pump: Pump) -> None:
        """Open a multi handle and hook it into the pump."""
        self.pump = pump
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._socket)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._timer)
        self._due: float | None = None
        self._running: dict[Any, CurlExchange] = {}

    def fetch(self, ask: Ask, sink: Sink) -> "CurlExchange":
        """Start an exchange."""
        exchange = CurlExchange(self, ask, sink)
        self.pump.soon(exchange.begin)
        return exchange

    def add(self, handle: Any, exchange: "CurlExchange") -> None:
        """Let libcurl work on a handle."""
        self._running[handle] = exchange
        self.multi.add_handle(handle)

    def remove(self, handle: Any) -> None:
        """Take a handle out and free it. Never inside a callback of libcurl."""
        if self._running.pop(handle, None):
            self.multi.remove_handle(handle)
            handle.close()

    def tick(self, now: float) -> None:
        """Serve libcurl's timer."""
        if self._due is not None and now >= self._due:
            self._due = None
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def close(self) -> None:
        """Free everything."""
        for handle in list(self._running):
            self.remove(handle)
        self.multi.close()

    def _socket(self, event: int, fd: int, _multi: object, _data: object) -> None:
        if event == pycurl.POLL_REMOVE:
            self.pump.unwatch(fd)
            return
        mask = (READ if event & pycurl.POLL_IN else 0) | (WRITE if event & pycurl.POLL_OUT else 0)
        self.pump.watch(fd, mask, lambda events: self._act(fd, _bits(events)))

    def _timer(self, milliseconds: int) -> None:
        if milliseconds < 0:
            self._due = None
            return
        self._due = time.monotonic() + milliseconds / 1000
        if milliseconds == 0:
            self.pump.soon(lambda: self.tick(time.monotonic()))

    def _act(self, fd: int, events: int) -> None:
        self.multi.socket_action(fd, events)
        while True:
            left, good, bad = self.multi.info_read()
            for handle in good:
                self._running[handle].finished(0, "")
            for handle, code, message in bad:
                self._running[handle].finished(code, message)
            if not left:
                return


def _bits(events: int) -> int:
    return (pycurl.CSELECT_IN if events & (select.EPOLLIN | select.EPOLLHUP) else 0) | (
        pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
    )


class CurlExchange:
    """One request through libcurl. Loop only."""

    def __init__(self, curl: Curl, ask: Ask, sink: Sink) -> None:
        """Nothing happens before `begin`."""
        self._curl, self._ask, self._sink = curl, ask, sink
        self._handle: Any = None
        self._raw: list[bytes] = []
        self._head: bytes | None = None
        self._answered = False
        self._over = False
        self._paused = False
        self._denied: Denied | None = None
        self._local: OSError | None = None
        self.connected = False

    def begin(self) -> None:
        """Hand the request to libcurl."""
        if self._over:
            return
        try:
            self._check_host()
            self._handle = self._build()
        except FerryError as error:
            self._over = True
            self._sink.ended(error)
            return
        self._curl.add(self._handle, self)

    def resume(self) -> None:
        """Go on reading."""
        if self._paused and not self._over:
            self._paused = False
            try:
                self._handle.pause(pycurl.PAUSE_CONT)  # hands over what was held back at once
            except pycurl.error as error:
                code, message = error.args
                self.finished(code, message)  # nothing to tell when we ended it ourselves meanwhile

    def cancel(self) -> None:
        """End without a word to the sink; libcurl lets go of the handle in the next turn."""
        if not self._over:
            self._over = True
            self._release()

    def tick(self, now: float) -> None:
        """Do nothing: libcurl looks after its own time-outs."""

    def finished(self, code: int, message: str) -> None:
        """Libcurl is done with the handle."""
        if self._over:
            return
        if code == 0 and not self._wanted():
            return
        self._end(self._local or self._denied or (curl_error(code, message, self._ask.url) if code else None))

    def _end(self, error: FerryError | OSError | None) -> None:
        if not self._over:
            self._over = True
            self._release()
            self._sink.ended(error)

    def _release(self) -> None:
        if self._handle is not None:
            handle = self._handle
            self._curl.pump.soon(lambda: self._curl.remove(handle))

    # -- setting up -----------------------------------------------------------------------------------------------

    def _check_host(self) -> None:
        """Through a proxy we never see the address, so at least what the URL says is checked here."""
        if self._ask.allow:
            self._ask.allow.check_host(urlsplit(self._ask.url).hostname or "")

    def _build(self) -> Any:
        ask, options, handle = self._ask, self._ask.options, pycurl.Curl()
        handle.setopt(pycurl.URL, ask.url)
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.BUFFERSIZE, _BUFFER)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, int(options.connect_timeout * 1000))
        handle.setopt(pycurl.OPT_FILETIME, 1)
        handle.setopt(
            pycurl.HTTPHEADER, [f"{name}: {value}".encode("latin-1") for name, value in ask.headers]
        )
        handle.setopt(pycurl.HEADERFUNCTION, self._header)
        handle.setopt(pycurl.WRITEFUNCTION, self._write)
        if ask.ranged and (ask.start or ask.end is not None or not self._ftp):
            handle.setopt(pycurl.RANGE, f"{ask.start}-{'' if ask.end is None else ask.end - 1}")
        self._secure(handle)
        self._identify(handle)
        proxy = proxy_for(ask.url, options, os.environ)
        handle.setopt(pycurl.PROXY, proxy or "")
        if ask.allow and (
            options.proxy or not proxy
        ):  # the environment's proxy was chosen by whoever runs us
            handle.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        return handle

    def _secure(self, handle: Any) -> None:
        options = self._ask.options
        if options.ca:
            handle.setopt(pycurl.CAINFO, str(options.ca))
        elif ca := _system_ca():
            handle.setopt(pycurl.CAINFO, ca)
        if options.insecure:
            handle.setopt(pycurl.SSL_VERIFYPEER, 0)
            handle.setopt(pycurl.SSL_VERIFYHOST, 0)
        if options.client_cert:
            handle.setopt(pycurl.SSLCERT, str(options.client_cert))
            handle.setopt(pycurl.SSLKEY, str(options.client_key or options.client_cert))

    def _identify(self, handle: Any) -> None:
        options = self._ask.options
        found = self._ask.login or (credentials(self._ask.url, options) if self._ask.trusted else None)
        if found and not options.bearer:
            handle.setopt(pycurl.USERNAME, found[0].encode())
            handle.setopt(pycurl.PASSWORD, found[1].encode())
            handle.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_ANY)

    @property
    def _dialled(self) -> str:
        """Which host libcurl looks up: the proxy's, where there is one."""
        proxy = proxy_for(self._ask.url, self._ask.options, os.environ)
        return urlsplit(proxy or self._ask.url).hostname or ""

    def _open(self, _purpose: int, address: Any) -> Any:
        family, kind, protocol, target = address
        try:
            if self._ask.allow and family in {socket.AF_INET, socket.AF_INET6}:
                self._ask.allow.check(target[0], self._dialled)
        except Denied as denied:
            self._denied = denied
            return pycurl.SOCKET_BAD
        opened = socket.socket(family, kind, protocol)
        self._curl.pump.soon(opened.close)  # pycurl goes on with a duplicate
        return opened

    # -- answers --------------------------------------------------------------------------------------------------

    @property
    def _ftp(self) -> bool:
        return self._ask.url.startswith("ftp")

    def _header(self, line: bytes) -> None:
        self.connected = True
        if self._ftp:
            self._raw.append(line)
        elif line in {b"\r\n", b"\n"}:
            self._head = b"\r\n".join(self._raw)
            self._raw = []
        else:
            self._raw.append(line.rstrip(b"\r\n"))

    def _answer(self) -> bool:
        self._answered = True
        try:
            head = self._ftp_head() if self._ftp else parse_head(self._head or b"")
        except ValueError as error:
            self._end(Unavailable("answer_invalid", f"{shown(self._ask.url)}: {error}."))
            return False
        return self._sink.answered(head)

    def _ftp_head(self) -> Head:
        """Say in HTTP's words what the FTP server said: 213 answers MDTM with 14 digits first, then SIZE."""
        ask, headers, total = self._ask, {}, None
        for line in self._raw:
            found = _FTP_213.fullmatch(line.strip())
            if found and _FTP_TIME.fullmatch(found[1]) and "last-modified" not in headers:
                headers["last-modified"] = f"mdtm {found[1].decode()}"
            elif found:
                total = int(found[1])
        if total is None:
            return Head(200, headers)
        end = total if ask.end is None else min(ask.end, total)
        if not ask.ranged or not total:
            return Head(200, {**headers, "content-length": str(total)})
        if ask.start >= total:
            return Head(416, {**headers, "content-range": f"bytes */{total}"})
        return Head(206, {**headers, "content-range": f"bytes {ask.start}-{end - 1}/{total}"})

    def _write(self, data: bytes) -> int:
        if self._over or not self._wanted():
            return -1
        room = self._sink.room(len(data))
        if room == 0:
            self._paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        return len(data) if self._put(data, room) else -1

    def _wanted(self) -> bool:
        if not self._answered and not self._answer():
            if not self._over:
                self.cancel()
            return False
        return not self._over

    def _put(self, data: bytes, room: int) -> bool:
        try:
            taken = self._sink.put(memoryview(data)) if room > 0 else 0
        except OSError as error:
            self._end(error)
            return False
        if taken < len(data):
            self._end(None)
        return taken == len(data)


def _system_ca() -> str | None:
    places = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
    return ssl.get_default_verify_paths().cafile or next(
        (place for place in places if Path(place).exists()), None
    )


def libcurl() -> tuple[str, tuple[str, ...]]:
    """Return the version of libcurl in use and the protocols it speaks."""
    info = pycurl.version_info()
    return str(info[1]), tuple(str(name) for name in info[8])
