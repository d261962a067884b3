"""A command takes what a definition says, and hands on what was given of it."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from gatepost.admin.directory.changes import Changes, ListEdit
from gatepost.cli.field_options import facts_of, takes_fields
from gatepost.tenancy.fields import FLAG, ON_OFF, TEXT, TEXT_OR_NONE, TEXTS, Field, Fields

DEFINITION = Fields(
    Field(name="name", form=TEXT, option="name", is_key=True),
    Field(name="colours", form=TEXTS, option="colour", metavar="C", help="One of many.", label="colours"),
    Field(name="note", form=TEXT_OR_NONE, option="note", label="note"),
    Field(name="is_old", form=FLAG, option="old", label="old"),
    Field(name="log", form=ON_OFF, option="log", label="log"),
    Field(name="found_at", form=TEXT, option="found", is_found=True),
)


@dataclass
class Thing:
    name: str = "thing"
    colours: tuple[str, ...] = ()
    note: str | None = None
    is_old: bool = False
    log: bool = True
    found_at: str = ""


def given_to(*words: str, edits_lists: bool = True) -> Changes:
    """What the command gets of a command line."""
    got: list[Changes] = []
    app = typer.Typer()

    @app.command()
    @takes_fields(DEFINITION, edits_lists=edits_lists)
    def command(
        name: Annotated[str, typer.Argument()], changes: Changes, loud: Annotated[bool, typer.Option()] = False
    ) -> None:
        got.append(changes)

    result = CliRunner().invoke(app, ["thing", *words])
    assert result.exit_code == 0, result.output
    return got[0]


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ((), {}),
        (("--colour", "red", "--colour", "blue"), {"colours": ["red", "blue"]}),
        (("--colour", ""), {"colours": []}),
        (("--add-colour", "red", "--remove-colour", "blue"), {"colours": ListEdit(add=["red"], remove=["blue"])}),
        (("--note", ""), {"note": ""}),
        (("--old",), {"is_old": True}),
        (("--no-old", "--loud"), {"is_old": False}),
        (("--log", "off"), {"log": "off"}),
    ],
    ids=str,
)
def test_what_is_not_given_is_not_mentioned(words: tuple[str, ...], changes: Changes) -> None:
    assert {name: each for name, each in given_to(*words).items() if each is not None} == changes


@pytest.mark.parametrize("option", ["--name", "--found"])
def test_what_nobody_sets_is_no_option(option: str) -> None:
    with pytest.raises(AssertionError, match="No such option"):
        given_to(option, "x")


def test_a_list_is_replaced_or_changed_and_not_both() -> None:
    with pytest.raises(AssertionError, match="leave --add-colour and --remove-colour"):
        given_to("--colour", "red", "--add-colour", "blue")
    with pytest.raises(AssertionError, match="No such option"):
        given_to("--add-colour", "blue", edits_lists=False)


def test_what_says_something_is_shown_in_the_way_of_its_form_or_its_own() -> None:
    thing = Thing(colours=("red", "blue"), log=False)
    shown = {"log": lambda each: "on" if each.log else "off"}
    assert facts_of(thing, DEFINITION, shown) == [("colours", "red, blue"), ("old", "no"), ("log", "off")]
