from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from gatepost.net.certificates import CredentialError, read_chain
from gatepost.net.credentials import load_credentials
from gatepost.net.self_signed import write_self_signed
from pki import Pki


@pytest.mark.parametrize("key", ["P-256", "RSA-2048", "Ed25519"])
def test_a_certificate_and_its_key_are_loaded(pki: Pki, key: str) -> None:
    issued = pki.leaf("relay.example.net", key=key)
    found = load_credentials(issued.chain_file, issued.key_file)
    assert [each.sha256 for each in found.chain] == [issued.sha256, pki.intermediate.sha256]
    assert found.warnings == ()


def test_a_key_of_another_certificate_is_refused(pki: Pki) -> None:
    one, other = pki.leaf("relay.example.net"), pki.leaf("relay.example.net")
    with pytest.raises(CredentialError, match=r"does not belong to the certificate in .* \(CN=relay\.example\.net\)"):
        load_credentials(one.chain_file, other.key_file)


def test_an_encrypted_key_is_refused_with_the_way_out(pki: Pki, tmp_path: Path) -> None:
    issued = pki.leaf("relay.example.net")
    locked = tmp_path / "locked.key"
    locked.write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    with pytest.raises(CredentialError, match=r"is encrypted .*openssl pkey -in"):
        load_credentials(issued.chain_file, locked)


def test_swapped_files_are_named_as_such(pki: Pki) -> None:
    issued = pki.leaf("relay.example.net")
    with pytest.raises(CredentialError, match="are certificate and key swapped"):
        load_credentials(issued.key_file, issued.certificate_file)


def test_a_key_file_with_something_else_is_refused(pki: Pki, tmp_path: Path) -> None:
    issued = pki.leaf("relay.example.net")
    (tmp_path / "x.key").write_text("hello")
    with pytest.raises(CredentialError, match="holds no private key that can be read"):
        load_credentials(issued.chain_file, tmp_path / "x.key")
    with pytest.raises(CredentialError, match="certificate and key swapped"):
        load_credentials(issued.chain_file, issued.certificate_file)


def test_the_leaf_must_come_first(pki: Pki) -> None:
    issued = pki.leaf("relay.example.net")
    with pytest.raises(CredentialError, match="must come first, but it is number 2"):
        load_credentials(pki.bundle("reversed.pem", pki.intermediate, issued), issued.key_file)


def test_an_issuer_out_of_place_is_a_warning(pki: Pki) -> None:
    issued = pki.leaf("relay.example.net")
    found = load_credentials(pki.bundle("gap.pem", issued, pki.root), issued.key_file)
    assert "certificate 2 (CN=Test Root CA) did not issue the one before it" in found.warnings[0]


def test_a_key_that_everybody_can_read_is_a_warning(pki: Pki) -> None:
    issued = pki.leaf("relay.example.net")
    issued.key_file.chmod(0o644)
    assert "chmod 600" in load_credentials(issued.chain_file, issued.key_file).warnings[0]


def test_every_refusal_is_one_line(pki: Pki, tmp_path: Path) -> None:
    issued = pki.leaf("relay.example.net")
    with pytest.raises(CredentialError) as refused:
        load_credentials(issued.chain_file, tmp_path / "none.key")
    assert "\n" not in str(refused.value) and "none.key cannot be read: No such file" in str(refused.value)


def test_a_new_server_gets_a_certificate_that_loads_and_a_key_of_its_own(tmp_path: Path) -> None:
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    write_self_signed("relay.example.net", certificate, key)
    found = load_credentials(certificate, key)
    assert found.leaf.dns_names == ("relay.example.net",)
    assert found.leaf.not_after and found.leaf.not_after > datetime.now(UTC) + timedelta(days=800)
    assert key.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.key", "server.pem"]
    write_self_signed("relay.example.net", certificate, key)
    assert read_chain(certificate)[0].sha256 != found.leaf.sha256
