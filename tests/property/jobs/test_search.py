"""Whatever a list asks for, it shows exactly what a look at every job would show, page by page, by every way of finding."""

import asyncio
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.core.ids import new_id
from ferryman.db import Database, sqlite_url
from ferryman.db.values import fold
from ferryman.jobs import search
from ferryman.jobs.conditions import words_of
from ferryman.jobs.model import NewJob, Progress, Query, Reason, State
from ferryman.jobs.order import SORTS
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0
KINDS = ("toy", "tool")
OWNERS = (None, "anna", "bert")
TITLES = ("Debian-12.iso", "debian kernel", "Über Zug", "uber x", "a b c", "kernel_6", "日本 model", "x" * 30)
CATEGORIES = (None, "images", "models")
HOSTS = (None, "a.example", "b.example", "c.example")
NUMBER = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with jobs of every kind and state, and the jobs themselves in order of acceptance."""
    database = Database(sqlite_url(tmp_path_factory.mktemp("search") / "ferry.db"))
    database.migrate()
    store = SqlStore(database)
    jobs = asyncio.run(fill(store))
    yield store, jobs
    database.close_now()


async def fill(store):
    parents = await store.add([(new_id(NOW), NewJob("toy", f"parent {n}", {})) for n in range(2)], NOW)
    ids = [job.id for job in parents]
    for n in range(NUMBER):
        now = NOW + (n * 37 % 50)  # the clock goes back now and then
        new = NewJob(
            KINDS[n % 7 == 0], TITLES[n % len(TITLES)], {}, priority=n * 5 % 10, owner=OWNERS[n % 3],
            parent=ids[n % 2] if n % 4 == 0 else None, not_before=now + 1e6 if n % 11 == 0 else None,
            category=CATEGORIES[n % 5 % 3], host=HOSTS[n % 13 % 4],
        )  # fmt: skip
        (job,) = await store.add([(new_id(now), new)], now)
        ids.append(job.id)
    reasons = list(Reason)
    for n, job in enumerate(await store.lease(Claim("w", KINDS, 90), NOW + 100, NOW + 999)):
        if n % 5 == 0:
            continue
        end = Outcome(Cause.SUCCEED) if n % 5 < 3 else Outcome(
            Cause.FAIL, reason=reasons[n % len(reasons)], error="The kernel was gone." if n % 2 else "Zug reset"
        )  # fmt: skip
        size = Progress(total=n * 7 % 30) if n % 6 else None
        late = 86_300 if n % 4 == 1 else 0
        await store.finish(job.id, job.epoch, end, NOW + 100 + n * 13 % 40 + late, size)
    return [await store.get(job_id) for job_id in ids]


def some(values, most=3):
    return st.lists(st.sampled_from(values), max_size=most, unique=True).map(tuple)


finishes = st.none() | st.none() | st.floats(NOW + 95, NOW + 145) | st.floats(NOW + 86_395, NOW + 86_445)
sizes = st.none() | st.none() | st.integers(0, 30)
times = st.none() | st.floats(NOW - 5, NOW + 60)
queries = st.builds(
    Query,
    kinds=some((*KINDS, "none")),
    states=some(list(State)),
    text=st.sampled_from(["", "", "", "debian", "DEB", "uber", "zug reset", "kernel gone", "x", "b", "日本", "none", "12"]),
    owner=st.sampled_from([None, None, "anna", "bert", "nobody"]),
    parent=st.sampled_from([None, None, 0, 1]),
    reasons=some(list(Reason), 2),
    since=times,
    until=times,
    sort=st.sampled_from([sign + name for name in SORTS for sign in ("", "-")]),
    limit=st.integers(1, 40),
    categories=st.just(()) | some((*CATEGORIES[1:], "none"), 2),
    hosts=st.just(()) | some(HOSTS[1:], 2),
    min_size=sizes,
    max_size=sizes,
    finished_since=finishes,
    finished_until=finishes,
)  # fmt: skip


def expected(jobs, query):
    found = [(n, job) for n, job in enumerate(jobs) if shown(job, query)]
    name = query.sort.removeprefix("-")
    if name == "finished_at":
        found = [item for item in found if item[1].finished_at is not None]
    keys = {
        "created_at": lambda n, job: (n,),
        "priority": lambda n, job: (job.priority, job.position, n),
        "run_order": lambda n, job: (job.priority, job.position, n),
        "size": lambda n, job: (-1 if job.size is None else job.size, n),
    }
    key = keys.get(name) or (lambda n, job: (getattr(job, name), n))
    return [
        job.id for _, job in sorted(found, key=lambda item: key(*item), reverse=query.sort.startswith("-"))
    ]


def shown(job, query):
    return (
        (not query.kinds or job.kind in query.kinds)
        and (not query.states or job.state in query.states)
        and (not query.reasons or job.reason in query.reasons)
        and (query.owner is None or job.owner == query.owner)
        and (query.parent is None or job.parent == query.parent)
        and (query.since is None or job.created_at >= query.since)
        and (query.until is None or job.created_at < query.until)
        and (not query.categories or job.category in query.categories)
        and (not query.hosts or job.host in query.hosts)
        and (query.min_size is None or (job.size is not None and job.size >= query.min_size))
        and (query.max_size is None or (job.size is not None and job.size <= query.max_size))
        and (query.finished_since is None or (job.finished_at or 0) >= query.finished_since)
        and (query.finished_until is None or (job.finished_at or 1e99) < query.finished_until)
        and has_words(f"{job.title} {job.error or ''}", words_of(fold(query.text)))
    )


def has_words(text, wanted):
    words = words_of(fold(text))
    return all(
        any(word == want or (len(want) > 1 and word.startswith(want)) for word in words) for want in wanted
    )


async def walked(store, query):
    seen, cursor = [], None
    while True:
        page = await store.find(dataclasses.replace(query, cursor=cursor))
        assert len(page.items) <= query.limit
        seen += [job.id for job in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return seen


@pytest.mark.parametrize("gather", [False, None, True], ids=["walk", "either", "gather"])
@pytest.mark.parametrize("held", [0, 60_000], ids=["words read", "words held"])
def test_a_list_shows_what_a_look_at_every_job_would_show(home, gather, held, monkeypatch):
    store, jobs = home
    monkeypatch.setattr(search, "MOST_HELD", held)
    if gather is not None:
        monkeypatch.setattr(search, "cheaper", lambda gathering, walking: gather)

    @settings(max_examples=100)
    @given(queries)
    def check(query):
        if query.parent is not None:
            query = dataclasses.replace(query, parent=jobs[query.parent].id)
        wanted = expected(jobs, query)
        assert asyncio.run(walked(store, query)) == wanted
        assert asyncio.run(store.ids(query, 50)) == wanted[:50]
        whole = {job.id: job for job in jobs if shown(job, query)}
        found = asyncio.run(store.summary(query))
        assert (found.number, found.at_least) == (len(whole), False)
        assert found.size == sum(job.size or 0 for job in whole.values())
        assert found.states == {state: sum(job.state is state for job in whole.values()) for state in State}

    check()
