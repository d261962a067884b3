"""Refused sessions by what they presented: the same certificate, address and reason are one line.

Law: the newest refusals are read, a bounded number of them; the page says how far back that goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from gatepost.admin.trace.choice import Words
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page
from gatepost.console.visit import Visit

_PAGES_READ: Final = 4


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


PAGES: Final = (Page("/unattributed", Who.PEOPLE, _unattributed),)
