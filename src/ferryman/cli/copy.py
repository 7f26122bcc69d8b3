"""`ferry copy`, `push`, `inspect`, `tags`, and `ferry get docker://…`: without a daemon, or through it. Imports late."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from ferryman.cli.copy_words import COPY, GET, INSPECT, MODEL, PUSH, SCHEMES, TAGS, Command
from ferryman.cli.get_words import Words, read_words
from ferryman.cli.output import line, note, print_json
from ferryman.cli.problems import FAILED, INTERRUPTED, exit_code, say
from ferryman.core.errors import FerryError, Invalid
from ferryman.core.units import format_duration, format_size

if TYPE_CHECKING:
    from ferryman.depot.copying.copier import Prepared
    from ferryman.depot.copying.places import Places

_COMMANDS: Final = {one.name: one for one in (COPY, PUSH, INSPECT, TAGS, GET)}
_LONGEST_LIST: Final = 16 * 1024 * 1024


def run_command(name: str, arguments: Sequence[str]) -> int:
    """Run one of the commands with what follows it; return the exit code. Raises `FerryError` for what cannot be meant."""
    command = _COMMANDS[name]
    words = models_from(read_words(arguments, command.options, f"ferry {name}"))
    if command is INSPECT:
        from ferryman.cli.inspect import inspect_image  # noqa: PLC0415 - loads the places of images, which the daemon's way needs none of

        return inspect_image(words)
    if command is TAGS:
        from ferryman.cli.inspect import list_tags  # noqa: PLC0415 - see above

        return list_tags(words)
    return _copy(command, words)


def models_from(words: Words) -> Words:
    """Make the models of another registry (`--registry`) what they are, and return `words`. Raises `Invalid`."""
    registry = words.value("registry")
    if registry is None:
        return words
    from ferryman.oci.ollama import named_at, parse_registry  # noqa: PLC0415 - loads manifests, which the daemon's way needs none of

    host, plain = parse_registry(registry)
    words.sources = tuple(
        named_at(one.partition(":")[2], host) if one.lower().startswith(MODEL) else one
        for one in words.sources
    )
    if plain:
        words.flags.add("src-plain-http")
    return words


def _copy(command: Command, words: Words) -> int:
    pairs = pairs_of(command, words)
    if words.has("detach") or words.has("through-daemon"):
        from ferryman.cli.copy_detach import hand_over  # noqa: PLC0415 - imports this module

        return hand_over(words, pairs)
    if words.value("priority") is not None:
        raise Invalid(
            "usage",
            "--priority is about the queue of the daemon.",
            advice="Add --detach or --through-daemon, or leave --priority out.",
        )
    from ferryman.depot.copying.places import Places  # noqa: PLC0415 - the daemon's way needs none of it

    places = Places()
    for sources, target in pairs:
        places.add(sources, target)
    signal.signal(signal.SIGTERM, _interrupt)
    return _carry_out(words, places)


def pairs_of(command: Command, words: Words) -> list[tuple[list[str], str]]:
    """Return what is to be copied where to. Raises `Invalid` (`usage`) when something is missing."""
    given = [one.strip() for one in words.sources]
    if command is PUSH:
        given = [*map(_in_depot, given[:-1]), *given[-1:]]
    target = None
    if command is GET:
        target = words.value("output") or "depot:"
    listed = words.value("from-list")
    if target is None and given:
        target = given.pop()
    pairs: list[tuple[list[str], str]] = []
    if listed is not None:
        pairs = _listed(listed, target, in_depot=command is PUSH)
    if given and target is not None:
        pairs.insert(0, (given, target))
    if not pairs:
        raise Invalid(
            "usage",
            f"ferry {command.name} needs {command.argument}.",
            advice=f"See 'ferry {command.name} --help' for what can be typed.",
        )
    return pairs


def _in_depot(word: str) -> str:
    """Return an image of `ferry push`: what has no scheme is in the depot."""
    return word if word.lower().startswith(SCHEMES) else f"depot:{word}"


def _listed(name: str, target: str | None, *, in_depot: bool) -> list[tuple[list[str], str]]:
    try:
        if name == "-":
            text = sys.stdin.read(_LONGEST_LIST)
        else:
            with open(name, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes longer to load than the list to read
                text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Invalid(
            "list_unreadable", f"The list '{name[:200]}' cannot be read: {reason}.", advice="Check its path."
        ) from error
    shared: list[str] = []
    pairs: list[tuple[list[str], str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        parts = raw.partition("#")[0].split() if not raw.lstrip().startswith("#") else []
        if not parts:
            continue
        source = _in_depot(parts[0]) if in_depot else parts[0]
        if len(parts) == 1 and target is not None:
            shared.append(source)
        elif len(parts) == 2:
            pairs.append(([source], parts[1]))
        else:
            raise Invalid(
                "list_invalid",
                f"Line {number} of the list is '{raw.strip()[:100]}'.",
                advice="Write a source, and its target after a space where no target is given for all.",
            )
    return [(shared, target), *pairs] if shared and target is not None else pairs


def _carry_out(words: Words, places: "Places") -> int:
    from ferryman.cli.copy_run import Work  # noqa: PLC0415 - loads what moves bytes, which the daemon's way needs none of
    from ferryman.depot.copying.meter import Stopped  # noqa: PLC0415 - see above

    work = Work(words, places)
    try:
        return work.run()
    except (KeyboardInterrupt, Stopped):
        work.stop()
        sys.stderr.write("\nStopped. What arrived is kept: run the same command again to go on.\n")
        return INTERRUPTED
    finally:
        work.close()


def show_plan(prepared: "Prepared", document: dict[str, Any], *, json: bool, quiet: bool) -> int:
    """Print what would be done."""
    if json:
        print_json(document)
    elif not quiet:
        sums = document["plan"]
        for image in document["images"]:
            if image["state"] == "planned":
                line(f"{image['source']} -> {image['target']}  {image['digest']}")
        line(
            f"{sums['images']} images: {sums['blobs']} blobs with {format_size(sums['bytes'])} to move, "
            f"{sums['mounts']} to link at the target, {sums['there']} with {format_size(sums['there_bytes'])} there; "
            f"{sums['manifests']} manifests to put, {sums['manifests_there']} there."
        )
    return failures(prepared, quiet_json=json)


def failures(prepared: "Prepared", *, quiet_json: bool) -> int:
    """Say what cannot be read, and return the exit code of it."""
    if not quiet_json:
        for wish, error in prepared.failed:
            say(error, subject=wish.said)
    return code_of([error for _, error in prepared.failed])


def code_of(errors: Sequence[FerryError]) -> int:
    """Return 0 without errors, their code when all agree, else 1."""
    codes = {exit_code(error) for error in errors}
    return 0 if not codes else codes.pop() if len(codes) == 1 else FAILED


def report_result(document: dict[str, Any], *, quiet: bool) -> None:
    """Print what was done, for people."""
    if quiet:
        return
    for image in document["images"]:
        if image["state"] != "failed":
            more = f", as {image['instead']}" if image.get("instead") else ""
            line(f"{image['target']}  {image['digest']}  {image['state']}{more}")
    moved, plan = document["moved"], document["plan"]
    if not moved and all(image["state"] == "failed" for image in document["images"]):
        return
    parts = [f"{format_size(moved)} moved"]
    if document["mounted"]:
        parts.append(f"{format_size(document['mounted'])} linked at the target")
    if plan["there_bytes"]:
        parts.append(f"{format_size(plan['there_bytes'])} there before")
    note(f"{', '.join(parts)} in {format_duration(document['seconds'])}")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
