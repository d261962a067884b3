"""Tenants and what they own: accepted domains, inbound connectors, send connectors.

These are the objects an administrator manages. They are values: the directory hands out whole, immutable objects, and
a change is a new object with a new directory version.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLimits:
    """How much a tenant's servers may do in the relay as a whole, and how much the tenant may store. 0: as much as it
    likes; None: nothing is said, and the server's for everybody counts."""

    messages_per_minute: int | None = None
    recipients_per_minute: int | None = None
    message_size: int | None = None
    """Octets."""
    sessions: int | None = None
    """Open at the same time."""
    queued: int | None = None
    """Queued recipients."""

    # What may be stored: of the tenant, then of one of its connectors.
    domains: int | None = None
    """Verified or not."""
    unverified_domains: int | None = None
    inbound_connectors: int | None = None
    send_connectors: int | None = None
    tokens: int | None = None
    """Of the Management API, that open something."""
    rehearsals: int | None = None
    """One-time addresses that wait for their session."""
    enrolments: int | None = None
    certificate_names: int | None = None
    pins: int | None = None
    addresses: int | None = None
    sender_domains: int | None = None
    trust_anchors: int | None = None
    address_spaces: int | None = None
    smart_hosts: int | None = None
    ipv4_prefix: int | None = None
    """The shortest prefix that the tenant may list by itself on an on-premises connector; 0 is the whole world."""
    ipv6_prefix: int | None = None

    def over(self, others: "TenantLimits") -> "TenantLimits":
        """These, and where they say nothing the others. Most tenants say nothing, and an import asks for each."""
        if self == NO_LIMITS:
            return others
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(others, **{name: limit for name, limit in own.items() if limit is not None})


NO_LIMITS = TenantLimits()
DEFAULT_LIMITS = TenantLimits(
    messages_per_minute=0,
    recipients_per_minute=0,
    message_size=0,
    sessions=0,
    queued=0,
    domains=1000,
    unverified_domains=100,
    inbound_connectors=200,
    send_connectors=100,
    tokens=50,
    rehearsals=20,
    enrolments=5,
    certificate_names=50,
    pins=50,
    addresses=200,
    sender_domains=500,
    trust_anchors=10,
    address_spaces=500,
    smart_hosts=50,
    ipv4_prefix=24,
    ipv6_prefix=48,
)
"""The server's for everybody, where gatepost.toml says nothing."""
LIMIT_NAMES = tuple(each.name for each in fields(TenantLimits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An organisation that owns accepted domains."""

    name: str
    created_at: datetime
    reject_direct_send: bool = False
    """Exchange Online's RejectDirectSend: refuse the tenant's own domains as reverse-path where no connector matched.
    Read by rule set `eop`; Gatepost's own rule set has no such switch."""
    contact: str | None = None
    """The mailbox that receives forecasts."""
    trace_subject: bool = False
    """Whether the trace keeps the Subject of its mail."""
    limits: TenantLimits = NO_LIMITS
    """Its own, instead of the server's for everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedDomain:
    """A tenant's claim to a domain. It counts only while `verified`, and one tenant's at a time is: its owner's."""

    domain: str
    tenant: str
    token: str
    """What `gatepost-verification=` must say at `_gatepost.<domain>`."""
    verified: bool = False
    match_subdomains: bool = False
    verified_at: datetime | None = None
    verified_by_operator: bool = False
    """Set by `--verified`: the operator vouches, and the daily check leaves the domain alone."""
    checked_at: datetime | None = None
    lost_at: datetime | None = None
    """When the record was first found missing. The domain goes on counting until the grace time is over."""
    claimed_at: datetime | None = None
    """When the tenant added it, or lost its verification: a claim that stays unproven lapses some time after."""


class ConnectorType(StrEnum):
    ON_PREMISES = "on-premises"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundConnector:
    """A tenant's statement "this is my server"."""

    tenant: str
    name: str
    type: ConnectorType = ConnectorType.ON_PREMISES
    certificate_names: tuple[str, ...] = ()
    """Domain keys; `*.contoso.com` covers contoso.com and every name below it."""
    certificate_sha256: tuple[str, ...] = ()
    """Pins: SHA-256 of the leaf certificate's DER, lower-case hex."""
    public_key_sha256: tuple[str, ...] = ()
    """Pins: SHA-256 of the leaf's SubjectPublicKeyInfo, lower-case hex."""
    proven_pins: frozenset[str] = frozenset()
    """Pins whose private key the tenant has shown to hold (enrolment); these count like an owned name."""
    addresses: tuple[Network, ...] = ()
    sender_domains: tuple[str, ...] = ()
    """Partner connectors: the reverse-path domains it speaks of (`*`, `domain`, `*.domain`); empty means all."""
    require_tls: bool = False
    restrict_to_certificate: bool = False
    restrict_to_address: bool = False
    trust_anchors: tuple[str, ...] = ()
    """PEM certificates this tenant trusts for this connector, besides the listener's roots."""
    comment: str | None = None
    """For people; it decides nothing."""
    enabled: bool = True

    @property
    def pins(self) -> tuple[str, ...]:
        return self.certificate_sha256 + self.public_key_sha256

    @property
    def label(self) -> str:
        """How the connector is named towards operators: `tenant/name`."""
        return f"{self.tenant}/{self.name}"


class TlsLevel(StrEnum):
    """How much TLS a send connector demands of the next hop."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    ENCRYPT = "encrypt"
    VERIFY = "verify"
    DANE = "dane"
    """Signed TLSA records that the certificate matches, or no mail."""
    AUTO = "auto"
    """DANE where the host has it, MTA-STS where the domain has it, else opportunistic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSpace:
    """`contoso.com`, `*.contoso.com` (contoso.com and all below it) or `*`; the lower cost wins among equals."""

    space: str
    cost: int = 1

    def __str__(self) -> str:
        return f"{self.space};{self.cost}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartHost:
    host: str
    """A host name, or an IP address without brackets."""
    port: int = 25

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendConnector:
    """Where mail leaves. Server-wide when `tenant` is None, else used for that tenant's mail only."""

    name: str
    tenant: str | None = None
    address_spaces: tuple[AddressSpace, ...]
    smart_hosts: tuple[SmartHost, ...] = ()
    """Empty: route by MX."""
    certificate: str | None = None
    """Path of the PEM chain to present as SMTP client. It is presented by this connector only."""
    key: str | None = None
    tls: TlsLevel = TlsLevel.AUTO
    tls_domain: str | None = None
    """Level `verify`: the name the next hop's certificate must carry; default: the host that was dialled."""
    fqdn: str | None = None
    """EHLO name; default: the server's host name."""
    protocol_log: bool = True
    allow_internal: bool | None = None
    """Whether the operator lets it reach internal addresses and any port (`reach`); None: a server-wide one, yes."""
    comment: str | None = None
    """For people; it decides nothing."""
    enabled: bool = True

    @property
    def reaches_internal(self) -> bool:
        return self.tenant is None if self.allow_internal is None else self.allow_internal


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change of the directory: when, who, what, before and after (JSON objects; None: did not exist)."""

    version: int
    at: datetime
    who: str
    address: str | None = None
    """Where it was asked from; None: on the relay itself."""
    action: str
    subject: str
    """What was changed: `inbound-connector contoso/mail`."""
    before: dict[str, object] | None = field(default=None)
    after: dict[str, object] | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """All that is not None holds."""

    who: str | None = None
    """A part of it, upper or lower case; so `what`, of what was done and to what."""
    what: str | None = None
    since: datetime | None = None
    until: datetime | None = None
