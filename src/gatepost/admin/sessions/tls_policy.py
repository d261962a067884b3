"""What would be required of the TLS of mail to a domain, and why: asked the same way as delivery asks it.

What flows through: a domain and the send connector that carries its mail; the mail hosts in the order in which they
would be tried, and for each the demand of `tenancy.tls_policy`. Where it is asked for, an attempt with each host, which
sends no mail. Law: what DNS or a host does is a value in the answer.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gatepost.delivery.next_hops import Target
from gatepost.queue.next_hop import DnsProblem
from gatepost.tenancy.tenant import SendConnector
from gatepost.tenancy.tls_policy import Demand, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a host did."""

    takes_mail: bool
    tls: str | None
    """Protocol; None: none."""
    code: str | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    code: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    host: str
    port: int
    address: str
    """The first that would be dialled."""
    level: str
    source: str
    because: tuple[Step, ...]
    blocked: bool
    """No mail to it, whatever it offers."""
    tlsa: tuple[str, ...]
    names: tuple[str, ...]
    seen: Seen | None
    """None: it was not connected to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicyShown:
    domain: str
    connector: str
    level: str
    source: str
    because: tuple[Step, ...]
    next_hops: tuple[NextHop, ...]

    @property
    def takes_mail(self) -> bool:
        """Some next hop may get mail, as far as is known."""
        return any(each.seen.takes_mail if each.seen else not each.blocked for each in self.next_hops)


Attempt = Callable[[Target, Demand], Awaitable[Seen]]


async def tls_policy(
    domain: str,
    connector: SendConnector,
    targets: Sequence[Target] | DnsProblem,
    demand_of: Callable[[Target], Awaitable[Demand]],
    attempt: Attempt | None,
) -> TlsPolicyShown:
    if isinstance(targets, DnsProblem):
        hops: tuple[NextHop, ...] = ()
        because: tuple[Step, ...] = (Step(code="no-next-hop", says=targets.why),)
    else:
        # Every address of a host has the same demand: the first stands for all.
        first = {(each.host, each.port): each for each in reversed(targets)}
        order = dict.fromkeys((each.host, each.port) for each in targets)
        hops = tuple([await _next_hop(first[key], demand_of, attempt) for key in order])
        because = ()
    chosen = next((hop for hop in hops if not hop.blocked), hops[0] if hops else None)
    return TlsPolicyShown(
        domain=domain,
        connector=f"{connector.tenant}/{connector.name}" if connector.tenant else connector.name,
        level=chosen.level if chosen else connector.tls,
        source=chosen.source if chosen else Source.CONNECTOR,
        because=chosen.because if chosen else because,
        next_hops=hops,
    )


async def _next_hop(
    target: Target, demand_of: Callable[[Target], Awaitable[Demand]], attempt: Attempt | None
) -> NextHop:
    demand = await demand_of(target)
    return NextHop(
        host=target.host,
        port=target.port,
        address=target.address,
        level=demand.level,
        source=demand.source,
        because=tuple(Step(code=code, says=says) for code, says in demand.because),
        blocked=demand.blocked is not None,
        tlsa=tuple(record.kind for record in demand.tlsa),
        names=demand.names,
        seen=await attempt(target, demand) if attempt else None,
    )
