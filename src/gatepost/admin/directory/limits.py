"""How much a tenant may own: judged before it is stored.

Laws: a limit stops what grows and never touches what is stored, so a lower limit breaks nobody's mail; the operator is
held to the limits too, and goes beyond by saying so.
"""

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.errors import LimitReached, Named, NetworkTooWide, Said
from gatepost.tenancy.allowance import Allowance, Owned
from gatepost.tenancy.definitions import INBOUND_CONNECTOR, SEND_CONNECTOR
from gatepost.tenancy.tenant import (
    LIMIT_NAMES,
    ConnectorType,
    InboundConnector,
    Network,
    SendConnector,
    Tenant,
    TenantLimits,
)

_OPERATORS_PREFIX = {4: 16, 6: 32}
"""The shortest prefixes that an operator may list without saying so in so many words."""

_PINS = (INBOUND_CONNECTOR["certificate_sha256"], " and ", INBOUND_CONNECTOR["public_key_sha256"])
_INBOUND_LISTS: Mapping[str, Sequence[str | Named]] = {
    "pins": _PINS,
    **{name: (field,) for name, field in INBOUND_CONNECTOR.items() if name in LIMIT_NAMES},
}
_SEND_LISTS: Mapping[str, Sequence[str | Named]] = {
    name: (field,) for name, field in SEND_CONNECTOR.items() if name in LIMIT_NAMES
}
"""Lists of one connector that have a limit, and how each is named."""

_BEYOND_LIMITS = Named(name="beyond_limits=true", option="yes")


def must_have_room(editor: DirectoryEditor, tenant: Tenant, owned: Owned) -> None:
    """For one more. Raises `LimitReached`."""
    limit = limit_of(editor.allowance, tenant, owned)
    if limit and editor.count(tenant.name, owned, limit) >= limit:
        raise too_many(tenant, owned, limit)


def limit_of(allowance: Allowance, tenant: Tenant, owned: str) -> int:
    """0: none."""
    return 0 if allowance.beyond else getattr(allowance.of(tenant), owned) or 0


def too_many(tenant: Tenant, owned: str, limit: int) -> LimitReached:
    what = f"tenant {tenant.name} has reached its limit of {limit} {owned.replace('_', ' ')}"
    return LimitReached(
        what,
        next_step=f"remove what it does not need, or raise the limit: {_more(tenant, owned, limit)}",
        to_tenant=Said(message=what, next_step="remove what you do not need, or ask the relay's operator for more"),
    )


def inbound_must_fit(
    allowance: Allowance, tenant: Tenant, connector: InboundConnector, stored: InboundConnector | None
) -> None:
    """Raises `LimitReached`, `NetworkTooWide`."""
    if allowance.beyond:
        return
    limits = allowance.of(tenant)
    _lists_must_fit(tenant, limits, _INBOUND_LISTS, connector, stored)
    if connector.type is ConnectorType.ON_PREMISES:
        _networks_must_fit(allowance, limits, _new_networks(connector, stored))


def send_must_fit(allowance: Allowance, tenant: Tenant, connector: SendConnector, stored: SendConnector | None) -> None:
    """Raises `LimitReached`."""
    if not allowance.beyond:
        _lists_must_fit(tenant, allowance.of(tenant), _SEND_LISTS, connector, stored)


def is_wide(network: Network, limits: TenantLimits) -> bool:
    """Wider than a tenant may list by itself."""
    return network.prefixlen < _shortest(limits, network.version)


def _lists_must_fit(
    tenant: Tenant,
    limits: TenantLimits,
    lists: Mapping[str, Sequence[str | Named]],
    connector: object,
    stored: object,
) -> None:
    for name, fields in lists.items():
        count, limit = len(getattr(connector, name)), getattr(limits, name)
        if limit and count > limit and count > len(getattr(stored, name, ())):
            what = (*fields, f": {count} exceed the limit of {limit} for one connector of {tenant.name}")
            raise LimitReached(
                *what,
                next_step=f"use several connectors, or raise the limit: {_more(tenant, name, limit)}",
                to_tenant=Said(message=what, next_step="use several connectors, or ask the relay's operator for more"),
            )


def _more(tenant: Tenant, name: str, limit: int) -> str:
    return f"gatepost tenant set {quote(tenant.name)} --limit {name.replace('_', '-')}={2 * limit}"


def _new_networks(connector: InboundConnector, stored: InboundConnector | None) -> Sequence[Network]:
    """Those that do not grant already."""
    grants = stored.addresses if stored and stored.type is ConnectorType.ON_PREMISES else ()
    return [each for each in connector.addresses if each not in grants]


def _networks_must_fit(allowance: Allowance, limits: TenantLimits, networks: Iterable[Network]) -> None:
    for network in networks:
        shortest = _shortest(limits, network.version)
        if not allowance.by_tenant:
            shortest = min(shortest, _OPERATORS_PREFIX[network.version])
        if network.prefixlen < shortest:
            raise _too_wide(network, shortest)


def _shortest(limits: TenantLimits, version: int) -> int:
    return (limits.ipv4_prefix if version == 4 else limits.ipv6_prefix) or 0


def _too_wide(network: Network, shortest: int) -> NetworkTooWide:
    what = (INBOUND_CONNECTOR["addresses"], f" {network} is wider than /{shortest}")
    anybody = "any host in it that knows a domain of the tenant can relay"
    return NetworkTooWide(
        *what,
        next_step=(f"{anybody}: list narrower networks, or add ", _BEYOND_LIMITS),
        to_tenant=Said(
            message=(*what, ", the widest that a tenant may list"),
            next_step="list narrower networks, or ask the relay's operator",
        ),
    )
