"""Rehearsals and enrolments: made by an administrator, kept by a server's session, read by the administrator.

Law: a proof is made from the session of an enrolment message alone, for the tenant whose address it was, and only where
the EHLO name of that session carried the token.
"""

import secrets
from base64 import b32encode, b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from shlex import quote
from typing import Any

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.limits import limit_of
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.sessions.explain import Answer, Question, Relay, explain
from gatepost.errors import BadRequest, LimitReached, NotFound
from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, ReversePath
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.fields import ReadRecord, Record, time_from, time_text
from gatepost.tenancy.one_time_address import OneTimeAddress, Purpose
from gatepost.tenancy.proof import Proof, ProvenBy, holder
from gatepost.tenancy.session_record import attribution_record
from gatepost.tenancy.tenant import Tenant

REHEARSAL_LASTS = timedelta(minutes=10)
ENROLMENT_LASTS = timedelta(days=1)

_KEPT_AFTERWARDS = timedelta(days=7)
"""How long it can be read what was seen."""

_MOST_KEPT = 500
"""Of one tenant and purpose, used and expired ones too."""

_MOST_ENVELOPES = 50

OUTSIDE = "someone@outside.example"
"""A recipient that no tenant can have (RFC 2606 2)."""
FOREIGN = "someone@foreign.example"


def make(
    editor: DirectoryEditor,
    tenant: str,
    purpose: Purpose,
    at: datetime,
    envelopes: Sequence[tuple[str, str]] = (),
) -> OneTimeAddress:
    """`envelopes`: what a rehearsal asks about: reverse-path (empty: the null one) and forward-path."""
    if len(envelopes) > _MOST_ENVELOPES:
        raise BadRequest(f"{len(envelopes)} envelopes are too many: at most {_MOST_ENVELOPES} in one rehearsal")
    for mail_from, rcpt_to in envelopes:
        _reverse_path(mail_from)
        _mailbox(rcpt_to)
    with editor.change():
        of_tenant = tenant_named(editor, tenant)
        owner = of_tenant.name
        editor.forget_one_time_addresses(at - _KEPT_AFTERWARDS)
        _must_have_room(editor, of_tenant, purpose, at)
        one_time_address = OneTimeAddress(
            id=secrets.token_hex(8),
            purpose=purpose,
            tenant=owner,
            # 160 bits, in letters that every mail server leaves as they are.
            local_part=f"{purpose}-{b32encode(secrets.token_bytes(20)).decode().lower()}",
            made_at=at,
            expires_at=at + (REHEARSAL_LASTS if purpose is Purpose.REHEARSAL else ENROLMENT_LASTS),
            envelopes=tuple(envelopes),
        )
        editor.make_one_time_address(one_time_address)
        return one_time_address


def found(editor: DirectoryEditor, tenant: str, purpose: Purpose, id: str) -> OneTimeAddress:
    one_time_address = editor.one_time_address(id)
    if one_time_address is None or one_time_address.purpose is not purpose or one_time_address.tenant != tenant:
        raise NotFound(f"there is no {purpose} '{id}'")
    return one_time_address


def newest(editor: DirectoryEditor, tenant: str, purpose: Purpose) -> OneTimeAddress:
    owner = tenant_named(editor, tenant).name
    one_time_addresses = editor.one_time_addresses(owner, purpose)
    if not one_time_addresses:
        raise NotFound(
            f"tenant {owner} has no {purpose} yet", next_step=f"make one with: gatepost enroll {quote(owner)}"
        )
    return next((each for each in one_time_addresses if each.seen), one_time_addresses[0])


