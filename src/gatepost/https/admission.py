"""What both faces count of a request: from where it comes before it is known who asks, of whom it is after that.

    an address within its rate ─▶ a place while who asks is looked up ─▶ the caller's rate, and for a write the tenant's
    share of the audit ─▶ a place while it is done

Laws: nobody is looked up by the thread that serves everybody; what one tenant does leaves room for another's.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Final, TypeVar

from gatepost.config import HttpsConfig
from gatepost.https.gate import Body, Message, Peer, Receive, must_not_hurry
from gatepost.https.rates import Allotment, Rate
from gatepost.https.slots import Slots

AUDIT_A_DAY: Final = 32 * 1024 * 1024
"""Octets that one tenant may add through one face to the audit, which is never thrown away."""
_LOOK_AT_ONCE: Final = 8

_Secret = TypeVar("_Secret")
_Found = TypeVar("_Found")


class Admission:
    """Of one face. What it counts raises `Problem` for too much."""

    def __init__(self, settings: HttpsConfig, looked_up: str) -> None:
        """`looked_up`: what shows who asks, `token` or `session`."""
        self.audit = Allotment(AUDIT_A_DAY)
        self._body_rate = settings.limits.body_rate
        self._addresses = Rate(settings.requests_per_minute)
        self._callers = Rate(settings.requests_per_minute)
        self._slots = Slots(settings.limits)
        self._looking = ThreadPoolExecutor(_LOOK_AT_ONCE, looked_up)

    def count_address(self, peer: Peer) -> None:
        if not peer.is_operators:
            must_not_hurry(self._addresses.wait_s(peer.key, time.monotonic()), "from this address")

    def count_caller(self, caller: str, by: str) -> None:
        must_not_hurry(self._callers.wait_s(caller, time.monotonic()), by)

    def count_write(self, tenant: str | None) -> None:
        if tenant is not None:
            must_not_hurry(self.audit.wait_s(tenant, time.monotonic()), "that change much, by this tenant")

    def unknown(self, peer: Peer) -> AbstractContextManager[None]:
        """A place for somebody of whom only the address is known."""
        return self._slots.unknown(peer.crowd, are_operators=peer.is_operators)

    def known(self, caller: str, tenant: str | None) -> AbstractContextManager[None]:
        return self._slots.known(caller, tenant)

    async def looked_up(self, peer: Peer, look: Callable[[_Secret], _Found], secret: _Secret) -> _Found:
        with self.unknown(peer):
            return await asyncio.get_running_loop().run_in_executor(self._looking, look, secret)

    def body(self, scope: Message, receive: Receive) -> Body:
        return Body(scope, receive, self._body_rate)
