"""Proving that a domain is the tenant's: a TXT record that only its owner can publish, asked for once and then daily.

A record that is gone does not stop mail at once: the domain goes on counting for a grace time, in which the operator is
told. Then it is a claim again, like those of others, and whoever proves it next owns it; a claim that nobody proves
lapses. A failure of the DNS says nothing about a domain, so it changes nothing. What an operator vouched for is left
alone.
"""

from asyncio import gather, sleep
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import Protocol

from gatepost.admin.directory.domains import DomainChange, must_have_no_other_owner, put, unverified
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import claims_named, domain_named, say_whose
from gatepost.admin.directory.ownership import RECORD_PREFIX, record_name, record_value, txt_record
from gatepost.errors import DomainNotVerified, NotAllowed
from gatepost.queue.next_hop import DnsProblem
from gatepost.queue.store import StoreError
from gatepost.tenancy.tenant import AcceptedDomain

CHECK_EVERY = timedelta(days=1)
_ROUND_EVERY_S = 3600.0
_ASKED_AT_ONCE = 50
"""One tenant's thousand domains whose name servers are silent must not put off everybody else's check for hours."""


TxtAnswer = tuple[str, ...] | DnsProblem


class TxtLookup(Protocol):
    async def txt(self, name: str) -> TxtAnswer:
        """The texts of the TXT records at `name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckEvent:
    """Something an operator wants to read in the log."""

    domain: str
    tenant: str
    kind: str
    """`lost`, `found-again`, `unverified`, `dns-failure`, `lapsed`."""
    says: str


async def verify(
    editor: DirectoryEditor, lookup: TxtLookup, text: str, at: datetime, tenant: str | None = None
) -> DomainChange:
    """Ask DNS for the record of one domain; `DomainNotVerified` says what was seen instead. Without `tenant`, where
    several claim a domain that nobody owns, the record decides whose it is."""
    claims = claims_named(editor, text, tenant)
    answer = await lookup.txt(record_name(claims[0].domain))
    texts = _texts(answer)
    proven = [claim for claim in claims if record_value(claim) in texts]
    if len(proven) > 1:
        raise say_whose(claims[0].domain, "has the TXT records of several tenants", proven)
    if not proven:
        raise DomainNotVerified(_what_was_seen(claims[0], answer) if len(claims) == 1 else _none_seen(claims, answer))
    return _verified(editor, proven[0], at)


def give_up(editor: DirectoryEditor, text: str, at: datetime, tenant: str | None = None) -> DomainChange:
    """The domain is as it was before it was verified. Not while a connector in use rests on it."""
    with editor.change():
        domain = domain_named(editor, text, tenant)
        if domain.verified_by_operator:
            raise NotAllowed(f"{domain.domain} was verified by the operator; only the operator can revoke that")
        made = put(editor, unverified(domain, at), "unverify")
        if made.stopped:
            raise NotAllowed(
                f"{domain.domain} stays verified: connectors in use rest on it ({'; '.join(made.stopped)})",
                next_step="disable them first",
            )
        return made


async def recheck(editor: DirectoryEditor, lookup: TxtLookup, at: datetime, grace: timedelta) -> Sequence[RecheckEvent]:
    """Ask again for every domain whose last check is a day old."""
    events = []
    due = list(editor.domains_last_checked_before(at - CHECK_EVERY))
    for first in range(0, len(due), _ASKED_AT_ONCE):
        domains = due[first : first + _ASKED_AT_ONCE]
        answers = await gather(*(lookup.txt(record_name(each.domain)) for each in domains))
        judged = (_judge(editor, *asked, at, grace) for asked in zip(domains, answers, strict=True))
        events += [event for event in judged if event]
    return events


def lapse(editor: DirectoryEditor, at: datetime, after: timedelta) -> Sequence[RecheckEvent]:
    """Take the domains from their tenants that they added, or lost, longer ago than `after` and have not proven."""
    events = []
    with editor.change():
        for domain in list(editor.claims_made_before(at - after)):
            editor.remove_domain(domain, "lapse")
            says = (
                f"it was not verified within {after.days} days and was removed from {domain.tenant}; to add it again: "
            )
            events.append(_event(domain, "lapsed", f"{says}gatepost domain add {quote(domain.tenant)} {domain.domain}"))
    return events


class Events(Protocol):
    def emit(self, event: str, /, **fields: object) -> None: ...


class VerificationRounds:
    """Each hour the domains whose day is over are asked for, and claims that nobody proved lapse; for as long as the
    relay runs."""

    def __init__(
        self,
        open_editor: Callable[[], AbstractContextManager[DirectoryEditor]],
        lookup: TxtLookup,
        events: Events,
        *,
        grace: timedelta,
        claim: timedelta,
    ) -> None:
        self._open_editor = open_editor
        self._lookup = lookup
        self._events = events
        self._grace = grace
        self._claim = claim

    async def run(self) -> None:
        while True:
            await self.go(datetime.now(UTC))
            await sleep(_ROUND_EVERY_S)

    async def go(self, at: datetime) -> None:
        try:
            with self._open_editor() as editor:
                found = [*await recheck(editor, self._lookup, at, self._grace), *lapse(editor, at, self._claim)]
        except (StoreError, OSError) as error:
            self._events.emit("store-unavailable", problem=str(error))
            return
        for event in found:
            self._events.emit("domain-verification", problem=str(event))


def _judge(
    editor: DirectoryEditor, asked: AcceptedDomain, answer: TxtAnswer, at: datetime, grace: timedelta
) -> RecheckEvent | None:
    with editor.change():
        # Read again: an administrator may have been busy while DNS was asked.
        domain = editor.accepted_domain(asked.domain, asked.tenant)
        if domain is None or not domain.verified or domain.verified_by_operator:
            return None
        if record_value(domain) in _texts(answer):
            return _still_there(editor, domain, at)
        if _failure(answer):
            return _event(domain, "dns-failure", _what_was_seen(domain, answer))
        if domain.lost_at is None:
            editor.put_domain(replace(domain, lost_at=at, checked_at=at), "lose")
            says = f"{_what_was_seen(domain, answer)}; it stops counting {grace.days} days from now"
            return _event(domain, "lost", says)
        if at < domain.lost_at + grace:
            editor.note_domain_checked(domain, at)
            return None
        stopped = put(editor, replace(unverified(domain, at), checked_at=at), "unverify").stopped
        silenced = f"; connectors that stop counting: {', '.join(stopped)}" if stopped else ""
        says = (
            f"{_what_was_seen(domain, answer)}; it no longer counts, and the next tenant to prove it owns it{silenced}"
        )
        return _event(domain, "unverified", says)


def _still_there(editor: DirectoryEditor, domain: AcceptedDomain, at: datetime) -> RecheckEvent | None:
    if domain.lost_at is None:
        editor.note_domain_checked(domain, at)
        return None
    editor.put_domain(replace(domain, lost_at=None, checked_at=at), "find-again")
    return _event(domain, "found-again", "its verification record is there again")


def _verified(editor: DirectoryEditor, domain: AcceptedDomain, at: datetime) -> DomainChange:
    with editor.change():
        # Read again: an administrator may have been busy while DNS was asked.
        current = domain_named(editor, domain.domain, domain.tenant)
        if current.token != domain.token:
            raise DomainNotVerified(
                f"{domain.domain} was removed and added again meanwhile", next_step=f"publish {txt_record(current)}"
            )
        if current.verified and current.lost_at is None:
            editor.note_domain_checked(current, at)
            return DomainChange(domain=current)
        must_have_no_other_owner(editor, current)
        proven = replace(
            current,
            verified=True,
            verified_at=current.verified_at or at,
            checked_at=at,
            lost_at=None,
        )
        return put(editor, proven, "verify")


def _what_was_seen(domain: AcceptedDomain, answer: TxtAnswer) -> str:
    where = record_name(domain.domain)
    if failure := _failure(answer):
        return f"{domain.domain} could not be checked: {failure}; nothing was changed, try again later"
    texts = _texts(answer)
    ours = [text for text in texts if text.startswith(RECORD_PREFIX)]
    if ours:
        return f'{where} says "{_short(ours[0])}", not "{record_value(domain)}": correct the TXT record'
    if texts:
        return f'{where} has a TXT record that says "{_short(texts[0])}": add one that says "{record_value(domain)}"'
    return f"there is no TXT record at {where}: publish {txt_record(domain)}, and wait until DNS shows it"


def _none_seen(claims: Sequence[AcceptedDomain], answer: TxtAnswer) -> str:
    name = claims[0].domain
    if failure := _failure(answer):
        return f"{name} could not be checked: {failure}; nothing was changed, try again later"
    return (
        f"{record_name(name)} has no TXT record of a tenant that claims {name}; see which each must publish: "
        f"gatepost domain show {name} --tenant NAME"
    )


def _texts(answer: TxtAnswer) -> list[str]:
    """Some DNS consoles keep the quotes that people paste."""
    return [] if isinstance(answer, DnsProblem) else [text.strip().strip('"').strip() for text in answer]


def _failure(answer: TxtAnswer) -> str | None:
    """Why DNS could not say. That a name does not exist is no failure but an answer."""
    return answer.why if isinstance(answer, DnsProblem) and not answer.permanent else None


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _event(domain: AcceptedDomain, kind: str, says: str) -> RecheckEvent:
    return RecheckEvent(domain=domain.domain, tenant=domain.tenant, kind=kind, says=says)
