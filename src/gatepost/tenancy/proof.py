"""Proof that a tenant's server holds the key of a certificate, and until when that counts.

Laws: a proof ends with the certificate it was made with, and rests while its tenant has no verified domain; of several
tenants that have proven one pin the first keeps it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gatepost.tenancy.fields import (
    TEXT,
    TIME,
    TIME_OR_NONE,
    Field,
    Fields,
    Form,
    ReadRecord,
    Record,
    object_from,
    record_of,
)


class ProvenBy(StrEnum):
    MESSAGE = "message"
    """One message of the session. No longer taken: a forwarder, and a provider that serves many, send it too."""
    EHLO = "ehlo"
    """The session's EHLO name carried the one-time token, which only who configures the server can bring about."""
    OPERATOR = "operator"
    """The operator vouches, by an import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a tenant's server held the key of a certificate."""

    tenant: str
    certificate_sha256: str
    public_key_sha256: str
    """Empty when it could not be read."""
    at: datetime
    session_id: str
    address: str
    by: ProvenBy = ProvenBy.EHLO
    ehlo: str = ""
    ends_at: datetime | None = None
    """Of the certificate; None where that is not known."""

    @property
    def pins(self) -> frozenset[str]:
        return frozenset(filter(None, (self.certificate_sha256, self.public_key_sha256)))

    @property
    def suffices(self) -> bool:
        """Whether it was made in a way that counts."""
        return self.by is not ProvenBy.MESSAGE

    def counts(self, at: datetime) -> bool:
        return self.suffices and (self.ends_at is None or at < self.ends_at)


class Proofs(Protocol):
    """As much of a `Directory` as says who has proven what."""

    def proofs_of(self, pin: str) -> Iterable[Proof]: ...

    def has_verified_domain(self, tenant: str) -> bool: ...


def holder(directory: Proofs, pin: str, at: datetime) -> Proof | None:
    """The proof of `pin` that counts: the oldest of those that do."""
    standing = (each for each in directory.proofs_of(pin) if each.counts(at))
    return min(
        (each for each in standing if directory.has_verified_domain(each.tenant)),
        key=lambda each: (each.at, each.tenant),
        default=None,
    )


_BY = Form(wants="a text", fits=TEXT.fits, to_json=lambda by: by.value, from_json=ProvenBy)

PROOF = Fields(
    Field(name="tenant", form=TEXT, is_key=True),
    Field(name="certificate_sha256", form=TEXT, is_found=True),
    Field(name="public_key_sha256", form=TEXT, is_found=True),
    Field(name="at", form=TIME, is_found=True),
    Field(name="session_id", form=TEXT, is_found=True),
    Field(name="address", form=TEXT, is_found=True),
    Field(name="by", form=_BY, is_found=True),
    Field(name="ehlo", form=TEXT, is_found=True),
    Field(name="ends_at", form=TIME_OR_NONE, is_found=True),
)


def proof_record(proof: Proof) -> Record:
    return record_of(proof, PROOF)


def proof_from(record: ReadRecord) -> Proof:
    """What was written before proofs had a `by` was proven by a message."""
    return object_from(Proof, PROOF, {"by": ProvenBy.MESSAGE, **record})
