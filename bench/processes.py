"""The CPU time of a server: all its processes, those that have ended included."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """User and system time of a process, its descendants, and all their descendants that ended and were waited for."""
    stats = _stats()
    return sum(stats[pid][1] for pid in _family(root, stats) if pid in stats) / _TICKS


def descendants(root: int) -> set[int]:
    """A process and all that it started, directly or not, and that run now."""
    return _family(root, _stats())


def _family(root: int, stats: dict[int, tuple[int, int]]) -> set[int]:
    family = {root}
    grown = True
    while grown:
        children = {pid for pid, stat in stats.items() if stat[0] in family}
        grown = not children <= family
        family |= children
    return family


def machine_cpu_seconds() -> float:
    """Of everything on this machine, since it started; idle time and time waiting for the disk do not count."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split("\n")[0].split()[1:8]
    return sum(map(int, (user, nice, system, *interrupts))) / _TICKS


def _stats() -> dict[int, tuple[int, int]]:
    """Of every process: its parent, and its ticks with those of children waited for."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            # The name may hold anything, a closing parenthesis too: fields count from the last one.
            fields = text[text.rindex(")") + 2 :].split()
            found[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return found
