"""`/metrics` in the Prometheus text format, from figures the rooms keep anyway. No global registry."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from ferryman import __version__
from ferryman.accounts.model import Principal
from ferryman.web.auth import allow

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that goes up and down, in base units; `labels` as pairs."""

    name: str
    documentation: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Counter:
    """A figure that only grows while the process lives; its `name` ends in `_total`."""

    name: str
    documentation: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


Sample = Gauge | Counter
Source = Callable[[], Awaitable[Iterable[Sample]]]
"""Gives the samples of one room at the moment of the question."""


class _Snapshot(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def families(samples: Iterable[Sample]) -> list[Metric]:
    """Return the samples grouped by name; those of one name must have the same label names."""
    grouped: dict[str, Metric] = {}
    for sample in samples:
        names = [name for name, _ in sample.labels]
        make = CounterMetricFamily if isinstance(sample, Counter) else GaugeMetricFamily
        family = grouped.setdefault(sample.name, make(sample.name, sample.documentation, labels=names))
        assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
        family.add_metric([value for _, value in sample.labels], sample.value)
    return list(grouped.values())


def render(samples: Iterable[Sample]) -> bytes:
    """Return the samples in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(families(samples)))
    return generate_latest(registry)


def metrics_router(sources: Iterable[Source]) -> APIRouter:
    """Return the router of `GET /metrics`, for callers with `metrics:read`."""
    router = APIRouter(tags=["health"])
    asked = tuple(sources)
    started = time.time()

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"description": "Prometheus text format.", "content": {"text/plain": {}}}},
    )
    async def metrics(request: Request, _caller: Annotated[Principal, allow("metrics:read")]) -> Response:
        """Figures of this process for Prometheus."""
        samples: list[Sample] = [
            Gauge("ferry_build_info", "The running version.", 1, (("version", __version__),)),
            Gauge("ferry_start_time_seconds", "When this process started, UNIX seconds.", started),
            *request.app.state.requests.samples(),
        ]
        for source in asked:
            samples.extend(await source())
        return Response(render(samples), media_type=MEDIA_TYPE)

    return router


class RequestCounter:
    """Counts answers by method and class of status. Used from one event loop."""

    def __init__(self) -> None:
        """Start at zero."""
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, method: str, status: int) -> None:
        """Note one answer; unknown methods count together, so that nobody can make labels."""
        known = method if method in _METHODS else "other"
        key = (known, f"{status // 100}xx")
        self._counts[key] = self._counts.get(key, 0) + 1

    def samples(self) -> list[Sample]:
        """Return the counts so far."""
        return [
            Counter(
                "ferry_http_requests_total",
                "Answers sent, by method and class of status.",
                number,
                (("method", method), ("status", status)),
            )
            for (method, status), number in sorted(self._counts.items())
        ]


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
