"""Pushes to a plain HTTP registry, one blob after another over one connection: for tests, not for speed."""

import http.client
import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO


class Registry:
    """One repository; uploads in one piece each. Raises `RuntimeError` when something is refused."""

    def __init__(
        self, connection: http.client.HTTPConnection, repository: str, headers: Mapping[str, str]
    ) -> None:
        """`headers` go with every request."""
        self._connection = connection
        self._repository = repository
        self._headers = headers

    def put_blob(self, digest: str, path: Path) -> None:
        """Upload a blob that the repository lacks."""
        if self._ask("HEAD", f"/v2/{self._repository}/blobs/{digest}")[0] == 200:
            return
        status, place = self._ask("POST", f"/v2/{self._repository}/blobs/uploads/", {"Content-Length": "0"})
        self._expect(status, 202, f"upload of {digest}")
        place = place.partition("://")[2].partition("/")[2].join(("/", "")) if "://" in place else place
        place += ("&" if "?" in place else "?") + f"digest={digest}"
        with path.open("rb") as file:
            length = {"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"}
            self._expect(self._ask("PUT", place, length, file)[0], 201, f"blob {digest}")

    def put_manifest(self, raw: bytes, media_type: str, name: str) -> None:
        """Put a manifest under a tag or its digest."""
        address = f"/v2/{self._repository}/manifests/{name}"
        status, _ = self._ask("PUT", address, {"Content-Type": media_type}, io.BytesIO(raw))
        self._expect(status, 201, f"manifest {name}")

    def _ask(
        self, method: str, path: str, more: Mapping[str, str] | None = None, body: BinaryIO | None = None
    ) -> tuple[int, str]:
        headers = {**self._headers, **(more or {})}
        if isinstance(body, io.BytesIO):
            headers["Content-Length"] = str(len(body.getvalue()))
        self._connection.request(method, path, body=body, headers=headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Location", "")

    @staticmethod
    def _expect(status: int, wanted: int, what: str) -> None:
        if status != wanted:
            raise RuntimeError(f"{what}: the registry answered {status}")
