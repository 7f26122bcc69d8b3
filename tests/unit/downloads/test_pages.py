import pytest

from ferryman.downloads.pages import Asked, source_of
from ferryman.jobs.model import Desired, Job, State


def job(*urls: str) -> Job:
    return Job(
        id="0190a1b2-0000-7000-8000-000000000000",
        kind="download",
        title="file",
        spec={"urls": list(urls)},
        state=State.QUEUED,
        desired=Desired.RUN,
        priority=5,
        position=1.0,
        created_at=0.0,
        updated_at=0.0,
    )


@pytest.mark.parametrize(
    ("urls", "host"),
    [
        (["https://user:word@example.com:8443/file?key=1"], "example.com:8443"),
        (["http://first.example/", "http://second.example/"], "first.example"),
        (["http://[broken"], ""),
        ([], ""),
    ],
)
def test_the_source_is_a_host_and_nothing_secret(urls: list[str], host: str) -> None:
    assert source_of(job(*urls)) == host


def test_a_tab_lists_its_own_states_only() -> None:
    assert Asked(tab="queue", state=[State.FAILED]).states == (State.QUEUED, State.WAITING)
    assert Asked(tab="history", state=[State.FAILED]).states == (State.FAILED,)


def test_the_address_of_a_tab_asks_for_the_same_again() -> None:
    assert (
        Asked(tab="history", q="a b").address("/downloads", "x1") == "/downloads?tab=history&q=a+b&cursor=x1"
    )