def keep(editor: DirectoryEditor, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> bool:
    """A session has kept it. An enrolment proves the certificate the session was held under; False: too late."""
    with editor.change():
        proof = _proof(one_time_address, seen, at) if one_time_address.purpose is Purpose.ENROLMENT else None
        if proof and any(_is_held_by_another(editor, proof, pin, at) for pin in proof.pins):
            return False
        if not editor.keep_one_time_address(replace(one_time_address, seen=seen)):
            return False
        if proof:
            editor.put_proof(proof)
        return True


def _is_held_by_another(editor: DirectoryEditor, proof: Proof, pin: str, at: datetime) -> bool:
    """Two tenants at the same moment: the first has it."""
    first = holder(editor, pin, at)
    return first is not None and first.tenant != proof.tenant


def _proof(one_time_address: OneTimeAddress, seen: ReadRecord, at: datetime) -> Proof | None:
    certificate = seen["tls"] and seen["tls"]["certificate"]
    if not certificate:
        return None
    return Proof(
        tenant=one_time_address.tenant,
        certificate_sha256=certificate["sha256"],
        public_key_sha256=certificate["public_key_sha256"],
        at=at,
        session_id=seen["session_id"],
        address=seen["address"],
        by=ProvenBy.EHLO,
        ehlo=seen["ehlo"],
        ends_at=time_from(certificate["not_after"]),
    )


def _must_have_room(editor: DirectoryEditor, tenant: Tenant, purpose: Purpose, at: datetime) -> None:
    """The limit is for those that wait for their session."""
    limit = limit_of(editor.allowance, tenant, f"{purpose}s")
    one_time_addresses = editor.one_time_addresses(tenant.name, purpose)
    waiting = sum(each.seen is None and each.expires_at > at for each in one_time_addresses)
    if (limit and waiting >= limit) or len(one_time_addresses) >= _MOST_KEPT:
        raise LimitReached(
            f"tenant {tenant.name} has {waiting} addresses for a {purpose} in use",
            next_step="use those, or wait until they expire",
        )


# --- what a rehearsal says --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedEnvelope:
    mail_from: str
    rcpt_to: str
    answer: Answer

    @property
    def record(self) -> Record:
        said = attribution_record(self.answer.attribution, str(self.answer.reply))
        return {"mail_from": self.mail_from, "rcpt_to": self.rcpt_to, **said}


FactsOf = Callable[[bytes], CertificateFacts]


def verdicts(
    editor: DirectoryEditor, one_time_address: OneTimeAddress, relay: Relay, facts_of: FactsOf, at: datetime
) -> tuple[RehearsedEnvelope, ...]:
    """What the relay would decide now about a session that shows what was seen. None where nothing was."""
    seen: ReadRecord | None = one_time_address.seen
    if seen is None:
        return ()
    envelopes = one_time_address.envelopes or tuple(_usual_envelopes(editor, one_time_address.tenant))
    return tuple(
        RehearsedEnvelope(
            mail_from=mail_from,
            rcpt_to=rcpt_to,
            answer=explain(relay, _question(seen, mail_from, rcpt_to, facts_of), at)[0],
        )
        for mail_from, rcpt_to in envelopes
    )


def _usual_envelopes(editor: DirectoryEditor, tenant: str) -> Iterator[tuple[str, str]]:
    """From an own sender, the null one, and one of somebody else: the three that are decided differently."""
    domains = list(editor.all_domains(tenant))
    own = next((each for each in domains if each.verified), domains[0] if domains else None)
    if own:
        yield f"postmaster@{own.domain}", OUTSIDE
    yield "", OUTSIDE
    yield FOREIGN, OUTSIDE


def _question(seen: ReadRecord, mail_from: str, rcpt_to: str, facts_of: FactsOf) -> Question:
    tls = seen["tls"]
    presented = tls["certificate"]["chain"] if tls and tls["certificate"] else []
    return Question(
        address=ip_address(seen["address"]),
        ehlo=seen["ehlo"],
        tls=tls is not None,
        chain=tuple(facts_of(b64decode(each["der"])) for each in presented),
        reverse_path=_reverse_path(mail_from),
        forward_paths=(_mailbox(rcpt_to),),
    )


def _reverse_path(text: str) -> ReversePath:
    return _mailbox(text) if text else NULL_REVERSE_PATH


def _mailbox(text: str) -> Mailbox:
    read = read_mailbox(text)
    if isinstance(read, BadPath):
        raise BadRequest(f"'{text}' is not an address: {read.says}")
    return read


# --- what an enrolment proposes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The connector that would recognise the server that was seen."""

    tenant: str
    name: str
    fields: dict[str, Any]
    """As a body of the Management API has them."""

    @property
    def command(self) -> str:
        options = {
            "certificate_names": "--certificate-name",
            "certificate_sha256": "--certificate-sha256",
            "public_key_sha256": "--public-key-sha256",
            "addresses": "--address",
        }
        words = [f"{option} {quote(each)}" for field, option in options.items() for each in self.fields.get(field, ())]
        return " ".join(["gatepost inbound-connector add", quote(self.tenant), quote(self.name), *words])


def proposal(editor: DirectoryEditor, one_time_address: OneTimeAddress) -> Proposal | None:
    """By the key, which was proven. Where a publicly issued certificate was refused, by an owned name of it. Else,
    without a certificate, by the address."""
    seen: ReadRecord | None = one_time_address.seen or one_time_address.refused
    if seen is None:
        return None
    certificate = seen["tls"] and seen["tls"]["certificate"]
    fields: dict[str, Any]
    if not certificate:
        fields = {"addresses": [seen["address"]]}
    elif one_time_address.seen and certificate["public_key_sha256"]:
        fields = {"public_key_sha256": [certificate["public_key_sha256"]]}
    elif one_time_address.seen:
        fields = {"certificate_sha256": [certificate["sha256"]]}
    elif name := _own_name(editor, one_time_address.tenant, certificate["names"]):
        fields = {"certificate_names": [name]}
    else:
        return None
    return Proposal(tenant=one_time_address.tenant, name="enrolled", fields=fields)


def _own_name(editor: DirectoryEditor, tenant: str, names: Sequence[str]) -> str | None:
    hosts = (name.lower() for name in names if not name.startswith("*"))
    owned = (name for name in hosts if (owner := editor.nearest_owner(name)) and owner.tenant == tenant)
    return next(owned, None)


def proved(one_time_address: OneTimeAddress) -> list[str]:
    """The pins that count fully because of this enrolment."""
    seen: ReadRecord | None = one_time_address.seen
    certificate = seen and seen["tls"] and seen["tls"]["certificate"]
    return [each for each in (certificate["sha256"], certificate["public_key_sha256"]) if each] if certificate else []


def shown(one_time_address: OneTimeAddress, hostname: str, at: datetime) -> Record:
    return {
        "id": one_time_address.id,
        "address": address(one_time_address, hostname),
        "expires_at": time_text(one_time_address.expires_at),
        "state": one_time_address.state(at).value,
        "seen": one_time_address.seen,
    }


def enrolment_shown(
    editor: DirectoryEditor, one_time_address: OneTimeAddress, hostname: str, at: datetime, *, for_tenant: bool = False
) -> Record:
    """`for_tenant`: without a word of other tenants."""
    proposed = proposal(editor, one_time_address)
    refused = one_time_address.refused
    if refused and for_tenant:
        refused = {key: value for key, value in refused.items() if key != "claimed_by"}
    return {
        **shown(one_time_address, hostname, at),
        "ehlo": ehlo_name(editor, one_time_address),
        "how": ways_to_send(editor, one_time_address, hostname),
        "refused": refused,
        "proved": proved(one_time_address),
        "proposal": proposed and {"name": proposed.name, "connector": proposed.fields, "command": proposed.command},
    }


def ehlo_name(editor: DirectoryEditor, one_time_address: OneTimeAddress) -> str:
    """What the server must say in EHLO; what follows the first label is free."""
    return f"{one_time_address.ehlo_token}.{_own_domain(editor, one_time_address.tenant) or 'enrolment.invalid'}"


def ways_to_send(editor: DirectoryEditor, one_time_address: OneTimeAddress, hostname: str) -> Record:
    """How a mail server is brought to say that name, and how the message is sent without one."""
    ehlo, domain = ehlo_name(editor, one_time_address), _own_domain(editor, one_time_address.tenant) or "DOMAIN"
    return {
        "postfix": f"postconf -e smtp_helo_name={ehlo} && postfix reload",
        "exchange": f"Set-SendConnector NAME -Fqdn {ehlo}",
        "swaks": f"swaks --server {hostname} --ehlo {ehlo} --tls --tls-cert CERTIFICATE.pem --tls-key KEY.pem "
        f"--from postmaster@{domain} --to {address(one_time_address, hostname)}",
    }


def _own_domain(editor: DirectoryEditor, tenant: str) -> str | None:
    return next((each.domain for each in editor.all_domains(tenant) if each.verified), None)


def address(one_time_address: OneTimeAddress, hostname: str) -> str:
    return f"{one_time_address.local_part}@{hostname}"
