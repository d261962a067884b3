"""Where a trace is, and what is said of a file that is none."""

from datetime import date
from pathlib import Path

import pytest

from gatepost.store.trace.day_file import DamagedFile, damaged_files, day_file, files_in, open_to_read, open_to_write

DAY = date(2026, 12, 1)


def test_files_are_listed_by_day_and_what_is_none_is_not(tmp_path: Path) -> None:
    made = [
        day_file(tmp_path, share, day, worker)
        for share, day, worker in (("tenants", DAY, 1), ("strangers", date(2026, 11, 30), 0))
    ]
    for file in made:
        open_to_write(file).close()
    for name in ("notes.txt", "20261399-w0-1.sqlite", "x-w0-1.sqlite"):
        (tmp_path / "tenants" / name).touch()
    assert files_in(tmp_path) == made[::-1]
    assert [file.began_at for file in files_in(tmp_path)] == [1796083200.0 - 86400, 1796083200.0]


@pytest.mark.parametrize("octets", [b"x" * 5000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_none_of_ours_is_damaged_in_one_line(tmp_path: Path, octets: bytes) -> None:
    file = day_file(tmp_path, "tenants", DAY, 0)
    file.path.parent.mkdir()
    file.path.write_bytes(octets)
    for open_it in (open_to_read, open_to_write):
        with pytest.raises(DamagedFile, match=str(file.path)) as told:
            open_it(file)
        assert "\n" not in str(told.value)


def test_what_is_damaged_is_listed_and_what_is_whole_or_being_made_is_not(tmp_path: Path) -> None:
    whole, half, foreign, empty = (day_file(tmp_path, "tenants", DAY, worker) for worker in range(4))
    for file in (whole, half):
        open_to_write(file).close()
    half.path.write_bytes(half.path.read_bytes()[:5000])
    foreign.path.write_bytes(b"x" * 5000)
    empty.path.touch()
    found = damaged_files(tmp_path)
    assert [line.partition(" ")[0] for line in found] == [str(half.path), str(foreign.path)]
    assert damaged_files(tmp_path / "none") == []


def test_an_empty_file_of_a_crash_is_damaged_to_readers_and_begun_by_its_writer(tmp_path: Path) -> None:
    file = day_file(tmp_path, "tenants", DAY, 0)
    file.path.parent.mkdir()
    file.path.touch()
    with pytest.raises(DamagedFile):
        open_to_read(file)
    open_to_write(file).close()
    open_to_read(file).close()


def test_a_file_goes_with_its_log(tmp_path: Path) -> None:
    file = day_file(tmp_path, "tenants", DAY, 0)
    connection = open_to_write(file)
    assert file.is_open and file.size > 0
    file.remove()
    connection.close()
    assert list(file.path.parent.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        open_to_read(file)
