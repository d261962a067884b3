"""Exchange Server and Exchange Online: from exports of both sides to one PowerShell script for each.

What flows through: exported objects and a request become the same plan as everywhere; the plan becomes scripts that
show first (`-WhatIf`), back up, and set only the properties that differ. Nothing is run here; the next export is read
to see what came of it. Laws: what an administrator added to a list stays in it; every text in a script is a quoted
literal; of what no export shows nothing is planned; no name is demanded of a certificate that lacks it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost.exchange.powershell import quoted
from gatepost.hybrid.errors import NotPossible
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import Change, DesiredObject, Objects, Plan, differing
from gatepost.hybrid.ports import Exported
from gatepost.tenancy.names import WILDCARD, covers

ON_PREMISES, ONLINE = "exchange", "exchange-online"

CLOUD_HOST = "mail.protection.outlook.com"
CAPABILITY = f"{CLOUD_HOST}:AcceptCloudServicesMail"

KINDS = ("SendConnector", "ReceiveConnector", "InboundConnector", "OutboundConnector")
CREATED = ("SendConnector", "InboundConnector", "OutboundConnector")
"""The kinds that are created where there is none; a receive connector comes with the server."""

_SIDES: Mapping[str, str] = {
    "SendConnector": ON_PREMISES,
    "ReceiveConnector": ON_PREMISES,
    "InboundConnector": ONLINE,
    "OutboundConnector": ONLINE,
}
_FLAGS = frozenset(
    (
        "CloudServicesMailEnabled",
        "DNSRoutingEnabled",
        "Enabled",
        "RequireTLS",
        "RequireTls",
        "RouteAllMessagesViaOnPremises",
        "UseMXRecord",
    )
)
_SPACES = frozenset(("AddressSpaces", "SenderDomains"))
"""Lists of `smtp:domain;cost`."""
_LISTS = _SPACES | {"RecipientDomains", "SmartHosts", "SourceTransportServers", "TlsDomainCapabilities"}
_TEXTS = frozenset(
    (
        "ConnectorSource",
        "ConnectorType",
        "TlsAuthLevel",
        "TlsCertificateName",
        "TlsDomain",
        "TlsSenderCertificateName",
        "TlsSettings",
    )
)
_READ_ONLY = frozenset(("ConnectorSource",))

_SPACE = re.compile(r"(?:smtp:)?(?P<domain>[^;]+)(?:;(?P<cost>\d+))?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredExchange:
    domains: tuple[str, ...]
    """The organisation's, in both places."""
    routing_domain: str
    """`contoso.mail.onmicrosoft.com`"""
    smart_host: str
    """Where Exchange Online finds the servers on premises."""
    certificate_names: tuple[str, ...]
    """At least one."""
    tls_certificate_name: str
    """`<I>issuer<S>subject` of the certificate."""
    thumbprint: str
    centralized: bool = False
    """Mail of the cloud leaves by the servers on premises."""


# --- what is there ----------------------------------------------------------------------------------------------------


def observed(exports: Iterable[Exported]) -> dict[str, dict[str, Fields]]:
    """By side and object. Raises `NotPossible` where an export was cut."""
    found: dict[str, dict[str, Fields]] = {ON_PREMISES: {}, ONLINE: {}}
    for each in exports:
        if each.kind not in _SIDES:
            continue
        if cut := sorted(each.cut & (_LISTS | _TEXTS)):
            raise NotPossible(
                f"the export of {each.kind} '{each.name}' is cut at {', '.join(cut)}: write it again whole, with "
                f"Get-{each.kind} | Export-Clixml {each.kind}.xml"
            )
        found[_SIDES[each.kind]][f"{each.kind} {each.name}"] = {
            name: _value(name, value) for name, value in each.values.items() if name in _FLAGS | _LISTS | _TEXTS
        }
    return found


def _value(name: str, value: str | Sequence[str]) -> Any:
    if name in _FLAGS:
        return str(value).strip().lstrip("$").casefold() == "true"
    if name in _LISTS:
        elements = [value] if isinstance(value, str) and value else list(value)
        return [_space(each) for each in elements] if name in _SPACES else [each.strip("[]") for each in elements]
    return value if isinstance(value, str) else ", ".join(value)


def _space(text: str) -> str:
    """One spelling for `SMTP:contoso.com;1`, `smtp:contoso.com` and `contoso.com`."""
    match = _SPACE.match(text.strip())
    return f"smtp:{match['domain'].casefold()};{match['cost'] or 1}" if match else text


# --- what should be ---------------------------------------------------------------------------------------------------


def desired_objects(
    desired: DesiredExchange, accepted_domains: Sequence[str], now: Mapping[str, Objects], shown: Collection[str]
) -> tuple[DesiredObject, ...]:
    """On premises first: the cloud should find servers that expect it. `shown` are the kinds of which the exports, or
    the administrator, say what there is. Raises `NotPossible`."""
    on_premises, online = now[ON_PREMISES], now[ONLINE]
    planned: dict[str, Callable[[], Iterable[DesiredObject]]] = {
        "ReceiveConnector": lambda: _receive_connectors(desired, on_premises),
        "InboundConnector": lambda: [_inbound(desired, accepted_domains, online)],
        "OutboundConnector": lambda: [_outbound(desired, online)],
        "SendConnector": lambda: [_send(desired, on_premises)],
    }
    return tuple(each for kind, objects in planned.items() if kind in shown for each in objects())


