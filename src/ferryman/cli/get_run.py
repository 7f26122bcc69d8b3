"""The work of `ferry get`: every file at once through one engine, asked about, stopped and summed up."""

import queue
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from ferryman.cli.get_plan import ALLOWED, Wish
from ferryman.cli.get_show import Show
from ferryman.cli.problems import FAILED, exit_code, problem
from ferryman.core.errors import FerryError, Invalid
from ferryman.downloads.claims import Claims
from ferryman.downloads.result import result_document
from ferryman.transfer.model import Overwrite, Request, Result, Snapshot
from ferryman.transfer.preflight import Need, check_folder, check_space
from ferryman.transfer.service import Engine, Transfer

_TICK: Final = 0.12
MOST_SHOWN: Final = 64

Ask = Callable[[str], Overwrite]
"""Asks the person what to do about a file that is there."""


@dataclass(slots=True, eq=False)
class Fetch:
    """One file on its way, and how it ended. `holder` names it among the others."""

    wish: Wish
    label: str
    holder: str = ""
    transfer: Transfer | None = None
    result: Result | None = None
    error: FerryError | None = None
    unpacked: str | None = None

    def snapshot(self) -> Snapshot:
        """How far it is."""
        return self.transfer.snapshot() if self.transfer else Snapshot()

    def document(self) -> dict[str, Any]:
        """Return how it ended as a JSON object."""
        if self.result is not None:
            more = {"unpacked": self.unpacked} if self.unpacked else {}
            return {"source": self.wish.said, **result_document(self.result), **more}
        return {"source": self.wish.said, "error": problem(self.error) if self.error else None}


class Fleet:
    """Fetches many files at once. Used from one thread; transfers report through a queue."""

    def __init__(self, engine: Engine, show: Show, overwrite: Overwrite, ask: Ask | None) -> None:
        """Run on `engine`; without `ask` a file that is there is an error unless `overwrite` says otherwise."""
        self._engine = engine
        self._show = show
        self._overwrite = overwrite
        self._ask = ask
        self._claims = Claims()
        self._ended: queue.SimpleQueue[Fetch | tuple[str, str]] = queue.SimpleQueue()
        self._moving: dict[str, Fetch] = {}

    def run(self, wishes: list[Wish]) -> list[Fetch]:
        """Fetch all and return how each ended, in order. Raises what stands in the way of all of them."""
        for folder in {wish.folder for wish in wishes}:
            check_folder(folder)
        check_space(Need(wish.folder, wish.size) for wish in wishes if wish.size)
        fetches = [Fetch(wish, wish.name or wish.said, str(at)) for at, wish in enumerate(wishes)]
        self._show.begin(len(fetches))
        self._moving = {fetch.holder: fetch for fetch in fetches}
        for fetch in fetches:
            self._submit(fetch, self._overwrite)
        while self._moving:
            self._next()
        return fetches

    def _submit(self, fetch: Fetch, overwrite: Overwrite) -> None:
        try:
            request = self._request(fetch, overwrite)
        except FerryError as error:
            self._fail(fetch, error)
            return

        def log(level: str, message: str) -> None:
            if level == "warning":
                self._ended.put((fetch.label, message))

        fetch.transfer = self._engine.submit(request, log=log)
        fetch.transfer.add_done_callback(lambda _: self._ended.put(fetch))

    def _request(self, fetch: Fetch, overwrite: Overwrite) -> Request:
        wish, holder = fetch.wish, fetch.holder
        target = wish.folder
        if wish.name is not None:
            target = self._claims.claim(holder, wish.folder / wish.name, overwrite)
        return Request(
            urls=wish.urls,
            target=target,
            options=wish.options,
            checksum=wish.checksum,
            size=wish.size,
            overwrite=overwrite,
            allow=ALLOWED,
            folder=wish.name is None,
            name=self._claims.namer(holder, wish.folder, overwrite) if wish.name is None else None,
        )

    def _next(self) -> None:
        try:
            item = self._ended.get(timeout=_TICK)
        except queue.Empty:
            self._show.tick(list(islice(self._moving.values(), MOST_SHOWN)))
            return
        if isinstance(item, Fetch):
            self._end(item)
        else:
            self._show.message(*item)

    def _end(self, fetch: Fetch) -> None:
        assert fetch.transfer is not None
        try:
            result = fetch.transfer.wait(0)
        except FerryError as error:
            if error.code == "target_exists" and self._ask is not None:
                self._claims.release(fetch.holder)
                self._submit(fetch, self._ask(error.message))
                return
            self._fail(fetch, error)
            return
        fetch.result = result
        self._claims.release(fetch.holder)
        del self._moving[fetch.holder]
        self._show.done(fetch.label, result)

    def _fail(self, fetch: Fetch, error: FerryError) -> None:
        fetch.error = error
        self._claims.release(fetch.holder)
        del self._moving[fetch.holder]
        self._show.failed(fetch.label, error)


def ask_at_terminal(show: Show) -> Ask | None:
    """Return what asks about a file that is there; None without a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    for_all: list[Overwrite] = []

    def ask(message: str) -> Overwrite:
        if for_all:
            return for_all[0]
        show.close()
        while True:
            sys.stderr.write(f"{message} [r]ename, [o]verwrite or [s]kip? (a capital letter: for all) ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
            chosen = _ANSWERS.get(answer.strip().lower()[:1])
            if not answer:
                raise Invalid("answer_missing", "There was no answer.", advice="Use --overwrite.")
            if chosen is not None:
                if answer.strip()[:1].isupper():
                    for_all.append(chosen)
                return chosen

    return ask


_ANSWERS: Final = {"r": Overwrite.RENAME, "o": Overwrite.OVERWRITE, "s": Overwrite.SKIP}


def code_of(fetches: list[Fetch]) -> int:
    """Return the exit code: 0 when all are there, the error's own when all that failed agree, else 1."""
    codes = {exit_code(fetch.error) for fetch in fetches if fetch.error is not None}
    return 0 if not codes else codes.pop() if len(codes) == 1 else FAILED


def document_of(fetches: list[Fetch], *, several: bool, seconds: float) -> dict[str, Any]:
    """Return the JSON document: of one source its result or problem, of several all of them and sums."""
    if not several and len(fetches) == 1:
        fetch = fetches[0]
        return problem(fetch.error) if fetch.error else fetch.document()
    results = [fetch.result for fetch in fetches if fetch.result is not None]
    return {
        "items": [fetch.document() for fetch in fetches],
        "done": len(results),
        "failed": len(fetches) - len(results),
        "size": sum(result.size for result in results),
        "network": sum(result.network for result in results),
        "seconds": round(seconds, 3),
    }
