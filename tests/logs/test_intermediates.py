"""Intermediates on disk: written by any worker, read by all, there after a restart, and bounded."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gatepost.logs.intermediates import IntermediateLog, Row, StoredIntermediates
from gatepost.logs.log_writer import LogWriter


def row(number: int, scope: str = "") -> Row:
    return Row(scope, f"cn={number}", b"k", "cn=root", b"r")


def log_at(path: Path, problems: list[str] | None = None, most: int = 100) -> IntermediateLog:
    def bound(rows: Sequence[Row]) -> Sequence[Row]:
        return rows[-most:]

    return IntermediateLog(path, LogWriter((problems if problems is not None else []).append), bound)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "intermediates.sqlite"


def test_what_one_worker_writes_another_reads_when_it_looks(path: Path) -> None:
    reader = StoredIntermediates(path)
    assert reader.changed() is None, "no file yet"
    for number, log in enumerate((log_at(path), log_at(path))):
        log.add(row(number))
        log.flush()
        assert reader.changed() == [row(each) for each in range(number + 1)]
        assert reader.changed() is None
    log.add(row(0))
    log.flush()
    assert StoredIntermediates(path).changed() == [row(0), row(1)], "twice is once, and a new process reads it all"
    reader.close()


def test_the_oldest_goes_when_there_are_too_many(path: Path) -> None:
    log = log_at(path, most=3)
    for number in range(6):
        log.add(row(number))
        log.flush()
    assert StoredIntermediates(path).changed() == [row(each) for each in range(3, 6)]


def test_a_file_that_cannot_be_used_costs_hints_and_says_so(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    problems: list[str] = []
    log = log_at(path, problems)
    log.add(row(1))
    log.flush()
    assert len(problems) == 1 and "cannot be written" in problems[0]
    assert StoredIntermediates(path).changed() is None
