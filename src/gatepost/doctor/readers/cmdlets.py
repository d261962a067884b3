"""What PowerShell printed of objects: Format-List, Format-Table, CSV, JSON and CLIXML give the same facts.

An object is recognised by its properties, never by the file's name; the cmdlet's name beside it decides where
properties do not. Losses are kept: cut lists, type names in place of elements, `<I>` and `<S>` eaten as HTML.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gatepost.doctor.evidence import CertificateSeen
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.exchange.distinguished_names import distinguished_name
from gatepost.exchange.objects import (
    AcceptedDomain,
    ExportedObject,
    InboundConnector,
    OutboundConnector,
    Property,
    ReceiveConnector,
    SendConnector,
    TransportService,
)
from gatepost.exchange.source import Fact, Source

COLOURED = re.compile(r"\s---\s*(?:Red|Yellow|Green|Warning|Error)\b", re.IGNORECASE)
"""A row of HealthChecker's report."""
SERVER_BESIDE = re.compile(
    r"^\s{0,40}([A-Za-z][\w-]{1,20}):\s*(?:\[PS\][^>]{0,2000}>\s*|PS[^>]{0,2000}>\s*)?Get-|\s-Server\s+([\w.-]+)|\bGet-\w+.{0,2000}\s(?:on|auf) ([A-Z][\w-]+)\s*$"
)
CMDLET = re.compile(r"\b(?:Get|Set|New)-([A-Za-z]+)", re.IGNORECASE)

_SIGNS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "inbound",
        frozenset(
            [
                "senderipaddresses",
                "senderdomains",
                "tlssendercertificatename",
                "restrictdomainstoipaddresses",
                "associatedaccepteddomains",
                "restrictdomainstocertificate",
                "treatmessagesasinternal",
                "efskiplastip",
                "efskipips",
                "trustedorganizations",
                "eftestmode",
                "scananddroprecipients",
                "efusers",
            ]
        ),
    ),
    (
        "outbound",
        frozenset(
            [
                "recipientdomains",
                "usemxrecord",
                "istransportrulescoped",
                "routealmessagesviaonpremises",
                "tlssettings",
                "routeallmessagesviaonpremises",
                "allaccepteddomains",
                "isvalidated",
                "lastvalidationtimestamp",
                "validationrecipients",
            ]
        ),
    ),
    (
        "receive",
        frozenset(
            [
                "permissiongroups",
                "remoteipranges",
                "bindings",
                "transportrole",
                "authmechanism",
                "tlsdomaincapabilities",
                "suppressxanonymoustls",
                "extendedprotectionpolicy",
                "maxinboundconnection",
            ]
        ),
    ),
    (
        "send",
        frozenset(
            "addressspaces smarthosts smarthostsstring dnsroutingenabled sourcetransportservers requiretls tlsauthlevel"
            " ignorestarttls frontendproxyenabled homemtaserverid isscopedconnector smarthostauthmechanism"
            " usexternaldnsserversenabled sourceroutinggroup connectedDomains forcehelo tlscertificatename".casefold().split()
        ),
    ),
    (
        "certificate",
        frozenset(
            [
                "thumbprint",
                "notafter",
                "notbefore",
                "certificatedomains",
                "hasprivatekey",
                "isselfsigned",
                "rootcatype",
                "services",
                "enhancedkeyusagelist",
                "serialnumber",
                "dnsnamelist",
                "publickeysize",
            ]
        ),
    ),
    (
        "domain",
        frozenset(
            [
                "domaintype",
                "matchsubdomains",
                "domainname",
                "authenticationtype",
                "outboundonly",
                "initialdomain",
                "addressbookenabled",
                "isdefaultfederateddomain",
            ]
        ),
    ),
    (
        "transport",
        frozenset(
            [
                "internaltransportcertificatethumbprint",
                "sendprotocollogpath",
                "receiveprotocollogpath",
                "connectivitylogpath",
                "sendingtransportservers",
                "receivingtransportservers",
                "tlscertificatename",
                "edgetransportservers",
                "serviceinstance",
                "onpremisessmarthost",
                "externaldnsadapterenabled",
                "rejectdirectsend",
                "admindisplayversion",
                "internalsmtpservers",
            ]
        ),
    ),
)
CMDLETS = {
    "inboundconnector": "inbound",
    "outboundconnector": "outbound",
    "sendconnector": "send",
    "receiveconnector": "receive",
    "accepteddomain": "domain",
    "exchangecertificate": "certificate",
    "transportservice": "transport",
    "transportserver": "transport",
    "frontendtransportservice": "transport",
    "hybridconfiguration": "transport",
    "organizationconfig": "transport",
    "transportconfig": "transport",
    "exchangeserver": "transport",
}
_TYPES: dict[str, type[ExportedObject]] = {
    "inbound": InboundConnector,
    "outbound": OutboundConnector,
    "send": SendConnector,
    "receive": ReceiveConnector,
    "domain": AcceptedDomain,
}
COMMON = frozenset(
    [
        "name",
        "identity",
        "enabled",
        "comment",
        "fqdn",
        "connectortype",
        "requiretls",
        "guid",
        "isvalid",
        "whenchangedutc",
    ]
)
# A connector of Exchange Online is of one of these two types; Exchange Server's has no type.
_ONLINE = frozenset(("inbound", "outbound"))


