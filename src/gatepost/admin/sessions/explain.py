"""What would happen to a session, and why: the same function that decides the live one, on facts that are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from gatepost.mail.address import ForwardPath, ReversePath
from gatepost.mail.reply import Reply, reply
from gatepost.tenancy.attribution import GATEPOST, Attribution, Outcome, RuleSet, attribute, refusal_reply
from gatepost.tenancy.candidates import ChainJudge, gather
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.evidence import Address, CertificateFacts, Evidence, TlsEvidence
from gatepost.tenancy.fields import Record
from gatepost.tenancy.names import presented_names
from gatepost.tenancy.ownership import unowned_names
from gatepost.tenancy.reasons import ReasonCode
from gatepost.tenancy.session_record import attribution_record
from gatepost.tenancy.tenant import InboundConnector

SOMEWHERE = ip_address("0.0.0.0")
"""The unspecified address stands for "some address that no connector lists"."""

NO_SESSION = "0" * 16
"""Stands where a live refusal has its session id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    address: Address
    ehlo: str
    tls: bool
    chain: tuple[CertificateFacts, ...]
    """As the server would present it, leaf first; empty: no certificate."""
    reverse_path: ReversePath
    forward_paths: tuple[ForwardPath, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    forward_path: ForwardPath
    attribution: Attribution
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """The listener the question is put to."""

    hostname: str
    listener: str
    directory: Directory
    judge: ChainJudge
    rules: RuleSet = GATEPOST
    help_link: str | None = None


def explain(relay: Relay, question: Question, at: datetime) -> tuple[Answer, ...]:
    """One answer for each forward-path, in order, each in the light of those accepted before it."""
    accepted: tuple[ForwardPath, ...] = ()
    answers = []
    for path in question.forward_paths:
        answer = _one(relay, question, (*accepted, path), at)
        if not answer.attribution.refusal:
            accepted = (*accepted, path)
        answers.append(answer)
    return tuple(answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotConsidered:
    """A connector that names the certificate, and that no session looks at: for whoever wonders why."""

    connector: str
    code: ReasonCode
    says: str

    @property
    def record(self) -> Record:
        return {"connector": self.connector, "code": self.code.value, "says": self.says}


def not_considered(relay: Relay, question: Question, answers: Sequence[Answer]) -> list[NotConsidered]:
    """A bounded number of them."""
    names = [name.key for name in presented_names(question.chain[0])] if question.chain else []
    considered = {reason.connector for answer in answers for reason in answer.attribution.reasons}
    found = []
    for connector in relay.directory.bystanders(names):
        if connector.label in considered:
            continue
        if not connector.enabled:
            found.append(_not_considered(connector, ReasonCode.CONNECTOR_DISABLED, "The connector is disabled."))
        elif unowned_names(connector, relay.directory):
            says = f"A name of it is in no verified domain of {connector.tenant}."
            found.append(_not_considered(connector, ReasonCode.CERTIFICATE_NAME_NOT_OWNED, says))
    return found


def _not_considered(connector: InboundConnector, code: ReasonCode, says: str) -> NotConsidered:
    return NotConsidered(connector=connector.label, code=code, says=says)


def explanation(relay: Relay, asked: Question, at: datetime) -> Record:
    """The verdict that design §7 promises, beside it every recipient's own, and what no session looks at."""
    answers = explain(relay, asked, at)
    return {
        **_verdict(most_telling(answers)),
        "recipients": [{"rcpt_to": str(each.forward_path), **_verdict(each)} for each in answers],
        "not_considered": [each.record for each in not_considered(relay, asked, answers)],
    }


def _verdict(answer: Answer) -> Record:
    return attribution_record(answer.attribution, str(answer.reply))


def most_telling(answers: Sequence[Answer]) -> Answer:
    """The first refusal; where there is none, the last acceptance."""
    return next((each for each in answers if each.attribution.outcome is Outcome.REFUSED), answers[-1])


def _one(relay: Relay, question: Question, paths: tuple[ForwardPath, ...], at: datetime) -> Answer:
    evidence = Evidence(
        address=question.address,
        listener=relay.listener,
        tls=_tls(relay, question, at),
        ehlo=question.ehlo,
        reverse_path=question.reverse_path,
        forward_paths=paths,
    )
    found = attribute(evidence, gather(relay.directory, evidence, relay.judge, at), at, relay.rules)
    said = (
        refusal_reply(found.refusal, relay.hostname, at, NO_SESSION, relay.help_link)
        if found.refusal
        else reply(250, "1.5", "Recipient OK")
    )
    return Answer(forward_path=paths[-1], attribution=found, reply=said)


def _tls(relay: Relay, question: Question, at: datetime) -> TlsEvidence | None:
    if not question.tls and not question.chain:
        return None
    certificate = relay.judge(question.chain, (), at) if question.chain else None
    return TlsEvidence(protocol="TLSv1.3", cipher="", cipher_bits=0, server_name=None, certificate=certificate)
