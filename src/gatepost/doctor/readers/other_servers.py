"""Exim and IIS SMTP: their delivery and refusal lines."""

import re
from collections.abc import Iterator

from gatepost.doctor.evidence import EximLine, Fact, RelayPolicyReject, TlsSeen
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.replies import replies_in
from gatepost.doctor.readers.smtp_log import Row, session_of

_EXIM = re.compile(
    r"^(?:.{0,2000}?\bexim\[\d+\]:\s*)?(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?)"
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


def read_exim(page: Page) -> Iterator[Fact]:
    senders: dict[str, str] = {}
    for index, line in page.free():
        match = _EXIM.match(line)
        if match is None:
            continue
        rest, stamp, source = match["rest"], moment(match["stamp"]), page.source(index)
        host = _HOST.search(rest)
        name = (host["host"] or "") if host else ""
        address = host["address"] if host else ""
        if (mark := _MARK.match(rest)) and match["id"]:
            items = dict(_ITEM.findall(rest))
            if mark["mark"] == "<=":
                senders[match["id"]] = "" if mark["address"] == "<>" else mark["address"]
            page.take(index)
            yield EximLine(
                source=source,
                quote=line.strip()[:600],
                message_id=match["id"],
                mark=mark["mark"],
                address=mark["address"].strip("<>"),
                transport=items.get("T", "").rstrip(":"),
                router=items.get("R", ""),
                tls=items.get("X", ""),
                text=mark["rest"].strip(),
                at=stamp,
                host=name,
                host_address=address,
            )
            if mark["mark"] in ("**", "=="):
                yield from replies_in(
                    rest,
                    source,
                    kind="exim-log",
                    queue_id=match["id"],
                    said_by=name,
                    said_by_address=address,
                    forward_path=mark["address"].strip("<>"),
                    reverse_path=senders.get(match["id"]),
                    connector=items.get("T", "").rstrip(":"),
                    at=stamp,
                )
        elif rejected := _REJECTED.search(rest):
            page.take(index)
            sender = re.search(r"\bF=<([^>]{0,2000})>", rest)
            yield RelayPolicyReject(
                source=source,
                quote=line.strip()[:600],
                software="Exim",
                client_name=name,
                client_address=address,
                text=rejected["text"],
                reverse_path=sender[1] if sender else None,
                forward_path=rejected["address"],
                stage="rcpt" if rejected["stage"] == "RCPT" else "mail" if rejected["stage"] == "MAIL" else "unknown",
                at=stamp,
            )
        elif error := _TLS_ERROR.search(rest):
            page.take(index)
            yield EximLine(
                source=source,
                quote=line.strip()[:600],
                message_id=match["id"] or "",
                mark="tls",
                text=rest,
                at=stamp,
                host=name,
                host_address=address,
            )
            alert = re.search(r"alert number (\d+)", rest)
            yield TlsSeen(
                source=source,
                quote=line.strip()[:600],
                established=False,
                failure=error["text"] or rest,
                alert=int(alert[1]) if alert else None,
                log_owner_is="client",
                peer=name,
                peer_address=address,
                at=stamp,
                kind="exim-log",
            )
        elif match["id"] and re.search(r"SMTP error from remote|[45]\d\d[ -]\d\.\d", rest):
            page.take(index)
            yield from replies_in(
                rest,
                source,
                kind="exim-log",
                queue_id=match["id"],
                said_by=name,
                said_by_address=address,
                at=stamp,
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
