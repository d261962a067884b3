"""Who may come in, and how much: sessions in all and per address, messages and sessions per tenant.

One tenant's flood changes nothing for another (law 6): each count is kept by address or by tenant. All counts are of
one worker.
"""

from dataclasses import dataclass, field

from gatepost.mail.reply import Reply
from gatepost.receiving import replies


@dataclass(slots=True)
class SessionGate:
    """Counts open sessions of one listener."""

    most: int
    most_per_address: int
    open: int = 0
    _by_address: dict[str, int] = field(default_factory=dict)

    def refusal(self, address: str) -> Reply | None:
        if self.open >= self.most:
            return replies.SESSIONS_FULL
        if self._by_address.get(address, 0) >= self.most_per_address:
            return replies.TOO_MANY_FROM_ADDRESS
        return None

    def enter(self, address: str) -> None:
        self.open += 1
        self._by_address[address] = self._by_address.get(address, 0) + 1

    def leave(self, address: str) -> None:
        self.open -= 1
        _take_one(self._by_address, address)


@dataclass(slots=True)
class TenantGate:
    """Counts messages in the running minute and open sessions, tenant by tenant. 0 means no limit."""

    messages_per_minute: int
    sessions: int
    _minute: int = 0
    _messages: dict[str, int] = field(default_factory=dict)
    _open: dict[str, int] = field(default_factory=dict)

    def enter(self, tenant: str) -> bool:
        """A session of `tenant` begins to relay; False: it has too many already."""
        count = self._open.get(tenant, 0)
        if self.sessions and count >= self.sessions:
            return False
        self._open[tenant] = count + 1
        return True

    def leave(self, tenant: str) -> None:
        _take_one(self._open, tenant)

    def come_back_s(self, tenant: str, now: float) -> int | None:
        """Seconds until the next message may come; None: now."""
        if not self.messages_per_minute or self._count(tenant, now) < self.messages_per_minute:
            return None
        return 60 - int(now % 60)

    def count_message(self, tenant: str, now: float) -> None:
        if self.messages_per_minute:
            self._messages[tenant] = self._count(tenant, now) + 1

    def _count(self, tenant: str, now: float) -> int:
        minute = int(now // 60)
        if minute != self._minute:
            self._minute = minute
            self._messages.clear()
        return self._messages.get(tenant, 0)


def _take_one(counts: dict[str, int], key: str) -> None:
    """One less; a key whose count is used up is forgotten, so that strangers' addresses do not pile up."""
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
