"""Every metric that the alert rules and the manual name is there to be read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatepost.app.figures.exposition import exposition
from gatepost.config import Config

ROOT = Path(__file__).parents[3]
RULES = ROOT / "packaging" / "prometheus" / "gatepost.rules.yml"


def alerts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    return found


@pytest.mark.parametrize("page", ["docs/howto/monitor-the-relay.md", "docs/reference/metrics.md", RULES])
def test_each_metric_that_is_named_is_exposed(installed: Config, page: str | Path) -> None:
    exposed = set(re.findall(r"^# TYPE (\w+)", exposition(installed).decode(), re.MULTILINE))
    named = set(re.findall(r"\bgatepost_[a-z_]+", (ROOT / page).read_text("utf-8")))
    assert {each.removesuffix("_bucket") for each in named} <= exposed


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len({each["alert"] for each in alerts()}) == len(alerts()) >= 8
    for each in alerts():
        assert each["labels"]["severity"] in ("warning", "critical")
        assert each["annotations"]["summary"].endswith(".") and each["annotations"]["action"]
