"""Postfix: the mail log in both time stamps and both queue-id forms, and its configuration."""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Any

from gatepost.doctor.evidence import PostfixDelivery, PostfixSetting, PostfixTlsLine, RelayPolicyReject, TlsSeen
from gatepost.doctor.moments import moment
from gatepost.doctor.page import Page
from gatepost.doctor.readers.postfix_defaults import chroot_of, defaults_of
from gatepost.doctor.readers.replies import replies_in, stage_named
from gatepost.exchange.source import Fact

_LINE = re.compile(
    r"^(?:(?:.{0,2000}?[>|:\s])??(?P<stamp>\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d)?|[A-Z][a-z]{2}\s+\d{1,2}\s\d\d:\d\d:\d\d)\s+"
    r"(?P<host>[\w.-]+)\s+)?(?P<service>postfix[\w./-]*|[\w-]+/(?:smtpd?|lmtp|bounce|qmgr|cleanup))\[(?P<pid>\d+)\]:?\s{0,40}"
    r"(?P<rest>.*)$"
)
_QUEUE_ID = re.compile(r"^(?P<id>[0-9A-F]{3,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}|NOQUEUE): (?P<rest>.*)$")
_DELIVERY = re.compile(
    r"to=<(?P<to>[^>]{0,2000})>,(?: orig_to=<(?P<orig>[^>]*)>,)? relay=(?P<relay>[^\s,\[]+)(?:\[(?P<address>[^\]]{0,60})\])?"
    r"(?::(?P<port>\d+))?,.{0,190}?dsn=(?P<dsn>[\d.]+), status=(?P<status>\w+) \((?P<response>.{0,2000}?)\)?\s{0,40}$"
)
_SENDER = re.compile(
    r"(?P<id>[0-9A-Za-z]{3,20}): (?:uid=\d+ from=<(?P<local>[^>]{0,2000})>|from=<(?P<from>[^>]{0,2000})>, size=)"
)
_PEER = r"(?P<peer>[\w.-]{1,255}|unknown)\[(?P<address>[0-9A-Fa-f.:]{1,60})\]"
_ESTABLISHED = re.compile(
    rf"(?P<trust>Untrusted|Trusted|Verified|Anonymous) TLS connection established (?P<way>to|from) {_PEER}(?::\d+)?: "
    r"(?P<protocol>\S{1,60}) with cipher (?P<rest>.{0,2000})$"
)
_REJECT = re.compile(
    rf"\b(?:\w{{1,60}}): (?:\w{{1,60}}: )?reject(?:_warning)?: (?P<stage>[A-Z-]+(?: [A-Z]+)?) from {_PEER}(?::\d+)?: (?P<code>\d{{3}})"
    r" (?P<enhanced>\d\.\d+\.\d+)?\s*(?P<text>.{0,2000}?)(?:; (?:from=<(?P<from>[^>]{0,190})> )?(?:to=<(?P<to>[^>]{0,190})> )?"
    r"(?:proto=\S{1,20} )?(?:helo=<(?P<helo>[^>]{0,190})>)?.{0,190})?$"
)
_ALERT = re.compile(r"alert number (\d+)|SSL alert number (\d+)", re.IGNORECASE)
_ALERT_TEXT = re.compile(r"alert ([a-z][a-z ]{0,60})(?::|$)")
_TLS_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ssl-error", re.compile(r"SSL_(?:connect|accept) error")),
    ("library-problem", re.compile(r"TLS library problem")),
    ("cannot-start-tls", re.compile(r"Cannot start TLS")),
    ("not-offered", re.compile(r"TLS is required, but was not offered")),
    ("pix-workaround", re.compile(r"PIX workarounds")),
    (
        "no-certificate",
        re.compile(r"(?:cannot (?:get|load)|no) (?:\w+ ){0,30}(?:certificate|private key)", re.IGNORECASE),
    ),
    ("verify-problem", re.compile(r"certificate verification failed|verify depth|verify error|not verified", re.I)),
    ("lost-connection", re.compile(r"(?:lost connection|SSL_read|TLS read error|timeout after) ?", re.IGNORECASE)),
    ("connect-failed", re.compile(r"connect to .{0,2000}(?:timed out|refused|unreachable|No route)", re.IGNORECASE)),
    ("other", re.compile(r"\bTLS\b|SSL", re.IGNORECASE)),
)
_AT = re.compile(rf"{_PEER}")


