"""A process that brings images into a depot, or sweeps it, until it is killed.

    python -m tests.integration.depot.worker bring|sweep FOLDER DATABASE_URL LOG SEED

Every line of the log is written before anybody relies on it: `hold` begins anew, `have DIGEST` is held and there,
`set TAG DIGEST` is named, `drop TAG` may be gone from now on.
"""

import os
import random
import sys
import time
from pathlib import Path

from ferryman.core.clock import SystemClock
from ferryman.core.errors import FerryError, Unavailable
from ferryman.db import Database
from ferryman.depot.service import Depot
from tests.conformance.depot.making import ORIGIN, digest_of, image, index

POOL = 60
"""Different layers: workers meet each other's all the time."""


def layer(number: int) -> bytes:
    return random.Random(number).randbytes(2000 + number * 317)


class Log:
    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(self, *words: object) -> None:
        os.write(self._handle, (" ".join(map(str, words)) + "\n").encode())


def bring(depot: Depot, log: Log, seed: str) -> None:
    chance = random.Random()
    repository = f"team/{seed}"
    tags = [ref.tag for ref in depot.refs(repository)]
    while True:
        log.say("hold")
        hold = depot.begin(f"job:{seed}", 900)
        made = one_image(depot, log, hold, repository, chance, tags)
        if chance.random() < 0.3:
            both = index(made, image(config=b"{}"))
            depot.put_manifest(repository, both, tags[-1], ORIGIN, hold, sparse=True)
            log.say("set", tags[-1], both.digest)
        if len(tags) > 5:
            gone = tags.pop(chance.randrange(len(tags)))
            log.say("drop", gone)
            depot.remove(repository, gone, ORIGIN)
        if chance.random() < 0.7:
            log.say("hold")
            hold.release()


def one_image(depot, log, hold, repository, chance, tags):
    contents = [layer(chance.randrange(POOL)) for _ in range(chance.randrange(1, 5))]
    config = b'{"n": %d}' % chance.randrange(1_000_000)
    made = image(*contents, config=config)
    wanted = {digest_of(content): content for content in [config, *contents]}
    there = hold.keep([*wanted, made.digest])
    for digest in there:
        log.say("have", digest)
    for digest, content in wanted.items():
        if digest in there:
            continue
        writer = depot.writer(ORIGIN, digest, hold=hold) if chance.random() < 0.5 else None
        with writer or depot.fetching(digest, ORIGIN, hold=hold, size=len(content)) as into:
            rest = memoryview(content)[into.offset :]
            for start in range(0, len(rest), 700):
                into.write(rest[start : start + 700])
            into.commit(digest)
        log.say("have", digest)
    tag = f"t{chance.randrange(1_000_000)}"
    log.say("drop", tag)
    depot.put_manifest(repository, made, tag, ORIGIN, hold)
    tags.append(tag)
    log.say("set", tag, made.digest)
    return made


def sweep(depot: Depot) -> None:
    while True:
        depot.gc(grace=0)


def main() -> None:
    what, folder, url, log, seed = sys.argv[1:]
    depot = Depot(Path(folder), Database(url), SystemClock())
    while True:
        try:
            sweep(depot) if what == "sweep" else bring(depot, Log(Path(log)), seed)
        except Unavailable:  # SQLite: others had the database for too long
            time.sleep(0.01)
        except FerryError as error:
            Log(Path(log)).say("failed", seed, repr(error.code), error.message.replace("\n", " "))
            raise


if __name__ == "__main__":
    main()
