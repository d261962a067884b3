"""What tools print: DNS look-ups, certbot and its kin."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from gatepost.doctor.evidence import CertbotRun, ClockSeen, DnsAnswer, OwnAddress
from gatepost.doctor.moments import ANY_MOMENT, moment
from gatepost.doctor.page import Page
from gatepost.exchange.source import Fact

_ASKED_THE_TIME = re.compile(r"^[^\n]{0,80}[$#>]\s*(?:date(?:\s+-u)?|Get-Date)\s*$")


def read_clock(page: Page) -> Iterator[Fact]:
    """`date`, `Get-Date`: what the machine took for now."""
    for index, line in page.free():
        if not _ASKED_THE_TIME.match(line[:120]):
            continue
        below = next((at for at in range(index + 1, min(index + 4, len(page.lines))) if page.lines[at].strip()), None)
        text = page.lines[below].strip()[:80] if below is not None else ""
        if below is None or (found := ANY_MOMENT.search(text)) is None or (at := moment(found[0])) is None:
            continue
        page.take(index, below)
        yield ClockSeen(source=page.source(below), quote=text, at=at)


_ASKED_OUTSIDE: Final = re.compile(
    r"ifconfig\.(?:me|co|io|example)|icanhazip|ipify|ipinfo\.io|checkip|ident\.me|whatismyip|what'?s ?my ?ip|myip\.|"
    r"wtfismyip|ip\.me\b|my-?ip\b|myaddr\.l\.google|myip\.opendns|wieistmeineip|api\.my-ip",
    re.IGNORECASE,
)
_PLAIN_ADDRESS: Final = re.compile(
    r"(?<![\d.:/])(?P<address>(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{4,40})(?![\d.:/]|\w)"
)
_MOST_TIMES: Final = 20


def read_own_addresses(page: Page) -> Iterator[Fact]:
    """What a service outside answered to who asked where he comes from: in the line, or in the lines below it."""
    for index, line in page.free():
        asked = _ASKED_OUTSIDE.search(line)
        if asked is None:
            continue
        answered = [(index, line[asked.end() :])]
        for below in range(index + 1, min(index + 1 + _MOST_TIMES, len(page.lines))):
            if not re.fullmatch(r"[\s\"0-9A-Fa-f.:]{3,60}", page.lines[below]):
                break
            answered.append((below, page.lines[below]))
        for at, text in answered:
            for found in _PLAIN_ADDRESS.finditer(text[:200]):
                try:
                    address = ip_address(found["address"])
                except ValueError:
                    continue
                if not (address.is_loopback or address.is_link_local):
                    yield OwnAddress(source=page.source(at), quote=page.lines[at].strip()[:200], address=str(address))


_ZONE = re.compile(
    r"^;?\s*(?P<name>[\w.*-]+)\.?\s+(?:\d+\s+)?IN\s+(?P<kind>MX|A|AAAA|TXT|PTR|CNAME|NS|TLSA|CAA|SRV)\s+(?P<value>\S.*)$"
)
_MAIL_EXCHANGER = re.compile(
    r"^(?P<name>[\w.-]+)\s+(?:mail is handled by\s{1,40}|MX preference\s*=\s{0,40}|mail exchanger\s*=\s{0,40})"
    r"(?P<value>.+)$",
    re.IGNORECASE,
)
_HAS_ADDRESS = re.compile(r"^(?P<name>[\w.-]+) has (?:IPv6 )?address (?P<value>[0-9A-Fa-f.:]+)$")
_POINTER = re.compile(r"^(?P<name>[\w.:-]+)\s+(?:domain name pointer|name\s*=)\s*(?P<value>[\w.-]+)$")
_NSLOOKUP_NAME = re.compile(r"^Name:\s+(?P<name>[\w.-]+)\s*$")
_NSLOOKUP_ADDRESS = re.compile(r"^(?:Address(?:es)?:\s+|\s{6,})(?P<value>[0-9A-Fa-f.:]+)\s*$")
_RESOLVE = re.compile(
    r"^(?P<name>[\w.-]+\.[\w-]+)\s+(?P<kind>MX|A|AAAA|TXT|PTR|CNAME)\s+\d+\s+(?:Answer|Authority|Additional)\s+(?P<value>\S.*)$"
)
_NX = re.compile(r"status: NXDOMAIN|Non-existent domain|NXDOMAIN|can't find (?P<name>[\w.-]+)|\(NXDOMAIN\)")


def read_dns(page: Page) -> Iterator[Fact]:
    name = ""
    for index, line in page.free():
        text = line.strip()
        source = page.source(index)
        if match := _ZONE.match(text):
            if match["value"].strip().startswith((";", "?")) or text.startswith(";"):
                continue
            value = match["value"].strip().rstrip(".")
            yield DnsAnswer(source=source, quote=text, name=_key(match["name"]), kind=match["kind"], values=(value,))
        elif match := _RESOLVE.match(text):
            yield DnsAnswer(
                source=source,
                quote=text,
                name=_key(match["name"]),
                kind=match["kind"],
                values=(_preference_first(match["value"].strip()),),
            )
        elif match := _MAIL_EXCHANGER.match(text):
            value = re.sub(r",?\s{0,40}mail exchanger\s*=\s*", " ", match["value"]).strip().rstrip(".")
            yield DnsAnswer(source=source, quote=text, name=_key(match["name"]), kind="MX", values=(value,))
        elif match := _HAS_ADDRESS.match(text):
            kind = "AAAA" if ":" in match["value"] else "A"
            yield DnsAnswer(source=source, quote=text, name=_key(match["name"]), kind=kind, values=(match["value"],))
        elif match := _NSLOOKUP_NAME.match(text):
            name = _key(match["name"])
        elif name and (match := _NSLOOKUP_ADDRESS.match(line)) and _is_address(match["value"]):
            kind = "AAAA" if ":" in match["value"] else "A"
            yield DnsAnswer(source=source, quote=text, name=name, kind=kind, values=(match["value"],))
        elif (match := _POINTER.match(text)) and ("arpa" in match["name"] or _is_address(match["name"])):
            yield DnsAnswer(
                source=source, quote=text, name=_key(match["name"]), kind="PTR", values=(_key(match["value"]),)
            )
        elif match := _NX.search(text):
            yield DnsAnswer(source=source, quote=text, name=_key(match["name"] or ""), kind="NXDOMAIN")
        else:
            if not text:
                name = ""
            continue
        page.take(index)


def _preference_first(value: str) -> str:
    """Resolve-DnsName prints a mail exchanger's preference behind its name."""
    host, _, preference = value.rpartition(" ")
    return f"{preference} {host.strip()}" if preference.isdecimal() and host else value


