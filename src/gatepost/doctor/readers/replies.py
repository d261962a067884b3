"""SMTP replies in any text: anchored on the codes and the trailer, never on words, since words are translated.

Between basic and enhanced code may stand words, `#`, or nothing but a dash; applications wrap replies in quotes,
tuples and exceptions; one reply may quote another. The sentence is kept and never needed.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gatepost.doctor.evidence import Moment, ReplySeen, Stage, one_line
from gatepost.doctor.moments import ANY_MOMENT, moment
from gatepost.doctor.page import Page
from gatepost.exchange.source import Source

_ENHANCED = r"[245]\.\d{1,3}\.\d{1,3}(?![.\d])"
_WITH_BOTH = re.compile(
    rf"(?<![\w.:/-])(?P<code>[245]\d\d)(?:[ \t-]|[,;:] ?)(?P<between>[^\d\n<>\[\]]{{0,40}}?)#?(?P<enhanced>{_ENHANCED})"
)
_CODES = "421|450|451|452|454|455|471|500|501|502|503|504|521|530|534|535|538|550|551|552|553|554|555|556|557"
_WITHOUT_ENHANCED = re.compile(
    rf"(?:^|[\"'<>(:;=,]\s*(?:b['\"])?|\b(?:said|returned|with|response|error|code|got|reply|smtp)[ :=]+[\"'<]?)"
    rf"(?P<code>{_CODES})(?:[ -]|['\"]?,\s*b?['\"])(?=[A-Za-z*<\"'(])",
    re.IGNORECASE,
)
_ENHANCED_ONLY = re.compile(r"(?<![\w./-])#?(?P<enhanced>[45]\.\d{1,3}\.\d{1,3})(?![.\d])(?=\W+\w)")
_TRAILER = re.compile(
    r"\[(?P<host>(?=[^\]\s]{0,2000}[A-Za-z])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)"
    r"(?:\s+(?P<at>\d{4}-\d\d-\d\dT[\d:.]+Z)(?:\s+(?P<id>[0-9A-Fa-f]{12,16}))?)?\s*(?:\]|$)"
)
_ATTR = re.compile(r"\b(ATTR\d{1,3})\b")
_REPEATED = re.compile(r"\s[245]\d\d-(?:#?[245]\.\d{1,3}\.\d{1,3}\s?)?")
_IN_REPLY = re.compile(
    r"in reply to (?:the )?(?P<in>[A-Za-z ]{1,255}?) command|(?:SMTP error from remote mail server )?after (?P<after>"
    r"initial connection|EHLO|HELO|STARTTLS|MAIL FROM|RCPT TO|DATA|end of data|pipelined [A-Z ]+)|"
    r"(?:during|at|on|to|bei|nach)\s+(?:the\s+)?(?P<at>MAIL FROM|RCPT TO|RCPT|EHLO|HELO|STARTTLS|end of DATA|DATA)\b",
    re.IGNORECASE,
)
_STAGES: dict[str, Stage] = {
    "initial connection": "connect",
    "connect": "connect",
    "ehlo": "ehlo",
    "helo": "ehlo",
    "starttls": "starttls",
    "mail from": "mail",
    "mail": "mail",
    "rcpt to": "rcpt",
    "rcpt": "rcpt",
    "end of data": "end-of-data",
    "data": "data",
    "quit": "quit",
}
_INNER = re.compile(
    r"(?:responded with:?|returned|->|-&gt;|said:|response was:?|with ')\s{0,40}[\"'<#(]*\s*$", re.IGNORECASE
)
_END = re.compile(
    r"\s{0,40}(?:\}[;\]]|'\)|\"|”|“|\s##|(?<=\S)'(?=\s|$|[.,;)])|>(?=['\s]|\.(?!\.)|$)|\(in reply to|Attempted failover|\s->\s|"
    r"\sAS\(\d+\)|Original message headers|Remote Server at )"
)
_SAID = re.compile(
    r"(?:host|(?:Remote )?Server at|remote host|server)\s+\[?(?P<host>[A-Za-z0-9_.-]+)\]?\s*"
    r"[\[(](?P<address>[0-9A-Fa-f.:]+)[\])]"
    r"(?::\d+)?\s+(?:said|returned|refused)",
    re.IGNORECASE,
)


class Reply(NamedTuple):
    """A reply found in a text, and where."""

    start: int
    end: int
    code: int
    enhanced: str
    text: str
    attr: str
    trailer_host: str
    trailer_at: Moment | None
    trailer_id: str
    inner: bool
    stage: Stage


def stage_named(word: str) -> Stage:
    word = one_line(word).casefold().removeprefix("pipelined ")
    return _STAGES.get(word, "unknown")


def find_replies(text: str) -> list[Reply]:
    """Refusals (4xx and 5xx) in `text`, in order."""
    if not any(character.isdigit() for character in text):
        return []
    begins: list[tuple[int, int, int, str]] = []
    for match in _WITH_BOTH.finditer(text):
        code, enhanced = int(match["code"]), match["enhanced"]
        if code >= 400 and enhanced[0] != "2":  # `451 5.7.3` exists: the classes need not agree
            begins.append((match.start("code"), match.end(), code, enhanced))
    for match in _WITHOUT_ENHANCED.finditer(text):
        if not _within(match.start("code"), begins):
            begins.append((match.start("code"), match.end(), int(match["code"]), ""))
    for match in _ENHANCED_ONLY.finditer(text):
        if not _within(match.start("enhanced"), begins) and _means_a_reply(text, match):
            begins.append((match.start(), match.end(), int(match["enhanced"][0]) * 100, match["enhanced"]))
    begins.sort()
    quoted = [bool(_INNER.search(text[max(0, start - 40) : start])) for start, _, _, _ in begins]
    ends = [len(text)] * len(begins)
    for at in range(len(begins) - 2, -1, -1):
        ends[at] = begins[at + 1][0] if quoted[at + 1] else ends[at + 1]
    return [_reply(text, *each) for each in zip(begins, quoted, ends, strict=True)]


def _within(at: int, begins: list[tuple[int, int, int, str]]) -> bool:
    return any(start <= at < end + 2 for start, end, _, _ in begins)


_REPLY_WORDS = re.compile(
    r"\s{0,40}[:;,]?\s{0,40}[\"'<(]*\s*(?:Tenant\w*Attribution|Relay|Access|Unable|Client|Recipient|smtp;|Mail sent|TLS|STARTTLS|"
    r"Must|Connecting|Service|Failed|Cert|Message|Remote|Hop|traffic|Host|Sender|Connection|Cannot|Relaying)",
    re.IGNORECASE,
)


def _means_a_reply(text: str, match: re.Match[str]) -> bool:
    """`#5.7.64`, `5.7.64 TenantAttribution`, `error 5.7.64`, `dsn=`: not a version number."""
    before = text[max(0, match.start() - 30) : match.start()].casefold()
    if "dsn=" in before[-5:] or "version" in before or before.endswith("v"):
        return False
    if text[match.start()] == "#" or _REPLY_WORDS.match(text, match.end()):
        return True
    return bool(re.search(r"(?:error|code|ndr|status|bounce|fehler|erreur|get|got|with|a)\W{0,3}$", before))


_GOES_ON: Final = re.compile(r"\s{1,3}(?:with|has|does|is|from|=|did|was)\b", re.IGNORECASE)


_OPENS: Final = re.compile(r"(?<=\s)['\"](?=\w)")


def _closes_within(text: str, after: int, stop: re.Match[str]) -> bool:
    """Whether the quotation mark closes one that the sentence itself opened: `MX hosts of 'contoso.com' failed`."""
    mark = stop[0].strip()
    if mark not in ("'", '"'):
        return False
    opened = [each for each in _OPENS.finditer(text, after, stop.start()) if each[0] == mark]
    closed = text.count(mark, after, stop.start()) - len(opened)
    return len(opened) > closed


def _ends_a_reply(text: str, bracket: re.Match[str]) -> bool:
    """`SPF [contoso.com] with ip: ...`: a name in brackets within the sentence is no trailer."""
    return bool(bracket["at"]) or _GOES_ON.match(text, bracket.end()) is None


def _reply(text: str, begin: tuple[int, int, int, str], quoted: bool, limit: int) -> Reply:
    start, after, code, enhanced = begin
    limit = min(limit, after + 900)
    trailer = next((each for each in _TRAILER.finditer(text, after, limit) if _ends_a_reply(text, each)), None)
    stop = next((each for each in _END.finditer(text, after, limit) if not _closes_within(text, after, each)), None)
    end = stop.start() if stop else limit
    if trailer and trailer.start() <= end + 1:
        end = trailer.end()
    else:
        trailer = None
    body = text[after:end]
    stage = _IN_REPLY.search(text, max(after, 0), min(len(text), end + 80))
    if stage is None:  # Exim and people say it before
        stage = next(iter(reversed([*_IN_REPLY.finditer(text, max(0, start - 120), start)])), None)
    words = (stage["in"] or stage["after"] or stage["at"]) if stage else ""
    attr = _ATTR.search(body)
    return Reply(
        start,
        end,
        code,
        enhanced,
        one_line(_REPEATED.sub(" ", body)).strip(" -:"),
        attr[1] if attr else "",
        trailer["host"] if trailer else "",
        moment(trailer["at"]) if trailer and trailer["at"] else None,
        (trailer["id"] or "").upper() if trailer else "",
        quoted,
        stage_named(words or ""),
    )


def replies_in(text: str, source: Source, **known: object) -> list[ReplySeen]:
    """The refusals of one line or value as facts; `known` is what the reader knows besides."""
    return [_seen(each, text, source, **known) for each in find_replies(text)]


def _seen(reply: Reply, text: str, source: Source, **known: object) -> ReplySeen:
    values: dict[str, object] = {
        "code": reply.code,
        "enhanced": reply.enhanced,
        "text": reply.text,
        "attr": reply.attr,
        "trailer_host": reply.trailer_host,
        "trailer_at": reply.trailer_at,
        "trailer_id": reply.trailer_id,
        "stage": reply.stage,
        "said_by": reply.trailer_host,
        "inner": reply.inner,
        "quote": one_line(text[max(0, reply.start) : reply.end])[:600],
    }
    if said := _SAID.search(text[max(0, reply.start - 200) : reply.start]):
        values["said_by"] = values["said_by"] or said["host"]
        values["said_by_address"] = said["address"]
    for key, value in known.items():
        told_here = key in ("said_by", "stage") and values.get(key) not in ("", "unknown", None)
        if (value not in (None, "") and not told_here) or (key == "reverse_path" and value == ""):
            values[key] = value
    return ReplySeen(source=source, **values)  # type: ignore[arg-type]


_GENERATING = re.compile(
    r"(?:Generating server|Serveur de g\S{1,9}ration|Server di generazione|Bronserver|Servidor de origem|Generierender Server"
    r"|Servidor de generaci\S{1,9}n|Generator?server|サーバー|生成服务器|正在生成服务器)\s?[:\uff1a]\s*(?P<host>[\w.-]+)",
    re.IGNORECASE,
)
_BARE_MAILBOX = re.compile(r"^(?:<|mailto:)?(?P<mailbox>[\w.+=%-]+@[\w-]+(?:\.[\w-]+)+)>?(?:\s*<mailto:[^>]*>)?\s*$")
_HOST_BEFORE = re.compile(r"^(?P<host>(?=[\w.-]{0,250}[A-Za-z])[\w-]{1,63}(?:\.[\w-]{1,63}){1,10})\s+#?[45]\d\d\b")
_ENVELOPE = re.compile(
    r"\b(?P<way>from|to)=<?(?P<mailbox>[\w.+=%-]{0,64}(?:@[\w.-]{1,250})?)>?(?=[\s,;)\]]|$)", re.IGNORECASE
)
_BARE_HOST = re.compile(r"^(?=[\w.-]*[A-Za-z])[\w-]+(?:\.[\w-]+){2,}$")
_LINES_ABOVE = 8


def read(page: Page) -> Iterator[ReplySeen]:
    """Replies in what no other reader took; above one in a bounce stand the recipient and who said it."""
    server = next((match["host"] for line in page.lines if (match := _GENERATING.search(line[:200]))), "")
    for paragraph in page.paragraphs():
        for reply in find_replies(paragraph.text):
            index = paragraph.index_at(reply.start)
            known = _above(page, index, server) or _beside(page, index, paragraph.text, reply)
            yield _seen(reply, paragraph.text, page.source(index), **known)


_CODE_LAST: Final = re.compile(
    r"\bDetail: (?P<text>\S.{2,700}?)\s{1,3}SMTP code: (?P<code>[45]\d\d)\b(?:\s{1,3}Additional SMTP info: (?P<enhanced>[45]\.\d{1,3}\.\d{1,3}))?"
)
"""PHPMailer: the reply's text first, its codes behind."""


