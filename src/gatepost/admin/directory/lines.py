"""The directory as JSON Lines: one object a line, `{"kind": "tenant", …}`, with the fields of `tenancy.record`.

A line says what the object is. What it leaves out has its default, except what Gatepost finds out or makes by itself
(`KEPT`): that stays as it is stored. Here a line is read as far as it can be without knowing the directory.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from gatepost.admin.refusal import BadRequest
from gatepost.tenancy.record import (
    Record,
    domain_record,
    inbound_connector_record,
    send_connector_record,
    tenant_record,
)
from gatepost.tenancy.tenant import LIMIT_NAMES, AcceptedDomain, InboundConnector, SendConnector, Tenant


class Kind(StrEnum):
    TENANT = "tenant"
    DOMAIN = "domain"
    INBOUND_CONNECTOR = "inbound-connector"
    SEND_CONNECTOR = "send-connector"


KEPT = frozenset(
    {
        "created_at",
        "token",
        "verified",
        "verified_at",
        "verified_by_operator",
        "checked_at",
        "lost_at",
        "claimed_at",
        "proven_pins",
    }
)
"""Fields that stay as they are stored when a line leaves them out."""


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
    return {name: value for name, value in record.items() if value not in ([], False)} | {"enabled": record["enabled"]}


def read_line(number: int, octets: bytes) -> Line:
    """Raises `BadRequest`."""
    try:
        record = json.loads(octets.decode("utf-8"))
    except ValueError as error:
        raise BadRequest(f"this is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise BadRequest('a JSON object is wanted, such as {"kind":"tenant","name":"contoso"}')
    kind = _kind(record.pop("kind", None))
    known = _FIELDS[kind]
    for name, value in record.items():
        field = known.get(name)
        if field is None:
            raise BadRequest(_unknown(kind, name))
        if not field.fits(value):
            raise BadRequest(f"'{name}' wants {field.wants}, not {json.dumps(value)[:40]}")
    for name in _NEEDED[kind]:
        if not record.get(name):
            raise BadRequest(f"'{name}' is missing: a {kind} has one")
    return Line(number=number, kind=kind, said=record, key=tuple(record[name].lower() for name in _KEY[kind]))


def _kind(said: object) -> Kind:
    try:
        return Kind(said)  # type: ignore[arg-type]
    except ValueError:
        raise BadRequest(f"'kind' is {json.dumps(said)[:40]}; one of {', '.join(Kind)} is wanted") from None


def _unknown(kind: Kind, name: str) -> str:
    near = get_close_matches(name, _FIELDS[kind], n=1)
    return f"a {kind} has no '{name}'; " + (
        f"did you mean '{near[0]}'?" if near else f"it has {', '.join(_FIELDS[kind])}"
    )


# --- what a field may be ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    wants: str
    fits: Callable[[Any], bool]


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_limits(value: object) -> bool:
    return isinstance(value, dict) and all(
        name in LIMIT_NAMES and type(limit) is int and limit >= 0 for name, limit in value.items()
    )


def _has(**types: type) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        return isinstance(value, list) and all(
            isinstance(each, dict)
            and each.keys() == types.keys()
            and all(type(each[name]) is wanted for name, wanted in types.items())
            for each in value
        )

    return fits


_TEXT = _Field("a text", _is_text)
_TEXTS = _Field("a list of texts", _is_texts)
_FLAG = _Field("true or false", lambda value: isinstance(value, bool))
_FLAG_OR_NONE = _Field("true, false or null", lambda value: value is None or isinstance(value, bool))
_TEXT_OR_NONE = _Field("a text or null", lambda value: value is None or _is_text(value))
_TIME = _Field("a time such as 2026-01-02T03:04:05Z", _is_time)
_TIME_OR_NONE = _Field(f"{_TIME.wants}, or null", lambda value: value is None or _is_time(value))
_SPACES = _Field('a list such as [{"space":"*","cost":1}]', _has(space=str, cost=int))
_HOSTS = _Field('a list such as [{"host":"mx.contoso.com","port":25}]', _has(host=str, port=int))

_LIMITS = _Field(f'limits such as {{"messages_per_minute":60}}, known: {", ".join(LIMIT_NAMES)}', _is_limits)

_FIELDS: dict[Kind, dict[str, _Field]] = {
    Kind.TENANT: {
        "name": _TEXT,
        "created_at": _TIME,
        "reject_direct_send": _FLAG,
        "contact": _TEXT_OR_NONE,
        "limits": _LIMITS,
    },
    Kind.DOMAIN: {
        "domain": _TEXT,
        "tenant": _TEXT,
        "token": _TEXT,
        "verified": _FLAG,
        "match_subdomains": _FLAG,
        "verified_at": _TIME_OR_NONE,
        "verified_by_operator": _FLAG,
        "checked_at": _TIME_OR_NONE,
        "lost_at": _TIME_OR_NONE,
        "claimed_at": _TIME_OR_NONE,
    },
    Kind.INBOUND_CONNECTOR: {
        "tenant": _TEXT,
        "name": _TEXT,
        "type": _TEXT,
        "certificate_names": _TEXTS,
        "certificate_sha256": _TEXTS,
        "public_key_sha256": _TEXTS,
        "proven_pins": _TEXTS,
        "addresses": _TEXTS,
        "sender_domains": _TEXTS,
        "require_tls": _FLAG,
        "restrict_to_certificate": _FLAG,
        "restrict_to_address": _FLAG,
        "trust_anchors": _TEXTS,
        "enabled": _FLAG,
    },
    Kind.SEND_CONNECTOR: {
        "name": _TEXT,
        "tenant": _TEXT_OR_NONE,
        "address_spaces": _SPACES,
        "smart_hosts": _HOSTS,
        "certificate": _TEXT_OR_NONE,
        "key": _TEXT_OR_NONE,
        "tls": _TEXT,
        "tls_domain": _TEXT_OR_NONE,
        "fqdn": _TEXT_OR_NONE,
        "protocol_log": _FLAG,
        "allow_internal": _FLAG_OR_NONE,
        "enabled": _FLAG,
    },
}

_NEEDED = {
    Kind.TENANT: ("name",),
    Kind.DOMAIN: ("domain", "tenant"),
    Kind.INBOUND_CONNECTOR: ("tenant", "name"),
    Kind.SEND_CONNECTOR: ("name", "address_spaces"),
}

_KEY = {**_NEEDED, Kind.SEND_CONNECTOR: ("name",)}
