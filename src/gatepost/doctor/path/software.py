"""Which programs the evidence shows to send the mail, so that a repair speaks of them.

Law: a program counts as there only by something that it wrote itself: a line of its log, its configuration, its error.
"""

import re
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.evidence import EvidenceBundle

_LOGS: Final = {
    "postfix-log": "Postfix",
    "exim-log": "Exim",
    "opensmtpd-log": "OpenSMTPD",
    "sendmail-log": "sendmail",
    "qmail-log": "qmail",
}
_CONFIGURATIONS: Final = {
    "exim": "Exim",
    "opensmtpd": "OpenSMTPD",
    "sendmail": "sendmail",
    "php": "PHP",
    "java": "Java",
    "device": "device",
}
_LANGUAGES: Final = {
    "java": "Java",
    "python": "Python",
    "dotnet": ".NET",
    "php": "PHP",
    "node": "Node.js",
    "go": "Go",
}
PROGRAMS: Final = frozenset((*_LOGS.values(), *_CONFIGURATIONS.values(), *_LANGUAGES.values(), "Exchange"))
"""Names that may stand as the place of a repair; other places (the network, the tenant) are anybody's."""
SERVERS: Final = frozenset((*_LOGS.values(), "Exchange"))


def programs_of(bundle: EvidenceBundle) -> frozenset[str]:
    return frozenset(_programs(bundle))


def _programs(bundle: EvidenceBundle) -> Iterator[str]:
    if bundle.postfix_deliveries or bundle.postfix_settings or bundle.postfix_tls:
        yield "Postfix"
    if bundle.exim:
        yield "Exim"
    if _is_exchange(bundle):
        yield "Exchange"
    for session in bundle.sessions:
        yield from _named(_LOGS, session.session_id.partition(":")[0])
    for reply in bundle.replies:
        yield from _named(_LOGS, reply.kind)
    for tls in bundle.tls:
        yield from _named(_LOGS, tls.kind)
    for reject in bundle.relay_rejects:
        if reject.software in PROGRAMS:
            yield reject.software
    for setting in bundle.settings:
        yield from _named(_CONFIGURATIONS, setting.software)
    for error in bundle.program_errors:
        yield from _named(_LANGUAGES, error.language)


_NAMED: Final = re.compile(r"\bexchange\b(?![ -]{0,2}online)", re.IGNORECASE)
"""The server; the service of that name is another thing."""


def _is_exchange(bundle: EvidenceBundle) -> bool:
    return bool(
        bundle.send_connectors
        or bundle.receive_connectors
        or bundle.health
        or bundle.hcw
        or bundle.queue_errors
        or any(each.log in ("send", "receive") and each.session_id for each in bundle.sessions)
        or any(each.role == "stored" for each in bundle.certificates)
        or any(_NAMED.search(each.quote) for each in (*bundle.prose, *bundle.events))
    )


def _named(table: dict[str, str], key: str) -> Iterator[str]:
    if key in table:
        yield table[key]