_SHORT: Final = re.compile(
    r"\bdig\b(?=[^;\n]{0,200}\+short)(?P<arguments>[^;|\n]{1,300})|\bResolve-DnsName\b[^|\n]{0,200}\|\s*%\s*IPAddress"
)
_TYPES: Final = frozenset(("A", "AAAA", "MX", "TXT", "PTR", "CNAME", "NS", "TLSA", "SRV", "CAA"))
_MOST_ANSWERS: Final = 30


def read_short_dns(page: Page) -> Iterator[Fact]:
    """`dig +short`: the name stands in the command, and an answer that is empty is one too."""
    for index, line in page.free():
        asked = [
            each for match in _SHORT.finditer(line[:800]) if (each := _asked(match["arguments"] or "")) is not None
        ]
        if not asked:
            continue
        answers: list[tuple[int, str]] = []
        for at in range(index + 1, min(index + 1 + _MOST_ANSWERS, len(page.lines))):
            text = page.lines[at].strip()
            if not text or at in page.taken or _SHELL.match(page.lines[at]):
                break
            answers.append((at, text))
        page.take(index)
        for name, kind in asked:
            own = [(at, text) for at, text in answers if _is_answer(text, kind)]
            for at, _ in own:
                page.take(at)
            yield DnsAnswer(
                source=page.source(own[0][0] if own else index),
                quote=own[0][1] if own else line.strip()[:300],
                name=name,
                kind=kind,
                values=tuple(text.rstrip(".") for _, text in own),
            )


