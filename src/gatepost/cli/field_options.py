"""What a command takes and shows of an object's fields, made from the object's definition (`tenancy.definitions`)."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from gatepost.admin.directory.changes import ListEdit, Written
from gatepost.cli.editing import exit_on_refusal, given, yes_or_no
from gatepost.errors import BadRequest
from gatepost.tenancy.fields import Field, Fields, Way

_Texts = Sequence[str] | None
_Read = Callable[[_Texts], _Texts]
_Command = Callable[..., None]

_KINDS: dict[Way, Any] = {
    Way.TEXT: str | None,
    Way.TEXTS: list[str] | None,
    Way.ON_OFF: str | None,
    Way.FLAG: bool | None,
}


def takes_fields(
    definition: Fields, *, edits_lists: bool = False, read: Mapping[str, _Read] | None = None
) -> Callable[[_Command], _Command]:
    """The command takes an option for each field that can be set, where its parameter `changes` stands; there it gets
    what was given. `edits_lists`: with `--add-…` and `--remove-…`. `read`: what becomes of the texts of a list."""
    fields = [each for each in definition.values() if each.option and not (each.is_key or each.is_found)]

    def decorate(command: _Command) -> _Command:
        options = {option.name: option for each in fields for option in _options(each, edits_lists)}
        parameters: dict[str, Parameter] = {}
        for name, parameter in signature(command, eval_str=True).parameters.items():
            parameters |= options if name == "changes" else {name: parameter}

        @wraps(command)
        def taking_fields(**arguments: Any) -> None:
            said = {name: arguments.pop(name) for name in options}
            with exit_on_refusal():
                changes = {each.name: _written(each, said, (read or {}).get(each.name, given)) for each in fields}
            command(**arguments, changes=changes)

        # What typer looks at.
        taking_fields.__annotations__ = {name: each.annotation for name, each in parameters.items()}
        taking_fields.__signature__ = signature(command).replace(  # type: ignore[attr-defined]
            parameters=[each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters.values()]
        )
        return taking_fields

    return decorate


def _options(field: Field, edits_lists: bool) -> list[Parameter]:
    options = [_option(field, "", field.help)]
    if edits_lists and field.form.way is Way.TEXTS:
        options.append(_option(field, "add-", "Add to the list; repeatable."))
        options.append(_option(field, "remove-", "Remove from the list; repeatable."))
    return options


def _option(field: Field, before: str, help: str) -> Parameter:
    flag = f"--{before}{field.option}"
    written = f"{flag}/--no-{field.option}" if field.form.way is Way.FLAG else flag
    option = typer.Option(written, metavar=field.metavar or None, help=help)
    annotation: Any = Annotated[_KINDS[field.form.way], option]
    return Parameter(_name(f"{before}{field.option}"), Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _name(option: str) -> str:
    return option.replace("-", "_")


def _written(field: Field, said: Mapping[str, Any], read: _Read) -> Written:
    values = said[_name(field.option)]
    if field.form.way is not Way.TEXTS:
        written: Written = values
        return written
    add, remove = said.get(_name(f"add-{field.option}")), said.get(_name(f"remove-{field.option}"))
    if not add and not remove:
        return read(values)
    if values:
        raise BadRequest(
            *(field, " replaces the list: leave it out, or leave "),
            f"--add-{field.option} and --remove-{field.option} out",
        )
    return ListEdit(add=read(add) or (), remove=read(remove) or ())


def facts_of(object_: object, definition: Fields, shown: Mapping[str, Callable[[Any], str]]) -> list[tuple[str, str]]:
    """A line for each field that says something, in its own way (`shown`) or in that of its form."""
    facts = [
        (each.label, shown[each.name](object_) if each.name in shown else _plain(getattr(object_, each.name)))
        for each in definition.values()
        if each.label
    ]
    return [(label, value) for label, value in facts if value]


def _plain(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return yes_or_no(value)
        case tuple():
            return ", ".join(map(str, value))
    return str(value)
