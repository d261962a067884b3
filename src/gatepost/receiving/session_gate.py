"""Who may come in, and who is refused too often: sessions at a time, sessions a minute and refusals, by their source.

Strangers are counted by network (/24, /64), since whoever has one address there has them all; a tenant's own server
(`own_servers`) is counted by its address. Strangers as a whole never use up the places that are reserved for tenants'
own servers, and neither they nor one tenant's servers ever the second half of the reserve (law 6). Where too much was
refused in a minute, a stranger's network waits for the next one; an own server may begin some more sessions, since its
other mail may be good. All counts are of one listener and worker. What is refused over and over is told a few times,
then counted; whoever is turned away over and over hears it a second or two later, so that coming again costs it more
than us. No two hear it in the same moment: they would come again together, and everybody else wait for all of them.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from gatepost.mail.reply import Reply
from gatepost.receiving import replies
from gatepost.receiving.own_servers import OwnServers
from gatepost.tenancy.evidence import Address

_TOLD: Final = 3
"""Sessions of one source turned away for one reason that are told one by one, in a minute."""
_MOST_SUMMARIES: Final = 20
IDLE_COMMANDS: Final = 20
"""Commands without mail that weigh as much as one refusal."""
_SLOW_ANSWERS: Final = 10
"""How many refusals are answered slowly before the session ends."""
_SLOW_ANSWER_S: Final = 1.0
"""At least; at most twice as much."""
_GOLDEN_SECTION: Final = 0.618034
"""Steps of it, without the whole numbers, lie as far from one another as can be, however many they are."""
MOST_OUTSIDE: Final = 500
"""Connections that are kept waiting; a descriptor is all that each of them has."""
_MORE_SESSIONS: Final = 100
"""That an own server may begin in a minute in which too much of it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    sessions: int
    per_address: int
    per_network: int
    """Of strangers, as is `begun_per_minute`."""
    begun_per_minute: int
    reserved: int
    """Of `sessions`, for tenants' own servers."""
    refusals: int
    """In one session, before its answers come slowly."""
    refusals_per_minute: int
    """Of one source."""


@dataclass(slots=True)
class Visitor:
    """A session that was let in."""

    address: str
    network: str
    """Of a stranger."""
    tenant: str | None
    """Whose server it is, or is taken for; None: a stranger."""

    @property
    def source(self) -> str:
        """Whom its excess is counted against."""
        return self.network if self.tenant is None else self.address


class TurnedAway(NamedTuple):
    reply: Reply
    told: bool
    """Whether logs should have it; else it is one of many, which are counted."""
    wait_s: float = 0.0
    """Before it hears so, and may come again: whoever comes all the time is slowed down."""


class Patience(NamedTuple):
    """What a refusal brings beside the refusal."""

    wait_s: float = 0.0
    farewell: Reply | None = None
    """The session ends with it."""


