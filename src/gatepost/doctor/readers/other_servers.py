"""Exim and IIS SMTP: their delivery and refusal lines."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gatepost.doctor.evidence import EximLine, Moment, RelayPolicyReject, Stage, TlsSeen
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.replies import replies_in
from gatepost.doctor.readers.smtp_log import Row, session_of
from gatepost.exchange.source import Fact, Source

_EXIM = re.compile(
    r"^(?:(?:.{0,2000}?\bexim\[\d+\]:\s*)?(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?)"
    r"|(?P<syslog>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,25}) \S{1,80} exim4?\[\d+\]:)"
    r"\s{1,40}(?:\[\d+\] )?"
    r"(?:(?P<id>[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) )?(?P<rest>.*)$"
)
_MARK = re.compile(r"^(?P<mark><=|=>|->|\*\*|==|\*>|>>)\s+(?P<address>\S{1,2000})(?P<rest>.*)$")
_HOST = re.compile(r"\bH=(?P<host>[\w.-]+)?(?: \([^)]{0,2000}\))? ?\[(?P<address>[0-9A-Fa-f.:]+)\]")
_ITEM = re.compile(r"\b(R|T|X|CV|DN|C|F|P|U)=((?:\"[^\"]{0,2000}\"|[^\s\"])+)")
_REJECTED = re.compile(
    r"rejected (?P<stage>RCPT|MAIL|DATA|EHLO|after DATA)\s{0,40}<?(?P<address>[^>\s:]*)>?:?\s*(?P<text>.{0,2000})$"
)
_TLS_ERROR = re.compile(
    r"TLS (?:error|session)[^:]{0,150}?(?:\((?P<what>[^)]{0,150})\))?:?\s{0,40}(?P<text>.{0,2000})$"
)


class _Entry(NamedTuple):
    """A line of the main log, with the host that it names."""

    source: Source
    quote: str
    id: str
    rest: str
    host: str
    address: str
    at: Moment | None


def read_exim(page: Page) -> Iterator[Fact]:
    senders: dict[str, str] = {}
    for index, line in page.free():
        match = _EXIM.match(line)
        if match is None:
            continue
        host = _HOST.search(match["rest"])
        entry = _Entry(
            page.source(index),
            line.strip()[:600],
            match["id"] or "",
            match["rest"],
            (host["host"] or "") if host else "",
            host["address"] if host else "",
            moment(match["stamp"] or match["syslog"]),
        )
        facts = list(_of_exim(entry, senders))
        if facts:
            page.take(index)
            yield from facts


def _of_exim(entry: _Entry, senders: dict[str, str]) -> Iterator[Fact]:
    if (mark := _MARK.match(entry.rest)) and entry.id:
        yield from _exim_delivery(entry, mark, senders)
    elif rejected := _REJECTED.search(entry.rest):
        yield _exim_reject(entry, rejected)
    elif error := _TLS_ERROR.search(entry.rest):
        yield from _exim_tls(entry, error)
    elif entry.id and re.search(r"SMTP error from remote|[45]\d\d[ -]\d\.\d", entry.rest):
        yield from replies_in(
            entry.rest,
            entry.source,
            kind="exim-log",
            queue_id=entry.id,
            said_by=entry.host,
            said_by_address=entry.address,
            at=entry.at,
        )


def _exim_delivery(entry: _Entry, mark: re.Match[str], senders: dict[str, str]) -> Iterator[Fact]:
    items = dict(_ITEM.findall(entry.rest))
    if mark["mark"] == "<=":
        senders[entry.id] = "" if mark["address"] == "<>" else mark["address"]
    yield EximLine(
        source=entry.source,
        quote=entry.quote,
        message_id=entry.id,
        mark=mark["mark"],
        address=mark["address"].strip("<>"),
        transport=items.get("T", "").rstrip(":"),
        router=items.get("R", ""),
        tls=items.get("X", ""),
        text=mark["rest"].strip(),
        at=entry.at,
        host=entry.host,
        host_address=entry.address,
    )
    if mark["mark"] in ("**", "=="):
        yield from replies_in(
            entry.rest,
            entry.source,
            kind="exim-log",
            queue_id=entry.id,
            said_by=entry.host,
            said_by_address=entry.address,
            forward_path=mark["address"].strip("<>"),
            reverse_path=senders.get(entry.id),
            connector=items.get("T", "").rstrip(":"),
            at=entry.at,
        )


_REJECTED_AT: Final[dict[str, Stage]] = {"RCPT": "rcpt", "MAIL": "mail"}


def _exim_reject(entry: _Entry, rejected: re.Match[str]) -> RelayPolicyReject:
    sender = re.search(r"\bF=<([^>]{0,2000})>", entry.rest)
    return RelayPolicyReject(
        source=entry.source,
        quote=entry.quote,
        software="Exim",
        client_name=entry.host,
        client_address=entry.address,
        text=rejected["text"],
        reverse_path=sender[1] if sender else None,
        forward_path=rejected["address"],
        stage=_REJECTED_AT.get(rejected["stage"], "unknown"),
        at=entry.at,
    )


def _exim_tls(entry: _Entry, error: re.Match[str]) -> Iterator[Fact]:
    yield EximLine(
        source=entry.source,
        quote=entry.quote,
        message_id=entry.id,
        mark="tls",
        text=entry.rest,
        at=entry.at,
        host=entry.host,
        host_address=entry.address,
    )
    alert = re.search(r"alert number (\d+)", entry.rest)
    yield TlsSeen(
        source=entry.source,
        quote=entry.quote,
        established=False,
        failure=error["text"] or entry.rest,
        alert=int(alert[1]) if alert else None,
        log_owner_is="client",
        peer=entry.host,
        peer_address=entry.address,
        at=entry.at,
        kind="exim-log",
    )


_IIS_FIELDS = re.compile(r"^#Fields:.*\bcs-method\b", re.IGNORECASE)
_IIS_ROW = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ (?:Outbound|Inbound)Connection(?:Response|Command)\b")
_IIS_USUAL = [
    "date",
    "time",
    "c-ip",
    "cs-username",
    "s-sitename",
    "s-computername",
    "s-ip",
    "s-port",
    "cs-method",
    "cs-uri-stem",
    "cs-uri-query",
    "sc-status",
]
"""The columns of a log whose head was not copied."""


def read_iis(page: Page) -> Iterator[Fact]:
    """IIS SMTP in the W3C format: `OutboundConnectionResponse` rows hold what the remote host said."""
    columns: list[str] = []
    rows: dict[str, list[Row]] = {}
    for index, line in page.free():
        if _IIS_FIELDS.match(line):
            columns = line.partition(":")[2].split()
            page.take(index)
            continue
        if not columns and _IIS_ROW.match(line):
            columns = _IIS_USUAL
        if not columns or line.startswith("#") or len(line.split()) < 5:
            continue
        page.take(index)
        peer, row = _iis_row(page, index, dict(zip(columns, line.split(), strict=False)))
        if row.event == ">" and row.data.upper().startswith(("EHLO", "HELO")) and _greeted(rows.get(peer, [])):
            yield session_of(rows.pop(peer), "transcript")
        if row.event:
            rows.setdefault(peer, []).append(row)
    for group in rows.values():
        yield session_of(group, "transcript")


def _greeted(rows: list[Row]) -> bool:
    """Whether a session has said its greeting and more: another greeting in plain text begins the next one."""
    return any(row.event == ">" and row.data.upper().startswith(("MAIL", "RCPT", "QUIT")) for row in rows)


def _iis_row(page: Page, index: int, values: dict[str, str]) -> tuple[str, Row]:
    """A line as a row of a session: what the remote host said, or what was said to it."""
    words = " ".join(
        part for key in ("cs-method", "cs-uri-stem", "cs-uri-query") if (part := values.get(key, "-")) != "-"
    )
    kind = values.get("cs-username", "") + " ".join(values.values())
    event = "<" if "OutboundConnectionResponse" in kind else ">" if "OutboundConnectionCommand" in kind else ""
    text = re.sub(r"^- ", "", words.replace("+", " ").replace("%20", " "))
    when = moment(f"{values.get('date', '')} {values.get('time', '')}")
    peer = values.get("c-ip", "")
    return peer, Row(page.source(index), text, when, "", "", index, "", f"{peer}:25", event, text, "")
