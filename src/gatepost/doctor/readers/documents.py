"""JSON and CLIXML: exports of cmdlets, and what Gatepost itself prints.

Law: nothing in a document makes it bigger than it is.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gatepost.doctor.evidence import CommandSeen, GatepostVerdict
from gatepost.doctor.page import Page
from gatepost.doctor.readers.exported import exported
from gatepost.doctor.readers.replies import replies_in
from gatepost.exchange.clixml import objects_in
from gatepost.exchange.cmdlet_output import kind_of, property_from
from gatepost.exchange.objects import Property
from gatepost.exchange.source import Fact, Source

_DEEPEST = 60
_PATIENCE = 10_000_000
"""Characters that may be read in vain: each line of a damaged document can begin one that fails at its end."""


def read_json(page: Page) -> Iterator[Fact]:
    """A whole JSON page, or JSON values that begin a line."""
    index, lines = 0, page.lines
    text = "\n".join(lines)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    decoder = json.JSONDecoder(strict=False)  # a mail program may have broken a string at its width
    patience = _PATIENCE
    while index < len(lines) and patience > 0:
        line = lines[index].lstrip("\ufeff \t")
        if index in page.taken or line[:1] not in ("{", "[") or not re.match(r"[{\[]\s*(?:[\"{\[\]}]|$)", line):
            index += 1
            continue
        begin = starts[index] + len(lines[index]) - len(line)
        try:
            value, end = decoder.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            patience -= error.pos - begin
            index += 1
            continue
        except RecursionError:
            patience -= _PATIENCE // 100
            index += 1
            continue
        last = index
        while last + 1 < len(lines) and starts[last + 1] < end:
            last += 1
        facts = list(_objects(value, page, index, last, 0))
        if facts:
            page.take(index, last)
            yield from facts
        index = last + 1


def _objects(value: Any, page: Page, first: int, last: int, depth: int) -> Iterator[Fact]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _objects(each, page, first, last, depth + 1)
        return
    if not isinstance(value, Mapping):
        return
    if verdict := _verdict(value, page.source(first)):
        yield from verdict
        return
    if kind_of(value):
        properties = tuple(
            property_from(str(name), each, page.source(_line_of(page, str(name), each, first, last)))
            for name, each in value.items()
        )
        found = exported(properties, page.source(first))
        if found is not None:
            yield found
            return
    for name, each in value.items():
        hint = kind_of((), str(name)) if isinstance(each, list | Mapping) else ""
        if hint and isinstance(each, list) and all(isinstance(item, Mapping) for item in each):
            for item in each:
                properties = tuple(property_from(str(key), entry, page.source(first)) for key, entry in item.items())
                if found := exported(properties, page.source(first), hint=str(name)):
                    yield found
            continue
        yield from _objects(each, page, first, last, depth + 1)


def _line_of(page: Page, name: str, value: Any, first: int, last: int) -> int:
    if last - first > 400:
        return first
    sign = f'"{name}"'
    return next((index for index in range(first, last + 1) if sign in page.lines[index]), first)


def _verdict(value: Mapping[str, Any], source: Source) -> list[Fact]:
    if not ("outcome" in value and "reasons" in value and isinstance(value["reasons"], list)):
        return []
    reasons = tuple(
        (str(each.get("code", "")), str(each.get("connector") or ""), str(each.get("says", "")))
        for each in value["reasons"]
        if isinstance(each, Mapping)
    )
    evidence = value.get("evidence")
    address = str(evidence.get("address", "")) if isinstance(evidence, Mapping) else ""
    reply = str(value.get("reply") or "")
    session = str(value.get("session_id") or "")
    verdict = GatepostVerdict(
        source=source,
        quote=reply[:500],
        outcome=str(value["outcome"]),
        tenant=str(value.get("tenant") or ""),
        connector=str(value.get("connector") or ""),
        basis=str(value.get("basis") or ""),
        reply=reply,
        reasons=reasons,
        address=address,
        session_id=session,
    )
    return [verdict, *replies_in(reply, source, kind="gatepost-why", session_id=session)]


# --- CLIXML ------------------------------------------------------------------------------------------------------


def read_clixml(page: Page) -> Iterator[Fact]:
    begin = next((index for index, line in enumerate(page.lines) if "<Objs " in line), None)
    if begin is None:
        return
    end = next((index for index in range(len(page.lines) - 1, begin - 1, -1) if "</Objs>" in page.lines[index]), None)
    if end is None:
        return
    text = "\n".join(page.lines[begin : end + 1])
    text = text[text.index("<Objs ") : text.rindex("</Objs>") + 7]
    objects = objects_in(text)
    page.take(begin, end)
    for line, values in objects:
        source = page.source(begin + line - 1)
        properties: tuple[Property, ...] = tuple(property_from(name, each, source) for name, each in values.items())
        if found := exported(properties, source):
            yield found
    if not objects:
        yield CommandSeen(source=page.source(begin), command="Export-Clixml", quote="an export without objects we know")
