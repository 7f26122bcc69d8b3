"""The work of `ferry copy` without a daemon: opens what is needed, plans, shows, carries out, sums up."""

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, Final

from ferryman.cli.copy import code_of, failures, report_result, show_plan
from ferryman.cli.copy_show import Show
from ferryman.cli.copy_sides import sides_of
from ferryman.cli.get_options import connections_of
from ferryman.cli.get_words import Words
from ferryman.cli.output import note, print_json
from ferryman.cli.problems import problem, say
from ferryman.core.errors import Invalid
from ferryman.core.home import default_home
from ferryman.core.units import parse_rate
from ferryman.depot.copying.copier import Copier, How, Prepared
from ferryman.depot.copying.ends import Ends, Kept
from ferryman.depot.copying.meter import Meter
from ferryman.depot.copying.model import Choice
from ferryman.depot.copying.movers import DEPOT, keeps_between
from ferryman.depot.copying.places import Places
from ferryman.depot.copying.result import plan_document, result_document
from ferryman.depot.copying.uploads import Uploads
from ferryman.oci.manifest import Platform

if TYPE_CHECKING:
    from ferryman.cli.copy_home import OpenDepot
    from ferryman.transfer.service import Engine

UPLOADS: Final = "depot/copying"
"""Where unfinished uploads are remembered, below the home."""


class Work:
    """One copy of the command line. Opens the depot only when bytes go there or through it."""

    def __init__(self, words: Words, places: Places) -> None:
        """Read the words. Raises `Invalid`."""
        self._words, self._places = words, places
        self._json, self._quiet = words.has("json"), words.has("quiet")
        self._meter = Meter(rate_limit=parse_rate(words.value("limit") or "0"))
        self._home: OpenDepot | None = None
        self._engine: Engine | None = None
        self._how = How(
            choice_of(words, flat=any(wish.flat for wish in places.wishes)),
            store=not words.has("no-store"),
            connections=connections_of(words.value("connections")),
        )
        source, target = sides_of(words)
        kept = self._kept()
        self._ends = Ends(places.locations, source, target, kept=kept, came_from=places.came_from)
        self._show = Show(self._meter, quiet=self._quiet or self._json)
        self._copier = Copier(
            self._ends,
            self._how,
            self._meter,
            kept=kept,
            engine=self._started,
            uploads=Uploads(default_home() / UPLOADS),
            log=self._show.log,
        )
        self._done = False

    def run(self) -> int:
        """Do it and return the exit code. Raises `FerryError`, `Stopped`, `KeyboardInterrupt`."""
        began = time.monotonic()
        prepared = self._copier.prepare(self._places.wishes)
        if self._words.has("dry-run"):
            return show_plan(prepared, plan_document(prepared, problem), json=self._json, quiet=self._quiet)
        with self._show:
            outcome = self._copier.carry_out(prepared.plan)
        failed = bool(outcome.failed)
        self._done = not failed
        for text in self._ends.close(failed=failed and not any(e.error is None for e in outcome.images)):
            note(text)
        document = result_document(prepared, outcome, self._meter.view(), time.monotonic() - began, problem)
        return self._told(prepared, document, [one.error for one in outcome.failed if one.error])

    def stop(self) -> None:
        """End what moves soon."""
        self._meter.stop()

    def close(self) -> None:
        """Give everything back."""
        with contextlib.suppress(OSError):
            self._ends.close(failed=not self._done)
        if self._engine is not None:
            self._engine.close()
        if self._home is not None:
            self._home.close()

    def _told(self, prepared: Prepared, document: dict[str, Any], errors: list[Any]) -> int:
        if self._json:
            print_json(document)
        else:
            report_result(document, quiet=self._quiet)
            for image in document["images"]:
                if image["state"] == "failed" and "digest" in image:
                    error = errors[0] if len(errors) == 1 else None
                    if error is not None:
                        say(error, subject=image["source"])
                    else:
                        note(f"error: {image['source']}: {image['error']['detail']}")
        code = failures(prepared, quiet_json=self._json)
        own = code_of(errors)
        return own if own and code in {0, own} else code or own if not (own and code) else 1

    def _kept(self) -> Kept | None:
        """Open the depot when something comes from it, goes to it, or goes through it."""
        ends = [place.registry for wish in self._places.wishes for place in (wish.source, wish.target)]
        between = any(keeps_between(wish.source, wish.target) for wish in self._places.wishes)
        if DEPOT not in ends and not (between and self._how.store):
            return None
        from ferryman.cli.copy_home import OpenDepot  # noqa: PLC0415 - loads the database

        self._home = OpenDepot(f"copy:{os.getpid()}")
        return self._home.kept()

    def _started(self) -> "Engine":
        from ferryman.transfer.service import Engine  # noqa: PLC0415 - loads libcurl

        if self._engine is None:
            self._engine = Engine()
            self._engine.start()
        return self._engine


def choice_of(words: Words, *, flat: bool) -> Choice:
    """Return what of each image is taken. Raises `Invalid` (`options_clash`, `platform_invalid`)."""
    named = tuple(Platform.parse(text) for text in words.all("platform"))
    if named and words.has("all"):
        raise Invalid(
            "options_clash", "--platform and --all cannot be used together.", advice="Use one of them."
        )
    if not named and flat:
        named = (host_platform(),)
    return Choice(named or None, not words.has("no-referrers"))


def host_platform() -> Platform:
    """Return what this machine runs."""
    return Platform.parse(f"linux/{os.uname().machine}")
