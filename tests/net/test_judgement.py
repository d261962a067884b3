from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from gatepost.net import roots
from gatepost.net.certificates import CredentialError, facts
from gatepost.net.intermediates import KnownIntermediates, intermediate_is_missing
from gatepost.net.judgement import Judge
from gatepost.net.roots import TrustStore, system_roots_file
from gatepost.tenancy.evidence import ClientCertificate, PresentedCertificate, VerifiedCertificate
from pki import BAD_SAN, CRITICAL_UNKNOWN, Issued, Pki

NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)
TOMORROW = NOW + timedelta(days=1)

PUBLIC_POLICY = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("2.23.140.1.2.1"), None)])


class Nothing:
    """What is stored, where nothing is."""

    def changed(self) -> None:
        return None


def judged(judge: Judge, *chain: Issued, at: datetime = NOW, anchors: tuple[str, ...] = ()) -> ClientCertificate:
    return judge(tuple(facts(each.der) for each in chain), anchors, at)


def presented(judge: Judge, *chain: Issued, at: datetime = NOW) -> PresentedCertificate:
    found = judged(judge, *chain, at=at)
    assert isinstance(found, PresentedCertificate)
    return found


def codes(certificate: PresentedCertificate) -> list[tuple[int, int]]:
    return [(error.code, error.depth) for error in certificate.errors]


@pytest.fixture
def judge(pki: Pki) -> Judge:
    return Judge(pki.roots_file)


GOOD: dict[str, dict[str, object]] = {
    "good": {},
    "RSA": {"key": "RSA-2048"},
    "Ed25519": {"key": "Ed25519"},
    "no extended key usage": {"purposes": None},
    "serverAuth only": {"purposes": ("serverAuth",)},
    "clientAuth only": {"purposes": ("clientAuth",)},
    "any purpose": {"purposes": ("anyExtendedKeyUsage",)},
    "common name only": {"names": ()},
    "wildcard": {"names": ("*.contoso.com",)},
    "no authority key identifier": {"authority_key_id": False},
    "serial zero": {"serial": 0},
    "negative serial": {"serial": -5},
}


@pytest.mark.parametrize("options", GOOD.values(), ids=GOOD)
def test_a_chain_to_a_root_in_its_time_is_verified(pki: Pki, judge: Judge, options: dict[str, object]) -> None:
    leaf = pki.leaf("mail.contoso.com", **options)  # type: ignore[arg-type]
    found = judged(judge, leaf, pki.intermediate)
    assert isinstance(found, VerifiedCertificate), found
    assert found.anchor == "CN=Test Root CA"
    assert [each.sha256 for each in found.chain] == [leaf.sha256, pki.intermediate.sha256]


BAD: dict[str, tuple[dict[str, object], list[tuple[int, int]]]] = {
    "expired": ({"not_after": YESTERDAY}, [(10, 0)]),
    "not yet valid": ({"not_before": TOMORROW}, [(9, 0)]),
    "for code signing": ({"purposes": ("codeSigning",)}, [(26, 0)]),
    "key too short": ({"key": "RSA-1024"}, [(66, 0)]),
    "forgeable signature": ({"sha1": True}, [(68, 0)]),
    "unknown critical extension": ({"extensions": ((CRITICAL_UNKNOWN, True),)}, [(34, 0)]),
    "unreadable names": ({"san": BAD_SAN}, [(41, 0)]),
    "expired, for code signing, key too short": (
        {"not_after": YESTERDAY, "purposes": ("codeSigning",), "key": "RSA-1024"},
        [(10, 0), (26, 0), (66, 0)],
    ),
}


@pytest.mark.parametrize(("options", "expected"), BAD.values(), ids=BAD)
def test_everything_wrong_is_said_the_decisive_first(
    pki: Pki, judge: Judge, options: dict[str, object], expected: list[tuple[int, int]]
) -> None:
    leaf = pki.leaf("mail.contoso.com", **options)  # type: ignore[arg-type]
    found = presented(judge, leaf, pki.intermediate)
    assert codes(found) == expected
    assert not found.missing_intermediate
    assert all(error.text for error in found.errors)


def test_self_signed_is_self_signed_also_when_expired(pki: Pki, judge: Judge) -> None:
    assert codes(presented(judge, pki.self_signed("mail.contoso.com"))) == [(18, 0)]
    assert codes(presented(judge, pki.self_signed("mail.contoso.com", not_after=YESTERDAY))) == [(18, 0), (10, 0)]


def test_an_expired_intermediate_is_told_from_an_expired_leaf(pki: Pki, judge: Judge) -> None:
    old = pki.authority("Test Old Intermediate CA", issuer=pki.root, not_after=YESTERDAY)
    assert codes(presented(judge, pki.leaf("mail.contoso.com", issuer=old), old)) == [(10, 1)]


