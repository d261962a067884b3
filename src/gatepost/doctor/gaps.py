"""Gaps in commands, filled with what the evidence shows.

What flows: a command with `<connector>`, `<thumbprint ...>` and the like, and the path. Law: a gap is filled only where
one object can be meant; else it stays a gap to be seen, and never becomes an empty name.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from gatepost.doctor.addresses import is_private, parsed_address
from gatepost.doctor.certificates_told import at, is_self_signed, names_of
from gatepost.doctor.checks.endpoint import endpoint_of
from gatepost.doctor.evidence import CertificateSeen, SmtpSession
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.senders import domain_of
from gatepost.exchange.powershell import argument

_GAP: Final = re.compile(
    r"'?<(?P<says>[a-z][^<>\n]{2,60})>(?P<endpoint>\.mail\.protection\.(?:outlook\.com|office365\.us))?(?P<rest>[^'\s<>]{0,80})'?",
    re.IGNORECASE,
)
_OBJECT: Final = re.compile(r"\b(?P<noun>Send|Receive|Inbound|Outbound)Connector\b", re.IGNORECASE)
_IN_POWERSHELL: Final = ("Exchange", "Exchange Online", "Windows")


def filled(findings: Sequence[Finding], path: MailPath) -> tuple[Finding, ...]:
    return tuple(replace(each, fix=tuple(_filled(fix, path) for fix in each.fix)) for each in findings)


_NEW: Final = re.compile(r"-Thumbprint '?<thumbprint(?: of the (?:new|renewed) certificate)?>'?", re.IGNORECASE)


def _filled(fix: Fix, path: MailPath) -> Fix:
    def value(gap: re.Match[str]) -> str:
        known = _value(gap, fix.command, path)
        if not known:
            return gap[0]
        quotes = gap[0].startswith("'"), gap[0].endswith("'")
        text = f"{known}{gap['rest']}"
        if all(quotes) and fix.where in _IN_POWERSHELL and _AFTER_PARAMETER.search(fix.command[: gap.start()]):
            return argument(text)
        return f"{chr(39) * quotes[0]}{text.replace(chr(39), chr(39) * 2)}{chr(39) * quotes[1]}"

    command = _GAP.sub(value, fix.command)
    if command.find("= Get-ExchangeCertificate") >= 0 and (host := _host_pinned(path)):
        command = _NEW.sub(f"-DomainName {host} | Sort-Object NotAfter | Select-Object -Last 1", command)
    return fix._replace(command=_with_how_to_find(command))


_CERTIFICATES: Final = "Get-ExchangeCertificate | Format-List Thumbprint,Services,NotAfter,Issuer,Subject"
_NAMES: Final = "openssl x509 -noout -subject -ext subjectAltName -in CERTIFICATE"
_FOUND_BY: Final = {
    "public address": "curl -4 https://ifconfig.me on the sending server, or Hello [..] in the service's EHLO answer",
    "its fixed public address": "curl -4 https://ifconfig.me on the sending server",
    "address of the sender": "Received-SPF or client-ip in a header of that sender's mail",
    "address of the source": "client-ip in a header of that mail, or Hello [..] in the service's EHLO answer",
    "thumbprint of the new certificate": _CERTIFICATES,
    "thumbprint of the renewed certificate": _CERTIFICATES,
    "old thumbprint": _CERTIFICATES,
    "name in the certificate that the server presents": _NAMES,
    "name on the certificate your server presents": _NAMES,
    "name on the certificate": _NAMES,
    "initial-domain": "the MX record of your domain: nslookup -type=mx DOMAIN",
    "your mx name": "the MX record of your domain: nslookup -type=mx DOMAIN",
    "accepted domain": "Get-AcceptedDomain",
}
"""What shows the value of a gap that nothing in the evidence fills."""
_LISTED_BY: Final = {
    "send": "Get-SendConnector | Format-Table Name,AddressSpaces,SmartHosts,TlsCertificateName",
    "receive": "Get-ReceiveConnector | Format-Table Identity,Bindings,RemoteIPRanges",
    "inbound": "Get-InboundConnector | Format-Table Name,ConnectorType,TlsSenderCertificateName,SenderIPAddresses",
    "outbound": "Get-OutboundConnector | Format-Table Name,RecipientDomains,SmartHosts,TlsDomain",
}


def _with_how_to_find(command: str) -> str:
    """A gap that is left says which command shows its value."""
    found: dict[str, str] = {}
    for gap in _GAP.finditer(command.partition("   # ")[0]):
        says = gap["says"].casefold()
        noun = _OBJECT.search(command[: gap.start()]) if says in ("connector", "name of the connector") else None
        how = _LISTED_BY[noun["noun"].casefold()] if noun else _FOUND_BY.get(says, "")
        if how and how not in command:
            found.setdefault(f"<{gap['says']}>", how)
    if not found:
        return command
    hints = "; ".join(f"{gap}: {how}" for gap, how in found.items())
    return f"{command}; {hints}" if "   # " in command else f"{command}   # {hints}"


_AFTER_PARAMETER: Final = re.compile(r"\s-[A-Z]\w{1,60}\s$")


def _host_pinned(path: MailPath) -> str:
    """The name that the connectors ask a certificate for."""
    return values.only(each.pin.host if each.pin else each.fqdn or "" for each in path.ends_now())


def _value(gap: re.Match[str], command: str, path: MailPath) -> str:
    says = gap["says"].casefold()
    if gap["endpoint"]:
        return _endpoint(path)
    if says == "partner connector":
        return values.only(each.name for each in path.bundle.inbound_connectors if each.connector_type == "partner")
    if says in ("connector", "name of the connector"):
        noun = _OBJECT.search(command[: gap.start()])
        return _connector(path, noun["noun"].casefold()) if noun else ""
    if "thumbprint" in says or says == "serial":
        return _of_certificate(path, says)
    if says in _VALUES:
        return _VALUES[says](path)
    return ""


def _endpoint(path: MailPath) -> str:
    endpoint = endpoint_of(path)
    if endpoint:
        return endpoint.value
    domain = values.own_domain(path)
    return values.endpoint_made_of(domain) if domain else ""


def _domain_of_recipient(path: MailPath) -> str:
    return domain_of(values.recipient(path))


def _domain_of_sender(path: MailPath) -> str:
    return domain_of(values.sender(path)) or values.own_domain(path)


def _client(path: MailPath) -> str:
    refused = [each.client_address for each in path.bundle.relay_rejects]
    refused += [each.remote_endpoint.rpartition(":")[0] for each in path.bundle.sessions if _was_refused_here(each)]
    greeted = [each.hello_address for each in path.bundle.sessions if each.log == "transcript"]
    named = [each.value for each in path.bundle.names if each.kind == "address"]
    return values.only(filter(_is_inside, (*refused, *greeted))) or values.only(filter(_is_inside, named))


def _was_refused_here(session: SmtpSession) -> bool:
    return session.log == "receive" and any(each.code >= 400 for each in session.replies)


def _name_presented(path: MailPath) -> str:
    sent = [each.ours for each in path.sessions if each.way == "out" and each.ours is not None]
    return values.only(
        each.all_names[0] for each in sent if each.all_names and not is_self_signed(each)
    ) or values.server_name(path)


_VALUES: Final[dict[str, Callable[[MailPath], str]]] = {
    "server": values.server,
    "sending host": values.server_name,
    "the servers public name": values.server_name,
    "name presented": _name_presented,
    "name on the certificate": _name_presented,
    "name in the certificate": _name_presented,
    "name on the certificate your server presents": _name_presented,
    "name in the certificate that the server presents": _name_presented,
    "name in the certificate of your own server": _name_presented,
    "certificate name that is an accepted domain": values.relay_name,
    "name that is an accepted domain": values.relay_name,
    "name of this tenant": values.relay_name,
    "your domain": values.own_domain,
    "accepted domain": values.own_domain,
    "recipient": values.recipient,
    "recipient domain": _domain_of_recipient,
    "sender": values.sender,
    "mailbox": values.mailbox,
    "sender domain": _domain_of_sender,
    "next hop": values.next_hop,
    "address of the client": _client,
    "address of the sender": values.public_address,
    "address of the source": values.public_address,
    "its fixed public address": values.public_address,
    "public address": values.public_address,
}
"""What a gap says, and what fills it."""


def _is_inside(text: str) -> bool:
    address = parsed_address(text)
    return address is not None and is_private(address)


# --- connectors -----------------------------------------------------------------------------------------------------


def _connector(path: MailPath, noun: str) -> str:
    bundle = path.bundle
    if noun == "send":
        return sender_name(path)
    if noun == "receive":
        return values.only(each.name for each in path.ends_now("in"))
    if noun == "outbound":
        return values.only(each.name for each in bundle.outbound_connectors)
    on_premises = [each for each in bundle.inbound_connectors if each.connector_type != "partner"]
    return values.only(each.name for each in on_premises) or values.only(
        each.name for each in bundle.inbound_connectors
    )


def sender_name(path: MailPath) -> str:
    """The send connector that leads to the relay: exported, of an event, of a session's log, of a queue."""
    return next(filter(None, map(values.only, _sender_names(path))), "")


