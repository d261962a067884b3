"""Logs of sendmail, qmail, OpenSMTPD and ZoneMTA: what became of each recipient, from which address, with which reply.

What flows: one line gives one delivery, as the session it stands for; lines of the same message are joined by its id,
for the reverse-path. Law: a success is kept as well as a refusal, since what works beside what fails is evidence.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from gatepost.doctor.evidence import RelayPolicyReject, ReplySeen, SmtpSession, TlsSeen
from gatepost.doctor.moments import ANY_MOMENT, moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.replies import replies_in, stage_named
from gatepost.exchange.source import Fact

_SUCCESS: Final = re.compile(r"(?P<code>2\d\d)[ -](?P<text>.*)", re.DOTALL)


def _delivery(
    page: Page, index: int, said: str, kind: str, *, accepted: bool | None, **known: str | None
) -> SmtpSession:
    """A line as a session: `known` holds what the line tells of envelope, peer and own address."""
    line = page.lines[index]
    when = ANY_MOMENT.search(line[:120])
    at = moment(when[0]) if when else None
    address, to = known.get("peer_address") or "", known.get("to")
    replies: list[ReplySeen] = replies_in(
        said,
        page.source(index),
        kind=kind,
        said_by=known.get("peer") or "",
        said_by_address=address,
        reverse_path=known.get("sender"),
        forward_path=to,
        queue_id=known.get("id") or "",
        quoted_by=known.get("host") or "",
        at=at,
    )
    own = known.get("source") or ""
    return SmtpSession(
        source=page.source(index),
        quote=line.strip()[:600],
        session_id=f"{kind}:{known.get('id') or ''}:{page.file}:{index}",
        log="transcript",
        server=known.get("host") or "",
        local_endpoint=own,
        remote_endpoint=address,
        remote_name=known.get("peer") or "",
        reverse_path=known.get("sender"),
        forward_paths=(to,) if to else (),
        replies=tuple(replies),
        at=at,
        accepted=False if replies else accepted,
    )


# --- sendmail --------------------------------------------------------------------------------------------------------

_SENDMAIL: Final = re.compile(
    r"^(?:.{0,40}\s)?(?P<host>[\w.-]{1,80})\s(?:sm-mta|sendmail|sm-msp-queue|sm-acceptingconnections|sSMTP)\w{0,12}\[\d{1,9}\]:\s"
    r"(?:\[ID \d{1,9} \w{1,12}\.\w{1,12}\]\s)?(?:(?P<id>[0-9A-Za-z]{7,18}):\s)?(?P<rest>.*)$"
)
_FIELD: Final = re.compile(
    r"\b(?P<name>from|to|ctladdr|relay|dsn|stat|size|version|verify|cipher|error|reason|errno|ruleset|arg1|reject|reply)="
)
_RELAY: Final = re.compile(
    r"(?P<name>[\w.-]{0,253}?)\.?(?:\s?\[(?:IPv6:)?(?P<address>[0-9A-Fa-f.:]{2,45})\])?(?:\s\(.*\))?$"
)
_NOTICE: Final = re.compile(
    r"(?:\w{12,18}: )?(?:(?:DSN|return to sender|sender notify): (?=[45]\d\d )|(?=[45]\d\d [45]\.\d))(?P<said>[45]\d\d .{0,1000})$"
)


def read_sendmail(page: Page) -> Iterator[Fact]:
    senders: dict[str, str] = {}
    for index, line in page.free():
        match = _SENDMAIL.match(line)
        if match is None:
            continue
        told = _fields(match["rest"])
        relay = _RELAY.match(told.get("relay", ""))
        peer, address = (relay["name"], relay["address"] or "") if relay else ("", "")
        page.take(index)
        if match["rest"].startswith("STARTTLS="):
            yield _handshake(page, index, match["rest"], told, peer, address)
        elif "reject" in told:
            yield from _rejected(page, index, match, told, peer, address)
        elif "stat" in told:
            sender = senders.get(match["id"] or "")
            recipient = told.get("to", "").split(",")[0].strip("<> ")
            known = {
                "peer": peer,
                "peer_address": address,
                "sender": sender,
                "to": recipient,
                "id": match["id"],
                "host": match["host"],
            }
            sent = told["stat"].startswith("Sent")
            said = _with_codes(
                told.get("reply") or told["stat"].partition(": ")[2] or told["stat"], told.get("dsn", "")
            )
            yield _delivery(page, index, "" if sent else said, "sendmail-log", accepted=sent or None, **known)
        elif notice := _NOTICE.match(match["rest"]):
            known = {"sender": senders.get(match["id"] or ""), "id": match["id"], "host": match["host"]}
            yield _delivery(page, index, notice["said"], "sendmail-log", accepted=None, **known)
        elif "from" in told and match["id"]:
            senders[match["id"]] = told["from"].strip("<> ")


def _with_codes(said: str, enhanced: str) -> str:
    """`dsn=5.7.64, stat=Service unavailable`: the reply's text is not logged, its enhanced code is."""
    if enhanced[:2] not in ("4.", "5.") or said[:1].isdigit():
        return said
    return f"{'550' if enhanced[0] == '5' else '451'} {enhanced} {said}"


