"""How much may be stored for a tenant, by whose word.

A directory is changed on somebody's behalf: a tenant's token, or the operator. `Allowance` says which, and goes with
the editor that the changes are made through, so that no use case can forget to ask for it.
"""

from dataclasses import dataclass
from enum import StrEnum

from gatepost.tenancy.tenant import DEFAULT_LIMITS, Tenant, TenantLimits


class Owned(StrEnum):
    """What a tenant has a number of; each is the name of a limit."""

    DOMAINS = "domains"
    UNVERIFIED_DOMAINS = "unverified_domains"
    INBOUND_CONNECTORS = "inbound_connectors"
    SEND_CONNECTORS = "send_connectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    limits: TenantLimits = DEFAULT_LIMITS
    """The server's, for every tenant that has none of its own."""
    by_tenant: bool = False
    """A tenant's token asks, not the operator."""
    beyond: bool = False
    """The operator has said in so many words that limits do not count this once."""

    def of(self, tenant: Tenant) -> TenantLimits:
        return tenant.limits.over(self.limits)
