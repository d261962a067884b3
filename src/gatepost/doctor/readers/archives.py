"""Files that hold files: zip archives, Word documents, gzip.

What flows: octets in, (name, octets) of each member out; a document gives one member, its text. Laws: what a stranger
packed opens no further than the limits here, in members, in depth, in octets of one member and of all; no member is
written anywhere, and its name is only ever shown.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from html import unescape
from typing import Final, NamedTuple

MOST_MEMBERS: Final = 200
DEEPEST: Final = 3
LARGEST_MEMBER: Final = 8 * 1024 * 1024
LARGEST_IN_ALL: Final = 64 * 1024 * 1024

_DOCUMENTS: Final = {"word/document.xml": "w:p", "content.xml": "text:p"}
"""The part of a Word or OpenDocument text that holds its words, and the element of a paragraph."""


class Member(NamedTuple):
    """`because` says why it was not opened; empty: `octets` is all of it."""

    name: str
    octets: bytes = b""
    because: str = ""


def is_archive(octets: bytes) -> bool:
    return octets.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"))


def members(octets: bytes, room: int = LARGEST_IN_ALL) -> Iterator[Member]:
    """The members of an archive, or the text of a document. `room` is how many octets may come out of it in all."""
    if octets.startswith(b"\x1f\x8b"):
        yield _gunzipped(octets, room)
        return
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            yield from _unpacked(archive, room)
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, NotImplementedError, EOFError, RuntimeError):
        yield Member(
            "", because="a zip archive, or an Office document, that is damaged: unpack it, or copy its text into a file"
        )


def _unpacked(archive: zipfile.ZipFile, room: int) -> Iterator[Member]:
    listed = [each for each in archive.infolist() if not each.is_dir()]
    for each in listed:
        if (paragraph := _DOCUMENTS.get(each.filename)) is not None:
            text = _text_of(_opened(archive, each, room).octets, paragraph)
            yield Member("", text.encode("utf-8"))
            return
    for number, each in enumerate(listed):
        if number >= MOST_MEMBERS:
            yield Member("", because=f"holds {len(listed)} files: the first {MOST_MEMBERS} were read")
            return
        member = _opened(archive, each, room)
        room -= len(member.octets)
        yield member


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: int) -> Member:
    name = _plain(member.filename)
    if member.flag_bits & 1:
        return Member(name, because="encrypted in the archive: unpack it with its password")
    most = min(LARGEST_MEMBER, room)
    with archive.open(member) as file:
        octets = file.read(most + 1)
    if len(octets) > most:
        return Member(name, because="too large to be read within an archive: unpack it and hand it in by itself")
    return Member(name, octets)


def _gunzipped(octets: bytes, room: int) -> Member:
    most = min(LARGEST_MEMBER, room)
    try:
        opened = zlib.decompressobj(wbits=31).decompress(octets, most + 1)
    except zlib.error:
        return Member("", because="compressed with gzip, and damaged")
    if len(opened) > most:
        return Member("", because="too large to be read compressed: unpack it first")
    return Member("", opened)


def _plain(name: str) -> str:
    """A member's name without what could command a terminal or leave its folder in anybody's mind."""
    return re.sub(r"[\x00-\x1f\x7f]", "", name).replace("\\", "/").lstrip("/")[:200]


_BREAK: Final = re.compile(r"<(?:w:br|w:cr|text:line-break)\b[^<>]*>")
_TAB: Final = re.compile(r"<(?:w:tab|text:tab)\b[^<>]*/>")
_CELL: Final = re.compile(r"</w:tc>|</table:table-cell>")
_ROW: Final = re.compile(r"</w:tr>|</table:table-row>")
_TAG: Final = re.compile(r"<[^<>]*>")


def _text_of(octets: bytes, paragraph: str) -> str:
    """The words of a document: a paragraph is a line, the cells of a table's row stand in one with tabs between."""
    text = octets.decode("utf-8", "replace")
    text = _TAB.sub("\t", _BREAK.sub("\n", text))
    text = _in_rows(text, paragraph)
    text = text.replace(f"</{paragraph}>", "\n")
    return unescape(_TAG.sub("", text))


def _in_rows(text: str, paragraph: str) -> str:
    """Within a row a paragraph ends no line."""
    parts = _ROW.split(text)
    for at, part in enumerate(parts[:-1]):
        begin = max(part.rfind("<w:tr "), part.rfind("<w:tr>"), part.rfind("<table:table-row"), 0)
        row = _CELL.sub("\t", part[begin:].replace(f"</{paragraph}>", " "))
        parts[at] = f"{part[:begin]}{row}"
    return "\n".join(parts)
