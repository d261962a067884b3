"""What a worker is given to look at the TLS of its next hops."""

import asyncio
from pathlib import Path
from typing import Any

from gatepost import config as configuration
from gatepost.app.tls_demands import resolver_of, tls_demands_of
from gatepost.delivery.next_hops import Target
from gatepost.tenancy.reach import Reach
from gatepost.tenancy.tenant import AddressSpace, SendConnector, TlsLevel

TOML = """
hostname = "relay.example.net"
[[listener]]
address = "127.0.0.1:2525"
[dns]
nameservers = ["192.0.2.53"]
"""


class Events:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def emit(self, event: str, /, **fields: Any) -> None:
        self.told.append((event, fields))


def test_a_name_server_on_another_machine_disables_dane_and_that_is_an_event(tmp_path: Path) -> None:
    config = configuration.parse(tmp_path / "gatepost.toml", TOML)
    events = Events()
    demands = tls_demands_of(config, resolver_of(config), Reach(), events)  # type: ignore[arg-type]
    connector = SendConnector(name="out", address_spaces=(AddressSpace(space="*"),), tls=TlsLevel.DANE)
    target = Target("mx.fabrikam.example", "192.0.2.1", 25)
    asyncio.run(demands.begin())
    assert [event for event, _ in events.told] == ["dane-disabled"]
    demand = asyncio.run(demands.of(connector, "fabrikam.example", target))
    assert demand.blocked is not None and demand.blocked.code == "dane-disabled"
    ((event, fields),) = events.told
    assert event == "dane-disabled"
    assert "192.0.2.53" in fields["problem"]


def test_only_name_servers_that_are_trusted_are_asked_what_they_validated(tmp_path: Path) -> None:
    def asks(toml: str) -> bool:
        resolver = resolver_of(configuration.parse(tmp_path / "gatepost.toml", toml))
        return bool(resolver._resolver.flags)

    assert not asks(TOML)
    assert asks(TOML + 'trusted = ["192.0.2.53"]\n')
    assert asks(TOML.replace("192.0.2.53", "127.0.0.1"))
