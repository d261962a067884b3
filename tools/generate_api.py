"""Writes the table of routes into docs/reference/api.md from the OpenAPI document: `python tools/generate_api.py`.

tests/house/test_documented.py compares the two, so that no route goes without its line.
"""

from pathlib import Path
from typing import Any

from gatepost.api.application import document

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"

_HEADING = "## Routes\n\n"


def page() -> str:
    head, _, _ = PAGE.read_text("utf-8").partition(_HEADING)
    return head + _HEADING + table()


def table() -> str:
    rows = [
        f"| `{method.upper()} {path}` | {operation['description'].splitlines()[0]} |"
        for path, operations in document()["paths"].items()
        for method, operation in _in_order(operations)
    ]
    return "| route | what it does |\n|---|---|\n" + "\n".join(rows) + "\n"


def _in_order(operations: dict[str, Any]) -> list[tuple[str, Any]]:
    order = ["get", "put", "patch", "post", "delete"]
    return sorted(operations.items(), key=lambda each: order.index(each[0]))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
