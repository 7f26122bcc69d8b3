"""The twelve traps of moving bytes over HTTP, each against a real server that misbehaves that way.

Every test runs with both carriers: our own and libcurl.
"""

import fcntl
import os
import re
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Corrupt, Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.testing import faults
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.journal import Journal, Record, boot_id
from ferryman.transfer.model import Limits, Overwrite
from ferryman.transfer.naming import name_from
from ferryman.transfer.service import Engine

from .conftest import Fetcher, wait_for

pytestmark = pytest.mark.usefixtures("carrier")

MiB = 1 << 20
DATA = made_up(6 * MiB + 321)
NEWER = made_up(6 * MiB + 321, "newer")


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- 1: the object changed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("honours", [True, False], ids=["if-range-honoured", "if-range-ignored"])
@pytest.mark.parametrize(
    "newer", [NEWER, NEWER[: 5 * MiB], NEWER + b"more"], ids=["same", "shorter", "longer"]
)
def test_trap_01_an_object_that_changed_between_two_runs_is_fetched_anew(
    upstream: Upstream, fetch: Fetcher, honours: bool, newer: bytes
):
    file = File(DATA, rate=2 * MiB, honours_if_range=honours)
    url = upstream.serve("/a", file)
    fetch.part_of(2 * MiB, url)
    file.data, file.etag, file.rate = newer, '"newer"', 0
    result = fetch(url)
    assert result.path.read_bytes() == newer
    assert result.resumed == 0 or result.network >= len(newer)


@pytest.mark.parametrize("honours", [True, False], ids=["if-range-honoured", "if-range-ignored"])
def test_trap_01_an_object_that_changes_on_the_way_is_never_mixed(
    upstream: Upstream, fetch: Fetcher, honours: bool
):
    file = File(DATA, rate=2 * MiB, honours_if_range=honours)
    transfer = fetch.start(upstream.serve("/a", file), connections=2)
    wait_for(lambda: transfer.snapshot().disk > MiB)
    file.data, file.etag, file.rate = NEWER, '"newer"', 0
    assert transfer.wait(40).path.read_bytes() in {DATA, NEWER}


def test_trap_01_without_entity_tags_date_and_length_identify(upstream: Upstream, fetch: Fetcher):
    file = File(DATA, etag=None, modified="Wed, 21 Oct 2015 07:28:00 GMT", rate=2 * MiB)
    url = upstream.serve("/a", file)
    fetch.part_of(2 * MiB, url)
    file.rate = 0
    resumed = fetch(url)
    assert resumed.resumed >= 2 * MiB
    assert resumed.path.read_bytes() == DATA
    resumed.path.unlink()
    file.rate = 2 * MiB
    fetch.part_of(2 * MiB, url)
    file.data, file.modified, file.rate = NEWER, "Thu, 22 Oct 2015 07:28:00 GMT", 0
    assert fetch(url).path.read_bytes() == NEWER


def test_trap_01_weak_tags_are_compared_but_not_sent(upstream: Upstream, fetch: Fetcher):
    file = File(DATA, etag='W/"weak"', rate=2 * MiB)
    url = upstream.serve("/a", file)
    fetch.part_of(2 * MiB, url)
    file.data, file.etag, file.rate = NEWER, 'W/"other"', 0
    assert fetch(url).path.read_bytes() == NEWER
    assert not [seen for seen in upstream.seen() if seen.headers.get("if-range", "").startswith("W/")]


def test_trap_01_mirrors_may_each_have_their_own_tag(upstream: Upstream, fetch: Fetcher):
    with Upstream() as other:
        urls = (
            upstream.serve("/a", File(DATA, etag='"one"', rate=3 * MiB)),
            other.serve("/a", File(DATA, etag='"two"', rate=3 * MiB)),
        )
        assert fetch(*urls).path.read_bytes() == DATA
        assert len(upstream.seen()) > 0
        assert len(other.seen()) > 0


