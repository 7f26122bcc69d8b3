from dataclasses import replace

import pytest

from ferryman.console.describe import configuration_of, facts_of, plain_address, seen_phases, steps_of
from ferryman.jobs.model import Desired, Event, Job, Progress, State

PHASES = ("connecting", "downloading", "verifying")
JOB = Job(
    id="0190a1b2-0000-7000-8000-000000000000",
    kind="download",
    title="file.iso",
    spec={"urls": ["https://user:word@example.com:8443/a/file.iso?key=1#x"], "headers": [["Cookie", "a=b"]]},
    state=State.RUNNING,
    desired=Desired.RUN,
    priority=5,
    position=1.0,
    created_at=0.0,
    updated_at=0.0,
)


def statuses(job: Job, seen: tuple[str, ...] = ()) -> dict[str, str]:
    return {step.name: step.status for step in steps_of(job, PHASES, seen)}


def test_a_job_that_has_not_begun_is_at_its_first_step() -> None:
    found = statuses(replace(JOB, state=State.QUEUED))
    assert found == {"queued": "now", "connecting": "", "downloading": "", "verifying": "", "done": ""}


def test_steps_before_the_phase_are_done_and_those_after_are_ahead() -> None:
    found = statuses(replace(JOB, phase="downloading"))
    assert found == {
        "queued": "done",
        "connecting": "done",
        "downloading": "now",
        "verifying": "",
        "done": "",
    }


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_job_that_ended_badly_is_broken_where_it_was(state: State) -> None:
    found = statuses(replace(JOB, state=state, phase="verifying"))
    assert found["verifying"] == "broken"
    assert found["done"] == ""


def test_a_job_that_ended_well_has_done_every_step() -> None:
    assert set(statuses(replace(JOB, state=State.SUCCEEDED, phase="verifying")).values()) == {"done"}


def test_an_unknown_kind_shows_the_phases_it_went_through() -> None:
    steps = steps_of(replace(JOB, phase="second"), (), ["first", "second"])
    assert [(step.label, step.status) for step in steps] == [
        ("Queued", "done"),
        ("First", "done"),
        ("Second", "now"),
        ("Done", ""),
    ]


def test_phases_are_read_from_events_once_each() -> None:
    events = [Event(number, JOB.id, 0.0, "phase", {"phase": name}) for number, name in enumerate("aba")]
    assert seen_phases([*events, Event(9, JOB.id, 0.0, "state", {"phase": "c"})]) == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:word@example.com:8443/a?key=1#x", "https://example.com:8443/a"),
        ("ftp://[2001:db8::1]/file", "ftp://[2001:db8::1]/file"),
        ("http://[broken", ""),
        ("http://host:99999/", ""),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert plain_address(url) == shown


def test_facts_tell_how_it_went_the_long_ones_last() -> None:
    job = replace(
        JOB,
        started_at=10.0,
        finished_at=20.0,
        progress=Progress(network=10 << 20),
        result={"size": 10 << 20, "digests": ["sha256:" + "0" * 64], "seconds": 8.0, "renamed": False},
    )
    facts = facts_of(job)
    assert dict(facts)["Took"] == "10 s"
    assert dict(facts)["Average speed"] == "1.0 MiB/s"
    assert dict(facts)["Size"] == "10.0 MiB"
    assert "Renamed" not in dict(facts)
    assert facts[-1][0] == "Digests"


def test_the_configuration_hides_secrets() -> None:
    assert "a=b" not in configuration_of(JOB)
