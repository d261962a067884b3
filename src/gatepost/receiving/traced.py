"""What a session received, recipient by recipient. Made off the session's thread, from the account of it.

A transaction whose content never came whole is neither a message nor refused: it leaves no row.
"""

import re
from collections.abc import Iterator
from typing import Final

from gatepost.mail.address import Mailbox
from gatepost.mail.header_fields import subject_text
from gatepost.receiving.account import SessionAccount, TransactionAccount
from gatepost.receiving.transaction import RecipientDecision
from gatepost.tenancy.evidence import ClientCertificate, VerifiedCertificate
from gatepost.trace.story import Certificate, QueuePlace, Received

_CODE: Final = re.compile(r"[245]\d\d (?:[245]\.\d+\.\d+ )?([a-z][a-z0-9]*(?:-[a-z0-9]+)+)\b")
"""The stable word at the beginning of a reply of ours."""


def received_by(session: SessionAccount) -> Iterator[Received]:
    """Recipients that were refused, once each, and all of a transaction that came to its end."""
    for transaction in session.transactions:
        final, accepted = transaction.reply, 0
        for number, decision in enumerate(transaction.decisions):
            if decision.reply.kind >= 4:
                if number >= transaction.first:
                    yield _received(session, transaction, number, decision, str(decision.reply), None)
            elif transaction.queue_id is not None:
                place = QueuePlace(transaction.queue_id, accepted)
                yield _received(session, transaction, number, decision, None, place)
                accepted += 1
            elif final is not None and final.kind >= 4:
                yield _received(session, transaction, number, decision, str(final), None)


def _received(
    session: SessionAccount,
    transaction: TransactionAccount,
    number: int,
    decision: RecipientDecision,
    refusal: str | None,
    place: QueuePlace | None,
) -> Received:
    peer, path, sender, found = session.peer, decision.forward_path, transaction.reverse_path, decision.attribution
    tls = peer.tls
    return Received(
        at=transaction.at or session.ended_at,
        session_id=session.session_id,
        within=f"{transaction.number}.{number}",
        place=place,
        tenant=found.tenant if found else None,
        connector=found.connector if found else None,
        basis=found.basis if found else None,
        by_stranger=session.by_stranger,
        address=peer.address_text,
        listener=session.listener,
        tls=tls.protocol if tls else None,
        certificate=_certificate(tls.certificate) if tls and tls.certificate else None,
        mail_from=sender.text if isinstance(sender, Mailbox) else "",
        rcpt_to=path.text,
        from_domain=sender.domain if isinstance(sender, Mailbox) else "",
        to_domain=path.domain,
        message_id=transaction.message_id,
        subject=_subject(transaction, found.tenant if found else None),
        size=transaction.size,
        reason=_reason(decision, refusal) if refusal is not None else None,
        reply=refusal,
    )


def _subject(transaction: TransactionAccount, tenant: str | None) -> str | None:
    if transaction.subject is None or tenant not in transaction.subject_for:
        return None
    return subject_text(transaction.subject)


def _reason(decision: RecipientDecision, refusal: str) -> str | None:
    if decision.attribution and decision.attribution.refusal:
        return decision.attribution.refusal.reason
    code = _CODE.match(refusal)
    return code[1] if code else None


def _certificate(certificate: ClientCertificate) -> Certificate:
    leaf = certificate.leaf
    return Certificate(
        leaf.sha256, leaf.public_key_sha256, isinstance(certificate, VerifiedCertificate), tuple(leaf.names)
    )
