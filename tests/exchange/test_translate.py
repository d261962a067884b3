"""Connectors of Exchange Online in our words, read as strictly as the caller needs, and what has no equal."""

import pytest

from gatepost.exchange.cmdlet_output import property_of
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.source import Source
from gatepost.exchange.translate import (
    CutShort,
    connector_of,
    inbound_properties,
    inbound_without_equal,
    read_inbound,
)
from gatepost.tenancy.tenant import ConnectorType
from gatepost.tenancy.tenant import InboundConnector as InboundHere

HERE = Source("inbound.txt", 1)


def exported(**properties: str) -> InboundConnector:
    return InboundConnector(
        source=HERE, properties=tuple(property_of(name, value, HERE) for name, value in properties.items())
    )


def test_one_reader_serves_the_import_and_attribution() -> None:
    there = exported(
        Name="HQ",
        ConnectorType="Partner",
        TlsSenderCertificateName=" *.Contoso.com ",
        SenderIPAddresses="{192.0.2.9/24, nonsense}",
        SenderDomains="{smtp:*.fabrikam.com;1, smtp:*;1}",
        RequireTls="True",
    )
    read = read_inbound(there, strict=True)
    assert (read.type, read.certificate_name) == (ConnectorType.PARTNER, "*.Contoso.com")
    assert read.addresses == ("192.0.2.0/24", "nonsense") and read.sender_domains == ("*.fabrikam.com", "*")
    assert read.require_tls is True and read.restrict_to_address is None and read.enabled
    ours = connector_of(there, "contoso", "HQ")
    assert ours.certificate_names == ("*.contoso.com",) and [str(each) for each in ours.addresses] == ["192.0.2.0/24"]
    assert ours.sender_domains == ("*.fabrikam.com", "*") and ours.require_tls and not ours.restrict_to_address


def test_only_a_strict_caller_refuses_what_was_cut_short() -> None:
    cut = exported(Name="HQ", SenderIPAddresses="{192.0.2.9, 192.0.2...}")
    with pytest.raises(CutShort, match=r"inbound\.txt:1: SenderIPAddresses of 'HQ' is cut short"):
        read_inbound(cut, strict=True)
    assert read_inbound(cut, strict=False).addresses[0] == "192.0.2.9/32"


@pytest.mark.parametrize(("kind", "strict"), [("OnPremises", False), ("Partner", True)])
def test_sender_domains_are_needed_whole_where_they_decide(kind: str, strict: bool) -> None:
    cut = exported(Name="HQ", ConnectorType=kind, SenderDomains="{smtp:*;1, smtp:fab...}")
    if strict:
        with pytest.raises(CutShort, match="SenderDomains"):
            read_inbound(cut, strict=True)
    else:
        assert read_inbound(cut, strict=True).sender_domains


def test_a_comment_is_carried_in_one_line_or_named() -> None:
    read = read_inbound(exported(Name="HQ", Comment="the hub\r\n in Hamburg"), strict=True)
    assert read.comment == "the hub in Hamburg"
    ours = InboundHere(tenant="contoso", name="HQ", comment="the hub in Hamburg")
    assert inbound_properties(ours)["Comment"] == "the hub in Hamburg"
    long = exported(Name="HQ", Comment="x" * 2000)
    assert read_inbound(long, strict=True).comment is None
    assert [each.property for each in inbound_without_equal([long])] == ["Comment"]


def test_what_has_no_equal_is_named_with_the_reason() -> None:
    lost = list(inbound_without_equal([exported(Name="HQ", EFSkipIPs="{192.0.2.1}", Novel="On", Comment="")]))
    assert [(each.property, each.value) for each in lost] == [("EFSkipIPs", "192.0.2.1"), ("Novel", "On")]
    assert "enhanced filtering" in lost[0].why and "does not know" in lost[1].why
