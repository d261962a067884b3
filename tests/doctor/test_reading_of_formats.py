"""Formats as data: `readings.toml` holds small files as tools print them, and what must be read from each.

Of every expected fact some fact of the bundle has all the values named; `no` names kinds of which nothing may be read;
`understood = true` says that no place of the file may be left as not understood.
"""

import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import Collection, read_octets

READINGS = tomllib.loads((Path(__file__).parent / "readings.toml").read_text("utf-8"))["reading"]


def read(text: str, name: str) -> EvidenceBundle:
    collection = Collection()
    read_octets(name, dedent(text).encode(), collection)
    return collection.bundle()


def told(fact: object, path: str) -> object:
    """`subject.common_name`, `at.text`: a value, however deep."""
    for part in path.split("."):
        fact = getattr(fact, part, None)
    return list(fact) if isinstance(fact, tuple) and not hasattr(fact, "_fields") else fact


@pytest.mark.parametrize("reading", READINGS, ids=lambda each: each["form"])
def test_a_format_is_read_for_what_it_tells(reading):
    bundle = read(reading["text"], reading.get("file", "x.txt"))
    for wanted in reading.get("facts", ()):
        kind = wanted["in"]
        values = {key: value for key, value in wanted.items() if key != "in"}
        found = [{key: told(each, key) for key in values} for each in getattr(bundle, kind)]
        assert values in found, f"{kind}: {found}"
    for kind in reading.get("no", ()):
        assert not getattr(bundle, kind), kind
    if reading.get("understood"):
        assert not bundle.unread


def test_every_form_is_told_apart():
    assert len({each["form"] for each in READINGS}) == len(READINGS)
