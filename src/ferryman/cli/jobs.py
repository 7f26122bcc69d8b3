"""`ferry jobs`: look at jobs of every kind and act on them."""

import sys
import time
from typing import Annotated, Any

import typer

from ferryman.cli.client import Client, connect
from ferryman.cli.describe import JOB_COLUMNS, job_pairs, job_row
from ferryman.cli.jobs_act import ENDED, add_acts, full_id
from ferryman.cli.jobs_choice import State
from ferryman.cli.output import line, note, pairs, print_json, table
from ferryman.cli.problems import FAILED
from ferryman.core.errors import Invalid

_Id = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the job; its end is enough when only one has it.")
]
_Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of jobs; the end of an id is enough.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_LOOK = 0.5


def jobs_app() -> typer.Typer:
    """Return the commands of `ferry jobs`."""
    app = typer.Typer(help="Jobs of every kind: look, pause, resume, cancel, retry.", no_args_is_help=True)
    app.command("list", epilog="Examples:\n\nferry jobs list\n\nferry jobs list --state failed --json")(
        list_jobs
    )
    app.command("show", epilog="Example:\n\nferry jobs show 5f6b7a81")(show_job)
    app.command("logs", epilog="Examples:\n\nferry jobs logs 5f6b7a81\n\nferry jobs logs 5f6b7a81 -f")(
        show_log
    )
    app.command("report", epilog="Example:\n\nferry jobs report 5f6b7a81 --json")(show_report)
    app.command("wait", epilog="Example:\n\nferry jobs wait 5f6b7a81 --timeout 600")(wait_for)
    app.command(
        "limits",
        epilog="Examples:\n\nferry jobs limits\n\nferry jobs limits download 4\n\nferry jobs limits '*' 32",
    )(limits)
    add_acts(app)
    return app


def list_jobs(
    state: Annotated[
        list[State] | None, typer.Option(help="Only jobs in this state; repeat for several.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only jobs of this kind, such as download.")] = None,
    search: Annotated[
        str,
        typer.Option(
            "--search", "-s", metavar="WORDS", help="Only jobs whose title, source or error has these."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most jobs to print.")] = 50,
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on after this page.")] = "",
    json: _Json = False,
) -> None:
    """List jobs, the newest first."""
    query = {
        "state": tuple(str(one) for one in state or ()),
        "kind": tuple(kind or ()),
        "q": search,
        "limit": limit,
        "cursor": cursor,
    }
    print_jobs(connect().get("/api/v1/jobs", query), json=json)


def print_jobs(page: dict[str, Any], *, json: bool) -> None:
    """Print a page of jobs."""
    if json:
        print_json(page)
        return
    if not page["items"]:
        note("There are no jobs here. Make one: ferry get URL --detach")
        return
    table([job_row(job) for job in page["items"]], JOB_COLUMNS, right=("done", "speed"))
    if page.get("next_cursor"):
        note(f"There are more: --cursor {page['next_cursor']}")


def show_job(job: _Id, json: _Json = False) -> None:
    """Show one job: state, progress, result, what went wrong and what to do."""
    client = connect()
    found = client.get(f"/api/v1/jobs/{full_id(client, job)}")
    if json:
        print_json(found)
    else:
        pairs(job_pairs(found))


def show_log(
    job: _Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
) -> None:
    """Print the log of a job."""
    client = connect()
    job_id, offset = full_id(client, job), 0
    while True:
        ended = not follow or client.get(f"/api/v1/jobs/{job_id}")["state"] in ENDED
        offset = _print_log(client, job_id, offset)
        if ended:
            return
        time.sleep(_LOOK)


def _print_log(client: Client, job_id: str, offset: int) -> int:
    while True:
        piece = client.get(f"/api/v1/jobs/{job_id}/log", {"offset": offset, "limit": 262_144})
        if not piece["text"]:
            return offset
        for text in piece["text"].splitlines():
            line(text)
        sys.stdout.flush()
        offset = piece["next_offset"]


def show_report(job: _Id, json: _Json = False) -> None:
    """Print the report of a job: what it did, when, how fast, what went wrong."""
    client = connect()
    path = f"/api/v1/jobs/{full_id(client, job)}/report"
    if json:
        print_json(client.get(path))
        return
    for text in client.text(path, {"format": "text"}).splitlines():
        line(text)


def wait_for(
    jobs: _Ids,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Give up after this time; exit code 1 then.")
    ] = None,
    json: _Json = False,
) -> None:
    """Wait until jobs have ended; exit code 0 when all succeeded, 1 otherwise."""
    client = connect()
    ids = [full_id(client, job) for job in jobs]
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        found = [client.get(f"/api/v1/jobs/{job_id}") for job_id in ids]
        late = deadline is not None and time.monotonic() > deadline
        if late or all(job["state"] in ENDED for job in found):
            break
        time.sleep(_LOOK)
    print_jobs({"items": found}, json=json)
    if any(job["state"] != "succeeded" for job in found):
        raise typer.Exit(FAILED)


def limits(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="Kind to change, such as download; * is all together."),
    ] = None,
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", min=1, max=256, help="Most jobs of it at once.")
    ] = None,
    json: _Json = False,
) -> None:
    """Show how many jobs run at once, or change it while they run."""
    client = connect()
    if kind is None:
        answer = client.get("/api/v1/jobs/limits")
    elif number is None:
        raise Invalid(
            "usage", f"How many jobs of kind '{kind}' may run at once?", advice="Add a number, 1 to 256."
        )
    else:
        answer = client.put("/api/v1/jobs/limits", {"kind": kind, "limit": number})
    if json:
        print_json(answer)
    elif answer["limits"]:
        pairs((name, number) for name, number in answer["limits"].items())
    else:
        note("No limit was changed: the settings hold (see 'ferry settings').")
