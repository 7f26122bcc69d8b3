"""The page of metrics, from the places in the code that declare them."""

from scripts.reference.page import Page, cell, code, table
from scripts.reference.source import argument, called, calls, template

INTRO = """# Metrics

`/metrics` answers in the Prometheus text format, in base units. A token with the scope `metrics:read` is needed unless the
daemon listens on loopback only.
"""

KINDS = frozenset(
    {
        "Counter",
        "Gauge",
        "Histogram",
        "Summary",
        "Info",
        "CounterMetricFamily",
        "GaugeMetricFamily",
        "HistogramMetricFamily",
        "InfoMetricFamily",
    }
)


def metrics_page() -> Page:
    """Every metric the product declares, with its kind, labels and meaning."""
    rows, missing = [], []
    for _, node in calls(KINDS):
        name = template(argument(node, 0, "name"))
        if not name.startswith("ferry"):
            continue
        meaning = template(argument(node, 1, "documentation"))
        if not meaning:
            missing.append(f"metric {name}: no meaning")
        kind = called(node).removesuffix("MetricFamily").lower()
        rows.append((code(name), kind, cell(meaning)))
    return Page("metrics.md", f"{INTRO}\n{table(('name', 'kind', 'meaning'), sorted(rows))}", tuple(missing))
