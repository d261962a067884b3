"""What is in the repository, and what must not be."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from gatepost import __version__

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"


def _files() -> list[Path]:
    """What git keeps or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _lines_with(pattern: str) -> list[str]:
    found = []
    for path in _files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(pattern, line)
        ]
    return found


# Written in pieces, so that this file does not hold what it looks for.
_HOMES = r"(?<![\w.~<-])/(ro" r"ot|wo" r"rk|Us" r"ers|mn" r"t|ho" r"me/(?!alice/))(/|\b)[\w.-]*/?"
_INDEXES = r"\b(py" r"pi\.org|pythonho" r"sted\.org|registry\.np" r"mjs)|--(extra-)?ind" r"ex-url|--trusted-ho" r"st"
_UNFINISHED = r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"


def test_no_path_of_one_machine_is_kept() -> None:
    assert _lines_with(_HOMES) == []


def test_no_package_index_is_named() -> None:
    assert [line for line in _lines_with(_INDEXES) if not line.startswith("Makefile")] == []


def test_nothing_is_left_for_later() -> None:
    assert _lines_with(_UNFINISHED) == []


@pytest.mark.parametrize("file", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda file: file.name)
def test_every_requirement_is_pinned_with_its_hashes(file: Path) -> None:
    text = file.read_text("utf-8").replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.\[\]-]+==\S+", requirement) and "--hash=sha256:" in requirement, requirement[:80]


def test_the_package_and_its_metadata_agree_on_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


MIRRORLESS = {
    "admin/directory/test_connectors.py",
    "cli/test_directory_commands.py",
    "delivery/test_delivery.py",
    "delivery/test_delivery_tls.py",
    "delivery/test_mx_delivery.py",
    "delivery/test_notification_delivery.py",
    "smtp/test_cutting.py",
    "smtp/test_dialogues.py",
    "tenancy/test_memory_directory.py",
}
"""Test files that are about several modules. This set may only shrink: a new test is named after what it tests."""


def test_a_test_file_is_named_after_the_module_it_tests() -> None:
    unnamed = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("test_*.py")
        if path.parent.name not in ("attacks", "end_to_end", "house") and not _mirrors(path)
    }
    assert unnamed - MIRRORLESS == set(), "begin its name with that of the module it tests"
    assert MIRRORLESS - unnamed == set(), "take it out of MIRRORLESS"


def _mirrors(test: Path) -> bool:
    """`test_sqlite_queue_durability.py` mirrors `sqlite_queue.py`, `test_why.py` mirrors `why.py`."""
    beside = test.parent.relative_to(TESTS)
    folders = [ROOT / "src" / "gatepost" / beside] + ([ROOT / beside] if beside.parts[:1] == ("bench",) else [])
    word = test.stem.removeprefix("test_").partition("_")[0]
    return any(module.stem.partition("_")[0] == word for folder in folders for module in folder.rglob("*.[pc]*"))