_SHELL: Final = re.compile(r"\s{0,4}\S{0,80}?[$#>]\s*[a-zA-Z]")
_TLSA: Final = re.compile(r"[0-3] [01] [0-2] [0-9A-Fa-f ]{16,}")


def _asked(arguments: str) -> tuple[str, str] | None:
    words = [each for each in arguments.split() if not each.startswith(("+", "@"))]
    kind = next((each.upper() for each in words if each.upper() in _TYPES), "A")
    if "-x" in words:
        at = words.index("-x") + 1
        return (words[at].casefold(), "PTR") if at < len(words) else None
    name = next((each for each in words if "." in each and not each.startswith("-")), "")
    return (_key(name), kind) if name else None


def _is_answer(text: str, kind: str) -> bool:
    if kind in ("A", "AAAA"):
        return _is_address(text) and (":" in text) == (kind == "AAAA")
    if kind == "MX":
        return bool(re.fullmatch(r"\d{1,5} \S{1,253}", text))
    if kind == "TXT":
        return text.startswith('"')
    if kind == "TLSA":
        return bool(_TLSA.fullmatch(text))
    return bool(re.fullmatch(r"[\w.-]{1,253}", text))


def _key(name: str) -> str:
    return name.rstrip(".").casefold()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_TOOL = re.compile(
    r"\b(certbot|letsencrypt|win-acme|wacs|acme\.sh|lego|certify|posh-acme|dehydrated|getssl|simple-acme)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"renew|certificate|fullchain|privkey|congratulations|thumbprint|store|script|hook|installation|profile|issuer|chain",
    re.IGNORECASE,
)
_GOOD = re.compile(
    r"congratulations|\(success\)|success|renewed|succeeded|installed|finished|cert success", re.IGNORECASE
)
_BAD = re.compile(r"\(failure\)|fail(?:ed|ure)|error|problem|exception|unauthorized|invalid", re.IGNORECASE)
_PATH = re.compile(r"(?:/[\w.@-]+){2,}|[A-Z]:\\[\w\\ .-]+")
_NAME = re.compile(r"(?<![\w/.])(?:\*\.)?(?:[a-z0-9][a-z0-9-]{0,255}\.){1,30}[a-z]{2,20}(?![\w/])")
_STAMPED = re.compile(
    r"^\s{0,40}(?:\[?\d{4}-\d\d-\d\d|\[?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [A-Z\d][a-z\d]|\s*\[[A-Z]{4}\])"
)


def read_renewals(page: Page) -> Iterator[Fact]:
    tool = next((match[1].casefold() for line in page.lines[:400] if (match := _TOOL.search(line))), "")
    if not tool:
        return
    log_like = sum(bool(_STAMPED.match(line) or _TOOL.search(line)) for line in page.lines) * 2 >= len(
        [line for line in page.lines if line.strip()]
    )
    for index, line in page.free():
        here = _TOOL.search(line)
        if not _ABOUT.search(line) or not (here or log_like) or len(line) > 2000:
            continue
        when = ANY_MOMENT.search(line)
        good, bad = _GOOD.search(line), _BAD.search(line)
        path = _PATH.search(line)
        yield CertbotRun(
            source=page.source(index),
            quote=line.strip()[:500],
            tool=(here[1].casefold() if here else tool),
            succeeded=False if bad else True if good else None,
            names=tuple(
                dict.fromkeys(
                    each
                    for each in [*_NAME.findall(line), *re.findall(r"/live/([^/\s]+)", line)]
                    if not each.endswith((".pem", ".py", ".log", ".sh", ".ps1", ".internal", ".renewal"))
                )
            ),
            path=path[0] if path else "",
            text=line.strip()[:500],
            at=moment(when[0]) if when else None,
        )
        if log_like and _STAMPED.match(line):
            page.take(index)
