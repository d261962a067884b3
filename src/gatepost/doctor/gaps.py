"""Gaps in commands, filled with what the evidence shows.

What flows: a command with `<connector>`, `<thumbprint ...>` and the like, and the path. Law: a gap is filled only where
one object can be meant; else it stays a gap to be seen, and never becomes an empty name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from gatepost.doctor.addresses import egress_addresses, is_private, parsed_address
from gatepost.doctor.certificates_told import at, is_self_signed
from gatepost.doctor.checks.endpoint import endpoint_of
from gatepost.doctor.evidence import CertificateSeen
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.path.objects import MailPath

_GAP: Final = re.compile(
    r"<(?P<says>[a-z][^<>\n]{2,60})>(?P<endpoint>\.mail\.protection\.outlook\.com)?", re.IGNORECASE
)
_OBJECT: Final = re.compile(r"\b(?P<noun>Send|Receive|Inbound|Outbound)Connector\b", re.IGNORECASE)


def filled(findings: Sequence[Finding], path: MailPath) -> tuple[Finding, ...]:
    return tuple(replace(each, fix=tuple(_filled(fix, path) for fix in each.fix)) for each in findings)


_NEW: Final = re.compile(r"-Thumbprint '?<thumbprint(?: of the (?:new|renewed) certificate)?>'?", re.IGNORECASE)


def _filled(fix: Fix, path: MailPath) -> Fix:
    def value(gap: re.Match[str]) -> str:
        known = _value(gap, fix.command, path)
        return known.replace("'", "''") if known else gap[0]

    command = _GAP.sub(value, fix.command)
    if command.find("= Get-ExchangeCertificate") >= 0 and (host := _host_pinned(path)):
        command = _NEW.sub(f"-DomainName {host} | Sort-Object NotAfter | Select-Object -Last 1", command)
    return fix._replace(command=command)


def _host_pinned(path: MailPath) -> str:
    """The name that the connectors ask a certificate for."""
    return _only(each.pin.host if each.pin else each.fqdn or "" for each in path.ends_now())


def _value(gap: re.Match[str], command: str, path: MailPath) -> str:
    says = gap["says"].casefold()
    if gap["endpoint"]:
        endpoint = endpoint_of(path)
        return endpoint.value if endpoint else ""
    if says in ("connector", "name of the connector"):
        noun = _OBJECT.search(command[: gap.start()])
        return _connector(path, noun["noun"].casefold()) if noun else ""
    if "thumbprint" in says or says == "serial":
        return _of_certificate(path, says)
    if says.startswith(("name in the certificate", "name on the certificate", "name presented")):
        return _name_presented(path)
    if says == "server":
        return _only(path.servers) or _only(each.quoted_by.partition(".")[0] for each in path.bundle.replies)
    if says == "address of the client":
        return _only(each.value for each in path.bundle.names if each.kind == "address" and _is_inside(each.value))
    if says in ("address of the sender", "address of the source", "public address"):
        return _only(each.text for each in egress_addresses(path.bundle) if not each.accepted)
    return ""


def _is_inside(text: str) -> bool:
    address = parsed_address(text)
    return address is not None and is_private(address)


def _only(names: Iterable[str]) -> str:
    """The one name, however often it was seen; of several none."""
    found = list(dict.fromkeys(each for each in names if each))
    return found[0] if len(found) == 1 else ""


# --- connectors -----------------------------------------------------------------------------------------------------


def _connector(path: MailPath, noun: str) -> str:
    bundle = path.bundle
    if noun == "send":
        return sender_name(path)
    if noun == "receive":
        return _only(each.name for each in path.ends_now("in"))
    if noun == "outbound":
        return _only(each.name for each in bundle.outbound_connectors)
    on_premises = [each for each in bundle.inbound_connectors if each.connector_type != "partner"]
    return _only(each.name for each in on_premises) or _only(each.name for each in bundle.inbound_connectors)


def sender_name(path: MailPath) -> str:
    """The send connector that leads to the relay: exported, of an event, of a session's log, of a queue."""
    return next(filter(None, map(_only, _sender_names(path))), "")


def _sender_names(path: MailPath) -> Iterator[list[str]]:
    bundle = path.bundle
    yield [each.name for each in path.ends_now("out") if each.to_cloud and each.enabled]
    yield [each.name for each in path.ends_now("out")]
    yield [each.connector for each in bundle.sessions if each.log == "send" and each.connector]
    yield [each.value for each in bundle.health if each.label.casefold() == "connector name"]
    yield [each.connector for each in bundle.queue_errors if not _is_id(each.connector)]


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text, re.IGNORECASE) is not None


# --- certificates ---------------------------------------------------------------------------------------------------


def _of_certificate(path: MailPath, says: str) -> str:
    held = [each for store in path.stores if store.when == "now" for each in store.held if not is_self_signed(each)]
    if says.startswith("old"):
        return ""
    newest = sorted(held, key=lambda each: at(each.not_after) or 0.0, reverse=True)
    if not newest or not _is_the_one(newest):
        return ""
    return newest[0].serial if says == "serial" else newest[0].thumbprint


def _is_the_one(newest: Sequence[CertificateSeen]) -> bool:
    """Whether one certificate is meant: the only one, or of the only name and of longest life."""
    if len(newest) == 1:
        return True
    ends = at(newest[0].not_after)
    return ends is not None and all((at(each.not_after) or ends) < ends for each in newest[1:])


def _name_presented(path: MailPath) -> str:
    sent = [each.ours for each in path.sessions if each.way == "out" and each.ours is not None]
    return _only(each.all_names[0] for each in sent if each.all_names and not is_self_signed(each))
