"""Settings that are a form and no command: the connector pages of the admin centre, the mail dialog of a program.

Laws: a label says what its value is, in the order in which the form has them; what no label says stays unknown.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final, Literal

from gatepost.doctor.evidence import SubmissionSettings
from gatepost.doctor.page import Page
from gatepost.doctor.readers.exported import exported
from gatepost.exchange.cmdlet_output import property_of
from gatepost.exchange.source import Fact

# --- the admin centre -----------------------------------------------------------------------------------------------

_FROM = re.compile(
    r"\b(?:From|Von|De|Da|Van)\s?:?\s{1,20}(?P<from>Your organi[sz]ation['\u2019]?s(?: email)? server|(?:E-Mail-)?Server Ihrer Organisation|Serveur de messagerie de votre organisation|"
    r"Servidor de correo electr\u00f3nico de su organizaci\u00f3n|(?P<partner>Partner organi[sz]ation|Partnerorganisation|Organisation partenaire|Organizaci\u00f3n asociada)|(?P<cloud>(?:Microsoft|Office) 365))",
    re.I,
)
_BY_ADDRESS = re.compile(
    r"\bIP[ -]?(?:address(?:es)?|Adressen?)\b[^:=\n]{0,80}(?:\b(?:match(?:es)?|range[^:=\n]{0,40}|\u00fcbereinstimmt)[^:=\n]{0,40})?[:=]\s{0,10}(?P<value>[\d.,:/ A-Fa-f]{7,400})",
    re.I,
)
_BY_NAME = re.compile(
    r"\b(?:subject name|certificate|Antragstellername|Zertifikats?|certificat|certificado)\b[^:=\n]{0,120}?(?:\bmatch(?:es)?\b[^:=\n]{0,60}|\u00fcbereinstimmt[^:=\n]{0,40})?[:=]\s{0,10}[\"']?(?P<value>(?:\*\.)?[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})",
    re.I,
)
_STATUS = re.compile(
    r"\b(?:Status|\u00c9tat|Estado)\s{0,10}:\s{0,10}(?P<value>On|Off|Ein|Aus|Activ\u00e9|D\u00e9sactiv\u00e9|Activado|Desactivado)\b",
    re.I,
)
_NAME = re.compile(
    r"^\s{0,40}(?:(?:Connector )?name|Connector|Konnektor)\s{0,10}:\s{0,40}(?:[\"'](?P<quoted>[^\"'\n]{1,120})[\"']|(?P<plain>[^\s\"'][^\n]{0,120}))",
    re.I,
)
_SMART_HOSTS = re.compile(r"\bsmart ?hosts?\b[^:\n]{0,60}:\s{0,10}(?P<value>[\w.,\[\] -]{4,400})", re.I)
_ON = frozenset(("on", "ein", "activ\u00e9", "activado"))
_OFF = frozenset(("off", "aus", "d\u00e9sactiv\u00e9", "desactivado"))
_ORGANISATIONS = re.compile(r"your organi[sz]ation['\u2019]?s(?: email)? server|partner organi[sz]ation", re.I)
_LABELS = re.compile(r"^\s{0,40}(?:Status|\u00c9tat|Estado|Name|Nombre|Nom|From|To)\s{0,10}(?::\s{0,40})?$", re.I)


def read_portal(page: Page) -> Iterator[Fact]:
    """A connector as the Exchange admin centre describes it, each label before its value or above it."""
    yield from _listed(page)
    yield from _tabled(page)
    told: dict[str, tuple[int, str]] = {}
    for index, line in _labelled(page):
        for name, value in _of_portal(line):
            told.setdefault(name, (index, value))
    outbound = told.get("ConnectorType", (0, ""))[1] == "cloud"
    identified = {"SmartHosts"} if outbound else {"SenderIPAddresses", "TlsSenderCertificateName"}
    if "ConnectorType" not in told or not identified & set(told):
        return
    if outbound:
        told["ConnectorType"] = (told["ConnectorType"][0], "OnPremises")
    else:
        told.pop("SmartHosts", None)
    properties = tuple(
        property_of(name, value, page.source(index), page.lines[index].strip()[:500])
        for name, (index, value) in told.items()
    )
    for index, _ in told.values():
        page.take(index)
    first = min(index for index, _ in told.values())
    hint = "outboundconnector" if outbound else "inboundconnector"
    if found := exported(properties, page.source(first), hint=hint, quote=page.lines[first].strip()[:500]):
        yield found


_ROW = re.compile(
    r"^\s{0,40}(?P<status>On|Off|Ein|Aus|Activ\u00e9|D\u00e9sactiv\u00e9|Activado|Desactivado)(?:\s{2,40}|\t|\s?\|\s?)(?P<name>\S[^\n|\t]{0,100}?)"
    r"(?:\s{2,40}|\t|\s?\|\s?)(?P<from>\S[^\n|\t]{2,80}?)(?:\s{2,40}|\t|\s?\|\s?)(?P<to>\S[^\n]{2,80}?)\s{0,40}$",
    re.I,
)


def _listed(page: Page) -> Iterator[Fact]:
    """The centre's list of connectors: status, name, from, to."""
    for index, line in page.free():
        match = _ROW.match(line[:400])
        cloud = re.compile(r"(?:Microsoft|Office) 365", re.I)
        if match is None or (not cloud.search(match["from"]) and not cloud.search(match["to"])):
            continue
        outbound = bool(cloud.search(match["from"]))
        partner = re.search(r"partner|asociad", match["from"] + match["to"], re.I)
        source, quote = page.source(index), line.strip()[:500]
        properties = (
            property_of("Name", match["name"].strip(), source, quote),
            property_of("Enabled", str(match["status"].casefold() in _ON), source, quote),
            property_of("ConnectorType", "Partner" if partner else "OnPremises", source, quote),
        )
        page.take(index)
        if found := exported(
            properties, source, hint="outboundconnector" if outbound else "inboundconnector", quote=quote
        ):
            yield found


