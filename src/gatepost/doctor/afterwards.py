"""What comes after a repair: how long until it shows, and what becomes of the mail that waits.

What flows: a finding with its commands, and the path. Laws: the slowest of the repair's kinds decides; what is said
about mail follows from the replies that were seen: refused for good it is gone, deferred it waits.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.software import programs_of


class _Kind(NamedTuple):
    """A kind of repair, by where it is made and what its command holds."""

    where: tuple[str, ...]
    words: tuple[str, ...]
    """Any of them; empty: whatever the command."""
    takes: str


_KINDS: Final = (
    _Kind(
        ("network", "application", "PKI", "certificate authority"),
        ("delist", "support case", "mitigation"),
        "Up to two days, until the other side has lifted it.",
    ),
    _Kind(
        ("network", "Windows"),
        ("TXT record", "PTR", "TLSA", "ip4:", "MX record", "DnsServerResourceRecord"),
        "As long as the old DNS record's TTL, usually up to an hour.",
    ),
    _Kind(
        ("Exchange Online",),
        ("Connector", "AcceptedDomain", "MgDomain", "TransportRule"),
        "Up to an hour, until every front end of Exchange Online has the change. Change nothing meanwhile.",
    ),
    _Kind(("PKI", "certificate authority"), (), "Until the new certificate is issued and installed."),
    _Kind(
        ("Exchange",),
        ("EdgeSynchronization",),
        "A few minutes, until EdgeSync has carried the change to the Edge servers.",
    ),
    _Kind(
        ("Exchange",),
        ("Restart-Service", "SendConnector", "ReceiveConnector", "ExchangeCertificate"),
        "At once after the services are restarted; on servers of other sites after Active Directory has replicated.",
    ),
    _Kind(("Exchange Online",), (), "Up to an hour, until every server of Exchange Online has the change."),
    _Kind(("Gatepost",), (), "Within a second, without a restart."),
    _Kind(
        ("Postfix", "Exim", "sendmail", "OpenSMTPD", "qmail", "Java", "PHP", ".NET", "Python", "Node.js", "Go"),
        (),
        "At once, from the next session after the reload or restart on.",
    ),
)
"""The slowest first."""

_RETRIES: Final = {
    "Exchange": "Get-Queue | Where-Object Status -eq 'Retry' | Retry-Queue -Resubmit $true",
    "Postfix": "postqueue -f",
    "Exim": "exim -qff",
    "sendmail": "sendmail -q -v",
    "OpenSMTPD": "smtpctl schedule all",
    "qmail": "kill -ALRM of qmail-send",
}
_GONE: Final = "Mail that was refused for good (5xx) went back to its senders: it must be sent again."


def with_what_follows(finding: Finding, path: MailPath) -> Finding:
    if not finding.fix:
        return finding
    return replace(finding, takes=_takes(finding), waiting_mail=_waiting(path))


def _takes(finding: Finding) -> str:
    """Of the first place that acts: the others are alternatives, or the same repair on another software."""
    place = finding.fix[0].where
    fixes = [each for each in finding.fix if each.where == place]
    return next((kind.takes for kind in _KINDS if any(_is_of(fix, kind) for fix in fixes)), "")


def _is_of(fix: Fix, kind: _Kind) -> bool:
    return fix.where in kind.where and (not kind.words or any(word in fix.command for word in kind.words))


def _waiting(path: MailPath) -> str:
    return " ".join(_said(path.bundle))


def _said(bundle: EvidenceBundle) -> Iterator[str]:
    codes = [each.code for each in bundle.replies]
    if any(code >= 500 for code in codes):
        yield _GONE
    deferred = any(400 <= code < 500 for code in codes) or bool(bundle.queue_errors)
    logged = any(each.status == "deferred" for each in bundle.postfix_deliveries)
    if not (deferred or logged or any(each.mark == "==" for each in bundle.exim)):
        return
    cloud = any("exchangelabs" in each.quoted_by or "outlook.com" in each.quoted_by for each in bundle.replies)
    if bundle.traced or cloud:
        yield "Exchange Online retries deferred mail by itself for a day."
        return
    program = next((each for each in _RETRIES if each in programs_of(bundle)), "")
    yield "Deferred mail (4xx) stays in the queue and is retried by itself" + (
        f"; at once: {_RETRIES[program]}" if program else "."
    )
