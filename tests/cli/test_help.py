"""`gatepost help` prints every page that the program names, and says what there is when asked for another."""

import sys
import zipfile
from pathlib import Path
from subprocess import run

import pytest
from typer.testing import CliRunner

from gatepost.cli.help import help_app
from gatepost.cli.main import main_app
from gatepost.tenancy.reasons import ReasonCode

ROOT = Path(__file__).parents[2]


def page(*arguments: str) -> str:
    result = CliRunner().invoke(help_app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_code_has_its_page(code: ReasonCode) -> None:
    assert page("reason", code).startswith(f"# {code}\n")


def test_a_cause_goes_by_its_name_or_its_number() -> None:
    by_name = page("cause", "mail-loop")
    assert "## How to fix it" in by_name
    assert page("cause", "O03") == page("cause", "o03") == by_name


def test_the_settings_are_there() -> None:
    assert "`hostname`" in page("settings")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ("reason", "conector-disabled"),
            "unknown reason code 'conector-disabled'; did you mean 'connector-disabled'?",
        ),
        (("cause", "A99"), "unknown cause 'A99'"),
        (("cause", "../reasons/index"), "unknown cause '../reasons/index'"),
    ],
)
def test_what_is_not_known_gets_one_line(asked: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(main_app, ["help", *asked])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr


def test_the_wheel_carries_the_pages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    assert {"gatepost/pages/reasons/connector-disabled.md", "gatepost/pages/causes/mail-loop.md"} <= set(inside)
    assert any(name.endswith(".data/data/share/man/man1/gatepost.1") for name in inside)
