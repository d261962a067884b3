"""Exchange Online's objects as ours, and ours as Exchange Online's: exports of cmdlets in, wishes out, and back.

Laws: what has no equal on the other side is never dropped in silence, each such property is named with the reason; a
value that an export has cut short (`{a, b, c, d...}`) is not taken for the whole.

Properties and their meaning: Microsoft's reference of New-InboundConnector, New-OutboundConnector, Set-AcceptedDomain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from gatepost.admin.directory.changes import Changes
from gatepost.admin.directory.send_connectors import name_for_tenant
from gatepost.doctor import evidence
from gatepost.errors import GatepostError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDomain:
    domain: str
    match_subdomains: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInbound:
    name: str
    changes: Changes
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSend:
    name: str
    changes: Changes
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    domains: tuple[WantedDomain, ...]
    inbound_connectors: tuple[WantedInbound, ...]
    send_connectors: tuple[WantedSend, ...]
    no_equal: tuple[NoEqual, ...]


class CutShort(GatepostError):
    """An export does not hold the whole of a value; one line: which, where, and how to export it."""


# --- theirs to ours ----------------------------------------------------------------------------------------------


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

_FILTERING = "enhanced filtering looks behind a hop for the spam filter; Gatepost filters nothing"
_MICROSOFTS = "reserved for Microsoft"
_COMMENT = "objects here have no comment"

_INBOUND_WITHOUT_EQUAL = {
    "AssociatedAcceptedDomains": "a connector here serves all domains of its tenant",
    "ClientHostNames": _MICROSOFTS,
    "CloudServicesMailEnabled": "it keeps hybrid header fields; Gatepost passes every header field on as it came",
    "Comment": _COMMENT,
    "EFSkipIPs": _FILTERING,
    "EFSkipLastIP": _FILTERING,
    "EFSkipMailGateway": _MICROSOFTS,
    "EFTestMode": _MICROSOFTS,
    "EFUsers": _FILTERING,
    "ScanAndDropRecipients": _MICROSOFTS,
    "TreatMessagesAsInternal": "Gatepost marks no mail as internal",
    "TrustedOrganizations": "another tenant's mail is known by that tenant's own connectors",
}
_INBOUND_CARRIED = _keys(
    *("ConnectorType", "Enabled", "RequireTls", "RestrictDomainsToCertificate", "RestrictDomainsToIPAddresses"),
    *("SenderDomains", "SenderIPAddresses", "TlsSenderCertificateName"),
)
_OUTBOUND_WITHOUT_EQUAL = {
    "CloudServicesMailEnabled": _INBOUND_WITHOUT_EQUAL["CloudServicesMailEnabled"],
    "Comment": _COMMENT,
    "MtaStsMode": "MTA-STS is not spoken here",
    "SenderRewritingEnabled": "reverse-paths are never rewritten here",
    "SmtpDaneMode": "DANE is not spoken here",
    "TestMode": "a connector here is enabled or disabled",
}
_OUTBOUND_CARRIED = _keys(
    *("AllAcceptedDomains", "ConnectorType", "Enabled", "IsTransportRuleScoped", "RecipientDomains"),
    *("RouteAllMessagesViaOnPremises", "SmartHosts", "TlsDomain", "TlsSettings", "UseMXRecord"),
)
_DOMAIN_WITHOUT_EQUAL = {
    "AddressBookEnabled": "there is no address book here",
    "CanHaveCloudCache": _MICROSOFTS,
    "DomainType": "Gatepost knows no mailboxes: whom a domain does not know is for the server behind it to say",
    "MailFlowPartner": "mail flow partners are unknown here",
    "MailFlowRegion": "there are no regions here",
    "OutboundOnly": "a domain here takes mail as soon as it has a route",
    "SendingFromDomainDisabled": "a domain here may send as soon as it is verified",
    "SendingToDomainDisabled": "a domain here takes mail as soon as it has a route",
}
_DOMAIN_CARRIED = _keys(
    *("Default", "DomainName", "InitialDomain", "IsCoexistenceDomain", "MatchSubDomains", "PendingCompletion")
)

_LEVELS = {
    "": (TlsLevel.OPPORTUNISTIC, ""),
    "encryptiononly": (TlsLevel.ENCRYPT, ""),
    "certificatevalidation": (
        TlsLevel.VERIFY,
        "it asks for a trusted chain under any name; `verify` here also wants the name of the host that is dialled",
    ),
    "domainvalidation": (TlsLevel.VERIFY, ""),
}
_DEFAULTS = frozenset(("", "false", "$false", "none", "opportunistic", "{}"))
"""Values that ask for nothing."""


def translated(exported: evidence.EvidenceBundle, tenant: str) -> Translation:
    """What one organisation's exports come to for `tenant`. Raises CutShort."""
    domains = tuple(_domains(exported.accepted_domains))
    spaces = tuple(f"*.{each.domain}" if each.match_subdomains else each.domain for each in domains)
    return Translation(
        domains=domains,
        inbound_connectors=tuple(map(_inbound, exported.inbound_connectors)),
        send_connectors=tuple(_send(each, tenant, spaces) for each in exported.outbound_connectors),
        no_equal=(
            *_inbound_without_equal(exported.inbound_connectors),
            *_outbound_without_equal(exported.outbound_connectors),
            *_domains_without_equal(exported.accepted_domains),
        ),
    )


