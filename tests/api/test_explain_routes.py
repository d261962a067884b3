"""What would happen, asked over the API: by the operator of everything, by a tenant of its own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from gatepost.admin.directory import domains, inbound_connectors, tenants
from gatepost.api import explain_routes, problems
from gatepost.api.caller import Caller
from gatepost.app import open_editor
from gatepost.app.admin_wiring import Judging
from gatepost.config import Config, read
from gatepost.https.rates import Allotment
from gatepost.tenancy.token import Token

QUESTION = {"mail_from": "a@contoso.com", "rcpt_to": ["b@outside.example"], "address": "192.0.2.1"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    file = tmp_path_factory.mktemp("relay") / "gatepost.toml"
    file.write_text('hostname = "relay.example.net"\ndata = "data"\n[[listener]]\naddress = "127.0.0.1:2525"\n')
    found = read(file)
    editor = open_editor(found)
    at = datetime.now(UTC)
    for number, tenant in enumerate(("contoso", "fabrikam"), 1):
        tenants.add(editor, tenant, at)
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=at)
        inbound_connectors.add(editor, tenant, "mail", {"addresses": [f"192.0.2.{number}"]})
    editor.close()
    return found


Ask = Callable[[str, dict[str, Any]], httpx.Response]


def _client(config: Config, tenant: str | None) -> Ask:
    app = FastAPI()
    app.include_router(explain_routes.router)
    problems.install(app, [])
    token = Token(
        id="0", tenant=tenant, secret_sha256="", scopes=frozenset(), created_at=datetime.now(UTC), expires_at=None
    )

    @app.middleware("http")
    async def known(request: Request, call_next: Any) -> Any:
        request.state.caller = Caller(
            config=config,
            judging=Judging(config),
            who="token 0",
            of_tenant=tenant,
            address="127.0.0.1",
            audit=Allotment(1),
            token=token,
        )
        return await call_next(request)

    async def asked(path: str, body: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://relay.example.net"
        ) as client:
            return await client.post(path, json=body)

    return lambda path, body: asyncio.run(asked(path, body))


@pytest.fixture(scope="module")
def operator(config: Config) -> Ask:
    return _client(config, None)


@pytest.fixture(scope="module")
def contoso(config: Config) -> Ask:
    return _client(config, "contoso")


def test_the_operator_asks_about_every_tenant(operator: Ask) -> None:
    for number, tenant in enumerate(("contoso", "fabrikam"), 1):
        asked = {**QUESTION, "mail_from": f"a@{tenant}.com", "address": f"192.0.2.{number}"}
        answer = operator("/v1/explain", asked).json()
        assert (answer["outcome"], answer["tenant"], answer["warnings"]) == ("relay", tenant, [])
        assert [each["rcpt_to"] for each in answer["recipients"]] == ["b@outside.example"]


def test_a_tenant_asks_about_itself_and_is_told_so(contoso: Ask) -> None:
    answer = contoso("/v1/tenants/contoso/explain", QUESTION).json()
    assert (answer["outcome"], answer["connector"]) == ("relay", "mail")
    assert "Other tenants are not considered" in answer["warnings"][-1]
    theirs = {**QUESTION, "mail_from": "a@fabrikam.com", "address": "192.0.2.2"}
    assert contoso("/v1/tenants/contoso/explain", theirs).json()["outcome"] == "refused"
    assert contoso("/v1/tenants/fabrikam/explain", QUESTION).status_code == 404
    assert contoso("/v1/explain", QUESTION).status_code == 403


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"listener": "elsewhere"}, "listener"),
        ({"certificate": "no PEM"}, "certificate"),
        ({"address": "192.0.2"}, "address"),
        ({"rcpt_to": ["b"]}, "rcpt_to"),
    ],
)
def test_what_cannot_be_asked_is_named(operator: Ask, wrong: dict[str, Any], field: str) -> None:
    answer = operator("/v1/explain", {**QUESTION, **wrong})
    assert answer.status_code == 409
    assert answer.json()["error"]["field"] == field


def test_a_tenant_that_asks_all_the_time_is_slowed_and_others_are_not(config: Config, operator: Ask) -> None:
    fabrikam = _client(config, "fabrikam")
    answers = [fabrikam("/v1/tenants/fabrikam/explain", QUESTION).status_code for _ in range(70)]
    assert answers[0] == 200 and answers[-1] == 429
    assert operator("/v1/tenants/fabrikam/explain", QUESTION).status_code == 200
    assert _client(config, "contoso")("/v1/tenants/contoso/explain", QUESTION).status_code == 200
