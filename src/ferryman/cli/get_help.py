"""`ferry get` in the command tree: for the help and the reference, from the one list of its options."""

import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ferryman.cli.get_words import EXAMPLES, HELP, OPTIONS, SOURCES_HELP


def add_get(app: typer.Typer) -> None:
    """Add the command to the tree."""
    examples = "\n\n".join(("Examples:", *EXAMPLES))
    app.command("get", help=HELP, epilog=examples)(_command())


def _command() -> Callable[..., None]:
    def command(**_: Any) -> None:
        from ferryman.cli.get import get  # noqa: PLC0415 - loads the engine

        raise typer.Exit(get(sys.argv[2:]))

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("sources", kind, default=None, annotation=_SOURCES)]
    for option in OPTIONS:
        values: Any = bool
        if option.metavar:
            values = list[str] if option.many else str | None
        told = typer.Option(*option.flags, help=option.help, metavar=option.metavar or None)
        default = None if option.metavar else False
        parameters.append(
            inspect.Parameter(option.name, kind, default=default, annotation=Annotated[values, told])
        )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    command.__annotations__ = {item.name: item.annotation for item in parameters}
    return command


_SOURCES = Annotated[list[str] | None, typer.Argument(metavar="SOURCE…", help=SOURCES_HELP)]
