"""TLS rows: Exchange's sentences from OpenSSL's names."""

import pytest

from gatepost.protocol_log.tls import client_chain_row, tls_failure_row, tls_row

ROWS = {
    ("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256): "TLS1_3 CALG_AES_256 256 CALG_SHA_384 0 CALG_ECDH_EPHEM",
    ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", 256): "TLS1_3 CHACHA20_POLY1305 256 CALG_SHA_256 0 CALG_ECDH_EPHEM",
    ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 128): "TLS1_2 CALG_AES_128 128 CALG_SHA_256 0 CALG_ECDH_EPHEM",
    ("TLSv1.2", "DHE-RSA-AES256-SHA", 256): "TLS1_2 CALG_AES_256 256 CALG_SHA1 160 CALG_DH_EPHEM",
    ("TLSv1", "AES128-SHA", 128): "TLS1_0 CALG_AES_128 128 CALG_SHA1 160 CALG_RSA_KEYX",
}


@pytest.mark.parametrize(("suite", "wanted"), ROWS.items())
def test_a_suite_is_named_as_windows_names_it(suite: tuple[str, str, int], wanted: str) -> None:
    version, bulk, strength, digest, digest_bits, exchange = wanted.split(" ")
    assert tls_row(*suite, "SERVER") == (
        f"TLS protocol SP_PROT_{version}_SERVER negotiation succeeded using bulk encryption algorithm {bulk} with "
        f"strength {strength} bits, MAC hash algorithm {digest} with strength {digest_bits} bits and key exchange "
        f"algorithm {exchange} with strength 0 bits"
    )


def test_the_token_says_which_side_logs() -> None:
    assert "SP_PROT_TLS1_2_CLIENT" in tls_row("TLSv1.2", "AES128-SHA", 128, "CLIENT")


def test_a_failure_has_exchanges_beginning() -> None:
    assert tls_failure_row("unsupported protocol") == "TLS negotiation failed with error unsupported protocol"


def test_the_chain_status_says_whether_a_certificate_came_and_what_it_was_worth() -> None:
    assert client_chain_row(False, None).endswith("'EmptyCertificate'")
    assert client_chain_row(True, None).endswith("'Valid'")
    assert client_chain_row(True, 10).endswith("'CertificateExpired'")
    assert client_chain_row(True, 999).endswith("'X509_V_ERR 999'")
