"""What a sentence or a line says, by name: `sentences.toml` holds the words, the rules only ask.

What flows: a text and the name of what it may say; whether it does. Law: what is looked for is data, so that a rule
reads without a pattern, and whoever adds a way to say something changes no code.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from gatepost.doctor.evidence import EvidenceBundle, ProseFact


def speaks_of(text: str, name: str) -> re.Match[str] | None:
    """Where `text` says it; names are `<table>.<key>` of sentences.toml."""
    return _pattern(name).search(text)


def sentence(bundle: EvidenceBundle, name: str) -> ProseFact | None:
    """The first sentence of a person that says it."""
    return next((each for each in bundle.prose if speaks_of(each.quote, name)), None)


def every(text: str, name: str) -> Iterator[re.Match[str]]:
    """Each place where it says it."""
    return _pattern(name).finditer(text)


def all_of(text: str, name: str) -> list[str]:
    """What stands in those places."""
    return [each[0] for each in every(text, name)]


def parts_of(text: str, name: str) -> list[str]:
    """What stands between them."""
    return _pattern(name).split(text)


@cache
def patterns() -> dict[str, str]:
    """Every pattern by its name."""
    document = tomllib.loads((files("gatepost.doctor") / "sentences.toml").read_text("utf-8"))
    return {f"{table}.{key}": pattern for table, keys in document.items() for key, pattern in keys.items()}


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(patterns()[name], re.IGNORECASE)
