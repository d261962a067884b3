"""A tenant with a token claims others' domains, lists the whole internet, and stores connectors by the thousand.

Before: 1,000 foreign domains in 7 s were closed to their owners for ever, `0.0.0.0/0` made the relay open for whoever
knew a domain of the tenant, and 2,200 connectors blocked both workers for four minutes.
"""

import re
from collections.abc import Iterator

import pytest

from end_to_end.api_client import Api, code_of, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import CONTOSO_ADDRESS, FABRIKAM_ADDRESS, MESSAGE, with_two_tenants
from end_to_end.smtp_client import Answer, SmtpClient

STRANGER = "127.0.77.1"
OUTSIDE = "someone@outside.example"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, outside: Outside) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), workers=2, api=True)
    relay.tables = f'[dns]\nnameservers = ["{outside.dns.address}"]\n'
    with_two_tenants(relay, outside.sink().port)
    relay("tenant", "add", "evil")
    relay("domain", "add", "evil", "evil.example", "--verified")
    with relay.serving():
        yield relay


@pytest.fixture(scope="module")
def evil(relay: Installation) -> Iterator[Api]:
    with Api(relay, token_for(relay, "--tenant", "evil")) as api:
        yield api


@pytest.fixture(autouse=True)
def fabrikam_is_unaffected(relay: Installation) -> Iterator[None]:
    yield
    assert said(relay, FABRIKAM_ADDRESS, "ben@fabrikam.com").code == 250


def said(relay: Installation, source: str, reverse_path: str, forward_path: str = OUTSIDE) -> Answer:
    with SmtpClient(relay.port, source) as smtp:
        smtp.ehlo()
        return smtp.message(reverse_path, forward_path, MESSAGE)


def told(relay: Installation, source: str, reverse_path: str) -> str:
    """The reply without what differs in each: time and session id, or the queue's id."""
    return re.sub(r" \[\S+ \S+Z \S+\]|\d+-\d+", "", said(relay, source, reverse_path).text)


def test_claims_of_others_domains_close_them_to_nobody_and_are_few(
    relay: Installation, evil: Api, outside: Outside
) -> None:
    senders = ("ann@contoso.net", "ann@mail.contoso.com", "ann@contoso.com", "")
    before = [told(relay, address, each) for each in senders for address in (STRANGER, CONTOSO_ADDRESS)]
    wanted = ["contoso.net", "contoso.com", "mail.contoso.com", *(f"victim{number}.example" for number in range(200))]
    answers = [evil.put(f"/v1/tenants/evil/domains/{name}", json={"match_subdomains": True}) for name in wanted]
    assert [each.status_code for each in answers] == [201] * 100 + [409] * 103
    assert {code_of(each) for each in answers[100:]} == {"limit-reached"}
    assert [told(relay, address, each) for each in senders for address in (STRANGER, CONTOSO_ADDRESS)] == before

    relay("domain", "add", "contoso", "contoso.net")
    value = relay.told("domain", "show", "contoso.net", "--tenant", "contoso")["record"]["value"]
    outside.dns.add("_gatepost.contoso.net", "TXT", f'"{value}"')
    assert relay.told("domain", "verify", "contoso.net")["tenant"] == "contoso"
    wait_until(lambda: said(relay, CONTOSO_ADDRESS, "ann@contoso.net").code == 250, "contoso.net to count", 5)
    refused = evil.post("/v1/tenants/evil/domains/contoso.net/verification")
    assert code_of(refused) == "domain-not-verified" and "contoso/" not in refused.text


def test_who_proves_what_another_owns_learns_no_name(relay: Installation, evil: Api, outside: Outside) -> None:
    path = "/v1/tenants/evil/domains/fabrikam.com"
    for name in ("victim0.example", "victim1.example"):
        evil.delete(f"/v1/tenants/evil/domains/{name}")
    record = evil.put(path, json={}).json()["record"]
    outside.dns.add(record["name"], "TXT", f'"{record["value"]}"')
    answer = evil.post(f"{path}/verification")
    assert (answer.status_code, code_of(answer)) == (409, "domain-owned-by-another")
    assert "tenant" not in answer.json()["error"]["says"]
    assert relay.told("domain", "show", "fabrikam.com")["tenant"] == "fabrikam"


def test_no_way_of_writing_it_lists_the_whole_internet(relay: Installation, evil: Api) -> None:
    path = "/v1/tenants/evil/inbound-connectors/{}"
    halves = ["0.0.0.0/1", "128.0.0.0/1"]
    for number, wide in enumerate((["0.0.0.0/0"], halves, ["127.0.0.0/8"], ["::/0"], ["::ffff:0:0/96"], ["8000::/1"])):
        body = {"addresses": ["192.0.2.66/32", *wide]}
        answers = [
            evil.put(path.format(f"wide{number}"), json=body),
            evil.put(path.format(f"wide{number}"), json={**body, "type": "partner"}),
            evil.patch(path.format(f"wide{number}"), json={"type": "on-premises", "enabled": True}),
        ]
        assert {code_of(answers[0]), code_of(answers[2])} <= {"network-too-wide", "invalid", "not-found"}
        evil.delete(path.format(f"wide{number}"))
    assert said(relay, STRANGER, "anybody@evil.example").code == 550


@pytest.mark.attack
def test_thousands_of_connectors_are_two_hundred(relay: Installation, evil: Api) -> None:
    body = {"certificate_names": ["mail.contoso.com"], "addresses": [f"{CONTOSO_ADDRESS}/32"], "enabled": False}
    answers = [evil.put(f"/v1/tenants/evil/inbound-connectors/c{number}", json=body) for number in range(2200)]
    assert [each.status_code for each in answers] == [201] * 200 + [409] * 2000
    assert code_of(answers[-1]) == "limit-reached"
    assert said(relay, CONTOSO_ADDRESS, "ann@contoso.com").code == 250
    many = {"certificate_names": [f"n{number}.contoso.com" for number in range(51)], "enabled": False}
    assert code_of(evil.put("/v1/tenants/evil/inbound-connectors/c0", json=many)) == "limit-reached"
