"""Every metric that the alert rules, the dashboard and the manual name is there to be read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatepost.app.figures.exposition import exposition
from gatepost.config import Config

ROOT = Path(__file__).parents[3]
RULES = ROOT / "packaging" / "prometheus" / "gatepost.rules.yml"
DASHBOARD = ROOT / "packaging" / "prometheus" / "gatepost.dashboard.json"


def alerts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def expressions() -> Iterator[str]:
    """Every question that is asked of Prometheus."""
    yield from (each["expr"] for each in alerts())
    for panel in dashboard()["panels"]:
        yield from (each["expr"] for each in panel.get("targets", ()))


def exposed(config: Config) -> dict[str, set[str]]:
    """By metric, its labels."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(gatepost_\w+)(?:\{(.*)\})? ", exposition(config).decode(), re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


@pytest.mark.parametrize("page", ["docs/reference/metrics.md", RULES, DASHBOARD])
def test_each_metric_that_is_named_is_exposed(installed: Config, page: str | Path) -> None:
    exposed = set(re.findall(r"^# TYPE (\w+)", exposition(installed).decode(), re.MULTILINE))
    named = set(re.findall(r"\bgatepost_[a-z_]+", (ROOT / page).read_text("utf-8")))
    assert named and {each.removesuffix("_bucket") for each in named} <= exposed


def test_each_label_that_is_asked_for_is_one_of_its_metric(installed: Config) -> None:
    # `prospects` has no series where nothing ends.
    there = {**exposed(installed), "gatepost_prospects": {"tenant", "code", "within_days"}}
    asked = 0
    for expression in expressions():
        for name, chosen in re.findall(r"(gatepost_\w+)(?:\{([^}]*)\})?", expression):
            labels = set(re.findall(r"(\w+)(?:=~|!=|=|!~)", chosen)) - {"job", "instance"}
            assert labels <= there[name], expression
            asked += len(labels)
    assert asked > 5


def test_every_metric_but_the_version_of_the_directory_is_on_the_dashboard_or_in_an_alert(installed: Config) -> None:
    families = set(re.findall(r"^# TYPE (\w+)", exposition(installed).decode(), re.MULTILINE))
    asked = set(re.findall(r"\bgatepost_[a-z_]+", " ".join([*expressions(), DASHBOARD.read_text("utf-8")])))
    assert families - {each.removesuffix("_bucket") for each in asked} == {"gatepost_directory_version"}


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len({each["alert"] for each in alerts()}) == len(alerts()) >= 10
    manual = (ROOT / "docs/howto/monitor-the-relay.md").read_text("utf-8")
    for each in alerts():
        assert each["labels"]["severity"] in ("warning", "critical")
        assert each["annotations"]["summary"].endswith(".") and each["annotations"]["action"]
        assert f"`{each['alert']}`" in manual


def test_the_dashboard_can_be_imported_wherever_it_is() -> None:
    found = dashboard()
    assert (found["uid"], found["id"]) == ("gatepost", None)
    assert found["schemaVersion"] >= 36
    assert [each["name"] for each in found["__inputs"]] == ["DS_PROMETHEUS"]
    assert [each["name"] for each in found["templating"]["list"]] == ["job", "instance"]
    panels = found["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    for panel in [*found["templating"]["list"], *(each for each in panels if each["type"] != "row")]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    for panel in (each for each in panels if each["type"] != "row"):
        assert panel["targets"] and panel["title"]
        for target in panel["targets"]:
            assert 'job=~"$job",instance=~"$instance"' in target["expr"], panel["title"]


def test_no_two_panels_lie_over_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
