"""What strangers wrote can be read, and can do nothing."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.visible import is_plain, visible, visible_json, visible_lines

# Unicode's Default_Ignorable_Code_Point that are letters or marks, and U+2800: none of them shows anything.
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2800\u3164\ufe0f\uffa0\U000e0100"


def _every_character() -> str:
    return "".join(map(chr, range(sys.maxunicode + 1)))


def test_no_control_format_or_unassigned_character_comes_through() -> None:
    shown = set(visible(_every_character()))
    assert {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"} == set()
    assert shown & set(_FILLERS) == set()


def test_letters_marks_and_signs_of_every_language_stay() -> None:
    kept = [each for each in _every_character() if unicodedata.category(each)[0] in "LNPS" and each not in _FILLERS]
    kept = [each for each in kept if not 0xFE00 <= ord(each) <= 0xFE0F]
    assert visible("".join(kept)) == "".join(kept)
    assert visible("Grüße, 日本語, Ελλάδα") == "Grüße, 日本語, Ελλάδα"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x00\x7f\t\r\n", "␛[2J␀␡␉␍␊"),
        ("\x9b31m\x85\u2028", "\\x9b31m␤␤"),
        ("a\u202eb\u2066\u200b\ufeff", "a\\u202eb\\u2066\\u200b\\ufeff"),
        ("\u3164\U000e0041\ud800", "\\u3164\\U000e0041\\ud800"),
    ],
)
def test_what_is_hidden_is_shown_by_its_number(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()))
def test_made_visible_twice_is_made_visible_once(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert is_plain(visible(text))


@given(st.text(st.characters()))
def test_lines_and_tabs_of_a_longer_text_stay(text: str) -> None:
    shown = visible_lines(f"{text}\n\tb")
    assert shown.endswith("\n\tb")
    assert all(is_plain(each) for each in shown.replace("\t", "\n").split("\n"))


@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_keeps_every_value_and_shows_every_character(value: object) -> None:
    shown = visible_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(shown) == value
    assert all(is_plain(line) for line in shown.split("\n"))
