"""A diagnosis told: as JSON for programs, as lines for a terminal, as Markdown for a ticket, as one HTML file.

The order is a good colleague's: the sentence that matters, the evidence quoted with file and line, the commands, how to
see that it worked, and what was ruled out.
"""

import re
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

from gatepost.doctor.diagnosis import Diagnosis
from gatepost.doctor.finding import Cited, Finding
from gatepost.doctor.path.stations import Station
from gatepost.doctor.picture import HEADING, KNOWN, STYLE, drawn, svg
from gatepost.mail.visible import visible

_MOST_EVIDENCE = 8
_MOST_RULED_OUT = 8
_MOST_FILES = 12
_IN_ORDER = "What to bring next, most telling first"


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """The contract's object."""
    return {
        "findings": [_finding(each) for each in diagnosis.findings],
        "ruled_out": [{"rule": each.rule, "because": each.because} for each in diagnosis.ruled_out],
        "missing": list(diagnosis.missing),
        "contradictions": [_cited(each) for each in diagnosis.contradictions],
        "read": [{"source": each.source, "as": each.kind, "items": each.items} for each in diagnosis.read],
        "unread": [{"source": str(each.source), "because": each.because} for each in diagnosis.unread],
        "path": [_station(each) for each in diagnosis.path],
    }


def _station(station: Station) -> dict[str, Any]:
    return {
        "station": station.role,
        "known": [
            {"says": each.value, "how": KNOWN[each.how], "source": str(each.source) if each.source else None}
            for each in station.known
        ],
        "repair": station.repair,
        "stops_after": station.stops_after,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "catalogue": list(finding.catalogue),
        "title": finding.title,
        "confidence": finding.confidence,
        "side": finding.side,
        **({"together_with": list(finding.together_with)} if finding.together_with else {}),
        "summary": finding.summary,
        "evidence": [_cited(each) for each in finding.evidence],
        "fix": [{"where": each.where, "command": each.command} for each in finding.fix],
        **({"takes": finding.takes} if finding.takes else {}),
        **({"waiting_mail": finding.waiting_mail} if finding.waiting_mail else {}),
        "verify": finding.verify,
        "page": finding.page,
    }


def _cited(cited: Cited) -> dict[str, str]:
    return {"source": str(cited.source), "says": cited.says}


# --- terminal ----------------------------------------------------------------------------------------------------


class Style(StrEnum):
    """What a line is, so that a face can colour it."""

    CAUSE = "cause"
    LABEL = "label"
    TEXT = "text"
    EVIDENCE = "evidence"
    COMMAND = "command"
    QUIET = "quiet"
    BLANK = "blank"


class Line(NamedTuple):
    style: Style
    text: str


_SIDES = {
    "sender": "the sending side",
    "tenant": "the receiving tenant",
    "network": "the network between",
    "pki": "whoever issues the certificate",
}
_PLACES = {
    "Exchange": "Exchange Management Shell",
    "Exchange Online": "Exchange Online PowerShell",
    "Windows": "PowerShell, as administrator",
    "Gatepost": "Gatepost, where that is the relay",
    "network": "In the network",
    "application": "In the application",
    "PKI": "At the certificate authority",
}
_IN_WORDS = frozenset(("network", "application", "PKI", "certificate authority"))
"""Where a fix is a sentence rather than a command."""
_BLANK = Line(Style.BLANK, "")


class Place(NamedTuple):
    """Where to act, and what to do there in order."""

    name: str
    commands: tuple[str, ...]
    in_words: bool


def _places(finding: Finding) -> Iterator[Place]:
    for where, fixes in groupby(finding.fix, key=lambda fix: fix.where):
        yield Place(_PLACES.get(where, where), tuple(fix.command for fix in fixes), where in _IN_WORDS)


def lines(diagnosis: Diagnosis, width: int = 80) -> list[Line]:
    """The report for a terminal, no line wider than `width` except commands, which must paste whole."""
    return list(_lines(diagnosis, max(40, width)))


