"""Options that belong together, as one parameter of a command."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from gatepost.cli.option_groups import grouped


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    host: Annotated[str, typer.Option(metavar="HOST", help="Where.")]
    port: Annotated[int, typer.Option(help="Which.")] = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Far(Near):
    name: Annotated[list[str] | None, typer.Option("--name", help="Repeatable.")] = None


def run(*arguments: str) -> tuple[int, str]:
    application = typer.Typer(add_completion=False, rich_markup_mode=None)

    @application.command(help="What it does.")
    @grouped
    def command(what: Annotated[str, typer.Argument()], options: Far, json: bool = False) -> None:
        typer.echo(f"{what} {options.host}:{options.port} {options.name} {json}")

    done = CliRunner().invoke(application, arguments)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("x", "--host", "h"), "x h:25 None False\n"),
        (("--json", "--name", "a", "--host", "h", "--port", "26", "--name", "b", "x"), "x h:26 ['a', 'b'] True\n"),
    ],
)
def test_a_group_is_filled_from_options_of_its_fields(arguments: tuple[str, ...], expected: str) -> None:
    assert run(*arguments) == (0, expected)


def test_a_field_without_a_default_is_an_option_that_must_be_given() -> None:
    exit_code, output = run("x")
    assert exit_code == 2 and "--host" in output


def test_help_lists_the_options_of_a_group_in_the_order_of_its_fields() -> None:
    _, output = run("--help")
    places = [output.index(each) for each in ("What it does.", "--host HOST", "--port", "--name", "--json")]
    assert places == sorted(places)
