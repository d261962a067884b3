"""Causes that a reply or a program's own line names: what they say and what repairs them stands in causes.toml.

Law: where the evidence shows which program sends, the repair speaks of that program and of no other.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gatepost.doctor.addresses import refused_by_attribution
from gatepost.doctor.causes import Cause, Repair, cause_named
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.checks.endpoint import endpoint_of
from gatepost.doctor.evidence import ReplySeen
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath, Symptom
from gatepost.doctor.path.software import PROGRAMS, programs_of
from gatepost.doctor.path.told import How, Told
from gatepost.doctor.repairs import Advice
from gatepost.doctor.senders import domain_of
from gatepost.exchange.powershell import argument


def the_reply_names_it(path: MailPath) -> Iterator[Check]:
    """A minority of such replies beside refusals by attribution is another story and no cause; what is nobody's fault has
    to be the majority."""
    refusals = sum(each.count for each in path.bundle.replies if refused_by_attribution(each))
    other = refusals + len(path.bundle.relay_rejects)
    named: dict[str, list[Symptom]] = {}
    for symptom in path.symptoms:
        if symptom.cause:
            named.setdefault(symptom.cause, []).append(symptom)
    for cause, told in named.items():
        replies = [each.fact for each in told if isinstance(each.fact, ReplySeen)]
        count = sum(each.count for each in replies)
        if cause_named(cause).side == "none" and replies and 0 < count <= other:
            continue
        if (len(replies) < len(told) and not refusals) or refusals <= count:
            yield _named(path, cause, told)


def _named(path: MailPath, cause: str, symptoms: list[Symptom]) -> Check:
    described = cause_named(cause)
    known = _values(path, symptoms[0])
    most = How.INFERRED if described.root_open else How.SEEN
    premises = tuple(
        Told(value=each, how=min(each.how, most), source=each.fact.source, says=each.says) for each in symptoms[:3]
    )
    return Check(
        cause=cause,
        standing="broken",
        subject=cause,
        says=filled(described.says, known),
        premises=premises,
        explains=frozenset(each.kind for each in symptoms),
        edits=tuple(Advice(each.where, filled(each.command, known)) for each in repair_for(path, described, symptoms)),
        verify=filled(described.verify, known),
        needs=(Need(filled(described.needs, known), 2),) if described.needs else (),
        by_reply=True,
        names_what_happens=described.root_open,
        place=90,
    )


def repair_for(path: MailPath, cause: Cause, symptoms: Sequence[Symptom] = ()) -> Sequence[Repair]:
    """What concerns the programs that are there and whoever said it, and what is anybody's."""
    there, speaker = programs_of(path.bundle), _speaker(symptoms)
    fitting = [each for each in cause.repair if each.is_for(speaker)]
    of_programs = [each for each in fitting if each.where not in PROGRAMS or each.where in there]
    return of_programs if there and of_programs else fitting or cause.repair


def _speaker(symptoms: Sequence[Symptom]) -> str:
    """The hosts that said it; empty where one of the replies does not show by whom it was said."""
    replies = [each.fact for each in symptoms if isinstance(each.fact, ReplySeen)]
    hosts = [each.said_by or each.trailer_host for each in replies]
    return " ".join(hosts).casefold() if all(hosts) else ""


_OWN_ADDRESS: Final = re.compile(
    r"(?:\[|\bip[:=] ?\[?|\bip=|\bfrom |\bhost )(?P<address>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{1,4}:[0-9a-f:]{4,40})(?=[\]\s,;)]|$)",
    re.IGNORECASE,
)
_CONTACT: Final = re.compile(
    r"\b(?P<contact>(?:delist|tosa|abuse|postmaster|support|unblock|removal)[\w.+-]{0,40}@[\w.-]{3,80}\w"
    r"|https?://[^\s)\]<>\"']{8,160})",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(r"not allowed to send as:? <?(?P<sender>[\w.+-]{1,64}@[\w.-]{1,253}\w)", re.IGNORECASE)
_HELO: Final = re.compile(r"<(?P<helo>[\w.-]{1,253})>: helo command rejected", re.IGNORECASE)
_FILE: Final = re.compile(r"(?<![\w/])(?P<file>/[\w.-]{1,60}(?:/[\w.-]{1,80}){1,8}\.(?:pem|crt|cer|key|p12|pfx))\b")
_LOGIN: Final = re.compile(
    r"(?:owned by user|user(?:name)?|;|login) <?(?P<login>[\w.+-]{1,64}@[\w.-]{1,253}\w)>?(?= not allowed| ?\(|\s|$)",
    re.IGNORECASE,
)


def _values(path: MailPath, symptom: Symptom) -> dict[str, str]:
    """What fills the gaps of a repair; a gap for which nothing was shown stays one."""
    reply = symptom.fact if isinstance(symptom.fact, ReplySeen) else None
    recipient = (reply.forward_path if reply else None) or values.recipient(path)
    sender = (reply.reverse_path if reply else None) or values.sender(path)
    said = f"{reply.text} {reply.quote}" if reply else symptom.says
    own, helo, login = _OWN_ADDRESS.search(said), _HELO.search(said), _LOGIN.search(said)
    address = next((each.log.hello_address for each in path.sessions if each.log.hello_address), "")
    endpoint = endpoint_of(path)
    name = path.bundle.postfix_setting("myhostname")
    domain = values.own_domain(path)
    return {
        "recipient": recipient or "<recipient>",
        "recipient_domain": domain_of(recipient) or "<recipient domain>",
        "sender": sender or "<sender>",
        "sender_domain": domain_of(sender) or _domain_said(said) or domain or "<sender domain>",
        "host": (reply.said_by if reply else "") or values.next_hop(path) or "<host>",
        "address": own["address"] if own else address or values.public_address(path) or "<public address>",
        "contact": contact["contact"] if (contact := _CONTACT.search(said)) else "the address that it names",
        "denied_sender": denied["sender"] if (denied := _DENIED.search(said)) else sender or "<sender>",
        "helo": helo["helo"] if helo else name.value if name else "<name in HELO>",
        "login": login["login"] if login else values.mailbox(path) or "<mailbox>",
        "endpoint": endpoint.value if endpoint else f"<initial-domain>{values.ENDPOINT}",
        "domain": domain or "<accepted domain>",
        "file": file["file"] if (file := _FILE.search(said)) else values.client_certificate_file(path.bundle) or "FILE",
    }


_SAID: Final = re.compile(
    r"(?:sending domain|domain of|domain|email from|from|SPF|DKIM)\s{1,9}"
    r"[\[<'\"]?(?P<domain>\w[\w.-]{1,100}\.[a-z]{2,24})\b",
    re.IGNORECASE,
)


def _domain_said(text: str) -> str:
    """`sending domain [x.example] does not pass`."""
    found = _SAID.search(text)
    return found["domain"].casefold() if found and "outlook.com" not in found["domain"] else ""


def filled(text: str, known: dict[str, str]) -> str:
    """Every `{name}` replaced; one alone in quotes is an argument."""
    for name, value in known.items():
        text = text.replace("'{" + name + "}'", argument(value)).replace("{" + name + "}", value)
    return text
