"""Debian's docker-registry on a free port of loopback: open, with htpasswd, or with tokens of a server of our own."""

import base64
import hashlib
import json
import shutil
import subprocess
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from ferryman.testing.loopback import InThread, free_port, listens

USER = "ferry"
PASSWORD = "over the water"
SERVICE = "ferry-test"
GRACE = 60
"""Seconds that docker-registry allows clocks to differ."""


class DockerRegistry:
    """The program, stopped by its process id. Use it as a context manager.

    `htpasswd` asks for `USER` and `PASSWORD`; `tokens` sends clients to a token server; `certificate` (paths of it and its
    key) speaks HTTPS, and with `client_ca` wants certificates of clients.
    """

    def __init__(
        self,
        folder: Path,
        *,
        htpasswd: bool = False,
        tokens: "TokenServer | None" = None,
        certificate: tuple[Path, Path] | None = None,
        client_ca: Path | None = None,
        proxy_of: str | None = None,
    ) -> None:
        """Prepare; entering starts. `folder` is the program's own, also for its content."""
        self.folder, self._htpasswd, self._tokens = folder, htpasswd, tokens
        self._certificate, self._client_ca, self._proxy_of = certificate, client_ca, proxy_of
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Path of the program, or None when it is not installed."""
        return shutil.which("docker-registry")

    @property
    def host(self) -> str:
        """`localhost:PORT`."""
        return f"localhost:{self.port}"

    @property
    def content(self) -> Path:
        """Where the registry keeps what it has."""
        return self.folder / "content"

    def __enter__(self) -> Self:
        """Start, on another port when somebody took the free one meanwhile."""
        program = self.program()
        if program is None:
            raise FileNotFoundError("docker-registry is not installed: apt-get install docker-registry")
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(5):
            self.port = free_port()
            self.start(program)
            assert self._process
            if listens(self._process, self.port):
                return self
            self.stop()
        raise RuntimeError(f"docker-registry does not start: {self._log()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self, program: str | None = None) -> None:
        """Start on the port it has; for tests that stopped it."""
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self._config()))  # YAML reads JSON
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program or self.program() or "docker-registry", "serve", config],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def stop(self) -> None:
        """End it by its process id."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self) -> None:
        """Wait until it answers, after `start`."""
        assert self._process
        if not listens(self._process, self.port):
            raise RuntimeError(f"docker-registry does not start: {self._log()}")

    def _config(self) -> dict[str, Any]:
        http: dict[str, Any] = {"addr": f"127.0.0.1:{self.port}", "secret": "only for tests"}
        if self._certificate:
            http["tls"] = {"certificate": str(self._certificate[0]), "key": str(self._certificate[1])}
            if self._client_ca:
                http["tls"]["clientcas"] = [str(self._client_ca)]
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.content)},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": http,
        }
        if self._htpasswd:
            path = self.folder / "htpasswd"
            path.write_text(f"{USER}:{_bcrypt(PASSWORD)}\n")
            config["auth"] = {"htpasswd": {"realm": "ferry", "path": str(path)}}
        if self._tokens:
            config["auth"] = {
                "token": {
                    "realm": self._tokens.realm,
                    "service": SERVICE,
                    "issuer": "ferry",
                    "rootcertbundle": str(self._tokens.certificate),
                }
            }
        if self._proxy_of:
            config["proxy"] = {"remoteurl": self._proxy_of}
        return config

    def _log(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace")[-500:] if file.exists() else "no log"


def _bcrypt(password: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import crypt  # noqa: PLC0415 - gone in Python 3.13, where another way will be needed

    return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**5))


@dataclass(frozen=True)
class TokenRequest:
    """What somebody asked the token server for. `user` is None for nobody."""

    method: str
    user: str | None
    scopes: tuple[str, ...]
    granted: tuple[str, ...]


