"""A one-time address, made for a tenant's server, at which the relay looks closely at one session.

A rehearsal is kept by naming the address in RCPT TO: the session is recorded, nothing is accepted, nothing changes. An
enrolment is kept by one message, in a session that says EHLO with the one-time token: the certificate of that session
is proven to be the tenant's from then on.

Laws: an address cannot be guessed and is good once, and the EHLO token, which every host reads that the server sends to
meanwhile, does not lead to it; what is seen there is what the peer presented, no more; what a session shows at a
rehearsal proves nothing.
"""

import re
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import ReadRecord, Record, time_from, time_text
from gatepost.tenancy.session_record import certificate_record, tls_record, with_certificates

_LOCAL_PART = re.compile(r"(?:rehearsal|enrolment)-[a-z2-7]{32}\Z", re.ASCII)


class Purpose(StrEnum):
    REHEARSAL = "rehearsal"
    ENROLMENT = "enrolment"


class State(StrEnum):
    WAITING = "waiting"
    SEEN = "seen"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeAddress:
    id: str
    """No secret; the address is one until it is used."""
    purpose: Purpose
    tenant: str
    local_part: str
    made_at: datetime
    expires_at: datetime
    envelopes: tuple[tuple[str, str], ...] = ()
    """Rehearsal: the reverse-paths and forward-paths that are asked about; none: the usual ones."""
    seen: Record | None = None
    """As `seen_session` makes it."""
    refused: Record | None = None
    """Enrolment: the last session that proved nothing, as `seen_session` makes it, and `code`, `says`, `claimed_by`."""

    @property
    def ehlo_token(self) -> str:
        """What the EHLO name of an enrolment begins with. It stands in Received fields of other mail, and who reads it
        there must not know the address."""
        return b32encode(sha256(self.local_part.encode()).digest()[:20]).decode().lower()

    def state(self, at: datetime) -> State:
        if self.seen is not None:
            return State.SEEN
        return State.EXPIRED if at >= self.expires_at else State.WAITING


def may_be_one_time_address(local_part: str) -> bool:
    """Whether it is worth a look into the directory."""
    return bool(_LOCAL_PART.match(local_part.lower()))


def seen_session(evidence: Evidence, session_id: str, at: datetime) -> Record:
    """What a session showed, certificates included."""
    certificate = evidence.certificate
    chain = {each.sha256: certificate_record(each) for each in certificate.chain} if certificate else {}
    return {
        "at": time_text(at),
        "session_id": session_id,
        "listener": evidence.listener,
        "address": str(evidence.address),
        "ehlo": evidence.ehlo,
        "mail_from": str(evidence.reverse_path),
        "tls": with_certificates(tls_record(evidence.tls), chain) if evidence.tls else None,
    }


def one_time_address_record(one_time_address: OneTimeAddress) -> Record:
    return {
        "id": one_time_address.id,
        "purpose": one_time_address.purpose.value,
        "tenant": one_time_address.tenant,
        "local_part": one_time_address.local_part,
        "made_at": time_text(one_time_address.made_at),
        "expires_at": time_text(one_time_address.expires_at),
        "envelopes": [list(each) for each in one_time_address.envelopes],
        "seen": one_time_address.seen,
        "refused": one_time_address.refused,
    }


def one_time_address_from(record: ReadRecord) -> OneTimeAddress:
    made_at, expires_at = time_from(record["made_at"]), time_from(record["expires_at"])
    assert made_at is not None and expires_at is not None
    return OneTimeAddress(
        id=record["id"],
        purpose=Purpose(record["purpose"]),
        tenant=record["tenant"],
        local_part=record["local_part"],
        made_at=made_at,
        expires_at=expires_at,
        envelopes=tuple((mail_from, rcpt_to) for mail_from, rcpt_to in record["envelopes"]),
        seen=record["seen"],
        refused=record.get("refused"),
    )
