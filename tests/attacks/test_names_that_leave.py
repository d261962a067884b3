"""Whoever gets a message learns no tenant's and no connector's name from it, from a notification or from a reply."""

from collections.abc import Iterator

import pytest

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import CONTOSO_ADDRESS, FABRIKAM_ADDRESS, MESSAGE, UNLISTED_ADDRESS
from end_to_end.smtp_client import SmtpClient
from pki import Pki
from sink import Sink

TENANTS = {"zebra-holding": ("contoso.com", CONTOSO_ADDRESS), "okapi-group": ("fabrikam.com", FABRIKAM_ADDRESS)}
CONNECTOR, ROUTE = "left-wing", "right-wing"
SECRETS = (*TENANTS, CONNECTOR, ROUTE, "no-such-file")
RETRY = '[retry]\nglitch_interval = "200ms"\ntransient_interval = "200ms"\ninterval = "200ms"\nexpire_after = "2s"\n'
RETRY += 'delay_notice_after = "500ms"\n'
OUTSIDER = "ursula@outside.example"


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    own = Pki(tmp_path_factory.mktemp("pki")).leaf("mx.outside.example")
    with Outside() as outside:
        yield outside.sink(certificate=(own.chain_file, own.key_file))


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, internet: Sink) -> Iterator[Installation]:
    """fabrikam's route presents a certificate whose file is not there."""
    relay = Installation(tmp_path_factory.mktemp("relay"), workers=1, api=True, tables=RETRY)
    relay.init()
    for tenant, (domain, address) in TENANTS.items():
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, domain, "--verified")
        relay("inbound-connector", "add", tenant, CONNECTOR, "--address", address)
    host = ("--smart-host", f"127.0.0.1:{internet.port}")
    relay("send-connector", "set", "internet", *host)
    relay("send-connector", "add", ROUTE, "--tenant", "okapi-group", "--address-space", "fabrikam.com", *host)
    with relay.serving():
        yield relay


def _names(octets: bytes) -> list[str]:
    return [secret for secret in SECRETS if secret.encode() in octets]


def _sent(relay: Installation, recipient: str, ehlo: str = "mail.test") -> str:
    """The session's id."""
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo_name = ehlo
        smtp.ehlo()
        answer = smtp.message("ann@contoso.com", recipient, MESSAGE)
        assert answer.code == 250
        assert _names(answer.text.encode()) == []
    return answer.text


def test_a_message_names_its_session_and_nobody(relay: Installation, internet: Sink) -> None:
    _sent(relay, OUTSIDER)
    content = taken(internet, to=OUTSIDER).content
    assert _names(content) == []
    assert b"(gatepost: relay, by address)" in content


def test_the_id_in_a_message_leads_its_own_people_to_the_tenant(relay: Installation, internet: Sink) -> None:
    recipient = "ulla@outside.example"
    _sent(relay, recipient)
    head = taken(internet, to=recipient).content.decode().partition("\r\n\r\n")[0]
    session_id = head.partition(" id ")[2].split()[0]
    assert relay.told("why", head)["session_id"] == session_id
    assert relay.told("why", session_id)["tenant"] == "zebra-holding"
    for tenant, status in (("zebra-holding", 200), ("okapi-group", 404)):
        with Api(relay, token_for(relay, "--tenant", tenant)) as api:
            answer = api.get(f"/v1/sessions/{session_id}")
            assert answer.status_code == status
            assert ("zebra-holding" in answer.text) is (status == 200)


@pytest.mark.parametrize("ehlo", ['"', "a;b", "<x>", "(x", "x)", "WIN_PC", "[x]", "a..b", "a\\"])
def test_an_odd_name_makes_no_odd_message(relay: Installation, internet: Sink, ehlo: str) -> None:
    recipient = f"odd{ehlo.encode().hex()}@outside.example"
    _sent(relay, recipient, ehlo)
    content = taken(internet, to=recipient).content
    assert content.startswith(f"Received: from [{CONTOSO_ADDRESS}] ([{CONTOSO_ADDRESS}])\r\n\t(EHLO ".encode())
    assert content.endswith(MESSAGE)


def test_a_notification_about_our_own_fault_names_no_file(relay: Installation, internet: Sink) -> None:
    """An outsider wrote to fabrikam; the certificate of fabrikam's route was lost."""
    files = ("server.pem", "server.key")
    for file in files:
        (relay.folder / f"no-such-file.{file}").write_bytes((relay.folder / file).read_bytes())
    certificate, key = (str(relay.folder / f"no-such-file.{file}") for file in files)
    relay("send-connector", "set", ROUTE, "--certificate", certificate, "--key", key, "--tls", "encrypt")
    for file in files:
        (relay.folder / f"no-such-file.{file}").unlink()
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message(OUTSIDER, "ben@fabrikam.com", MESSAGE).code == 250
    wait_until(
        lambda: sum(each.reverse_path == "" and OUTSIDER in each.recipients for each in internet.messages) >= 2,
        "a notice of the delay, and one of the end",
    )
    notices = [each.content for each in internet.messages if OUTSIDER in each.recipients and not each.reverse_path]
    for notice in notices:
        assert b"a fault of this server" in b" ".join(notice.split()), notice.decode()
    for notice in notices:
        assert _names(notice) == [], notice.decode()
