"""TLSA records as DANE for SMTP reads them (RFC 7672 3.1).

What flows through: the records of one name; those that can be used out. Laws: usages 0 and 1 are unusable, because
sender and receiver need not share a set of public authorities (RFC 7672 3.1.3); of equal usage and selector only the
strongest digest counts (RFC 7671 9).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

DANE_TA: Final = 2
DANE_EE: Final = 3
CERTIFICATE: Final = 0
PUBLIC_KEY: Final = 1
FULL: Final = 0
SHA2_256: Final = 1
SHA2_512: Final = 2

_DIGEST_OCTETS: Final = {SHA2_256: 32, SHA2_512: 64}


class Dnssec(StrEnum):
    """How far an answer about TLSA records can be relied on."""

    NOT_ASKED = "not-asked"
    """The host is an address, or the TLS level of the connector needs no answer."""
    DISABLED = "disabled"
    """The name servers do not validate, or are not trusted."""
    INSECURE = "insecure"
    """The name of the host, or the way to it, is not signed."""
    SECURE = "secure"
    FAILED = "failed"
    """SERVFAIL, which validating name servers answer for a forged zone too; or no answer."""


class TlsaRecord(NamedTuple):
    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def kind(self) -> str:
        """`3 1 1`"""
        return f"{self.usage} {self.selector} {self.matching}"

    @property
    def is_usable(self) -> bool:
        if self.usage not in (DANE_TA, DANE_EE) or self.selector not in (CERTIFICATE, PUBLIC_KEY):
            return False
        if self.matching == FULL:
            return bool(self.data)
        return len(self.data) == _DIGEST_OCTETS.get(self.matching)


class TlsaAnswer(NamedTuple):
    """What DNS says of one host."""

    state: Dnssec
    records: tuple[TlsaRecord, ...] = ()
    base: str = ""
    """The name that they were found at (RFC 7672 2.2.2): the certificate may carry it, and SNI asks for it."""
    why: str = ""
    """Of `DISABLED` and `FAILED`, for people."""


NOT_ASKED: Final = TlsaAnswer(Dnssec.NOT_ASKED)


class TlsaMatch(NamedTuple):
    """What comparing a chain with records came to."""

    record: TlsaRecord | None
    problem: str = ""
    """Why it is none."""


def usable(records: Sequence[TlsaRecord]) -> tuple[TlsaRecord, ...]:
    chosen = [record for record in records if record.is_usable]
    strongest: dict[tuple[int, int], int] = {}
    for record in chosen:
        of_kind = (record.usage, record.selector)
        strongest[of_kind] = max(strongest.get(of_kind, FULL), record.matching)
    return tuple(record for record in chosen if record.matching in (FULL, strongest[record.usage, record.selector]))
