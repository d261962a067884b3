"""Certificates against single TLSA records; whole deliveries are in tests/delivery/dane.toml."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from gatepost.net.certificates import facts
from gatepost.net.judgement import Judge
from gatepost.net.tlsa_match import anchor_problem, leaf_match, matches
from gatepost.tenancy.tlsa import TlsaRecord
from pki import Pki


def test_selectors_and_matching_types(pki: Pki) -> None:
    leaf = facts(pki.leaf("mx.fabrikam.example").der)
    assert matches(TlsaRecord(3, 0, 0, leaf.der), leaf)
    assert matches(TlsaRecord(3, 0, 1, bytes.fromhex(leaf.sha256)), leaf)
    assert matches(TlsaRecord(3, 1, 1, bytes.fromhex(leaf.public_key_sha256)), leaf)
    assert not matches(TlsaRecord(3, 1, 1, bytes.fromhex(leaf.sha256)), leaf)


def test_a_certificate_that_cannot_be_read_matches_no_key() -> None:
    broken = facts(b"no certificate")
    assert not matches(TlsaRecord(3, 1, 1, sha256(b"").digest()), broken)
    assert leaf_match((broken,), [TlsaRecord(3, 1, 1, bytes(32))]) is None


def test_a_record_that_holds_no_certificate_is_no_anchor(pki: Pki, tmp_path: Path) -> None:
    chain = tuple(map(facts, pki.leaf("mx.fabrikam.example").chain))
    judge, now = Judge(pki.roots_file), datetime.now(UTC)
    assert "matches" in (anchor_problem(chain, TlsaRecord(2, 0, 0, b"no certificate"), judge, now) or "")
    assert anchor_problem(chain, TlsaRecord(2, 0, 0, chain[1].der), judge, now) is None
