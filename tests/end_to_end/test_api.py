"""The Management API over its real process: two tenants, and the operator."""

import os
import signal
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from end_to_end.api_client import Api, code_of, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.scene import Certificates

CONNECTOR = {"addresses": ["192.0.2.1/32"]}


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), api=True, workers=1)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
    relay("inbound-connector", "add", "fabrikam", "secret", "--address", "192.0.2.9")
    relay("send-connector", "add", "fabrikam-out", "--tenant", "fabrikam", "--address-space", "*")
    with relay.serving():
        yield relay


def test_limits_that_a_body_leaves_out_stay(operator: Api) -> None:
    tenant = "/v1/tenants/fabrikam"
    made = operator.put(tenant, json={"limits": {"sessions": 7, "queued": 0}})
    assert made.json()["limits"] == {"sessions": 7, "queued": 0}
    assert operator.put(tenant, json={"contact": "ops@fabrikam.com"}).json()["limits"] == made.json()["limits"]
    for wrong, says in (({"session": 7}, "did you mean sessions?"), ({"ipv4_prefix": 33}, "at most 32 bits")):
        refused = operator.put(tenant, json={"limits": wrong})
        assert code_of(refused) == "invalid" and refused.json()["error"]["field"] == "limits"
        assert says in str(refused.json())
    assert operator.put(tenant, json={"limits": {"sessions": -1}}).status_code == 422
    assert operator.put(tenant, json={"limits": {}}).json()["limits"] == {}


class TestTokens:
    def test_a_token_says_whose_it_is(self, contoso: Api, operator: Api) -> None:
        assert contoso.get("/v1/whoami").json()["tenant"] == "contoso"
        assert operator.get("/v1/whoami").json()["operator"] is True

    @pytest.mark.parametrize("token", [None, "gp_000000000000_" + "A" * 43, "nonsense", "gp_é"])
    def test_without_a_known_token_nothing_is_said(self, relay: Installation, token: str | None) -> None:
        with Api(relay, None) as stranger:
            headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
            for path in ("/v1/whoami", "/v1/tenants/contoso", "/v1/nothing"):
                answer = stranger.get(path, headers=headers)
                assert (answer.status_code, code_of(answer)) == (401, "unauthenticated")
            body = stranger.put("/v1/tenants/contoso", headers=headers, content=b"{")
            assert body.status_code == 401

    def test_a_token_that_reads_changes_nothing(self, relay: Installation) -> None:
        with Api(relay, token_for(relay, "--tenant", "contoso", "--scope", "read")) as reader:
            assert reader.get("/v1/tenants/contoso").status_code == 200
            answer = reader.put("/v1/tenants/contoso/domains/x.contoso.com", json={})
            assert (answer.status_code, code_of(answer)) == (403, "scope-missing")

    def test_a_revoked_token_opens_nothing_at_once(self, relay: Installation) -> None:
        token = token_for(relay, "--tenant", "contoso")
        with Api(relay, token) as api:
            assert api.get("/v1/whoami").status_code == 200
            relay("token", "revoke", token.split("_")[1])
            answer = api.get("/v1/whoami")
            assert (answer.status_code, code_of(answer)) == (401, "token-revoked")

    def test_an_expired_token_says_so(self, relay: Installation) -> None:
        with Api(relay, token_for(relay, "--tenant", "contoso", "--expires", "0.001s")) as api:
            answer = api.get("/v1/whoami")
            assert (answer.status_code, code_of(answer)) == (401, "token-expired")

    def test_a_token_that_may_puts_off_its_own_end(self, relay: Installation, contoso: Api) -> None:
        answer = contoso.post("/v1/whoami/renewal")
        assert (answer.status_code, code_of(answer)) == (403, "scope-missing")
        scopes = ("--scope", "read", "--scope", "write", "--scope", "renew")
        with Api(relay, token_for(relay, "--tenant", "contoso", "--expires", "10d", *scopes)) as api:
            before = api.get("/v1/whoami").json()
            renewed = api.post("/v1/whoami/renewal").json()
            assert api.get("/v1/whoami").json() == {**renewed, "directory_version": renewed["directory_version"]}
            assert renewed["token"] == before["token"]
            assert renewed["expires_at"] > before["expires_at"]
            lives = [
                datetime.fromisoformat(each["expires_at"]) - datetime.fromisoformat(each["created_at"])
                for each in (before, renewed)
            ]
            assert lives == [timedelta(days=10)] * 2
            relay("token", "revoke", before["token"])
            assert code_of(api.post("/v1/whoami/renewal")) == "token-revoked"

    def test_the_tokens_of_a_removed_tenant_do_not_open_a_new_one_of_its_name(
        self, relay: Installation, operator: Api
    ) -> None:
        relay("tenant", "add", "passing")
        with Api(relay, token_for(relay, "--tenant", "passing")) as api:
            assert operator.delete("/v1/tenants/passing").status_code == 204
            assert operator.put("/v1/tenants/passing", json={}).status_code == 201
            assert api.get("/v1/whoami").status_code == 401

    def test_neither_token_nor_secret_stands_in_the_data_folder(self, relay: Installation, contoso: Api) -> None:
        secret = contoso.headers["authorization"].rpartition("_")[2].encode()
        stored = [file for file in relay.data.rglob("*") if file.is_file() and secret in file.read_bytes()]
        assert stored == []
        assert secret.decode() not in relay("audit", "list", "--limit", "0", "--json")


