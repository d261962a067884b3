"""What a directory object consists of, said once: a table of fields for each kind of object (`definitions`).

    a table ─▶ the object as JSON and back: store, audit, export, what `--json` and the API show
            ─▶ a line of an import, and what the API takes
            ─▶ options of `add` and `set`, lines of `show`
            ─▶ the field's name in a refusal

Law: reading what was written gives an equal object, so that replaying the audit gives the directory.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, TypeVar

from gatepost.errors import Named

Record = dict[str, object]
ReadRecord = Mapping[str, Any]

_T = TypeVar("_T")


class Way(Enum):
    """How an administrator says a value, in an option and in changes."""

    TEXT = auto()
    """One text; an empty one takes the value away."""
    TEXTS = auto()
    """A list: replaced by what is given, or changed by `--add-…` and `--remove-…`."""
    FLAG = auto()
    """`--require-tls`, `--no-require-tls`."""
    ON_OFF = auto()
    """`on` or `off`."""


def _itself(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a kind of value stands in JSON."""

    wants: str
    """For whoever wrote something else."""
    fits: Callable[[Any], bool]
    way: Way = Way.TEXT
    to_json: Callable[[Any], object] | None = None
    from_json: Callable[[Any], Any] | None = None
    """None: as it is."""
    as_said: Callable[[Any], Any] = _itself
    """A JSON value as an administrator would say it; None: nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Named):
    """`name` is the attribute and the JSON key; an empty `option`: no command sets it."""

    form: Form
    option: str = ""
    parse: Callable[[str], Any] = _itself
    """A text as an administrator writes it, one of the list where it is a list. Raises `BadRequest`."""
    metavar: str = ""
    help: str = ""
    label: str = ""
    """In `show`; empty: it is not shown, or shown in a way of its own."""
    is_key: bool = False
    """It tells the object from others, and is never changed."""
    is_found: bool = False
    """Gatepost finds it out or makes it: nobody sets it, and an import that leaves it out leaves it as it is."""
    only_imported: bool = False
    """Set by the operator's import, not through the API."""
    about: str = ""
    """For the API's document."""


class Fields(dict[str, Field]):
    """By name, in the order in which they are shown."""

    def __init__(self, *fields: Field) -> None:
        super().__init__((each.name, each) for each in fields)
        # An import reads a million objects: what is asked of each field is asked once.
        self.writers = [(each.name, each.form.to_json) for each in fields]
        self.readers = [(each.name, each.form.from_json) for each in fields]


def record_of(object_: object, fields: Fields) -> Record:
    record = {}
    for name, write in fields.writers:
        value = getattr(object_, name)
        record[name] = write(value) if write else value
    return record


def object_from(kind: Callable[..., _T], fields: Fields, record: ReadRecord, **more: Any) -> _T:
    """What the record leaves out has its default: the store leaves empty lists out, and old records new fields."""
    said = more
    for name, read in fields.readers:
        if name in record:
            value = record[name]
            said[name] = read(value) if read else value
    return kind(**said)


def default_of(kind: type, field: Field) -> object:
    """In JSON, of what nobody says anything about; a list that must be given is empty."""
    stored = next(each.default for each in dataclass_fields(kind) if each.name == field.name)
    if stored is MISSING:
        return []
    return field.form.to_json(stored) if field.form.to_json else stored


# --- forms of any object ----------------------------------------------------------------------------------------------


def time_text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def time_from(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return type(value) is int


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _or_empty(value: str | None) -> str:
    return value or ""


TEXT = Form(wants="a text", fits=_is_text)
TEXT_OR_NONE = Form(wants="a text or null", fits=_or_none(_is_text), as_said=_or_empty)
TEXTS = Form(wants="a list of texts", fits=_are_texts, way=Way.TEXTS, to_json=list, from_json=tuple)
SET_OF_TEXTS = Form(wants="a list of texts", fits=_are_texts, way=Way.TEXTS, to_json=sorted, from_json=frozenset)
NUMBER_OR_NONE = Form(wants="a number or null", fits=_or_none(_is_number))
FLAG = Form(wants="true or false", fits=_is_flag, way=Way.FLAG)
ON_OFF = Form(wants="true or false", fits=_is_flag, way=Way.ON_OFF)
ON_OFF_OR_NONE = Form(wants="true, false or null", fits=_or_none(_is_flag), way=Way.ON_OFF)
TIME = Form(
    wants="a time such as 2026-01-02T03:04:05Z", fits=_is_time, to_json=time_text, from_json=datetime.fromisoformat
)
TIME_OR_NONE = Form(wants=f"{TIME.wants}, or null", fits=_or_none(_is_time), to_json=time_text, from_json=time_from)
