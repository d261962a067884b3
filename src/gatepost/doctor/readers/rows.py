"""Rows of a table whose head was not copied: what a cell is, is told by its form.

Law: a row is read only where one of its cells can be nothing else: a thumbprint, or an `<I>...<S>...` pair.
"""

import re
from collections.abc import Iterator

from gatepost.doctor.page import Page
from gatepost.doctor.readers.exported import exported
from gatepost.exchange.cmdlet_output import property_of
from gatepost.exchange.source import Fact

_GAP = re.compile(r"\s{2,}|\t")
_LONGEST_ROW = 600
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_PAIR = re.compile(r"<I>.{1,300}<S>.{0,300}", re.IGNORECASE)
_MASK = re.compile(r"(?=.{0,8}\.)[IPUWSF.]{2,9}|IPUWSF?|None")
_NAMED = re.compile(r"(?:CN|E|OU|O|C|DC)\s*=.{0,300}")
_DAY = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?: \d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?)?")
_HOST = re.compile(r"(?=[\w.-]{1,250}$)[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")


def read(page: Page) -> Iterator[Fact]:
    for index, line in page.free():
        cells = [each for each in _GAP.split(line.strip()[:_LONGEST_ROW]) if each]
        if len(cells) < 2:
            continue
        if _THUMBPRINT.fullmatch(cells[0]):
            properties = _of_certificate(cells)
        elif any(_PAIR.fullmatch(each) for each in cells) and not line.lstrip().startswith(("[PS]", "Set-", "New-")):
            properties = _of_connector(cells)
        else:
            continue
        if len(properties) < 2:
            continue
        source, quote = page.source(index), line.strip()[:500]
        told = tuple(property_of(name, value, source, quote) for name, value in properties.items())
        if found := exported(told, source, quote=quote):
            page.take(index)
            yield found


def _of_certificate(cells: list[str]) -> dict[str, str]:
    properties = {"Thumbprint": cells[0]}
    names = [each for each in cells[1:] if _NAMED.fullmatch(each)]
    for each in cells[1:]:
        if _MASK.fullmatch(each):
            properties.setdefault("Services", each)
        elif _DAY.fullmatch(each):
            properties["NotAfter"] = each
    if names:
        properties["Subject"] = names[-1]
        if len(names) == 2:
            properties["Issuer"] = names[0]
    return properties


def _of_connector(cells: list[str]) -> dict[str, str]:
    properties: dict[str, str] = {}
    for each in cells:
        if _PAIR.fullmatch(each):
            properties["TlsCertificateName"] = each
        elif not properties:
            properties["Identity"] = each
        elif _HOST.fullmatch(each):
            properties["Fqdn"] = each
        elif re.fullmatch(r"[\w-]{1,63}", each) and any(map(str.isalnum, each)):
            properties["Server"] = each
    return properties
