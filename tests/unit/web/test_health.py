from ferryman.web.health import health_router
from ferryman.web.metrics import Counter, render

from .client import call
from .conftest import broken, fine


async def test_health_is_open(app):
    assert (await call(app, "GET", "/healthz")).json() == {"status": "ok"}


async def test_ready_when_all_works(app):
    answer = await call(app, "GET", "/readyz")
    assert (answer.status, answer.json()["checks"]) == (200, {"database": True})


async def test_not_ready_when_one_thing_fails(app):
    app.include_router(health_router({"database": broken, "disk": fine}), prefix="/other")
    answer = await call(app, "GET", "/other/readyz")
    assert (answer.status, answer.json()) == (
        503, {"status": "not ready", "checks": {"database": False, "disk": True}}
    )  # fmt: skip


async def test_metrics_need_the_right_and_count_requests(app):
    assert (await call(app, "GET", "/metrics")).status == 401
    answer = await call(app, "GET", "/metrics", headers={"authorization": "Bearer ferry_viewer"})
    text = answer.body.decode()
    assert 'ferry_jobs{state="running"} 3.0' in text
    assert 'ferry_http_requests_total{method="GET",status="4xx"} 1.0' in text
    assert "ferry_build_info{version=" in text
    assert answer.headers["content-type"].startswith("text/plain")


def test_samples_of_one_name_are_one_family():
    text = render(
        [
            Counter("ferry_transfer_bytes_total", "Bytes.", 5, (("way", "in"),)),
            Counter("ferry_transfer_bytes_total", "Bytes.", 6, (("way", "out"),)),
        ]
    ).decode()
    assert text.count("# TYPE ferry_transfer_bytes_total counter") == 1
    assert 'ferry_transfer_bytes_total{way="out"} 6.0' in text