class TestAnotherTenant:
    @pytest.mark.parametrize(
        "path",
        [
            "/v1/tenants/{}",
            "/v1/tenants/{}/domains",
            "/v1/tenants/{}/domains/fabrikam.com",
            "/v1/tenants/{}/inbound-connectors/secret",
            "/v1/tenants/{}/send-connectors/fabrikam-out",
        ],
    )
    def test_what_is_another_tenants_is_answered_like_what_is_not_there(self, contoso: Api, path: str) -> None:
        theirs, absent = contoso.get(path.format("fabrikam")), contoso.get(path.format("absent"))
        assert theirs.status_code == absent.status_code == 404
        assert theirs.text.replace("fabrikam'", "absent'") == absent.text
        assert set(theirs.headers) == set(absent.headers)

    def test_another_tenants_domain_is_not_found_below_ones_own_name(self, contoso: Api) -> None:
        theirs = contoso.get("/v1/tenants/contoso/domains/fabrikam.com")
        absent = contoso.get("/v1/tenants/contoso/domains/absent.com")
        assert theirs.text.replace("fabrikam", "absent") == absent.text

    def test_an_owned_domain_is_claimed_as_if_nobody_had_it(self, contoso: Api, fabrikam: Api, operator: Api) -> None:
        answers = {}
        for name in ("fabrikam.com", "nobodys.com"):
            path = f"/v1/tenants/contoso/domains/{name}"
            put, again = (contoso.put(path, json={"match_subdomains": True}) for _ in range(2))
            read, proof, gone = contoso.get(path), contoso.post(f"{path}/verification"), contoso.delete(path)
            written = put.json()
            told = [answer.text for answer in (put, again, read, proof, gone)]
            for mine in (written["token"], name, written["claimed_at"]):
                told = [text.replace(mine, "…") for text in told]
            answers[name] = [(answer.status_code, *map(len, answer.headers)) for answer in (put, again, read)], told
        assert answers["fabrikam.com"] == answers["nobodys.com"]
        assert operator.get("/v1/domains/fabrikam.com").json()["tenant"] == "fabrikam"
        assert fabrikam.get("/v1/domains/fabrikam.com").json()["verified"] is True

    def test_the_operator_pages_through_every_claim(self, contoso: Api, fabrikam: Api, operator: Api) -> None:
        for tenant, api in (("contoso", contoso), ("fabrikam", fabrikam)):
            assert api.put(f"/v1/tenants/{tenant}/domains/both.example", json={}).status_code == 201
        found, cursor = [], None
        while True:
            page = operator.get("/v1/domains", params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
            found += [(each["domain"], each["tenant"]) for each in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(found) == len(set(found)) and {("both.example", "contoso"), ("both.example", "fabrikam")} < {*found}
        answer = operator.get("/v1/domains/both.example")
        assert (answer.status_code, code_of(answer)) == (409, "invalid")
        assert operator.get("/v1/tenants/fabrikam/domains/both.example").json()["tenant"] == "fabrikam"
        for tenant, api in (("contoso", contoso), ("fabrikam", fabrikam)):
            assert api.delete(f"/v1/tenants/{tenant}/domains/both.example").status_code == 204

    def test_an_unowned_name_names_nobody(self, contoso: Api) -> None:
        body = {"certificate_names": ["mail.fabrikam.com"]}
        answer = contoso.put("/v1/tenants/contoso/inbound-connectors/theirs", json=body)
        assert (answer.status_code, code_of(answer)) == (409, "certificate-name-not-owned")
        assert "tenant fabrikam" not in answer.text
        stored = contoso.put("/v1/tenants/contoso/inbound-connectors/theirs", json={**body, "enabled": False})
        assert stored.status_code == 201 and stored.json()["missing"] and "tenant fabrikam" not in stored.text

    def test_both_have_a_send_connector_of_one_name(self, relay: Installation, contoso: Api, fabrikam: Api) -> None:
        for tenant, api in (("contoso", contoso), ("fabrikam", fabrikam)):
            body = {"address_spaces": [{"space": f"{tenant}.example"}]}
            assert api.put(f"/v1/tenants/{tenant}/send-connectors/out", json=body).status_code == 201
        assert contoso.get("/v1/tenants/contoso/send-connectors/out").json()["name"] == "out"
        assert relay.told("send-connector", "show", "fabrikam/out")["tenant"] == "fabrikam"

    def test_a_wide_network_is_not_a_tenants_to_list_however_it_is_written(self, contoso: Api, operator: Api) -> None:
        path = "/v1/tenants/contoso/inbound-connectors/wide"
        assert contoso.put(path, json=CONNECTOR).status_code == 201
        for wide in ("0.0.0.0/0", "192.0.0.0/23", "::/0"):
            body = {"addresses": ["192.0.2.1/32", wide]}
            for answer in (contoso.put(path, json=body), contoso.patch(path, json={**body, "enabled": False})):
                assert (answer.status_code, code_of(answer)) == (409, "network-too-wide")
                assert answer.json()["error"]["field"] == "addresses"
        beyond = {"params": {"beyond_limits": "true"}}
        assert code_of(contoso.put(path, json={"addresses": ["10.0.0.0/8"]}, **beyond)) == "operator-only"
        assert operator.put(path, json={"addresses": ["10.0.0.0/16"]}).status_code == 200
        refused = operator.put(path, json={"addresses": ["10.0.0.0/8"]})
        assert "beyond_limits=true" in refused.json()["error"]["do"]
        assert operator.put(path, json={"addresses": ["10.0.0.0/8"]}, **beyond).status_code == 200
        kept = contoso.patch(path, json={"require_tls": True})
        assert kept.status_code == 200, "what is listed goes on"
        assert contoso.delete(path).status_code == 204

    def test_a_tenant_has_as_many_connectors_as_it_may(self, relay: Installation, contoso: Api, fabrikam: Api) -> None:
        relay("tenant", "set", "contoso", "--limit", "inbound-connectors=1", "--limit", "unverified-domains=1")
        for kind, body in (("inbound-connectors", CONNECTOR), ("domains", {})):
            answers = [contoso.put(f"/v1/tenants/contoso/{kind}/one{n}.example", json=body) for n in range(4)]
            assert code_of(answers[-1]) == "limit-reached"
            error = answers[-1].json()["error"]
            assert "limit of 1" in error["says"] and "ask the relay's operator" in error["do"]
            assert fabrikam.put(f"/v1/tenants/fabrikam/{kind}/one.example", json=body).status_code == 201
            assert fabrikam.delete(f"/v1/tenants/fabrikam/{kind}/one.example").status_code == 204
            for n in range(4):
                contoso.delete(f"/v1/tenants/contoso/{kind}/one{n}.example")
        relay(
            "tenant", "set", "contoso", "--limit", "inbound-connectors=default", "--limit", "unverified-domains=default"
        )

    def test_lists_hold_ones_own(self, contoso: Api) -> None:
        assert [each["name"] for each in contoso.get("/v1/tenants").json()["items"]] == ["contoso"]
        assert {each["tenant"] for each in contoso.get("/v1/domains").json()["items"]} == {"contoso"}

    def test_what_is_the_operators_is_not_a_tenants_to_do(self, contoso: Api) -> None:
        refused = [
            contoso.put("/v1/tenants/contoso", json={}),
            contoso.delete("/v1/tenants/contoso"),
            contoso.put("/v1/tenants/contoso/domains/new.com", json={"verified": True}),
            contoso.get("/v1/send-connectors"),
            contoso.put(
                "/v1/tenants/contoso/send-connectors/cert",
                json={"address_spaces": [{"space": "*"}], "certificate": "server.pem", "key": "server.key"},
            ),
        ]
        assert {(answer.status_code, code_of(answer)) for answer in refused} == {(403, "operator-only")}


class TestWrites:
    def test_the_same_put_twice_changes_nothing_and_leaves_no_audit_line(
        self, relay: Installation, contoso: Api
    ) -> None:
        first = contoso.put("/v1/tenants/contoso/inbound-connectors/mail", json=CONNECTOR)
        version = relay.told("audit", "list")[0]["version"]
        second = contoso.put("/v1/tenants/contoso/inbound-connectors/mail", json=CONNECTOR)
        back = contoso.put("/v1/tenants/contoso/inbound-connectors/mail", json=second.json())
        assert [first.status_code, second.status_code, back.status_code] == [201, 200, 200]
        assert first.headers["etag"] == second.headers["etag"] == back.headers["etag"]
        assert relay.told("audit", "list")[0]["version"] == version

    def test_the_audit_says_which_token_and_from_where(self, relay: Installation, contoso: Api) -> None:
        contoso.put("/v1/tenants/contoso/inbound-connectors/audited", json=CONNECTOR)
        entry = relay.told("audit", "list", "inbound-connector contoso/audited")[0]
        assert entry["who"] == f"token {contoso.get('/v1/whoami').json()['token']}"
        assert entry["address"] == "127.0.0.1"

    def test_a_write_on_what_was_changed_meanwhile_is_stopped(self, contoso: Api) -> None:
        path = "/v1/tenants/contoso/inbound-connectors/raced"
        seen = contoso.put(path, json=CONNECTOR).headers["etag"]
        assert contoso.patch(path, json={"require_tls": True}, headers={"If-Match": seen}).status_code == 200
        late = [
            contoso.patch(path, json={"require_tls": False}, headers={"If-Match": seen}),
            contoso.put(path, json=CONNECTOR, headers={"If-Match": seen}),
            contoso.delete(path, headers={"If-Match": seen}),
            contoso.put(path, json=CONNECTOR, headers={"If-None-Match": "*"}),
            contoso.put(f"{path}-2", json=CONNECTOR, headers={"If-Match": "*"}),
        ]
        assert {(answer.status_code, code_of(answer)) for answer in late} == {(412, "precondition-failed")}
        assert contoso.get(path).json()["require_tls"] is True
        fresh = contoso.get(path).headers["etag"]
        assert contoso.get(path, headers={"If-None-Match": fresh}).status_code == 304
        assert contoso.delete(path, headers={"If-Match": fresh}).status_code == 204

    def test_a_change_leaves_what_is_not_mentioned(self, contoso: Api) -> None:
        path = "/v1/tenants/contoso/send-connectors/patched"
        body = {"address_spaces": [{"space": "*", "cost": 7}], "smart_hosts": [{"host": "hub.example", "port": 587}]}
        made = contoso.put(path, json=body).json()
        changed = contoso.patch(path, json={"enabled": False, "fqdn": "mail.contoso.com"}).json()
        assert changed == {**made, "enabled": False, "fqdn": "mail.contoso.com"}

    @pytest.mark.parametrize(
        ("host", "port"), [("127.0.0.1", 25), ("::ffff:10.0.0.5", 25), ("169.254.169.254", 587), ("hub.example", 6379)]
    )
    def test_a_tenant_cannot_send_the_relay_into_its_own_network(self, contoso: Api, host: str, port: int) -> None:
        path = "/v1/tenants/contoso/send-connectors/inward"
        body = {"address_spaces": [{"space": "*", "cost": 1}], "smart_hosts": [{"host": host, "port": port}]}
        refused = contoso.put(path, json=body)
        assert refused.json()["error"]["code"] == "invalid", refused.text
        assert "ask the operator" in refused.text
        assert contoso.put(path, json={**body, "allow_internal": True}).status_code == 403
        assert contoso.get(path).status_code == 404

    def test_a_long_list_comes_in_pages_that_hold_everything_once(self, contoso: Api) -> None:
        for number in range(7):
            contoso.put(f"/v1/tenants/contoso/domains/d{number}.example", json={})
        names, cursor = [], None
        while True:
            query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = contoso.get("/v1/tenants/contoso/domains", params=query).json()
            assert len(page["items"]) <= 3
            names += [each["domain"] for each in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert names == sorted(set(names)) and {f"d{number}.example" for number in range(7)} < set(names)

    def test_a_change_by_the_api_is_what_the_commands_show(self, relay: Installation, contoso: Api) -> None:
        contoso.put("/v1/tenants/contoso/inbound-connectors/same", json=CONNECTOR)
        shown = relay.told("inbound-connector", "show", "contoso", "same")
        del shown["use"]  # Of a list of its own: /v1/tenants/contoso/connector-use.
        answer = contoso.get("/v1/tenants/contoso/inbound-connectors/same").json()
        assert {name: answer[name] for name in shown} == shown


class TestErrors:
    def test_every_kind_has_one_shape(self, contoso: Api) -> None:
        path = "/v1/tenants/contoso/inbound-connectors/wrong"
        kinds: dict[str, httpx.Response] = {
            "not-found": contoso.get("/nothing/here"),
            "method-not-allowed": contoso.post("/v1/whoami"),
            "invalid": contoso.put(path, json={"adresses": []}),
            "body-too-large": contoso.put(path, content=b" " * 2_000_000),
            "bad-cursor": contoso.get("/v1/tenants", params={"cursor": "%"}),
        }
        assert {name: code_of(answer) for name, answer in kinds.items()} == {name: name for name in kinds}
        assert contoso.post("/v1/whoami").headers["allow"] == "GET"

    def test_a_wrong_value_names_its_field(self, contoso: Api) -> None:
        answer = contoso.put(
            "/v1/tenants/contoso/inbound-connectors/w", json={"certificate_names": ["a@b"], "addresses": []}
        )
        assert answer.status_code == 409
        malformed = contoso.put("/v1/tenants/contoso/inbound-connectors/w", json={"addresses": 7})
        assert (malformed.status_code, malformed.json()["error"]["field"]) == (422, "addresses")
        senseless = contoso.put("/v1/tenants/contoso/inbound-connectors/w", json={})
        assert senseless.json()["error"]["field"] == "certificate_names"

    def test_too_many_requests_are_told_when_to_come_back(self, tmp_path: Path) -> None:
        relay = Installation(tmp_path, api=True, workers=1)
        relay.init()
        relay.config.write_text(relay.config.read_text().replace("= 100000", "= 8"))
        with relay.serving(), Api(relay, token_for(relay, "--operator")) as api:
            answers = [api.get("/v1/whoami") for _ in range(4)]
            assert [answer.status_code for answer in answers[:2]] == [200, 200]
            late = answers[-1]
            assert (late.status_code, code_of(late)) == (429, "too-many-requests")
            assert int(late.headers["retry-after"]) >= 1


class TestProcess:
    def test_a_renewed_certificate_is_served_without_a_restart(
        self, relay: Installation, contoso: Api, certificates: Certificates
    ) -> None:
        kept = {name: (relay.folder / name).read_bytes() for name in ("server.pem", "server.key")}
        renewed = certificates.pki.leaf("relay.example.net")
        host, port = relay.name_of("api").split(":")

        def served() -> str:
            return ssl.get_server_certificate((host, int(port)))

        before = served()
        (relay.folder / "server.key").write_bytes(renewed.key_file.read_bytes())
        assert served() == before, "a key that does not fit leaves what is served"
        (relay.folder / "server.pem").write_bytes(renewed.chain_file.read_bytes())
        wait_until(lambda: served() != before, "the new certificate to be served")
        for name, octets in kept.items():
            (relay.folder / name).write_bytes(octets)
        wait_until(lambda: served() == before, "the first certificate to be back")
        assert contoso.get("/v1/whoami").status_code == 200

    def test_a_dead_api_is_started_again_and_mail_does_not_notice(self, relay: Installation, contoso: Api) -> None:
        worker, api = relay.worker_pids()
        os.kill(api, signal.SIGKILL)

        def answers() -> bool:
            try:
                return contoso.get("/v1/whoami").status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(answers, "the API to come back")
        assert relay.worker_pids()[0] == worker