def test_trap_01_a_mirror_with_another_file_is_left_out(upstream: Upstream, fetch: Fetcher):
    with Upstream() as other:
        good = upstream.serve("/a", File(DATA, rate=3 * MiB))
        bad = other.serve("/a", File(NEWER[:-1], rate=3 * MiB))
        assert fetch(good, bad).path.read_bytes() == DATA


# -- 2: another answer than was asked for ---------------------------------------------------------------------------


def test_trap_02_a_range_answered_with_everything(upstream: Upstream, fetch: Fetcher):
    result = fetch(upstream.serve("/a", faults.whole(File(DATA))))
    assert result.path.read_bytes() == DATA


def test_trap_02_a_server_that_stops_honouring_ranges(upstream: Upstream, fetch: Fetcher):
    file = File(DATA, rate=2 * MiB)
    url = upstream.serve("/a", file)
    fetch.part_of(2 * MiB, url)
    upstream.serve("/a", faults.whole(File(DATA)))
    assert fetch(url).path.read_bytes() == DATA


@pytest.mark.parametrize(
    "fault",
    [
        faults.mislabelled(File(DATA), shift=1),
        faults.mislabelled(File(DATA), shift=4096),
        faults.mislabelled(File(DATA), claim=1),
        faults.mislabelled(File(DATA), label=None),
        faults.mislabelled(File(DATA), label="bytes 5-1/10"),
        faults.mislabelled(File(DATA), label="items 0-5/10"),
        faults.mislabelled(File(DATA), label="bytes 0-9/*"),
    ],
    ids=["shifted", "far", "total", "unlabelled", "backwards", "unit", "short"],
)
def test_trap_02_a_wrong_content_range_never_reaches_the_file(upstream: Upstream, fetch: Fetcher, fault):
    url = upstream.serve("/a", faults.first(1, File(DATA, rate=8 * MiB), fault))
    try:
        result = fetch(url, connections=4)
    except FerryError:
        assert not (fetch.folder / "file").exists()
    else:
        assert result.path.read_bytes() == DATA


def test_trap_02_parts_shorter_than_asked_are_completed(upstream: Upstream, fetch: Fetcher):
    result = fetch(upstream.serve("/a", faults.short_parts(File(DATA), 700_001)))
    assert result.path.read_bytes() == DATA


# -- 3: encoded bodies ----------------------------------------------------------------------------------------------


def test_trap_03_identity_is_asked_for_and_an_encoded_body_is_not_taken_for_the_file(
    upstream: Upstream, fetch: Fetcher
):
    file = File(b"compressible " * 300_000)
    url = upstream.serve("/a", faults.encoded(file))
    try:
        body = fetch(url, connections=4).path.read_bytes()
    except FerryError:
        assert not (fetch.folder / "file").exists()
    else:  # never parts of one put together with parts of another
        assert body in {file.data, faults.packed(file.data)}
    assert {seen.headers.get("accept-encoding") for seen in upstream.seen()} == {"identity"}


def test_trap_03_an_encoded_body_is_not_resumed(upstream: Upstream, fetch: Fetcher):
    file = File(DATA, rate=2 * MiB)
    url = upstream.serve("/a", file)
    fetch.part_of(2 * MiB, url)
    upstream.serve("/a", faults.encoded(file))
    body = fetch(url).path.read_bytes()
    assert body in {DATA, faults.packed(DATA)}


# -- 4: no length ---------------------------------------------------------------------------------------------------


def test_trap_04_a_chunked_body_ends_with_its_last_chunk(upstream: Upstream, fetch: Fetcher):
    result = fetch(upstream.serve("/a", faults.chunked(File(DATA))))
    assert result.path.read_bytes() == DATA
    assert result.size == len(DATA)


def test_trap_04_a_closed_socket_is_no_end_of_a_chunked_body(upstream: Upstream, fetch: Fetcher):
    cut = faults.chunked(File(DATA), cut_after=3 * MiB)
    result = fetch(upstream.serve("/a", faults.first(1, cut, faults.chunked(File(DATA)))))
    assert result.path.read_bytes() == DATA


