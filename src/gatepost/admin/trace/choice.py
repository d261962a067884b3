"""What somebody looks for, from the words that they wrote."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from gatepost.errors import BadRequest, Named
from gatepost.mail.domain import DomainError, domain_key
from gatepost.tenancy.notation import duration_s
from gatepost.trace.search import Wanted
from gatepost.trace.story import Outcome

ACCEPTED: Final = "accepted"
"""Any outcome but `refused`."""
OUTCOMES: Final = (ACCEPTED, *Outcome)

_AGE: Final = re.compile(r"[0-9.]+[a-z]+\Z")
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """As they were written; None: not said."""

    mail_from: str | None = None
    rcpt_to: str | None = None
    domain: str | None = None
    message_id: str | None = None
    subject: str | None = None
    tenant: str | None = None
    address: str | None = None
    certificate: str | None = None
    outcome: str | None = None
    reason: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def list_(self) -> str:
        """Names the list that they choose: cursors are for one."""
        said = [(each.name, getattr(self, each.name)) for each in fields(self)]
        return repr(["trace", *said])


def choice(words: Words, now: float) -> Wanted:
    """Raises `BadRequest`."""
    for each in fields(words):
        text = getattr(words, each.name)
        if text is not None and len(text) > _LONGEST:
            raise BadRequest(_named(each.name), f" is longer than {_LONGEST} characters")
    return Wanted(
        mail_from=_read(words, "mail_from", _path),
        rcpt_to=_read(words, "rcpt_to", _path),
        domain=_read(words, "domain", _domain),
        message_id=_read(words, "message_id", lambda text: text.strip().removeprefix("<").removesuffix(">")),
        subject=words.subject,
        tenant=words.tenant,
        address=_read(words, "address", _address),
        certificate=_read(words, "certificate", _certificate),
        outcomes=None if words.outcome is None else _outcomes(words.outcome),
        reason=words.reason,
        since=None if words.since is None else time_said("since", words.since, now),
        until=None if words.until is None else time_said("until", words.until, now),
    )


def _read(words: Words, name: str, read: Callable[[str], str]) -> str | None:
    text = getattr(words, name)
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise BadRequest(_named(name), f" {text}: {error}") from None


def said_as(name: str) -> str:
    """What a field of `Words` is called in an address, in JSON and in an option."""
    return {"mail_from": "from", "rcpt_to": "to"}.get(name, name)


def _named(name: str) -> Named:
    name = said_as(name)
    return Named(name=name, option=name.replace("_", "-"))


def _path(text: str) -> str:
    text = text.strip().removeprefix("<").removesuffix(">")
    if text and "@" not in text.strip("@"):
        raise ValueError("must be a whole address, such as ann@contoso.com, or '<>'; a domain goes with --domain")
    return text


def _domain(text: str) -> str:
    if text.startswith("["):
        return text
    try:
        return domain_key(text.rpartition("@")[2])
    except DomainError as error:
        raise ValueError(str(error)) from None


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        raise ValueError("must be an IP address, such as 192.0.2.1") from None


def _certificate(text: str) -> str:
    bare = text.replace(":", "").lower()
    return bare if re.fullmatch(r"[0-9a-f]{64}", bare) else text.lower()


def _outcomes(text: str) -> frozenset[Outcome]:
    if text == ACCEPTED:
        return frozenset(Outcome) - {Outcome.REFUSED}
    try:
        return frozenset({Outcome(text)})
    except ValueError:
        raise BadRequest(_named("outcome"), f" {text}: must be one of {', '.join(OUTCOMES)}") from None


def time_said(name: str, text: str, now: float) -> float:
    """A point in time, or an age; UTC where no zone is said. Raises `BadRequest`."""
    if _AGE.match(text):
        # However long ago: nothing is older than the clock.
        return max(0.0, now - duration_s(text))
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(
            _named(name), f" {text}: must be a time, such as 2026-12-01T10:00 (UTC), or an age, such as 4h or 2d"
        ) from None
