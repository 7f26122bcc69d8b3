"""The page of metrics, from the places in the code that declare them."""

import ast

from scripts.reference.page import Page, cell, code, table
from scripts.reference.source import argument, called, calls, template

INTRO = """# Metrics

`/metrics` answers in the Prometheus text format, in base units. A token with the scope `metrics:read` is needed.
"""

DECLARED = frozenset({"Gauge", "Counter"})


def metrics_page() -> Page:
    """Every metric the product declares, with its kind, labels and meaning."""
    rows: set[tuple[str, str, str, str]] = set()
    missing = []
    for _, node in calls(DECLARED):
        name = template(argument(node, 0, "name"))
        if not name.startswith("ferry"):
            continue
        meaning = template(argument(node, 1, "help"))
        if not meaning:
            missing.append(f"metric {name}: no meaning")
        kind = called(node).lower()
        shown = f"{name}_total" if kind == "counter" and not name.endswith("_total") else name
        labels = ", ".join(map(code, _labels(argument(node, 3, "labels"))))
        rows.add((code(shown), kind, labels, cell(meaning)))
    head = ("name", "kind", "labels", "meaning")
    return Page("metrics.md", f"{INTRO}\n{table(head, sorted(rows))}", tuple(missing))


def _labels(node: ast.expr | None) -> list[str]:
    """Read the names of the labels from pairs of name and value."""
    pairs = node.elts if isinstance(node, ast.Tuple) else []
    return [template(pair.elts[0]) for pair in pairs if isinstance(pair, ast.Tuple)]