class SessionGate:
    """Counts sessions and refusals of one listener."""

    def __init__(
        self, limits: GateLimits, own: OwnServers, now: Callable[[], float], emit: Callable[..., None]
    ) -> None:
        self._limits = limits
        self._own = own
        self._now = now
        self.emit = emit
        self._open = 0
        self._outside = 0
        """Connections that wait to be turned away."""
        self._spread = 0.0
        """From 0 to 1: where the last slow answer lies among those of its second."""
        self._strangers = 0
        self._by_address: dict[str, int] = {}
        self._by_network: dict[str, int] = {}
        self._by_tenant: dict[str, int] = {}
        self._minute = 0
        self._begun: dict[str, int] = {}
        """In this minute by network, as are the others by source."""
        self._refused: dict[str, int] = {}
        self._begun_since: dict[str, int] = {}
        """By own servers, since too much of them was refused."""
        self._turned_away: Counter[tuple[str, str]] = Counter()

    def enter(self, address: Address) -> Visitor | TurnedAway:
        self.look_at_clock()
        text = str(address)
        tenant = self._own.tenant_at(address, text)
        visitor = Visitor(text, network_of(address) if tenant is None else "", tenant)
        refusal = self._refusal(visitor)
        if refusal is not None:
            reply, limit = refusal
            self._turned_away[limit, visitor.source] += 1
            return self._turned_away_with(reply, self._turned_away[limit, visitor.source] <= _TOLD)
        self._open += 1
        _add(self._by_address, visitor.address)
        if visitor.tenant is None:
            _add(self._begun, visitor.network, 1)
        elif self._is_refused_too_often(visitor):
            _add(self._begun_since, visitor.address, 1)
        self._count(visitor, 1)
        return visitor

    def _turned_away_with(self, reply: Reply, told: bool) -> TurnedAway:
        if told or self._outside >= MOST_OUTSIDE:
            return TurnedAway(reply, told)
        self._outside += 1
        return TurnedAway(reply, told, self._slow_answer_s())

    def _slow_answer_s(self) -> float:
        self._spread = (self._spread + _GOLDEN_SECTION) % 1.0
        return _SLOW_ANSWER_S * (1.0 + self._spread)

    def waited(self) -> None:
        """Somebody who was turned away after a while is gone."""
        self._outside -= 1

    def leave(self, visitor: Visitor) -> None:
        self._open -= 1
        _take_one(self._by_address, visitor.address)
        self._count(visitor, -1)

    def attributed(self, visitor: Visitor, tenant: str) -> None:
        """The session is `tenant`'s own server: it counts as a stranger no longer."""
        self._own.attributed(visitor.address, tenant)
        if visitor.tenant != tenant:
            self._count(visitor, -1)
            visitor.tenant = tenant
            self._count(visitor, 1)

    def refused(self, visitor: Visitor, in_session: int) -> Patience:
        """Some mail of the session was refused, and it is the `in_session`th time."""
        self.look_at_clock()
        _add(self._refused, visitor.source, 1)
        if self._refused.get(visitor.source, 0) > self._limits.refusals_per_minute:
            return Patience(farewell=replies.REFUSED_TOO_OFTEN)
        over = in_session - self._limits.refusals
        if over > _SLOW_ANSWERS:
            return Patience(farewell=replies.TOO_MANY_REFUSALS)
        return Patience(wait_s=self._slow_answer_s() if over > 0 else 0.0)

    def wore_out(self, visitor: Visitor) -> None:
        """The session made too many errors: it counts like one that was refused over and over, so that it is not simply
        begun again."""
        self.look_at_clock()
        _add(self._refused, visitor.source, self._limits.refusals)

    def idled(self, visitor: Visitor, times: int) -> Reply | None:
        """So many times the session said `IDLE_COMMANDS` more without sending mail: each counts as a refusal. What ends
        the session, where that is too many."""
        self.look_at_clock()
        if self._is_refused_too_often(visitor):
            return replies.REFUSED_TOO_OFTEN
        _add(self._refused, visitor.source, times)
        return None

    def look_at_clock(self) -> None:
        """A new minute: what was only counted in the last is told now."""
        minute = int(self._now() // 60)
        if minute == self._minute:
            return
        self._minute = minute
        turned_away, self._turned_away = self._turned_away, Counter()
        self._begun.clear()
        self._refused.clear()
        self._begun_since.clear()
        for (limit, source), count in turned_away.most_common(_MOST_SUMMARIES):
            if count > _TOLD:
                self.emit("turned-away", limit=limit, source=source, sessions=count)

    def _refusal(self, visitor: Visitor) -> tuple[Reply, str] | None:
        limits = self._limits
        if self._by_address.get(visitor.address, 0) >= limits.per_address:
            return replies.TOO_MANY_FROM_ADDRESS, "sessions_per_address"
        may_begin_more = visitor.tenant is not None and self._begun_since.get(visitor.address, 0) < _MORE_SESSIONS
        if self._is_refused_too_often(visitor) and not may_begin_more:
            return replies.REFUSED_TOO_OFTEN, "refusals_per_minute"
        if self._open >= limits.sessions:
            return replies.SESSIONS_FULL, "sessions"
        half = limits.reserved // 2
        only_half_is_left = self._open >= limits.sessions - half
        if visitor.tenant is not None:
            if only_half_is_left and self._by_tenant.get(visitor.tenant, 0) >= half:
                return replies.SESSIONS_FULL, "reserved_sessions"
            return None
        if only_half_is_left or self._strangers >= limits.sessions - limits.reserved:
            return replies.SESSIONS_FULL, "reserved_sessions"
        if self._by_network.get(visitor.network, 0) >= limits.per_network:
            return replies.TOO_MANY_FROM_NETWORK, "sessions_per_network"
        if self._begun.get(visitor.network, 0) >= limits.begun_per_minute:
            return replies.TOO_MANY_IN_A_MINUTE, "sessions_per_minute"
        return None

    def _is_refused_too_often(self, visitor: Visitor) -> bool:
        return bool(self._refused) and self._refused.get(visitor.source, 0) >= self._limits.refusals_per_minute

    def _count(self, visitor: Visitor, change: int) -> None:
        counts, key = (
            (self._by_network, visitor.network) if visitor.tenant is None else (self._by_tenant, visitor.tenant)
        )
        if visitor.tenant is None:
            self._strangers += change
        if change > 0:
            _add(counts, key)
        else:
            _take_one(counts, key)


def network_of(address: Address) -> str:
    """What a stranger has at its disposal: a /24 of IPv4, a /64 of IPv6."""
    if isinstance(address, IPv4Address):
        return f"{str(address).rpartition('.')[0]}.0/24"
    return f"{address.exploded[:19]}::/64"


def _add(counts: dict[str, int], key: str, number: int = 1) -> None:
    counts[key] = counts.get(key, 0) + number


def _take_one(counts: dict[str, int], key: str) -> None:
    """One less; a key whose count is used up is forgotten, so that strangers' addresses do not pile up."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
