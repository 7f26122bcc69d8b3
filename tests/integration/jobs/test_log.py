import pytest

from ferryman.jobs.log import JobLog, read_log


class StoppedClock:
    def now(self):
        return 1_764_000_000.0

    def monotonic(self):
        return 0.0


@pytest.fixture
def told():
    return []


@pytest.fixture
def log(tmp_path, told):
    return JobLog(tmp_path / "new" / "job.log", StoppedClock(), told.extend)


def test_each_entry_is_one_line_with_time_and_level(log, told):
    log.info("begins", attempt=1)
    log.warning("two\nlines\r")
    log.error("bad \udcff name")
    lines = log.path.read_text().splitlines()
    assert lines[0] == "2025-11-24T16:00:00.000Z INFO begins attempt=1"
    assert lines[1].endswith("WARNING two\\nlines\\r")
    assert lines[2].endswith("ERROR bad \\udcff name")
    assert len(told) == 3


def test_secrets_are_masked_for_readers_and_watchers(log, told):
    log.info("fetching https://me:hunter2@example.com/x?token=abcdef123456")
    assert "hunter2" not in log.path.read_text() + told[0]
    assert "abcdef123456" not in log.path.read_text() + told[0]


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path, told):
    (tmp_path / "file").write_text("")
    JobLog(tmp_path / "file" / "job.log", StoppedClock(), told.extend).info("still told")
    assert "still told" in told[0]


def test_reading_goes_on_where_it_ended_by_whole_lines(log):
    for number in range(50):
        log.info(f"line {number} ü")
    offset, text = 0, ""
    while True:
        part, following = read_log(log.path, offset, 100)
        if following == offset:
            break
        assert part.endswith("\n")
        offset, text = following, text + part
    assert text == log.path.read_text()


def test_a_line_longer_than_asked_for_comes_in_whole_characters(tmp_path):
    path = tmp_path / "job.log"
    path.write_text("ü" * 100 + "日" * 100)
    offset, text = 0, ""
    while True:
        part, following = read_log(path, offset, 7)
        if following == offset:
            break
        offset, text = following, text + part
    assert text == path.read_text()


@pytest.mark.parametrize("offset", [-5, 10**9])
def test_an_odd_offset_reads_nothing_wrong(log, offset):
    log.info("x")
    text, following = read_log(log.path, offset, 1000)
    assert (text, following) == (
        ("", offset) if offset > 0 else (log.path.read_text(), len(log.path.read_bytes()))
    )
    assert read_log(log.path.with_name("none"), 0, 10) == ("", 0)