_CELL: Final = re.compile(r"\s{0,3}\|\s{0,3}")


def _tabled(page: Page) -> Iterator[Fact]:
    """The centre's list as a table: a row that says between which two organisations and by what it identifies."""
    for index, line in page.free():
        cells = [each for each in _CELL.split(line.strip().strip("|").strip()) if each]
        if len(cells) < 4 or not _ORGANISATIONS.search(line):
            continue
        told = dict(_of_portal(f"From: {next((each for each in cells if _ORGANISATIONS.search(each)), '')}"))
        told |= dict(pair for each in cells for pair in _of_portal(each))
        status = next((each for each in cells if each.casefold() in _ON | _OFF), "")
        if not told.keys() & {"SenderIPAddresses", "TlsSenderCertificateName"} or "ConnectorType" not in told:
            continue
        told |= {"Name": cells[0]} if cells[0] != status else {"Name": cells[1]}
        told |= {"Enabled": str(status.casefold() in _ON)} if status else {}
        source, quote = page.source(index), line.strip()[:500]
        properties = tuple(property_of(name, value, source, quote) for name, value in told.items())
        page.take(index)
        if found := exported(properties, source, hint="inboundconnector", quote=quote):
            yield found


def _labelled(page: Page) -> Iterator[tuple[int, str]]:
    """The free lines; a label that stands alone together with the value below it."""
    free = [(index, line[:600]) for index, line in page.free() if line.strip()]
    for number, (index, line) in enumerate(free):
        if _LABELS.match(line) and number + 1 < len(free):
            yield free[number + 1][0], f"{line.strip().rstrip(':')}: {free[number + 1][1].strip()}"
        else:
            yield index, line


