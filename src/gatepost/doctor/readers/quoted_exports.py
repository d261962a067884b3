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
    r"(?:select|select-object|%|foreach-object)\s+(?:-expand\w*\s+)(?P<name2>\w+)\s*$",
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
        identity = re.search(r"['\"]([^'\"]+)['\"]", match["arguments"] or match["arguments2"] or "")
        if not values or name.casefold() not in SIGNS:
            continue
        joined = "".join(values) if name.casefold() in DISTINGUISHED else ", ".join(values)
        properties = [property_of(name, joined, page.source(index + 1), joined[:500])]
        if identity:
            properties.insert(0, property_of("Name", identity[1], page.source(index), line.strip()[:500]))
        if found := exported(tuple(properties), page.source(index + 1), hint=cmdlet, quote=joined[:500]):
            page.take(index + 1, last)
            yield found


_IN_WORDS = re.compile(
    r"(?<![-\w.$])(?P<name>TlsSenderCertificateName|TlsCertificateName|SenderIPAddresses|ConnectorType|SenderDomains|"
    r"RestrictDomainsToIPAddresses|RestrictDomainsToCertificate|AssociatedAcceptedDomains|CloudServicesMailEnabled|"
    r"TlsAuthLevel|RequireTLS|SmartHosts|TlsDomain|Enabled)\s{0,40}(?P<sign>[:=]|is|was|set to|=>|->)?\s*"
    r"(?P<value>\{[^}]{0,2000}\}|\$?(?:true|false)\b|\"[^\"]*\"|'[^']*'|<I>[^\n]*|(?=[\w*])[\w.*:/-]+(?:,\s?[\d.:/]+)*)",
    re.IGNORECASE,
)
_DOMAINS_IN_WORDS = re.compile(
    r"\b(?:accepted|verified|registered|akzeptierte)\s+(?:domains?|domänen?)\b[^:=\n]{0,30}?(?:[:=]|\bare\b|\bis\b|\bsind\b)\s*"
    r"(?P<domains>(?:(?:[\w-]+\.)+[A-Za-z]{2,}(?:\s*(?:\([^)]*\))?(?:,|;| and| und|\s)\s*)?)+)",
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
            value = match["value"].strip("\"'").rstrip(".,;")
            known = property_of(match["name"], value, page.source(index), line.strip()[:500])
            properties.setdefault(match["name"].casefold(), known)
        if listed := _DOMAINS_IN_WORDS.search(line):
            for domain in re.findall(r"(?:[\w-]{1,255}\.){1,30}[A-Za-z]{2,}", listed["domains"]):
                known = property_of("DomainName", domain, page.source(index), line.strip()[:500])
                yield AcceptedDomain(source=page.source(index), quote=line.strip()[:500], properties=(known,))
    if properties.keys() - {"enabled", "requiretls"}:
        first = next(iter(properties.values()))
        found = exported(tuple(properties.values()), first.source, quote=first.quote)
        if found is not None:
            yield found
