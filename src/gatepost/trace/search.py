"""What is looked for in a trace, and what a trace store answers. Every store passes the same contract suite.

Laws: a page costs what it shows, whatever else is stored: no count of everything; a part that is damaged is named in
the answer and left out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, NamedTuple, Protocol

from gatepost.errors import GatepostError
from gatepost.trace.story import Item, LaterEvent, Outcome, Received

Share = Literal["tenants", "busy-tenants", "strangers", "busy-strangers"]
"""Whose rows go together: who writes much loses their own oldest days, and nobody else's."""

SHARES: dict[Share, float] = {"tenants": 4 / 8, "busy-tenants": 2 / 8, "strangers": 1 / 8, "busy-strangers": 1 / 8}
"""The part of the octets that each may keep while others need theirs; their sum is 1."""


class OwnDomain(NamedTuple):
    domain: str
    since: float
    """Verified since; earlier mail may have been another's."""
    with_subdomains: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one tenant may see: its own mail, and what was refused of what it can show to be its own."""

    tenant: str
    since: float
    """Seconds since the epoch: an earlier tenant of the name may have had what is older."""
    domains: Sequence[OwnDomain]
    networks: Sequence[IPv4Network | IPv6Network]
    """Of its connectors; here and below: refused mail from there shows domains only."""
    pins: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Every field that is set must hold."""

    scope: Scope | None = None
    """None: the operator, who sees all."""
    id: str | None = None
    """Of one item."""
    session_id: str | None = None
    queue_id: str | None = None
    mail_from: str | None = None
    """A whole address, or empty: the null reverse-path."""
    rcpt_to: str | None = None
    domain: str | None = None
    """Key of the sender's or the recipient's."""
    message_id: str | None = None
    """Without its angle brackets."""
    subject: str | None = None
    """A part of it, in any case."""
    tenant: str | None = None
    address: str | None = None
    certificate: str | None = None
    """SHA-256 of it or of its public key, or one of its names."""
    outcomes: frozenset[Outcome] | None = None
    reason: str | None = None
    since: float | None = None
    until: float | None = None


class Found(NamedTuple):
    items: Sequence[Item]
    """The newest first."""
    next: str | None
    """Where the following page begins; None: this was the last."""
    damaged: Sequence[str]
    """For each part that cannot be read, one line: what, where, what to do."""


class BadPosition(GatepostError):
    """No page begins there."""


class TraceReader(Protocol):
    def search(self, wanted: Wanted, limit: int, after: str | None = None) -> Found:
        """Up to `limit` items, each with where it stands. Raises `BadPosition`."""

    def with_events(self, items: Sequence[Item]) -> Sequence[Item]:
        """The same items, each with all of its events."""

    def oldest(self) -> float | None:
        """How far back it goes, in seconds since the epoch; None: nothing is kept yet."""


class TraceWriter(Protocol):
    def write(
        self,
        share: Share,
        received: Sequence[Received],
        later: Sequence[LaterEvent] = (),
        fresh: Sequence[Received] = (),
    ) -> None:
        """Keep these. What is `fresh` can be found from now on, and is given again once, as `received`, with what
        happened to it first; the writer ends, or 60 seconds go by, and it is kept as it was. A share that has no room
        keeps nothing. Raises `OSError`; then they are lost."""

    def close(self) -> None: ...
