"""What people say in languages other than English, from `phrases.toml`, which anybody can extend.

What flows through: a word with `*` at its end becomes a pattern; words and what they are near become one pattern for a
topic; the words themselves tell nothing about anybody, so redaction keeps them.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import get_args

from gatepost.doctor.evidence import Topic

_ENDING = r"\w{0,6}"
_LONGEST_ENDING = 6
_SHORTEST_STEM = 5
"""A shorter one would keep words that somebody may have invented."""
_WITHOUT_BLANKS = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
"""Letters of languages that write no blank between words: a word ends anywhere."""
_BETWEEN = r"[^.!?\u3002]{0,60}?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    patterns: tuple[tuple[Topic, str], ...]
    """Regular expressions, to be tried without regard to case from the beginning of a word."""
    negations: tuple[str, ...]
    words: frozenset[str]
    stems: tuple[str, ...]

    def hold(self, word: str) -> bool:
        """Whether that word, lower-case, is one of ours, with any ending that we read."""
        return word in self.words or any(
            word.startswith(stem) and len(word) - len(stem) <= _LONGEST_ENDING for stem in self.stems
        )


@cache
def phrases() -> Phrases:
    document = tomllib.loads((files("gatepost.doctor") / "phrases.toml").read_text("utf-8"))
    written = [word for each in document["phrase"] for word in (*each["words"], *each.get("near", ()))]
    single = [part for word in (*written, *document["not"]) for part in re.split(r"[\s'-]+", word)]
    return Phrases(
        patterns=tuple(
            (_topic(each["topic"]), _pattern(each["words"], each.get("near"))) for each in document["phrase"]
        ),
        negations=tuple(document["not"]),
        words=frozenset(word for word in single if not word.endswith("*")),
        stems=tuple({word[:-1] for word in single if word.endswith("*") and len(word) > _SHORTEST_STEM}),
    )


def _topic(name: str) -> Topic:
    for topic in get_args(Topic):
        if topic == name:
            return topic  # type: ignore[no-any-return]
    raise ValueError(f"phrases.toml: there is no topic {name!r}; the topics are in doctor/evidence.py")


def _pattern(words: list[str], near: list[str] | None) -> str:
    one = _any_of(words)
    if near is None:
        return one
    other = _any_of(near)
    return f"{one}{_BETWEEN}{other}|{other}{_BETWEEN}{one}"


def _any_of(words: list[str]) -> str:
    return rf"(?:{'|'.join(map(_spelt, words))})"


def _spelt(word: str) -> str:
    spaced = r"\s\s?".join(map(re.escape, word.removesuffix("*").split()))
    if _WITHOUT_BLANKS.search(word):
        return spaced
    return rf"\b{spaced}{_ENDING if word.endswith('*') else ''}\b"
