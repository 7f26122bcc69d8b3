"""The commands about images in the command tree: for the help and the reference, from the one list of their options."""

import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ferryman.cli.copy_words import COMMANDS, Command


def add_images_commands(app: typer.Typer) -> None:
    """Add `copy`, `push`, `inspect` and `tags` to the tree."""
    for command in COMMANDS:
        examples = "\n\n".join(("Examples:", *command.examples))
        app.command(command.name, help=command.help, epilog=examples)(_called(command))


def _called(command: Command) -> Callable[..., None]:
    def call(**_: Any) -> None:
        from ferryman.cli.copy import run_command  # noqa: PLC0415 - loads what moves bytes

        raise typer.Exit(run_command(command.name, sys.argv[2:]))

    kind = inspect.Parameter.KEYWORD_ONLY
    argument = typer.Argument(metavar=command.argument, help=command.argument_help)
    words = Annotated[list[str] | None, argument]
    parameters = [inspect.Parameter("words", kind, default=None, annotation=words)]
    for option in command.options:
        values: Any = bool
        if option.metavar:
            values = list[str] if option.many else str | None
        told = typer.Option(*option.flags, help=option.help, metavar=option.metavar or None)
        default = None if option.metavar else False
        name = option.name.replace("-", "_")
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=Annotated[values, told]))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    call.__annotations__ = {item.name: item.annotation for item in parameters}
    return call
