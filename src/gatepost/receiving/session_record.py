"""A session as the JSON object that `why` reads later. Made off the session's thread, from the account of it.

Several records of one session may be written; each holds what is new, and whoever reads them puts them together.
Shape: session_id, at, closed_at, closed, listener, address, ehlo, tls, transactions: [{number, mail_from, recipients:
[{rcpt_to, and the attribution}], more_refused, first, reply, queue_id, size}], where `first` counts the recipients of
earlier records, and `more_refused` those that were refused like earlier ones and are not recorded one by one. Where
somebody who sent the message signs mail, there is `dkim`: {signed: [{domain, selector, algorithm}], why_not}.
"""

from datetime import UTC, datetime

from gatepost.receiving.account import SessionAccount, TransactionAccount
from gatepost.receiving.transaction import RecipientDecision
from gatepost.signing.message import Signed, Unsigned
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.fields import Record, time_text
from gatepost.tenancy.session_record import attribution_record, tls_record


def session_record(session: SessionAccount) -> tuple[Record, tuple[CertificateFacts, ...]]:
    """The object, and the certificates that it names by fingerprint."""
    peer, tls = session.peer, session.peer.tls
    record: Record = {
        "session_id": session.session_id,
        "at": _time(session.at),
        "closed_at": _time(session.ended_at) if session.why else None,
        "closed": session.why or None,
        "listener": session.listener,
        "address": peer.address_text,
        "ehlo": peer.ehlo,
        "tls": tls and tls_record(tls),
        "transactions": [_transaction(each) for each in session.transactions],
    }
    return record, tls.certificate.chain if tls and tls.certificate else ()


def _time(at: float) -> str | None:
    return time_text(datetime.fromtimestamp(round(at, 3), UTC))


def _transaction(transaction: TransactionAccount) -> Record:
    record: Record = {
        "number": transaction.number,
        "mail_from": str(transaction.reverse_path),
        "recipients": [_recipient(decision) for decision in transaction.decisions[transaction.first :]],
        "more_refused": transaction.more_refused,
        "first": transaction.first,
        "reply": str(transaction.reply) if transaction.reply else None,
        "queue_id": transaction.queue_id,
        "size": transaction.size,
    }
    if transaction.signing is not None:
        record["dkim"] = _signing(transaction.signing)
    return record


def _signing(signing: Signed | Unsigned) -> Record:
    if isinstance(signing, Unsigned):
        return {"signed": [], "why_not": signing.why}
    return {
        "signed": [
            {"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm} for key in signing.keys
        ],
        "why_not": None,
    }


def _recipient(decision: RecipientDecision) -> Record:
    reply = str(decision.reply)
    found: Record = attribution_record(decision.attribution, reply) if decision.attribution else {"reply": reply}
    if decision.reply.kind >= 4:
        # A tenant over its limits is refused although its attribution succeeded.
        found["outcome"] = "refused"
    return {"rcpt_to": str(decision.forward_path), **found}
