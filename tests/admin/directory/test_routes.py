"""Paths of the Management API, as they are served and as they are asked."""

from dataclasses import dataclass

from gatepost.admin.directory import routes
from gatepost.api.application import document


@dataclass(frozen=True)
class Asker:
    tenant: str | None = None


OPERATOR, CONTOSO = Asker(), Asker("contoso")


def test_a_path_quotes_what_is_asked_for() -> None:
    asked = {"tenant": "con toso", "name": "a/../b"}
    assert routes.INBOUND_CONNECTOR(OPERATOR, asked) == "/v1/tenants/con%20toso/inbound-connectors/a%2F..%2Fb"


def test_a_tenants_token_asks_for_its_own_part() -> None:
    for asker, expected in ((OPERATOR, "/v1/audit/7"), (CONTOSO, "/v1/tenants/contoso/audit/7")):
        assert routes.AUDITED_CHANGE(asker, {"version": 7}) == expected
    assert routes.DOMAINS(CONTOSO, {"tenant": "fabrikam"}) == "/v1/tenants/fabrikam/domains"


def test_the_operators_name_of_a_send_connector_may_be_a_path() -> None:
    assert routes.SEND_CONNECTOR(OPERATOR, {"name": "contoso/out"}) == "/v1/send-connectors/contoso/out"


def test_name_stands_for_the_variable_that_is_not_named() -> None:
    assert routes.TENANT(OPERATOR, {"name": "contoso"}) == "/v1/tenants/contoso"
    assert routes.DOMAIN(OPERATOR, {"tenant": None, "name": "contoso.com"}) == "/v1/domains/contoso.com"


def test_every_path_is_served() -> None:
    served = set(document()["paths"])
    every = [each for each in vars(routes).values() if isinstance(each, routes.Route)]
    asked = {path.replace(":path", "") for each in every for path in (each.of_all, each.of_tenant) if path}
    assert asked <= served and len(asked) > 15
