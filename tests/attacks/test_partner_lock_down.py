"""evil's server walks past contoso's lock-down: as a tenant's server it met nobody's partner connectors.

And mail for contoso went where evil's own send connector led.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import MESSAGE, Certificates
from end_to_end.smtp_client import SmtpClient
from pki import Issued
from sink import Sink


@pytest.fixture
def hops(outside: Outside) -> dict[str, Sink]:
    return {name: outside.sink() for name in ("contoso", "evil", "internet")}


@pytest.fixture
def relay(tmp_path: Path, hops: dict[str, Sink], certificates: Certificates) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay", client_roots=certificates.pki.roots_file, workers=1)
    relay.init()
    for tenant, domain in (("contoso", "contoso.com"), ("evil", "evil.example"), ("fabrikam", "fabrikam.com")):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, domain, "--verified")
        relay("inbound-connector", "add", tenant, "own", "--certificate-name", f"*.{domain}")
    locked = ("--type", "partner", "--sender-domain", "*", "--restrict-to-certificate")
    relay("inbound-connector", "add", "contoso", "filter", *locked, "--certificate-name", "mail.filter.example")
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{hops['internet'].port}")
    for tenant, spaces in (("contoso", ("contoso.com",)), ("evil", ("*", "contoso.com"))):
        options = [option for space in spaces for option in ("--address-space", space)]
        host = f"127.0.0.1:{hops[tenant].port}"
        relay("send-connector", "add", f"{tenant}-way", "--tenant", tenant, *options, "--smart-host", host)
    with relay.serving():
        yield relay


def says(relay: Installation, certificate: Issued | None, mail_from: str, to: str) -> str:
    with SmtpClient(relay.port) as smtp:
        if certificate:
            smtp.starttls(certificate)
        else:
            smtp.ehlo()
        return smtp.message(mail_from, to, MESSAGE).text


def test_a_lock_down_holds_for_other_tenants_servers(
    relay: Installation, hops: dict[str, Sink], certificates: Certificates
) -> None:
    evil, contoso = certificates.pki.leaf("mail.evil.example"), certificates.pki.leaf("mail.contoso.com")
    filter_ = certificates.pki.leaf("mail.filter.example")
    for certificate, sender in ((None, "a@outside.example"), (evil, "ceo@contoso.com"), (evil, "me@evil.example")):
        said = says(relay, certificate, sender, "ann@contoso.com")
        assert said.startswith("550 5.7.51 ") and "partner-restricted-to-certificate" in said
    explained = relay.told(
        "explain",
        *("--certificate", str(evil.chain_file), "--mail-from", "ceo@contoso.com", "--rcpt-to", "ann@contoso.com"),
        expect=1,
    )
    assert explained["reasons"][0]["code"] == "partner-restricted-to-certificate"
    # The filter, contoso's own servers, and evil's mail to others go as ever.
    assert says(relay, filter_, "a@outside.example", "one@contoso.com").startswith("250")
    assert says(relay, contoso, "ann@contoso.com", "two@contoso.com").startswith("250")
    assert says(relay, evil, "me@evil.example", "three@outside.example").startswith("250")
    taken(hops["contoso"], to="one@contoso.com")
    taken(hops["contoso"], to="two@contoso.com")
    taken(hops["evil"], to="three@outside.example")


def test_mail_for_a_hosted_domain_never_goes_the_senders_own_way(
    relay: Installation, hops: dict[str, Sink], certificates: Certificates
) -> None:
    relay("inbound-connector", "remove", "contoso", "filter")
    evil = certificates.pki.leaf("mail.evil.example")

    def passes() -> bool:
        return says(relay, evil, "me@evil.example", "ann@contoso.com").startswith("250")

    wait_until(passes, "the filter to be gone")
    taken(hops["contoso"], to="ann@contoso.com")
    assert hops["evil"].count == 0
