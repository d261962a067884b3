"""What happened and what waits, over the API: a tenant reads its own part, the operator everything."""

from collections.abc import Iterator

import pytest

from end_to_end.api_client import Api, code_of
from end_to_end.installation import Installation, wait_until
from end_to_end.scene import MESSAGE, Certificates
from end_to_end.smtp_client import SmtpClient
from pki import Issued


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    """Its mail stays in the queue: nobody listens where it should go."""
    relay = Installation(
        tmp_path_factory.mktemp("relay"), client_roots=certificates.pki.roots_file, api=True, workers=1
    )
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, f"{tenant}-in", "--certificate-name", f"*.{tenant}.com")
    relay("send-connector", "set", "internet", "--smart-host", "127.0.0.1:9")
    with relay.serving():
        yield relay


def send(relay: Installation, certificate: Issued, mail_from: str) -> str:
    """The reply to a message, or to the recipient that was refused."""
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificate)
        return smtp.message(mail_from, "x@outside.example", MESSAGE).text


def test_a_tenant_reads_why_its_mail_was_refused_and_no_other_does(
    relay: Installation, contoso: Api, fabrikam: Api, operator: Api, certificates: Certificates
) -> None:
    refusal = send(relay, certificates.other_name, "ann@contoso.com")
    session = refusal.rpartition(" ")[2].strip("]")
    path = f"/v1/sessions/{session}"
    wait_until(lambda: operator.get(path).status_code == 200, "the session record")
    own, whole = contoso.get(path).json(), operator.get(path).json()
    assert own["outcome"] == whole["outcome"] == "refused" and own["reply"] == whole["reply"]
    assert "certificate-name-does-not-match" in {reason["code"] for reason in own["reasons"]}
    strangers = [fabrikam.get(path), fabrikam.get(f"/v1/sessions/{'0' * 16}")]
    assert {answer.status_code for answer in strangers} == {404}
    assert strangers[0].text.replace(session, "0" * 16) == strangers[1].text


def test_what_waits_is_seen_and_decided_about_by_its_own_tenant(
    relay: Installation, contoso: Api, fabrikam: Api, operator: Api, certificates: Certificates
) -> None:
    assert send(relay, certificates.contoso, "ann@contoso.com").startswith("250")
    assert send(relay, certificates.fabrikam, "ben@fabrikam.com").startswith("250")
    queue = "/v1/tenants/contoso/queue"
    wait_until(lambda: operator.get("/v1/queue").json()["recipients"] == 2, "both messages to wait")
    waiting = contoso.get(queue).json()
    assert waiting["recipients"] == 1 and {each["tenant"] for each in waiting["counts"]} == {"contoso"}
    message = waiting["messages"][0]["id"]
    assert "Subject: hello" in contoso.get(f"{queue}/messages/{message}").json()["headers"]
    assert fabrikam.get(f"/v1/tenants/fabrikam/queue/messages/{message}").status_code == 404
    theirs = fabrikam.post("/v1/tenants/fabrikam/queue/remove", json={"message_id": message})
    assert (theirs.status_code, code_of(theirs)) == (409, "declined")
    unsaid = contoso.post(f"{queue}/remove", json={})
    assert (unsaid.status_code, code_of(unsaid)) == (409, "invalid")
    assert contoso.post(f"{queue}/hold", json={"all": True}).json() == {"recipients": 1}
    states = {each["tenant"]: each["state"] for each in operator.get("/v1/queue").json()["counts"]}
    assert states == {"contoso": "held", "fabrikam": "queued"} or states["fabrikam"] != "held"
    assert contoso.post(f"{queue}/remove", json={"state": "held"}).json() == {"recipients": 1}
    assert fabrikam.get("/v1/tenants/fabrikam/queue").json()["recipients"] == 1
    assert {each["given_by"] for each in relay.told("queue", "orders")} == {
        f"token {contoso.get('/v1/whoami').json()['token']}"
    }


def test_the_audit_of_a_tenant_is_its_own_part_and_comes_in_pages(
    relay: Installation, contoso: Api, operator: Api
) -> None:
    own = contoso.get("/v1/tenants/contoso/audit").json()["items"]
    assert {entry["subject"].split()[-1].partition("/")[0] for entry in own} >= {"contoso", "contoso.com"}
    assert "fabrikam" not in str(own)
    versions, cursor = [], None
    while True:
        page = operator.get("/v1/audit", params={"limit": 4, **({"cursor": cursor} if cursor else {})}).json()
        versions += [entry["version"] for entry in page["items"]]
        if not (cursor := page["next"]):
            break
    assert versions == list(range(max(versions), 0, -1))
    assert contoso.get("/v1/audit").status_code == 403
