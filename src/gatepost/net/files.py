"""Noticing that a file was replaced, cheaply enough to look often."""

from os import PathLike
from pathlib import Path

FileSignature = tuple[int, int, int]
"""Inode, size and time of change: a file that was written or moved into place differs in one of them."""


def signature(path: str | PathLike[str]) -> FileSignature | None:
    """None: there is no such file, or it may not be looked at."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
