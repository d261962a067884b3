"""An object is known by its properties; what an export lost of a value stays known."""

import pytest

from gatepost.exchange.cmdlet_output import kind_of, object_from, property_from, property_of
from gatepost.exchange.objects import InboundConnector, ReceiveConnector
from gatepost.exchange.source import Source

HERE = Source("export.txt", 3)


@pytest.mark.parametrize(
    ("names", "hint", "kind"),
    [
        (("Name", "SenderIPAddresses"), "", "inbound"),
        (("Name", "SmartHosts", "UseMXRecord"), "", "outbound"),
        (("Name", "AddressSpaces", "SmartHosts"), "", "send"),
        (("Name", "Enabled"), "Get-InboundConnector", ""),
        (("Name", "Enabled"), "InboundConnector", "inbound"),
        (("DomainName", "DomainType"), "", "domain"),
        (("Anything",), "", ""),
    ],
)
def test_the_kind_is_told_by_the_properties(names: tuple[str, ...], hint: str, kind: str) -> None:
    assert kind_of(names, hint) == kind


def test_a_list_that_was_cut_is_known_to_be_cut() -> None:
    cut = property_of("SenderIPAddresses", "{198.51.100.7, 203.0.113.0/24, 203.0...}", HERE)
    assert cut.truncated and cut.values[:2] == ("198.51.100.7", "203.0.113.0/24")
    lost = property_of("SenderIPAddresses", "Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]", HERE)
    assert lost.type_name_only and lost.values == ()


def test_a_list_of_json_is_whole() -> None:
    whole = property_from("SenderIPAddresses", ["198.51.100.7", "203.0.113.0/24"], HERE)
    assert whole.values == ("198.51.100.7", "203.0.113.0/24") and not whole.truncated


def test_properties_become_the_object_they_are_of() -> None:
    inbound = object_from((property_of("Name", "HQ", HERE), property_of("SenderIPAddresses", "{}", HERE)), HERE)
    assert inbound is not None and isinstance(inbound[1], InboundConnector) and inbound[1].name == "HQ"
    identity = property_of("Identity", "EX1\\Default Frontend EX1", HERE)
    receive = object_from((identity, property_of("TlsCertificateName", "", HERE)), HERE, hint="SendConnector")
    assert receive is not None and isinstance(receive[1], ReceiveConnector)
    assert object_from((property_of("Colour", "blue", HERE),), HERE) is None
