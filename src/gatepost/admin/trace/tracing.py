"""The trace, searched and read; whole for the operator, and for a tenant as far as it concerns it.

What flows through: words in, a page or a story as JSON objects out. Laws: what a tenant may not see is to it as if it
did not exist; a page is read until it is full or the trace has no more, and never counted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

from gatepost.admin.directory import audit
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.trace.choice import Words, choice
from gatepost.admin.trace.cursors import cursor_of, place_in
from gatepost.admin.trace.records import item_record, story_record
from gatepost.errors import BadRequest, Named, NotAllowed, NotFound
from gatepost.mail.session_id import find_session_id
from gatepost.trace.search import BadPosition, OwnDomain, Scope, TraceReader, Wanted
from gatepost.trace.story import Item
from gatepost.trace.visibility import seen_by

MOST_ON_A_PAGE: Final = 500
_LOOKS: Final = 20
"""So often the store is asked again for a page of which a tenant may not see everything."""
_MOST_OF_A_STORY: Final = 1000

_CURSOR: Final = Named(name="cursor", option="after")
_SUBJECT: Final = Named(name="subject", option="subject")
_ID: Final = re.compile(r"([0-9A-Fa-f]{16})\.(\d{1,9}|\d{1,9}-\d{1,14})\.\d{1,9}\Z")
_QUEUE_ID: Final = re.compile(r"\d{1,9}-\d{1,14}\Z")
_QUEUED: Final = re.compile(r"(?<![\w-])(\d{1,9}-\d{1,14}) Queued mail for delivery")
"""Our own reply to the content, as the sending server logs it."""
_MESSAGE_ID: Final = re.compile(r"<?([^<>\s@]+@[^<>\s@]+)>?\Z")
_HEADER_OF_BOUNCE: Final = re.compile(r"(?im)^message-id:\s*<([^<>\s]{1,250})>")


class Page(NamedTuple):
    items: Sequence[dict[str, Any]]
    next: str | None
    damaged: Sequence[str]


class Traces(Protocol):
    """Every method raises `Refused` or `StoreError`."""

    def search(self, words: Words, limit: int, cursor: str | None = None) -> Page: ...

    def story(self, text: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTraces:
    """Those of this machine."""

    reader: TraceReader
    directory: DirectoryEditor
    now: float
    tenant: str | None = None
    """Whose the question is; None: the operator's."""
    with_subject: bool = True
    """Or neither shown nor searched."""

    def search(self, words: Words, limit: int, cursor: str | None = None) -> Page:
        """Raises `Refused`."""
        if words.subject is not None and not self.with_subject:
            raise NotAllowed("your role may not search subjects", field=_SUBJECT, next_step="ask the relay's operator")
        wanted = replace(choice(words, self.now), scope=self._scope())
        if wanted.tenant is not None:
            wanted = replace(wanted, tenant=self._tenant(wanted.tenant))
        place = None if cursor is None else place_in(words.list_, cursor)
        if cursor is not None and place is None:
            raise _not_of_this_list()
        try:
            items, next_place, damaged = self._seen(wanted, limit, place)
        except BadPosition:
            raise _not_of_this_list() from None
        return Page(
            [self._shown(item_record(each)) for each in items],
            None if next_place is None else cursor_of(words.list_, next_place),
            damaged,
        )

    def story(self, text: str) -> dict[str, Any]:
        """Of a message, a recipient, or a whole session. Raises `Refused`."""
        for wanted in _named_by(text):
            items, _, _ = self._seen(replace(wanted, scope=self._scope()), _MOST_OF_A_STORY, None)
            if items:
                story = self._shown(story_record(self.reader.with_events(items[::-1])))
                return {**story, "recipients": [self._shown(each) for each in story["recipients"]]}
        raise self._not_found(text)

    def _shown(self, record: dict[str, Any]) -> dict[str, Any]:
        return record if self.with_subject else {**record, "subject": None}

    def _tenant(self, name: str) -> str:
        """One that is no more may still have its mail in the trace."""
        if self.tenant is not None and name.casefold() != self.tenant.casefold():
            raise NotFound(f"there is no tenant '{name}'")
        try:
            return tenant_named(self.directory, name).name
        except NotFound:
            return name

    def _seen(self, wanted: Wanted, limit: int, place: str | None) -> tuple[list[Item], str | None, Sequence[str]]:
        seen: list[Item] = []
        damaged: Sequence[str] = ()
        owners = _Owners(self.directory)
        for _ in range(_LOOKS):
            found = self.reader.search(wanted, limit - len(seen), place)
            place, damaged = found.next, found.damaged
            seen += [each for item in found.items if (each := _as_seen(wanted, item, owners)) is not None]
            if place is None or len(seen) >= limit:
                break
        return seen, place, damaged

    def _scope(self) -> Scope | None:
        if self.tenant is None:
            return None
        began = audit.began(self.directory, self.tenant)
        connectors = [each for each in self.directory.all_inbound_connectors(self.tenant) if each.enabled]
        return Scope(
            tenant=self.tenant,
            since=began.timestamp() if began else 0.0,
            domains=[
                OwnDomain(each.domain, each.verified_at.timestamp() if each.verified_at else 0.0, each.match_subdomains)
                for each in self.directory.all_domains(self.tenant)
                if each.verified
            ],
            networks=[network for each in connectors for network in each.addresses],
            pins=frozenset(pin for each in connectors for pin in each.pins),
        )

    def _not_found(self, text: str) -> NotFound:
        shown = text if len(text) <= 60 else text[:59] + "…"
        if self.tenant is not None:
            return NotFound(f"there is no message or session '{shown}' of yours in the trace")
        oldest = self.reader.oldest()
        if oldest is None:
            return NotFound(f"'{shown}' is not in the trace, which is empty", next_step="is this the right server?")
        return NotFound(
            f"'{shown}' is not in the trace, which goes back to {datetime.fromtimestamp(oldest, UTC):%Y-%m-%d}",
            next_step="give a session id, a queue id, a Message-ID or a reply that holds one of them",
        )


