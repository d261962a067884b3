"""A renewed certificate that is stored and not enabled for SMTP, beside the old one that is."""

from doctor.pasted import commands, first

STORE = (
    "Thumbprint : 1122334455667788990011223344556677889900\nServices : IIS\nNotAfter : 01.12.2027 00:59:59\n"
    "Subject : CN=mail.siskin.example\n{issuer}\n"
    "Thumbprint : AABBCCDDEEFF00112233445566778899AABBCCDD\nServices : SMTP\nNotAfter : 14.12.2026 00:59:59\n"
    "Subject : CN=mail.siskin.example\n{issuer}"
)


def test_the_renewed_one_must_be_enabled_as_the_old_one_is():
    broken = first(store=STORE.format(issuer=""), words="We renewed the certificate yesterday.\n")
    assert broken and broken.rule == "certificate-not-bound-to-smtp"
    assert "Enable-ExchangeCertificate -Thumbprint 1122334455667788990011223344556677889900" in commands(broken)
    assert "Restart-Service MSExchangeTransport" in commands(broken)


def test_nobody_speaks_of_a_renewal_and_the_old_one_has_not_ended():
    assert first(store=STORE.format(issuer="")) is None


def test_of_two_with_one_issuer_transport_takes_the_newer_by_itself():
    store = STORE.format(issuer="Issuer : CN=Public CA, O=Public\n")
    told = first(store=store, words="We renewed the certificate yesterday.\n")
    assert told is None or told.rule != "certificate-not-bound-to-smtp"
