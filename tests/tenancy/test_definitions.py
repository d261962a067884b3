"""The table of an object's fields and its class say the same, and what is written as JSON reads as an equal object."""

from dataclasses import fields
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from gatepost.errors import BadRequest
from gatepost.tenancy.definitions import DOMAIN, INBOUND_CONNECTOR, SEND_CONNECTOR, TENANT, TOKEN
from gatepost.tenancy.fields import Fields, object_from, record_of
from gatepost.tenancy.notation import LONGEST_COMMENT, comment
from gatepost.tenancy.proof import PROOF, Proof
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    AddressSpace,
    ConnectorType,
    InboundConnector,
    SendConnector,
    SmartHost,
    Tenant,
    TenantLimits,
    TlsLevel,
)
from gatepost.tenancy.token import Scope, Token

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PIN = "ab" * 32

OBJECTS: list[tuple[Fields, object]] = [
    (
        TENANT,
        Tenant(name="contoso", created_at=AT, contact="ops@contoso.com", limits=TenantLimits(domains=3, pins=0)),
    ),
    (DOMAIN, AcceptedDomain(domain="contoso.com", tenant="contoso", token="t", verified=True, verified_at=AT)),
    (
        INBOUND_CONNECTOR,
        InboundConnector(
            tenant="contoso",
            name="mail",
            type=ConnectorType.PARTNER,
            certificate_names=("*.contoso.com",),
            certificate_sha256=(PIN,),
            proven_pins=frozenset({PIN}),
            addresses=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/48")),
            sender_domains=("*",),
            restrict_to_address=True,
            comment="the hub in Hamburg",
            enabled=False,
        ),
    ),
    (
        SEND_CONNECTOR,
        SendConnector(
            name="out",
            tenant="fabrikam",
            address_spaces=(AddressSpace(space="*", cost=5),),
            smart_hosts=(SmartHost(host="2001:db8::25", port=587),),
            tls=TlsLevel.VERIFY,
            allow_internal=True,
            comment="through the provider",
        ),
    ),
    (PROOF, Proof(tenant="contoso", certificate_sha256=PIN, public_key_sha256="", at=AT, session_id="", address="")),
    (TOKEN, Token(id="1", tenant=None, scopes=frozenset(Scope), secret_sha256="", created_at=AT, expires_at=None)),
]
_NOT_SHOWN = {"secret_sha256"}


@pytest.mark.parametrize(("definition", "object_"), OBJECTS, ids=lambda each: type(each).__name__)
def test_a_definition_has_the_fields_of_its_class(definition: Fields, object_: object) -> None:
    assert set(definition) | _NOT_SHOWN == {each.name for each in fields(object_)} | _NOT_SHOWN  # type: ignore[arg-type]


@pytest.mark.parametrize(("definition", "object_"), OBJECTS, ids=lambda each: type(each).__name__)
def test_what_is_written_reads_as_an_equal_object(definition: Fields, object_: object) -> None:
    record = record_of(object_, definition)
    assert all(field.form.fits(record[name]) for name, field in definition.items())
    more = {"secret_sha256": ""} if definition is TOKEN else {}
    assert object_from(type(object_), definition, record, **more) == object_


def test_a_record_of_before_a_field_has_its_default() -> None:
    definition, connector = OBJECTS[2]
    record = {name: value for name, value in record_of(connector, definition).items() if name != "comment"}
    assert object_from(InboundConnector, definition, record).comment is None


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "x" * (LONGEST_COMMENT + 1)])
def test_a_comment_is_one_line_of_a_bounded_length(text: str) -> None:
    with pytest.raises(BadRequest, match="comment"):
        comment(text)
