from dataclasses import asdict

from ferryman.accounts.model import Role
from ferryman.jobs.model import Desired, Job, Progress, State
from ferryman.web.job import JobView, hidden, job_detail, job_view, owner_filter, view_fields

from .conftest import principal


def job(**changes) -> Job:
    values = {
        "id": "a", "kind": "download", "title": "file", "spec": {}, "state": State.RUNNING, "desired": Desired.RUN,
        "priority": 5, "position": 1.0, "created_at": 0.0, "updated_at": 1.5, "progress": Progress(disk=3),
    }  # fmt: skip
    return Job(**{**values, **changes})


def test_times_are_rfc_3339():
    shown = job_view(job()).model_dump(mode="json")
    assert (shown["created_at"], shown["updated_at"]) == (
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:01.500Z",
    )
    assert shown["finished_at"] is None
    assert shown["progress"]["disk"] == 3


def test_a_job_and_its_plain_values_look_the_same():
    assert JobView(**view_fields(asdict(job()))) == job_view(job())


def test_secrets_are_hidden_wherever_they_are():
    spec = {
        "url": "http://ann:hunter2@host/x",
        "options": {"password": "hunter2", "headers": [["X", "hunter2"]], "proxy": None},
    }
    made = job(spec=spec, title="http://ann:hunter2@host/x", error="GET http://ann:hunter2@host/x failed")
    assert "hunter2" not in job_detail(made).model_dump_json()


def test_what_is_not_set_is_not_made_to_look_secret():
    assert hidden({"password": None, "headers": [], "n": 3}) == {"password": None, "headers": [], "n": 3}


def test_lists_are_narrowed_to_what_is_in_reach():
    assert owner_filter(principal(Role.MEMBER)) == "u1"
    assert owner_filter(principal(Role.OPERATOR)) is None