@dataclass
class TokenServer(InThread):
    """Gives out tokens that docker-registry accepts. Use it as a context manager.

    `lifetime` is seconds, `say_lifetime` whether they are told. Nobody gets `public` actions only; `USER` gets what he asks
    for. `oauth_only` answers GET with 404. Every request is kept in `seen`. docker-registry takes tokens for `GRACE` seconds
    after their end; with `strict` they are signed so that it refuses them when `lifetime` is over.
    """

    folder: Path
    lifetime: int = 300
    say_lifetime: bool = True
    public: frozenset[str] = frozenset({"pull"})
    oauth_only: bool = False
    strict: bool = False
    refresh_token: str = "refresh-of-ferry"
    seen: list[TokenRequest] = field(default_factory=list)
    issued: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Make key and certificate."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ferryman test tokens")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = self.folder / "tokens.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._der = certificate.public_bytes(serialization.Encoding.DER)
        self._server = _TokenHttp(self)

    @property
    def realm(self) -> str:
        """Where tokens are asked for."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def answer(self, method: str, user: str | None, scopes: tuple[str, ...]) -> dict[str, Any]:
        """Make the answer to a request of `user`."""
        access = [entry for scope in scopes if (entry := self._access(user, scope))]
        granted = tuple(f"{item['type']}:{item['name']}:{','.join(item['actions'])}" for item in access)
        self.seen.append(TokenRequest(method, user, scopes, granted))
        token = self.token(user or "", access)
        document: dict[str, Any] = {"token": token, "access_token": token}
        if self.say_lifetime:
            document["expires_in"] = self.lifetime
        return document

    def token(self, user: str, access: list[dict[str, Any]], lifetime: int | None = None) -> str:
        """Sign a token."""
        now = int(time.time())
        grace = GRACE if self.strict else 0
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(self._der).decode()]}
        claims = {
            "iss": "ferry",
            "sub": user,
            "aud": SERVICE,
            "exp": now + (self.lifetime if lifetime is None else lifetime) - grace,
            "nbf": now - grace - 10,
            "iat": now - grace,
            "jti": hashlib.sha256(f"{now}{len(self.seen)}".encode()).hexdigest()[:16],
            "access": access,
        }
        text = ".".join(_url64(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _access(self, user: str | None, scope: str) -> dict[str, Any] | None:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        wanted = set(actions.split(","))
        allowed = sorted(wanted if user else wanted & self.public)
        return {"type": kind, "name": name, "actions": allowed} if allowed else None


class _TokenHttp(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tokens: TokenServer) -> None:
        self.tokens = tokens
        super().__init__(("127.0.0.1", 0), _TokenHandler)


class _TokenHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _TokenHttp

    def do_GET(self) -> None:
        """Basic authentication, or nobody."""
        if self.server.tokens.oauth_only:
            self._send(404, {"details": "only POST here"})
            return
        query = parse_qs(urlsplit(self.path).query)
        scopes = tuple(part for scope in query.get("scope", []) for part in scope.split())
        said = self.headers.get("Authorization", "")
        if said:
            pair = base64.b64decode(said.removeprefix("Basic ")).decode()
            if pair != f"{USER}:{PASSWORD}":
                self._send(401, {"details": "incorrect username or password"})
                return
        self._send(200, self.server.tokens.answer("GET", USER if said else None, scopes))

    def do_POST(self) -> None:
        """OAuth2: a password or a refresh token."""
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
        value = {name: values[0] for name, values in form.items()}
        tokens = self.server.tokens
        good = (
            value.get("grant_type") == "password"
            and (value.get("username"), value.get("password")) == (USER, PASSWORD)
        ) or (
            value.get("grant_type") == "refresh_token" and value.get("refresh_token") == tokens.refresh_token
        )
        if not good:
            self._send(401, {"error": "invalid_grant"})
            return
        scopes = tuple(value.get("scope", "").split())
        self._send(200, tokens.answer("POST", USER, scopes) | {"refresh_token": tokens.refresh_token})

    def _send(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
