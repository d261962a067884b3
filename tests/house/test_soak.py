"""What has two sizes runs in `make soak`, and its small size is always the same."""

from pathlib import Path

import soak

TESTS = Path(__file__).parents[1]


def test_every_file_with_a_large_form_has_tests_that_make_soak_runs() -> None:
    files = [each for each in TESTS.rglob("test_*.py") if "from soak import" in each.read_text("utf-8")]
    assert len(files) > 10
    assert [each.name for each in files if "pytest.mark.soak" not in each.read_text("utf-8")] == []


def test_some_are_drawn_in_their_order_and_always_the_same() -> None:
    cases = [f"case-{number}" for number in range(100)]
    few = soak.some(cases, 5, seed="a seed")
    if not soak.LARGE:
        assert len(few) == 5
        assert few != soak.some(cases, 5, seed="another")
    assert few == sorted(few, key=cases.index) == soak.some(cases, 5, seed="a seed")


def test_all_are_taken_where_there_are_no_more() -> None:
    assert soak.some([1, 2, 3], 5, seed="") == [1, 2, 3]
