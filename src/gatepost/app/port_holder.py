"""Who listens on a TCP port of this machine, as the kernel tells it (proc(5), /proc/net/tcp).

Names of other users' programs are known to root alone; for others a port is in use by somebody.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTEN = "0A"
"""The state of a listening socket, in hexadecimal."""


def port_holder(port: int) -> str | None:
    """`master (process 1008)`: the programs that listen on `port` at any address; None where they are not known."""
    found = {name: number for number, name in _processes(port)}
    return ", ".join(f"{name} (process {number})" for name, number in sorted(found.items())) or None


def holders_files(port: int) -> list[list[Path]]:
    """What the processes that listen on `port` have open, as far as it may be seen; one list a process."""
    return [_files(number) for number, _ in _processes(port)]


def _files(process: int) -> list[Path]:
    found = []
    with suppress(OSError):
        for each in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                found.append(each.readlink())
    return found


def _processes(port: int) -> Iterator[tuple[int, str]]:
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    return _processes_with(sockets) if sockets else iter(())


def _listening(port: int) -> Iterator[str]:
    """Inodes of listening sockets."""
    for table in _TABLES:
        try:
            rows = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, local, _, state, *others = row.split()
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                yield others[5]


def _processes_with(sockets: set[str]) -> Iterator[tuple[int, str]]:
    """The newest first, so that of several processes of one program the oldest is named."""
    processes = sorted((int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()), reverse=True)
    for number in processes:
        try:
            if any(str(each.readlink()) in sockets for each in Path(f"/proc/{number}/fd").iterdir()):
                yield number, Path(f"/proc/{number}/comm").read_text("utf-8", "replace").strip()
        except OSError:
            continue  # It has ended, or is another user's.
