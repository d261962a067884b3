import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.net.certificates import CredentialError, facts, lineage, read_chain
from pki import BAD_SAN, Pki
from soak import rounds


def test_the_facts_say_what_the_certificate_says(pki: Pki) -> None:
    issued = pki.leaf("mail.contoso.com", names=("mail.contoso.com", "*.contoso.com"), purposes=("serverAuth",))
    found = facts(issued.der)
    assert found.sha256 == issued.sha256
    assert found.public_key_sha256 == issued.public_key_sha256
    assert found.subject == "CN=mail.contoso.com"
    assert found.issuer == "CN=Test Intermediate CA"
    assert found.serial == f"{issued.certificate.serial_number:x}"
    assert (found.not_before, found.not_after) == (
        issued.certificate.not_valid_before_utc,
        issued.certificate.not_valid_after_utc,
    )
    assert found.common_names == ("mail.contoso.com",)
    assert found.dns_names == ("mail.contoso.com", "*.contoso.com")
    assert found.purposes == ("serverAuth",)
    assert found.key == "EC secp256r1"
    assert found.signature_algorithm == "ecdsa-with-SHA256"
    assert found.parse_errors == ()


@pytest.mark.parametrize(
    ("key", "says"),
    [("RSA-2048", "RSA 2048"), ("P-384", "EC secp384r1"), ("Ed25519", "Ed25519"), ("Ed448", "Ed448")],
)
def test_the_key_is_named_for_people(pki: Pki, key: str, says: str) -> None:
    assert facts(pki.leaf("mail.contoso.com", key=key).der).key == says


def test_without_san_the_common_name_counts(pki: Pki) -> None:
    assert facts(pki.leaf("mail.contoso.com", names=()).der).names == ("mail.contoso.com",)


def test_no_extended_key_usage_is_not_an_empty_one(pki: Pki) -> None:
    assert facts(pki.leaf("mail.contoso.com", purposes=None).der).purposes is None


def test_an_unknown_purpose_is_its_identifier(pki: Pki) -> None:
    assert facts(pki.leaf("mail.contoso.com", purposes=("codeSigning",)).der).purposes == ("1.3.6.1.5.5.7.3.3",)


def test_one_bad_extension_does_not_hide_the_others(pki: Pki) -> None:
    found = facts(pki.leaf("mail.contoso.com", san=BAD_SAN, purposes=("clientAuth",)).der)
    assert found.purposes == ("clientAuth",)
    assert found.dns_names == ()
    assert found.common_names == ("mail.contoso.com",)
    assert [error.partition(":")[0] for error in found.parse_errors] == ["subject alternative name"]


@pytest.mark.parametrize(("serial", "says"), [(0, "0"), (-5, "-5")])
def test_a_serial_number_that_should_not_be_is_evidence_too(pki: Pki, serial: int, says: str) -> None:
    assert facts(pki.leaf("mail.contoso.com", serial=serial).der).serial == says


def test_octets_that_are_no_certificate_keep_their_fingerprint() -> None:
    found = facts(b"not a certificate")
    assert found.sha256 and found.subject == "" and found.not_after is None
    assert found.parse_errors[0].startswith("certificate: ")


def test_the_lineage_says_where_the_issuer_is(pki: Pki) -> None:
    origin = lineage(pki.leaf("mail.contoso.com", issuer_url="http://ca.example.net/ca.crt").der)
    assert origin.issuer_urls == ("http://ca.example.net/ca.crt",)
    assert origin.issuer_common_names == ("Test Intermediate CA",)
    assert origin.authority_key_id == lineage(pki.intermediate.der).subject_key_id != b""


@pytest.mark.soak
@settings(
    max_examples=rounds(100, large=6000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_octets_make_it_throw(pki: Pki, data: st.DataObject) -> None:
    der = bytearray(data.draw(st.sampled_from([pki.intermediate.der, pki.root.der])))
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(der) - 1))
        change = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if change == "set":
            der[position] = data.draw(st.integers(0, 255))
        elif change == "cut" and len(der) > 20:
            del der[position : position + data.draw(st.integers(1, 10))]
        else:
            der[position:position] = data.draw(st.binary(max_size=8))
    found = facts(bytes(der))
    assert found.der == bytes(der)
    lineage(bytes(der))


def test_a_chain_is_read_in_the_order_of_the_file(pki: Pki) -> None:
    issued = pki.leaf("mail.contoso.com")
    expected = [issued.sha256, pki.intermediate.sha256]
    assert [each.sha256 for each in read_chain(issued.chain_file)] == expected
    assert [each.sha256 for each in read_chain(issued.chain_file.read_bytes())] == expected
    assert [each.sha256 for each in read_chain(issued.der)] == [issued.sha256]


def test_text_around_the_certificates_is_no_matter(pki: Pki) -> None:
    text = f"subject=CN = x\n{pki.root.pem}\n# more\r\n{pki.intermediate.pem.replace(chr(10), chr(13) + chr(10))}"
    assert len(read_chain(text.encode())) == 2


def test_a_file_without_certificate_is_refused_in_one_line(pki: Pki, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CredentialError, match=r"^certificate file .*/none\.pem cannot be read: No such file"):
        read_chain(tmp_path / "none.pem")
    with pytest.raises(CredentialError, match=r"holds no certificate: it holds a private key; are .* swapped"):
        read_chain(pki.root.key_file)
    damaged = tmp_path / "damaged.pem"
    damaged.write_text(pki.root.pem + pki.intermediate.pem.replace("MII", "AAA", 1))
    with pytest.raises(CredentialError, match=r"damaged\.pem: certificate 2 is damaged"):
        read_chain(damaged)