def is_microsofts(domain: str) -> bool:
    """Names that Microsoft lends to its tenants, and that no tenant can verify elsewhere."""
    return domain.endswith((".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn"))


def _domains(domains: Sequence[evidence.AcceptedDomain]) -> Iterator[WantedDomain]:
    for each in domains:
        if not is_microsofts(each.domain):
            yield WantedDomain(domain=each.domain, match_subdomains=bool(each.match_subdomains))


def _inbound(connector: evidence.InboundConnector) -> WantedInbound:
    partner = connector.connector_type == "partner"
    certificate = connector.certificate_name.strip()
    changes: Changes = {
        "type": (ConnectorType.PARTNER if partner else ConnectorType.ON_PREMISES).value,
        "certificate_names": [certificate] if certificate else [],
        "addresses": [_network(each) for each in _whole(connector, "SenderIPAddresses")],
        "sender_domains": [_pattern(each) for each in _whole(connector, "SenderDomains")] if partner else None,
        # On-premises connectors take no notice of these there; here they would refuse mail that was taken.
        "require_tls": connector.flag("RequireTls") if partner else None,
        "restrict_to_certificate": connector.flag("RestrictDomainsToCertificate") if partner else None,
        "restrict_to_address": connector.flag("RestrictDomainsToIPAddresses") if partner else None,
    }
    return WantedInbound(name=connector.name, changes=changes, enabled=connector.enabled is not False)


def _send(connector: evidence.OutboundConnector, tenant: str, domains: Sequence[str]) -> WantedSend:
    level, _ = _level(connector)
    routes_by_mx = connector.flag("UseMXRecord") is not False
    changes: Changes = {
        "tenant": tenant,
        "address_spaces": _address_spaces(connector, domains),
        "smart_hosts": [] if routes_by_mx else [each.strip("[]") for each in _whole(connector, "SmartHosts")],
        "tls": level.value,
        "tls_domain": connector.text("TlsDomain").strip(),
    }
    enabled = connector.enabled is not False and not connector.flag("IsTransportRuleScoped")
    return WantedSend(name=connector.name, changes=changes, enabled=enabled)


def _address_spaces(connector: evidence.OutboundConnector, domains: Sequence[str]) -> list[str]:
    if connector.flag("RouteAllMessagesViaOnPremises"):
        return ["*"]
    of_its_own = domains if connector.flag("AllAcceptedDomains") else ()
    return list(dict.fromkeys((*(_pattern(each) for each in _whole(connector, "RecipientDomains")), *of_its_own)))


def _level(connector: evidence.OutboundConnector) -> tuple[TlsLevel, str]:
    return _LEVELS.get(connector.text("TlsSettings").strip().casefold(), _LEVELS[""])


