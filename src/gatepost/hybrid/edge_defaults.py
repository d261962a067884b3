"""How an edge begins that nobody has told anything: what it calls its organisation, and whom it takes mail from."""

from ipaddress import ip_network
from typing import Final

from gatepost.tenancy.tenant import Network, TenantLimits

TENANT: Final = "on-premises"

LIMITS: Final = TenantLimits(ipv4_prefix=0, ipv6_prefix=0)
"""The tenant of an edge is its operator: no network is too wide for its own servers."""

# RFC 1918, RFC 4193 and loopback: where an on-premises server stands.
LOCAL_NETWORKS: Final[tuple[Network, ...]] = tuple(
    ip_network(network)
    for network in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
