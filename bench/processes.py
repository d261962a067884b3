"""The CPU time of a server: all its processes, those that have ended included."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """User and system time of a process, its descendants, and all their descendants that ended and were waited for."""
    stats = _stats()
    family = [stats[pid] for pid in _family(root, stats) if pid in stats]
    return sum(stat.of_children_s + max(stat.own_s, _scheduled_s(stat.pid)) for stat in family)


def descendants(root: int) -> set[int]:
    """A process and all that it started, directly or not, and that run now."""
    return _family(root, _stats())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stat:
    pid: int
    parent: int
    own_s: float
    of_children_s: float
    """Of those that ended and were waited for."""


def _scheduled_s(pid: int) -> float:
    """What the scheduler gave to the threads that live: exact, where `stat` has whole ticks. A server of many processes
    that have just begun would else seem to need less than it does."""
    try:
        files = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9
    except OSError:
        return 0.0


def _family(root: int, stats: dict[int, _Stat]) -> set[int]:
    family = {root}
    grown = True
    while grown:
        children = {pid for pid, stat in stats.items() if stat.parent in family}
        grown = not children <= family
        family |= children
    return family


def machine_cpu_seconds() -> float:
    """Of everything on this machine, since it started; idle time and time waiting for the disk do not count."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split("\n")[0].split()[1:8]
    return sum(map(int, (user, nice, system, *interrupts))) / _TICKS


def _stats() -> dict[int, _Stat]:
    """Every process there is."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            # The name may hold anything, a closing parenthesis too: fields count from the last one.
            fields = text[text.rindex(")") + 2 :].split()
            own, children = (sum(map(int, fields[first : first + 2])) / _TICKS for first in (11, 13))
            pid = int(entry.name)
            found[pid] = _Stat(pid=pid, parent=int(fields[1]), own_s=own, of_children_s=children)
    return found
