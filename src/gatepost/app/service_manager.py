"""What systemd learns of this service (sd_notify(3)): that it is ready, reloads, stops, and still works.

Laws: nothing waits for it; started by anything else than systemd, nothing is different.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

_PINGS_IN_TIME: Final = 3
"""One that comes late is no reason to end the service."""


class ServiceManager:
    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@": the abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = _watchdog_s(environment)

    def ready(self, says: str) -> None:
        self._tell("READY=1", f"STATUS={says}")

    def reloading(self) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    async def keep_alive(self, is_live: Callable[[], bool]) -> None:
        """As long as it is live; else systemd ends the service and starts it again."""
        while self._watchdog_s is not None:
            if await asyncio.to_thread(is_live):
                self._tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / _PINGS_IN_TIME)

    def _tell(self, *states: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(states).encode(), self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """None: there is none, or it is another process's."""
    period, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
    if not period.isdecimal() or int(period) == 0 or process not in (None, str(os.getpid())):
        return None
    return int(period) / 1e6
