"""The command line's root: completion by the shell, and the man page that the wheel carries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gatepost ten", ["tenant"]),
        ("gatepost tenant ", ["add", "set", "list", "show", "remove"]),
        ("gatepost queue list --sen", ["--sender"]),
    ],
)
def test_the_shell_completes_commands_and_options(words: str, expected: list[str]) -> None:
    position = str(len(words.split()) - (not words.endswith(" ")))
    asked = {"_GATEPOST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": position}
    program = "import sys; sys.argv = ['gatepost']; from gatepost.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **asked},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == expected, done.stderr