def missing_exports(shown: Collection[str]) -> tuple[str, ...]:
    """A note for each kind of which nothing is known."""
    return tuple(
        f"no export of {kind}: nothing is planned about it; add the output of Get-{kind} | Export-Clixml {kind}.xml"
        + (f", or say that there is none: --none {kind}" if kind in CREATED else "")
        for kind in KINDS
        if kind not in shown
    )


def _receive_connectors(desired: DesiredExchange, now: Objects) -> Iterator[DesiredObject]:
    for name, fields in sorted(now.items()):
        if fields is not None and name.startswith("ReceiveConnector ") and "default frontend" in name.casefold():
            yield DesiredObject(
                side=ON_PREMISES,
                object=name,
                fields={"TlsDomainCapabilities": [CAPABILITY], "TlsCertificateName": desired.tls_certificate_name},
                fresh={},
                why="mail from Exchange Online keeps its cross-premises headers, and is met with this certificate",
            )


def _inbound(desired: DesiredExchange, accepted: Sequence[str], now: Objects) -> DesiredObject:
    name = _existing(now, "InboundConnector", "Inbound from ") or "InboundConnector Inbound from on-premises"
    return DesiredObject(
        side=ONLINE,
        object=name,
        fields={
            "ConnectorType": "OnPremises",
            "SenderDomains": ["smtp:*;1"],
            "RequireTls": True,
            "CloudServicesMailEnabled": True,
            "TlsSenderCertificateName": _sender_certificate_name(desired, accepted, now.get(name)),
            "Enabled": True,
        },
        fresh={},
        why="Exchange Online recognises your servers by the certificate's name, which lies in an accepted domain",
        risk="whoever holds a certificate with this name may relay as your organisation",
    )


def _sender_certificate_name(desired: DesiredExchange, accepted: Sequence[str], now: Fields | None) -> str:
    """What is there, if the certificate has that name; else the name itself where it is an accepted domain, else the
    wildcard of its parent."""
    present = str((now or {}).get("TlsSenderCertificateName") or "")
    if present and any(covers(present.casefold(), name) for name in desired.certificate_names):
        return present
    domains = {each.casefold() for each in accepted or desired.domains}
    for name in desired.certificate_names:
        parent = name.removeprefix(WILDCARD) if name.startswith(WILDCARD) else name.partition(".")[2]
        if name in domains:
            return name
        if parent in domains:
            return f"{WILDCARD}{parent}"
    raise NotPossible(
        f"the certificate carries {', '.join(desired.certificate_names)}; neither that nor its parent is an accepted "
        f"domain of the organisation in Exchange Online ({', '.join(sorted(domains))}): add it there, or choose "
        "another certificate"
    )


def _outbound(desired: DesiredExchange, now: Objects) -> DesiredObject:
    name = _existing(now, "OutboundConnector", "Outbound to ") or "OutboundConnector Outbound to on-premises"
    tls_domain = _tls_domain(desired, now.get(name))
    return DesiredObject(
        side=ONLINE,
        object=name,
        fields={
            "ConnectorType": "OnPremises",
            "RecipientDomains": ["*"] if desired.centralized else list(desired.domains),
            "SmartHosts": [desired.smart_host],
            "TlsSettings": "DomainValidation",
            "TlsDomain": tls_domain,
            "UseMXRecord": False,
            "CloudServicesMailEnabled": True,
            "RouteAllMessagesViaOnPremises": desired.centralized,
            "Enabled": True,
        },
        fresh={},
        why=f"mail of the cloud for your domains goes to {desired.smart_host}, whose certificate must be for "
        f"{tls_domain}",
        risk="mail for domains that are no longer on premises would be sent there too"
        if not desired.centralized
        else "all mail of the cloud to the outside leaves by your servers",
    )


def _tls_domain(desired: DesiredExchange, now: Fields | None) -> str:
    """The name that Exchange Online demands of the servers' certificate: the present one or the smart host where the
    certificate has it, else a name that it has."""
    present = str((now or {}).get("TlsDomain") or "").casefold()
    candidates = [each for each in (present, desired.smart_host) if each]
    return next((each for each in candidates if _is_for(desired.certificate_names, each)), desired.certificate_names[0])


def _is_for(certificate_names: Iterable[str], host: str) -> bool:
    """RFC 6125 6.4.3: a wildcard stands for the left-most label."""
    return any(name in (host, f"{WILDCARD}{host.partition('.')[2]}") for name in certificate_names)


