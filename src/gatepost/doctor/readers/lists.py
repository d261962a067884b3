"""Objects as lists of names and values: Format-List, Format-Custom, YAML, `@{Name=...}`.

What flows: a page in, one fact for each object out. A value goes on in lines indented to its column or begun with a
dash; an object ends at a blank line, at a command, or where a name comes again. Law: a block that tells of no kind of
object takes no line.
"""

import re
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.page import Page
from gatepost.doctor.readers.exchange import is_health_report, queue_errors
from gatepost.doctor.readers.exported import exported
from gatepost.doctor.readers.labels import english
from gatepost.exchange.cmdlet_output import (
    CMDLET,
    COLOURED,
    COMMON,
    DISTINGUISHED,
    SERVER_BESIDE,
    SIGNS_OF,
    TOLD_BY_NAME,
    kind_by_name,
    kind_of,
    property_of,
)
from gatepost.exchange.source import Fact

_LINE: Final = re.compile(
    r"^(?P<before>\s{0,12}|\s{0,4}[-*•|]\s{1,3})(?P<name>[^\W\d_]\w{1,45})(?P<sign>\s*(?::(?=\s|$)|\uff1a))\s?(?P<value>.*)$"
)
_ASSIGNED: Final = re.compile(r"^(?P<before>\s{0,12})(?P<name>[A-Z][A-Za-z]\w{1,45})(?P<sign>\s+=)\s+(?P<value>\S.*)$")
_CELLS: Final = re.compile(
    r"^(?P<before>\s{0,12}\|\s?)(?P<name>[^\W\d_]\w{1,45})(?P<sign>\s{0,40}\|)\s?(?P<value>[^|]{0,2000})\|\s{0,40}$"
)
"""A row of a table of names and values."""
_ACCEPTED: Final = re.compile(r"\s{0,8}(?:accepted|akzeptiert)\s{0,3}:", re.IGNORECASE)
"""Somebody's note of the tenant's domains below an export."""
_ITEM: Final = re.compile(r"^\s{0,12}-\s{1,12}(?P<item>[^\s:](?:[^:]|:(?=\S)){0,2000})$")
_PROMPT: Final = re.compile(r"\s*(?:\[PS\]|PS [A-Z]:)")
_ASKED: Final = re.compile(
    r"\bGet-(?:Send|Receive|Inbound|Outbound)Connector\s{1,3}(?:-Identity\s{1,3})?"
    r"(?:[\"'](?P<quoted>[^\"'|\n]{1,120})[\"']|(?P<plain>[^\s|\"'-][^\s|]{0,80}))",
    re.IGNORECASE,
)
"""The one connector that a command asked for by name."""
_FEW: Final = 3
_ONLY_EXCHANGE: Final = frozenset(
    [
        "thumbprint",
        "services",
        "hasprivatekey",
        "certificatedomains",
        "rootcatype",
        "isselfsigned",
        "enhancedkeyusagelist",
        "dnsnamelist",
    ]
)


