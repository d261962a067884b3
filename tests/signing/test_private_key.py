"""Keys: made, read, refused."""

import subprocess
from pathlib import Path

import pytest

from gatepost.errors import BadRequest
from gatepost.signing.private_key import new_pair, pair_from_pem, signing_with

NOT_TAKEN = [
    ("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "1024 bits"),
    ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "neither RSA nor Ed25519"),
]


def openssl_key(file: Path, options: str) -> bytes:
    subprocess.run(["openssl", "genpkey", *options.split(), "-out", file], check=True, capture_output=True)
    return file.read_bytes()


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "rsa2048"), ("-algorithm ED25519", "ed25519")],
)
def test_a_key_of_another_program_is_read(tmp_path: Path, options: str, algorithm: str) -> None:
    pair = pair_from_pem(openssl_key(tmp_path / "key.pem", options), "key.pem")
    assert pair.algorithm == algorithm
    assert signing_with(pair.private)(b"text") == signing_with(pair.private)(b"text")


@pytest.mark.parametrize(("options", "says"), NOT_TAKEN)
def test_a_key_that_receivers_do_not_verify_is_refused(tmp_path: Path, options: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        pair_from_pem(openssl_key(tmp_path / "key.pem", options), "key.pem")


def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path) -> None:
    encrypted = openssl_key(tmp_path / "key.pem", "-algorithm ED25519 -aes256 -pass pass:secret")
    for pem, says in [(b"", "no private key"), (b"\xff\x00", "no private key"), (encrypted, "is encrypted")]:
        with pytest.raises(BadRequest, match=says) as refused:
            pair_from_pem(pem, "key.pem")
        assert "\n" not in str(refused.value)


def test_every_new_key_is_another() -> None:
    first, second = new_pair("rsa2048"), new_pair("rsa2048")
    assert first.public != second.public and first.algorithm == "rsa2048"
