"""systemd learns what the service does, and nothing else changes without it."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.app.service_manager import ServiceManager


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def environment(systemd: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": systemd.getsockname(), **more}


def test_each_state_is_one_datagram(systemd: socket.socket) -> None:
    manager = ServiceManager(environment(systemd))
    manager.ready("2 workers")
    manager.reloading()
    manager.stopping()
    assert systemd.recv(1000) == b"READY=1\nSTATUS=2 workers"
    assert systemd.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert systemd.recv(1000) == b"STOPPING=1"


def test_an_abstract_address_is_one(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{tmp_path}")
        sock.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": f"@{tmp_path}"}).stopping()
        assert sock.recv(100) == b"STOPPING=1"


def test_the_watchdog_hears_of_what_is_live_and_of_nothing_else(systemd: socket.socket) -> None:
    manager = ServiceManager(environment(systemd, WATCHDOG_USEC="30000", WATCHDOG_PID=str(os.getpid())))
    asked: list[bool] = []

    def is_live() -> bool:
        asked.append(len(asked) == 1)
        return asked[-1]

    async def story() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await manager.keep_alive(is_live)

    asyncio.run(story())
    assert len(asked) > 2 and systemd.recv(100) == b"WATCHDOG=1"
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


@pytest.mark.parametrize("more", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}])
def test_without_a_watchdog_of_ours_there_is_nothing_to_do(more: dict[str, str]) -> None:
    asyncio.run(ServiceManager(more).keep_alive(lambda: pytest.fail("nobody asks")))


def test_nobody_listening_changes_nothing(tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "gone")):
        ServiceManager({"NOTIFY_SOCKET": address}).ready("x")