def read_log(page: Page) -> Iterator[Fact]:
    senders: dict[str, str] = {}
    for _, line in page.free():
        told = _SENDER.search(line)
        if told:  # the queue manager's line comes after pickup's, and knows the domain
            senders[told["id"]] = told["from"] if told["from"] is not None else told["local"]
    for index, line in page.free():
        match = _LINE.match(line)
        if match is None:
            delivery = _DELIVERY.search(line)
            if delivery is None:
                continue
            head, pid, service, host, stamp = line[: delivery.start()], None, "", "", None
        else:
            delivery = _DELIVERY.search(match["rest"])
            head, pid, service, host = match["rest"], int(match["pid"]), match["service"], match["host"] or ""
            stamp = moment(match["stamp"] or "")
        page.take(index)
        queue = _QUEUE_ID.match(head) or re.search(r"(?P<id>[0-9A-Za-z]{8,20}):\s*$", head)
        queue_id = queue["id"] if queue else ""
        if delivery is not None:
            yield from _delivery(page, index, line, delivery, queue_id, pid, service, host, stamp, senders)
        elif match is not None:
            yield from _other(page, index, line, match, pid, service, host, stamp)


def _delivery(page, index, line, found, queue_id, pid, service, host, stamp, senders) -> Iterator[Fact]:  # type: ignore[no-untyped-def]
    source, response = page.source(index), found["response"]
    yield PostfixDelivery(
        source=source,
        quote=line.strip(),
        queue_id=queue_id,
        process=pid,
        service=service,
        host=host,
        reverse_path=senders.get(queue_id),
        forward_path=found["to"],
        original_forward_path=found["orig"] or "",
        relay=found["relay"],
        relay_address=found["address"] or "",
        relay_port=int(found["port"]) if found["port"] else None,
        enhanced=found["dsn"],
        status=found["status"],
        response=response,
        at=stamp,
    )
    if found["status"] == "sent":
        return
    known = {
        "kind": "postfix-log",
        "queue_id": queue_id,
        "at": stamp,
        "said_by": found["relay"],
        "said_by_address": found["address"] or "",
        "quoted_by": host,
        "forward_path": found["to"],
        "reverse_path": senders.get(queue_id),
        "connector": service if service.count("/") > 1 else "",
    }
    if " said: " in response or " refused to talk to me: " in response:
        said = response.split(" said: ")[-1].split(" refused to talk to me: ")[-1]
        yield from replies_in(said, source, **known)
    if "Cannot start TLS" in response or "TLS is required" in response or "lost connection" in response:
        kind = (
            "not-offered"
            if "TLS is required" in response
            else ("cannot-start-tls" if "Cannot" in response else "lost-connection")
        )
        yield PostfixTlsLine(
            source=source,
            quote=line.strip(),
            process=pid,
            service=service,
            host=host,
            kind=kind,  # type: ignore[arg-type]
            peer=found["relay"],
            peer_address=found["address"] or "",
            text=response,
            at=stamp,
        )


def _other(page, index, line, match, pid, service, host, stamp) -> Iterator[Fact]:  # type: ignore[no-untyped-def]
    rest = match["rest"]
    common = {"source": page.source(index), "quote": line.strip(), "process": pid, "service": service}
    common |= {"host": host, "at": stamp}
    if found := _ESTABLISHED.search(rest):
        yield from _established(found, rest, common)
    elif found := _REJECT.search(rest):
        yield _rejected(found, common)
    elif re.search(r"host \S+ (?:said|refused to talk to me): ", rest):
        yield from replies_in(rest, page.source(index), kind="postfix-log", at=stamp, quoted_by=host)
    else:
        yield from _about_tls(rest, common)


