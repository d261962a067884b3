"""What Exchange Online would do with a session, as far as one tenant's exports and Microsoft's public texts tell.

What flows: the exported tenant becomes a directory, the session a question, and the product's own attribution answers
it with the rule set `eop`. Where Microsoft's texts are silent or disagree, the question is put again with the other
reading; where that changes the answer, the answer says so (`not_public`). Laws: what one tenant cannot see (other
tenants' connectors and domains) is never answered, only named (`not_known`); nothing is sent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from gatepost.admin.sessions.explain import Answer, Question, Relay, explain
from gatepost.exchange.exported_tenant import ExportedTenant
from gatepost.mail.address import ForwardPath, Mailbox
from gatepost.tenancy.attribution import EOP, Attribution, Basis, Outcome, RuleSet
from gatepost.tenancy.candidates import ChainJudge
from gatepost.tenancy.reasons import Reason, ReasonCode


class CloudOutcome(StrEnum):
    RELAY = "relay"
    DELIVER = "deliver"
    INCOMING = "incoming"
    REFUSED = "refused"
    NOT_KNOWN = "not-known"
    """The tenant does not claim the session, and whose the recipient is, its exports cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAnswer:
    forward_path: ForwardPath
    attribution: Attribution
    outcome: CloudOutcome
    reply: str
    """As the service words it. Of `not-known`: what it says if no tenant has the recipient's domain."""
    not_public: tuple[str, ...]
    """What Microsoft does not say, where it bears on this answer."""
    not_known: tuple[str, ...]
    """What these exports do not show, where it bears on this answer."""


_REPLIES: Final = {
    "7.64": "550 5.7.64 TenantAttribution; Relay Access Denied",
    "7.51": "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's "
    "recipient domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set",
    "7.68": "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized "
    "sources",
    "7.0": "454 4.7.0 Failed to establish appropriate TLS channel: Access Denied",
}

_OTHER_READINGS: Final = (
    (
        replace(EOP, unowned_name_with_reverse_path=False),
        "whether a connector counts if its certificate name is not an accepted domain",
    ),
    (
        replace(EOP, wildcard_certificate_for_exact_name=True),
        "whether a certificate for *.domain satisfies a connector for one host name",
    ),
    (
        replace(EOP, wildcard_of_one_label=True),
        "whether a connector's wildcard covers names more than one label below it",
    ),
    (
        replace(EOP, match_subdomains_owns_names=False),
        "whether MatchSubDomains makes a certificate name below the domain an accepted one",
    ),
    (
        replace(EOP, recipients_of_one_domain=False),
        "whether recipients in several domains still lose an address connector its tenant",
    ),
    (replace(EOP, on_premises_require_tls=True), "whether RequireTls of an OnPremises connector is enforced"),
    (
        replace(EOP, null_reverse_path_is_in_every_domain=False),
        "whether SenderDomains * of a partner connector covers the null sender",
    ),
)
"""The rule set with an open question answered the other way, and the question."""


def explain_exchange_online(
    tenant: ExportedTenant, question: Question, judge: ChainJudge, at: datetime
) -> tuple[CloudAnswer, ...]:
    """One answer for each forward-path."""
    answers = _asked(tenant, question, judge, at, EOP)
    others = [(asks, _asked(tenant, question, judge, at, rules)) for rules, asks in _OTHER_READINGS]
    return tuple(
        _cloud_answer(tenant, question, answer, [(asks, other[index]) for asks, other in others])
        for index, answer in enumerate(answers)
    )


def _asked(
    tenant: ExportedTenant, question: Question, judge: ChainJudge, at: datetime, rules: RuleSet
) -> tuple[Answer, ...]:
    relay = Relay(hostname="", listener="", directory=tenant.directory, judge=judge, rules=rules)
    return explain(relay, question, at)


