"""evil takes the name, or the domain, of a tenant whose mail still waits, and with it that mail."""

from collections.abc import Iterator
from typing import Any

import pytest

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import MESSAGE, Certificates, fabrikam_relays, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from pki import Issued
from sink import Sink

BUSY = b"450 4.2.0 later\r\n"
IN, OUT = "cfo@contoso.com", "bob@partner.example"


@pytest.fixture
def internet(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture
def relay(
    tmp_path_factory: pytest.TempPathFactory, internet: Sink, certificates: Certificates
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("relay")
    relay = Installation(folder, client_roots=certificates.pki.roots_file, workers=1, api=True)
    with_two_tenants(relay, internet.port)
    with relay.serving():
        yield relay


def leads_to(relay: Installation, tenant: str, sink: Sink, space: str = "*") -> None:
    hop = ("--smart-host", f"127.0.0.1:{sink.port}", "--allow-internal", "on")
    relay("send-connector", "add", f"{tenant}-way", "--tenant", tenant, "--address-space", space, *hop)


def send(relay: Installation, sender: str, to: str, certificate: Issued | None = None) -> None:
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificate)
        assert smtp.message(sender, to, MESSAGE).code == 250


def waiting(relay: Installation) -> dict[str, Any]:
    found = relay.told("queue", "list")["messages"]
    return {each["recipient"]["forward_path"]: each for each in found}


def deferred(relay: Installation, to: str) -> Any:
    """What is said of it, once its attempt is over."""
    wait_until(lambda: (waiting(relay).get(to) or {"recipient": {"last_reply": None}})["recipient"]["last_reply"], to)
    return waiting(relay)[to]["recipient"]["last_reply"]


def test_a_later_tenant_of_the_name_neither_reads_nor_gets_what_waits(
    relay: Installation, internet: Sink, outside: Outside, certificates: Certificates
) -> None:
    contoso, evil = outside.sink(), outside.sink()
    leads_to(relay, "contoso", contoso)
    contoso.always("RCPT", BUSY)
    send(relay, "ann@contoso.com", OUT, certificates.contoso)
    send(relay, "x@outside.example", IN)
    assert "4.2.0" in deferred(relay, OUT) and "4.2.0" in deferred(relay, IN)
    removed = relay.here("tenant", "remove", "contoso", "--yes")
    assert "2 recipients of its mail are still queued" in removed.stderr
    relay("tenant", "add", "contoso")
    relay("domain", "add", "contoso", "contoso.com", "--verified")
    leads_to(relay, "contoso", evil)
    waits = waiting(relay)
    with Api(relay, token_for(relay, "--tenant", "contoso")) as api:
        queue = api.get("/v1/tenants/contoso/queue").json()
        assert (queue["recipients"], queue["counts"], queue["messages"]) == (0, [], [])
        for each in waits.values():
            assert api.get(f"/v1/tenants/contoso/queue/messages/{each['id']}").status_code == 404
        assert api.post("/v1/tenants/contoso/queue/remove", json={"all": True}).status_code == 409
        # Its own mail it sees, and only that it decides about.
        evil.always("RCPT", BUSY)
        send(relay, "x@outside.example", "new@contoso.com")
        assert "4.2.0" in deferred(relay, "new@contoso.com")
        assert api.get("/v1/tenants/contoso/queue").json()["recipients"] == 1
        assert api.post("/v1/tenants/contoso/queue/remove", json={"all": True}).json() == {"recipients": 1}
        evil.behave()
    relay("queue", "retry", "--all")
    taken(internet, to=OUT)
    wait_until(lambda: "changed hands" in waiting(relay)[IN]["recipient"]["last_reply"], "the incoming mail")
    assert not evil.messages
    fabrikam_relays(relay, certificates)


def test_a_domain_takes_no_mail_along_to_its_next_owner(
    relay: Installation, internet: Sink, outside: Outside, certificates: Certificates
) -> None:
    contoso, evil = outside.sink(), outside.sink()
    leads_to(relay, "contoso", contoso, "contoso.com")
    relay("tenant", "add", "evil")
    leads_to(relay, "evil", evil, "contoso.com")
    contoso.always("RCPT", BUSY)
    send(relay, "x@outside.example", IN)
    send(relay, "ben@fabrikam.com", "old@contoso.com", certificates.fabrikam)
    assert "4.2.0" in deferred(relay, IN) and "4.2.0" in deferred(relay, "old@contoso.com")
    relay("domain", "remove", "contoso.com")
    relay("domain", "add", "evil", "contoso.com", "--verified")
    relay("queue", "retry", "--all")
    wait_until(lambda: "changed hands" in waiting(relay)[IN]["recipient"]["last_reply"], "the incoming mail")
    # The neighbour's own mail goes the way it would have gone without contoso.
    taken(internet, to="old@contoso.com")
    assert not evil.messages
    # What comes from now on is the new owner's.
    send(relay, "x@outside.example", "new@contoso.com")
    taken(evil, to="new@contoso.com")
    # The operator decides: gives the domain back.
    relay("domain", "remove", "contoso.com")
    contoso.behave()
    relay("domain", "add", "contoso", "contoso.com", "--verified")
    relay("queue", "retry", "--all")
    taken(contoso, to=IN)
    assert [each.recipients for each in evil.messages] == [("new@contoso.com",)]


def test_notifications_about_what_waits_do_not_go_to_a_later_tenant_either(
    relay: Installation, internet: Sink, outside: Outside, certificates: Certificates
) -> None:
    contoso, evil = outside.sink(), outside.sink()
    leads_to(relay, "contoso", contoso)
    contoso.always("RCPT", BUSY)
    send(relay, "ann@contoso.com", OUT, certificates.contoso)
    send(relay, "x@outside.example", IN)
    assert "4.2.0" in deferred(relay, OUT) and "4.2.0" in deferred(relay, IN)
    relay("tenant", "remove", "contoso", "--yes")
    relay("tenant", "add", "contoso")
    relay("domain", "add", "contoso", "contoso.com", "--verified")
    leads_to(relay, "contoso", evil)
    relay("queue", "bounce", "--all")
    # The stranger is notified by the server's own way; ann's domain is another's now.
    assert b"Subject: hello" in taken(internet, to="x@outside.example").content
    relay.wait_for_output("notification-withheld")
    assert not evil.messages
    fabrikam_relays(relay, certificates)
