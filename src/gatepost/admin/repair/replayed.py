"""Recorded sessions as questions that can be put again: the certificates as they came, the first mail that was refused.

Law: a session whose certificates are not stored whole is left out, since its verdict would be another.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.admin.sessions.explain import Question
from gatepost.admin.sessions.question import question
from gatepost.admin.sessions.recorded import RecordedSessions
from gatepost.admin.trace.choice import Words
from gatepost.admin.trace.tracing import LocalTraces
from gatepost.errors import BadRequest, NotFound, Refused
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.tenant import InboundConnector

FactsOf = Callable[[bytes], CertificateFacts]

MOST_SESSIONS: Final = 40
"""Each is read from the records, and judged twice."""
_OWN, _REFUSED, _OF_IDENTITY = 200, 200, 50
"""Rows of the trace that are looked through for sessions that differ."""
_MOST_IDENTITIES: Final = 12
_RECIPIENTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    session_id: str
    at: str
    listener: str
    mail_from: str
    rcpt_to: str
    question: Question


def replayed(document: Mapping[str, Any], facts: FactsOf) -> Replayed | None:
    """Of a session as `why` shows it; None: it cannot be put again."""
    evidence = document["evidence"]
    tls = evidence["tls"]
    chain = [each.get("der") for each in tls["certificate"]["chain"]] if tls and tls["certificate"] else []
    if not all(chain) or evidence["rcpt_to"] is None:
        return None
    mail_from = evidence["mail_from"]
    transaction = next(each for each in document["transactions"] if _holds(each, mail_from, evidence["rcpt_to"]))
    try:
        asked = question(
            mail_from=mail_from,
            rcpt_to=[each["rcpt_to"] for each in transaction["recipients"]][:_RECIPIENTS],
            address=evidence["address"],
            ehlo=evidence["ehlo"],
            tls=bool(tls),
            chain=tuple(facts(b64decode(each)) for each in chain),
        )
    except BadRequest:
        return None
    return Replayed(
        session_id=document["session_id"],
        at=document["at"],
        listener=evidence["listener"],
        mail_from=mail_from,
        rcpt_to=evidence["rcpt_to"],
        question=asked,
    )


def _holds(transaction: Mapping[str, Any], mail_from: str, rcpt_to: str) -> bool:
    return transaction["mail_from"] == mail_from and any(
        each["rcpt_to"] == rcpt_to for each in transaction["recipients"]
    )


def lately(
    traces: LocalTraces, recorded: RecordedSessions, connectors: Iterable[InboundConnector], facts: FactsOf
) -> tuple[list[Replayed], int]:
    """Sessions that a change of these connectors could concern, one of each kind; and how many could not be read."""
    found: list[Replayed] = []
    missing = 0
    for session_id in _session_ids(traces, connectors):
        try:
            again = replayed(recorded.document(session_id), facts)
        except NotFound:
            again = None
        missing += again is None
        found += [again] if again else []
    return found, missing


def _session_ids(traces: LocalTraces, connectors: Iterable[InboundConnector]) -> list[str]:
    connectors = list(connectors)
    asked = [(Words(tenant=connectors[0].tenant, since="30d"), _OWN), (Words(outcome="refused", since="7d"), _REFUSED)]
    asked += [(words, _OF_IDENTITY) for words in _identities(connectors)]
    kinds: dict[tuple[object, ...], str] = {}
    for words, most in asked:
        try:
            items = traces.search(words, most).items
        except Refused:
            continue
        for item in items:
            if item["address"] is not None:
                kinds.setdefault(_kind(item), item["session_id"])
    return list(dict.fromkeys(kinds.values()))[:MOST_SESSIONS]


def _identities(connectors: Iterable[InboundConnector]) -> list[Words]:
    found: list[Words] = []
    for connector in connectors:
        names = (name.removeprefix("*.") for name in connector.certificate_names)
        found += [Words(certificate=each, since="30d") for each in (*names, *connector.pins)]
        single = (each for each in connector.addresses if each.num_addresses == 1)
        found += [Words(address=str(each.network_address), since="30d") for each in single]
    return list(dict.fromkeys(found))[:_MOST_IDENTITIES]


def _kind(item: Mapping[str, Any]) -> tuple[object, ...]:
    """Sessions that are alike in this are judged alike."""
    certificate = item["certificate"]
    domains = (item[each].rpartition("@")[2].lower() for each in ("mail_from", "rcpt_to"))
    return (certificate and certificate["sha256"], item["address"], item["listener"], item["tls"] is None, *domains)
