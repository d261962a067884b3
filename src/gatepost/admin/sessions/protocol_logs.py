"""Conversations out of the protocol logs, for people and programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from gatepost.admin.sessions.why import SessionNotFound
from gatepost.protocol_log.certificates import LoggedCertificate, certificates_in
from gatepost.protocol_log.codec import timestamp_text
from gatepost.protocol_log.conversation import Conversation, conversations
from gatepost.protocol_log.record import ProtocolLogRecord


class ProtocolLogs(Protocol):
    """Protocol logs of both sides, to read."""

    def session(self, session_id: str) -> Sequence[ProtocolLogRecord]:
        """The rows of that session, or of the one in which a remote host named it."""

    def oldest(self) -> datetime | None: ...


def conversation(logs: ProtocolLogs, session_id: str) -> Conversation | SessionNotFound:
    found = conversations(logs.session(session_id))
    if not found:
        return SessionNotFound(session_id=session_id, what="protocol logs", oldest=logs.oldest())
    return found[0]


def conversation_document(conversation: Conversation) -> dict[str, Any]:
    """For programs."""
    return {
        "session_id": conversation.session_id,
        "connector_id": conversation.connector_id,
        "records": [record_document(record) for record in conversation.records],
        "certificates": [_certificate(each) for each in certificates_in(conversation.records)],
    }


def record_document(record: ProtocolLogRecord) -> dict[str, Any]:
    """The nine fields under Exchange's names."""
    return {
        "date-time": timestamp_text(record.at),
        "connector-id": record.connector_id,
        "session-id": record.session_id,
        "sequence-number": record.sequence_number,
        "local-endpoint": record.local_endpoint,
        "remote-endpoint": record.remote_endpoint,
        "event": record.event.value,
        "data": record.data,
        "context": record.context,
    }


def _certificate(certificate: LoggedCertificate) -> dict[str, Any]:
    return {
        "owner": certificate.owner.value,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "thumbprint": certificate.thumbprint,
        "not_before": certificate.not_before and certificate.not_before.isoformat(),
        "not_after": certificate.not_after and certificate.not_after.isoformat(),
        "names": list(certificate.names),
    }