def _network(text: str) -> str:
    """`192.0.2.9/24` stands for its network there."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return text


def _pattern(text: str) -> str:
    """`smtp:*.contoso.com;1` without scheme and cost, which decides nothing there."""
    return text.strip().rpartition(":")[2].partition(";")[0].casefold()


def _whole(connector: evidence.ExportedObject, name: str) -> list[str]:
    if connector.truncated(name):
        raise CutShort(
            f"{connector.where(name)}: {name} of '{connector.name}' is cut short in this export; "
            "export it with ConvertTo-Json -Depth 5 or Export-Clixml"
        )
    return [each.strip() for each in connector.values(name) if each.strip()]


def _inbound_without_equal(connectors: Sequence[evidence.InboundConnector]) -> Iterator[NoEqual]:
    for each in connectors:
        subject = f"inbound connector {each.name}"
        yield from _without_equal(subject, each, _INBOUND_WITHOUT_EQUAL, _INBOUND_CARRIED)
        if each.connector_type != "partner":
            for name in ("RequireTls", "RestrictDomainsToCertificate", "RestrictDomainsToIPAddresses"):
                if each.flag(name):
                    yield NoEqual(object=subject, property=name, value="True", why="it acts on partner connectors only")


def _outbound_without_equal(connectors: Sequence[evidence.OutboundConnector]) -> Iterator[NoEqual]:
    for each in connectors:
        subject = f"send connector {each.name}"
        yield from _without_equal(subject, each, _OUTBOUND_WITHOUT_EQUAL, _OUTBOUND_CARRIED)
        if each.flag("IsTransportRuleScoped"):
            why = "there are no transport rules here; the connector is stored disabled"
            yield NoEqual(object=subject, property="IsTransportRuleScoped", value="True", why=why)
        if why := _level(each)[1]:
            yield NoEqual(object=subject, property="TlsSettings", value=each.text("TlsSettings"), why=why)


def _domains_without_equal(domains: Sequence[evidence.AcceptedDomain]) -> Iterator[NoEqual]:
    for each in domains:
        subject = f"domain {each.domain}"
        if is_microsofts(each.domain):
            why = "a name that Microsoft lends, and that cannot be verified elsewhere; it is left out"
            yield NoEqual(object=subject, property="DomainName", value=each.domain, why=why)
        else:
            yield from _without_equal(subject, each, _DOMAIN_WITHOUT_EQUAL, _DOMAIN_CARRIED)


def _without_equal(
    subject: str, exported: evidence.ExportedObject, reasons: Mapping[str, str], carried: frozenset[str]
) -> Iterator[NoEqual]:
    by_key = {name.casefold(): (name, why) for name, why in reasons.items()}
    for each in exported.properties:
        key, value = each.name.casefold(), each.value.strip()
        if key in carried or key in _BOOKKEEPING or value.casefold() in _DEFAULTS:
            continue
        name, why = by_key.get(key, (each.name, "Gatepost does not know this property"))
        yield NoEqual(object=subject, property=name, value=value, why=why)


# --- ours to theirs ----------------------------------------------------------------------------------------------

_TYPES = {ConnectorType.ON_PREMISES: "OnPremises", ConnectorType.PARTNER: "Partner"}
_SETTINGS = {
    TlsLevel.NONE: None,
    TlsLevel.OPPORTUNISTIC: None,
    TlsLevel.ENCRYPT: "EncryptionOnly",
    TlsLevel.VERIFY: "DomainValidation",
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
    }


def outbound_properties(connector: SendConnector) -> Properties:
    """With the name it was imported by."""
    validates = connector.tls is TlsLevel.VERIFY
    return {
        "Name": name_for_tenant(connector),
        "ConnectorType": "Partner",
        "Enabled": connector.enabled,
        "RecipientDomains": [each.space for each in connector.address_spaces],
        "UseMXRecord": not connector.smart_hosts,
        "SmartHosts": [each.host for each in connector.smart_hosts],
        "TlsSettings": _SETTINGS[connector.tls] if connector.tls_domain or not validates else "CertificateValidation",
        "TlsDomain": connector.tls_domain,
    }


def inbound_lost(connector: InboundConnector) -> Iterator[NoEqual]:
    """What `inbound_properties` cannot say."""
    subject = f"inbound connector {connector.name}"
    for name in connector.certificate_names[1:]:
        yield NoEqual(object=subject, property="certificate name", value=name, why="a connector there has one name")
    for pin in connector.pins:
        yield NoEqual(object=subject, property="pin", value=pin, why="there are no pins there")
    if connector.trust_anchors:
        count = f"{len(connector.trust_anchors)}"
        why = "only public authorities are trusted there"
        yield NoEqual(object=subject, property="trust anchors", value=count, why=why)
    for each in connector.addresses:
        if not _may_be_listed(each):
            why = "single IPv4 addresses and /24 to /32 can be listed there"
            yield NoEqual(object=subject, property="address", value=str(each), why=why)


def outbound_lost(connector: SendConnector) -> Iterator[NoEqual]:
    """What `outbound_properties` cannot say."""
    subject = f"send connector {name_for_tenant(connector)}"
    for each in connector.address_spaces:
        if each.cost != 1:
            yield NoEqual(object=subject, property="cost", value=str(each), why="recipient domains have no cost there")
    for host in connector.smart_hosts:
        if host.port != 25:
            yield NoEqual(object=subject, property="port", value=str(host), why="port 25 is dialled there")
    for name, value in (("certificate", connector.certificate), ("fqdn", connector.fqdn)):
        if value:
            yield NoEqual(object=subject, property=name, value=value, why="Exchange Online presents its own")
    if connector.tls is TlsLevel.NONE:
        yield NoEqual(object=subject, property="tls", value="none", why="TLS is used there wherever it is offered")


def _may_be_listed(network: Network) -> bool:
    return network.version == 4 and network.prefixlen >= 24


def _address(text: str) -> str:
    return text.removesuffix("/32")