def _established(found: re.Match[str], rest: str, common: dict[str, Any]) -> Iterator[Fact]:
    sent = "client-signature" in found["rest"] or "client-digest" in found["rest"]
    told: bool | None = True if sent else False if found["protocol"] == "TLSv1.3" else None
    yield PostfixTlsLine(
        kind="established",
        trust=found["trust"],
        protocol=found["protocol"],
        client_certificate_sent=told,
        peer=found["peer"],
        peer_address=found["address"],
        text=rest,
        **common,
    )
    yield TlsSeen(
        source=common["source"],
        quote=common["quote"],
        established=True,
        protocol=found["protocol"],
        client_certificate_sent=told,
        peer_trust=found["trust"],
        log_owner_is="client" if found["way"] == "to" else "server",
        peer=found["peer"],
        peer_address=found["address"],
        at=common["at"],
        kind="postfix-log",
    )


def _rejected(found: re.Match[str], common: dict[str, Any]) -> RelayPolicyReject:
    return RelayPolicyReject(
        source=common["source"],
        quote=common["quote"],
        software="Postfix",
        host=common["host"],
        client_name=found["peer"],
        client_address=found["address"],
        code=int(found["code"]),
        enhanced=found["enhanced"] or "",
        text=found["text"],
        reverse_path=found["from"],
        forward_path=found["to"] or "",
        helo=found["helo"] or "",
        stage=stage_named(found["stage"]),
        at=common["at"],
    )


def _about_tls(rest: str, common: dict[str, Any]) -> Iterator[Fact]:
    kind = next((kind for kind, pattern in _TLS_LINES if pattern.search(rest)), None)
    if kind is None:
        return
    alert, words, peer = _ALERT.search(rest), _ALERT_TEXT.search(rest), _AT.search(rest)
    fact = PostfixTlsLine(
        kind=kind,  # type: ignore[arg-type]
        alert=int(alert[1] or alert[2]) if alert else None,
        alert_text=words[1].strip() if words else "",
        peer=peer["peer"] if peer else "",
        peer_address=peer["address"] if peer else "",
        text=rest,
        **common,
    )
    yield fact
    if kind in ("ssl-error", "library-problem"):
        yield TlsSeen(
            source=fact.source,
            quote=fact.quote,
            established=False,
            failure=fact.alert_text or rest,
            alert=fact.alert,
            log_owner_is="server" if "smtpd" in fact.service else "client",
            peer=fact.peer,
            peer_address=fact.peer_address,
            at=fact.at,
            kind="postfix-log",
        )


# --- configuration -----------------------------------------------------------------------------------------------

_SETTING = re.compile(
    r"^(?:\s*|.{0,2000}?[#$]\s*postconf -e ['\"]?)(?P<name>[a-z][a-z0-9]*(?:_[A-Za-z0-9]+)+|relayhost|mydomain|myhostname|mynetworks|myorigin|mydestination|inet_protocols)\s*=\s{0,40}(?P<value>.*?)['\"]?\s{0,40}$"
)
_MASTER = re.compile(
    r"^(?P<name>[\w.:\[\]-]+)\s+(?P<type>inet|unix|fifo|pass)\s+[yn-]\s+[yn-]\s+(?P<chroot>[yn-])\s+\S+\s+\S+\s+(?P<command>\w+)"
)
_OPTION = re.compile(r"-o\s{1,40}\{?\s*(?P<name>\w+)\s*=\s*(?P<value>[^\s}]*(?:\s(?!-o)[^\s}]+)*)\}?")
_PROMPTED = re.compile(r"^\s*(?:[\w.-]{1,40}@)?(?P<host>[A-Za-z][\w.-]{0,60})(?::[^#$\n]{0,120}|\s+\S{1,60})?[#$]\s")
_WHOLE = re.compile(r"postconf\s+-n\s*(?:$|[;&>])")
_FEW_SETTINGS = 3


