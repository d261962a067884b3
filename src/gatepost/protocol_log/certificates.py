"""Certificates in the protocol log: the rows Exchange's administrators know, written and read.

Exchange has written certificates in three generations: one row per attribute; one row with the labels joined in the
context; and the same with the dates. We write the newest and read all. The joined rows have no delimiters, so they are
read from the right, where the values have fixed shapes.

Law: a peer chooses the texts of its own certificate, so no value that may not hold blanks is written with one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha1
from typing import Any, Final

from gatepost.protocol_log.record import ProtocolLogRecord


class Owner(StrEnum):
    """Whose certificate a row shows: the logging host's own, or its peer's."""

    OWN = "own"
    PEER = "peer"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCertificate:
    """What a log tells of one certificate; what it does not tell is empty."""

    owner: Owner
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    thumbprint: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    names: tuple[str, ...] = ()


SENDING_CERTIFICATE: Final = "Sending certificate"
REMOTE_CERTIFICATE: Final = "Remote certificate"
_LABELS: Final = "Subject Issuer name Serial number Thumbprint Not before Not after Subject alternate names"


def certificate_row(
    title: str,
    *,
    subject: str,
    issuer: str,
    serial: str,
    der: bytes,
    not_before: datetime | None,
    not_after: datetime | None,
    names: Sequence[str],
) -> tuple[str, str]:
    """Data and context of a row about a certificate, in the newest generation's form."""
    alternate = ";".join(_solid(name.replace(";", "?")) for name in names)
    data = (
        f" {subject} {issuer} {_solid(serial.upper())} {thumbprint(der)} "
        f"{_date_text(not_before)} {_date_text(not_after)} {alternate}"
    )
    return data, f"{title} {_LABELS}"


def thumbprint(der: bytes) -> str:
    """How Windows names a certificate: SHA-1 of its DER, in upper-case hex. An identifier, not a safeguard."""
    return sha1(der, usedforsecurity=False).hexdigest().upper()


_BLANKS = re.compile(r"\s")


def _solid(value: str) -> str:
    return _BLANKS.sub("?", value) or "-"


def _date_text(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else "-"


_OWNERS: Final = {
    SENDING_CERTIFICATE: Owner.OWN,
    REMOTE_CERTIFICATE: Owner.PEER,
    "Received certificate": Owner.PEER,
}
_ATTRIBUTES: Final = {
    "Certificate subject": "subject",
    "Certificate issuer name": "issuer",
    "Certificate serial number": "serial",
    "Certificate thumbprint": "thumbprint",
    "Certificate alternate names": "names",
    "Certificate subject alternate names": "names",
}


def certificates_in(records: Iterable[ProtocolLogRecord]) -> list[LoggedCertificate]:
    """The certificates in the rows of one session, of whichever generation, in order."""
    found: list[LoggedCertificate] = []
    owner: Owner | None = None
    attributes: dict[str, Any] = {}

    def close_attributes() -> None:
        if owner is not None and attributes:
            found.append(LoggedCertificate(owner=owner, **attributes))
        attributes.clear()

    for record in records:
        if (attribute := _ATTRIBUTES.get(record.context)) and owner is not None:
            attributes[attribute] = _names(record.data) if attribute == "names" else record.data
            continue
        close_attributes()
        owner = _OWNERS.get(record.context)
        if certificate := parse_certificate_row(record.data, record.context):
            found.append(certificate)
    close_attributes()
    return found


_DATE = re.compile(r"-|\d{4}-\d\d-\d\dT[0-9:.]+Z")
_SHAPES: Final = {
    "serial": re.compile(r"-|[0-9A-Fa-f]+"),
    "thumbprint": re.compile(r"-|[0-9A-Fa-f]{40}"),
    "not_before": _DATE,
    "not_after": _DATE,
    "names": re.compile(r"\S*"),
}
# What stands right of the two names, the fullest layout first. Alternate names are left out where there are none.
_LAYOUTS: Final = (
    ("serial", "thumbprint", "not_before", "not_after", "names"),
    ("serial", "thumbprint", "not_before", "not_after"),
    ("serial", "thumbprint", "names"),
    ("serial", "thumbprint"),
)


def parse_certificate_row(data: str, context: str) -> LoggedCertificate | None:
    """The certificate of a joined row; None where the row is none or its values have other shapes."""
    owner = next((owner for beginning, owner in _OWNERS.items() if context.startswith(beginning + " ")), None)
    if owner is None:
        return None
    for layout in _LAYOUTS:
        both_names, *values = data.rsplit(" ", len(layout))
        if len(values) == len(layout) and all(map(_has_shape, layout, values)):
            return _certificate(owner, both_names, dict(zip(layout, values, strict=True)))
    return None


def _has_shape(attribute: str, value: str) -> bool:
    return _SHAPES[attribute].fullmatch(value) is not None


def _certificate(owner: Owner, both_names: str, told: dict[str, str]) -> LoggedCertificate:
    subject, issuer = _subject_and_issuer(both_names.strip(" "))
    return LoggedCertificate(
        owner=owner,
        subject=subject,
        issuer=issuer,
        serial=told["serial"].removeprefix("-"),
        thumbprint=told["thumbprint"].removeprefix("-").upper(),
        not_before=_date(told.get("not_before")),
        not_after=_date(told.get("not_after")),
        names=_names(told.get("names", "")),
    )


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(";") if name.strip())


_ATTRIBUTE_TYPE = r"(?:CN|OU|O|L|STREET|ST|S|C|DC|E|SERIALNUMBER|OID\.[0-9.]+|[0-9]+(?:\.[0-9]+)+)="
# Within one name a comma, plus or semicolon stands before the next attribute; the second name begins without.
_SECOND_NAME = (
    re.compile(r"(?<![,;+]) (?=CN=)"),
    re.compile(rf"(?<![,;+]) (?={_ATTRIBUTE_TYPE})"),
)


def _subject_and_issuer(both: str) -> tuple[str, str]:
    """Two distinguished names with one blank between: where the issuer begins is a guess, the best one first."""
    half = len(both) // 2
    if both[:half] == both[half + 1 :] and both[half : half + 1] == " ":
        return both[:half], both[:half]
    for second_name in _SECOND_NAME:
        if found := list(second_name.finditer(both)):
            return both[: found[-1].start()], both[found[-1].end() :]
    return both, ""
