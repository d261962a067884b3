"""No regular expression of the source can be made to take more than linear time by what it reads.

Judged by structure (`pattern_growth.py`), so that a new pattern is found before somebody else finds what it costs; the
run with hostile texts is `tests/attacks/test_patterns.py`.
"""

import pytest

from house.pattern_growth import degree, growth
from house.patterns import every_pattern

OWN_TEXTS = {"demo/hosts.py", "demo/processes.py", "logs/log_series.py"}
"""Their patterns are made in a run, and read what Gatepost itself wrote: the demonstration's files, log file names."""

COMPUTED = {"doctor/moments.py", "doctor/readers/prose.py", "doctor/sentences.py"}
"""What they compile in a loop is found among their values, or in the table that they read."""

LARGE = 200
"""A repeat of up to so many is free to fail often."""


def test_every_regular_expression_of_the_source_is_found() -> None:
    unknown = {each.where.partition(":")[0] for each in every_pattern() if each.pattern is None}
    assert unknown <= OWN_TEXTS | COMPUTED
    found = {each.where.partition(":")[0] for each in every_pattern() if each.pattern and each.where[-1].isalpha()}
    assert found >= COMPUTED
    assert len(every_pattern()) > 500


def test_every_pattern_reads_a_text_in_linear_time() -> None:
    wrong = []
    for each in every_pattern():
        if each.pattern is None:
            continue
        how = {"searching": each.searching, "whole": each.whole}
        if growth(each.pattern, each.flags, **how) != "linear":
            wrong.append(f"{each.where}: {each.pattern}: bound its repeats, such as \\s{{0,40}} for \\s*")
        elif degree(each.pattern, each.flags, **how, large=LARGE) > 2:
            wrong.append(f"{each.where}: {each.pattern}: several large repeats that read the same: lower their bounds")
    assert wrong == []


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
