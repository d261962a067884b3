"""A stranger and another tenant send mail that contoso's server refuses, or misses, and read where that server is."""

from pathlib import Path
from typing import Any

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation, free_port, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import MESSAGE, Certificates, fabrikam_relays, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from pki import Issued

REFUSED = "550 5.1.1 nobody here"
STRANGER, BEN = "x@outside.example", "ben@fabrikam.com"


def send(relay: Installation, sender: str, to: str, certificate: Issued | None = None) -> None:
    with SmtpClient(relay.port) as smtp:
        if certificate:
            smtp.starttls(certificate)
        else:
            smtp.ehlo()
        assert smtp.message(sender, to, MESSAGE).code == 250


def last_reply(queue: Any, to: str) -> str:
    found = [each["recipient"]["last_reply"] for each in queue["messages"] if each["recipient"]["forward_path"] == to]
    return found[0] or "" if found else ""


def test_only_its_own_tenant_reads_where_a_next_hop_is(
    tmp_path: Path, outside: Outside, certificates: Certificates
) -> None:
    internet, contoso, closed = outside.sink(), outside.sink(), free_port()
    relay = Installation(tmp_path, client_roots=certificates.pki.roots_file, workers=1, api=True)
    with_two_tenants(relay, internet.port)
    relay("domain", "add", "contoso", "contoso.net", "--verified")
    for domain, port in (("contoso.com", contoso.port), ("contoso.net", closed)):
        way = ("--tenant", "contoso", "--address-space", domain, "--smart-host", f"localhost:{port}")
        relay("send-connector", "add", domain, *way, "--allow-internal", "on")
    with relay.serving():
        contoso.always("RCPT", f"{REFUSED}\r\n".encode())
        send(relay, STRANGER, "cfo@contoso.com")
        send(relay, BEN, "cfo@contoso.com", certificates.fabrikam)
        for sender in (STRANGER, BEN):
            told = taken(internet, to=sender).content.decode()
            assert REFUSED in told
            assert "Remote-MTA" not in told and "localhost" not in told and f":{contoso.port}" not in told
        send(relay, BEN, "ceo@contoso.net", certificates.fabrikam)
        send(relay, STRANGER, "cto@contoso.net")
        wait_until(lambda: last_reply(relay.told("queue", "list"), "ceo@contoso.net"), "the attempt")
        wait_until(lambda: last_reply(relay.told("queue", "list"), "cto@contoso.net"), "the attempt")
        # The operator reads all, and contoso its own.
        assert f":{closed}" in last_reply(relay.told("queue", "list"), "ceo@contoso.net")
        with Api(relay, token_for(relay, "--tenant", "contoso")) as api:
            assert f":{closed}" in last_reply(api.get("/v1/tenants/contoso/queue").json(), "cto@contoso.net")
        with Api(relay, token_for(relay, "--tenant", "fabrikam")) as api:
            queue = api.get("/v1/tenants/fabrikam/queue").json()
            (message,) = queue["messages"]
            shown = api.get(f"/v1/tenants/fabrikam/queue/messages/{message['id']}").json()
            said = {last_reply(queue, "ceo@contoso.net"), shown["recipients"][0]["last_reply"]}
            assert said == {"the recipient's mail server did not accept it"}
        fabrikam_relays(relay, certificates)
