"""Counting instructions: the worker's own totals are read, and the waits that are lengthened exist."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
sys.path.append(str(Path(__file__).resolve().parents[2] / "interop"))
sys.path.append(str(Path(__file__).resolve().parents[2] / "bench" / "under_valgrind"))

from instructions import _line, _totals
from lengthened_waits import WAITS
from tools import BenchError


def test_the_worker_is_counted_thread_by_thread_and_no_other_process(tmp_path: Path) -> None:
    (tmp_path / "counts.17").write_text("totals: 1\n")
    (tmp_path / "counts.17-01").write_text("fn=(1)\ntotals: 2500000\n")
    (tmp_path / "counts.17-03").write_text("fn=(1)\ntotals: 500000\n")
    (tmp_path / "counts.18-01").write_text("totals: 9\n")
    totals = _totals(tmp_path, "17")
    assert totals == {"1": 2_500_000, "3": 500_000}
    assert _line("plain-new", {thread: total / 1e6 for thread, total in totals.items()}) == (
        "plain-new       3.000 million instructions a message (thread 1 2.500, thread 3 0.500)"
    )


@pytest.mark.parametrize("left", [{}, {"counts.17-01": "fn=(1)\n"}])
def test_a_worker_without_whole_counts_is_one_line(tmp_path: Path, left: dict[str, str]) -> None:
    for name, text in left.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BenchError):
        _totals(tmp_path, "17")


def test_every_wait_that_is_lengthened_is_one_of_the_program() -> None:
    for name, waits in WAITS.items():
        module = import_module(name)
        assert all(isinstance(getattr(module, wait), float) for wait in waits), name
