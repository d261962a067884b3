"""Evidence taken away, a file or a line at a time: what is left may make the doctor less sure, never wrongly sure."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.doctor.causes import all_causes
from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.reading import Collection, read_octets
from soak import some

BUNDLES = sorted(each for each in (Path(__file__).parent / "bundles").iterdir() if each.is_dir())
LINES = 1
"""Of each file; all of them in `make soak`."""


def kin_of(causes: set[str]) -> set[str]:
    """The causes that the rules made for `causes` cover as well."""
    return {cause for rule in all_causes().values() if causes & set(rule.catalogue[:1]) for cause in rule.catalogue}


def with_less(files: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """What was taken away, and the evidence without it."""
    for name, content in files.items():
        if len(files) > 1:
            yield name, {key: value for key, value in files.items() if key != name}
        lines = content.split(b"\n")
        for at in some([at for at, line in enumerate(lines) if line.strip()], LINES, seed=content):
            yield f"{name}:{at + 1}", {**files, name: b"\n".join(lines[:at] + lines[at + 1 :])}


@pytest.mark.soak
@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_with_less_evidence_nothing_is_wrongly_certain(folder: Path) -> None:
    """`with_less` in a bundle's expectation names causes that what is left then proves."""
    expected = tomllib.loads((folder / "expect.toml").read_text("utf-8"))
    right = {expected["first"], *expected.get("accept", ())}
    certain = kin_of(right) | right if expected.get("confidence_at_most", "high") == "high" else set()
    certain |= set(expected.get("with_less", ()))
    files = {each.name: each.read_bytes() for each in sorted(folder.iterdir()) if each.name != "expect.toml"}
    wrong = []
    for taken, rest in with_less(files):
        collection = Collection()
        for name, content in rest.items():
            read_octets(name, content, collection)
        for first in diagnose(collection.bundle()).findings[:1]:
            if first.confidence == "high" and not certain & set(first.catalogue):
                wrong.append((taken, first.rule))
    assert wrong == []
