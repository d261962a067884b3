"""The token with which the wizard speaks to the relay."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.relay_token import NotedToken, note_token, noted_token, read_token

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("text", "expected"), [("gp_x_y\n", "gp_x_y"), (" gp_x_y", "gp_x_y")])
def test_a_token_is_read_from_its_file(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "token").write_text(text)
    assert read_token(tmp_path / "token") == expected


@pytest.mark.parametrize("text", ["", "two tokens", "tokén"])
def test_a_file_that_holds_no_token_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(UnusableFile, match="token"):
        read_token(tmp_path / "token")
    with pytest.raises(UnusableFile, match="No such file"):
        read_token(tmp_path / "none")


def test_what_is_noted_is_found_again_and_nothing_is_no_error(tmp_path: Path) -> None:
    folder = tmp_path / "hybrid"
    assert noted_token(folder) is None
    who = {"token": "t1", "scopes": ["read", "renew"], "created_at": AT.isoformat(), "expires_at": None}
    assert (
        note_token(folder, who)
        == noted_token(folder)
        == NotedToken(id="t1", expires_at=None, created_at=AT, renewable=True)
    )
    (folder / "token.json").write_text("{}")
    assert noted_token(folder) is None


def test_a_relay_of_a_version_before_says_less(tmp_path: Path) -> None:
    ends = AT + timedelta(days=1)
    noted = note_token(tmp_path, {"token": "t1", "scopes": ["read", "write"], "expires_at": ends.isoformat()})
    assert (noted.expires_at, noted.is_due(AT), noted.is_left_alone(AT)) == (ends, False, False)


@pytest.mark.parametrize(
    ("left", "due", "left_alone"),
    [(timedelta(days=31), False, True), (timedelta(days=29), True, True), (timedelta(days=20), True, False)],
)
def test_a_third_of_its_life_before_the_end_it_is_renewed(left: timedelta, due: bool, left_alone: bool) -> None:
    noted = NotedToken(id="t1", created_at=AT - timedelta(days=90) + left, expires_at=AT + left, renewable=True)
    assert (noted.is_due(AT), noted.is_left_alone(AT)) == (due, left_alone)