def _sender_names(path: MailPath) -> Iterator[list[str]]:
    bundle = path.bundle
    yield [each.name for each in path.ends_now("out") if each.to_cloud and each.enabled]
    yield [each.name for each in path.ends_now("out")]
    yield [each.connector for each in bundle.sessions if each.log == "send" and each.connector]
    yield [each.value for each in bundle.health if each.label.casefold() == "connector name"]
    yield [each.connector for each in bundle.queue_errors if not _is_id(each.connector)]
    told = (_TAGGED.search(each.message) for each in bundle.powershell_errors)
    yield [each["name"].strip() for each in told if each]


_TAGGED: Final = re.compile(r"following Send Connectors\s{0,3}:\s{0,3}(?P<name>[^.,;]{2,80})", re.IGNORECASE)
"""Why Exchange does not remove a certificate."""


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text, re.IGNORECASE) is not None


# --- certificates ---------------------------------------------------------------------------------------------------


def _of_certificate(path: MailPath, says: str) -> str:
    held = [each for store in path.stores if store.when == "now" for each in store.held if not is_self_signed(each)]
    if says.startswith("old"):
        return _older_twin(held)
    newest = sorted(held, key=lambda each: at(each.not_after) or 0.0, reverse=True)
    if not newest or not _is_the_one(newest):
        return ""
    return newest[0].serial if says == "serial" else newest[0].thumbprint


def _older_twin(held: Sequence[CertificateSeen]) -> str:
    """The one that another of the same first name replaces."""
    older = [
        each.thumbprint
        for each in held
        for other in held
        if each is not other
        and names_of(each)[:1] == names_of(other)[:1]
        and (at(each.not_after) or 0.0) < (at(other.not_after) or 0.0)
    ]
    return values.only(older)


def _is_the_one(newest: Sequence[CertificateSeen]) -> bool:
    """Whether one certificate is meant: the only one, or of the only name and of longest life."""
    if len(newest) == 1:
        return True
    ends = at(newest[0].not_after)
    return ends is not None and all((at(each.not_after) or ends) < ends for each in newest[1:])