def _send(desired: DesiredExchange, now: Objects) -> DesiredObject:
    name = _existing(now, "SendConnector", "Outbound to Office 365") or "SendConnector Outbound to Office 365"
    fields: dict[str, Any] = {
        "AddressSpaces": [f"smtp:{desired.routing_domain};1"],
        "CloudServicesMailEnabled": True,
        "RequireTLS": True,
        "TlsAuthLevel": "DomainValidation",
        "TlsDomain": CLOUD_HOST,
        "TlsCertificateName": desired.tls_certificate_name,
        "Enabled": True,
    }
    if not (now.get(name) or {}).get("SmartHosts"):
        # A gateway that somebody put between stays; without one, the MX of the routing domain leads.
        fields["DNSRoutingEnabled"] = True
    return DesiredObject(
        side=ON_PREMISES,
        object=name,
        fields=fields,
        fresh={},
        why="mail to the cloud goes under TLS to Exchange Online alone, and shows the certificate it is recognised by",
        risk="mail to the cloud waits in the queue wherever this certificate is not accepted",
    )


def _existing(now: Objects, kind: str, beginning: str) -> str | None:
    """What the wizard of Exchange made, by its mark or its name."""
    candidates = sorted(name for name in now if name.startswith(f"{kind} ") and now[name] is not None)
    marked = [name for name in candidates if (now[name] or {}).get("ConnectorSource") == "HybridWizard"]
    named = [name for name in candidates if name.removeprefix(f"{kind} ").casefold().startswith(beginning.casefold())]
    return next(iter([*marked, *named]), None)


# --- as scripts -------------------------------------------------------------------------------------------------------

_TITLES = {
    ON_PREMISES: "Exchange Server: run it in the Exchange Management Shell",
    ONLINE: "Exchange Online: run it after Connect-ExchangeOnline",
}


def script(plan: Plan, side: str, thumbprint: str) -> str:
    """What makes the plan's changes at one side; empty where it has none."""
    changes = [change for change in plan.changes if change.side == side]
    if not changes:
        return ""
    kinds = sorted({change.object.partition(" ")[0] for change in changes})
    parts = [_head(side, plan), _backup(kinds)]
    if any("TlsCertificateName" in (change.after or {}) for change in changes):
        parts.append(_certificate(thumbprint))
    parts += [_step(change) for change in changes]
    parts.append(_checks(changes))
    return "\n".join(parts)


def _head(side: str, plan: Plan) -> str:
    return f"""\
# {_TITLES[side]}.
# Plan {plan.digest[:16]} of {plan.made_at}. Shows what it would do; with -Apply it does it.
[CmdletBinding()]
param([switch]$Apply)

$ErrorActionPreference = 'Stop'
$preview = -not $Apply
"""


def _backup(kinds: Sequence[str]) -> str:
    lines = [
        "# Backup: what was there before, readable with Import-Clixml",
        "$stamp = Get-Date -Format 'yyyyMMdd-HHmmss'",
    ]
    lines += [f'Get-{kind} | Export-Clixml -Path "{kind}-$stamp.xml"' for kind in kinds]
    return "\n".join(lines) + "\n"


def _certificate(thumbprint: str) -> str:
    return f"""\
# The certificate as Exchange writes it: issuer and subject
$certificate = Get-ExchangeCertificate -Thumbprint {quoted(thumbprint)}
$tlsCertificateName = "<I>$($certificate.Issuer)<S>$($certificate.Subject)"
"""


def _step(change: Change) -> str:
    kind, _, name = change.object.partition(" ")
    fields = {
        field: new for field, (_, new) in differing(change.before, change.after).items() if field not in _READ_ONLY
    }
    verb, named = ("New", "-Name") if change.action == "create" else ("Set", "-Identity")
    lines = [f"# {change.order}. {_comment(change.why)}"]
    if change.risk != "none":
        lines.append(f"#    Risk: {_comment(change.risk)}")
    if change.before is not None:
        lines += [f"#    {field} was: {_comment(_text(change.before.get(field)))}" for field in fields]
    arguments = [f"-{field} {_argument(field, value)}" for field, value in fields.items()]
    lines.append(f"{verb}-{kind} {named} {quoted(name)} `")
    lines += [f"    {argument} `" for argument in arguments]
    lines.append("    -WhatIf:$preview")
    return "\n".join(lines) + "\n"


def _checks(changes: Sequence[Change]) -> str:
    lines = ["# Afterwards: export again and let Gatepost compare, then send a test message"]
    for change in changes:
        kind, _, name = change.object.partition(" ")
        fields = ", ".join(map(quoted, ["Name", *differing(change.before, change.after)]))
        lines.append(f"Get-{kind} -Identity {quoted(name)} | Format-List -Property @({fields})")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _argument(field: str, value: Any) -> str:
    if field == "TlsCertificateName":
        return "$tlsCertificateName"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, list):
        return f"@({', '.join(map(quoted, value))})" if value else "$null"
    return "$null" if value is None else quoted(str(value))


def _text(value: Any) -> str:
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value or "")) or "empty"


def _comment(text: str) -> str:
    """A comment ends with its line, so it must not hold another."""
    return " ".join(text.split())
