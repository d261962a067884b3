"""evil takes the name of a tenant that was removed, and reads what the relay still holds of it."""

from collections.abc import Iterator

import pytest

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, Certificates, fabrikam_relays
from end_to_end.smtp_client import SmtpClient


@pytest.fixture
def relay(
    tmp_path_factory: pytest.TempPathFactory, outside: Outside, certificates: Certificates
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("relay")
    relay = Installation(folder, client_roots=certificates.pki.roots_file, workers=1, api=True)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"*.{tenant}.com")
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{outside.sink().port}")
    with relay.serving():
        yield relay


def session_of_contoso(relay: Installation, certificates: Certificates) -> str:
    """Refused mail of contoso's, and its session."""
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificates.self_signed)
        said = smtp.mail("ann@contoso.com", "someone@outside.example")
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificates.contoso)
        assert smtp.message("ann@contoso.com", "someone@outside.example", MESSAGE).code == 250
    return said.session_id


def test_a_later_tenant_of_the_name_reads_nothing_of_the_earlier_one(
    relay: Installation, certificates: Certificates
) -> None:
    session = session_of_contoso(relay, certificates)
    wait_until(lambda: relay.told("why", session)["closed"], "the record")
    with Api(relay, token_for(relay, "--tenant", "contoso")) as api:
        assert api.get(f"/v1/sessions/{session}").status_code == 200
        assert api.get("/v1/tenants/contoso/audit").json()["items"]
    last = relay.told("audit", "list")[0]["version"]
    relay("tenant", "remove", "contoso", "--yes")
    removed = relay.told("audit", "list")[0]["version"]
    relay("tenant", "add", "contoso")
    relay("domain", "add", "contoso", "contoso.com", "--verified")
    relay("inbound-connector", "add", "contoso", "mail", "--certificate-name", "*.contoso.com")
    with Api(relay, token_for(relay, "--tenant", "contoso")) as api:
        assert api.get(f"/v1/sessions/{session}").status_code == 404
        versions = [each["version"] for each in api.get("/v1/tenants/contoso/audit").json()["items"]]
        assert versions and min(versions) > removed
        assert api.get(f"/v1/tenants/contoso/audit/{last}").status_code == 404
        seen = api.get("/v1/tenants/contoso/forecast").json()["prospects"]
        assert "certificate-expires" not in {each["code"] for each in seen}
    fabrikam_relays(relay, certificates)


def test_a_domain_that_was_anothers_shows_no_session_of_that_time(
    relay: Installation, certificates: Certificates
) -> None:
    session = session_of_contoso(relay, certificates)
    relay("domain", "remove", "contoso.com")
    relay("domain", "add", "fabrikam", "contoso.com", "--verified")
    with Api(relay, token_for(relay, "--tenant", "fabrikam")) as api:
        assert api.get(f"/v1/sessions/{session}").status_code == 404


def test_a_proven_pin_does_not_outlive_the_last_verified_domain(
    relay: Installation, certificates: Certificates
) -> None:
    own = certificates.pki.self_signed("box.fabrikam.com")
    relay("inbound-connector", "add", "fabrikam", "box", "--certificate-sha256", own.sha256)
    made = relay.told("enroll", "fabrikam")
    with SmtpClient(relay.port, ehlo=made["ehlo"]) as smtp:
        smtp.starttls(own)
        assert smtp.message("it@fabrikam.com", made["address"], MESSAGE).code == 250

    def reply() -> str:
        with SmtpClient(relay.port) as smtp:
            smtp.starttls(own)
            return smtp.mail("", "someone@outside.example").text

    wait_until(lambda: reply().startswith("250"), "the proof to be live")
    relay("domain", "set", "fabrikam.com", "--no-verified")
    wait_until(lambda: reply().startswith("550 5.7.64"), "the proof to rest")
    assert {each["state"] for each in relay.told("proof", "list", "fabrikam")} == {"no-verified-domain"}
    assert "proof-does-not-count" in {
        each["code"] for each in relay.told("forecast", "--tenant", "fabrikam")["prospects"]
    }