def _lines(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    if not diagnosis.findings:
        yield from _wrapped("No cause found in this evidence.", width, Style.CAUSE)
    for number, finding in enumerate(diagnosis.findings):
        if number == 1:
            yield _BLANK
            yield Line(Style.LABEL, "It could also be")
        if number == 0:
            yield from _first(finding, width)
            yield from _path(diagnosis, width)
        else:
            yield from _other(finding, width)
    if not diagnosis.findings:
        yield from _path(diagnosis, width)
    if diagnosis.contradictions:
        yield _BLANK
        yield Line(Style.LABEL, "What does not fit together")
        for cited in diagnosis.contradictions:
            yield from _quoted(cited, width)
    if diagnosis.missing:
        yield _BLANK
        yield Line(Style.LABEL, _IN_ORDER)
        for number, each in enumerate(diagnosis.missing, 1):
            yield from _wrapped(each, width, Style.TEXT, f"  {number}. ")
    if diagnosis.ruled_out:
        yield _BLANK
        yield Line(Style.LABEL, "Ruled out")
        for ruled in diagnosis.ruled_out[:_MOST_RULED_OUT]:
            yield from _wrapped(f"{ruled.title or ruled.rule}: {ruled.because}", width, Style.QUIET, "  - ")
        if len(diagnosis.ruled_out) > _MOST_RULED_OUT:
            yield Line(Style.QUIET, f"  - and {len(diagnosis.ruled_out) - _MOST_RULED_OUT} more (see --json)")
    yield _BLANK
    yield from _what_was_read(diagnosis, width)


def _path(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    if diagnosis.path:
        yield _BLANK
        yield Line(Style.LABEL, HEADING)
        yield from (Line(Style.TEXT, line) for line in drawn(diagnosis.path, width))


def _whose(finding: Finding) -> str:
    """Whose it is to fix."""
    if finding.side != "none":
        return f"To be fixed by {_SIDES[finding.side]}"
    return "It is not a connector problem" if finding.catalogue else "Owner of the fix: unknown"


def _first(finding: Finding, width: int) -> Iterator[Line]:
    yield from _wrapped(finding.summary, width, Style.CAUSE)
    known = f"Confidence: {finding.confidence}. {_whose(finding)}."
    catalogue = f" Cause {', '.join(finding.catalogue)}." if finding.catalogue else ""
    yield from _wrapped(known + catalogue, width, Style.QUIET)
    if finding.evidence:
        yield _BLANK
        yield Line(Style.LABEL, "Evidence")
        for cited in finding.evidence[:_MOST_EVIDENCE]:
            yield from _quoted(cited, width)
        if len(finding.evidence) > _MOST_EVIDENCE:
            yield Line(Style.QUIET, f"  and {len(finding.evidence) - _MOST_EVIDENCE} more lines")
    if finding.fix:
        yield _BLANK
        yield Line(Style.LABEL, "Fix")
        for place in _places(finding):
            yield Line(Style.TEXT, f"  {visible(place.name)}:")
            for command in place.commands:
                if place.in_words:
                    yield from _wrapped(command, width, Style.TEXT, "    ")
                else:
                    yield from (Line(Style.COMMAND, f"    {visible(line)}") for line in command.split("\n"))
    for label, text in _follows(finding):
        yield _BLANK
        yield Line(Style.LABEL, label)
        yield from _wrapped(text, width, Style.TEXT, "  ")
    if finding.verify:
        yield _BLANK
        yield Line(Style.LABEL, "Then check")
        yield from _wrapped(finding.verify, width, Style.TEXT, "  ")
    if finding.rule:
        yield Line(Style.QUIET, f"  more: {finding.page}")


def _follows(finding: Finding) -> Iterator[tuple[str, str]]:
    """What comes after the repair, each with its heading."""
    if finding.takes:
        yield "Until it shows", finding.takes
    if finding.waiting_mail:
        yield "Mail that waits", finding.waiting_mail


def _other(finding: Finding, width: int) -> Iterator[Line]:
    yield from _wrapped(f"{finding.summary} ({finding.confidence})", width, Style.TEXT, "  - ")
    for cited in finding.evidence[:2]:
        yield from _quoted(cited, width)


def _quoted(cited: Cited, width: int) -> Iterator[Line]:
    yield Line(Style.QUIET, f"  {visible(str(cited.source))}")
    yield from _wrapped(cited.says[:600], width, Style.EVIDENCE, "    ")


def _what_was_read(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    read = ", ".join(_first_of([f"{each.source} as {each.kind} ({each.items})" for each in diagnosis.read]))
    yield from _wrapped(f"Read: {read or 'nothing'}", width, Style.QUIET)
    for unread in _first_of([f"{each.source.file}: {each.because}" for each in diagnosis.unread]):
        yield from _wrapped(f"Not used: {unread}", width, Style.QUIET)


def _first_of(said: list[str]) -> list[str]:
    """A folder can hold any number of files; --json names all."""
    return said if len(said) <= _MOST_FILES else [*said[:_MOST_FILES], f"and {len(said) - _MOST_FILES} more"]


def _wrapped(text: str, width: int, style: Style, beginning: str = "") -> Iterator[Line]:
    found = textwrap.wrap(
        visible(" ".join(text.split())),
        width,
        initial_indent=beginning,
        subsequent_indent=" " * len(beginning),
        break_on_hyphens=False,
    )
    for each in found or [beginning.rstrip()]:
        yield Line(style, each)


# --- Markdown ----------------------------------------------------------------------------------------------------


def markdown(diagnosis: Diagnosis) -> str:
    """For a ticket or a wiki page."""
    out = ["# Doctor report", ""]
    for number, finding in enumerate(diagnosis.findings, 1):
        out += [f"## {number}. {_in_line(finding.title or finding.rule)}", "", _in_line(finding.summary), ""]
        catalogue = f", cause {', '.join(finding.catalogue)}" if finding.catalogue else ""
        out += [f"Confidence **{finding.confidence}**, side: {finding.side}{catalogue}.", ""]
        out += [f"- {_code(str(cited.source))}: {_code(cited.says)}" for cited in finding.evidence]
        for place in _places(finding):
            out += ["", f"{_in_line(place.name)}:", ""]
            if place.in_words:
                out += [f"- {_in_line(each)}" for each in place.commands]
            else:
                out += [f"    {visible(line)}" for each in place.commands for line in each.split("\n")]
        for label, text in _follows(finding):
            out += ["", f"{label}: {_in_line(text)}"]
        if finding.verify:
            out += ["", f"Then check: {_in_line(finding.verify)}"]
        out += [""]
    if not diagnosis.findings:
        out += ["No cause found in this evidence.", ""]
    if diagnosis.path:
        out += [f"## {HEADING}", "", *(f"    {line}" for line in drawn(diagnosis.path, 80)), ""]
    for title, items in (
        ("What does not fit together", [f"{each.source}: {each.says}" for each in diagnosis.contradictions]),
        (_IN_ORDER, list(diagnosis.missing)),
        ("Ruled out", [f"{each.title or each.rule}: {each.because}" for each in diagnosis.ruled_out]),
        ("Read", _first_of([f"{each.source} as {each.kind}: {each.items}" for each in diagnosis.read])),
        ("Not used", _first_of([f"{each.source.file}: {each.because}" for each in diagnosis.unread])),
    ):
        if items:
            marked = [f"{number}." if title == _IN_ORDER else "-" for number, _ in enumerate(items, 1)]
            out += [
                f"## {title}",
                "",
                *(f"{mark} {_in_line(each)}" for mark, each in zip(marked, items, strict=True)),
                "",
            ]
    return "\n".join(out)


def _in_line(text: str) -> str:
    text = visible(" ".join(text.split()))
    for sign in "\\`*_<>[]":
        text = text.replace(sign, "\\" + sign)
    return text


def _code(text: str) -> str:
    text = visible(" ".join(text.split()))
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"


# --- HTML --------------------------------------------------------------------------------------------------------

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
body{color:#1b1f24;background:#fff}
h1{font-size:1.4rem}
h2{font-size:1.2rem;margin-top:2.2rem}
h3{font-size:1rem;margin-bottom:.3rem}
.says{font-size:1.1rem}
code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f3f5f7;padding:.8rem 1rem;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}
li{margin:.3rem 0;overflow-wrap:anywhere}
.where,p.known,.low{color:#57606a}
.high{color:#0a6b2d}
.medium{color:#8a5a00}
@media(prefers-color-scheme:dark){
body{color:#e6edf3;background:#0d1117}
pre{background:#161b22}
.where,p.known,.low{color:#9198a1}
.high{color:#3fb950}
.medium{color:#d29922}
}
"""


def html(diagnosis: Diagnosis) -> str:
    """One file that needs nothing else: no script, no address outside."""
    picture = f"<h3>{HEADING}</h3>{svg(diagnosis.path)}" if diagnosis.path else ""
    sections = [
        _section(number, each, picture if number == 1 else "") for number, each in enumerate(diagnosis.findings, 1)
    ]
    body = "".join(sections) or f"<p>No cause found in this evidence.</p>{picture}"
    for title, items in (
        ("What does not fit together", [f"{each.source}: {each.says}" for each in diagnosis.contradictions]),
        (_IN_ORDER, list(diagnosis.missing)),
        ("Ruled out", [f"{each.title or each.rule}: {each.because}" for each in diagnosis.ruled_out]),
        ("Read", _first_of([f"{each.source} as {each.kind}: {each.items}" for each in diagnosis.read])),
        ("Not used", _first_of([f"{each.source.file}: {each.because}" for each in diagnosis.unread])),
    ):
        if items:
            kind = "ol" if title == _IN_ORDER else "ul"
            body += f"<h2>{title}</h2><{kind}>{''.join(f'<li>{_text(each)}</li>' for each in items)}</{kind}>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>Doctor report</title>'
        f"<style>{_STYLE}{STYLE}</style></head><body><main><h1>Doctor report</h1>{body}</main></body></html>\n"
    )


def _section(number: int, finding: Finding, picture: str) -> str:
    evidence = "".join(
        f'<li><span class="where">{_text(str(each.source))}</span><br><code>{_text(each.says)}</code></li>'
        for each in finding.evidence
    )
    fixes = "".join(map(_place, _places(finding)))
    follows = "".join(f"<h3>{label}</h3><p>{_text(text)}</p>" for label, text in _follows(finding))
    catalogue = f" · cause {', '.join(finding.catalogue)}" if finding.catalogue else ""
    return (
        f"<section><h2>{number}. {_text(finding.title or finding.rule)}</h2>"
        f'<p class="says">{_text(finding.summary)}</p>'
        f'<p class="known">Confidence <strong class="{finding.confidence}">{finding.confidence}</strong>'
        f" · {_text(_whose(finding))}{_text(catalogue)}</p>{picture}"
        f"{f'<h3>Evidence</h3><ul>{evidence}</ul>' if evidence else ''}{f'<h3>Fix</h3>{fixes}' if fixes else ''}"
        f"{follows}{f'<h3>Then check</h3><p>{_text(finding.verify)}</p>' if finding.verify else ''}</section>"
    )


def _place(place: Place) -> str:
    tag = "p" if place.in_words else "pre"
    return f"<p>{_text(place.name)}:</p>" + "".join(f"<{tag}>{_text(each)}</{tag}>" for each in place.commands)


def _text(text: str) -> str:
    return escape("\n".join(visible(line) for line in text.split("\n")))
