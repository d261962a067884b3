"""A connector as a form and back: every field that an administrator sets."""

from ipaddress import ip_network

from gatepost.admin.directory.inbound_connectors import apply_changes
from gatepost.console.connector_form import (
    changes_from,
    controls,
    differences,
    mark,
    values_from,
    values_of,
    with_added,
)
from gatepost.tenancy.definitions import INBOUND_CONNECTOR
from gatepost.tenancy.record import inbound_connector_record
from gatepost.tenancy.tenant import ConnectorType, InboundConnector

MAIL = InboundConnector(
    tenant="contoso",
    name="mail",
    certificate_names=("mail.contoso.com", "*.contoso.net"),
    certificate_sha256=("ab" * 32,),
    addresses=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/48")),
    require_tls=True,
    comment="<the> server",
)
PARTNER = InboundConnector(
    tenant="contoso",
    name="bank",
    type=ConnectorType.PARTNER,
    sender_domains=("bank.example",),
    addresses=(ip_network("192.0.2.1"),),
    restrict_to_address=True,
)


def test_a_form_that_nobody_touched_changes_nothing() -> None:
    for connector in (MAIL, PARTNER):
        values = values_of(connector, "contoso")
        assert apply_changes(InboundConnector(tenant="contoso", name=connector.name), changes_from(values)) == connector
        sent = {name: value.replace("\n", "\r\n") for name, value in values.items() if value}
        assert values_from(sent) == values


def test_every_field_that_can_be_set_is_on_the_form() -> None:
    shown = {each.name for each in controls(values_of(None, "contoso"))} | {"enabled"}
    found = {each.name for each in INBOUND_CONNECTOR.values() if not each.is_key and not each.is_found}
    assert shown == found


def test_lists_may_be_written_in_any_way_and_what_is_proposed_joins_them() -> None:
    values = with_added(values_of(MAIL, "contoso"), {"addresses": ["192.0.2.9", "192.0.2.0/24"], "nonsense": ["x"]})
    assert values["addresses"].splitlines() == ["192.0.2.0/24", "2001:db8::/48", "192.0.2.9"]
    assert changes_from({**values, "addresses": "192.0.2.1, 192.0.2.2\n192.0.2.3"})["addresses"] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]
    assert changes_from({**values, "trust_anchors": "-----BEGIN A\nB"})["trust_anchors"] == ["-----BEGIN A\nB"]


def test_a_mark_is_of_one_state() -> None:
    assert mark(None) == ""
    assert mark(MAIL) != mark(PARTNER) and mark(MAIL) == mark(MAIL)


def test_what_differs_is_said_by_label() -> None:
    before, after = inbound_connector_record(MAIL), inbound_connector_record(PARTNER)
    shown = {label: (old, new) for label, old, new in differences(before, after)}
    assert shown["Requires TLS"] == ("yes", "no")
    assert shown["Addresses"] == ("192.0.2.0/24\n2001:db8::/48", "192.0.2.1/32")
    assert differences(before, before) == []
    assert ("Name", "", "mail") in differences(None, before)