def kind_of(names: Iterable[str], hint: str = "") -> str:
    """Which object has such properties; empty where they tell nothing."""
    keys = {name.casefold() for name in names}
    hinted = CMDLETS.get(hint.casefold().rstrip("s"), CMDLETS.get(hint.casefold(), ""))
    scores = {kind: len(keys & signs) for kind, signs in _SIGNS}
    if "connectortype" in keys:
        for kind in _ONLINE:
            scores[kind] += 1 if scores[kind] else 0
        if not any(scores[kind] for kind in _ONLINE):
            scores["inbound"] += 1
    if keys & {"tlssendercertificatename", "senderipaddresses"}:
        scores["inbound"] += 2
    best = max(scores, key=lambda kind: scores[kind])
    if hinted and scores[hinted] >= max(0, scores[best] - 1):
        return hinted
    if hinted and not scores[best]:
        return hinted
    if best == "transport" and keys == {"tlscertificatename"}:
        return "send"
    if best == "send" and scores["receive"] == scores["send"]:
        return "send"
    return best if scores[best] else ""


TOLD_BY_NAME = frozenset(("cloudservicesmailenabled", "tlsdomain"))
"""Properties that several kinds of connector have."""


def kind_by_name(keys: frozenset[str], name: str) -> str:
    """Which connector a block of shared properties is of, by the names the wizard gives; else the sender's own."""
    if not keys & TOLD_BY_NAME:
        return ""
    begins = name.strip().casefold()
    if begins.startswith("inbound from"):
        return "inbound"
    return "outbound" if begins.startswith("outbound to") and "office 365" not in begins else "send"


def exported(
    properties: tuple[Property, ...], source: Source, *, hint: str = "", server: str = "", quote: str = ""
) -> Fact | None:
    """The fact that an object with such properties is."""
    kind = kind_of((each.name for each in properties), hint) or kind_by_name(
        frozenset(each.name.casefold() for each in properties),
        next((each.value for each in properties if each.name.casefold() in ("name", "identity")), ""),
    )
    if not kind:
        return None
    if kind == "send" and any(each.name.casefold() == "identity" and "\\" in each.value for each in properties):
        kind = "receive"  # SERVER\Default Frontend SERVER
    server = server or next(
        (each.value for each in properties if each.name.casefold() in ("server", "pscomputername")), ""
    )
    if kind == "certificate":
        return _certificate(ExportedObject(source=source, properties=properties, server=server, quote=quote))
    if kind == "transport":
        return TransportService(source=source, properties=properties, server=server, quote=quote, cmdlet=hint)
    return _TYPES[kind](source=source, properties=properties, server=server, quote=quote)


# --- values ------------------------------------------------------------------------------------------------------

_TYPE_NAME = re.compile(
    r"^(?:System|Microsoft|Deserialized)\.[A-Za-z0-9_.+`]+(?:\[.{0,2000}\]|\{.{0,2000}\})?$|MultiValuedProperty|System\.Object\[\]|System\.String\[\]"
)


def property_of(name: str, text: str, source: Source, quote: str = "", *, exact: bool = False) -> Property:
    """A property as Format-List, a table or CSV wrote it. `exact`: that form keeps blanks at a value's edge."""
    value = text.strip()
    if value.casefold() in ("$null", "null"):
        value = ""
    type_name = bool(_TYPE_NAME.search(value))
    truncated = value.endswith(("...", "…", "...}", "…}"))
    return Property(
        source=source,
        quote=quote or f"{name} : {value}"[:500],
        name=name,
        value="" if type_name else _plain(name, value),
        values=() if type_name else (text,) if exact and name.casefold() in _NAMES else _elements(name, value),
        truncated=truncated,
        type_name_only=type_name,
    )


DISTINGUISHED = frozenset(("tlscertificatename", "subject", "issuer"))
_NAMES = frozenset(("tlssendercertificatename",))
"""Compared octet by octet: a blank at the edge counts."""


def _plain(name: str, value: str) -> str:
    if value.startswith("{") and value.endswith("}"):
        inner = value[1:-1].strip()
        return inner if name.casefold() not in DISTINGUISHED else value
    return value


