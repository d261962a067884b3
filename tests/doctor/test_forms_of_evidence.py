"""Each cause in the forms in which it is brought: objects alone, a refusal alone, words with a fragment.

What flows: `forms/*.txt`, short cases with the cause and a pattern of its repair, through reading and diagnosis. They
show that a kind of evidence is covered, not how often the doctor is right: that the field cases tell.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.finding import Finding
from gatepost.doctor.reading import read_files

FORMS = Path(__file__).parent / "forms"
SURENESS = ("low", "medium", "high")


@dataclass(frozen=True)
class Case:
    name: str
    told: dict[str, str]
    files: tuple[tuple[str, str], ...]


def _cases() -> list[Case]:
    texts = [each.read_text("utf-8") for each in sorted(FORMS.glob("*.txt"))]
    return [_case(block) for text in texts for block in re.split(r"^@@ ", text, flags=re.MULTILINE)[1:]]


def _case(block: str) -> Case:
    head, *files = re.split(r"^>> ", block, flags=re.MULTILINE)
    name, *told = head.splitlines()
    pairs = dict(line.split(": ", 1) for line in told if ": " in line)
    return Case(name, pairs, tuple((each.partition("\n")[0], each.partition("\n")[2]) for each in files))


CASES = _cases()


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.name)
def test_cause_and_repair_of_each_form(case: Case, tmp_path: Path) -> None:
    paths = [tmp_path / name for name, _ in case.files]
    for path, (_, text) in zip(paths, case.files, strict=True):
        path.write_text(text, "utf-8")
    first = next(iter(diagnose(read_files(paths)).findings), None)
    assert {each.strip() for each in case.told["cause"].split(",")} & _causes_of(first)
    assert first is None or SURENESS.index(first.confidence) <= SURENESS.index(case.told.get("ceiling", "high"))
    commands = "\n".join(fix.command for fix in first.fix) if first else ""
    assert re.search(case.told.get("repair", ""), commands, re.IGNORECASE | re.DOTALL)


def _causes_of(first: Finding | None) -> set[str]:
    return {"none"} if first is None or first.confidence == "low" else set(first.catalogue)
