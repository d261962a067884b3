"""From a send connector and a domain to the addresses to dial, in order."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from gatepost.queue.next_hop import DnsProblem, MxRecord, Shuffle, hosts_in_order
from gatepost.tenancy.reach import Reach
from gatepost.tenancy.tenant import SendConnector

SMTP_PORT = 25

# RFC 5321 5.1: the client should try at least two addresses; a domain with very many does not hold us up for ever.
MOST_HOSTS = 10
MOST_TARGETS = 20


class Resolver(Protocol):
    async def mail_hosts(self, domain: str) -> Sequence[MxRecord] | DnsProblem: ...

    async def addresses(self, host: str) -> Sequence[str] | DnsProblem: ...


class Target(NamedTuple):
    """One address of one host."""

    host: str
    address: str
    port: int

    @property
    def endpoint(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def __str__(self) -> str:
        """As outcomes name a next hop."""
        return f"{self.host}[{self.address}]:{self.port}"


async def find_targets(
    connector: SendConnector,
    domain: str,
    resolver: Resolver,
    own_names: Collection[str],
    shuffle: Shuffle,
    reach: Reach,
) -> tuple[Target, ...] | DnsProblem:
    """What to dial for mail to `domain` over `connector`: addresses, so that no later answer of DNS changes what was
    judged here."""
    found = await _found(connector, domain, resolver, own_names, shuffle)
    return found if isinstance(found, DnsProblem) else _within(reach, connector, found)


def _within(reach: Reach, connector: SendConnector, targets: tuple[Target, ...]) -> tuple[Target, ...] | DnsProblem:
    smart = bool(connector.smart_hosts)
    round_trips = {target: reach.leads_back(connector, *target, smart=smart) for target in targets}
    if why := _why_all_lead_back(round_trips):
        return DnsProblem(permanent=not smart, status="4.4.6" if smart else "5.4.6", why=why)
    targets = tuple(target for target, back in round_trips.items() if back is None)
    judged = [
        (target, reach.why_not(connector, target.host, target.address, target.port, smart=smart)) for target in targets
    ]
    allowed = tuple(target for target, why in judged if why is None)
    if allowed:
        return allowed
    why = next(why for _, why in judged if why)
    # A connector can be corrected; a domain whose mail hosts are nobody's takes no mail.
    return DnsProblem(permanent=not smart, status="4.4.4" if smart else "5.4.4", why=why)


def _why_all_lead_back(round_trips: dict[Target, str | None]) -> str | None:
    """RFC 3463 3.5, X.4.6: a routing loop. One host that leads elsewhere is enough to go on."""
    reasons = [why for why in round_trips.values() if why]
    return reasons[0] if len(reasons) == len(round_trips) else None


async def _found(
    connector: SendConnector, domain: str, resolver: Resolver, own_names: Collection[str], shuffle: Shuffle
) -> tuple[Target, ...] | DnsProblem:
    if connector.smart_hosts:
        ports = {smart_host.host: smart_host.port for smart_host in connector.smart_hosts}
        hosts = list(ports)
        shuffle(hosts)
        return await _addresses_of(hosts, ports, resolver, lasting=False)
    if domain.startswith("["):
        # RFC 5321 4.1.3: an address literal is the host itself.
        address = domain.strip("[]").removeprefix("ipv6:").removeprefix("IPv6:")
        return (Target(address, address, SMTP_PORT),)
    records = await resolver.mail_hosts(domain)
    if isinstance(records, DnsProblem):
        return records
    ordered = hosts_in_order(domain, records, own_names, shuffle)
    if isinstance(ordered, DnsProblem):
        return ordered
    # A domain without MX that has no address either cannot get mail; an MX host without one may be mended.
    return await _addresses_of(ordered, {}, resolver, lasting=ordered == (domain,))


async def _addresses_of(
    hosts: Sequence[str], ports: dict[str, int], resolver: Resolver, *, lasting: bool
) -> tuple[Target, ...] | DnsProblem:
    targets: list[Target] = []
    problem: DnsProblem | None = None
    for host in hosts[:MOST_HOSTS]:
        found = await resolver.addresses(host)
        if isinstance(found, DnsProblem):
            problem = problem or found
        else:
            targets += [Target(host, address, ports.get(host, SMTP_PORT)) for address in found]
    if targets:
        return tuple(targets[:MOST_TARGETS])
    assert problem is not None, "there is at least one host"
    if problem.permanent and not lasting:
        return DnsProblem(permanent=False, status="4.4.4", why=problem.why)
    return problem
