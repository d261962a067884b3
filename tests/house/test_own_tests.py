"""Every module has a test of its own, or stands in a list that may only become shorter.

`src/gatepost/queue/retry.py` has `tests/queue/test_retry.py`, or several whose names begin so. What a module does is
then found where one looks for it, and is tried by itself and not only through those that use it.
"""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gatepost"
TESTS = ROOT / "tests"
LIST = Path(__file__).with_name("modules_without_own_test.txt")


def test_modules_without_a_test_of_their_own_become_fewer() -> None:
    listed = set(LIST.read_text("utf-8").split())
    without = {_path(module) for module in SOURCE.rglob("*.py") if not _is_entrance(module) and not _has_own(module)}
    assert without - listed == set(), "a new module begins with a test of its own: tests/FOLDER/test_MODULE.py"
    assert listed - without == set(), f"take these lines out of {LIST.name}"


def _path(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


def _is_entrance(module: Path) -> bool:
    return module.stem in ("__init__", "__main__")


def _has_own(module: Path) -> bool:
    folder = TESTS / module.relative_to(SOURCE).parent
    return any(folder.glob(f"test_{module.stem}.py")) or any(folder.glob(f"test_{module.stem}_*.py"))
