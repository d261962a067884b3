"""Exchange Online's objects as ours, and ours as Exchange Online's.

Laws: what has no equal on the other side is never dropped in silence, each such property is named with the reason; a
value that an export has cut short (`{a, b, c, d...}`) is not taken for the whole where the caller needs it whole, and
is named where it does not.

Properties and their meaning: Microsoft's reference of New-InboundConnector, New-OutboundConnector, Set-AcceptedDomain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network

from gatepost.errors import GatepostError
from gatepost.exchange import objects
from gatepost.mail.visible import is_plain
from gatepost.tenancy.names import certificate_name_key
from gatepost.tenancy.notation import LONGEST_COMMENT
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector, Network, SendConnector, TlsLevel

Properties = dict[str, object]
"""An object as `ConvertTo-Json` prints it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoEqual:
    """A property that cannot be carried over."""

    object: str
    property: str
    value: str
    why: str


class CutShort(GatepostError):
    """An export does not hold the whole of a value; one line: which, where, and how to export it."""


# --- theirs to ours, connectors ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadInbound:
    """An inbound connector of an export, in our words."""

    name: str
    type: ConnectorType
    certificate_name: str
    """As written, without blanks at its edge."""
    addresses: tuple[str, ...]
    """As written, except that what is an address stands for its network: `192.0.2.9/24` does there."""
    sender_domains: tuple[str, ...]
    require_tls: bool | None
    restrict_to_certificate: bool | None
    restrict_to_address: bool | None
    comment: str | None
    enabled: bool


def read_inbound(exported: objects.InboundConnector, *, strict: bool) -> ReadInbound:
    """`strict`: raises `CutShort` where a list that decides is not whole; else what is there is all there is."""
    partner = exported.connector_type == "partner"
    return ReadInbound(
        name=exported.name,
        type=ConnectorType.PARTNER if partner else ConnectorType.ON_PREMISES,
        certificate_name=exported.certificate_name.strip(),
        addresses=tuple(_as_network(each) for each in elements(exported, "SenderIPAddresses", strict=strict)),
        # Of an on-premises connector they decide nothing there.
        sender_domains=tuple(map(pattern, elements(exported, "SenderDomains", strict=strict and partner))),
        require_tls=exported.flag("RequireTls"),
        restrict_to_certificate=exported.flag("RestrictDomainsToCertificate"),
        restrict_to_address=exported.flag("RestrictDomainsToIPAddresses"),
        comment=comment_of(exported),
        enabled=exported.enabled is not False,
    )


def connector_of(exported: objects.InboundConnector, tenant: str, called: str) -> InboundConnector:
    """An exported connector as attribution knows it; `called` is the name that the verdict says."""
    read = read_inbound(exported, strict=False)
    name = certificate_name_key(read.certificate_name)
    senders = (each if each == "*" else certificate_name_key(each) for each in read.sender_domains)
    return InboundConnector(
        tenant=tenant,
        name=called,
        type=read.type,
        certificate_names=(name,) if name else (),
        addresses=tuple(network for each in read.addresses if (network := network_of(each))),
        sender_domains=tuple(each for each in senders if each),
        require_tls=read.require_tls is True,
        restrict_to_certificate=read.restrict_to_certificate is True,
        restrict_to_address=read.restrict_to_address is True,
        enabled=read.enabled,
    )


def network_of(text: str) -> Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _as_network(text: str) -> str:
    network = network_of(text)
    return text if network is None else str(network)


def pattern(text: str) -> str:
    """`smtp:*.contoso.com;1` without scheme and cost, which decides nothing there."""
    return text.strip().rpartition(":")[2].partition(";")[0].casefold()


def elements(connector: objects.ExportedObject, name: str, *, strict: bool) -> list[str]:
    """Of a list. `strict`: raises `CutShort` where the export does not hold all of them."""
    if strict and connector.truncated(name):
        raise CutShort(
            f"{connector.where(name)}: {name} of '{connector.name}' is cut short in this export; "
            "export it with ConvertTo-Json -Depth 5 or Export-Clixml"
        )
    return [each.strip() for each in connector.values(name) if each.strip()]


def comment_of(exported: objects.ExportedObject) -> str | None:
    """In one line; None where there is none, or none that can be kept."""
    text = " ".join(exported.text("Comment").split())
    return text if text and len(text) <= LONGEST_COMMENT and is_plain(text) else None