def _cloud_answer(
    tenant: ExportedTenant, question: Question, answer: Answer, others: Sequence[tuple[str, Answer]]
) -> CloudAnswer:
    outcome = _outcome(answer)
    return CloudAnswer(
        forward_path=answer.forward_path,
        attribution=replace(answer.attribution, reasons=tuple(map(_of_these_exports, answer.attribution.reasons))),
        outcome=outcome,
        reply=_reply(answer),
        not_public=tuple(_not_public(tenant, question, answer, outcome, others)),
        not_known=(*_beyond_the_tenant(question, answer, outcome), *tenant.not_known),
    )


_ABOUT_ALL_TENANTS: Final = {
    ReasonCode.RECIPIENT_NOT_HOSTED: "The recipient's domain is not an accepted domain in these exports.",
    ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR: "No connector in these exports has one of its names.",
    ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR: "No connector in these exports lists the address.",
}
"""What a relay says that knows all its tenants, said by one that knows one of them."""


def _of_these_exports(reason: Reason) -> Reason:
    return replace(reason, says=_ABOUT_ALL_TENANTS.get(reason.code, reason.says))


def _outcome(answer: Answer) -> CloudOutcome:
    found = answer.attribution
    if found.outcome is not Outcome.REFUSED:
        return CloudOutcome(found.outcome)
    elsewhere = any(reason.code is ReasonCode.RECIPIENT_NOT_HOSTED for reason in found.reasons)
    return CloudOutcome.NOT_KNOWN if elsewhere else CloudOutcome.REFUSED


def _reply(answer: Answer) -> str:
    refusal = answer.attribution.refusal
    return _REPLIES[refusal.status] if refusal else "250 2.1.5 Recipient OK"


def _not_public(
    tenant: ExportedTenant,
    question: Question,
    answer: Answer,
    outcome: CloudOutcome,
    others: Sequence[tuple[str, Answer]],
) -> Iterator[str]:
    for asks, other in others:
        if _summary(other) != _summary(answer):
            yield f"Microsoft's documentation does not settle {asks}; otherwise the answer is: {_in_words(other)}."
    if answer.attribution.connector in tenant.associated_domains:
        yield (
            f"AssociatedAcceptedDomains of '{answer.attribution.connector}' was left aside: one page says it limits "
            "the senders, another the recipients."
        )
    if question.chain and answer.attribution.basis is Basis.CERTIFICATE:
        if question.chain[0].der:
            yield "Exchange Online trusts Microsoft's list of roots; the chain was verified against this machine's."
        purposes = question.chain[0].purposes
        if purposes is not None and "clientAuth" not in purposes:
            yield "Microsoft does not document whether clientAuth, which this certificate lacks, is required."
    if outcome in (CloudOutcome.REFUSED, CloudOutcome.NOT_KNOWN):
        yield "Reports differ on the command it refuses: after RCPT TO, or at the end of the content."
    if outcome is CloudOutcome.DELIVER and not _owns_sender(tenant, question):
        yield "Microsoft does not document whether such mail is originating or incoming; it is accepted."


def _summary(answer: Answer) -> tuple[object, ...]:
    found = answer.attribution
    return _outcome(answer), found.tenant, found.connector, found.refusal.status if found.refusal else None


def _in_words(answer: Answer) -> str:
    found, outcome = answer.attribution, _outcome(answer)
    by = f" by connector '{found.connector}'" if found.connector else ""
    return f"{outcome}{by}" if found.refusal is None else _reply(answer)


def _owns_sender(tenant: ExportedTenant, question: Question) -> bool:
    path = question.reverse_path
    return isinstance(path, Mailbox) and tenant.directory.covering_domain(path.domain) is not None


def _beyond_the_tenant(question: Question, answer: Answer, outcome: CloudOutcome) -> Iterator[str]:
    domain = answer.forward_path.domain
    if outcome is CloudOutcome.NOT_KNOWN:
        yield (
            f"{domain} is not an accepted domain in these exports. If another tenant of Exchange Online owns it, the "
            "mail is accepted there as incoming; it is refused only if no tenant owns it."
        )
    if question.chain and not question.chain[0].der:
        yield "The log shows only the certificate's name; its chain is assumed complete and trusted."
    if question.chain:
        yield (
            "Another tenant whose connector and accepted domain fit the certificate's name more exactly would take the "
            "session; one tenant's exports cannot show that."
        )
