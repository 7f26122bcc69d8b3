"""What answers mean: every trap as a case."""

import pytest

from ferryman.transfer.http import Head
from ferryman.transfer.judge import Asked, Kind, Pins, judge

PINS = Pins(100, '"a"', None)
NOW = 1_700_000_000.0


def asked(start: int = 0, end: int | None = None, *, ranged: bool = True, redirected: bool = False) -> Asked:
    return Asked("http://h/f", start, end, ranged, redirected)


def part(first: int, last: int, total: int | str = 100, etag: str | None = '"a"', **more: str) -> Head:
    headers = {"content-range": f"bytes {first}-{last}/{total}", **more}
    return Head(206, headers | ({"etag": etag} if etag else {}))


@pytest.mark.parametrize(
    ("question", "head", "pins", "kind"),
    [
        (asked(), part(0, 99), None, Kind.BODY),
        (asked(10, 20), part(10, 19), PINS, Kind.BODY),
        (asked(10, 20), part(10, 14), PINS, Kind.BODY),
        (asked(10, 20), part(11, 19), PINS, Kind.UNRANGED),
        (asked(10, 20), part(10, 25), PINS, Kind.UNRANGED),
        (asked(10, 20), part(10, 19, 50), PINS, Kind.CHANGED),
        (asked(10, 20), part(10, 19, etag='"b"'), PINS, Kind.CHANGED),
        (asked(10, 20), part(10, 19, etag=None), PINS, Kind.CHANGED),
        (asked(10, 20), part(10, 19, "*"), PINS, Kind.BODY),
        (asked(10, 20), Head(206, {"content-range": "chaos", "etag": '"a"'}), PINS, Kind.UNRANGED),
        (asked(10, 20), Head(206, {"etag": '"a"'}), PINS, Kind.UNRANGED),
        (asked(10, 20), part(10, 19, **{"content-length": "9"}), PINS, Kind.UNRANGED),
        (asked(), part(0, 99, **{"content-encoding": "gzip"}), None, Kind.UNRANGED),
        (asked(), Head(200, {"content-length": "100"}), None, Kind.WHOLE),
        (asked(10), Head(200, {"content-length": "100", "etag": '"a"'}), PINS, Kind.WHOLE),
        (asked(10), Head(200, {"content-length": "100", "etag": '"b"'}), PINS, Kind.CHANGED_WHOLE),
        (asked(), Head(302, {"location": "/g"}), None, Kind.REDIRECT),
        (asked(), Head(302, {"location": "file:///etc/passwd"}), None, Kind.FATAL),
        (asked(), Head(302, {}), None, Kind.FATAL),
        (
            asked(100),
            Head(416, {"content-range": "bytes */100", "etag": '"a"'}),
            Pins(None, '"a"', None),
            Kind.COMPLETE,
        ),
        (asked(100), Head(416, {"content-range": "bytes */50"}), PINS, Kind.CHANGED),
        (asked(50), Head(416, {"content-range": "bytes */100", "etag": '"b"'}), PINS, Kind.CHANGED),
        (asked(), Head(416, {"content-range": "bytes */0"}), None, Kind.UNRANGED),
        (asked(redirected=True), Head(403), PINS, Kind.RESOLVE_AGAIN),
        (asked(redirected=True), Head(400), PINS, Kind.RESOLVE_AGAIN),
        (asked(), Head(403), PINS, Kind.FATAL),
        (asked(), Head(404), PINS, Kind.FATAL),
        (asked(), Head(500), PINS, Kind.RETRY),
        (asked(), Head(408), PINS, Kind.RETRY),
        (asked(), Head(501), PINS, Kind.FATAL),
        (asked(), Head(429), PINS, Kind.REFUSED),
        (asked(), Head(503), PINS, Kind.REFUSED),
    ],
)
def test_answers(question: Asked, head: Head, pins: Pins | None, kind: Kind) -> None:
    assert judge(question, head, pins, NOW).kind is kind


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("soon", None),
    ],
)
def test_both_forms_of_retry_after(value: str, seconds: float | None) -> None:
    assert judge(asked(), Head(503, {"retry-after": value}), None, NOW).retry_after == seconds


def test_only_a_strong_tag_or_a_date_validates() -> None:
    assert Pins(1, '"a"', "date").validator == '"a"'
    assert Pins(1, 'W/"a"', "date").validator == "date"
    assert Pins(1, 'W/"a"', None).validator is None
