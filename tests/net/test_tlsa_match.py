"""Certificates against single TLSA records; whole deliveries are in tests/delivery/dane.toml."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from gatepost.net.certificates import facts
from gatepost.net.judgement import Judge
from gatepost.net.tlsa_match import MOST_ANCHORS, anchor_match, leaf_match, matches
from gatepost.tenancy.evidence import ClientCertificate
from gatepost.tenancy.tlsa import TlsaRecord
from pki import Pki


class CountingJudge(Judge):
    asked = 0

    def __call__(self, *about: Any) -> ClientCertificate:
        self.asked += 1
        return super().__call__(*about)


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
    none, whole = TlsaRecord(2, 0, 0, b"no certificate"), TlsaRecord(2, 0, 0, chain[1].der)
    assert "matches" in anchor_match(chain, [none], judge, now).problem
    assert anchor_match(chain, [none, whole], judge, now).record == whole


def test_of_many_anchors_only_the_first_are_judged(pki: Pki) -> None:
    chain, now = tuple(map(facts, pki.leaf("mx.fabrikam.example").chain)), datetime.now(UTC)
    stranger = TlsaRecord(2, 0, 0, pki.self_signed("contoso.example").der)
    good, absent = TlsaRecord(2, 0, 0, chain[1].der), TlsaRecord(2, 1, 1, bytes(32))
    judge = CountingJudge(pki.roots_file)
    assert anchor_match(chain, [stranger] * 100, judge, now).record is None
    assert judge.asked == MOST_ANCHORS == 16
    assert anchor_match(chain, [absent] * 50 + [stranger] * 15 + [good], judge, now).record == good
