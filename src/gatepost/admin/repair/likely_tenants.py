"""Who a refused session could be of: tenants that something in it points to, and what that is worth.

    what was presented, earlier sessions ─▶ clues ─▶ tenants, the most likely first, each with its nearest connectors

Laws: only what a tenant owns is proof: a verified name in its verified domain, a key that it has proven. Whatever
anybody can write or come from is a clue, and says so. A tenant is shown clues to itself alone: the directory that is
asked is then `OwnDirectory`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any, Final, NamedTuple

from gatepost.mail.domain import DomainError, domain_key
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import Address
from gatepost.tenancy.names import certificate_name_key, without_wildcard
from gatepost.tenancy.proof import holder
from gatepost.tenancy.tenant import ConnectorType, InboundConnector

_MOST_NAMES: Final = 20
_MOST_TENANTS: Final = 5
_MOST_CONNECTORS: Final = 3
_NEIGHBOURHOOD: Final = {4: 24, 6: 48}
"""Prefix length of a network that usually has one operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What the session showed, as far as it is known."""

    names: Sequence[str] = ()
    """Keys of the certificate's names."""
    verified: bool = False
    pins: Sequence[str] = ()
    """SHA-256 of the certificate, and of its public key."""
    address: Address | None = None
    sender_domain: str | None = None
    ehlo: str | None = None


class Earlier(NamedTuple):
    """Mail that was attributed, from the same address or with the same certificate."""

    tenant: str
    connector: str | None
    at: str
    what: str
    """The same address, the same certificate."""


class Clue(NamedTuple):
    weight: int
    tenant: str
    is_proof: bool
    says: str
    connector: str | None = None
    """Of the tenant, that nearly admits the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    tenant: str
    clues: Sequence[Clue]
    """The strongest first."""
    connectors: Sequence[InboundConnector]
    """On-premises connectors that could be changed, the nearest first."""

    @property
    def is_proven(self) -> bool:
        return any(each.is_proof for each in self.clues)


def presented_in(item: Mapping[str, Any], session: Mapping[str, Any] | None) -> Presented:
    """Of an item of the trace, and the session's record where it is still kept."""
    certificate = item["certificate"] or {}
    recorded = ((session or {}).get("evidence", {}).get("tls") or {}).get("certificate") or {}
    names = (certificate_name_key(name) for name in certificate.get("names", ())[:_MOST_NAMES])
    return Presented(
        names=list(dict.fromkeys(filter(None, names))),
        verified=bool(certificate.get("verified")),
        pins=list(filter(None, (certificate.get("sha256"), recorded.get("public_key_sha256")))),
        address=ip_address(item["address"]) if item["address"] else None,
        sender_domain=_domain(item["mail_from"].rpartition("@")[2]),
        ehlo=_domain((session or {}).get("evidence", {}).get("ehlo") or ""),
    )


def _domain(text: str) -> str | None:
    try:
        return domain_key(text) if text else None
    except DomainError:
        return None


def likely_tenants(
    directory: Directory, presented: Presented, earlier: Sequence[Earlier], at: datetime
) -> Sequence[Likely]:
    """The most likely first."""
    by_tenant: dict[str, list[Clue]] = {}
    for clue in _clues(directory, presented, earlier, at):
        by_tenant.setdefault(clue.tenant, []).append(clue)
    for tenant, clues in by_tenant.items():
        clues += _neighbours(directory, tenant, presented)
        clues.sort(key=lambda clue: -clue.weight)
    ordered = sorted(by_tenant.items(), key=lambda each: (-sum({clue.weight for clue in each[1]}), each[0]))
    return [
        Likely(tenant=tenant, clues=clues, connectors=_nearest_connectors(directory, tenant, clues))
        for tenant, clues in ordered[:_MOST_TENANTS]
    ]


def _clues(directory: Directory, presented: Presented, earlier: Sequence[Earlier], at: datetime) -> Iterator[Clue]:
    yield from _of_proofs(directory, presented, at)
    yield from _of_names(directory, presented)
    yield from _of_address(directory, presented)
    for each in earlier:
        by = f" by connector {each.connector}" if each.connector else ""
        says = f"{each.what} was attributed to it{by}, last {each.at}"
        yield Clue(5, each.tenant, False, says, each.connector)
    if presented.sender_domain and (owner := directory.covering_domain(presented.sender_domain)):
        says = f"the reverse-path is in its verified domain {owner.domain}; anybody can write a reverse-path"
        yield Clue(3, owner.tenant, False, says)
    if presented.ehlo and (owner := directory.nearest_owner(presented.ehlo)):
        says = (
            f"the EHLO name {presented.ehlo} is in its verified domain {owner.domain}; anybody can write an EHLO name"
        )
        yield Clue(1, owner.tenant, False, says)


def _of_proofs(directory: Directory, presented: Presented, at: datetime) -> Iterator[Clue]:
    for pin in presented.pins:
        if proof := holder(directory, pin, at):
            yield Clue(9, proof.tenant, True, f"it proved on {proof.at:%Y-%m-%d} that it holds the certificate's key")
            return


def _of_names(directory: Directory, presented: Presented) -> Iterator[Clue]:
    for name in presented.names:
        if owner := directory.nearest_owner(without_wildcard(name)):
            if presented.verified:
                says = f"the certificate is verified and names {name}, in its verified domain {owner.domain}"
                yield Clue(7, owner.tenant, True, says)
            else:
                says = f"the certificate names {name}, in its verified domain {owner.domain}; it did not verify"
                yield Clue(4, owner.tenant, False, f"{says}, so anybody may have made it")
    for connector in directory.bystanders(presented.names):
        if not connector.enabled:
            says = f"its connector {connector.name} has the certificate's name, and is disabled"
            yield Clue(4, connector.tenant, False, says, connector.name)


def _of_address(directory: Directory, presented: Presented) -> Iterator[Clue]:
    if presented.address is None:
        return
    for tenant in directory.tenants_listing(presented.address):
        for connector in directory.connectors_of(tenant):
            if any(presented.address in network for network in connector.addresses):
                says = f"its connector {connector.name} lists the address; an address alone identifies nobody"
                yield Clue(4, tenant, False, says, connector.name)


def _neighbours(directory: Directory, tenant: str, presented: Presented) -> Iterator[Clue]:
    """Asked of those alone that something else points to: everybody's neighbours are too many."""
    if presented.address is None:
        return
    around = ip_network((presented.address, _NEIGHBOURHOOD[presented.address.version]), strict=False)
    for connector in directory.connectors_of(tenant):
        near = [
            each
            for each in connector.addresses
            if each.version == around.version
            and each.prefixlen >= around.prefixlen
            and each.network_address in around
            and presented.address not in each
        ]
        if near:
            says = f"its connector {connector.name} lists {near[0]}, in the same /{around.prefixlen}"
            yield Clue(2, tenant, False, says, connector.name)
            return


def _nearest_connectors(directory: Directory, tenant: str, clues: Sequence[Clue]) -> Sequence[InboundConnector]:
    """Those that clues name first; then those that name certificates."""
    named = [clue.connector for clue in clues if clue.connector]
    granting = [each for each in directory.connectors_of(tenant) if each.type is ConnectorType.ON_PREMISES]
    order = {name: place for place, name in enumerate(dict.fromkeys(named))}
    granting.sort(key=lambda each: (order.get(each.name, len(order)), not each.certificate_names, each.name))
    return granting[:_MOST_CONNECTORS]
