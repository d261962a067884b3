"""Causes that a reply names by itself: what they say and what repairs them stands in causes.toml."""

from collections.abc import Iterator

from gatepost.doctor.addresses import refused_by_attribution
from gatepost.doctor.causes import cause_named
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.evidence import ReplySeen
from gatepost.doctor.path.objects import MailPath, Symptom
from gatepost.doctor.path.told import How, Told
from gatepost.doctor.repairs import Advice
from gatepost.doctor.senders import domain_of


def the_reply_names_it(path: MailPath) -> Iterator[Check]:
    """A minority of such replies beside refusals by attribution is another story and no cause."""
    refusals = sum(each.count for each in path.bundle.replies if refused_by_attribution(each))
    named: dict[str, list[Symptom]] = {}
    for symptom in path.symptoms:
        if symptom.cause:
            named.setdefault(symptom.cause, []).append(symptom)
    for cause, told in named.items():
        if refusals <= sum(each.fact.count for each in told if isinstance(each.fact, ReplySeen)):
            yield _named(path, cause, told)


def _named(path: MailPath, cause: str, symptoms: list[Symptom]) -> Check:
    described = cause_named(cause)
    values = _values(path, symptoms[0])
    most = How.INFERRED if described.root_open else How.SEEN
    premises = tuple(
        Told(value=each, how=min(each.how, most), source=each.fact.source, says=each.says) for each in symptoms[:3]
    )
    return Check(
        cause=cause,
        standing="broken",
        subject=cause,
        says=described.says,
        premises=premises,
        explains=frozenset(each.kind for each in symptoms),
        edits=tuple(Advice(where, _filled(command, values)) for where, command in described.repair),
        verify=_filled(described.verify, values),
        needs=(Need(described.needs, 2),) if described.needs else (),
        names_what_happens=described.root_open,
        place=90,
    )


def _values(path: MailPath, symptom: Symptom) -> dict[str, str]:
    reply = symptom.fact if isinstance(symptom.fact, ReplySeen) else None
    recipient = (reply.forward_path if reply else None) or "RECIPIENT"
    sender = (reply.reverse_path if reply else None) or ""
    host = (reply.said_by if reply else "") or "HOST"
    return {
        "recipient": recipient,
        "recipient_domain": domain_of(recipient) or "DOMAIN",
        "sender_domain": domain_of(sender) or "DOMAIN",
        "host": host,
    }


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