class _Block:
    """The object that is being read, and what stands around it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.entries: list[tuple[int, str, str]] = []
        self.lines: list[int] = []
        self.hint = self.server = self.asked = ""
        self.column = 0
        self.spaced = _is_double_spaced(page)
        self.health = is_health_report(page)

    # --- what a line may do; each says whether it was the line's meaning ---

    def takes_item(self, index: int, line: str) -> bool:
        item = _ITEM.match(line) if self.entries else None
        if item is None:
            return False
        value = self.entries[-1][2]
        if value not in ("", "{}") and not value.startswith("{ "):
            return False
        inside = ", ".join(part for part in (value.strip("{} "), item["item"].strip().strip("'\"")) if part)
        self._go_on(index, f"{{ {inside} }}")
        return True

    def takes_rest(self, index: int, line: str) -> bool:
        """A value that goes on below."""
        if not self.entries or not line.strip():
            return False
        indent = len(line) - len(line.lstrip())
        named = self._named(line)
        goes_on = (indent >= max(self.column - 2, 12) and named is None) or (indent >= 14 and indent >= self.column - 2)
        if not goes_on:
            return False
        _, name, value = self.entries[-1]
        within = name.casefold() in DISTINGUISHED and not value.endswith((",", " "))
        self._go_on(index, f"{value}{'' if within else ' '}{line.strip()}")
        return True

    def takes_name(self, index: int, line: str) -> Iterator[Fact] | None:
        match = self._named(line)
        if match is None:
            return None
        name = english(match["name"])
        closed = self.close() if any(name.casefold() == each.casefold() for _, each, _ in self.entries) else iter(())
        self.column = match.end("sign") + 1
        self.entries.append((index, name, (match["value"] or "").strip() if match["value"] else ""))
        self.lines.append(index)
        return closed

    def meets(self, line: str) -> None:
        """Any other line: a command says what comes below it and of which server."""
        if command := CMDLET.search(line):
            self.hint = command[1]
            asked = _ASKED.search(line)
            self.asked = (asked["quoted"] or asked["plain"]) if asked else ""
            if beside := SERVER_BESIDE.search(line):
                self.server = next((each for each in beside.groups() if each), "")
        elif _PROMPT.match(line):
            self.hint = self.asked = ""

    def ends_at_blank(self, index: int) -> bool:
        """Blank lines get lost and added in pastes: an object of which too little is known may go on after one."""
        if not self.entries:
            return False
        following = next((each for each in self.page.lines[index + 1 : index + 3] if each.strip()), "")
        match = self._named(following)
        if match is None:
            return not (self.spaced and following[:1] in (" ", "\t"))
        if self.spaced:
            return bool(index and not self.page.lines[index - 1].strip())
        names = [name for _, name, _ in self.entries]
        if len(names) >= _FEW or kind_of(names, self.hint):
            return True
        return english(match["name"]).casefold() in {each.casefold() for each in names} | {
            "name",
            "identity",
            "thumbprint",
        }

    def close(self) -> Iterator[Fact]:
        entries, lines = self.entries, self.lines
        self.entries, self.lines = [], []
        if len(entries) == 1 and self.health:
            return iter(())  # a row of the checker's, which has its own reader
        found = _facts(self.page, self._with_its_name(entries), self.hint, self.server) if entries else []
        if found:
            self.page.taken.update(lines)
        return iter(found)

    def _with_its_name(self, entries: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
        """The name that the command asked for, where the list has none."""
        if not self.asked or {name.casefold() for _, name, _ in entries} & {"name", "identity"}:
            return entries
        return [*entries, (entries[0][0], "Identity", self.asked)] if len(entries) > 1 else entries

    def _go_on(self, index: int, value: str) -> None:
        first, name, _ = self.entries[-1]
        self.entries[-1] = (first, name, value)
        self.lines.append(index)

    def _named(self, line: str) -> re.Match[str] | None:
        if COLOURED.search(line) or SERVER_BESIDE.search(line) or _ACCEPTED.match(line):
            return None
        return _LINE.match(line) or _ASSIGNED.match(line) or _CELLS.match(line)


def _is_double_spaced(page: Page) -> bool:
    """Whether a paste put a blank line after each."""
    written = [index for index, line in enumerate(page.lines) if line.strip()]
    apart = sum(not page.lines[index + 1].strip() for index in written if index + 1 < len(page.lines))
    return len(written) >= _FEW and apart >= len(written) - 1


def read(page: Page) -> Iterator[Fact]:
    block = _Block(page)
    for index, written in enumerate([*page.lines, ""]):
        line = "" if index in page.taken else written
        if block.takes_item(index, line) or block.takes_rest(index, line):
            continue
        if (whole := list(_in_one_line(page, index, line, block.hint))) and not block.entries:
            yield from whole
            continue
        if (closed := block.takes_name(index, line)) is not None:
            yield from closed
        elif line.strip():
            yield from block.close()
            block.meets(line)
            yield from _braced(page, index, line, block.hint)
        elif block.ends_at_blank(index) or index >= len(page.lines):
            yield from block.close()
    yield from block.close()


_OF_A_QUEUE: Final = frozenset(("identity", "nexthopdomain", "messagecount", "status", "deliverytype"))


def _facts(page: Page, entries: list[tuple[int, str, str]], hint: str, server: str) -> list[Fact]:
    values = {name.casefold(): value for _, name, value in entries}
    if values.get("lasterror", "").strip("{} ") and values.keys() & _OF_A_QUEUE:
        index = next(index for index, name, _ in entries if name.casefold() == "lasterror")
        return list(queue_errors(values, page.source(index), page.lines[index].strip()[:500]))
    found = _object(page, entries, hint, server)
    return [found] if found else []


def _object(page: Page, entries: list[tuple[int, str, str]], hint: str, server: str) -> Fact | None:
    names = [name for _, name, _ in entries]
    keys = {name.casefold() for name in names}
    own_name = next((value for _, name, value in entries if name.casefold() in ("name", "identity")), "")
    kind = kind_of(names, hint) or (kind_by_name(frozenset(keys), own_name) if own_name else "")
    telling = SIGNS_OF.get(kind, frozenset()) | TOLD_BY_NAME
    if not kind or not (keys & telling or (len(keys & COMMON) >= 2 and hint)):
        return None
    if len(entries) == 1 and not keys & telling - {"services", "domainname"}:
        return None
    if kind == "certificate" and not keys & _ONLY_EXCHANGE:
        return None  # certutil's and openssl's labels are their own reader's
    properties = tuple(
        property_of(name, value, page.source(index), page.lines[index].strip()[:500]) for index, name, value in entries
    )
    return exported(properties, page.source(entries[0][0]), hint=hint, server=server, quote=properties[0].quote)


_BRACED: Final = re.compile(r"@\{(?P<inside>[^@{}]{3,2000}(?:\{[^{}]{0,1000}\}[^@{}]{0,1000}){0,20})\}")
_PAIR: Final = re.compile(
    r"(?:^|;)\s{0,20}(?P<name>[A-Z]\w{1,45})\s{0,20}=\s{0,20}(?P<value>\{[^{}]{0,1000}\}|\"[^\"]{0,1000}\"|[^;{\"][^;]{0,1000}|)"
)


def _braced(page: Page, index: int, line: str, hint: str) -> Iterator[Fact]:
    """`@{Name=x; Enabled=True}`: an object that a string was made of."""
    for match in _BRACED.finditer(line[:4000]):
        quote = match[0][:500]
        properties = tuple(
            property_of(english(each["name"]), each["value"].strip().strip('"'), page.source(index), quote)
            for each in _PAIR.finditer(match["inside"])
        )
        if not kind_of([each.name for each in properties]) or len(properties) < 2:
            continue
        if found := exported(properties, page.source(index), hint=hint, quote=quote):
            page.take(index)
            yield found


_NAMED_PART: Final = re.compile(r"(?P<name>[A-Z]\w{2,45})\s{0,20}[:=](?:\s(?P<value>\S.*)?)?$")
_BETWEEN_PARTS: Final = re.compile(r"\s{2,}(?=[A-Z]\w{2,45}\s{0,20}[:=])")


def _in_one_line(page: Page, index: int, line: str, hint: str) -> Iterator[Fact]:
    """`Name : x  Enabled : True  ConnectorType : Partner`: a list whose line ends were lost."""
    parts = [_NAMED_PART.match(each.strip()) for each in _BETWEEN_PARTS.split(line[:2000])]
    named = [each for each in parts if each is not None]
    if len(named) < _FEW or len(named) < len(parts):
        return
    quote = line.strip()[:500]
    properties = tuple(
        property_of(english(each["name"]), (each["value"] or "").strip(), page.source(index), quote) for each in named
    )
    if kind_of([each.name for each in properties], hint) and (
        found := exported(properties, page.source(index), hint=hint, quote=quote)
    ):
        page.take(index)
        yield found
