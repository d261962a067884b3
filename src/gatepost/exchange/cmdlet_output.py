"""What PowerShell printed of objects: Format-List, Format-Table, CSV, JSON and CLIXML give the same facts.

An object is recognised by its properties, never by the file's name; the cmdlet's name beside it decides where
properties do not. Losses are kept: cut lists, type names in place of elements, `<I>` and `<S>` eaten as HTML.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterable, Mapping
from typing import Any

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
from gatepost.exchange.source import Source

COLOURED = re.compile(r"\s---\s*(?:Red|Yellow|Green|Warning|Error)\b", re.IGNORECASE)
"""A row of HealthChecker's report."""
SERVER_BESIDE = re.compile(
    r"^\s{0,40}([A-Za-z][\w-]{1,20}):\s*(?:\[PS\][^>]{0,2000}>\s*|PS[^>]{0,2000}>\s*)?Get-|\s-Server\s+([\w.-]+)|\bGet-\w+.{0,2000}\s(?:on|auf) ([A-Z][\w-]+)\s*$"
)
CMDLET = re.compile(r"\b(?:Get|Set|New|Test)-([A-Za-z]+)", re.IGNORECASE)

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
                "createddatetime",
                "routemessageoutboundconnector",
                "exceptifheadercontainsmessageheader",
                "exceptifheadermatchesmessageheader",
                "syncstatus",
                "sendconnectorstatus",
                "lastsynchronizedutc",
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
    "blockedconnector": "transport",
    "transportrule": "transport",
    "edgesynchronization": "transport",
}
_TYPES: dict[str, type[ExportedObject]] = {
    "inbound": InboundConnector,
    "outbound": OutboundConnector,
    "send": SendConnector,
    "receive": ReceiveConnector,
    "domain": AcceptedDomain,
    "certificate": ExportedObject,
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
SIGNS_OF = dict(_SIGNS)
SIGNS = frozenset(sign for _, signs in _SIGNS for sign in signs) | COMMON | TOLD_BY_NAME
"""Every property name that helps to tell what an object is, lower-case."""


def kind_by_name(keys: frozenset[str], name: str) -> str:
    """Which connector a block of shared properties is of, by the names the wizard gives; else the sender's own."""
    if not keys & TOLD_BY_NAME:
        return ""
    begins = name.strip().casefold()
    if begins.startswith("inbound from"):
        return "inbound"
    return "outbound" if begins.startswith("outbound to") and "office 365" not in begins else "send"


def object_from(
    properties: tuple[Property, ...], source: Source, *, hint: str = "", server: str = "", quote: str = ""
) -> tuple[str, ExportedObject] | None:
    """The kind of object that has such properties, and the object."""
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
    if kind == "transport":
        return kind, TransportService(source=source, properties=properties, server=server, quote=quote, cmdlet=hint)
    return kind, _TYPES[kind](source=source, properties=properties, server=server, quote=quote)


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
    text = str(value).replace("\n", " ")
    return property_of(name, text, source, f"{name}: {text}"[:500], exact=bool(text.strip()))


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
