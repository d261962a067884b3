"""What is looked at in a page: pictures for people, and what axe finds."""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

PICTURES = Path(__file__).parents[1] / "build/browser"
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")

Open = Callable[..., Any]


def serious(page: Any) -> list[str]:
    """What axe finds that keeps people out."""
    page.evaluate(AXE)
    found = page.evaluate("async () => JSON.stringify((await axe.run()).violations)")
    return [
        f"{each['id']}: {node['html'][:150]}"
        for each in json.loads(found)
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
