"""No regular expression of the source can be made to take more than linear time by what it reads.

Judged by structure (`pattern_growth.py`), so that a new pattern is found before somebody else finds what it costs; the
run with hostile texts is `tests/attacks/test_patterns.py`.
"""

import sys
from hashlib import sha256
from pathlib import Path

import pytest

from house import pattern_growth
from house.pattern_growth import degree, growth
from house.patterns import Applied, every_pattern

OWN_TEXTS = {"demo/hosts.py", "demo/processes.py", "logs/log_series.py"}
"""Their patterns are made in a run, and read what Gatepost itself wrote: the demonstration's files, log file names."""

COMPUTED = {"doctor/moments.py", "doctor/readers/prose.py", "doctor/sentences.py"}
"""What they compile in a loop is found among their values, or in the table that they read."""

JUDGED = "gatepost/patterns"
LARGE = 200
"""A repeat of up to so many is free to fail often."""


def test_every_regular_expression_of_the_source_is_found() -> None:
    unknown = {each.where.partition(":")[0] for each in every_pattern() if each.pattern is None}
    assert unknown <= OWN_TEXTS | COMPUTED
    found = {each.where.partition(":")[0] for each in every_pattern() if each.pattern and each.where[-1].isalpha()}
    assert found >= COMPUTED
    assert len(every_pattern()) > 500


def test_every_pattern_reads_a_text_in_linear_time(pytestconfig: pytest.Config) -> None:
    known, judged = _judged_before(pytestconfig), {}
    wrong = []
    for each in every_pattern():
        if each.pattern is None:
            continue
        of = repr((each.pattern, each.flags, each.searching, each.whole))
        judged[of] = fault = known[of] if of in known else _fault(each)
        if fault:
            wrong.append(f"{each.where}: {each.pattern}: {fault}")
    pytestconfig.cache.set(JUDGED, {"by": _judge(), "faults": judged})
    assert wrong == []


def _fault(of: Applied) -> str | None:
    assert of.pattern is not None
    how = {"searching": of.searching, "whole": of.whole}
    if growth(of.pattern, of.flags, **how) != "linear":
        return "bound its repeats, such as \\s{0,40} for \\s*"
    if degree(of.pattern, of.flags, **how, large=LARGE) > 2:
        return "several large repeats that read the same: lower their bounds"
    return None


def _judged_before(config: pytest.Config) -> dict[str, str | None]:
    """A pattern's fault depends on it and on who judges alone; to judge all takes ten seconds."""
    before = config.cache.get(JUDGED, {})
    return before["faults"] if before.get("by") == _judge() else {}


def _judge() -> str:
    files = (Path(__file__), Path(pattern_growth.__file__))
    return sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()


@pytest.mark.parametrize(
    ("pattern", "how", "expected"),
    [
        (r"(a+)+b", {}, "exponential"),
        (r"(?:a|a)*c", {"searching": False}, "exponential"),
        (r"(?:\w{1,40}){1,40}b", {}, "exponential"),
        (r"(?:a?b?)*c", {"searching": False}, "exponential"),
        (r"(?:a|b)*c", {"searching": False}, "linear"),
        (r"(?:\w+\.)*\w+@", {"searching": False}, "linear"),
        (r"\d+\d*x", {"searching": False}, "polynomial"),
        (r"\s*\w*\s*\w*x", {"searching": False}, "polynomial"),
        (r"a*a*", {"searching": False}, "linear"),
        (r"a*a*", {"searching": False, "whole": True}, "polynomial"),
        (r"\[(?P<host>\S+) \S+Z (?P<session>[0-9A-F]{16})\]", {}, "polynomial"),
        (r"\[(?P<host>[^\s\[\]]{1,255}) [0-9T:.-]{1,32}Z (?P<session>[0-9A-F]{16})\]", {}, "linear"),
        (r"From: .*", {}, "linear"),
        (r"From: .*x", {}, "polynomial"),
        (r"(?m)^From: .*x", {}, "linear"),
        (r"\w+@", {}, "polynomial"),
        (r"\b\w+@", {}, "linear"),
        (r"(?<![\w.])[\w.]+@", {}, "linear"),
        (r"(?=.*x)a", {}, "polynomial"),
        (r"a(?:[ac]*x)?", {}, "polynomial"),
    ],
)
def test_growth_is_read_from_the_structure(pattern: str, how: dict[str, bool], expected: str) -> None:
    assert growth(pattern, **how) == expected


def test_several_large_repeats_in_a_row_multiply() -> None:
    assert degree(r"x.{0,2000}y.{0,2000}z", large=LARGE) == 3
    assert degree(r"x[^x]{0,2000}y", large=LARGE) == 1
