"""What strangers wrote, made safe to look at: on a terminal, in a log, in a report.

What flows through: text of any origin in, text of graphic characters out. Law: nothing that comes out can command a
terminal, reorder what stands beside it, or hide. Letters, signs and marks of every language stay as they are.
"""

import re
from typing import Final

# Unicode's Default_Ignorable_Code_Point beyond its format characters, and the blank Braille pattern: they are letters
# or marks by category, and show nothing.
_SHOWS_NOTHING: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_GRAPHIC_ASCII: Final = bytes(range(0x20, 0x7F))
_LINE_ENDS: Final = frozenset("\x85\u2028\u2029")


def is_plain(text: str) -> bool:
    """Whether `text` is one line that shows all it holds."""
    if text.isascii():
        # A fifth of what `isprintable` takes, and all that is logged comes by here.
        return not text.encode().translate(None, _GRAPHIC_ASCII)
    return text.isprintable() and _SHOWS_NOTHING.search(text) is None


def visible(text: str) -> str:
    """One line: controls as pictures (`␛`), what is invisible, unassigned or reorders as `\\u202e`."""
    return text if is_plain(text) else "".join([each if is_plain(each) else _picture(each) for each in text])


def visible_lines(text: str) -> str:
    """The same for a text of many lines: its line feeds and tabs stay."""
    return "\n".join(["\t".join([visible(each) for each in line.split("\t")]) for line in text.split("\n")])


def visible_json(document: str) -> str:
    """A JSON document with JSON's own escapes for what `visible` would change: programs read the same values."""
    if is_plain(document):
        return document
    return "".join([each if each == "\n" or is_plain(each) else _json_escape(each) for each in document])


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if character in _LINE_ENDS:
        return "\u2424"
    return character.encode("unicode_escape").decode("ascii")


def _json_escape(character: str) -> str:
    octets = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{octets[at]:02x}{octets[at + 1]:02x}" for at in range(0, len(octets), 2))