def _elements(name: str, value: str) -> tuple[str, ...]:
    if value in ("", "{}", "{ }"):
        return ()
    if value.startswith("{"):
        inner = value.strip("{}").replace("…", "...")
        found = (each.strip() for each in re.split(r",|;(?!\d)", inner))
        return tuple(each.removesuffix("...").strip() for each in found if each.removesuffix("...").strip())
    if name.casefold() in _LISTS and name.casefold() not in DISTINGUISHED:
        return tuple(each.strip() for each in re.split(r"[,|\n]|;(?!\d)|\s{1,}(?=[\d*a-z])", value) if each.strip())
    return (value,)


_LISTS = frozenset(
    [
        "senderipaddresses",
        "senderdomains",
        "associatedaccepteddomains",
        "smarthosts",
        "addressspaces",
        "sourcetransportservers",
        "recipientdomains",
        "certificatedomains",
        "remoteipranges",
        "bindings",
        "trustedorganizations",
        "dnsnamelist",
    ]
)


def property_from(name: str, value: Any, source: Source) -> Property:
    """A property as JSON or CLIXML holds it."""
    if isinstance(value, Mapping) and set(value) <= {"value", "Value", "Count", "count"}:
        value = value.get("value", value.get("Value"))
    if isinstance(value, list | tuple):
        elements = tuple(_scalar(each) for each in value)
        shown = ", ".join(elements)
        return Property(source=source, quote=f"{name}: {shown}"[:500], name=name, value=shown, values=elements)
    if isinstance(value, Mapping):
        value = _scalar(value)
    if value is None:
        return Property(source=source, quote=f"{name}: null", name=name)
    return property_of(name, str(value), source, f"{name}: {value}"[:500], exact=bool(str(value).strip()))


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        for key in ("Value", "value", "DomainName", "Name", "name", "Address", "ToString"):
            if key in value and not isinstance(value[key], Mapping | list):
                return str(value[key])
        issuer, subject = value.get("CertificateIssuer"), value.get("CertificateSubject")
        if issuer is not None and subject is not None:
            return f"<I>{issuer}<S>{subject}"
        return ", ".join(f"{key}={item}" for key, item in value.items() if not isinstance(item, Mapping | list))
    return "" if value is None else str(value)


# --- Get-ExchangeCertificate -------------------------------------------------------------------------------------

_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "server authentication": "serverAuth",
    "client authentication": "clientAuth",
    "serverauthentifizierung": "serverAuth",
    "clientauthentifizierung": "clientAuth",
    "tls web server authentication": "serverAuth",
    "tls web client authentication": "clientAuth",
    "serverauth": "serverAuth",
    "clientauth": "clientAuth",
}


def purpose(text: str) -> str:
    """`serverAuth`, `clientAuth`, or the text itself."""
    cleaned = text.strip().strip("{}").casefold()
    for sign, name in _PURPOSES.items():
        if sign in cleaned:
            return name
    return text.strip()


def _certificate(found: ExportedObject) -> CertificateSeen:
    domains = found.attribute("CertificateDomains", "DnsNameList", "DomainNames")
    usage = found.attribute("EnhancedKeyUsageList", "EnhancedKeyUsages")
    size = found.text("PublicKeySize")
    subject, issuer = found.attribute("Subject"), found.attribute("Issuer")
    return CertificateSeen(
        source=found.source,
        quote=found.quote,
        role="stored",
        subject=distinguished_name(subject.value) if subject and not subject.truncated else _cut_name(subject),
        issuer=distinguished_name(issuer.value) if issuer and not issuer.truncated else _cut_name(issuer),
        names=tuple(each.casefold() for each in domains.values) if domains else (),
        names_told=bool(domains),
        names_truncated=bool(domains and (domains.truncated or domains.type_name_only)),
        serial=found.text("SerialNumber").upper(),
        thumbprint=re.sub(r"[^0-9A-F]", "", found.text("Thumbprint").upper()),
        not_before=moment(found.text("NotBefore")),
        not_after=moment(found.text("NotAfter")),
        purposes=tuple(purpose(each) for each in usage.values) if usage else None,
        self_signed=found.flag("IsSelfSigned"),
        root_type=found.text("RootCAType"),
        services=found.text("Services") if found.has("Services") else None,
        has_private_key=found.flag("HasPrivateKey"),
        status=found.text("Status"),
        key_bits=int(size) if size.isdecimal() else None,
        server=found.server,
    )


def _cut_name(found: Property | None) -> Any:
    if found is None:
        return None
    whole = distinguished_name(found.value.removesuffix("...").removesuffix("…"))
    return whole._replace(attributes=whole.attributes[:1])


# --- what people quote of an export ------------------------------------------------------------------------------------