def tls_level(connector: objects.OutboundConnector) -> tuple[TlsLevel, str]:
    """Of an outbound connector, and in what it differs from what is asked for there."""
    return _LEVELS.get(connector.text("TlsSettings").strip().casefold(), _LEVELS[""])


def is_microsofts(domain: str) -> bool:
    """Names that Microsoft lends to its tenants, and that no tenant can verify elsewhere."""
    return domain.endswith((".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn"))


# --- theirs to ours, what is lost --------------------------------------------------------------------------------


def _keys(*names: str) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


_BOOKKEEPING = _keys(
    *("AdminDisplayName", "AllowUnscopedDomains", "ConnectorSource", "DistinguishedName", "ExchangeObjectId"),
    *("ExchangeVersion", "Guid", "Id", "Identity", "IsDefault", "IsValid", "IsValidated", "LastValidationTimestamp"),
    *("LinkForModifiedConnector", "Name", "ObjectCategory", "ObjectClass", "ObjectState", "OrganizationalUnitRoot"),
    *("OrganizationId", "OriginatingServer", "PSComputerName", "PSShowComputerName", "RunspaceId"),
    *("ValidationRecipients", "WhenChanged", "WhenChangedUTC", "WhenCreated", "WhenCreatedUTC"),
)
"""What the directory of Exchange Online keeps of every object; it decides nothing about mail."""

_FILTERING = "enhanced filtering is for a spam filter; Gatepost has none"
_MICROSOFTS = "reserved for Microsoft"
_COMMENT = f"a comment is one line of at most {LONGEST_COMMENT} visible characters"

_INBOUND_WITHOUT_EQUAL = {
    "AssociatedAcceptedDomains": "a connector applies to all domains of its tenant",
    "ClientHostNames": _MICROSOFTS,
    "CloudServicesMailEnabled": "it preserves hybrid header fields; Gatepost preserves all header fields",
    "EFSkipIPs": _FILTERING,
    "EFSkipLastIP": _FILTERING,
    "EFSkipMailGateway": _MICROSOFTS,
    "EFTestMode": _MICROSOFTS,
    "EFUsers": _FILTERING,
    "ScanAndDropRecipients": _MICROSOFTS,
    "TreatMessagesAsInternal": "Gatepost marks no mail as internal",
    "TrustedOrganizations": "another tenant's mail is recognised by that tenant's own connectors",
}
_INBOUND_CARRIED = _keys(
    *("Comment", "ConnectorType", "Enabled", "RequireTls", "RestrictDomainsToCertificate"),
    *("RestrictDomainsToIPAddresses", "SenderDomains", "SenderIPAddresses", "TlsSenderCertificateName"),
)
_OUTBOUND_WITHOUT_EQUAL = {
    "CloudServicesMailEnabled": _INBOUND_WITHOUT_EQUAL["CloudServicesMailEnabled"],
    "MtaStsMode": "MTA-STS is not supported",
    "SenderRewritingEnabled": "reverse-paths are never rewritten",
    "SmtpDaneMode": "DANE is not supported",
    "TestMode": "a connector is either enabled or disabled",
}
_OUTBOUND_CARRIED = _keys(
    *("AllAcceptedDomains", "Comment", "ConnectorType", "Enabled", "IsTransportRuleScoped", "RecipientDomains"),
    *("RouteAllMessagesViaOnPremises", "SmartHosts", "TlsDomain", "TlsSettings", "UseMXRecord"),
)
_DOMAIN_WITHOUT_EQUAL = {
    "AddressBookEnabled": "there is no address book",
    "CanHaveCloudCache": _MICROSOFTS,
    "DomainType": "Gatepost has no mailboxes: the next hop decides which recipients exist",
    "MailFlowPartner": "mail flow partners are not supported",
    "MailFlowRegion": "there are no regions",
    "OutboundOnly": "a domain accepts mail as soon as it has a route",
    "SendingFromDomainDisabled": "a domain may send as soon as it is verified",
    "SendingToDomainDisabled": "a domain accepts mail as soon as it has a route",
}
_DOMAIN_CARRIED = _keys(
    *("Default", "DomainName", "InitialDomain", "IsCoexistenceDomain", "MatchSubDomains", "PendingCompletion")
)

