"""Octets to text: which encoding a file is in is told by its octets alone.

What flows: octets in, one text out, without NUL octets and byte order marks. Law: decoding never fails; a line that
is in another encoding than its neighbours is read for itself, since people paste two consoles into one file.
"""

import re
from typing import Final

from gatepost.doctor.readers.large_logs import utf_16_of

_KANA: Final = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_HALF_WIDTH: Final = re.compile("[\uff61-\uff9f]")
_OEM_LETTERS: Final = re.compile(rb"[A-Za-z][\x80-\x9a\xa0-\xa5\xe1][A-Za-z]")
"""Where code page 850 has its letters and Windows-1252 its quotation marks and signs, between two letters."""
_WINDOWS_LETTERS: Final = re.compile(rb"[\xc0-\xff]")
_MISREAD: Final = re.compile(
    "[\u00c2\u00c3\u00c5\u00d0\u00d1]"
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122\u20ac]"
)
"""UTF-8 that a program read as Windows-1252 and wrote again."""
_ENOUGH: Final = 3


def decode(octets: bytes) -> str:
    """UTF-8, UTF-16 with or without a mark, Shift JIS, a console's code page 850, else Windows-1252."""
    if wide := utf_16_of(octets[:400]):
        text = octets.decode(wide, "replace")
    else:
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError:
            text = _of_code_page(octets)
    return _unmangled(text.replace("\x00", "").replace("\ufeff", ""))


def _of_code_page(octets: bytes) -> str:
    if (japanese := _japanese(octets)) is not None:
        return japanese
    narrow = "cp850" if len(_OEM_LETTERS.findall(octets)) > len(_WINDOWS_LETTERS.findall(octets)) else "cp1252"
    return "\n".join(_line(each, narrow) for each in octets.split(b"\n"))


def _line(octets: bytes, code_page: str) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode(code_page, "replace")


def _japanese(octets: bytes) -> str | None:
    """Code page 932, where that gives kana and ideographs and hardly a half-width letter."""
    try:
        text = octets.decode("cp932")
    except UnicodeDecodeError:
        return None
    full, half = len(_KANA.findall(text)), len(_HALF_WIDTH.findall(text))
    return text if full >= _ENOUGH and full > 2 * half else None


def _unmangled(text: str) -> str:
    """Lines in which each foreign letter became two, put right."""
    if not _MISREAD.search(text):
        return text
    return "\n".join(_put_right(line) if _MISREAD.search(line) else line for line in text.split("\n"))


def _put_right(line: str) -> str:
    try:
        return line.encode("cp1252").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return line