def _of_portal(line: str) -> Iterator[tuple[str, str]]:
    if match := _FROM.search(line):
        yield "ConnectorType", "Partner" if match["partner"] else "cloud" if match["cloud"] else "OnPremises"
    if match := _BY_ADDRESS.search(line):
        yield "SenderIPAddresses", "{" + match["value"].strip(" ,.") + "}"
    elif match := _BY_NAME.search(line):
        yield "TlsSenderCertificateName", match["value"].rstrip(".")
    if match := _STATUS.search(line):
        yield "Enabled", str(match["value"].casefold() in _ON)
    if match := _NAME.match(line):
        yield "Name", (match["quoted"] or re.split(r"\s{2,}", match["plain"])[0]).strip()
    if match := _SMART_HOSTS.search(line):
        yield "SmartHosts", "{" + match["value"].strip(" ,.") + "}"


# --- a program's mail dialog ----------------------------------------------------------------------------------------

_HOST = re.compile(
    r"\b(?:smart ?host|smtp[ _-]?(?:server|host|relay)|mail[ _-]?(?:server|host)|outgoing (?:mail )?server|relay ?host|"
    r"hostname|host|server|smtp_host|mail_host)\b[\"']?\s{0,40}(?:\([^)]{0,40}\)\s{0,40})?(?:name|address|is|to|set to)?\s{0,40}(?:=>|[:=])?\s*[\"'\[(]{0,3}"
    r"(?P<host>(?=[\w.-]{4,250})[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\.[a-z]{2,24})\b",
    re.I,
)
_PORT = re.compile(
    r"\b(?:port|tcp[ -]port)\b[\"']?\s{0,40}(?:=>|[:=])?\s*[\"']?(?P<port>25|465|587|2525|10025)\b", re.I
)
_BESIDE_HOST = re.compile(r"^[\"'\])]{0,3}:(?P<port>\d{2,5})\b")
_LOGIN = re.compile(
    r"\b(?P<no>anonymous(?: access)?|no (?:login|authentication|user ?name|auth)|(?:user ?name|authentication|auth|login|user)"
    r"[\"']?\s*[:=]\s*[\"']?(?:\(?(?:empty|none|off|no|false|anonymous|-)\)?(?=[\s\"',.;]|$)|$))"
    r"|\b(?P<yes>basic authentication|auth(?:entication)?[\"']?\s*[:=]\s*[\"']?(?:login|plain|basic|on|yes|true)"
    r"|smtp_sasl_auth_enable\s*=\s*yes|(?:user(?: ?name)?|login)[\"']?\s{0,40}[:= ]\s*[\"']?[\w.+-]{1,64}@[\w-]{1,63}\.)",
    re.I,
)
_TLS = re.compile(
    r"\b(?P<starttls>starttls)\b|\b(?P<implicit>ssl/tls|smtps|implicit tls|ssl on connect|\bSSL\b(?!\s{0,3}[:=]?\s{0,3}(?:off|no|none|aus|disabled|false|non)\b))|\b(?P<plain>no (?:tls|encryption))\b",
    re.I,
)
_LINES_BEFORE, _LINES_AFTER = 4, 10
"""Of the line with the host: what stands further away belongs to something else."""


def read_submission(page: Page) -> Iterator[Fact]:
    """Host, port, login and TLS of a program, where host and one of the others stand close together. Lines stay free:
    somebody's sentence may say more."""
    lines = [(index, line[:400]) for index, line in page.free()]
    for number, (index, line) in enumerate(lines):
        match = _HOST.search(line)
        if match is None or line.lstrip().startswith(("#", "Received:")):
            continue
        near = " \n ".join(each for _, each in lines[max(0, number - _LINES_BEFORE) : number + _LINES_AFTER])
        beside = _BESIDE_HOST.match(line[match.end() :])
        port = beside or _PORT.search(near)
        login, tls = _LOGIN.search(near), _TLS.search(near)
        if port is None and login is None:
            continue
        yield SubmissionSettings(
            source=page.source(index),
            quote=line.strip()[:300],
            host=match["host"].casefold(),
            port=int(port["port"]) if port else None,
            login=None if login is None else bool(login["yes"]),
            tls=_tls_of(tls),
        )
        return


def _tls_of(match: re.Match[str] | None) -> Literal["starttls", "implicit", "none", ""]:
    if match is None:
        return ""
    return "starttls" if match["starttls"] else "implicit" if match["implicit"] else "none"
