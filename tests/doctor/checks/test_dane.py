"""The published digest against the certificate that the server has."""

# ruff: noqa: E501 - evidence is as long as it is

from pathlib import Path

from doctor.pasted import commands, first
from pki import Pki

HOST = "mx.tern.example"
DEFERRED = """
    Dec  2 06:44:19 out2 postfix/smtp[6120]: 4dM1kD2qWlz6X: to=<a@tern.example>, relay=mx.tern.example[203.0.113.33]:25, delay=30, delays=30/0/0.6/0, dsn=4.7.5, status=deferred (Server certificate not trusted)
"""


def record(digest: str) -> str:
    return f"$ dig +short tlsa _25._tcp.{HOST}\n3 1 1 {digest.upper()[:56]} {digest.upper()[56:]}\n"


def test_a_record_of_another_key_is_said_with_the_new_digest(tmp_path: Path):
    leaf = Pki(tmp_path).leaf(HOST)
    found = first(log=DEFERRED, dns=record("e9" * 32), certificate=leaf.pem)
    assert found and found.rule == "recipient-policy-demands-tls"
    assert f"_25._tcp.{HOST}. IN TLSA 3 1 1 {leaf.public_key_sha256.lower()}" in commands(found)


def test_a_record_of_this_key_is_no_fault(tmp_path: Path):
    leaf = Pki(tmp_path).leaf(HOST)
    found = first(log=DEFERRED, dns=record(leaf.public_key_sha256), certificate=leaf.pem)
    assert found is None or found.rule != "recipient-policy-demands-tls"
