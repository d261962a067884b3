"""The directory as JSON Lines: one object a line, `{"kind": "tenant", …}`, with the fields of `tenancy.definitions`.

A line says what the object is. What it leaves out has its default, except what Gatepost finds out or makes by itself
(`Field.is_found`): that stays as it is stored. Here a line is read as far as it can be without knowing the directory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from gatepost.errors import BadRequest
from gatepost.tenancy.definitions import DOMAIN, INBOUND_CONNECTOR, SEND_CONNECTOR, TENANT
from gatepost.tenancy.fields import Fields, Record
from gatepost.tenancy.record import domain_record, inbound_connector_record, send_connector_record, tenant_record
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant


class Kind(StrEnum):
    TENANT = "tenant"
    DOMAIN = "domain"
    INBOUND_CONNECTOR = "inbound-connector"
    SEND_CONNECTOR = "send-connector"


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    number: int
    kind: Kind
    said: Mapping[str, Any]
    """The fields of the object, each of its type."""
    key: tuple[str, ...]
    """What tells the object from others of its kind, however its letters are written."""


def line_of(object_: Tenant | AcceptedDomain | InboundConnector | SendConnector) -> str:
    """One line, without its end."""
    match object_:
        case Tenant():
            record = {"kind": Kind.TENANT.value, **tenant_record(object_)}
        case AcceptedDomain():
            record = {"kind": Kind.DOMAIN.value, **domain_record(object_)}
        case InboundConnector():
            record = {"kind": Kind.INBOUND_CONNECTOR.value, **_without_defaults(inbound_connector_record(object_))}
        case SendConnector():
            record = {"kind": Kind.SEND_CONNECTOR.value, **send_connector_record(object_)}
    return _ENCODER.encode(record)


def _without_defaults(record: Record) -> Record:
    """Most of a connector is empty, and there may be a million of them."""
    return {name: value for name, value in record.items() if value not in ([], False, None)} | {
        "enabled": record["enabled"]
    }


class NoObject(BadRequest):
    """The line is no JSON object at all."""


def read_line(number: int, octets: bytes) -> Line:
    """Raises `BadRequest`."""
    try:
        record = json.loads(octets.decode("utf-8"))
    except ValueError as error:
        raise NoObject(f"invalid JSON: {error}") from None
    except RecursionError:
        raise NoObject("too deeply nested: a line is one JSON object with short lists in it") from None
    if not isinstance(record, dict):
        raise NoObject('must be a JSON object, such as {"kind":"tenant","name":"contoso"}')
    kind = _kind(record.pop("kind", None))
    known = _FIELDS[kind]
    for name, value in record.items():
        field = known.get(name)
        if field is None:
            raise _unknown(kind, name)
        if not field.form.fits(value):
            raise BadRequest(f"'{name}' must be {field.form.wants}, not {json.dumps(value)[:40]}", field=field)
    for name in _NEEDED[kind]:
        if not record.get(name):
            raise BadRequest(f"'{name}' is missing: a {kind} has one")
    return Line(number=number, kind=kind, said=record, key=tuple(record[name].lower() for name in _KEY[kind]))


def _kind(said: object) -> Kind:
    try:
        return Kind(said)  # type: ignore[arg-type]
    except ValueError:
        raise BadRequest(f"'kind' is {json.dumps(said)[:40]}, and must be one of {', '.join(Kind)}") from None


def _unknown(kind: Kind, name: str) -> BadRequest:
    near = get_close_matches(name, _FIELDS[kind], n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(_FIELDS[kind])}"
    return BadRequest(f"a {kind} has no '{name}'", next_step=hint)


_FIELDS: dict[Kind, Fields] = {
    Kind.TENANT: TENANT,
    Kind.DOMAIN: DOMAIN,
    Kind.INBOUND_CONNECTOR: INBOUND_CONNECTOR,
    Kind.SEND_CONNECTOR: SEND_CONNECTOR,
}

_NEEDED = {
    Kind.TENANT: ("name",),
    Kind.DOMAIN: ("domain", "tenant"),
    Kind.INBOUND_CONNECTOR: ("tenant", "name"),
    Kind.SEND_CONNECTOR: ("name", "address_spaces"),
}

_KEY = {**_NEEDED, Kind.SEND_CONNECTOR: ("name",)}
