"""What a tenant may see of a trace.

Laws: mail that was attributed to a tenant is that tenant's alone. Of refused mail a tenant sees what bears its
verified domain as reverse-path or in a verified certificate; where an address or a pin alone leads to it, which
anybody may list, only domains are shown, and nothing that another tenant has a better claim to.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from gatepost.mail.domain import DomainError, domain_key
from gatepost.trace.search import OwnDomain, Scope
from gatepost.trace.story import Certificate, Item, Outcome


class Owners(Protocol):
    """Which tenant has verified what, now."""

    def of_path(self, domain: str) -> str | None:
        """That has verified the domain, or its parent with all below it."""

    def of_name(self, name: str) -> str | None:
        """The nearest that has verified it, or a parent."""


def seen_by(scope: Scope, item: Item, owners: Owners) -> Item | None:
    """The item as the tenant may see it; None: not at all."""
    received = item.received
    if received.at < scope.since:
        return None
    if received.tenant == scope.tenant:
        return item
    if received.tenant is not None or item.outcome is not Outcome.REFUSED:
        return None
    domain, names = received.from_domain, verified_names(received.certificate)
    if is_own_domain(scope, domain, received.at) and owners.of_path(domain) == scope.tenant:
        return item
    if any(is_own_name(scope, name, received.at) and owners.of_name(name) == scope.tenant for name in names):
        return item
    if (domain and owners.of_path(domain)) or any(map(owners.of_name, names)):
        return None
    by_address = received.address is not None and lists_address(scope, received.address)
    return item.discreet() if by_address or has_pin(scope, received.certificate) else None


def is_own_domain(scope: Scope, domain: str, at: float) -> bool:
    return any(each.since <= at and covers(each, domain) for each in scope.domains)


def is_own_name(scope: Scope, name: str, at: float) -> bool:
    """A host belongs to whoever has verified its domain."""
    return any(each.since <= at and (name == each.domain or name.endswith(f".{each.domain}")) for each in scope.domains)


def covers(own: OwnDomain, domain: str) -> bool:
    return domain == own.domain or (own.with_subdomains and domain.endswith(f".{own.domain}"))


def verified_names(certificate: Certificate | None) -> Sequence[str]:
    """Keys of the names that count: what did not verify names nobody."""
    if certificate is None or not certificate.verified:
        return ()
    return [key for name in certificate.names if (key := _key(name.removeprefix("*.")))]


@lru_cache(maxsize=4096)
def _key(name: str) -> str | None:
    try:
        return domain_key(name)
    except DomainError:
        return None


def lists_address(scope: Scope, address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in scope.networks)


def has_pin(scope: Scope, certificate: Certificate | None) -> bool:
    return certificate is not None and bool({certificate.sha256, certificate.public_key_sha256} & scope.pins)
