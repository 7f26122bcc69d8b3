"""`ferry bundle create|load --detach`: the daemon of this machine does it as a job. Loads little."""

from pathlib import Path
from typing import Any

from ferryman.cli.output import line, note, print_json


def detached(action: str, paths: dict[str, Any], *, json: bool, **order: object) -> None:
    """Order a bundle and print the id of the job. `paths` are a path or a list of them by field. Raises the daemon's error."""
    from ferryman.cli.client import connect  # noqa: PLC0415 - loads an HTTP library

    files = {field: _whole(given) for field, given in paths.items() if given}
    job = connect().post("/api/v1/bundles", {"action": action, "paths": files, **order})
    if json:
        print_json(job)
        return
    line(f"{job['id']}  {job['state']}  {job['title']}")
    note(f"Wait for its end: ferry jobs wait {job['id']}")


def _whole(given: Path | list[Path]) -> str | list[str]:
    """Return paths as the daemon needs them, which has another working directory."""
    if isinstance(given, list):
        return [str(one.absolute()) for one in given]
    return str(given.absolute())