def read_code_last(page: Page) -> Iterator[ReplySeen]:
    for index, line in page.free():
        for match in _CODE_LAST.finditer(line[:4000]):
            page.take(index)
            text = f"{match['code']} {match['enhanced'] or ''} {match['text']}".replace("  ", " ")
            yield from replies_in(text, page.source(index))[:1]


_AFTER_A_REPLY = 200


def _beside(page: Page, index: int, text: str, reply: Reply) -> dict[str, object]:
    """What an application's log says of the envelope in the same entry, before the next reply or time."""
    rest = text[reply.end : reply.end + _AFTER_A_REPLY]
    if (following := ANY_MOMENT.search(rest)) is not None:
        rest = rest[: following.start()]
    told = {match["way"].casefold(): match["mailbox"] for match in _ENVELOPE.finditer(rest)}
    known: dict[str, object] = {}
    if "from" in told:
        known["reverse_path"] = told["from"]
    if "to" in told:
        known["forward_path"] = told["to"]
    return known


def _above(page: Page, index: int, server: str) -> dict[str, object]:
    above = [line.strip() for line in page.lines[max(0, index - _LINES_ABOVE) : index + 1]]
    mailbox = next((match["mailbox"] for line in reversed(above) if (match := _BARE_MAILBOX.match(line))), None)
    host = next((line for line in reversed(above[-3:]) if _BARE_HOST.match(line)), "")
    if before := _HOST_BEFORE.match(above[-1]):
        host = before["host"]
    if not server and not mailbox:
        return {}
    known: dict[str, object] = {"kind": "ndr", "quoted_by": server, "forward_path": mailbox}
    if host and host != server:
        known["said_by"] = host
    return known