_EXPRESSION = re.compile(
    r"\(Get-(?P<cmdlet>\w+)(?P<arguments>[^)]{0,2000})\)\.(?P<name>\w+)\s*$|Get-(?P<cmdlet2>\w+)(?P<arguments2>[^|]{0,2000})\|\s*"
    r"(?:select|select-object|%|foreach-object)\s+(?:-expand\w*\s+)(?P<name2>\w+)\s*$",
    re.IGNORECASE,
)


def read_expressions(page: Page) -> Iterator[Fact]:
    """`(Get-SendConnector "x").TlsCertificateName` and the value below it."""
    for index, line in page.free():
        match = _EXPRESSION.search(line)
        if match is None:
            continue
        cmdlet, name = match["cmdlet"] or match["cmdlet2"], match["name"] or match["name2"]
        values: list[str] = []
        last = index
        while last + 1 < len(page.lines) and page.lines[last + 1].strip() and len(values) < 50:
            if re.match(r"\s*(?:\[PS\]|PS [A-Z]:)", page.lines[last + 1]):
                break
            last += 1
            values.append(page.lines[last].strip())
        identity = re.search(r"['\"]([^'\"]+)['\"]", match["arguments"] or match["arguments2"] or "")
        if not values or name.casefold() not in SIGNS:
            continue
        joined = "".join(values) if name.casefold() in DISTINGUISHED else ", ".join(values)
        properties = [property_of(name, joined, page.source(index + 1), joined[:500])]
        if identity:
            properties.insert(0, property_of("Name", identity[1], page.source(index), line.strip()[:500]))
        if found := exported(tuple(properties), page.source(index + 1), hint=cmdlet, quote=joined[:500]):
            page.take(index + 1, last)
            yield found


SIGNS_OF = dict(_SIGNS)
SIGNS = frozenset(sign for _, signs in _SIGNS for sign in signs) | COMMON | TOLD_BY_NAME
"""Every property name that helps to tell what an object is, lower-case."""
_IN_WORDS = re.compile(
    r"(?<![-\w.$])(?P<name>TlsSenderCertificateName|TlsCertificateName|SenderIPAddresses|ConnectorType|SenderDomains|"
    r"RestrictDomainsToIPAddresses|RestrictDomainsToCertificate|AssociatedAcceptedDomains|CloudServicesMailEnabled|"
    r"TlsAuthLevel|RequireTLS|SmartHosts|TlsDomain|Enabled)\s{0,40}(?P<sign>[:=]|is|was|set to|=>|->)?\s*"
    r"(?P<value>\{[^}]{0,2000}\}|\$?(?:true|false)\b|\"[^\"]*\"|'[^']*'|<I>[^\n]*|(?=[\w*])[\w.*:/-]+(?:,\s?[\d.:/]+)*)",
    re.IGNORECASE,
)
_DOMAINS_IN_WORDS = re.compile(
    r"\b(?:accepted|verified|registered|akzeptierte)\s+(?:domains?|domänen?)\b[^:=\n]{0,30}?(?:[:=]|\bare\b|\bis\b|\bsind\b)\s*"
    r"(?P<domains>(?:(?:[\w-]+\.)+[A-Za-z]{2,}(?:\s*(?:\([^)]*\))?(?:,|;| and| und|\s)\s*)?)+)",
    re.IGNORECASE,
)


def read_words(page: Page) -> Iterator[Fact]:
    """Properties that people quote within their sentences: `TlsSenderCertificateName=mail.contoso.example`."""
    lines = [
        (index, line)
        for index, line in page.free()
        if "Set-" not in line and "New-" not in line and not COLOURED.search(line)
    ]
    properties: dict[str, Property] = {}
    for index, line in lines:
        for match in _IN_WORDS.finditer(line):
            weak = match["name"].casefold() in ("enabled", "requiretls", "tlsdomain", "smarthosts")
            if not match["sign"] and (weak or not re.search(r"[.{\"'$*]", match["value"])):
                continue
            value = match["value"].strip("\"'").rstrip(".,;")
            known = property_of(match["name"], value, page.source(index), line.strip()[:500])
            properties.setdefault(match["name"].casefold(), known)
        if listed := _DOMAINS_IN_WORDS.search(line):
            for domain in re.findall(r"(?:[\w-]{1,255}\.){1,30}[A-Za-z]{2,}", listed["domains"]):
                known = property_of("DomainName", domain, page.source(index), line.strip()[:500])
                yield AcceptedDomain(source=page.source(index), quote=line.strip()[:500], properties=(known,))
    if properties.keys() - {"enabled", "requiretls"}:
        first = next(iter(properties.values()))
        found = exported(tuple(properties.values()), first.source, quote=first.quote)
        if found is not None:
            yield found
