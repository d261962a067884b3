"""Sentences and lines say what a table names, and every name that a rule asks for is in the table."""

import ast
import re
from pathlib import Path

import pytest

from gatepost.doctor import rules
from gatepost.doctor.reading import read_text
from gatepost.doctor.sentences import all_of, every, parts_of, patterns, sentence, speaks_of

RULES = [ast.parse(each.read_text("utf-8")) for each in Path(rules.__file__).parent.glob("*.py")]
NAME = re.compile(r"[a-z0-9-]{3,60}\.[a-z0-9-]{1,40}")


def asked() -> set[str]:
    """Every text in a rule that has the form of a name, where its table is there."""
    tables = {name.partition(".")[0] for name in patterns()}
    texts = (each.value for tree in RULES for each in ast.walk(tree) if isinstance(each, ast.Constant))
    return {
        each for each in texts if isinstance(each, str) and NAME.fullmatch(each) and each.partition(".")[0] in tables
    }


def test_every_name_is_in_the_table_and_every_entry_is_asked_for():
    assert asked() == set(patterns())


def test_no_rule_holds_a_regular_expression():
    imported = {
        alias.name for tree in RULES for each in ast.walk(tree) if isinstance(each, ast.Import) for alias in each.names
    }
    assert "re" not in imported


@pytest.mark.parametrize(
    ("text", "says"),
    [("We sit behind an F5 VIP", True), ("we sit behind an f5 vip", True), ("We sit behind nothing", False)],
)
def test_a_sentence_is_found_without_regard_to_case(text, says):
    assert bool(speaks_of(text, "load-balancer-on-the-way.said")) is says


def test_the_first_sentence_of_a_person_is_given():
    bundle = read_text("All is well. Our load balancer takes it. The load balancer is new.", "mail.txt")
    found = sentence(bundle, "load-balancer-on-the-way.said")
    assert found is None or "takes it" in found.quote
    assert sentence(read_text("All is well.", "mail.txt"), "load-balancer-on-the-way.said") is None


def test_all_places_and_what_stands_between():
    text = "10.0.0.1 and 10.0.0.2"
    assert all_of(text, "address-identity.address") == ["10.0.0.1", "10.0.0.2"]
    assert [each.start() for each in every(text, "address-identity.address")] == [0, 13]
    assert parts_of("a and b", "connector-object.clause-ends") == ["a ", " b"]
