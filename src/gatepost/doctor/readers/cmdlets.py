"""What PowerShell printed of objects: Format-List, Format-Table, CSV, JSON and CLIXML give the same facts.

An object is recognised by its properties, never by the file's name; the cmdlet's name beside it decides where
properties do not. Losses are kept: cut lists, type names in place of elements, `<I>` and `<S>` eaten as HTML.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gatepost.doctor.evidence import (
    AcceptedDomain,
    CertificateSeen,
    ExportedObject,
    Fact,
    InboundConnector,
    OutboundConnector,
    Property,
    ReceiveConnector,
    SendConnector,
    Source,
    TransportService,
    distinguished_name,
)
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page

_LIST_LINE = re.compile(r"^(?:\s{0,12}|\s{0,4}[-*•|]\s{1,3})([A-Za-z][A-Za-z0-9_]{1,45})\s*:(?:\s(.*)|\s*)$")
_COLOURED = re.compile(r"\s---\s*(?:Red|Yellow|Green|Warning|Error)\b", re.IGNORECASE)
"""A row of HealthChecker's report."""
_SERVER_BESIDE = re.compile(
    r"^\s{0,40}([A-Za-z][\w-]{1,20}):\s*(?:\[PS\][^>]{0,2000}>\s*|PS[^>]{0,2000}>\s*)?Get-|\s-Server\s+([\w.-]+)|\bGet-\w+.{0,2000}\s(?:on|auf) ([A-Z][\w-]+)\s*$"
)
_CMDLET = re.compile(r"\b(?:Get|Set|New)-([A-Za-z]+)", re.IGNORECASE)

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
_BY_CMDLET = {
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
_COMMON = frozenset(
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
    hinted = _BY_CMDLET.get(hint.casefold().rstrip("s"), _BY_CMDLET.get(hint.casefold(), ""))
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


_TOLD_BY_NAME = frozenset(("cloudservicesmailenabled", "tlsdomain"))
"""Properties that several kinds of connector have."""


def _kind_by_name(keys: frozenset[str], name: str) -> str:
    """Which connector a block of shared properties is of, by the names the wizard gives; else the sender's own."""
    if not keys & _TOLD_BY_NAME:
        return ""
    begins = name.strip().casefold()
    if begins.startswith("inbound from"):
        return "inbound"
    return "outbound" if begins.startswith("outbound to") and "office 365" not in begins else "send"


def exported(
    properties: tuple[Property, ...], source: Source, *, hint: str = "", server: str = "", quote: str = ""
) -> Fact | None:
    """The fact that an object with such properties is."""
    kind = kind_of((each.name for each in properties), hint) or _kind_by_name(
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


_DISTINGUISHED = frozenset(("tlscertificatename", "subject", "issuer"))
_NAMES = frozenset(("tlssendercertificatename",))
"""Compared octet by octet: a blank at the edge counts."""


def _plain(name: str, value: str) -> str:
    if value.startswith("{") and value.endswith("}"):
        inner = value[1:-1].strip()
        return inner if name.casefold() not in _DISTINGUISHED else value
    return value


def _elements(name: str, value: str) -> tuple[str, ...]:
    if value in ("", "{}", "{ }"):
        return ()
    if value.startswith("{"):
        inner = value.strip("{}").replace("…", "...")
        found = (each.strip() for each in re.split(r",|;(?!\d)", inner))
        return tuple(each.removesuffix("...").strip() for each in found if each.removesuffix("...").strip())
    if name.casefold() in _LISTS and name.casefold() not in _DISTINGUISHED:
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


# --- Format-List -------------------------------------------------------------------------------------------------


def read_lists(page: Page) -> Iterator[Fact]:
    """Format-List blocks. A value goes on in lines indented to its column; an object ends at a blank line or a
    repeated property."""
    hint, server = "", ""
    block: list[tuple[int, str, str]] = []
    column = 0
    for index, line in enumerate([*page.lines, ""]):
        if index in page.taken:
            line = ""
        match = None if _COLOURED.search(line) or _SERVER_BESIDE.search(line) else _LIST_LINE.match(line)
        if block and line.strip() and _continues(line, column, match):
            first, name, value = block[-1]
            separator = "" if name.casefold() in _DISTINGUISHED and not value.endswith((",", " ")) else " "
            if value.endswith(","):
                separator = " "
            block[-1] = (first, name, value + separator + line.strip())
            page.take(index) if len(block) > 1 else None
            continue
        if match:
            name, value = match[1], match[2] or ""
            if block and any(name.casefold() == each[1].casefold() for each in block):
                yield from _closed(page, block, hint, server)
                block = []
            column = line.index(":", match.end(1)) + 2
            block.append((index, name, value))
            continue
        if line.strip() and not match:
            if command := _CMDLET.search(line):
                if block:
                    yield from _closed(page, block, hint, server)
                    block = []
                hint = command[1]
                beside = _SERVER_BESIDE.search(line)
                server = next((each for each in beside.groups() if each), "") if beside else server
            elif prompt := re.match(r"\[PS\]|PS [A-Z]:", line.strip()):
                hint = "" if prompt else hint
        if block and not line.strip():
            if not _goes_on(page, index, block, hint):
                yield from _closed(page, block, hint, server)
                block = []
        elif block and not match:
            yield from _closed(page, block, hint, server)
            block = []


def _goes_on(page: Page, index: int, block: list[tuple[int, str, str]], hint: str) -> bool:
    """Blank lines get lost and added in pastes: an object of which too little is known may go on after one."""
    following = next((each for each in page.lines[index + 1 : index + 3] if each.strip()), "")
    match = _LIST_LINE.match(following)
    if match is None or len(block) >= 3 or kind_of([name for _, name, _ in block], hint):
        return False
    known = {name.casefold() for _, name, _ in block} | {"name", "identity", "thumbprint"}
    return match[1].casefold() not in known


def _continues(line: str, column: int, match: re.Match[str] | None) -> bool:
    indent = len(line) - len(line.lstrip())
    return (indent >= max(column - 2, 12) and not match) or (indent >= 14 and indent >= column - 2)


_ONLY_EXCHANGE = frozenset(
    [
        "thumbprint",
        "services",
        "hasprivatekey",
        "certificatedomains",
        "rootcatype",
        "isselfsigned",
        "enhancedkeyusagelist",
        "dnsnamelist",
    ]
)


def _closed(page: Page, block: list[tuple[int, str, str]], hint: str, server: str) -> Iterator[Fact]:
    names = [name for _, name, _ in block]
    keys = {name.casefold() for name in names}
    own_name = next((value for _, name, value in block if name.casefold() in ("name", "identity")), "")
    kind = kind_of(names, hint) or (_kind_by_name(frozenset(keys), own_name) if own_name else "")
    telling = next((signs for each, signs in _SIGNS if each == kind), frozenset()) | _TOLD_BY_NAME
    if (
        not kind
        or not (keys & telling or (len(keys & _COMMON) >= 2 and hint))
        or (len(block) == 1 and not keys & telling - {"services", "domainname"})
    ):
        return
    if kind == "certificate" and not keys & _ONLY_EXCHANGE:
        return  # certutil's and openssl's labels are their own reader's
    properties = tuple(
        property_of(name, value, page.source(index), page.lines[index].strip()[:500]) for index, name, value in block
    )
    found = exported(properties, page.source(block[0][0]), hint=hint, server=server, quote=properties[0].quote)
    if found is None:
        return
    for index, _, _ in block:
        page.take(index)
    yield found


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
        if not values or name.casefold() not in _ALL_SIGNS:
            continue
        joined = "".join(values) if name.casefold() in _DISTINGUISHED else ", ".join(values)
        properties = [property_of(name, joined, page.source(index + 1), joined[:500])]
        if identity:
            properties.insert(0, property_of("Name", identity[1], page.source(index), line.strip()[:500]))
        if found := exported(tuple(properties), page.source(index + 1), hint=cmdlet, quote=joined[:500]):
            page.take(index + 1, last)
            yield found


_ALL_SIGNS = frozenset(sign for _, signs in _SIGNS for sign in signs) | _COMMON
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
        if "Set-" not in line and "New-" not in line and not _COLOURED.search(line)
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


# --- Format-Table and CSV ----------------------------------------------------------------------------------------

_RULE = re.compile(r"^\s*-{2,}(?:\s+-{2,})*\s*$")


def read_tables(page: Page) -> Iterator[Fact]:
    """Format-Table: a line of names, a line of dashes, rows. Columns begin where the dashes do."""
    hint = ""
    lines = page.lines
    for index, line in enumerate(lines):
        if index in page.taken:
            continue
        if command := _CMDLET.search(line):
            hint = command[1]
        if _lost_its_rule(lines, index):
            yield from _rows_by_words(page, index, hint)
            continue
        if not _RULE.match(line) or index == 0 or index - 1 in page.taken:
            continue
        starts = [match.start() for match in re.finditer(r"-+", line)]
        names = _cells(lines[index - 1], starts)
        if not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ]*", name) for name in names) or not kind_of(names, hint):
            continue
        page.take(index - 1, index)
        for row in range(index + 1, len(lines)):
            if not lines[row].strip():
                break
            page.take(row)
            cells = _cells(lines[row], starts)
            properties = tuple(
                property_of(name, cell, page.source(row), lines[row].strip()[:500])
                for name, cell in zip(names, cells, strict=False)
            )
            if found := exported(properties, page.source(row), hint=hint, quote=lines[row].strip()[:500]):
                yield found


_ONE_COLUMN = frozenset(("domainname",))
_BESIDE = frozenset(("default", "issuer", "subject", "server", "status", "friendlyname", "maxmessagesize"))
"""Names that tell of no kind of object by themselves and stand in the tables of several."""


def _lost_its_rule(lines: list[str], index: int) -> bool:
    """Whether a line is a head whose line of dashes was not pasted: known names only, over rows of as many cells."""
    names = re.split(r"\s{2,}|\t", lines[index].strip())
    below = lines[index + 1].strip() if index + 1 < len(lines) else ""
    keys = {each.casefold() for each in names}
    if not below or _RULE.match(below) or not keys <= _ALL_SIGNS | _BESIDE or len(keys) != len(names):
        return False
    if len(names) == 1:
        return keys <= _ONE_COLUMN and bool(re.fullmatch(r"(?:[\w-]+\.)+[A-Za-z]{2,}", below))
    return len(re.split(r"\s{2,}|\t", below)) == len(names)


def _rows_by_words(page: Page, index: int, hint: str) -> Iterator[Fact]:
    names = re.split(r"\s{2,}|\t", page.lines[index].strip())
    if not kind_of(names, hint):
        return
    page.take(index)
    for row in range(index + 1, len(page.lines)):
        cells = re.split(r"\s{2,}|\t", page.lines[row].strip())
        if len(cells) != len(names) or not cells[0]:
            return
        page.take(row)
        quote = page.lines[row].strip()[:500]
        properties = tuple(
            property_of(name, cell, page.source(row), quote) for name, cell in zip(names, cells, strict=True)
        )
        if found := exported(properties, page.source(row), hint=hint, quote=quote):
            yield found


def _cells(line: str, starts: list[int]) -> list[str]:
    ends = [*starts[1:], len(line) + 1]
    cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    broken = any(0 < start < len(line) and line[start - 1] != " " and line[start] != " " for start in starts)
    words = re.split(r"\s{2,}", line.strip())
    # A paste that lost its alignment still has its words, where there are as many as columns.
    if broken and len(words) == len(starts):
        return words
    if broken and len(line.split()) == len(starts):
        return line.split()
    return cells


def read_csv(page: Page) -> Iterator[Fact]:
    """Export-Csv: `#TYPE` line or not, comma or semicolon, quoted or not."""
    for index, line in enumerate(page.lines):
        if index in page.taken or (line.count(",") < 2 and line.count(";") < 2 and line.count("\t") < 2):
            continue
        delimiter = max(",;\t", key=line.count)
        names = [each.strip().strip('"\ufeff') for each in line.split(delimiter)]
        if not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", each) for each in names) or not kind_of(names):
            continue
        keys = {name.casefold() for name in names}
        if not any(keys & signs for _, signs in _SIGNS):
            continue
        rows = page.lines[index + 1 :]
        try:
            reader = csv.reader(rows, delimiter=delimiter)
            hint_line = page.lines[index - 1] if index else ""
            hint = next((each for each in _BY_CMDLET if each in hint_line.casefold()), "")
            page.take(index)
            for cells in reader:
                row = index + reader.line_num
                if len(cells) < max(2, len(names) // 2):
                    break
                page.take(min(row, len(page.lines) - 1))
                properties = tuple(
                    property_of(name, cell, page.source(row), exact=bool(cell.strip()))
                    for name, cell in zip(names, cells, strict=False)
                )
                if found := exported(properties, page.source(row), hint=hint, quote=delimiter.join(cells)[:500]):
                    yield found
        except csv.Error:
            continue
        return
