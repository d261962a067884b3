"""Key and certificate outside Windows, and what a program trusts the peer by."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first
from pki import Pki

CERTIFICATE = """
    # openssl x509 -noout -modulus -in /etc/ssl/gw.pem | openssl md5
    MD5(stdin)= 1c0a3b5ad0be3a7a9c1b2d3e4f5a6b7c
"""
KEY = """
    # openssl rsa -noout -modulus -in /etc/ssl/gw.key | openssl md5
    MD5(stdin)= {digest}
"""


def test_two_digests_that_differ_are_two_key_pairs():
    found = first(certificate=CERTIFICATE, key=KEY.format(digest="9e8d7c6b5a493827161504f3e2d1c0b9"))
    assert found and found.rule == "key-of-another-certificate"
    assert "/etc/ssl/gw.key" in commands(found)


def test_two_digests_that_agree_are_no_fault():
    assert first(certificate=CERTIFICATE, key=KEY.format(digest="1c0a3b5ad0be3a7a9c1b2d3e4f5a6b7c")) is None


def test_a_program_that_distrusts_the_chain_gets_the_repair_of_its_own_language():
    error = """
        javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path to requested target
    """
    found = first(error=error)
    assert found and "C05" in found.catalogue and found.confidence == "medium"
    assert "keytool -importcert" in commands(found) and "openssl.cafile" not in commands(found)


def test_an_alias_is_replaced_by_what_it_leads_to():
    error = "ssl.SSLCertVerificationError: certificate verify failed: Hostname mismatch, certificate is not valid for 'smtp.own.example'."
    alias = "$ dig +short CNAME smtp.own.example\nmx7.provider.example.\n"
    found = first(error=error, alias=alias)
    assert found and found.rule == "host-name-not-in-peers-certificate"
    assert "relayhost = [mx7.provider.example]" in commands(found)


def test_a_file_that_ends_later_than_what_is_presented_was_not_loaded():
    evidence = """
        # certbot certificates
          Certificate Name: mail.own.example
            Domains: mail.own.example
            Expiry Date: 2026-05-20 07:00:00+00:00 (VALID: 76 days)
            Certificate Path: /etc/letsencrypt/live/mail.own.example/fullchain.pem
        # echo | openssl s_client -starttls smtp -connect localhost:25 2>/dev/null | openssl x509 -noout -subject -enddate
        subject=CN = mail.own.example
        notAfter=Mar  6 07:00:00 2026 GMT
    """
    found = first(evidence=evidence)
    assert found and "B09" in found.catalogue
    assert "--deploy-hook 'postfix reload'" in commands(found)


def test_the_own_certificate_comes_first_in_its_file(tmp_path):
    made = Pki(tmp_path)
    authority = made.authority("Test CA 2")
    leaf = made.leaf("relay.tern.example", issuer=authority)
    log = "Jun  3 07:12:40 relay postfix/smtp[2114]: warning: TLS library problem: error:05800074:x509 certificate routines::key values mismatch:../crypto/x509/x509_cmp.c:405:\n"
    found = first(bundle=authority.pem + leaf.pem, log=log)
    assert found and found.rule == "key-store-incomplete"
    assert "relay.tern.example first" in commands(found) and "-newkey" not in commands(found)
    other = first(bundle=leaf.pem + authority.pem, log=log)
    assert other and other.rule == "key-of-another-certificate"


def test_a_key_of_1024_bits_is_said_where_mail_is_refused():
    certificate = (
        "$ openssl x509 -in /etc/postfix/relay.pem -noout -text\nCertificate:\n    Data:\n        Version: 3 (0x2)\n"
        "    Signature Algorithm: sha256WithRSAEncryption\n        Issuer: C=US, O=Public CA, CN=Public CA R1\n"
        "        Subject: CN=relay.tern.example\n            Public Key Algorithm: rsaEncryption\n                Public-Key: (1024 bit)\n"
    )
    refused = "The relay says: 550 5.7.64 TenantAttribution; Relay Access Denied\n"
    told = first(certificate=certificate, words=refused)
    assert told and told.rule == "weak-signature-or-key" and "2048" in commands(told)
