"""How often the doctor is right on cases from the field: the cause, and apart from it the repair.

What flows: a folder of cases, each with its evidence and `expect.yaml` (cause, accept, ceiling, and patterns of the
repair, of which one must be found in it: `field/README.md`). The first collection keeps its patterns in `repair.yaml`,
the fourth and fifth in a list `fix` with `must_not` beside it; every one of theirs must be found. Law: a case is
changed only where it is wrong about the world, never because the doctor fails on it.

Run `python tests/doctor/field_score.py [FOLDER]`; with `--sealed` the sums of the cases that nobody who writes checks
has read, and nothing else of them.
"""

import re
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml

from gatepost.doctor.diagnosis import Diagnosis, diagnose
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Finding
from gatepost.doctor.reading import read_files

FIELD: Final = Path(__file__).parent / "field"
ABOUT_A_CASE: Final = ("expect.yaml", "repair.yaml")
_SURENESS: Final = ("low", "medium", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    case: str
    cause: bool
    repair: bool
    wrongly_high: bool
    got: str
    failed: str
    """How: in the cause, else in the repair; or empty."""


def cases_of(folder: Path) -> list[Path]:
    """Every folder below `folder` that holds a case."""
    return sorted(each.parent for each in folder.rglob("expect.yaml"))


def evidence_of(case: Path) -> EvidenceBundle:
    return read_files([each for each in sorted(case.iterdir()) if each.name not in ABOUT_A_CASE])


def scored(case: Path, diagnosis: Diagnosis) -> Score:
    expected = yaml.safe_load((case / "expect.yaml").read_text("utf-8"))
    expected = expected.get("expect", expected)
    demanded, patterns = any, expected
    if isinstance(expected.get("fix"), list):
        demanded, patterns = all, {"fix_patterns": expected["fix"], "never_patterns": expected.get("must_not")}
    if (case / "repair.yaml").exists():
        demanded, patterns = all, yaml.safe_load((case / "repair.yaml").read_text("utf-8"))
    first = diagnosis.findings[0] if diagnosis.findings else None
    causes = {str(expected["cause"]), *map(str, expected.get("accept") or ())}
    right = _names_cause(first, causes)
    ceiling = str(expected.get("ceiling", "high")).split()[0].strip(",;")
    within = first is None or _SURENESS.index(first.confidence) <= _SURENESS.index(ceiling)
    holds, forbids = _repairs(diagnosis, patterns, demanded, unknown="none" in causes)
    return Score(
        case=case.name,
        cause=right and within,
        repair=right and within and holds and not forbids,
        wrongly_high=first is not None and first.confidence == "high" and not right,
        got=f"{','.join(first.catalogue) or first.rule} {first.confidence}" if first else "silent",
        failed=_how(first, right=right, within=within, holds=holds, forbids=forbids),
    )


def _how(first: Finding | None, *, right: bool, within: bool, holds: bool, forbids: bool) -> str:
    if not right:
        return "silent" if first is None else "unsure" if first.confidence == "low" else "other cause"
    if not within:
        return "too sure"
    if holds and not forbids:
        return ""
    return "forbidden repair" if forbids else "incomplete repair" if first and first.fix else "no repair"


def _names_cause(first: Finding | None, causes: set[str]) -> bool:
    if first is None or first.confidence == "low":
        return "none" in causes
    return bool(causes & set(first.catalogue))


def _repairs(
    diagnosis: Diagnosis,
    patterns: dict[str, Sequence[str]],
    demanded: Callable[[Iterable[bool]], bool],
    *,
    unknown: bool,
) -> tuple[bool, bool]:
    """Whether the patterns hold in the commands of the first finding and of those it needs beside it (where the
    evidence leaves the cause open, in what the report asks for), and whether a forbidden one does in anything that it
    tells to do or in the title of what it found."""
    wanted = "\n".join(fix.command for each in _together(diagnosis) for fix in each.fix)
    if unknown:
        wanted = "\n".join((wanted, *diagnosis.missing))
    advised = "\n".join(f"{each.title}\n" + "\n".join(fix.command for fix in each.fix) for each in diagnosis.findings)
    flags = re.IGNORECASE | re.MULTILINE | re.DOTALL
    required = patterns.get("fix_patterns") or ()
    holds = not required or demanded(bool(re.search(each, wanted, flags)) for each in required)
    return holds, any(re.search(each, advised, flags) for each in patterns.get("never_patterns") or ())


def _together(diagnosis: Diagnosis) -> list[Finding]:
    if not diagnosis.findings:
        return []
    first = diagnosis.findings[0]
    beside = set(getattr(first, "together_with", ()))
    return [first, *(each for each in diagnosis.findings[1:] if each.rule in beside)]


def main(folders: Sequence[Path]) -> None:
    scores = _scores(folders)
    for each in scores:
        marks = f"{'cause ' if each.cause else '  -   '}{'repair' if each.repair else '  -   '}"
        print(f"{each.case:<24}{marks}  {each.got}{'  WRONGLY HIGH' if each.wrongly_high else ''}")
    _print_sums("", scores)


def sealed() -> None:
    for each in sorted(FIELD.glob("sealed*.tar.xz")):
        with TemporaryDirectory() as folder, tarfile.open(each) as archive:
            archive.extractall(folder, filter="data")
            for collection in sorted(Path(folder).iterdir()):
                _print_sums(f"{collection.name}: ", _scores([collection]))


def _scores(folders: Sequence[Path]) -> list[Score]:
    return [scored(case, diagnose(evidence_of(case))) for folder in folders for case in cases_of(folder)]


def _print_sums(title: str, scores: Sequence[Score]) -> None:
    causes, repairs = sum(each.cause for each in scores), sum(each.repair for each in scores)
    high = sum(each.wrongly_high for each in scores)
    print(f"{title}cause {causes} of {len(scores)}, repair {repairs} of {len(scores)}, wrongly high {high}")
    failed = Counter(each.failed for each in scores if each.failed)
    if failed:
        print("    " + ", ".join(f"{how} {count}" for how, count in failed.most_common()))


if __name__ == "__main__":
    if "--sealed" in sys.argv:
        sealed()
    else:
        main([Path(each) for each in sys.argv[1:]] or [FIELD])
