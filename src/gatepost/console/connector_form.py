"""An inbound connector as a form: each field that an administrator sets, as text, and back as the changes to make.

    the stored connector, what is proposed ─▶ values ─▶ the form ─▶ values ─▶ Changes ─▶ the use case that saves

Law: the form holds every field, so what it sends is the whole connector; `mark` says which one it was made from.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from gatepost.admin.directory.changes import Written
from gatepost.console.rendering import label_of
from gatepost.tenancy.definitions import INBOUND_CONNECTOR
from gatepost.tenancy.fields import Field, Record, Way
from gatepost.tenancy.record import inbound_connector_record
from gatepost.tenancy.tenant import ConnectorType, InboundConnector

_FIELDS: Final = [each for each in INBOUND_CONNECTOR.values() if each.option and not (each.is_key or each.is_found)]
_WHOLE_TEXTS: Final = frozenset({"trust_anchors"})
"""Lists whose entries have lines of their own."""
_RARE: Final = frozenset(
    {
        "certificate_sha256",
        "public_key_sha256",
        "sender_domains",
        "require_tls",
        "restrict_to_certificate",
        "restrict_to_address",
        "trust_anchors",
    }
)

Values = Mapping[str, str]
"""By field; a list has a line for each entry, a flag is `on` or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One field as the page shows it."""

    name: str
    label: str
    help: str
    kind: str
    """`lines`, `flag`, `choice`, `text`"""
    value: str
    choices: Sequence[str] = ()
    is_rare: bool = False


def values_of(connector: InboundConnector | None, tenant: str) -> dict[str, str]:
    record = inbound_connector_record(connector or InboundConnector(tenant=tenant, name=""))
    return {**{each.name: _text(each, record[each.name]) for each in _FIELDS}, "enabled": _flag(record["enabled"])}


def values_from(form: Values) -> dict[str, str]:
    """What was sent; a box that is not ticked is not sent."""
    return {name: form.get(name, "").replace("\r\n", "\n").strip() for name in (*(f.name for f in _FIELDS), "enabled")}


def with_added(values: Values, added: Mapping[str, Sequence[str]]) -> dict[str, str]:
    lists = {each.name for each in _FIELDS if each.form.way is Way.TEXTS}
    more = {
        name: "\n".join(dict.fromkeys([*values[name].splitlines(), *entries]))
        for name, entries in added.items()
        if name in lists
    }
    return {**values, **more}


def changes_from(values: Values) -> dict[str, Written]:
    return {each.name: _written(each, values[each.name]) for each in _FIELDS}


def controls(values: Values) -> list[Control]:
    return [
        Control(
            name=each.name,
            label=label_of(each),
            help=each.help,
            kind=_kind(each),
            value=values[each.name],
            choices=[*ConnectorType] if each.name == "type" else (),
            is_rare=each.name in _RARE,
        )
        for each in _FIELDS
    ]


def mark(connector: InboundConnector | None) -> str:
    """Empty: there is none."""
    if connector is None:
        return ""
    return sha256(json.dumps(inbound_connector_record(connector), sort_keys=True).encode()).hexdigest()[:32]


def differences(before: Record | None, after: Record | None) -> list[tuple[str, str, str]]:
    """Label, before, after: of what differs."""
    old, new = before or {}, after or {}
    names = [each for each in (*INBOUND_CONNECTOR, "name") if each not in ("tenant", "proven_pins")]
    return [
        (label_of(INBOUND_CONNECTOR[name]), _shown(old.get(name)), _shown(new.get(name)))
        for name in dict.fromkeys(names)
        if _shown(old.get(name)) != _shown(new.get(name))
    ]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _kind(field: Field) -> str:
    if field.name == "type":
        return "choice"
    return {Way.TEXTS: "lines", Way.FLAG: "flag"}.get(field.form.way, "text")


def _text(field: Field, value: Any) -> str:
    if field.form.way is Way.TEXTS:
        return "\n".join(map(str, value))
    return _flag(value) if field.form.way is Way.FLAG else str(value or "")


def _flag(value: object) -> str:
    return "on" if value else ""


def _written(field: Field, text: str) -> Written:
    if field.form.way is Way.FLAG:
        return text == "on"
    if field.form.way is not Way.TEXTS:
        return text
    if field.name in _WHOLE_TEXTS:
        return [text] if text else []
    return text.replace(",", " ").split()
