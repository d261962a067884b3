"""What a run found: figures beside the bars they have to meet, kept as JSON with the facts of the machine."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import ROOT, facts
from processes import machine_cpu_seconds
from tools import BUILD

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure. `most` is the bar: what it may be at most; None where there is none."""

    about: str
    figure: float
    unit: str
    most: float | None = None

    @property
    def met(self) -> bool:
        return self.most is None or self.figure <= self.most

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.met}


def common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=BUILD, help="where data lies, so which disk is measured")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the results file goes")


class Clock:
    """How long a run took, and how many processors were busy in it, whoever kept them so."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)
        self._cpu = machine_cpu_seconds()

    def summary(self) -> dict[str, float]:
        seconds = (datetime.now(UTC) - self.at).total_seconds()
        return {"seconds": round(seconds, 1), "busy_cores": round((machine_cpu_seconds() - self._cpu) / seconds, 2)}


def keep(what: str, clock: Clock, options: argparse.Namespace, found: Mapping[str, Any]) -> Path:
    """Writes `WHAT-TIME.json` into the folder of results."""
    head = {"what": what, "at": clock.at.isoformat(timespec="seconds"), "command": " ".join(["python", *sys.argv])}
    head |= {"machine": facts(options.folder), "run": clock.summary()}
    path: Path = options.results / f"{what}-{clock.at:%Y-%m-%dT%H%M%SZ}.json"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({**head, **found}, indent=1) + "\n")
    return path


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def table(findings: list[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = ["| | figure | bar |", "|---|---|---|"]
    for each in findings:
        bar = "" if each["most"] is None else f"at most {_number(each['most'])} {each['unit']}"
        met = "" if each["met"] else ": **not met**"
        lines.append(f"| {each['about']} | {_number(each['figure'])} {each['unit']} | {bar}{met} |")
    return "\n".join(lines)


def _number(figure: float) -> str:
    if figure >= 100 or figure == int(figure):
        return f"{figure:,.0f}"
    return f"{figure:.2f}" if figure < 10 else f"{figure:.1f}"
