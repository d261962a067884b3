"""How an object changes: each field that is mentioned is read by its definition, and a refusal names the field.

options of a command, a body of the API, a line of an import, an export of Exchange Online ─▶ Changes ─▶ new object
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from gatepost.errors import BadRequest, Named
from gatepost.tenancy.fields import Field, Fields, ReadRecord, Way

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEdit:
    """As it was written: what is added at the end, and what goes."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()


Written = str | bool | Sequence[str] | ListEdit | None
"""None: not mentioned. An empty text takes the value away. A list replaces the stored one, a `ListEdit` changes it."""

Changes = Mapping[str, Written]
"""By the field's name, as an administrator writes it."""

Reader = Callable[[Any, Any], Any]
"""(stored value, what is written) to the new value, where a field's definition alone cannot say."""


def changed(object_: T, definition: Fields, changes: Changes, readers: Mapping[str, Reader] | None = None) -> T:
    """`object_` as the changes would have it. Raises `BadRequest`."""
    values = {
        name: _read(definition[name], getattr(object_, name), written, (readers or {}).get(name))
        for name, written in changes.items()
        if written is not None
    }
    return cast(T, replace(cast(Any, object_), **values))


def changes_from(record: ReadRecord, definition: Fields) -> dict[str, Written]:
    """What a JSON object asks for, of what can be asked for."""
    asked = {
        name: field.form.as_said(record[name])
        for name, field in definition.items()
        if name in record and field.option and not (field.is_key or field.is_found)
    }
    return {name: written for name, written in asked.items() if written is not None}


def _read(field: Field, stored: Any, written: Any, reader: Reader | None) -> Any:
    try:
        if reader:
            return reader(stored, written)
        match field.form.way:
            case Way.TEXTS:
                return edited(stored, written, field.parse, field)
            case Way.FLAG:
                return written
            case Way.ON_OFF:
                return on_or_off(written, field)
            case Way.TEXT:
                return field.parse(written) if written or not field.form.fits(None) else None
    except BadRequest as error:
        raise error.about(field) from None


def on_or_off(written: str | bool, field: Named) -> bool:
    if written not in ("on", "off", True, False):
        raise BadRequest(field, f" {written}: must be on or off")
    return written in ("on", True)


def edited(
    stored: tuple[T, ...], written: Sequence[str] | ListEdit, read: Callable[[str], T], field: Named
) -> tuple[T, ...]:
    """Each once, in the order written."""
    if not isinstance(written, ListEdit):
        return tuple(dict.fromkeys(map(read, written)))
    return with_edit(stored, [read(text) for text in written.add], [read(text) for text in written.remove], field)


def with_edit(stored: tuple[T, ...], add: Sequence[T], remove: Sequence[T], field: Named) -> tuple[T, ...]:
    for each in remove:
        if each not in stored:
            removing = Named(name=field.name, option=f"remove-{field.option}")
            raise BadRequest(
                removing,
                f": {_short(each)} is not in the list",
                next_step=f"it contains: {_listed(stored)}",
                field=field,
            )
    return tuple(dict.fromkeys([*(each for each in stored if each not in remove), *add]))


def _listed(stored: tuple[T, ...]) -> str:
    return ", ".join(map(_short, stored[:10])) + (" and more" if len(stored) > 10 else "") or "nothing"


def _short(each: object) -> str:
    """A trust anchor is many lines."""
    text = str(each)
    return "this certificate" if text.startswith("-----BEGIN") else text
