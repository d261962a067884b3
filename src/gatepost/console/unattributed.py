"""Refused sessions by what they presented: the same certificate, address and reason are one line; of each, who it could
be, and the connector that would admit it.

Law: the newest refusals are read, a bounded number of them; the page says how far back that goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from gatepost.admin.repair.likely_tenants import Earlier, likely_tenants, presented_in
from gatepost.admin.repair.proposal import Proposal, proposal
from gatepost.admin.sessions.own_directory import OwnDirectory
from gatepost.admin.trace.choice import Words
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE, LocalTraces
from gatepost.console.page import Page, Who
from gatepost.console.rendering import link, page
from gatepost.console.trace_pages import session_of
from gatepost.console.visit import Visit
from gatepost.console.watching import looked_at
from gatepost.errors import NotFound
from gatepost.trace.story import Outcome

_PAGES_READ: Final = 4
_EARLIER: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    certificate: Mapping[str, Any] | None
    address: str | None
    reason: str | None
    items: Sequence[Mapping[str, Any]]

    @property
    def newest(self) -> Mapping[str, Any]:
        return self.items[0]

    @property
    def oldest(self) -> Mapping[str, Any]:
        return self.items[-1]

    @property
    def senders(self) -> list[str]:
        """Domains of the reverse-paths, the commonest kind of clue to whose server it is."""
        found = {(each["mail_from"] or "<>").rpartition("@")[2] for each in self.items}
        return sorted(found)[:3] + (["…"] if len(found) > 3 else [])


def grouped(items: Sequence[Mapping[str, Any]]) -> list[Group]:
    """The largest first; of items from the newest to the oldest."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for item in items:
        certificate = item["certificate"]
        key = (certificate and certificate["sha256"], item["address"], item["reason"])
        groups.setdefault(key, []).append(item)
    found = [
        Group(certificate=each[0]["certificate"], address=key[1], reason=key[2], items=each)
        for key, each in groups.items()
    ]
    return sorted(found, key=lambda group: -len(group.items))


def _unattributed(visit: Visit) -> Response:
    since = visit.said("since") or "7d"
    words = Words(outcome="refused", since=since)
    items: list[Mapping[str, Any]] = []
    with visit.person.traces() as trace:
        cursor = None
        for _ in range(_PAGES_READ):
            found = trace.search(words, MOST_ON_A_PAGE, cursor)
            items += found.items
            cursor = found.next
            if cursor is None:
                break
    return page(
        visit, "unattributed.html", groups=grouped(items), since=since, oldest=items[-1] if cursor and items else None
    )


def _one(visit: Visit) -> Response:
    """Who a refused message could be of."""
    person = visit.person
    now = datetime.now(UTC)
    with person.traces() as traces:
        item = traces.story(visit.part["id"])
        if item["outcome"] != Outcome.REFUSED:
            raise NotFound("this mail was not refused")
        session = session_of(visit, traces, item["session_id"])
        directory = traces.directory if person.is_operator else OwnDirectory(traces.directory, person.of_tenant or "")
        presented = presented_in(item, session)
        likely = likely_tenants(directory, presented, _earlier(traces, item), now)
        sha256 = item["certificate"] and item["certificate"]["sha256"]
        found = [(each, proposal(directory, each, presented, item["reason"], sha256)) for each in likely]
    looked_at(visit, f"message {item['id']}")
    return page(
        visit, "unattributed_one.html", item=item, session=session, found=[(a, b, _to_form(item, b)) for a, b in found]
    )


def _to_form(item: Mapping[str, Any], proposed: Proposal | None) -> str | None:
    """The form, filled with what is proposed."""
    if proposed is None:
        return None
    connector = proposed.connector
    said: dict[str, object] = {name: "\n".join(entries) for name, entries in proposed.adds.items()}
    return link(
        f"/tenants/{proposed.tenant}/connector-form",
        connector=connector.name if connector else None,
        name=None if connector else "mail",
        enable="yes" if connector and not connector.enabled else None,
        session=item["session_id"],
        **said,
    )


def _earlier(traces: LocalTraces, item: Mapping[str, Any]) -> list[Earlier]:
    """The latest mail of each connector, from the same address and with the same certificate."""
    found: dict[tuple[str, str | None], Earlier] = {}
    certificate = item["certificate"]
    for what, words in (
        (
            "mail with the same certificate",
            Words(outcome="accepted", certificate=certificate and certificate["sha256"]),
        ),
        ("mail from the same address", Words(outcome="accepted", address=item["address"])),
    ):
        if not (words.certificate or words.address):
            continue
        for each in traces.search(words, _EARLIER).items:
            if each["tenant"]:
                found.setdefault(
                    (each["tenant"], each["connector"]),
                    Earlier(each["tenant"], each["connector"], f"{each['at'][:10]} UTC", what),
                )
    return list(found.values())


PAGES: Final = (
    Page("/unattributed", Who.PEOPLE, _unattributed),
    Page("/unattributed/{id:path}", Who.PEOPLE, _one),
)
