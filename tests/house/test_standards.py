"""docs/standards.tsv lists every standard the code cites, and says how far it is kept."""

import csv
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_SOURCE = _ROOT / "src" / "gatepost"
_CITATION = re.compile(r"\bRFC (\d+)")


def _rows() -> list[dict[str, str]]:
    with (_ROOT / "docs" / "standards.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _cited() -> dict[int, str]:
    """Each cited RFC, and one file that cites it."""
    files = [path for path in sorted(_SOURCE.rglob("*")) if path.suffix in (".py", ".sql")]
    return {
        int(number): str(path.relative_to(_ROOT))
        for path in files
        for number in _CITATION.findall(path.read_text("utf-8"))
    }


def test_every_cited_rfc_is_listed() -> None:
    listed = {int(row["rfc"]) for row in _rows()}
    missing = {number: path for number, path in _cited().items() if number not in listed}
    assert missing == {}, "add a row to docs/standards.tsv for each of these"


def test_every_row_says_what_is_supported_where() -> None:
    for row in _rows():
        assert row["status"] in ("supported", "partly", "refused"), row
        assert row["title"] and row["note"], row
        for place in row["where"].split(", "):
            assert (_SOURCE / place).exists(), f"RFC {row['rfc']}: src/gatepost/{place} does not exist"


def test_rows_stand_in_order_once() -> None:
    numbers = [int(row["rfc"]) for row in _rows()]
    assert numbers == sorted(set(numbers))