def test_an_expired_root_is_found_above_what_was_presented(pki: Pki, tmp_path: Path) -> None:
    root = pki.authority("Old Root CA", not_after=YESTERDAY)
    leaf = pki.leaf("mail.contoso.com", issuer=root)
    assert codes(presented(Judge(root.certificate_file), leaf)) == [(10, 1)]


def test_an_unknown_root_is_told_whether_it_was_sent_or_not(judge: Judge, stranger: Pki) -> None:
    leaf = stranger.leaf("mail.contoso.com")
    sent = presented(judge, leaf, stranger.intermediate, stranger.root)
    assert codes(sent) == [(19, 2)] and not sent.missing_intermediate
    kept = presented(judge, leaf, stranger.intermediate)
    assert codes(kept) == [(20, 1)] and not kept.missing_intermediate
    direct = presented(judge, stranger.leaf("mail.contoso.com", issuer=stranger.root))
    assert codes(direct) == [(20, 0)] and not direct.missing_intermediate


def test_the_order_of_the_chain_and_strangers_in_it_do_not_matter(pki: Pki, judge: Judge, stranger: Pki) -> None:
    below = pki.authority("Test Issuing CA", issuer=pki.intermediate)
    leaf = pki.leaf("mail.contoso.com", issuer=below)
    assert isinstance(judged(judge, leaf, stranger.root, pki.intermediate, below), VerifiedCertificate)


def test_an_unknown_authority_with_the_name_of_the_root_is_an_unknown_issuer(pki: Pki, judge: Judge) -> None:
    impostor = pki.authority("Test Root CA")
    for known in (True, False):
        leaf = pki.leaf("mail.contoso.com", issuer=impostor, authority_key_id=known)
        found = presented(judge, leaf)
        assert codes(found) == [(20, 0)]
        assert not found.missing_intermediate


# Which of the two it is: the intermediate was not sent, or nobody knows the root.


@pytest.mark.parametrize("name", ["Contoso Issuing CA 1", "Contoso SubCA", "A Sub CA 2", "Subordinate", "X Int CA"])
def test_a_name_alone_shows_nothing_and_beside_the_house_of_a_root_it_does(tmp_path: Path, name: str) -> None:
    """Whoever makes a certificate writes the name: a private authority of an unknown root is called so too."""
    house = Pki(tmp_path, "Contoso", "Contoso Ltd")
    judge = Judge(house.roots_file)
    for organisation, missing in (("Contoso Ltd", True), ("Elsewhere Ltd", False), (None, False)):
        authority = house.authority(name, issuer=house.root, organisation=organisation)
        found = presented(judge, house.leaf("mail.contoso.com", issuer=authority))
        assert codes(found) == [(20, 0)]
        assert found.missing_issuer == (found.leaf.issuer if missing else "")


@pytest.mark.parametrize("name", ["Unknown CA", "Rogue Root", "Subway CA", "Internal CA", "Unknown Issuer", "Medica"])
def test_other_names_claim_nothing(pki: Pki, judge: Judge, name: str) -> None:
    assert not presented(judge, pki.leaf("mail.contoso.com", issuer=pki.authority(name))).missing_intermediate


def test_whether_a_chain_verifies_does_not_depend_on_what_was_judged_before(pki: Pki) -> None:
    authority = pki.authority("Contoso 7", issuer=pki.root)
    leaf, other = pki.leaf("mail.contoso.com", issuer=authority), pki.leaf("mail2.contoso.com", issuer=authority)
    judge = Judge(pki.roots_file, intermediates=KnownIntermediates(Nothing(), lambda found: None))
    before = presented(judge, leaf)
    assert isinstance(judged(judge, other, authority), VerifiedCertificate)
    after = presented(judge, leaf)
    assert (before.missing_issuer, after.missing_issuer) == ("", "CN=Contoso 7")
    assert replace(after, missing_issuer="") == before


def test_a_public_certificate_without_intermediate_misses_it_where_public_roots_are_trusted(pki: Pki) -> None:
    authority = pki.authority("R11", issuer=pki.root, organisation="Let's Hope")
    leaf = facts(pki.leaf("mail.contoso.com", issuer=authority, extensions=((PUBLIC_POLICY, False),)).der)
    assert intermediate_is_missing(leaf, TrustStore([pki.root.der], public=True))
    assert not intermediate_is_missing(leaf, TrustStore([pki.root.der]))


def test_the_house_of_a_root_and_an_address_to_fetch_from_are_evidence_together(tmp_path: Path) -> None:
    house = Pki(tmp_path, "Contoso", "Contoso Ltd")
    authority = house.authority("Contoso G2", issuer=house.root, organisation="Contoso Ltd")
    judge = Judge(house.roots_file)
    url = "http://pki.contoso.com/g2.crt"
    assert presented(judge, house.leaf("a.contoso.com", issuer=authority, issuer_url=url)).missing_intermediate
    assert not presented(judge, house.leaf("b.contoso.com", issuer=authority)).missing_intermediate


