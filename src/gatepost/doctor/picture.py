"""The path of the mail drawn: box drawing for a terminal, SVG for the HTML report.

What flows: stations (path/stations.py) into lines or one `<svg>`. Laws: what is broken stands there in words,
colour only repeats it; nothing is fetched, nothing runs; the evidence's text is cut to its box, and inert.
"""

from collections.abc import Iterator, Sequence
from html import escape
from textwrap import wrap

from gatepost.doctor.path.stations import Station
from gatepost.doctor.path.told import How, Told
from gatepost.mail.visible import visible

HEADING = "The path of the mail"
KNOWN = {How.SEEN: "seen", How.INFERRED: "inferred", How.CLAIMED: "reported", How.ASSUMED: "assumed"}
STOPS = "The mail stops here"
_MOST_LINES = 2
"""Lines for the words by which the mail was stopped."""


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))


def _cut(text: str, width: int) -> str:
    text = _one_line(text)
    return text if len(text) <= width else text[: max(1, width - 1)] + "…"


def _reason(text: str, width: int) -> list[str]:
    lines = wrap(_one_line(f"{STOPS}: {text}"), width, break_on_hyphens=False)
    kept, rest = lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1 :]
    return [*kept, _cut(" ".join(rest), width)] if rest else kept


def _head(station: Station) -> str:
    return f"{station.role}: {station.repair}" if station.repair else station.role


# --- terminal ---------------------------------------------------------------------------------------------------------


def drawn(stations: Sequence[Station], width: int) -> Iterator[str]:
    """Boxes under each other, no line wider than `width`."""
    inner = width - 6
    for number, station in enumerate(stations):
        last = number == len(stations) - 1
        head = f"─ {_cut(_head(station), inner - 4)} "
        yield f"  ┌{head}{'─' * (inner + 2 - len(head))}┐"
        for told in station.known:
            how = KNOWN[told.how]
            yield f"  │ {_cut(told.value, inner - len(how) - 2):<{inner - len(how)}}{how} │"
        yield f"  └──{'─' if last else '┬'}{'─' * (inner - 1)}┘"
        if station.stops_after:
            for line_number, line in enumerate(_reason(station.stops_after, inner - 6)):
                yield f"     {'✕' if line_number == 0 else ' '}  {line}"


# --- SVG --------------------------------------------------------------------------------------------------------------

STYLE = """
.scrolls{overflow-x:auto}
.path{display:block;width:100%;min-width:34rem;height:auto;margin:1rem 0;font:14px system-ui,sans-serif}
.path rect{fill:#f3f5f7;stroke:#8c959f}
.path text{fill:#1b1f24}
.path .role{font-weight:600}
.path .how{fill:#57606a;text-anchor:end}
.path line{stroke:#57606a;stroke-width:2}
.path .fix rect{stroke:#8a5a00;stroke-width:3}
.path .fix .role{fill:#8a5a00}
.path .stop line{stroke:#b3261e;stroke-dasharray:5 4}
.path .stop text{fill:#b3261e;font-weight:600}
.path .stop path{stroke:#b3261e;stroke-width:3;fill:none}
@media(prefers-color-scheme:dark){
.path rect{fill:#161b22;stroke:#6e7681}
.path text{fill:#e6edf3}
.path .how{fill:#9198a1}
.path line{stroke:#9198a1}
.path .fix rect{stroke:#d29922}
.path .fix .role{fill:#d29922}
.path .stop line,.path .stop path{stroke:#ff7b72}
.path .stop text{fill:#ff7b72}
}
"""
_WIDTH = 720
_LINE = 20
_PADDING = 12
_LINK = 26
_COLUMNS = 84
"""Signs of 14 px that surely fit the box, and the word how it is known beside them."""


def svg(stations: Sequence[Station]) -> str:
    """Empty without stations."""
    if not stations:
        return ""
    top, parts = 2, []
    for number, station in enumerate(stations):
        box, height = _box(station, top)
        top += height
        parts.append(box)
        if number < len(stations) - 1:
            link, height = _link(station, top)
            top += height
            parts.append(link)
    return (
        f'<div class="scrolls"><svg class="path" role="img" '
        f'aria-labelledby="path-title path-desc" viewBox="0 0 {_WIDTH} {top + 2}">'
        f'<title id="path-title">{HEADING}</title>'
        f'<desc id="path-desc">{_text(in_words(stations))}</desc>{"".join(parts)}</svg></div>'
    )


def in_words(stations: Sequence[Station]) -> str:
    """The picture for who does not see it."""
    return " ".join(sentence for each in stations for sentence in _sentences(each))


def _sentences(station: Station) -> Iterator[str]:
    yield f"{_head(station)}: {'; '.join(f'{_one_line(each.value)} ({KNOWN[each.how]})' for each in station.known)}."
    if station.stops_after:
        yield f"{STOPS}: {_cut(station.stops_after, 200)}."


def _box(station: Station, top: int) -> tuple[str, int]:
    height = _LINE * (len(station.known) + 1) + _PADDING
    lines = [f'<text class="role" x="{_PADDING}" y="{top + _LINE}">{_text(_head(station))}</text>']
    lines += [_row(told, top + _LINE * (number + 2)) for number, told in enumerate(station.known)]
    group = ' class="fix"' if station.repair else ""
    frame = f'<rect x="2" y="{top}" width="{_WIDTH - 4}" height="{height}" rx="6"/>'
    return f"<g{group}>{frame}{''.join(lines)}</g>", height


def _row(told: Told[str], y: int) -> str:
    how = f'<text class="how" x="{_WIDTH - _PADDING}" y="{y}">{KNOWN[told.how]}</text>'
    return f'<text x="{_PADDING}" y="{y}">{_text(_cut(told.value, _COLUMNS - 10))}</text>{how}'


def _link(station: Station, top: int) -> tuple[str, int]:
    if not station.stops_after:
        return f'<line x1="40" y1="{top}" x2="40" y2="{top + _LINK}"/>', _LINK
    reason = _reason(station.stops_after, _COLUMNS - 12)
    height = _LINK + _LINE * len(reason)
    middle = top + height // 2
    texts = "".join(
        f'<text x="64" y="{top + _LINK // 2 + _LINE * (number + 1) - 5}">{_text(line)}</text>'
        for number, line in enumerate(reason)
    )
    cross = f'<path d="M33 {middle - 7}l14 14m0-14l-14 14"/>'
    return f'<g class="stop"><line x1="40" y1="{top}" x2="40" y2="{top + height}"/>{cross}{texts}</g>', height


def _text(text: str) -> str:
    return escape(visible(text))