def test_trap_04_a_chunked_body_that_is_always_cut_is_never_a_file(upstream: Upstream, fetch: Fetcher):
    url = upstream.serve("/a", faults.chunked(File(DATA), cut_after=MiB))
    with pytest.raises(Unavailable):
        fetch(url)
    assert not (fetch.folder / "file").exists()


def test_trap_04_a_body_that_ends_with_its_connection(upstream: Upstream, fetch: Fetcher):
    assert fetch(upstream.serve("/a", faults.until_close(File(DATA)))).path.read_bytes() == DATA


@pytest.mark.parametrize("rudely", [False, True], ids=["closed", "reset"])
def test_trap_04_a_promised_length_must_arrive(upstream: Upstream, fetch: Fetcher, rudely: bool):
    file = File(DATA)
    cut = faults.broken_off(file, 2 * MiB, rudely=rudely)
    result = fetch(upstream.serve("/a", faults.first(2, cut, file)), connections=1)
    assert result.path.read_bytes() == DATA
    # What arrived before the break is not fetched again.
    assert result.network < len(DATA) + 2 * MiB


# -- 5: redirects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uses", [1, 2])
def test_trap_05_an_expired_signed_address_is_resolved_again(upstream: Upstream, fetch: Fetcher, uses: int):
    with Upstream() as store:
        signed = store.serve("/blob", faults.expiring(File(DATA, rate=4 * MiB), uses))
        url = upstream.serve("/a", faults.signing(signed))
        assert fetch(url).path.read_bytes() == DATA


@pytest.mark.parametrize("code", [400, 401, 403])
def test_trap_05_resolving_again_after_a_pause_spends_no_try(upstream: Upstream, fetch: Fetcher, code: int):
    file = File(DATA, rate=2 * MiB)
    store = upstream.serve("/blob", file)
    url = upstream.serve("/a", faults.redirect(store))
    fetch.part_of(2 * MiB, url)
    file.rate = 0
    upstream.serve("/blob", faults.first(upstream_requests(upstream, "/blob") + 1, faults.status(code), file))
    assert fetch(url).path.read_bytes() == DATA


def upstream_requests(upstream: Upstream, path: str) -> int:
    return len(upstream.seen(path))


def test_trap_05_credentials_never_go_to_another_host(upstream: Upstream, fetch: Fetcher):
    with Upstream() as other:
        target = other.serve("/blob", File(DATA))
        url = upstream.serve("/a", faults.redirect(target))
        for secret in (
            {"bearer": "let-me-in"},
            {"username": "user", "password": "let-me-in"},
            {
                "headers": (
                    ("Authorization", "Bearer let-me-in"),
                    ("Cookie", "id=let-me-in"),
                    ("X-Plain", "1"),
                )
            },
        ):
            fetch(url, overwrite=Overwrite.OVERWRITE, **secret)
        assert all("authorization" in seen.headers for seen in upstream.seen("/a"))
        assert other.seen("/blob")
        for seen in other.seen():
            assert "let-me-in" not in str(seen.headers)
            assert "authorization" not in seen.headers
            assert "cookie" not in seen.headers


def test_trap_05_credentials_in_the_url_do_not_travel_either(upstream: Upstream, fetch: Fetcher):
    with Upstream() as other:
        url = upstream.serve("/a", faults.redirect(other.serve("/blob", File(DATA))))
        fetch(url.replace("://", "://user:let-me-in@"))
        assert all("authorization" not in seen.headers for seen in other.seen())
        assert not [text for text in fetch.said if "let-me-in" in text]


def test_trap_05_a_redirect_in_a_circle_ends(upstream: Upstream, fetch: Fetcher):
    upstream.serve("/a", faults.redirect("/b"))
    upstream.serve("/b", faults.redirect("/a"))
    with pytest.raises(FerryError):
        fetch(upstream.url("/a"))
    assert len(upstream.seen()) < 40


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://h/", "https://", ""])
def test_trap_05_a_redirect_to_something_else_is_refused(upstream: Upstream, fetch: Fetcher, location: str):
    with pytest.raises(Invalid):
        fetch(upstream.serve("/a", faults.redirect(location)))
    assert left_behind(fetch.folder) == []


