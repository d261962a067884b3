"""MTA-STS (RFC 8461): what a domain says of its mail hosts, read from its TXT record and its policy file.

Laws: nothing here raises for what a stranger wrote; a record or a policy that breaks the rules is none, with a reason.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from gatepost.mail.domain import DomainError, domain_key

LARGEST: Final = 64 * 1024
"""Octets of a policy file that are read (RFC 8461 3.3)."""
LONGEST_AGE_S: Final = 31_557_600
_MOST_PATTERNS: Final = 500
_SPACE: Final = " \t"

# RFC 8461 3.1: sts-id, and how the TXT record begins.
_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}")
_RECORD: Final = re.compile(r"v=STSv1[ \t]{0,40}(?:;|$)")


class StsMode(StrEnum):
    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


class StsPolicy(NamedTuple):
    id: str
    """Of the TXT record that it was fetched for."""
    mode: StsMode
    max_age_s: int
    mx: tuple[str, ...]
    """Domain keys, some with `*.` before them."""

    def covers(self, host: str) -> bool:
        """Whether `host`, a domain key, is one of its mail hosts (RFC 8461 4.1): `*` stands for exactly one label."""
        _, _, parent = host.partition(".")
        return any(parent == pattern[2:] if pattern.startswith("*.") else host == pattern for pattern in self.mx)


class StsAnswer(NamedTuple):
    """What is known of a domain's policy now."""

    policy: StsPolicy | None = None
    problem: str = ""
    """Why there is none although the domain announces one, or why an older one is still used."""
    unknown: str = ""
    """Why nobody knows whether the domain announces one."""


NO_POLICY: Final = StsAnswer()


def policy_id(records: Sequence[str]) -> str | None:
    """From the TXT records of `_mta-sts.DOMAIN`; None: the domain announces no policy. RFC 8461 3.1: other records
    beside it are left out of account, two of them are as good as none."""
    ours = [record for record in records if _RECORD.match(record)]
    if len(ours) != 1:
        return None
    fields = [part.partition("=") for part in ours[0].split(";")]
    found = next((value.strip(_SPACE) for name, _, value in fields if name.strip(_SPACE) == "id"), "")
    return found if _ID.fullmatch(found) else None


def read_policy(text: str, announced_id: str) -> StsPolicy | str:
    """A policy file, or what is wrong with it in a few words (RFC 8461 3.2)."""
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(_SPACE), []).append(value.strip(_SPACE))
    # RFC 8461 3.2: of all fields but mx, the first counts.
    first = {name: values[0] for name, values in fields.items()}
    if first.get("version") != "STSv1":
        return "it does not say version: STSv1"
    if first.get("mode") not in tuple(StsMode):
        return "its mode is not enforce, testing or none"
    age = first.get("max_age", "")
    if not age.isascii() or not age.isdecimal() or len(age) > 10:
        return "its max_age is not a number of seconds"
    mode, patterns = StsMode(first["mode"]), [_pattern(each) for each in fields.get("mx", ())[:_MOST_PATTERNS]]
    mx = tuple(each for each in patterns if each)
    if mode is not StsMode.NONE and not mx:
        return "it names no mx"
    return StsPolicy(announced_id, mode, min(int(age), LONGEST_AGE_S), mx)


def _pattern(text: str) -> str | None:
    """A domain key, or None: no host has such a name. Written with letters of any script, it is the same name."""
    wildcard = "*." if text.startswith("*.") else ""
    try:
        return wildcard + domain_key(text.removeprefix("*.").removesuffix("."))
    except DomainError:
        return None
