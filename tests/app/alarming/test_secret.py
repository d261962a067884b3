"""A secret that others can read, or that is too short, signs nothing."""

from pathlib import Path

import pytest

from gatepost.app.alarming.secret import SecretError, read_secret
from gatepost.config import AlarmConfig


def alarm(file: Path | None) -> AlarmConfig:
    return AlarmConfig(webhook="https://alerts.example.net/", secret_file=file)


def test_a_file_of_its_owner_alone_is_read_without_its_line_break(tmp_path: Path) -> None:
    file = tmp_path / "alarm.secret"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o600)
    assert read_secret(alarm(file)) == b"0123456789abcdef"


@pytest.mark.parametrize(("content", "mode", "says"), [("0" * 32, 0o640, "others"), ("0" * 15 + "\n", 0o600, "short")])
def test_other_files_are_refused_and_not_shown(tmp_path: Path, content: str, mode: int, says: str) -> None:
    file = tmp_path / "alarm.secret"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(SecretError, match=says) as refused:
        read_secret(alarm(file))
    assert "000" not in str(refused.value)


def test_without_a_file_it_is_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEPOST_ALARM_SECRET", "f" * 32)
    assert read_secret(alarm(None)) == b"f" * 32
    monkeypatch.delenv("GATEPOST_ALARM_SECRET")
    with pytest.raises(SecretError, match="secret_file"):
        read_secret(alarm(None))
    with pytest.raises(SecretError, match="cannot be read"):
        read_secret(alarm(tmp_path / "none"))
