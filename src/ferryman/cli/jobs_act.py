"""`ferry jobs pause|resume|cancel|…`: act on named jobs, or on all that a filter finds."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from ferryman.cli.client import Client, connect
from ferryman.cli.jobs_choice import (
    AllOption,
    CategoryOption,
    Choice,
    IdsArgument,
    JsonOption,
    KindOption,
    SearchOption,
    State,
    StateOption,
)
from ferryman.cli.moments import moment_of
from ferryman.cli.output import line, note, print_json
from ferryman.cli.problems import FAILED
from ferryman.core.errors import Invalid

ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
_ACTIVE: Final = (State.QUEUED, State.RUNNING, State.WAITING)
_PAUSE: Final = "Pause jobs; what they did so far is kept."
_RESUME: Final = "Let paused jobs go on from where they were, and waiting ones at once."
_CANCEL: Final = "End jobs for good; what has arrived of unfinished files is removed."
_RETRY: Final = "Run failed or cancelled jobs again, from where they were; with --all the failed ones."
_ONE: Final = typer.Argument(metavar="ID", help="Id of the job; its end is enough when only one has it.")


def add_acts(app: typer.Typer) -> None:
    """Add the commands to `ferry jobs`."""
    for name, command, examples in (
        (
            "pause",
            _acting("pause", _ACTIVE, _PAUSE),
            ("pause 5f6b7a81", "pause --all", "pause --kind download --search debian"),
        ),
        ("resume", _acting("resume", (State.PAUSED,), _RESUME), ("resume 5f6b7a81", "resume --all")),
        (
            "cancel",
            _acting("cancel", (*_ACTIVE, State.PAUSED), _CANCEL),
            ("cancel 5f6b7a81", "cancel --state queued --search debian"),
        ),
        ("retry", _acting("retry", (State.FAILED,), _RETRY), ("retry 5f6b7a81", "retry --all")),
        ("start", start, ("start 5f6b7a81",)),
        ("move", move, ("move 5f6b7a81 --top", "move 5f6b7a81 --before 6f00bdf2")),
        ("schedule", schedule, ("schedule 5f6b7a81 --at 22:30", "schedule 5f6b7a81 --window 22:00-06:00")),
        ("priority", set_priority, ("priority 5f6b7a81 0",)),
        ("category", set_category, ("category 5f6b7a81 music", "category 5f6b7a81 --none")),
        ("delete", delete, ("delete 5f6b7a81", "delete 5f6b7a81 --files", "delete --state failed")),
        ("restore", restore, ("restore 5f6b7a81-0000-7000-8000-000000000000",)),
    ):
        app.command(name, epilog="Examples:\n\n" + "\n\n".join(f"ferry jobs {one}" for one in examples))(
            command
        )
    app.command("remove", hidden=True, epilog="Example:\n\nferry jobs remove 5f6b7a81")(remove)


def _acting(action: str, states: Sequence[State], told: str) -> Callable[..., None]:
    """Make the command that does `action`; `states` are those in which a filter finds jobs when it names none."""

    def command(
        jobs: IdsArgument = None,
        everything: AllOption = False,
        state: StateOption = None,
        kind: KindOption = None,
        search: SearchOption = "",
        category: CategoryOption = None,
        json: JsonOption = False,
    ) -> None:
        _act(Choice(jobs, everything, state, kind, search, category), action, states, json=json)

    command.__doc__ = told
    return command


def start(
    jobs: IdsArgument = None,
    state: StateOption = None,
    kind: KindOption = None,
    search: SearchOption = "",
    category: CategoryOption = None,
    json: JsonOption = False,
) -> None:
    """Run jobs at once, beyond the limits of how many run and whatever the time of day."""
    choice = Choice(jobs, False, state, kind, search, category)
    _act(choice, "start", (State.QUEUED, State.WAITING, State.PAUSED), json=json, bulk="start_now")


def delete(
    jobs: IdsArgument = None,
    everything: AllOption = False,
    files: Annotated[
        bool, typer.Option("--files", help="Remove the files they fetched, too, a minute later.")
    ] = False,
    state: StateOption = None,
    kind: KindOption = None,
    search: SearchOption = "",
    category: CategoryOption = None,
    json: JsonOption = False,
) -> None:
    """Remove ended jobs with log and report; 'ferry jobs restore' brings them back for a minute."""
    choice = Choice(jobs, everything, state, kind, search, category)
    ended = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
    _many(connect(), choice, {"action": "delete", "files": files}, ended, json=json)


def remove(jobs: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of jobs.")]) -> None:
    """Remove ended jobs with log and report. Files they fetched stay."""
    client = connect()
    for job_id in [full_id(client, job) for job in jobs]:
        client.delete(f"/api/v1/jobs/{job_id}")
        note(f"Removed {job_id}.")


def restore(
    jobs: Annotated[list[str], typer.Argument(metavar="ID…", help="Whole ids of jobs that were deleted.")],
    json: JsonOption = False,
) -> None:
    """Bring deleted jobs back, as they were; possible for about a minute."""
    client = connect()
    answer = client.post("/api/v1/jobs/restore", {"ids": jobs})
    if not answer["done"]:
        _known(client, answer["refused"])
    _report(answer, json=json)


def set_priority(
    job: Annotated[str, _ONE],
    priority: Annotated[int, typer.Argument(metavar="PRIORITY", min=0, max=9, help="0 runs first, 9 last.")],
    json: JsonOption = False,
) -> None:
    """Move a job forward or back in the queue."""
    _post_one(job, "priority", {"priority": priority}, json=json)


def set_category(
    job: Annotated[str, _ONE],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The category.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Take it out of its category.")] = False,
    json: JsonOption = False,
) -> None:
    """File a job under a category."""
    if (name is None) != none:
        raise Invalid("usage", "Which category was not said.", advice="Give its name, or --none.")
    _post_one(job, "category", {"category": name}, json=json)


def move(
    job: Annotated[str, _ONE],
    top: Annotated[bool, typer.Option("--top", help="Before all others.")] = False,
    bottom: Annotated[bool, typer.Option("--bottom", help="After all others.")] = False,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Right before this queued job.")] = None,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Right after this queued job.")] = None,
    json: JsonOption = False,
) -> None:
    """Give a queued job another place in the order; it takes the priority there."""
    if sum((top, bottom, before is not None, after is not None)) != 1:
        raise Invalid(
            "usage",
            "Where to was not said, or twice.",
            advice="Give one of --top, --bottom, --before, --after.",
        )
    client = connect()
    place: dict[str, Any] = {"top": True} if top else {"bottom": True}
    if before or after:
        place = {"before" if before else "after": full_id(client, before or after or "")}
    _post_one(job, "move", place, json=json, client=client)


def schedule(
    job: Annotated[str, _ONE],
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Not before: 22:30, 2026-12-24T18:00, or 2h from now."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="FROM-TO", help="Only in this time of day of the daemon, such as 22:00-06:00."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="At any time.")] = False,
    json: JsonOption = False,
) -> None:
    """Say when a job that does not run may begin."""
    if (at is None and window is None) != clear:
        raise Invalid("usage", "When was not said.", advice="Give --at, --window, or --clear.")
    when = moment_of(at, datetime.now().astimezone()) if at else None
    body = {"not_before": when.isoformat() if when else None, "window": window}
    _post_one(job, "schedule", body, json=json)


def full_id(client: Client, text: str) -> str:
    """Return the id that ends with `text`; what could be a whole id, or fits none, is returned as it is.

    Raises `Invalid` (`job_ambiguous`).
    """
    if len(text) >= 32 or len(text) < 4:
        return text
    page = client.get("/api/v1/jobs", {"limit": 200})
    fitting = [job["id"] for job in page["items"] if job["id"].endswith(text.lower())]
    if len(fitting) > 1:
        raise Invalid(
            "job_ambiguous", f"'{text}' is the end of {len(fitting)} ids.", advice="Type more of the id."
        )
    return str(fitting[0]) if fitting else text


def _act(choice: Choice, action: str, states: Sequence[State], *, json: bool, bulk: str = "") -> None:
    """Do one thing to each named job, or to all that fit."""
    client = connect()
    if not choice.ids:
        _many(client, choice, {"action": bulk or action}, states, json=json)
        return
    choice.check()
    answers = []
    for job_id in [full_id(client, job) for job in choice.ids]:
        answers.append(client.post(f"/api/v1/jobs/{job_id}/{action}"))
        if not json:
            _print_one(answers[-1])
    if json:
        print_json(answers[0] if len(answers) == 1 else {"items": answers})


def _many(
    client: Client, choice: Choice, body: dict[str, Any], states: Sequence[State], *, json: bool
) -> None:
    choice.check()
    if choice.ids:
        body = body | {"ids": _known(client, [full_id(client, job) for job in choice.ids])}
    else:
        body = body | {"filter": choice.filter(states)}
    _report(client.post("/api/v1/jobs/bulk", body), json=json)


def _known(client: Client, ids: Iterable[str]) -> list[str]:
    """Return `ids`. Raises `NotFound` (`job_not_found`) when one of them is that of no job, before anything is done."""
    known = list(ids)
    for job_id in known:
        client.get(f"/api/v1/jobs/{job_id}")
    return known


def _report(answer: dict[str, Any], *, json: bool) -> None:
    """Say what was done and what was not; exit code 1 when something was refused."""
    if json:
        print_json(answer)
    else:
        for job_id in answer["done"]:
            line(job_id)
        note(
            f"{len(answer['done'])} done"
            + (f", {len(answer['refused'])} refused:" if answer["refused"] else ".")
        )
        for job_id, why in answer["refused"].items():
            note(f"{job_id}  {why}")
    if answer["refused"]:
        raise typer.Exit(FAILED)


def _post_one(
    job: str, action: str, body: dict[str, Any], *, json: bool, client: Client | None = None
) -> None:
    client = client or connect()
    answer = client.post(f"/api/v1/jobs/{full_id(client, job)}/{action}", body)
    if json:
        print_json(answer)
    else:
        _print_one(answer)


def _print_one(job: dict[str, Any]) -> None:
    wish = "" if job["desired"] == "run" or job["state"] in ENDED else f", {job['desired']} asked for"
    line(f"{job['id']}  {job['state']}{wish}  {job['title']}")
