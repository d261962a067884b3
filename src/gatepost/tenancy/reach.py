"""Which next hops mail may lead to. Whoever names a host by name, or owns a domain's MX, must not choose what the relay
connects to inside its own network.

What flows through: a send connector and the addresses that DNS gave for its next hops, right before they are dialled;
out comes why an address or a port is not for it.

Laws:
- an internal address is dialled where the operator allowed it: a server-wide connector's smart hosts, its other next
  hops unless it says no, a tenant's connector with `allow_internal`, or a network of the setting
  `delivery.allow_internal`; for nobody else, by whatever name;
- a tenant's connector never leads back to this relay, whatever the operator allowed: the session would come from the
  relay's own address, and be attributed to whoever lists that;
- the sentence names no address: a name that only the relay's own DNS knows must not be looked up through it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from gatepost.tenancy.tenant import Network, SendConnector, SmartHost

NOT_ALLOWED: Final = "next-hop-not-allowed"
LEADS_BACK: Final = "next-hop-is-this-relay"

# 465 expects implicit TLS (RFC 8314 3.3), which delivery does not speak; 587 is submission (RFC 6409).
PORTS_OF_TENANTS: Final = (25, 587)

# The special-purpose address registries (RFC 6890).
_KINDS: Final = tuple(
    (ip_network(network), kind)
    for kind, networks in {
        "a loopback address": ("127.0.0.0/8", "::1/128"),
        "a link-local address": ("169.254.0.0/16", "fe80::/10"),
        "a private address": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
        "an address shared behind a carrier's NAT": ("100.64.0.0/10",),
        "a multicast address": ("224.0.0.0/4", "ff00::/8"),
        "an address that is not publicly routable": (
            "0.0.0.0/8",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "::/128",
            "100::/64",
            "2001:2::/48",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
        ),
    }.items()
    for network in networks
)

_COMPATIBLE: Final = ip_network("::/96")
# RFC 6052 2.1, the range for local use, and that of stateless translators
_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("::ffff:0:0:0/96"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the operator says of networks, and which addresses this machine has."""

    allowed: tuple[Network, ...] = ()
    internal: tuple[Network, ...] = ()
    """Besides those that are so for everybody: the relay's own networks with public addresses."""
    is_own: Callable[[str], bool] = lambda address: False
    """Whether an address is this machine's."""
    is_own_listener: Callable[[str, int], bool] = lambda address, port: False
    """Whether this relay itself takes mail at an IP address and port."""

    def leads_back(self, connector: SendConnector, host: str, address: str, port: int, *, smart: bool) -> str | None:
        """Why `connector` would only bring mail back here (RFC 5321 5.1: never to oneself); None: it does not, or the
        operator wrote it so, as a smart host of the server."""
        if connector.tenant is None and smart:
            return None
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return None
        if any(self.is_own_listener(str(each), port) for each in (parsed, *_embedded(parsed))):
            return f"{LEADS_BACK}: {host} port {port} is this relay itself, so mail would loop"
        return None

    def why_not(self, connector: SendConnector, host: str, address: str, port: int, *, smart: bool) -> str | None:
        """Why `connector` must not lead to this address of `host`; None: it may. `smart`: the host is one of its smart
        hosts, and not found by MX or written as an address in the recipient."""
        if connector.reaches_internal or (smart and connector.tenant is None):
            return None
        if smart and port not in PORTS_OF_TENANTS:
            return f"{NOT_ALLOWED}: {host}: {port_not_allowed(port)}"
        kind = self.kind_of(address)
        if kind is None:
            return None
        return f"{NOT_ALLOWED}: {host} has {kind}, which the operator of this relay has not allowed"

    def kind_of(self, address: str) -> str | None:
        """What keeps the address from being dialled, in words; None: nothing."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return "not a readable address"
        everything = (parsed, *_embedded(parsed))
        if any(everything[-1] in network for network in self.allowed):
            return None
        for each in everything:
            if any(each in network for network in self.internal):
                return "an address in the relay's own network"
            if kind := next((kind for network, kind in _KINDS if each in network), None):
                return kind
        return "the relay's own address" if self.is_own(address) else None


def port_not_allowed(port: int) -> str:
    if port == 465:
        return "port 465 uses implicit TLS, which this relay does not support for next hops: use 587 or 25"
    return f"port {port} is not for a tenant's smart host: use {' or '.join(map(str, PORTS_OF_TENANTS))}"


def needs_allowance(host: SmartHost) -> bool:
    """Whether a smart host as it is written asks for more than a tenant may have. What its name leads to is seen
    when it is dialled."""
    if host.port not in PORTS_OF_TENANTS or host.host == "localhost" or host.host.endswith(".localhost"):
        return True
    try:
        ip_address(host.host)
    except ValueError:
        return False
    return Reach().kind_of(host.host) is not None


def _embedded(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 address within an IPv6 one, by which the packets may really go."""
    if isinstance(address, IPv4Address):
        return ()
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if (address in _COMPATIBLE and int(address) > 1) or any(address in network for network in _NAT64):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()