# -- 6: 416 ---------------------------------------------------------------------------------------------------------


def leave(fetch: Fetcher, url: str, data: bytes, *, total: int | None, done: int, etag: str) -> None:
    """Leave behind what a killed run would have: a partial file and its journal."""
    (fetch.folder / "file.part").write_bytes(data)
    host = re.sub(r"(://[^/]+).*", r"\1", url)
    journal = Journal(fetch.folder / "file.ferry", "earlier")
    spans = ((0, done),)
    journal.save(Record((url,), total, {host: etag}, {}, spans, spans, boot_id(), "earlier"))
    journal.close()


def test_trap_06_416_means_complete_when_the_length_says_so(upstream: Upstream, fetch: Fetcher):
    file = File(DATA)
    url = upstream.serve("/a", file)
    leave(fetch, url, DATA, total=None, done=len(DATA), etag=file.etag)
    result = fetch(url)
    assert result.path.read_bytes() == DATA
    assert result.network < MiB or result.resumed == 0


@pytest.mark.parametrize("total", [None, 6 * MiB + 321], ids=["length-unknown", "length-known"])
def test_trap_06_416_means_stale_when_the_file_became_shorter(
    upstream: Upstream, fetch: Fetcher, total: int | None
):
    file = File(NEWER[: 2 * MiB], etag='"newer"')
    url = upstream.serve("/a", file)
    leave(fetch, url, DATA, total=total, done=4 * MiB, etag='"older"')
    assert fetch(url).path.read_bytes() == file.data


def test_trap_06_416_for_an_empty_file(upstream: Upstream, fetch: Fetcher):
    result = fetch(upstream.serve("/a", File(b"")))
    assert result.path.read_bytes() == b""
    assert left_behind(fetch.folder) == ["file"]


# -- 7: size is not completeness ------------------------------------------------------------------------------------


def test_trap_07_a_partial_file_of_full_size_is_not_complete(upstream: Upstream, fetch: Fetcher):
    file = File(DATA)
    url = upstream.serve("/a", file)
    leave(
        fetch,
        url,
        DATA[: 2 * MiB] + bytes(len(DATA) - 2 * MiB),
        total=len(DATA),
        done=2 * MiB,
        etag=file.etag,
    )
    result = fetch(url)
    assert result.path.read_bytes() == DATA
    assert result.resumed == 2 * MiB


def test_trap_07_without_a_journal_nothing_of_a_partial_file_is_believed(upstream: Upstream, fetch: Fetcher):
    (fetch.folder / "file.part").write_bytes(bytes(len(DATA)))
    result = fetch(upstream.serve("/a", File(DATA)))
    assert result.path.read_bytes() == DATA
    assert result.resumed == 0


def test_trap_07_a_torn_journal_is_no_journal(upstream: Upstream, fetch: Fetcher):
    file = File(DATA)
    url = upstream.serve("/a", file)
    leave(fetch, url, bytes(len(DATA)), total=len(DATA), done=len(DATA), etag=file.etag)
    journal = fetch.folder / "file.ferry"
    journal.write_bytes(journal.read_bytes().replace(b'"total":', b'"tital":'))
    assert fetch(url).path.read_bytes() == DATA


def test_trap_07_a_journal_that_claims_more_than_the_file_has(upstream: Upstream, fetch: Fetcher):
    file = File(DATA)
    url = upstream.serve("/a", file)
    leave(fetch, url, DATA[:MiB], total=len(DATA), done=4 * MiB, etag=file.etag)
    result = fetch(url)
    assert result.path.read_bytes() == DATA
    assert result.resumed <= MiB


# -- 8: durable means flushed in the right order --------------------------------------------------------------------


