"""The error tree. Branches are named by what the caller does next.

    FerryError
    ├── Invalid       the request is wrong: change it              (HTTP 422, exit 2)
    ├── Denied        not allowed: sign in, or ask for the right   (HTTP 403, exit 4)
    ├── NotFound      no such thing: check the name                (HTTP 404, exit 3)
    ├── Conflict      clashes with what is there: decide           (HTTP 409, exit 1)
    ├── Exhausted     disk, quota or slots used up: make room      (HTTP 507, exit 1)
    ├── Unavailable   the other side failed: try again             (HTTP 503, exit 5)
    └── Corrupt       bytes are not what they should be            (HTTP 500, exit 1)

Only `Unavailable` is retried. Adapters translate foreign errors with `raise … from`.
"""

from collections.abc import Mapping
from typing import Any


class FerryError(Exception):
    """Root of every error a person may see.

    `code` is stable and snake_case (`checksum_mismatch`); `message` names the value that was wrong;
    `advice` says what to do next; `fields` maps a field of the request to what is wrong with it; `details` are facts
    for programs, as JSON has them.
    """

    def __init__(
        self, code: str, message: str, *, advice: str = "", fields: Mapping[str, str] | None = None
    ) -> None:
        """Keep the four parts; `str()` of the error is `message`."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice
        self.fields = dict(fields or {})
        self.details: dict[str, Any] = {}


class Invalid(FerryError):
    """The request is wrong and will be wrong again: change it."""


class Denied(FerryError):
    """The caller may not do this."""


class NotFound(FerryError):
    """There is no such thing."""


class Conflict(FerryError):
    """The request clashes with what is already there."""


class Exhausted(FerryError):
    """Disk, quota or places are used up: it can go on when there is room."""


class Unavailable(FerryError):
    """The other side failed or did not answer: the same request may work later.

    `retry_after` is how many seconds the other side asked us to wait, when it did.
    """

    def __init__(
        self, code: str, message: str, *, advice: str = "", retry_after: float | None = None
    ) -> None:
        """Keep `retry_after` beside the parts of every error."""
        super().__init__(code, message, advice=advice)
        self.retry_after = retry_after


class Corrupt(FerryError):
    """Bytes are not what they should be: wrong digest, damaged file, changed object."""
