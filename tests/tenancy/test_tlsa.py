"""Which TLSA records can be used."""

import pytest

from gatepost.tenancy.tlsa import TlsaRecord, usable

DIGEST, LONG = bytes(32), bytes(64)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (TlsaRecord(3, 1, 1, DIGEST), True),
        (TlsaRecord(2, 0, 2, LONG), True),
        (TlsaRecord(3, 0, 0, b"whole"), True),
        (TlsaRecord(3, 0, 0, b""), False),
        (TlsaRecord(3, 1, 1, LONG), False),
        (TlsaRecord(3, 1, 2, DIGEST), False),
        (TlsaRecord(3, 2, 1, DIGEST), False),
        (TlsaRecord(3, 1, 3, DIGEST), False),
        (TlsaRecord(0, 1, 1, DIGEST), False),
        (TlsaRecord(1, 1, 1, DIGEST), False),
        (TlsaRecord(4, 1, 1, DIGEST), False),
    ],
)
def test_what_rfc_7672_leaves_is_usable(record: TlsaRecord, expected: bool) -> None:
    assert record.is_usable == expected


def test_the_stronger_digest_counts_and_only_among_records_of_its_kind() -> None:
    weak, strong, other = TlsaRecord(3, 1, 1, DIGEST), TlsaRecord(3, 1, 2, LONG), TlsaRecord(3, 0, 1, DIGEST)
    whole = TlsaRecord(3, 1, 0, b"key")
    assert usable([weak, strong, other, whole]) == (strong, other, whole)
    assert usable([weak, whole]) == (weak, whole)
