from ferryman.jobs.model import Desired, Event, Job, Progress, Reason, State
from ferryman.jobs.report import report, report_text, worked

JOB = Job(
    id="019aba3e-6c3f-7cc4-9d3e-0f2c5f6b7a81", kind="toy", title="debian.iso", spec={"password": "hidden"},
    state=State.FAILED, desired=Desired.RUN, priority=5, position=1.0, created_at=1000.0, updated_at=1020.0,
    attempt=2, started_at=1010.0, finished_at=1020.0, reason=Reason.NETWORK, error="The link was cut.",
    error_code="connection_lost", advice="Try again later.",
    progress=Progress(total=4096, network=2048, disk=2048, verified=1024),
)  # fmt: skip
EVENTS = [
    Event(1, JOB.id, 1011.0, "phase", {"phase": "downloading"}),
    Event(2, JOB.id, 1015.0, "state", {"from": "running", "to": "waiting", "error": "The first cut."}),
    Event(3, JOB.id, 1020.0, "state", {"from": "running", "to": "failed", "error": "The link was cut."}),
]


def test_the_document_has_when_bytes_speed_errors_and_advice():
    document = report(JOB, EVENTS)
    assert document["seconds"] == 10
    assert document["bytes"] == 2048
    assert document["speed"] == 204.8
    assert document["reason"] == "network"
    assert document["advice"] == "Try again later."
    assert [item["error"] for item in document["errors"]] == ["The first cut.", "The link was cut."]
    assert document["phases"][0]["phase"] == "downloading"


def test_the_text_tells_it_to_people_and_nothing_secret():
    text = report_text(JOB, EVENTS)
    for part in (
        "debian.iso",
        "failed",
        "2.0 KiB of 4.0 KiB",
        "205 B/s",
        "The link was cut.",
        "Try again later.",
    ):
        assert part in text
    assert text.count("The first cut.") == 1
    assert "hidden" not in text


def test_only_the_time_of_work_counts():
    lines = [("queued", "running", 1010), ("running", "paused", 1012), ("paused", "queued", 1900),
             ("queued", "running", 1901), ("running", "failed", 1904)]  # fmt: skip
    events = [Event(n, JOB.id, at, "state", {"from": a, "to": b}) for n, (a, b, at) in enumerate(lines)]
    assert worked(JOB, events) == 5
    assert worked(JOB, events[:1]) == 10