def test_trap_08_data_is_flushed_before_the_name_and_the_folder_after(
    upstream: Upstream, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
):
    happened: list[str] = []

    def noted(name: str, real):
        def call(*arguments, **named):
            about = arguments[0]
            path = os.readlink(f"/proc/self/fd/{about}") if isinstance(about, int) else str(about)
            result = real(*arguments, **named)
            if str(fetch.folder) in path:
                happened.append(f"{name} {Path(path).name}")
            return result

        return call

    for name in ("fsync", "fdatasync", "link", "rename", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    fetch(upstream.serve("/a", File(DATA)))
    named = next(
        index for index, entry in enumerate(happened) if re.match(r"(link|rename|replace) file\.part", entry)
    )
    assert {"fdatasync file.part", "fsync file.part"} & set(happened[:named])
    assert f"fsync {fetch.folder.name}" in happened[named:]


def test_trap_08_the_journal_calls_safe_only_what_was_flushed_before(
    upstream: Upstream, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
):
    flushed: list[int] = []
    real, save = os.fdatasync, Journal.save

    def fdatasync(fd: int) -> None:
        size = os.fstat(fd).st_blocks * 512
        real(fd)
        flushed.append(size)

    claims: list[tuple[int, int]] = []

    def noted(journal: Journal, record: Record) -> None:
        claims.append((sum(end - start for start, end in record.safe), max(flushed, default=0)))
        save(journal, record)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    monkeypatch.setattr(Journal, "save", noted)
    fetch.part_of(3 * MiB, upstream.serve("/a", File(DATA, rate=2 * MiB)))
    assert claims
    assert all(safe <= synced for safe, synced in claims)


# -- 9: 429 and 503 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_trap_09_a_refusal_is_waited_for_in_both_forms(
    upstream: Upstream, fetch: Fetcher, code: int, form: str
):
    # A date has whole seconds: two from now are between one and two of waiting.
    headers = {
        "seconds": {"Retry-After": "1"},
        "date": {"Retry-After": formatdate(time.time() + 2.5, usegmt=True)},
        "none": {},
    }[form]
    url = upstream.serve("/a", faults.first(1, faults.status(code, headers), File(DATA)))
    assert fetch(url).path.read_bytes() == DATA
    first, second = upstream.seen("/a")[:2]
    if form != "none":
        assert second.at - first.at > 0.9


@pytest.mark.parametrize("code", [429, 503])
def test_trap_09_a_refusal_means_fewer_connections(upstream: Upstream, fetch: Fetcher, code: int):
    url = upstream.serve("/a", faults.crowded(File(DATA, rate=2 * MiB), 2, code, "1"))
    transfer = fetch.start(url, connections=8)
    assert transfer.wait(40).path.read_bytes() == DATA
    refused = len(upstream.seen("/a")) - peak_of_good(upstream)
    assert refused < 24


def peak_of_good(upstream: Upstream) -> int:
    return min(2, upstream.peak("/a"))


def test_trap_09_the_limit_of_a_host_is_shared_by_all_transfers(upstream: Upstream, fetch: Fetcher):
    gate = faults.crowded(File(DATA, rate=6 * MiB), 2, 429, "1")
    url = upstream.serve("/a", gate)
    transfers = [fetch.start(url, name=f"file{number}", connections=4) for number in range(3)]
    for transfer in transfers:
        assert transfer.wait(40).path.read_bytes() == DATA
    assert len(upstream.seen("/a")) < 60


# -- 10: file names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename=\"a.txt\"; filename*=UTF-8''b%20%C3%BC.txt", "b ü.txt"),
        ('attachment; filename="../../../../tmp/evil.txt"', "evil.txt"),
        ("attachment; filename*=UTF-8''..%2F..%2Fevil.txt", "evil.txt"),
        ("attachment; filename*=UTF-8''a%00%0Ab.txt", "b.txt"),
        ('attachment; filename="CON"', "_CON"),
        ('attachment; filename=".."', "a.bin"),
        ('attachment; filename="other.ferry"', "other.ferry_"),
        ('attachment; filename="' + "x" * 400 + '.iso"', "x" * 236 + ".iso"),
    ],
)
def test_trap_10_names_from_answers_stay_in_the_folder(
    upstream: Upstream, fetch: Fetcher, disposition: str, name: str
):
    url = upstream.serve("/dir/a.bin", File(DATA, headers={"Content-Disposition": disposition}))
    result = fetch(url, target=fetch.folder, folder=True, name=name_from)
    assert result.path == fetch.folder / name
    assert left_behind(fetch.folder) == [name]


