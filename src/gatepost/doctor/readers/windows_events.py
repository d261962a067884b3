"""Windows event log entries: copied from the viewer in any language, listed by a cmdlet or wevtutil, exported as XML.

What flows: an entry in, one `EventLogEntry` out, with the connector, the FQDN, the certificate and the numbers that its
message holds, wherever they stand in a translated sentence. Law: an entry is told by its id, which no language changes;
what is around it is an entry's only where a log or provider that we know is named near it.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Final

from gatepost.doctor.evidence import EventLogEntry, one_line
from gatepost.doctor.moments import ANY_MOMENT, moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.replies import replies_in
from gatepost.exchange.source import Fact, Source

_ID: Final = re.compile(
    r"\b(?:Event ?-?ID|EventId|InstanceId|Ereignis-?ID|ID de l['\u2019]événement|Id\.? (?:de )?evento|ID (?:del )?evento|Gebeurtenis-ID|ID události|Event)\s{0,20}[:=#\uff1a]?\s{0,20}(?P<id>\d{1,5})\b(?!\.\d)"
    r"|^[^\d:\uff1a]{2,30}[:\uff1a]\s{0,20}(?P<known>1201[4-9]|12023|16023|1035|1040|2004|2019|3687[01468]|3688[0278])\s{0,20}$",
    re.IGNORECASE,
)
"""In any language, the ids that matter here stand alone after a label."""
_PROVIDER: Final = re.compile(
    r"\b(?:Source|Quelle|ProviderName|Provider Name|Provider)\s{0,20}[:=]\s{0,20}['\"]?(?P<name>[\w .-]{0,60}?(?:Exchange|Schannel|CAPI2|Edge|Cert)\w{0,40}(?:[\w -]{0,40}Transport)?)"
    r"|\b(?P<bare>MSExchange\w{1,40}|Schannel|CAPI2|Microsoft-Windows-CAPI2)\b",
    re.IGNORECASE,
)
_NEAR: Final = re.compile(r"MSExchange|Schannel|CAPI2|EdgeSync|LogName|Log Name|Protokollname|Event\[|Transport")
_RESULT: Final = re.compile(r"<Result[^>]{0,120}?value=['\"]([0-9A-Fa-fx]{1,40})['\"]|\b(800B0[0-9A-Fa-f]{3})\b")
_COMPUTER: Final = re.compile(
    r"\b(?:Computer|MachineName|Equipo|Ordinateur|Rechner|Počítač)\s{0,20}[:=\uff1a]\s{0,20}([\w.-]{1,100})|(?:コンピューター|计算机)\s{0,20}[:\uff1a]\s{0,20}([\w.-]{1,100})",
    re.I,
)
_LEVEL: Final = re.compile(
    r"\b(?:Level|EntryType|LevelDisplayName|Ebene|Nivel|Niveau|Livello)\s*[:=\uff1a]\s*(?P<level>\S{1,20})",
    re.IGNORECASE,
)
_MOST_LINES_BEFORE, _MOST_LINES_AFTER = 9, 30


def read(page: Page) -> Iterator[Fact]:
    yield from _read_xml(page)
    starts = [(index, match) for index, line in page.free() if (match := _ID.search(line)) and _is_near(page, index)]
    for number, (index, match) in enumerate(starts):
        before = starts[number - 1][0] if number else -1
        after = starts[number + 1][0] if number + 1 < len(starts) else len(page.lines)
        first, last = _extent(page, index, before, after)
        text = one_line(page.lines[first : last + 1])
        page.take(first, last)
        yield from _entry(page.source(index), text, int(match["id"] or match["known"]))


def _is_near(page: Page, index: int) -> bool:
    return bool(_NEAR.search(" ".join(page.lines[max(0, index - 6) : index + 8])))


def _extent(page: Page, index: int, before: int, after: int) -> tuple[int, int]:
    """The lines of the entry whose id stands on `index`: up to a blank line, past one that a heading precedes."""
    first = index
    while first - 1 > before and index - first < _MOST_LINES_BEFORE and page.lines[first - 1].strip():
        if first - 1 in page.taken:
            break
        first -= 1
    last = index
    while last + 1 < min(after, index + _MOST_LINES_AFTER):
        heading = page.lines[last].rstrip().endswith((":", "\uff1a", "Description"))
        if not page.lines[last + 1].strip() and not heading:
            break
        last += 1
    return first, last


def _entry(source: Source, text: str, number: int, **known: str) -> Iterator[Fact]:
    provider, result, computer = _PROVIDER.search(text), _RESULT.search(text), _COMPUTER.search(text)
    level, when = _LEVEL.search(text), ANY_MOMENT.search(text)
    told = _told(text) | {name: known[name] for name in ("certificate", "connector", "fqdn") if known.get(name)}
    yield EventLogEntry(
        source=source,
        quote=text[:600],
        event_id=number,
        provider=known.get("provider") or ((provider["name"] or provider["bare"]).strip() if provider else ""),
        level=known.get("level") or (level["level"] if level else ""),
        message=text[:3000],
        server=known.get("server") or (next(each for each in computer.groups() if each) if computer else ""),
        at=moment(known["at"]) if known.get("at") else moment(when[0]) if when else None,
        result=(result[1] or result[2]).upper() if result else "",
        connector=told.get("connector", ""),
        fqdn=told.get("fqdn", ""),
        certificate_name=told.get("certificate", ""),
        thumbprint=told.get("thumbprint", "").upper(),
        alert=int(told["alert"]) if "alert" in told else None,
    )
    yield from replies_in(text, source, kind="event")


# --- what a message holds, in whatever language ---------------------------------------------------------------------

_HELD: Final[Mapping[str, re.Pattern[str]]] = {
    "certificate": re.compile(
        r"(?P<it><I>[^<>]{3,400}<S>[^<>]{3,400}?)(?=\s+(?:in the personal|im pers|en el almac|dans le magasin|nell|does not|is not|ist nicht)|[.'\"\u201d\u300d]?\s*(?:$|\s[A-Z][a-z]+ )|\u306f|\u304c)"
    ),
    "fqdn": re.compile(
        r"FQDN[^'\"\w\u201e\u201c\u00ab]{0,20}(?:\w{1,20}\s){0,4}?(?:parameter (?:of|von)|of|von|de|di|\uff1a|:)?\s*['\"\u201e\u201c\u00ab]?(?P<it>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,8})"
    ),
    "connector": re.compile(
        r"(?:\b[Cc]onnector|\bKonnektors?|\bSende-?connectors?|\bSendeconnector|\bconector(?: de env[ií]o)?|\bconnecteur(?: d['\u2019]envoi)?|\bconnettore(?: di invio)?|送信コネクタ|受信コネクタ|コネクタ)\s*"
        r"(?:(?:['\"\u201e\u201c\u00ab\u300c](?P<it>[^'\"\u201d\u201c\u00bb\u300d]{2,120})['\"\u201d\u201c\u00bb\u300d])|(?P<bare>(?:[A-Z0-9][\w.\\-]{0,60})(?:\s[\w.\\&()-]{1,60}){0,8}?)(?=\s*(?::|with|mit|con|avec|の|$)))"
    ),
    "thumbprint": re.compile(r"(?<![0-9A-Fa-f])(?P<it>[0-9A-Fa-f]{40})(?![0-9A-Fa-f])"),
    "alert": re.compile(
        r"(?:alert|Warnung|alerta|alerte|avviso|error code|Fehlercode|protocol defined fatal alert code)[^.\d]{0,80}?(?:is|ist|es|est|:|code)\s*(?P<it>\d{1,3})\b",
        re.I,
    ),
}


def _told(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, pattern in _HELD.items():
        if match := pattern.search(text[:4000]):
            value = match["it"] or match.groupdict().get("bare") or ""
            if value:
                found[name] = value.strip()
    return found


# --- the export as XML -----------------------------------------------------------------------------------------------

_TAG_ID: Final = re.compile(r"<EventID[^>]{0,80}>(?P<id>\d{1,6})</EventID>")
_FIELDS: Final[Mapping[str, re.Pattern[str]]] = {
    "provider": re.compile(r"<Provider\b[^>]{0,200}?\bName=['\"](?P<it>[^'\"]{1,100})['\"]"),
    "server": re.compile(r"<Computer>(?P<it>[^<]{1,100})</Computer>"),
    "at": re.compile(r"<TimeCreated\b[^>]{0,60}?SystemTime=['\"](?P<it>[^'\"]{1,40})['\"]"),
    "level": re.compile(
        r"<(?:RenderingInfo[^>]{0,60}>\s{0,40}<Message>.{0,3000}?</Message>\s{0,40}<)?Level>(?P<it>[^<]{1,20})</Level>",
        re.DOTALL,
    ),
}
_DATA: Final = re.compile(
    r"<(?:Data|Message|Binary)\b[^>]{0,100}>(?P<it>[^<]{0,3000})</(?:Data|Message|Binary)>|<Result[^>]{0,200}>"
)
_ENVELOPE: Final = re.compile(r"\s{0,40}</?(?:Events|QueryList|\?xml)\b[^<>]{0,200}>\s{0,40}$")
_MOST_OF_AN_ENTRY: Final = 400
"""Lines."""


def _read_xml(page: Page) -> Iterator[Fact]:
    """`<Event>` elements, each on many lines or all on one."""
    index = 0
    while index < len(page.lines):
        if "<Event" not in page.lines[index] or index in page.taken or _ENVELOPE.match(page.lines[index]):
            if _ENVELOPE.match(page.lines[index]):
                page.take(index)
            index += 1
            continue
        last = next(
            (
                at
                for at in range(index, min(len(page.lines), index + _MOST_OF_AN_ENTRY))
                if "</Event>" in page.lines[at]
            ),
            None,
        )
        if last is None:
            index += 1
            continue
        text = "\n".join(page.lines[index : last + 1])
        for part in re.split(r"(?=<Event[ >])", text):
            yield from _of_xml(page, index, part)
        page.take(index, last)
        index = last + 1


def _of_12014(inserted: list[str]) -> dict[str, str]:
    """The strings that its message is made of: the certificate's name, the connector, the FQDN."""
    if len(inserted) < 2 or " " in inserted[-1].strip():
        return {}
    named = {"connector": inserted[1].strip(), "fqdn": inserted[2].strip() if len(inserted) > 2 else ""}
    return named | {"certificate": inserted[0].strip()} if "<S>" in inserted[0] else named


def _of_xml(page: Page, first: int, text: str) -> Iterator[Fact]:
    number = _TAG_ID.search(text)
    if number is None:
        return
    known = {name: match["it"] for name, pattern in _FIELDS.items() if (match := pattern.search(text[:20_000]))}
    inside = [unescape(match["it"] or match[0]) for match in _DATA.finditer(text[:60_000])]
    line = first + next((at for at, each in enumerate(text.split("\n")) if "<EventID" in each), 0)
    message = one_line(inside) or known.get("provider", "")
    if number["id"] == "12014":
        known |= _of_12014(inside)
    yield from _entry(page.source(line), message, int(number["id"]), **known)