_LEVELS = {
    "": (TlsLevel.AUTO, ""),
    "encryptiononly": (TlsLevel.ENCRYPT, ""),
    "certificatevalidation": (
        TlsLevel.VERIFY,
        "it requires a trusted chain with any name; `verify` also requires the name of the next hop",
    ),
    "domainvalidation": (TlsLevel.VERIFY, ""),
}
_DEFAULTS = frozenset(("", "false", "$false", "none", "opportunistic", "{}"))
"""Values that ask for nothing."""


def inbound_without_equal(connectors: Sequence[objects.InboundConnector]) -> Iterator[NoEqual]:
    for each in connectors:
        subject = f"inbound connector {each.name}"
        yield from _without_equal(subject, each, _INBOUND_WITHOUT_EQUAL, _INBOUND_CARRIED)
        yield from _comment_without_equal(subject, each)
        if each.connector_type != "partner":
            for name in ("RequireTls", "RestrictDomainsToCertificate", "RestrictDomainsToIPAddresses"):
                if each.flag(name):
                    yield NoEqual(object=subject, property=name, value="True", why="it affects partner connectors only")


def outbound_without_equal(connectors: Sequence[objects.OutboundConnector]) -> Iterator[NoEqual]:
    for each in connectors:
        subject = f"send connector {each.name}"
        yield from _without_equal(subject, each, _OUTBOUND_WITHOUT_EQUAL, _OUTBOUND_CARRIED)
        yield from _comment_without_equal(subject, each)
        if each.flag("IsTransportRuleScoped"):
            why = "there are no transport rules; the connector is stored disabled"
            yield NoEqual(object=subject, property="IsTransportRuleScoped", value="True", why=why)
        if why := tls_level(each)[1]:
            yield NoEqual(object=subject, property="TlsSettings", value=each.text("TlsSettings"), why=why)


def domains_without_equal(domains: Sequence[objects.AcceptedDomain]) -> Iterator[NoEqual]:
    for each in domains:
        subject = f"domain {each.domain}"
        if is_microsofts(each.domain):
            why = "a name that Microsoft provides; it cannot be verified elsewhere, and is omitted"
            yield NoEqual(object=subject, property="DomainName", value=each.domain, why=why)
        else:
            yield from _without_equal(subject, each, _DOMAIN_WITHOUT_EQUAL, _DOMAIN_CARRIED)


def _comment_without_equal(subject: str, exported: objects.ExportedObject) -> Iterator[NoEqual]:
    if (value := exported.text("Comment").strip()) and not comment_of(exported):
        yield NoEqual(object=subject, property="Comment", value=value, why=_COMMENT)


def _without_equal(
    subject: str, exported: objects.ExportedObject, reasons: Mapping[str, str], carried: frozenset[str]
) -> Iterator[NoEqual]:
    by_key = {name.casefold(): (name, why) for name, why in reasons.items()}
    for each in exported.properties:
        key, value = each.name.casefold(), each.value.strip()
        if key in carried or key in _BOOKKEEPING or value.casefold() in _DEFAULTS:
            continue
        name, why = by_key.get(key, (each.name, "Gatepost does not know this property"))
        yield NoEqual(object=subject, property=name, value=value, why=why)


def not_told(exported: objects.InboundConnector) -> Iterator[str]:
    """A sentence for each thing of a connector that cannot be used, or that its export does not tell."""
    name = exported.name
    if not exported.connector_type:
        yield f"ConnectorType of '{name}' is not in the export; OnPremises is assumed."
    if exported.enabled is None:
        yield f"Enabled of '{name}' is not in the export; enabled is assumed."
    if exported.truncated("SenderIPAddresses"):
        yield f"SenderIPAddresses of '{name}' is cut off in the export; export it with ConvertTo-Json or Export-Clixml."
    if exported.has("TlsSenderCertificateName") and exported.certificate_name:
        if not certificate_name_key(exported.certificate_name.strip()):
            yield f"TlsSenderCertificateName of '{name}' is not a domain name: {exported.certificate_name}"
    elif not exported.has("TlsSenderCertificateName"):
        yield f"TlsSenderCertificateName of '{name}' is not in the export."
    for each in exported.addresses:
        network = network_of(each)
        if network is None:
            yield f"SenderIPAddresses of '{name}' contains an invalid address: {each}"
        elif not isinstance(network, IPv4Network):
            yield f"SenderIPAddresses of '{name}' lists {each}, which Exchange Online cannot hold: it takes IPv4 only."


# --- ours to theirs ----------------------------------------------------------------------------------------------

