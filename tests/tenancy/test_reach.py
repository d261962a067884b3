"""Which addresses and ports a send connector may lead to."""

from ipaddress import ip_network

import pytest

from gatepost.tenancy.reach import Reach, needs_allowance
from gatepost.tenancy.tenant import AddressSpace, SendConnector, SmartHost

SPACES = (AddressSpace(space="*"),)
OF_TENANT = SendConnector(name="out", tenant="contoso", address_spaces=SPACES)
GUARDED = SendConnector(name="out", tenant=None, address_spaces=SPACES, allow_internal=False)
ALLOWED = SendConnector(name="out", tenant="contoso", address_spaces=SPACES, allow_internal=True)
OF_SERVER = SendConnector(name="out", address_spaces=SPACES)

INTERNAL = [
    "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1", "fe80::1%eth0", "10.0.0.5",
    "172.31.0.1", "192.168.1.1", "fd00::1", "fd00:ec2::254", "100.64.0.1", "224.0.0.1", "ff02::1", "192.0.2.1",
    "2001:db8::1", "255.255.255.255", "::ffff:127.0.0.1", "::ffff:10.0.0.5", "::127.0.0.1", "2002:7f00:1::",
    "2002:a00:5::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:5", "2001:0:7f00:1::", "::ffff:0:7f00:1",
    "::ffff:0:a00:5", "not an address",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "2002:808:808::",
    "::ffff:8.8.8.8",
    "::ffff:0:808:808",
]


@pytest.mark.parametrize("address", INTERNAL)
@pytest.mark.parametrize(("connector", "smart"), [(OF_TENANT, True), (OF_TENANT, False), (GUARDED, False)])
def test_an_internal_address_is_for_nobody_whom_the_operator_did_not_allow_it(
    connector: SendConnector, smart: bool, address: str
) -> None:
    why = Reach().why_not(connector, "mx.evil.example", address, 25, smart=smart)
    assert why
    assert why.startswith("next-hop-not-allowed: mx.evil.example has ")
    assert address not in why, "what only our DNS knows is not told"


@pytest.mark.parametrize("address", INTERNAL)
def test_the_operators_own_smart_hosts_and_what_the_operator_allowed_are_dialled(address: str) -> None:
    assert Reach().why_not(OF_SERVER, "hub", address, 2525, smart=True) is None
    assert Reach().why_not(OF_SERVER, "mx", address, 25, smart=False) is None
    assert Reach().why_not(GUARDED, "hub", address, 2525, smart=True) is None
    assert Reach().why_not(ALLOWED, "hub", address, 2525, smart=True) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_for_everybody(address: str) -> None:
    for connector in (OF_TENANT, OF_SERVER):
        assert Reach().why_not(connector, "mx", address, 25, smart=False) is None


def test_a_network_that_the_operator_allows_is_dialled_in_every_disguise() -> None:
    reach = Reach(allowed=(ip_network("10.0.0.0/8"),))
    for address in ("10.0.0.5", "::ffff:10.0.0.5", "64:ff9b::a00:5"):
        assert reach.why_not(OF_TENANT, "mx", address, 25, smart=True) is None
    assert reach.why_not(OF_TENANT, "mx", "127.0.0.1", 25, smart=True)


def test_the_relays_own_networks_and_addresses_are_internal() -> None:
    reach = Reach(internal=(ip_network("8.8.8.0/24"),), is_own=lambda address: address == "9.9.9.9")
    assert "own network" in (reach.kind_of("8.8.8.8") or "")
    assert "own network" in (reach.kind_of("::ffff:8.8.8.8") or "")
    assert "own address" in (reach.kind_of("9.9.9.9") or "")
    assert reach.kind_of("1.1.1.1") is None


@pytest.mark.parametrize(("port", "allowed"), [(25, True), (587, True), (465, False), (22, False), (2525, False)])
def test_a_tenants_smart_host_has_the_ports_of_smtp(port: int, allowed: bool) -> None:
    why = Reach().why_not(OF_TENANT, "hub", "8.8.8.8", port, smart=True)
    assert (why is None) is allowed
    assert needs_allowance(SmartHost(host="hub.example", port=port)) is not allowed
    if port == 465:
        assert why is not None
        assert "implicit TLS" in why
