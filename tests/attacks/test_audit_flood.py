"""evil's token changes a large connector to and fro, so that the audit fills the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.api_client import Api, token_for
from end_to_end.installation import Installation

MOST = 24 * 1024 * 1024
"""What is let in at once is 16 MiB, and each entry may overdraw."""


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay", api=True, workers=1)
    relay.init()
    for tenant in ("contoso", "evil"):
        relay("tenant", "add", tenant)
    with relay.serving():
        yield relay


def test_the_audit_of_one_tenant_grows_by_its_share_and_others_changes_go_on(relay: Installation) -> None:
    evil = Api(relay, token_for(relay, "--tenant", "evil"))
    contoso = Api(relay, token_for(relay, "--tenant", "contoso"))
    connector = "/v1/tenants/evil/inbound-connectors/big"
    filler = "x" * 200
    names = [f"{number}.{filler[:60]}.{filler[:60]}.{filler[:60]}.example" for number in range(50)]
    before = relay_octets(relay)
    for number in range(2_000):
        sent = {"certificate_names": names, "type": "partner", "sender_domains": [f"d{number}.example", *names[1:]]}
        said = evil.put(connector, json=sent)
        if said.status_code == 429:
            break
        assert said.status_code in (200, 201), said.text
    assert said.status_code == 429
    assert said.json()["error"]["code"] == "too-many-requests"
    assert int(said.headers["Retry-After"]) > 0
    assert relay_octets(relay) - before < MOST
    assert evil.get(connector).status_code == 200
    made = contoso.put("/v1/tenants/contoso/inbound-connectors/own", json={"addresses": ["10.0.0.0/24"]})
    assert made.status_code == 201
    relay("inbound-connector", "remove", "evil", "big")


def relay_octets(relay: Installation) -> int:
    return sum(file.stat().st_size for file in relay.data.glob("directory*") if file.is_file())
