"""Names and labels are a contract; none holds what tenants or strangers choose."""

import re
from pathlib import Path

from gatepost.app.figures.definitions import COUNTERS, HISTOGRAMS, series_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def test_names_are_as_prometheus_has_them() -> None:
    assert all(re.fullmatch(r"gatepost_[a-z_]+_total", each.name) for each in COUNTERS)
    assert all(re.fullmatch(r"gatepost_[a-z_]+_(seconds|size)", each.name) for each in HISTOGRAMS)
    assert all(list(each.bounds) == sorted(each.bounds) for each in HISTOGRAMS)


def test_every_series_has_a_value_for_each_label_and_there_are_few() -> None:
    for counter in COUNTERS:
        series = series_of(counter, ["127.0.0.1:25", "[::]:25"])
        assert all(len(values) == len(counter.labels) for values in series)
        assert len(set(series)) == len(series) < 200
        assert not {"tenant", "address", "domain", "connector"} & set(counter.labels)


def test_every_metric_has_its_row_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    for each in (*COUNTERS, *HISTOGRAMS):
        assert f"| `{each.name}` |" in page, each.name
