"""Who owns a name: the verified accepted domain that equals it or lies nearest above it.

A connector speaks for its tenant only through names the tenant owns. `unowned_names` says what keeps a connector from
being enabled, and which domain would have to be verified.
"""

from dataclasses import dataclass
from typing import Protocol

from gatepost.mail.domain import parents
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.names import WILDCARD, without_wildcard
from gatepost.tenancy.rules import RuleSet
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector


@dataclass(frozen=True, slots=True, kw_only=True)
class NameOwnership:
    """What the directory says about the owner of one connector name."""

    nearest: AcceptedDomain | None
    """The verified domain that equals the name (without `*.`) or is its nearest parent, whoever owns it."""
    below: AcceptedDomain | None = None
    """Of a wildcard that `nearest` does not settle: a verified domain of the connector's tenant below it."""


class Owners(Protocol):
    """As much of a `Directory` as says who owns a name."""

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None: ...

    def nearest_owner(self, domain: str) -> AcceptedDomain | None: ...


def ownership(directory: Directory, pattern: str, tenant: str) -> NameOwnership:
    base = without_wildcard(pattern)
    nearest = directory.nearest_owner(base)
    if base is pattern or (nearest and nearest.tenant == tenant and nearest.domain == base):
        return NameOwnership(nearest=nearest)
    return NameOwnership(nearest=nearest, below=directory.verified_below(tenant, base))


def is_owned(pattern: str, tenant: str, ownership: NameOwnership, rules: RuleSet) -> bool:
    """Whether the connector name `pattern` is the tenant's own (design: the nearest verified owner decides)."""
    if rules.wildcard_owned_from_below and ownership.below and pattern.startswith(WILDCARD):
        return True
    nearest = ownership.nearest
    if nearest is None or nearest.tenant != tenant:
        return False
    return (
        rules.name_below_domain_is_owned
        or nearest.domain == without_wildcard(pattern)
        or (rules.match_subdomains_owns_names and nearest.match_subdomains)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnownedName:
    """A certificate name that keeps a connector from being enabled."""

    name: str
    """As on the connector."""
    domain: str
    """The domain the tenant has to verify."""
    added: AcceptedDomain | None
    """The tenant's own domain that would own the name, were it verified; its token is what TXT must say."""
    owner: AcceptedDomain | None
    """The verified domain of another tenant that owns the name now. For operators: never told to a tenant."""

    @property
    def can_be_verified(self) -> bool:
        """Whether `domain` is still to be had: a domain has one owner, but a sub-domain may be another tenant's."""
        return self.owner is None or self.owner.domain != self.domain


def unowned_names(connector: InboundConnector, directory: Owners) -> tuple[UnownedName, ...]:
    """The names that `connector` may not be enabled with. A partner connector grants nothing, so its are free."""
    if connector.type is ConnectorType.PARTNER:
        return ()
    return tuple(
        unowned for name in connector.certificate_names if (unowned := _unowned(name, connector.tenant, directory))
    )


def _unowned(name: str, tenant: str, directory: Owners) -> UnownedName | None:
    base = without_wildcard(name)
    nearest = directory.nearest_owner(base)
    if nearest and nearest.tenant == tenant:
        return None
    added = _added_above(base, tenant, nearest.domain if nearest else "", directory)
    return UnownedName(name=name, domain=added.domain if added else base, added=added, owner=nearest)


def _added_above(base: str, tenant: str, below: str, directory: Owners) -> AcceptedDomain | None:
    """The tenant's unverified domain at or above `base`, yet below `below`: who verifies it owns `base`."""
    for domain in (base, *parents(base)):
        if domain == below:
            return None
        if accepted := directory.accepted_domain(domain, tenant):
            return accepted
    return None
