"""What people quote of an export: a value below its expression, a property within a sentence."""

import re
from collections.abc import Iterator

from gatepost.doctor.page import Page
from gatepost.doctor.readers.exported import exported
from gatepost.exchange.cmdlet_output import COLOURED, DISTINGUISHED, SIGNS, property_of
from gatepost.exchange.objects import AcceptedDomain, Property
from gatepost.exchange.source import Fact

_EXPRESSION = re.compile(
    r"\(Get-(?P<cmdlet>\w+)(?P<arguments>[^)]{0,2000})\)\.(?P<name>\w+)\s*$|Get-(?P<cmdlet2>\w+)(?P<arguments2>[^|]{0,2000})\|\s*"
    r"(?:select|select-object|%|foreach-object)\s+(?:-expand\w*\s+)?(?P<name2>\w+)\s*$",
    re.IGNORECASE,
)


def read_expressions(page: Page) -> Iterator[Fact]:
    """`(Get-SendConnector "x").TlsCertificateName` and the value below it."""
    for index, line in page.free():
        match = _EXPRESSION.search(line)
        if match is None:
            continue
        cmdlet, name = match["cmdlet"] or match["cmdlet2"], match["name"] or match["name2"]
        values: list[str] = []
        last = index
        while last + 1 < len(page.lines) and page.lines[last + 1].strip() and len(values) < 50:
            if re.match(r"\s*(?:\[PS\]|PS [A-Z]:)", page.lines[last + 1]):
                break
            last += 1
            values.append(page.lines[last].strip())
        if any(" : " in each or each.casefold() == name.casefold() for each in values):
            continue  # a list or a table with its head, which others read
        identity = re.search(r"['\"]([^'\"]+)['\"]", match["arguments"] or match["arguments2"] or "")
        if not values or name.casefold() not in SIGNS:
            continue
        if name.casefold() == "domainname" and cmdlet.casefold() == "accepteddomain":
            page.take(index + 1, last)
            yield from (_accepted(page, index + 1 + number, each) for number, each in enumerate(values))
            continue
        joined = "".join(values) if name.casefold() in DISTINGUISHED else ", ".join(values)
        properties = [property_of(name, joined, page.source(index + 1), joined[:500])]
        if identity:
            properties.insert(0, property_of("Name", identity[1], page.source(index), line.strip()[:500]))
        if found := exported(tuple(properties), page.source(index + 1), hint=cmdlet, quote=joined[:500]):
            page.take(index + 1, last)
            yield found


def _accepted(page: Page, index: int, domain: str) -> AcceptedDomain:
    quote = page.lines[index].strip()[:500]
    known = property_of("DomainName", domain, page.source(index), quote)
    return AcceptedDomain(source=page.source(index), quote=quote, properties=(known,))


_IN_WORDS = re.compile(
    r"(?<![-\w.$])(?P<name>TlsSenderCertificateName|TlsCertificateName|SenderIPAddresses|ConnectorType|SenderDomains|"
    r"RestrictDomainsToIPAddresses|RestrictDomainsToCertificate|AssociatedAcceptedDomains|CloudServicesMailEnabled|"
    r"TlsAuthLevel|RequireTLS|SmartHosts|TlsDomain|Enabled)\s{0,40}(?P<sign>[:=]|is|was|set to|=>|->)?\s*"
    r"(?P<value>\{[^}]{0,2000}\}|\$?(?:true|false)\b|\"[^\"]*\"|'[^']*'|<I>[^\n]*|(?=[\w*])[\w.*:/-]+(?:(?:,\s?|\s)\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?|,\s?[\d.:/]+)*)",
    re.IGNORECASE,
)
_BETWEEN_ADDRESSES = re.compile(r"(?<=\d)\s(?=\d)")
_DOMAINS_IN_WORDS = re.compile(
    r"(?:\b(?:accepted|verified|registered|akzeptierte)\s+(?:domains?|domänen?)\b[^:=\n]{0,30}?(?:[:=]|\bare\b|\bis\b|\bsind\b)"
    r"|\bGet-AcceptedDomain\b[^:\n]{0,20}:|^\s{0,8}(?:accepted|akzeptiert)\s{0,3}:)\s*"
    r"(?P<domains>(?:(?:[\w-]+\.)+[A-Za-z]{2,}(?:\s*(?:\([^)]*\))?(?:,|;| and| und|\s)\s*)?)+)",
    re.IGNORECASE,
)

_SUMMARY = re.compile(
    r"^\s{0,8}(?:[-*]\s{1,3})?(?P<name>\w[^(:\n]{1,60}?)\s{0,3}\((?P<type>on-?premises|partner)\b[^)\n]{0,60}\)",
    re.IGNORECASE,
)
"""`Invoices (OnPremises, enabled)`: a connector in somebody's notes."""
_SAID_TO_BE_ACCEPTED = re.compile(
    r"(?<![@\w.-])(?P<domains>(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})\s{1,3}(?:(?:is|ist|est|es|je|è)\s{1,3})?(?:an?\s{1,3})?"
    r"(?:accepted|verified|akzeptiert|verifiziert|aceptado|vérifié|accepté|ověřen[aá]?)\b(?!\s{1,3}(?:by|for|only|mail))",
    re.IGNORECASE,
)


def read_words(page: Page) -> Iterator[Fact]:
    """Properties that people quote within their sentences: `TlsSenderCertificateName=mail.contoso.example`."""
    lines = [
        (index, line)
        for index, line in page.free()
        if "Set-" not in line and "New-" not in line and not COLOURED.search(line)
    ]
    properties: dict[str, Property] = {}
    for index, line in lines:
        for match in _IN_WORDS.finditer(line):
            weak = match["name"].casefold() in ("enabled", "requiretls", "tlsdomain", "smarthosts")
            if not match["sign"] and (weak or not re.search(r"[.{\"'$*]", match["value"])):
                continue
            value = _BETWEEN_ADDRESSES.sub(", ", match["value"].strip("\"'").rstrip(".,;"))
            known = property_of(match["name"], value, page.source(index), line.strip()[:500])
            properties.setdefault(match["name"].casefold(), known)
        if summary := _SUMMARY.match(line):
            for name, value in (("Name", summary["name"].strip()), ("ConnectorType", summary["type"].replace("-", ""))):
                known = property_of(name, value, page.source(index), line.strip()[:500])
                properties.setdefault(name.casefold(), known)
        if listed := _DOMAINS_IN_WORDS.search(line) or _SAID_TO_BE_ACCEPTED.search(line):
            for domain in re.findall(r"(?:[\w-]{1,255}\.){1,30}[A-Za-z]{2,}", listed["domains"]):
                yield _accepted(page, index, domain)
    if properties.keys() - {"enabled", "requiretls", "name", "connectortype"}:
        first = next(iter(properties.values()))
        found = exported(tuple(properties.values()), first.source, quote=first.quote)
        if found is not None:
            yield found
