"""Times as logs, exports and people write them, with what is certain about them."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from gatepost.doctor.evidence import Certainty, Moment

_MONTHS = {
    name: n
    for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_MONTHS |= {"mär": 3, "mrz": 3, "mai": 5, "okt": 10, "dez": 12, "fév": 2, "avr": 4, "aoû": 8, "déc": 12}
_MONTHS |= {
    "ene": 1,
    "abr": 4,
    "ago": 8,
    "dic": 12,
    "gen": 1,
    "mag": 5,
    "giu": 6,
    "lug": 7,
    "set": 9,
    "ott": 10,
    "maa": 3,
    "mei": 5,
}

_ISO = re.compile(
    r"(\d{3,4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?",
)
_NAMED = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?([A-Za-zäéû]{3,9})\.?\s+(\d{1,2})(?:,?\s+(\d{4}))?,?\s+(\d{1,2}):(\d\d)(?::(\d\d))?"
    r"(?:\.\d+)?(?:\s+(?!\d{4}\s)[A-Z]{3,4})?(?:\s+(\d{4})(?!\d))?(?:\s+(GMT|UTC))?"
)
_RFC5322 = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?(\d{1,2})\.?[ -](?:de )?([A-Za-zäéû]{3,10})\.?[ -](?:de )?(\d{4}),?"
    r"(?:\s+(\d{1,2}):(\d\d)(?::(\d\d))?)?"
    r"(?:\s*(GMT|UTC|Z|[+-]\d{4}))?"
)
_NUMERIC = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d))?(?:[.,]\d+)?\s*([AaPp])?\.?[Mm]?\.?)?"
)
_PATTERNS = (_ISO, _RFC5322, _NUMERIC, _NAMED)
ANY_MOMENT = re.compile("|".join(f"(?:{each.pattern.replace(chr(92) + '2', '[./-]')})" for each in _PATTERNS))


def moment(text: str) -> Moment | None:
    """The time that `text` is; None where it is none."""
    return _moment(text.strip())


@lru_cache(maxsize=4096)
def _moment(text: str) -> Moment | None:
    for pattern, reader in ((_ISO, _iso), (_RFC5322, _rfc5322), (_NUMERIC, _numeric), (_NAMED, _named)):
        if match := pattern.match(text):
            try:
                return reader(match)
            except (ValueError, OverflowError):
                continue
    return None


def _made(match: re.Match[str], parts: list[int], zone: str | None, certainty: Certainty) -> Moment:
    offset = UTC
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        delta = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        offset = timezone(delta if zone[0] == "+" else -delta)
    at = datetime(*parts, tzinfo=offset)  # type: ignore[misc, arg-type]
    return Moment(match[0].strip(), at.timestamp(), certainty)


def _iso(match: re.Match[str]) -> Moment | None:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    whole = int(year) if len(year) == 4 else 2000 + int(year)  # a paste that lost the first digit
    if hour is None:
        return _made(match, [whole, int(month), int(day)], zone, "day")
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    parts = [whole, int(month), int(day), int(hour), int(minute), int(second or 0), micro]
    return _made(match, parts, zone, "exact" if zone else "zone-unknown")


def _rfc5322(match: re.Match[str]) -> Moment | None:
    day, name, year, hour, minute, second, zone = match.groups()
    month = _MONTHS.get(name[:3].casefold())
    if month is None:
        return None
    if hour is None:
        return _made(match, [int(year), month, int(day)], zone, "day")
    return _made(
        match,
        [int(year), month, int(day), int(hour), int(minute), int(second or 0)],
        zone,
        "exact" if zone else "zone-unknown",
    )


def _numeric(match: re.Match[str]) -> Moment | None:
    first, separator, second, year, hour, minute, seconds, half = match.groups()
    one, two = int(first), int(second)
    day_first = separator != "/" or one > 12
    day, month = (one, two) if day_first and two <= 12 else (two, one)
    if hour is None:
        return _made(match, [int(year), month, day], None, "day")
    of_day = int(hour) % 12 + (12 if half in "pP" else 0) if half else int(hour)
    return _made(match, [int(year), month, day, of_day, int(minute), int(seconds or 0)], None, "zone-unknown")


def _named(match: re.Match[str]) -> Moment | None:
    name, day, year_before, hour, minute, second, year_after, zone = match.groups()
    month = _MONTHS.get(name[:3].casefold())
    if month is None:
        return None
    year = int(year_before or year_after or 0)
    if not year:  # syslog: the order within a file is what counts, so any leap year does
        return _made(match, [2000, month, int(day), int(hour), int(minute), int(second or 0)], None, "year-unknown")
    certainty: Certainty = "exact" if zone else "zone-unknown"
    return _made(match, [year, month, int(day), int(hour), int(minute), int(second or 0)], zone, certainty)