def _fields(text: str) -> dict[str, str]:
    marks = [*_FIELD.finditer(text[:2000])]
    ends = [*(each.start() for each in marks), len(text)][1:]
    return {each["name"]: text[each.end() : end].rstrip(", ") for each, end in zip(marks, ends, strict=True)}


def _handshake(page: Page, index: int, rest: str, told: Mapping[str, str], peer: str, address: str) -> TlsSeen:
    failed = "error" in told or "reason" in told or "handshake failed" in rest
    when = ANY_MOMENT.search(page.lines[index][:120])
    return TlsSeen(
        source=page.source(index),
        quote=page.lines[index].strip()[:600],
        established=not failed,
        protocol=told.get("version", ""),
        failure=f"{told.get('error', '')} {told.get('reason', '')}".strip() if failed else "",
        peer_trust=told.get("verify", ""),
        log_owner_is="client" if rest.startswith("STARTTLS=client") else "server",
        peer=peer,
        peer_address=address,
        at=moment(when[0]) if when else None,
        kind="sendmail-log",
    )


def _rejected(
    page: Page, index: int, match: re.Match[str], told: Mapping[str, str], peer: str, address: str
) -> Iterator[Fact]:
    """`ruleset=tls_server` and `try_tls` are our own verdict on the peer; `check_*` refuse a client."""
    found = replies_in(told["reject"], page.source(index), kind="sendmail-log", queue_id=match["id"] or "")
    if told.get("ruleset", "").startswith("tls_") or told.get("ruleset") == "try_tls":
        yield from (replace(each, said_by=peer, said_by_address=address) for each in found)
        return
    for reply in found[:1]:
        yield RelayPolicyReject(
            source=page.source(index),
            quote=page.lines[index].strip()[:600],
            software="sendmail",
            host=match["host"],
            client_name=peer,
            client_address=address,
            code=reply.code,
            enhanced=reply.enhanced,
            text=reply.text,
            forward_path=told.get("arg1", "").strip("<> ") if "rcpt" in told.get("ruleset", "") else "",
            stage=stage_named(told.get("ruleset", "").removeprefix("check_")),
        )


# --- qmail -----------------------------------------------------------------------------------------------------------

_QMAIL: Final = re.compile(
    r"^(?:(?P<stamp>[A-Z][a-z]{2}\s{1,2}\d{1,2} [\d:]{8})\s(?P<host>[\w.-]{1,80})\s)?(?:qmail(?:-send)?:\s)?(?:@[0-9a-f]{24}\s|\d{10}\.\d{6}\s)?"
    r"(?P<rest>(?:starting delivery|delivery \d|new msg|info msg|end msg|status:|bounce msg|triple bounce).*)$"
)
_STARTED: Final = re.compile(r"starting delivery (?P<number>\d+): msg (?P<id>\d+) to (?:remote|local) (?P<to>\S+)")
_DONE: Final = re.compile(r"delivery (?P<number>\d+): (?P<what>success|failure|deferral): (?P<said>.*)$")
_INFO: Final = re.compile(r"info msg (?P<id>\d+): bytes \d+ from <(?P<sender>[^>]*)>")
_AFTER: Final = re.compile(r"(?P<address>[0-9A-Fa-f.:]{7,45}) (?:failed after|accepted|does not like|said)")


def read_qmail(page: Page) -> Iterator[Fact]:
    senders: dict[str, str] = {}
    begun: dict[str, tuple[str, str]] = {}
    for index, line in page.free():
        match = _QMAIL.match(line)
        if match is None:
            continue
        page.take(index)
        if started := _STARTED.match(match["rest"]):
            begun[started["number"]] = (started["id"], started["to"])
        elif info := _INFO.match(match["rest"]):
            senders[info["id"]] = info["sender"]
        elif done := _DONE.match(match["rest"]):
            message, recipient = begun.get(done["number"], ("", ""))
            said = re.sub(r"/(?=(?:\d{3}[-_]|Remote|Giving|$))", "\n", done["said"]).replace("_", " ")
            address = _AFTER.search(said)
            known = {
                "peer_address": address["address"] if address else "",
                "sender": senders.get(message),
                "to": recipient,
                "id": message,
                "host": match["host"],
            }
            good = done["what"] == "success"
            yield _delivery(page, index, "" if good else _one_reply(said), "qmail-log", accepted=good or None, **known)


