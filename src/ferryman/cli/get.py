"""`ferry get`: fetch files without a daemon, or hand them to it. Loads nothing that moving bytes does not need."""

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType

from ferryman.cli.copy_words import is_image
from ferryman.cli.get_options import options_of, overwrite_of
from ferryman.cli.get_plan import ALLOWED, Wish, is_address, wishes_of
from ferryman.cli.get_run import Fleet, ask_at_terminal, code_of, document_of
from ferryman.cli.get_show import show_for
from ferryman.cli.get_words import OPTIONS, Words, read_words
from ferryman.cli.output import print_json
from ferryman.cli.problems import INTERRUPTED
from ferryman.core.errors import FerryError, Invalid
from ferryman.core.units import parse_rate
from ferryman.transfer.model import Options, Overwrite
from ferryman.transfer.service import Engine
from ferryman.transfer.small import checksum_at, fetch_small
from ferryman.transfer.source import parse_source


def get(arguments: Sequence[str]) -> int:
    """Run `ferry get` with what follows it and return the exit code. Raises `FerryError` for what cannot be meant."""
    if any(is_image(word) for word in arguments):
        from ferryman.cli.copy import run_command  # noqa: PLC0415 - only then

        return run_command("get", arguments)
    words = read_words(arguments)
    if words.has("detach"):
        from ferryman.cli.get_detach import detach  # noqa: PLC0415 - few hand over, and HTTP is slow to import

        return detach(words)
    _refuse_queued(words)
    rate = parse_rate(words.value("limit") or "0")
    overwrite = overwrite_of(words.value("overwrite"))
    options = options_of(words)
    signal.signal(signal.SIGTERM, _interrupt)
    engine = Engine(rate_limit=rate)
    engine.start()
    try:
        wishes = wishes_of(words, options, lambda url, own: _text(engine, url, own, url))
        return _fetch(engine, words, _checked(engine, words, wishes), overwrite)
    except KeyboardInterrupt:
        engine.close()
        sys.stderr.write("\nStopped. What arrived is kept: run the same command again to go on.\n")
        return INTERRUPTED
    finally:
        engine.close()


def _refuse_queued(words: Words) -> None:
    """Raise `Invalid` (`usage`) for an option about the queue: without the daemon there is none."""
    for option in OPTIONS:
        if option.queued and words.value(option.name) is not None:
            raise Invalid(
                "usage",
                f"--{option.name} is about the queue of the daemon.",
                advice=f"Add --detach to hand the download to the daemon, or leave --{option.name} out.",
            )


def _fetch(engine: Engine, words: Words, wishes: list[Wish], overwrite: Overwrite) -> int:
    json = words.has("json")
    show = show_for(json=json, quiet=words.has("quiet"))
    ask = ask_at_terminal(show) if overwrite is Overwrite.ASK and not json else None
    began = time.monotonic()
    try:
        fetches = Fleet(engine, show, overwrite, ask).run(wishes)
        if words.has("unpack"):
            from ferryman.cli.get_unpack import unpack_all  # noqa: PLC0415 - few unpack, and archives are slow to import

            unpack_all(fetches, show)
    finally:
        show.close()
    if json:
        several = len(words.sources) != 1 or words.value("input") is not None
        print_json(document_of(fetches, several=several, seconds=time.monotonic() - began))
    return code_of(fetches)


def _checked(engine: Engine, words: Words, wishes: list[Wish]) -> list[Wish]:
    """Give each file the checksum that the checksum file has for it, where `--checksum` is its address."""
    text = words.value("checksum")
    if text is None or not is_address(text):
        return wishes
    url = parse_source(text).url
    listed = _text(engine, url, wishes[0].options, wishes[0].urls[0])
    return [
        wish if wish.checksum else replace(wish, checksum=checksum_at(listed, url, wish.urls[0]))
        for wish in wishes
    ]


def _text(engine: Engine, url: str, options: Options, beside: str) -> bytes:
    try:
        return fetch_small(engine, url, options=options, beside=beside, allow=ALLOWED)
    except FerryError as error:
        error.message = f"{parse_source(url).url.partition('?')[0]}: {error.message}"
        raise


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