def read_settings(page: Page) -> Iterator[Fact]:
    """`postconf -n`, main.cf, master.cf: what is written, then the defaults that a whole main.cf leaves in force."""
    written: list[PostfixSetting] = []
    services: list[tuple[int, re.Match[str]]] = []
    service = server = ""
    index = 0
    while index < len(page.lines):
        line = page.lines[index]
        if prompt := _PROMPTED.match(line[:300]):
            server = prompt["host"]
        if index in page.taken:
            index += 1
            continue
        if match := _MASTER.match(line):
            service = f"{match['name']}/{match['type']}"
            services.append((index, match))
            page.take(index)
            yield from _options(page, index, service, server)
        elif service and line[:1] in " \t" and _OPTION.search(line):
            page.take(index)
            yield from _options(page, index, service, server)
        elif (match := _SETTING.match(line)) and _known(match["name"]):
            service = ""
            first = index
            index, value = _value(page, index, match["value"])
            page.take(first, index)
            quote = page.lines[first].strip()
            setting = PostfixSetting(
                source=page.source(first), quote=quote, name=match["name"], value=value, server=server
            )
            written.append(setting)
            yield setting
        index += 1
    yield from _services(page, services, written, server)
    if _is_whole(page, written):
        yield from defaults_of(written)


def _options(page: Page, index: int, service: str, server: str) -> Iterator[PostfixSetting]:
    line = page.lines[index]
    for option in _OPTION.finditer(line):
        yield PostfixSetting(
            source=page.source(index),
            quote=line.strip(),
            name=option["name"],
            value=option["value"].strip(),
            service=service,
            server=server,
        )


def _value(page: Page, index: int, value: str) -> tuple[int, str]:
    """A value with its indented lines, and the last of those."""
    while index + 1 < len(page.lines) and page.lines[index + 1][:1] in (" ", "\t") and page.lines[index + 1].strip():
        if _SETTING.match(page.lines[index + 1]):
            break
        index += 1
        value = f"{value} {page.lines[index].strip()}".strip()
    return index, value


def _services(
    page: Page, services: list[tuple[int, re.Match[str]]], written: list[PostfixSetting], server: str
) -> Iterator[PostfixSetting]:
    """Of each service of master.cf the command, and whether it runs in the chroot."""
    for index, match in services:
        of = f"{match['name']}/{match['type']}"
        source, quote = page.source(index), page.lines[index].strip()
        yield PostfixSetting(
            source=source, quote=quote, name="command", value=match["command"], service=of, server=server
        )
        if (chroot := chroot_of(match["chroot"], written)) is not None:
            assumed = match["chroot"] == "-"
            yield PostfixSetting(
                source=source, quote=quote, name="chroot", value=chroot, service=of, server=server, assumed=assumed
            )


def _is_whole(page: Page, written: list[PostfixSetting]) -> bool:
    """Whether all that is written was shown: `postconf -n` without a choice, or a main.cf."""
    if len([each for each in written if each.name != "mail_version"]) < _FEW_SETTINGS:
        return False
    commands = [line for line in page.lines if "postconf" in line[:300]]
    if commands:
        return any(_WHOLE.search(line[:300]) and "grep" not in line for line in commands)
    return bool(re.search(r"main\.cf|postconf", page.file))


_BEGINNINGS = [
    "smtp_",
    "smtpd_",
    "tls_",
    "lmtp_",
    "relay",
    "relayhost",
    "my",
    "inet_",
    "virtual_",
    "local_",
    "sender_",
    "recipient_",
    "canonical_",
    "transport_",
    "default_",
    "minimal_",
    "maximal_",
    "bounce_",
    "queue_",
    "append_",
    "compatibility_",
    "mail_",
    "alias_",
    "header_",
    "fallback_",
    "disable_",
    "proxy_",
    "milter_",
    "masquerade_",
    "message_",
    "mailbox_",
    "unknown_",
    "notify_",
    "best_",
    "home_",
    "delay_",
    "readme_",
    "html_",
    "command_",
    "daemon_",
    "data_",
    "setgid_",
]


_OF_EXIM = (
    "tls_certificate",
    "tls_privatekey",
    "tls_verify_certificates",
    "tls_require_ciphers",
    "tls_advertise_hosts",
    "tls_dhparam",
    "tls_on_connect_ports",
    "tls_try_verify_hosts",
    "tls_verify_hosts",
    "tls_sni",
)


def _known(name: str) -> bool:
    return name.startswith(tuple(_BEGINNINGS)) and name not in _OF_EXIM