_TYPES = {ConnectorType.ON_PREMISES: "OnPremises", ConnectorType.PARTNER: "Partner"}
_SETTINGS = {
    TlsLevel.NONE: None,
    TlsLevel.OPPORTUNISTIC: None,
    TlsLevel.AUTO: None,
    TlsLevel.ENCRYPT: "EncryptionOnly",
    TlsLevel.VERIFY: "DomainValidation",
    # What it demands beyond is -SmtpDaneMode, which this export leaves as it is.
    TlsLevel.DANE: "EncryptionOnly",
}


def domain_properties(domain: AcceptedDomain) -> Properties:
    kind = "InternalRelay" if domain.match_subdomains else "Authoritative"
    return {
        "Name": domain.domain,
        "DomainName": domain.domain,
        "DomainType": kind,
        "MatchSubDomains": domain.match_subdomains,
    }


def inbound_properties(connector: InboundConnector) -> Properties:
    return {
        "Name": connector.name,
        "ConnectorType": _TYPES[connector.type],
        "Enabled": connector.enabled,
        "TlsSenderCertificateName": next(iter(connector.certificate_names), None),
        "SenderIPAddresses": [_address(str(each)) for each in connector.addresses if _may_be_listed(each)],
        "SenderDomains": [f"smtp:{each};1" for each in connector.sender_domains or ("*",)],
        "RequireTls": connector.require_tls,
        "RestrictDomainsToCertificate": connector.restrict_to_certificate,
        "RestrictDomainsToIPAddresses": connector.restrict_to_address,
        "Comment": connector.comment,
    }


def outbound_properties(connector: SendConnector, called: str) -> Properties:
    """`called`: its name among the tenant's own."""
    validates = connector.tls is TlsLevel.VERIFY
    return {
        "Name": called,
        "ConnectorType": "Partner",
        "Enabled": connector.enabled,
        "RecipientDomains": [each.space for each in connector.address_spaces],
        "UseMXRecord": not connector.smart_hosts,
        "SmartHosts": [each.host for each in connector.smart_hosts],
        "TlsSettings": _SETTINGS[connector.tls] if connector.tls_domain or not validates else "CertificateValidation",
        "TlsDomain": connector.tls_domain,
        "Comment": connector.comment,
    }


def inbound_lost(connector: InboundConnector) -> Iterator[NoEqual]:
    """What `inbound_properties` cannot say."""
    subject = f"inbound connector {connector.name}"
    for name in connector.certificate_names[1:]:
        yield NoEqual(
            object=subject, property="certificate name", value=name, why="a connector in Exchange Online has one name"
        )
    for pin in connector.pins:
        yield NoEqual(object=subject, property="pin", value=pin, why="Exchange Online has no pins")
    if connector.trust_anchors:
        count = f"{len(connector.trust_anchors)}"
        why = "Exchange Online trusts public authorities only"
        yield NoEqual(object=subject, property="trust anchors", value=count, why=why)
    for each in connector.addresses:
        if not _may_be_listed(each):
            why = "Exchange Online accepts single IPv4 addresses and /24 to /32"
            yield NoEqual(object=subject, property="address", value=str(each), why=why)


def outbound_lost(connector: SendConnector, called: str) -> Iterator[NoEqual]:
    """What `outbound_properties` cannot say."""
    subject = f"send connector {called}"
    for each in connector.address_spaces:
        if each.cost != 1:
            yield NoEqual(
                object=subject,
                property="cost",
                value=str(each),
                why="Exchange Online has no cost for recipient domains",
            )
    for host in connector.smart_hosts:
        if host.port != 25:
            yield NoEqual(object=subject, property="port", value=str(host), why="Exchange Online connects to port 25")
    for name, value in (("certificate", connector.certificate), ("fqdn", connector.fqdn)):
        if value:
            yield NoEqual(object=subject, property=name, value=value, why="Exchange Online presents its own")
    if connector.tls is TlsLevel.NONE:
        yield NoEqual(
            object=subject, property="tls", value="none", why="Exchange Online uses TLS wherever it is offered"
        )
    if connector.tls is TlsLevel.DANE:
        why = "set it with Set-OutboundConnector -SmtpDaneMode Mandatory"
        yield NoEqual(object=subject, property="tls", value="dane", why=why)


def _may_be_listed(network: Network) -> bool:
    return network.version == 4 and network.prefixlen >= 24


def _address(text: str) -> str:
    return text.removesuffix("/32")