# -- 11: locks that lie ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locks", ["work", "lie"])
@pytest.mark.parametrize("size", [2 * MiB, 6 * MiB], ids=["no-journal-yet", "journal"])
def test_trap_11_two_writers_of_one_target_do_not_mix(
    upstream: Upstream, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch, locks: str, size: int
):
    if locks == "lie":
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    urls = [
        upstream.serve(f"/{index}", File(data[:size], rate=4 * MiB))
        for index, data in enumerate((DATA, NEWER))
    ]
    first = fetch.start(urls[0], connections=1, overwrite=Overwrite.OVERWRITE)
    wait_for(lambda: first.snapshot().disk > size * 3 // 4)
    with Engine(Limits(backoff=0.05)) as other:
        second = Fetcher(other, fetch.folder).start(urls[1], connections=1, overwrite=Overwrite.OVERWRITE)
        ends = []
        for transfer in (first, second):
            try:
                ends.append(transfer.wait(40).path.name)
            except Conflict as error:
                ends.append(error.code)
    # Whoever got it, got it whole; the other heard of it.
    assert sorted(ends) == ["file", "target_busy"]
    assert (fetch.folder / "file").read_bytes() == (DATA, NEWER)[ends.index("file")][:size]


# -- 12: HEAD -------------------------------------------------------------------------------------------------------


def test_trap_12_the_first_ranged_get_answers_and_its_body_is_used(upstream: Upstream, fetch: Fetcher):
    result = fetch(upstream.serve("/a", faults.no_head(File(DATA))), connections=1)
    assert result.path.read_bytes() == DATA
    assert [seen.method for seen in upstream.seen()] == ["GET"]
    assert result.network == len(DATA)


def test_trap_12_several_connections_ask_with_get_only_too(upstream: Upstream, fetch: Fetcher):
    result = fetch(upstream.serve("/a", faults.no_head(File(DATA, rate=2 * MiB))), connections=4)
    assert result.path.read_bytes() == DATA
    assert {seen.method for seen in upstream.seen()} == {"GET"}
    assert upstream.peak("/a") > 1
    assert result.network < len(DATA) + MiB


# -- and what goes with them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"), [(401, Denied), (403, Denied), (404, NotFound), (410, NotFound), (400, Invalid)]
)
def test_refusals_that_stay(upstream: Upstream, fetch: Fetcher, code: int, kind: type[FerryError]):
    with pytest.raises(kind) as refused:
        fetch(upstream.serve("/a", faults.status(code)))
    assert str(code) in refused.value.message
    assert len(upstream.seen()) == 1
    assert left_behind(fetch.folder) == []


def test_a_wrong_checksum_keeps_the_data_aside(upstream: Upstream, fetch: Fetcher):
    expected = Digest("sha256", "0" * 64)
    with pytest.raises(Corrupt) as wrong:
        fetch(upstream.serve("/a", File(DATA)), checksum=expected)
    assert wrong.value.code == "checksum_mismatch"
    assert str(expected) in wrong.value.message
    assert File(DATA).sha256 in wrong.value.message
    assert ".corrupt" in wrong.value.advice
    assert left_behind(fetch.folder) == ["file.corrupt"]
    assert (fetch.folder / "file.corrupt").read_bytes() == DATA


def test_a_stalled_connection_is_replaced(upstream: Upstream, fetch: Fetcher):
    file = File(DATA)
    url = upstream.serve("/a", faults.first(1, faults.stalling(file, MiB), file))
    assert fetch(url, stall_timeout=1.0).path.read_bytes() == DATA
    assert len(upstream.seen()) >= 2


def test_a_host_that_always_breaks_off_is_given_up(upstream: Upstream, fetch: Fetcher):
    with pytest.raises(Unavailable):
        fetch(upstream.serve("/a", faults.broken_off(File(DATA), 0)))
    assert not (fetch.folder / "file").exists()
