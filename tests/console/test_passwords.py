"""Passwords are hashed slowly, and nobody's is as slow as somebody's."""

import pytest

from gatepost.console.passwords import Argon2Passwords


@pytest.fixture(scope="module")
def passwords() -> Argon2Passwords:
    return Argon2Passwords()


@pytest.mark.parametrize("password", ["correct horse", "pässwörter 漢字", "\udc80 no text", "a\0b"])
def test_a_password_fits_its_own_hash_alone(passwords: Argon2Passwords, password: str) -> None:
    hashed = passwords.hashed(password)
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,") and hashed != passwords.hashed(password)
    assert passwords.fits(hashed, password) and not passwords.fits(hashed, password + "x")


def test_nobodys_password_fits_nothing(passwords: Argon2Passwords) -> None:
    assert not passwords.fits(None, "of nobody")
    assert not passwords.fits("no hash", "x")