def _one_reply(said: str) -> str:
    """A reply of several lines in one: the code and its dash only once."""
    remote = said.partition("Remote host said: ")[2] or said
    lines = [
        re.sub(r"^\d{3}[- ](?:\d\.\d{1,3}\.\d{1,3} )?", "" if at else r"\g<0>", each.strip())
        for at, each in enumerate(remote.split("\n"))
    ]
    return " ".join(lines)


# --- OpenSMTPD -------------------------------------------------------------------------------------------------------

_OPENSMTPD: Final = re.compile(
    r"(?:\s(?P<host>[\w.-]{1,80})\s)?\b(?:open)?smtpd\[\d{1,9}\]: (?P<session>[0-9a-f]{16}) (?P<where>mta|smtp) (?P<event>[\w-]{1,40})(?: (?P<rest>.{0,4000}))?"
)
_VALUE: Final = re.compile(r'\b([\w-]{1,40})=("[^"]{0,1000}"|<[^>]{0,500}>|[^\s"<]\S{0,1000})')
_AT_HOST: Final = re.compile(r"\[?(?P<address>[0-9A-Fa-f.:]{2,45})\]? \((?P<name>[\w.-]{1,150})\)")


def read_opensmtpd(page: Page) -> Iterator[Fact]:
    for index, line in page.free():
        match = _OPENSMTPD.search(line)
        if match is None:
            continue
        page.take(index)
        values = {key: value.strip('"<>') for key, value in _VALUE.findall(match["rest"] or "")}
        said = values.get("stat") or values.get("result") or ""
        if match["where"] == "smtp" and match["event"] == "failed-command":
            yield _refused_client(page, index, match, values, said)
        elif match["event"] == "delivery":
            yield _opensmtpd_delivery(page, index, match, values, said)
        elif match["event"] == "error" and said:
            yield _delivery(page, index, said, "opensmtpd-log", accepted=None, id=match["session"], host=match["host"])
        elif said and match["event"] != "server-cert-check":
            known = {
                "id": match["session"],
                "to": values.get("to"),
                "sender": values.get("from"),
                "host": match["host"],
            }
            yield _delivery(page, index, f"stat: {said}", "opensmtpd-log", accepted=None, **known)


def _refused_client(
    page: Page, index: int, match: re.Match[str], values: Mapping[str, str], said: str
) -> RelayPolicyReject:
    return RelayPolicyReject(
        source=page.source(index),
        quote=page.lines[index].strip()[:600],
        software="OpenSMTPD",
        host=match["host"] or "",
        client_address=values.get("address", ""),
        text=said,
        code=int(said[:3]) if said[:3].isdecimal() else None,
        at=moment(page.lines[index]),
    )


def _opensmtpd_delivery(
    page: Page, index: int, match: re.Match[str], values: Mapping[str, str], said: str
) -> SmtpSession:
    relay = _AT_HOST.search(values.get("relay", ""))
    good = values.get("result", "").casefold() == "ok"
    return _delivery(
        page,
        index,
        "" if good else f"stat: {said}",
        "opensmtpd-log",
        accepted=good or None,
        id=f"{match['session']}:{values.get('evpid', '')}",
        sender=values.get("from"),
        to=values.get("to"),
        source=values.get("source", ""),
        peer=relay["name"] if relay else values.get("relay", ""),
        peer_address=relay["address"] if relay else "",
        host=match["host"],
    )


# --- JSON lines of a mail server ----------------------------------------------------------------------------------

_RESPONSES: Final = ("response", "error", "err", "message", "msg", "reply")
_RECIPIENTS: Final = ("recipient", "rcpt", "to", "rcptto")
_SENDERS: Final = ("from", "sender", "mailfrom", "mail_from")


def read_json_lines(page: Page) -> Iterator[Fact]:
    """ZoneMTA, Haraka, KumoMTA and applications: an event a line, with the reply in one of its values."""
    for index, line in page.free():
        if not line.lstrip().startswith("{") or '"' not in line:
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, dict):
            continue
        values = {str(key).casefold(): each for key, each in entry.items() if isinstance(each, str)}
        said = _first(values, _RESPONSES)
        if not said or not re.search(r"\b[245]\d\d[ -]", said):
            continue
        page.take(index)
        good = bool(_SUCCESS.match(said))
        sender = _first(values, _SENDERS)
        yield _delivery(
            page,
            index,
            "" if good else said,
            "json-log",
            accepted=good or None,
            id=values.get("queue", "") or values.get("id", ""),
            to=_first(values, _RECIPIENTS),
            sender=sender or None,
            peer=values.get("mx", "") or values.get("name", "") or values.get("peer", ""),
            host=values.get("hostname", ""),
        )


def _first(values: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((values[each] for each in names if values.get(each)), "")
