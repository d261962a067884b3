"""The forecast over the API, and as metrics: a tenant sees its own, the operator everything."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from end_to_end.api_client import Api, code_of, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.scene import MESSAGE, Certificates
from end_to_end.smtp_client import SmtpClient


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    """Contoso's certificate ends in five days, fabrikam's does not; their mail stays in the queue."""
    relay = Installation(
        tmp_path_factory.mktemp("relay"), client_roots=certificates.pki.roots_file, api=True, workers=1
    )
    relay.init()
    relay("send-connector", "set", "internet", "--smart-host", "127.0.0.1:9")
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, f"{tenant}-in", "--certificate-name", f"*.{tenant}.com")
    with relay.serving():
        soon = datetime.now(UTC) + timedelta(days=5)
        for tenant, not_after in (("contoso", soon), ("fabrikam", None)):
            with SmtpClient(relay.port) as smtp:
                smtp.starttls(certificates.pki.leaf(f"mail.{tenant}.com", not_after=not_after))
                assert smtp.message(f"ann@{tenant}.com", "x@outside.example", MESSAGE).code == 250
        yield relay


@pytest.fixture
def apis(relay: Installation) -> Iterator[dict[str, Api]]:
    with (
        Api(relay, token_for(relay, "--tenant", "contoso")) as contoso,
        Api(relay, token_for(relay, "--tenant", "fabrikam")) as fabrikam,
        Api(relay, token_for(relay, "--operator")) as operator,
    ):
        yield {"contoso": contoso, "fabrikam": fabrikam, "operator": operator}


def test_a_tenant_sees_its_own_forecast_and_no_others(apis: dict[str, Api]) -> None:
    path = "/v1/tenants/contoso/forecast"
    (prospect,) = wait_until(lambda: apis["contoso"].get(path).json()["prospects"], "the session to be seen")
    assert (prospect["code"], prospect["connector"], prospect["within_days"]) == (
        "certificate-expires",
        "contoso-in",
        7,
    )
    assert apis["fabrikam"].get("/v1/tenants/fabrikam/forecast").json()["prospects"] == []
    stranger = apis["fabrikam"].get(path)
    assert (stranger.status_code, code_of(stranger)) == (404, "not-found")
    assert [each["tenant"] for each in apis["operator"].get("/v1/forecast").json()["prospects"]] == ["contoso"]


def test_metrics_are_the_operators(apis: dict[str, Api]) -> None:
    wait_until(lambda: apis["operator"].get("/v1/forecast").json()["prospects"], "the session to be seen")
    told = apis["operator"].get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    lines = told.text.splitlines()
    assert 'gatepost_prospects{code="certificate-expires",tenant="contoso",within_days="7"} 1.0' in lines
    assert sum(float(line.split()[-1]) for line in lines if line.startswith("gatepost_queue_recipients{")) == 2
    assert any(line.startswith("gatepost_directory_version ") for line in lines)
    for path in ("/metrics", "/v1/forecast"):
        refused = apis["contoso"].get(path)
        assert (refused.status_code, code_of(refused)) == (403, "operator-only")
