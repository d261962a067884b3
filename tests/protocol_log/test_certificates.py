"""Certificate rows: ours are read back whole, and Exchange's three generations are understood."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocol_log.certificates import (
    REMOTE_CERTIFICATE,
    SENDING_CERTIFICATE,
    LoggedCertificate,
    Owner,
    certificate_row,
    certificates_in,
    parse_certificate_row,
    thumbprint,
)
from gatepost.protocol_log.record import Event, ProtocolLogRecord

CASES = tomllib.loads((Path(__file__).parent / "certificate_rows.toml").read_text("utf-8"))["case"]

hexes = st.integers(0, 2**64 - 1).map("{:X}".format)
dates = st.none() | st.datetimes(datetime(1000, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
words = st.from_regex(r"[a-z*][a-z0-9.-]{0,10}", fullmatch=True)
names = st.builds("CN={}, O={} {}, C=CH".format, words, words, words)


@given(
    st.sampled_from([SENDING_CERTIFICATE, REMOTE_CERTIFICATE]),
    names,
    names,
    hexes,
    st.binary(max_size=4),
    dates,
    dates,
    st.lists(words, max_size=3),
)
def test_a_row_of_ours_is_read_back_whole(
    title: str,
    subject: str,
    issuer: str,
    serial: str,
    der: bytes,
    not_before: datetime | None,
    not_after: datetime | None,
    names: list[str],
) -> None:
    row = certificate_row(
        title,
        subject=subject,
        issuer=issuer,
        serial=serial.lower(),
        der=der,
        not_before=not_before,
        not_after=not_after,
        names=names,
    )
    assert parse_certificate_row(*row) == LoggedCertificate(
        owner=Owner.OWN if title == SENDING_CERTIFICATE else Owner.PEER,
        subject=subject,
        issuer=issuer,
        serial=serial,
        thumbprint=thumbprint(der),
        not_before=not_before,
        not_after=not_after,
        names=tuple(names),
    )


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_no_text_a_peer_chose_changes_another_value(subject: str, issuer: str, names: list[str]) -> None:
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    row = certificate_row(
        REMOTE_CERTIFICATE,
        subject=subject,
        issuer=issuer,
        serial="0a",
        der=b"",
        not_before=begin,
        not_after=end,
        names=names,
    )
    read = parse_certificate_row(*row)
    assert read is not None
    assert (read.serial, read.thumbprint, read.not_before, read.not_after) == ("0A", thumbprint(b""), begin, end)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_rows_of_every_generation_are_understood(case: dict[str, object]) -> None:
    rows = [
        ProtocolLogRecord(0.0, "", "", number, "", "", Event.INFORMATION, data, context)
        for number, (data, context) in enumerate(case["rows"])  # type: ignore[arg-type]
    ]
    shown = [
        {
            "owner": certificate.owner.name.lower(),
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "serial": certificate.serial,
            "thumbprint": certificate.thumbprint,
            "not_after": certificate.not_after.isoformat() if certificate.not_after else "",
            "names": list(certificate.names),
        }
        for certificate in certificates_in(rows)
    ]
    assert shown == case["certificates"]


@given(st.text(), st.sampled_from(["Sending certificate x", "Remote certificate ", "other"]))
def test_no_row_makes_the_reader_raise(data: str, context: str) -> None:
    parse_certificate_row(data, context)


def test_the_thumbprint_is_the_one_windows_shows() -> None:
    assert thumbprint(b"abc") == "A9993E364706816ABA3E25717850C26C9CD0D89D"
