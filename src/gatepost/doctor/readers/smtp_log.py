"""Exchange's (and Gatepost's) SmtpSend and SmtpReceive logs: rows to sessions.

Whole files, several files of one session, and pastes of a few rows: with lost commas, lost years, smart quotes, or all
rows in one paragraph. Well-formed rows go through the protocol log's own codec; the rest is read by what its values
look like.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

from gatepost.doctor.evidence import (
    CertificateSeen,
    GatepostVerdict,
    Moment,
    ReplySeen,
    SmtpSession,
    Stage,
    TlsSeen,
    one_line,
)
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.replies import replies_in
from gatepost.exchange.distinguished_names import distinguished_name
from gatepost.exchange.source import Fact, Source
from gatepost.protocol_log.certificates import LoggedCertificate, Owner, parse_certificate_row
from gatepost.protocol_log.codec import RecordReader

_STAMP = re.compile(r"(?<![\w:.-])\d{3,4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?(?=[,\t;])")
_ROW = re.compile(r"^[>\s|*]{0,6}\d{3,4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?[,\t;]")
_SMART = {0x201C: '"', 0x201D: '"', 0x201E: '"', 0x2033: '"', 0x2018: "'", 0x2019: "'"}
_ENDPOINT = re.compile(r"^\[?[0-9A-Fa-f.:]{0,255}[.:][0-9A-Fa-f.:]*\]?:\d+$|^\[?\d+\.\d+\.\d+\.\d+\]?$")
_SESSION_ID = re.compile(r"^[0-9A-Fa-f]{12,16}$")
_HELLO = re.compile(r"^250[ -]\s*(?P<host>\S+)\s+Hello\s+(?:\S+\s+)?\[(?P<address>[0-9A-Fa-f.:]+)\]", re.IGNORECASE)
_KEYWORD = re.compile(
    r"\b(SIZE|PIPELINING|DSN|ENHANCEDSTATUSCODES|STARTTLS|AUTH|8BITMIME|BINARYMIME|CHUNKING|SMTPUTF8|X-ANONYMOUSTLS|"
    r"X-EXPS|XRDST|X+[A-Z]?|XEXCH50|XSHADOWREQUEST|XPROXY\w*)\b"
)
_TLS_OK = re.compile(r"TLS protocol (?:SP_PROT_)?(\S+?)(?:_CLIENT|_SERVER)? negotiation succeeded")
_TLS_FAILED = re.compile(r"TLS negotiation failed with error (\S+)")
_CHAIN = re.compile(r"chain validation status: '?([A-Za-z0-9_ ]+)'?")
_PATH = re.compile(r"(?:MAIL FROM|RCPT TO):\s*<?([^>\s]*)>?", re.IGNORECASE)


class Row(NamedTuple):
    """One row, however whole it is."""

    source: Source
    quote: str
    at: Moment | None
    connector: str
    session: str
    number: int
    local: str
    remote: str
    event: str
    data: str
    context: str


# --- text to rows ------------------------------------------------------------------------------------------------


def _logical_lines(page: Page) -> Iterator[tuple[int, str]]:
    """(index, text) of every row, cut where several were pasted as one, joined where a quoted value goes on."""
    open_row: tuple[int, str] | None = None
    for index, line in page.free():
        text = line.translate(_SMART)
        stamps = [match.start() for match in _STAMP.finditer(text)] if "T" in text and "-" in text else []
        if stamps and (_ROW.match(text) or (len(stamps) > 1 and text[stamps[0] :].count(",") > 3)):
            if open_row:
                yield open_row
                open_row = None
            page.take(index)
            for start, end in zip(stamps, [*stamps[1:], len(text)], strict=True):
                row = text[start:end].strip()
                if row.count('"') % 2 and end == len(text):
                    open_row = (index, row)
                else:
                    yield index, row
        elif open_row is not None:
            first, row = open_row
            if not text.strip() or text.startswith("#") or index - first > 6:
                yield open_row
                open_row = None
                continue
            page.take(index)
            row = f"{row} {text.strip()}"
            open_row = (first, row)
            if row.count('"') % 2 == 0:
                yield open_row
                open_row = None
    if open_row:
        yield open_row


def _rows(page: Page) -> Iterator[Row]:
    reader = RecordReader()
    for index, line in enumerate(page.lines):
        if line.lstrip("\ufeff").startswith("#") and ":" in line:
            text = line.lstrip("\ufeff")
            if text.lower().startswith(("#fields", "#software", "#version", "#log-type", "#date")):
                reader.feed(text)
                page.take(index)
    for index, text in _logical_lines(page):
        record = reader.feed(text)
        if record is not None:
            stamp = text[: text.index(",")]
            yield Row(
                page.source(index),
                text,
                Moment(stamp, record.at),
                record.connector_id,
                record.session_id.upper(),
                record.sequence_number,
                record.local_endpoint,
                record.remote_endpoint,
                record.event.value,
                record.data,
                record.context,
            )
        elif row := _fragment(page.source(index), text):
            yield row
        else:  # a row of another kind of log
            page.taken.discard(index)


_EVENT = re.compile(r"(?:^|[,\t; ])([<>*+-])(?=[,\t; ]|$)")


def _fragment(source: Source, text: str) -> Row | None:
    """A row that lost something: the event is the first lone sign, the rest is told by its look."""
    stamp = _STAMP.match(text)
    if stamp is None:
        return None
    event = _EVENT.search(text, stamp.end())
    if event is None:
        return None
    head = [part.strip() for part in re.split(r"[,\t;]", text[stamp.end() : event.start(1)])]
    tail = text[event.end(1) :].lstrip(",\t; ")
    session = next((part for part in head if _SESSION_ID.match(part)), "")
    endpoints = [part for part in head if _ENDPOINT.match(part)]
    number = next((part for part in head if part.isdecimal() and len(part) < 6), "0")
    connector = next(
        (part for part in head if part and part not in endpoints and part != session and not part.isdecimal()), ""
    )
    data, context = _data_and_context(tail)
    return Row(
        source,
        text,
        moment(stamp[0]),
        connector,
        session.upper(),
        int(number),
        endpoints[0] if len(endpoints) > 1 else "",
        endpoints[-1] if endpoints else "",
        event[1],
        data,
        context,
    )


def _data_and_context(tail: str) -> tuple[str, str]:
    if tail.startswith('"'):
        closing = re.search(r'"(?:,|\s*$)', tail[1:].replace('""', "\0\0"))
        if closing:
            return tail[1 : closing.start() + 1].replace('""', '"'), tail[closing.end() + 1 :].strip(", ")
        return tail.strip('", ').replace('""', '"'), ""
    for label in _LABELS:
        if (at := tail.find(label)) >= 0:
            return tail[:at].rstrip(", "), tail[at:].strip('", ')
    data, separator, context = tail.rpartition(",")
    return (data, context.strip()) if separator else (tail, "")


_LABELS = (
    "Sending certificate",
    "Remote certificate",
    "Received certificate",
    "Certificate subject",
    "Certificate issuer name",
    "Certificate serial number",
    "Certificate thumbprint",
    "Certificate alternate names",
    "Certificate subject alternate names",
    "TLS negotiation failed",
    "TLS protocol",
)

# --- rows to sessions --------------------------------------------------------------------------------------------

_ATTRIBUTES = {
    "certificate subject": "subject",
    "certificate issuer name": "issuer",
    "certificate issuer": "issuer",
    "certificate serial number": "serial",
    "certificate thumbprint": "thumbprint",
    "certificate alternate names": "names",
    "certificate subject alternate names": "names",
}


@dataclass(slots=True)
class _Session:
    """A session while its rows are gone through."""

    rows: list[Row]
    receiving: bool
    kind: str
    pending: list[tuple[Stage, str]] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    certificates: list[CertificateSeen] = field(default_factory=list)
    replies: list[ReplySeen] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    role: str = ""
    attribute_row: Row | None = None
    tls_rows: list[TlsSeen] = field(default_factory=list)
    accepted: bool = False
    refused: bool = False

    def finished(self) -> SmtpSession:
        for row in self.rows:
            self._see(row)
        self._close_attributes()
        first, last = self.rows[0], self.rows[-1]
        tls = self._tls()
        sender = self.values.get("reverse_path")
        known = {"reverse_path": sender, "said_by": self.values.get("remote_name", "")}
        replies = tuple(
            replace(
                each,
                reverse_path=sender if each.stage not in ("connect", "ehlo", "starttls") else None,
                said_by=each.said_by or ("" if self.receiving else known["said_by"] or ""),
            )
            for each in self.replies
        )
        refused = any(each.code >= 400 for each in replies)
        values = {key: value for key, value in self.values.items() if key != "stopped"}
        return SmtpSession(
            source=first.source,
            quote=first.quote[:300],
            session_id=first.session,
            connector=next((row.connector for row in self.rows if row.connector), ""),
            log="receive" if self.receiving else "send",
            local_endpoint=next((row.local for row in self.rows if row.local), ""),
            remote_endpoint=next((row.remote for row in self.rows if row.remote), ""),
            tls=tls,
            forward_paths=tuple(dict.fromkeys(self.recipients)),
            replies=replies,
            certificates=tuple(self.certificates),
            at=first.at,
            ended_at=last.at,
            accepted=False if refused else True if self.accepted else None,
            **values,
        )

    def _see(self, row: Row) -> None:
        label = one_line(row.context).casefold()
        if row.event == "*":
            self._information(row, label)
            return
        self._close_attributes()
        if row.event == "-":
            self.values["ended"] = row.context.strip()
        elif row.event == ">":
            self._reply(row) if self.receiving else self._command(row)
        elif row.event == "<":
            self._command(row) if self.receiving else self._reply(row)

    def _information(self, row: Row, label: str) -> None:
        attribute = _ATTRIBUTES.get(label)
        if attribute is None and not row.context:
            for text, name in _ATTRIBUTES.items():  # a row that lost the comma before its label
                if row.data.casefold().endswith(" " + text):
                    row = row._replace(data=row.data[: -len(text)].strip())
                    attribute = name
                    break
        if attribute:
            self.role = self.role or "sent"
            if attribute in self.attributes:
                self._close_attributes()
            self.attributes[attribute] = row.data.strip()
            self.attribute_row = self.attribute_row or row
            return
        self._close_attributes()
        both = f"{row.context} {row.data}"
        if label.startswith(("sending certificate", "remote certificate", "received certificate")) or (
            not label and row.data.casefold().startswith("sending certificate")
        ):
            own = label.startswith("sending") or row.data.casefold().startswith("sending")
            self.role = "sent" if own else "remote"
            logged = parse_certificate_row(row.data, one_line(row.context)) or _loose_certificate(row.data, own)
            if logged is not None:
                self.certificates.append(self._certificate(logged, row))
            elif own:
                self.attribute_row = row
            return
        if found := _TLS_FAILED.search(both):
            self._tls_row(row, established=False, failure=found[1].rstrip(".,"))
        elif found := _TLS_OK.search(both):
            self._tls_row(row, established=True, protocol=_protocol(found[1]))
        elif found := _CHAIN.search(both):
            self._tls_row(row, established=None, chain_status=found[1].strip())

    def _tls_row(self, row: Row, **values: Any) -> None:
        self.tls_rows.append(
            TlsSeen(
                source=row.source,
                quote=row.quote[:400],
                log_owner_is="server" if self.receiving else "client",
                session_id=row.session,
                connector=row.connector,
                at=row.at,
                peer_address=_address_of(row.remote),
                kind=self.kind,
                **values,
            )
        )

    def _close_attributes(self) -> None:
        if len(self.attributes) >= 1 and self.attribute_row:
            told = self.attributes
            names = told.get("names", "")
            logged = LoggedCertificate(
                owner=Owner.OWN if self.role == "sent" else Owner.PEER,
                subject=told.get("subject", ""),
                issuer=told.get("issuer", ""),
                serial=told.get("serial", ""),
                thumbprint=told.get("thumbprint", "").upper().replace(" ", ""),
                names=tuple(re.split(r"[;,\s]+", names)) if names else (),
            )
            self.certificates.append(self._certificate(logged, self.attribute_row))
        self.attributes = {}
        self.attribute_row = None

    def _certificate(self, logged: LoggedCertificate, row: Row) -> CertificateSeen:
        own = logged.owner is Owner.OWN
        subject = distinguished_name(logged.subject) if logged.subject else None
        issuer = distinguished_name(logged.issuer) if logged.issuer else None
        return CertificateSeen(
            source=row.source,
            quote=one_line(f"{row.context}: {row.data}")[:500],
            role="sent" if own else "remote",
            subject=subject,
            issuer=issuer,
            names=tuple(each.strip().casefold() for each in logged.names if each.strip()),
            names_told=bool(logged.names),
            serial=logged.serial.upper(),
            thumbprint=logged.thumbprint,
            not_before=Moment(logged.not_before.isoformat(), logged.not_before.timestamp())
            if logged.not_before
            else None,
            not_after=Moment(logged.not_after.isoformat(), logged.not_after.timestamp()) if logged.not_after else None,
            self_signed=subject.key == issuer.key if subject and issuer else None,
            connector=row.connector,
            session_id=row.session,
            at=row.at,
        )

    def _tls(self) -> TlsSeen | None:
        if not self.tls_rows:
            sent = next((each for each in self.certificates if each.role == "sent"), None)
            starttls = self.values.get("starttls_sent")
            if sent is None and not starttls:
                return None
            origin = sent or self.rows[0]
            return TlsSeen(
                source=origin.source,
                quote=origin.quote[:400],
                client_certificate_sent=True if sent and not self.receiving else None,
                log_owner_is="server" if self.receiving else "client",
                session_id=self.rows[0].session,
                connector=self.rows[0].connector,
                kind=self.kind,
            )
        base = next((each for each in self.tls_rows if each.established is False), self.tls_rows[0])
        chain = next((each.chain_status for each in self.tls_rows if each.chain_status), "")
        sent_by_us = any(each.role == "sent" for each in self.certificates)
        told: bool | None
        if self.receiving:
            came = any(each.role == "remote" for each in self.certificates)
            told = False if chain == "EmptyCertificate" else True if chain or came else None
        else:
            # Exchange writes the row whenever it presents one, so a handshake without it presented none.
            told = True if sent_by_us else False if base.established else None
        return replace(
            base,
            chain_status=chain,
            client_certificate_sent=told,
            established=base.established if base.established is not None else True,
            protocol=next((each.protocol for each in self.tls_rows if each.protocol), ""),
        )

    def _command(self, row: Row) -> None:
        text = row.data.strip()
        verb = text[:9].upper()
        stage: Stage = "unknown"
        path = ""
        if verb.startswith(("EHLO", "HELO")):
            stage = "ehlo"
            self.values.setdefault("ehlo_name", text[4:].strip())
            self.values["ehlo_seen"] = True
        elif verb.startswith("STARTTLS"):
            stage = "starttls"
            self.values["starttls_sent"] = True
        elif verb.startswith("MAIL FROM"):
            stage = "mail"
            found = _PATH.match(text)
            self.values["reverse_path"] = found[1] if found else None
            self.values["reverse_path_at"] = row.source
        elif verb.startswith("RCPT TO"):
            stage = "rcpt"
            found = _PATH.match(text)
            path = found[1] if found else ""
            self.recipients.append(path)
        elif verb.startswith("DATA"):
            stage = "data"
        elif verb.startswith("BDAT"):
            stage = "end-of-data"
        elif verb.startswith("AUTH") or verb.startswith("X-EXPS"):
            stage = "auth"
        elif verb.startswith("QUIT"):
            stage = "quit"
        self.pending.append((stage, path))

    def _reply(self, row: Row) -> None:
        text = row.data.strip()
        code = text[:3]
        if not code.isdecimal() or len(code) < 3:
            return
        continues = text[3:4] == "-"
        hello = _HELLO.match(text)
        if hello and not self.receiving:
            self.values.setdefault("hello_address", hello["address"])
            self.values.setdefault("remote_name", hello["host"])
        stage, path = self.pending[0] if self.pending else ("unknown", "")
        if code == "220" and not self.pending:
            self.values.setdefault("banner", text)
            host = text[4:].split(" ", 1)[0]
            if "." in host and any(map(str.isalpha, host)) and not self.receiving:
                self.values.setdefault("remote_name", host)
        elif code == "250" and (stage == "ehlo" or hello):
            self._ehlo_reply(text)
            stage = "ehlo"
        if self.pending and not continues and code != "354":
            self.pending.pop(0)
        elif code == "354" and self.pending:
            self.pending[0] = ("end-of-data", "")
        number = int(code)
        if number >= 400:
            found = replies_in(text, row.source, stage=stage, kind=self.kind)
            base = found[0] if found else ReplySeen(source=row.source, code=number, text=text[4:], stage=stage)
            self.replies.append(
                replace(
                    base,
                    code=number,
                    stage=stage if stage != "unknown" else base.stage,
                    quote=text,
                    kind=self.kind,
                    said_by_address="" if self.receiving else _address_of(row.remote),
                    forward_path=path or None,
                    connector=row.connector,
                    session_id=row.session,
                    at=row.at,
                )
            )
        elif number == 250 and (stage in ("rcpt", "end-of-data", "data") or re.match(r"250 2\.(?:1\.5|6\.0)\b", text)):
            self.accepted = True
            self.replies.append(
                ReplySeen(
                    source=row.source,
                    code=number,
                    enhanced=found_enhanced(text),
                    text=text[4:],
                    stage=stage,
                    quote=text[:300],
                    kind=self.kind,
                    forward_path=path or None,
                    connector=row.connector,
                    session_id=row.session,
                    at=row.at,
                )
            )

    def _ehlo_reply(self, text: str) -> None:
        self.values["ehlo_seen"] = True
        words = tuple(dict.fromkeys(_KEYWORD.findall(text.upper())))
        which = "keywords_after_tls" if self.values.get("starttls_sent") else "keywords"
        self.values[which] = tuple(dict.fromkeys((*self.values.get(which, ()), *words)))
        if which == "keywords":
            self.values["starttls_offered"] = "STARTTLS" in self.values[which]


def found_enhanced(text: str) -> str:
    found = re.match(r"\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b", text)
    return found[1] if found else ""


def _protocol(name: str) -> str:
    found = re.search(r"TLS1(?:_(\d))?", name)
    return f"TLSv1.{found[1]}" if found and found[1] and found[1] != "0" else "TLSv1" if found else name


def _address_of(endpoint: str) -> str:
    return endpoint.rpartition(":")[0].strip("[]") if endpoint.count(":") else endpoint


_THUMBPRINT = re.compile(r"\b([0-9A-Fa-f]{40})\b")


def _loose_certificate(data: str, own: bool) -> LoggedCertificate | None:
    """A joined row that lost part of its values: whatever still shows."""
    if "=" not in data:
        return None
    thumbprint = _THUMBPRINT.search(data)
    head = data[: thumbprint.start()].strip() if thumbprint else data
    serial = re.search(r"\s([0-9A-Fa-f]{8,40})\s*$", head)
    names = head[: serial.start()] if serial else head
    second = list(re.finditer(r"(?<![,;+]) (?=(?:CN|E|OU|O|C)=)", names.strip()))
    if not second and len(re.findall(r"\bCN=", names)) == 2:  # two names of which the paste ate the borders
        second = list(re.finditer(r",? +(?=CN=)", names.strip()))[-1:]
    names = names.strip()
    subject, issuer = (names[: second[-1].start()], names[second[-1].end() :]) if second else (names, "")
    rest = data[thumbprint.end() :] if thumbprint else ""
    dates = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+Z", rest)
    alternate = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", rest).split()
    at = [moment(each) for each in dates]
    from datetime import UTC, datetime

    days = [datetime.fromtimestamp(each.at, UTC) if each and each.at is not None else None for each in at]
    return LoggedCertificate(
        owner=Owner.OWN if own else Owner.PEER,
        subject=subject,
        issuer=issuer,
        serial=serial[1] if serial else "",
        thumbprint=thumbprint[1].upper() if thumbprint else "",
        not_before=days[0] if days else None,
        not_after=days[1] if len(days) > 1 else None,
        names=tuple(name for each in alternate for name in each.split(";") if "." in name),
    )


# --- the reader --------------------------------------------------------------------------------------------------


def sessions_of(rows: Iterable[Row], log_type: str = "") -> Iterator[SmtpSession]:
    """The rows of any files, joined by session id; rows without one belong to what stands around them."""
    groups: dict[tuple[str, str], list[Row]] = {}
    anonymous = 0
    previous = ""
    for row in rows:
        key = row.session
        if not key:
            if row.event == "+" or not previous:
                anonymous += 1
            key = previous = f"#{anonymous}"
        else:
            previous = key
        groups.setdefault((key, row.connector if row.session else ""), []).append(row)
    merged: dict[str, list[Row]] = {}
    for (key, _), found in groups.items():
        merged.setdefault(key, []).extend(found)
    for group in merged.values():
        if all(row.session for row in group) and len({row.number for row in group}) > 1:
            group.sort(key=lambda row: (row.at.at if row.at and row.at.at else 0, row.number))
        receiving = _is_receiving(group, log_type)
        kind = "exchange-receive-log" if receiving else "exchange-send-log"
        yield _Session(rows=group, receiving=receiving, kind=kind).finished()


def joined_sessions(sessions: Iterable[SmtpSession]) -> list[SmtpSession]:
    """Sessions whose rows stood in several files put together; the same rows handed in twice count once."""
    found: dict[tuple[str, str], SmtpSession] = {}
    for number, session in enumerate(sessions):
        key = (session.session_id or f"#{number}", session.log)
        found[key] = _joined(found[key], session) if key in found else session
    return list(found.values())


def _joined(one: SmtpSession, other: SmtpSession) -> SmtpSession:
    values: dict[str, Any] = {}
    for each in fields(SmtpSession):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        if each.name == "accepted":
            values[each.name] = False if False in (mine, theirs) else mine if mine is not None else theirs
        elif each.name in ("replies", "certificates"):
            known = {(item.quote, item.at) for item in mine}
            values[each.name] = mine + tuple(item for item in theirs if (item.quote, item.at) not in known)
        elif each.name == "tls":
            values[each.name] = theirs if theirs and (mine is None or theirs.established is False) else mine
        else:
            values[each.name] = theirs if mine in (None, "", ()) else mine
    return SmtpSession(**values)


def session_of(rows: list[Row], log: Literal["send", "receive", "postfix", "transcript"]) -> SmtpSession:
    """One session whose rows another reader made."""
    return replace(_Session(rows=rows, receiving=log == "receive", kind=log).finished(), log=log)


def _is_receiving(rows: list[Row], log_type: str) -> bool:
    if "receive" in log_type:
        return True
    if "send" in log_type:
        return False
    for row in rows:
        if row.event in "<>" and row.data[:4].upper() in ("EHLO", "HELO", "MAIL", "RCPT", "STAR", "QUIT"):
            return row.event == "<"
        if row.event in "<>" and re.match(r"[2-5]\d\d[ -]", row.data):  # who answers is the server
            return row.event == ">"
        if row.context.startswith("Client certificate chain") or "\\" in row.connector:
            return True  # only a receive connector has its server's name before its own
    return False


def _verdicts(rows: list[Row]) -> Iterator[GatepostVerdict]:
    """What Gatepost's own log says of attribution: the verdict's row, and a row for each reason after it."""
    reasons: dict[str, list[tuple[str, str, str]]] = {}
    verdicts: list[Row] = []
    for row in rows:
        if row.event == "*" and row.context.startswith("attribution of "):
            verdicts.append(row)
        elif row.event == "*" and _REASON_CODE.fullmatch(row.data.strip()):
            reasons.setdefault(row.session, []).append((row.data.strip(), "", row.context))
    for row in verdicts:
        yield GatepostVerdict(
            source=row.source,
            quote=row.quote[:400],
            outcome=row.data,
            reasons=tuple(reasons.get(row.session, ())),
            session_id=row.session,
        )


_REASON_CODE = re.compile(r"[a-z]+(?:-[a-z]+)+")


def read(page: Page) -> Iterator[Fact]:
    log_type = next((line.casefold() for line in page.lines if line.casefold().startswith("#log-type")), "")
    if log_type and "smtp" not in log_type:
        return
    taken = set(page.taken)
    rows = list(_rows(page))
    if not rows:
        page.taken = taken  # the `#` lines are another log's
        return
    yield from _verdicts(rows)
    yield from sessions_of(rows, log_type)
