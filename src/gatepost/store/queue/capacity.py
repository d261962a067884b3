"""How much there is, and how much room is left: asked by each worker about the whole relay."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from gatepost.store.queue import statements as sql
from gatepost.store.queue.file import open_to_read, reporting


def free_disk(folder: Path) -> int:
    """Octets that this user may still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def disk_size(folder: Path) -> int:
    """Octets of the whole file system."""
    found = os.statvfs(folder)
    return found.f_blocks * found.f_frsize


def recipients_by_tenant(folder: Path) -> Mapping[str | None, int]:
    """In all queue files. Takes some tenths of a second for a million. Raises `StoreError`."""
    counted: Counter[str | None] = Counter()
    for file in sorted(folder.glob("*.sqlite")):
        with reporting(file), closing(open_to_read(file)) as connection:
            for tenant, number in connection.execute(sql.RECIPIENTS_BY_TENANT):
                counted[tenant] += number
    return counted