class _Owners:
    """For one question: a flood of refused mail bears the same few domains and names."""

    def __init__(self, directory: DirectoryEditor) -> None:
        self._covering = cache(directory.covering_domain)
        self._nearest = cache(directory.nearest_owner)

    def of_path(self, domain: str) -> str | None:
        owner = self._covering(domain)
        return owner.tenant if owner else None

    def of_name(self, name: str) -> str | None:
        owner = self._nearest(name)
        return owner.tenant if owner else None


def _as_seen(wanted: Wanted, item: Item, owners: _Owners) -> Item | None:
    """What is kept from a tenant is not found by guessing it either."""
    if wanted.scope is None:
        return item
    shown = seen_by(wanted.scope, item, owners)
    is_guess = wanted.mail_from or wanted.rcpt_to or wanted.message_id or wanted.subject
    return None if shown is not item and is_guess else shown


def _named_by(text: str) -> Sequence[Wanted]:
    """What it may name, the most telling first."""
    text = text.strip()
    if found := _ID.match(text):
        session_id = found[1].upper()
        return [Wanted(session_id=session_id, id=session_id + text[16:])]
    if _QUEUE_ID.match(text):
        return [Wanted(queue_id=text)]
    if found := _MESSAGE_ID.match(text):
        return [Wanted(message_id=found[1])]
    named: list[Wanted] = []
    if found := _QUEUED.search(text):
        named.append(Wanted(queue_id=found[1]))
    if session_id := find_session_id(text):
        named.append(Wanted(session_id=session_id))
    if found := _HEADER_OF_BOUNCE.search(text):
        named.append(Wanted(message_id=found[1]))
    return named


def _not_of_this_list() -> BadRequest:
    refusal = BadRequest(_CURSOR, ": the cursor does not belong to this search", next_step="begin without it")
    refusal.code = "bad-cursor"
    return refusal
