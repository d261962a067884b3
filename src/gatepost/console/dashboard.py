"""The dashboard: rates, refusals by reason, how long things took, and what ends.

    an operator's: what the workers counted in the last hour
    a tenant's:    its own newest mail, by the trace

Law: each chart has its numbers as a table.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from gatepost.admin.status.lately import Durations, by_hour, by_minute, refused_by_reason
from gatepost.admin.trace.choice import Words
from gatepost.admin.trace.tracing import MOST_ON_A_PAGE
from gatepost.app.figures import definitions, snapshots
from gatepost.app.own_credentials import foreseen
from gatepost.console.page import Page, Who
from gatepost.console.rendering import page
from gatepost.console.visit import Visit

_PAGES_READ: Final = 4
_TIMED: Final = {
    definitions.ACCEPT_SECONDS: "From the end of the content to the reply",
    definitions.DELIVERY_SECONDS: "From the beginning of a delivery to its outcome",
    definitions.COMMIT_SECONDS: "To stable storage",
}


def _dashboard(visit: Visit) -> Response:
    return _of_operator(visit) if visit.person.is_operator else _of_tenant(visit)


def _of_operator(visit: Visit) -> Response:
    found = snapshots.read(visit.config.status_folder)
    total, now = found.total, time.time()
    bounds = {each.name: each.bounds for each in definitions.HISTOGRAMS}
    durations = {
        title: Durations(bounds=bounds[name], counts=total["histograms"][name]["counts"])
        for name, title in _TIMED.items()
        if name in total["histograms"]
    }
    return page(
        visit,
        "dashboard.html",
        is_running=found.is_running,
        course=by_minute(total["minutes"], now),
        reasons=refused_by_reason(total["minutes"]),
        durations=durations,
        more=False,
    )


def _of_tenant(visit: Visit) -> Response:
    items: list[Mapping[str, Any]] = []
    cursor = None
    with visit.person.traces() as traces:
        for _ in range(_PAGES_READ):
            found = traces.search(Words(since="24h"), MOST_ON_A_PAGE, cursor)
            items += found.items
            cursor = found.next
            if cursor is None:
                break
    reasons = Counter(each["reason"] for each in items if each["reason"]).most_common()
    return page(
        visit,
        "dashboard.html",
        is_running=True,
        course=by_hour(items, time.time()),
        reasons=reasons,
        durations={},
        more=cursor is not None and items[-1]["at"],
    )


def _ending(visit: Visit) -> Response:
    """On a page of its own: looking at every connector takes a while where there are many."""
    now = datetime.now(UTC)
    with visit.person.directory() as directory:
        found: Sequence[Any] = foreseen(visit.config, directory, now, visit.person.of_tenant)
    return page(visit, "ending.html", found=found, now=now)


PAGES: Final = (
    Page("/dashboard", Who.PEOPLE, _dashboard),
    Page("/ending", Who.PEOPLE, _ending),
)
