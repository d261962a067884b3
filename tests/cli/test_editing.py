"""How commands show what they read: times with their zone, tables without what nobody sees."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer

from gatepost.cli import context
from gatepost.cli.editing import ago, day_and_time, exit_on_refusal, given, print_table
from gatepost.errors import BadRequest, NotFound


def test_a_time_is_utc_and_says_so_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        at = datetime(2026, 3, 2, 8, 30, tzinfo=timezone(timedelta(hours=9)))
        assert day_and_time(at) == "2026-03-01 23:30Z"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert day_and_time(None) == "never"


@pytest.mark.parametrize(("seconds", "shown"), [(-5, "0s"), (59, "59s"), (61, "1m"), (7300, "2h"), (200_000, "2d")])
def test_an_age_has_its_largest_unit(seconds: int, shown: str) -> None:
    assert ago(datetime.now(UTC) - timedelta(seconds=seconds, milliseconds=500)) == shown


def test_no_line_of_a_table_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ["name", "state"], [["a", ""], ["longer", "on"]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all(line == line.rstrip() for line in lines)


def test_an_empty_option_empties_a_list_and_a_missing_one_leaves_it() -> None:
    assert given(None) is None is given([]) and given([""]) == [] and given(["a", ""]) == ["a"]


@pytest.mark.parametrize(("error", "code"), [(BadRequest("wrong"), context.WRONG_USE), (NotFound("none"), context.NO)])
def test_a_refusal_is_one_line_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, exit_on_refusal():
        raise error
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == f"gatepost: {error}\n"
