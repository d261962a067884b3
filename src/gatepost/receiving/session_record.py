"""A session as the JSON object that `why` reads later. Made off the session's thread, from what the session left.

Several records of one session may be written; each holds what is new, and whoever reads them puts them together.
Shape: session_id, at, closed_at, closed, listener, address, ehlo, tls, transactions: [{number, mail_from, recipients:
[{rcpt_to, and the attribution}], more_refused, first, reply, queue_id, size}], where `first` counts the recipients told
before, and `more_refused` those that were refused like earlier ones and are not told one by one.
"""

from datetime import UTC, datetime

from gatepost.receiving.acceptance import News, Verdict
from gatepost.receiving.connection import SessionEnd
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.fields import Record, time_text
from gatepost.tenancy.session_record import attribution_record, tls_record


def session_record(session: SessionEnd) -> tuple[Record, tuple[CertificateFacts, ...]]:
    """The object, and the certificates that it names by fingerprint."""
    acceptance = session.acceptance
    tls = acceptance.tls
    record: Record = {
        "session_id": session.session_id,
        "at": _time(session.at),
        "closed_at": _time(session.ended_at) if session.why else None,
        "closed": session.why or None,
        "listener": session.listener,
        "address": str(acceptance.address),
        "ehlo": acceptance.ehlo,
        "tls": tls and tls_record(tls),
        "transactions": [_transaction(each) for each in session.news],
    }
    return record, tls.certificate.chain if tls and tls.certificate else ()


def _time(at: float) -> str | None:
    return time_text(datetime.fromtimestamp(round(at, 3), UTC))


def _transaction(news: News) -> Record:
    transaction = news.transaction
    return {
        "number": news.number,
        "mail_from": str(transaction.mail.envelope.reverse_path),
        "recipients": [_recipient(verdict) for verdict in news.verdicts],
        "more_refused": transaction.more_refused,
        "first": news.first,
        "reply": str(transaction.reply) if transaction.reply else None,
        "queue_id": transaction.queue_id,
        "size": transaction.size,
    }


def _recipient(verdict: Verdict) -> Record:
    reply = str(verdict.reply)
    found: Record = attribution_record(verdict.attribution, reply) if verdict.attribution else {"reply": reply}
    if verdict.reply.kind >= 4:
        # A tenant over its limits is refused although its attribution succeeded.
        found["outcome"] = "refused"
    return {"rcpt_to": str(verdict.forward_path), **found}
