"""Certificate rows: ours are read back whole, and Exchange's three generations are understood."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocol_log.certificates import (
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
    st.builds(
        LoggedCertificate,
        owner=st.sampled_from(Owner),
        subject=names,
        issuer=names,
        serial=hexes,
        thumbprint=st.just("") | st.binary(max_size=4).map(thumbprint),
        not_before=dates,
        not_after=dates,
        names=st.lists(words, max_size=3).map(tuple),
    )
)
def test_a_row_of_ours_is_read_back_whole(certificate: LoggedCertificate) -> None:
    assert parse_certificate_row(*certificate_row(certificate)) == certificate


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_no_text_a_peer_chose_changes_another_value(subject: str, issuer: str, names: list[str]) -> None:
    certificate = LoggedCertificate(
        owner=Owner.PEER,
        subject=subject,
        issuer=issuer,
        serial="0A",
        thumbprint="A" * 40,
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2026, 2, 1, tzinfo=UTC),
        names=tuple(names),
    )
    read = parse_certificate_row(*certificate_row(certificate))
    assert read is not None
    assert (read.serial, read.thumbprint, read.not_before, read.not_after) == (
        certificate.serial,
        certificate.thumbprint,
        certificate.not_before,
        certificate.not_after,
    )


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
