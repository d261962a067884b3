"""Configurations that have no reader of their own: one line is one setting, in the section above it.

What flows: a form that knows its first words gives the line's setting; the first that does is it. Laws: a
value that is a secret is not kept; a line is read only in a form that its page shows to be one, and stays free, since
it may say more to another reader.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gatepost.doctor.evidence import SettingSeen
from gatepost.doctor.page import Page
from gatepost.exchange.source import Fact


class _Form(NamedTuple):
    software: str
    line: re.Pattern[str]
    """Groups: `name`, `value`, either may be missing."""
    section: re.Pattern[str] | None = None
    sign: re.Pattern[str] | None = None
    """What the page must hold somewhere; None: the line tells enough."""


_MAIL: Final = r"SMTP|MAIL|TLS|SSL|RELAY|PROXY|POSTFIX|EXIM|MTA|CERT|KEYSTORE|TRUSTSTORE"
_FORMS: Final = (
    _Form(
        "windows-registry",
        re.compile(
            r"^\s+(?P<name>[A-Za-z][\w .-]{1,60}?)\s{2,}REG_\w{2,12}\s+(?P<value>\S.{0,300})$|^\"(?P<name2>[^\"]{1,60})\"=(?P<value2>(?:dword:|hex|\").{0,300})$"
        ),
        re.compile(r"^\[?(?P<section>HKEY_[A-Z_]+\\[^\]\n]{1,300})\]?\s*$"),
    ),
    _Form(
        "winhttp",
        re.compile(
            r"^\s*(?P<value>(?P<name>Direct access \(no proxy server\)|Proxy Server\(s\)|Bypass List)\.?\s*(?::\s*\S.{0,200})?)$"
        ),
        None,
        re.compile(r"winhttp", re.I),
    ),
    _Form(
        "resolver",
        re.compile(r"^(?P<name>nameserver|search|options)\s+(?P<value>\S.{0,200})$"),
        None,
        re.compile(r"^nameserver\s", re.M),
    ),
    _Form(
        "haproxy",
        re.compile(
            r"^\s+(?P<name>bind|mode|server|balance|default_backend|option|timeout|send-proxy\S*|source|use_backend|tcp-check|default-server)\s+(?P<value>\S.{0,300})$"
        ),
        re.compile(r"^(?P<section>(?:frontend|backend|listen|defaults|global)\b.{0,100})$"),
        re.compile(r"^(?:frontend|backend|listen)\s", re.M),
    ),
    _Form(
        "opensmtpd",
        re.compile(r"^(?P<name>listen on|action|match|table|pki|ca|smtp|mta|queue|filter)\s+(?P<value>\S.{0,400})$"),
        None,
        re.compile(r"^action\s+\S+\s+(?:relay|mbox|maildir|lmtp)", re.M),
    ),
    _Form(
        "exim",
        re.compile(
            r"^\s{0,40}(?P<name>(?:hosts?|tls|driver|interface|helo|port|protocol|dnssec|command|return_path|route_list|hostlist|primary_hostname|dc_)\w{0,40})\s{0,40}=\s{0,40}(?P<value>.{0,300})$"
        ),
        re.compile(r"^(?P<section>[a-z]\w{1,60}):\s*$"),
        re.compile(r"driver\s{0,40}=\s{0,40}(?:smtp|manualroute|dnslookup)|^tls_privatekey|^dc_\w{1,40}=", re.M),
    ),
    _Form(
        "sendmail",
        re.compile(
            r"^(?:define\(`(?P<name>\w{2,60})',\s*`(?P<value>[^'\n]{0,300})'\)|(?P<name2>FEATURE|DAEMON_OPTIONS|CLIENT_OPTIONS|MAILER|INPUT_MAIL_FILTER)\(`?(?P<value2>[^\n]{1,300})\))"
        ),
    ),
    _Form(
        "php",
        re.compile(r"^(?P<name>(?:openssl|curl|SMTP|smtp_port|sendmail)[._]?\w{0,30})\s*=\s*(?P<value>[^\n]{0,300})$"),
        None,
        re.compile(r"^(?:openssl\.ca|SMTP\s*=|sendmail_path)", re.M),
    ),
    _Form(
        "environment",
        re.compile(
            rf"^(?:export\s+|-e\s+|-\s+)?(?P<name>[A-Z][A-Z0-9_]{{0,40}}(?:{_MAIL})[A-Z0-9_]{{0,40}}|(?:{_MAIL})[A-Z0-9_]{{1,60}})\s?=\s?(?P<value>.{{0,300}})$"
        ),
    ),
    _Form(
        "java",
        re.compile(
            r"^(?P<name>(?:spring\.mail|mail\.smtps?|javax\.net\.ssl|jakarta\.mail)[\w.-]{1,80})\s?[=:]\s?(?P<value>.{0,300})$"
        ),
    ),
    _Form(
        "device",
        re.compile(
            r"^(?P<name>(?:SMTP|E-?[Mm]ail|Mail|Authentication|Sender|POP before)[\w /().-]{1,50}?)\s?:\s+(?P<value>\S.{0,120})$"
        ),
        None,
        re.compile(r"^SMTP[\w /().-]{1,40}:\s", re.M),
    ),
    _Form(
        "exchange-online",
        re.compile(
            r"^(?:Get-\w{3,40}\s{0,3}:\s{0,3})?(?P<name>SmtpClientAuthenticationDisabled)\s{0,20}:\s{0,20}(?P<value>\S{0,10})\s*$"
        ),
        re.compile(r"^.{0,80}\bGet-CASMailbox\s+(?:-Identity\s+)?['\"]?(?P<section>[^\s'\"|]{3,120}).{0,200}$", re.I),
        re.compile(r"SmtpClientAuthenticationDisabled"),
    ),
    _Form(
        "firewall",
        re.compile(
            r"^\s?(?P<name>access-list|object-group|network-object|port-object|description|inspect|policy-map|class-map|service-policy)\s+(?P<value>\S.{0,300})$"
        ),
        re.compile(r"^(?P<section>object-group\s.{1,100}|policy-map\s.{1,100})$"),
        re.compile(r"^(?:access-list|object-group|policy-map)\s", re.M),
    ),
)
_SECRET: Final = re.compile(r"passw|secret|token|passphrase|private_?key$|pwd\b", re.IGNORECASE)
_HEAD: Final = 60_000
_PROMPTED: Final = re.compile(
    r"^\s*(?:[\w.-]{1,40}@)?(?P<host>[A-Za-z][\w.-]{0,60})(?::[^#$\n]{0,120}|\s+\S{1,60})?[#$]\s"
)


def read(page: Page) -> Iterator[Fact]:
    text = "\n".join(page.lines)[:_HEAD]
    forms = [each for each in _FORMS if each.sign is None or each.sign.search(text)]
    sections: dict[str, str] = {}
    server = ""
    for index, line in page.free():
        if prompt := _PROMPTED.match(line[:200]):
            server = prompt["host"]
        if not line[:1].isspace():
            sections.pop("exim", None)  # options of the main section stand at the line's beginning
        for form in forms:
            if form.section is not None and (head := form.section.match(line)):
                sections[form.software] = head["section"].strip()
                page.take(index)
                break
            if match := form.line.match(line[:500]):
                yield _setting(page, index, form.software, match, sections.get(form.software, ""), server)
                break


def _setting(page: Page, index: int, software: str, match: re.Match[str], section: str, server: str) -> SettingSeen:
    told = match.groupdict()
    name, value = told["name"] or told.get("name2") or "", (told["value"] or told.get("value2") or "").strip()
    secret = bool(_SECRET.search(name))
    return SettingSeen(
        source=page.source(index),
        quote=f"{name}: (not kept)" if secret else page.lines[index].strip()[:300],
        software=software,
        name=name.strip(),
        value="" if secret else value[1:-1] if re.fullmatch(r"([\"'])[^\"']*\1", value) else value,
        section=section,
        server=server,
    )
