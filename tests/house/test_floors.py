"""The floors of the house: which package may import which. The rules themselves stand in .importlinter."""

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _rules() -> list[str]:
    rules = ConfigParser()
    rules.read(ROOT / ".importlinter", "utf-8")
    return [rules[section]["name"] for section in rules.sections() if ":contract:" in section]


@pytest.fixture(scope="module")
def verdicts() -> str:
    """What import-linter says about all rules."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


@pytest.mark.parametrize("rule", _rules())
def test_a_floor_uses_only_what_its_rule_allows(rule: str, verdicts: str) -> None:
    assert f"{rule} KEPT" in verdicts, f"the rule '{rule}' of .importlinter is broken:\n{verdicts}"


def test_every_package_stands_on_a_floor() -> None:
    rules = ConfigParser()
    rules.read(ROOT / ".importlinter", "utf-8")
    floors = set(re.split(r"[\s|]+", rules["importlinter:contract:floors"]["layers"].strip()))
    packages = {path.parent.name for path in (ROOT / "src" / "gatepost").glob("*/__init__.py")}
    assert packages <= floors, "give each new package its floor in .importlinter"


def test_every_command_speaks_through_what_makes_foreign_text_visible() -> None:
    spoken = re.compile(r"typer\.echo|(?<![._])print\(|Console\(|sys\.stdout\.write")
    found = [
        f"{file.name}:{number}"
        for file in sorted((ROOT / "src/gatepost/cli").glob("*.py"))
        if file.name not in ("context.py", "console.py", "demo.py")
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if spoken.search(line)
    ]
    assert found == [], "use context.say, context.say_json or context.console()"