def test_an_authority_key_identifier_may_name_the_root_above(pki: Pki, judge: Judge) -> None:
    authority = pki.authority("Contoso 8", issuer=pki.root)
    for above, missing in ((pki.root.certificate.subject, True), (authority.certificate.subject, False)):
        identifier = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(above)], 1)
        options = {"authority_key_id": False, "extensions": ((identifier, False),)}
        leaf = pki.leaf("mail.contoso.com", issuer=authority, **options)  # type: ignore[arg-type]
        assert presented(judge, leaf).missing_intermediate is missing


# Switches, anchors, time, files.


def test_the_switch_demands_the_purpose(pki: Pki) -> None:
    strict = Judge(pki.roots_file, required_purpose="clientAuth")
    server_only = pki.leaf("mail.contoso.com", purposes=("serverAuth",))
    assert codes(presented(strict, server_only, pki.intermediate)) == [(26, 0)]
    for purposes in (None, ("clientAuth",), ("anyExtendedKeyUsage",)):
        leaf = pki.leaf("mail.contoso.com", purposes=purposes)
        assert isinstance(judged(strict, leaf, pki.intermediate), VerifiedCertificate)


def test_a_tenants_anchors_stand_in_place_of_the_roots(pki: Pki, judge: Judge, stranger: Pki) -> None:
    theirs = stranger.leaf("mail.contoso.com")
    anchors = (stranger.root.pem,)
    assert isinstance(judged(judge, theirs, stranger.intermediate), PresentedCertificate)
    assert isinstance(judged(judge, theirs, stranger.intermediate, anchors=anchors), VerifiedCertificate)
    assert isinstance(
        judged(judge, pki.leaf("mail.contoso.com"), pki.intermediate, anchors=anchors), PresentedCertificate
    )
    assert isinstance(judged(judge, theirs, anchors=("not PEM",)), PresentedCertificate)


def test_an_intermediate_or_a_leaf_can_be_the_anchor(pki: Pki, judge: Judge) -> None:
    issued, alone = pki.leaf("mail.contoso.com"), pki.self_signed("mail.contoso.com")
    for anchor, leaf in ((pki.intermediate, issued), (issued, issued), (alone, alone)):
        assert isinstance(judged(judge, leaf, anchors=(anchor.pem,)), VerifiedCertificate)


def test_the_verdict_is_about_the_moment_asked_for(pki: Pki, judge: Judge) -> None:
    end = NOW.replace(minute=30, second=0, microsecond=0)
    leaf = pki.leaf("mail.contoso.com", not_after=end)
    for at, verified in ((end, False), (end - timedelta(seconds=1), True), (end + timedelta(seconds=1), False)):
        assert isinstance(judged(judge, leaf, pki.intermediate, at=at), VerifiedCertificate) is verified
    assert codes(presented(judge, leaf, pki.intermediate, at=NOW - timedelta(days=5000))) == [(9, 0), (9, 1), (9, 2)]


def test_roots_are_loaded_again_when_their_file_changes(pki: Pki, stranger: Pki, tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    file.write_text(pki.root.pem)
    judge = Judge(file)
    theirs = (stranger.leaf("mail.contoso.com"), stranger.intermediate)
    assert judge.refresh() is None
    assert isinstance(judged(judge, *theirs), PresentedCertificate)
    file.write_text(pki.root.pem + stranger.root.pem)
    assert judge.refresh() is None
    assert isinstance(judged(judge, *theirs), VerifiedCertificate)
    file.write_text("nothing")
    problem = judge.refresh()
    assert problem and "holds no certificate" in problem and "stay in force" in problem
    assert judge.refresh() is None, "a problem is told once"
    assert isinstance(judged(judge, *theirs), VerifiedCertificate)


def test_roots_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match=r"roots file .*none\.pem cannot be read"):
        Judge(tmp_path / "none.pem")


def test_the_roots_of_the_system_are_the_default(pki: Pki) -> None:
    judge = Judge()
    found = presented(judge, pki.leaf("mail.contoso.com", issuer=pki.root))
    assert codes(found) == [(20, 0)]
    assert not found.missing_intermediate
    assert (judge.refresh() is None) is (system_roots_file() is not None)


def test_a_machine_without_roots_verifies_nothing_and_says_so_once(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca-certificates.crt"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setattr(roots, "_SYSTEM_ROOTS", (str(bundle),))
    chain = (pki.leaf("mail.contoso.com"), pki.intermediate)
    judge = Judge()
    assert isinstance(judged(judge, *chain), PresentedCertificate)
    assert "install ca-certificates" in (judge.refresh() or "")
    assert judge.refresh() is None
    bundle.write_text(pki.root.pem)
    assert judge.refresh() is None
    assert isinstance(judged(judge, *chain), VerifiedCertificate)


def test_what_is_no_certificate_is_presented_and_no_more(judge: Judge) -> None:
    found = judge((facts(b"junk"),), (), NOW)
    assert isinstance(found, PresentedCertificate)
    assert found.errors[0].code == 1
