"""Every figure that workers count: its name, what it says, its labels, and all their values.

Laws: a name and its labels are a contract; every series exists from the start, at 0; no label holds what strangers or
tenants choose.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from gatepost.tenancy.attribution import Basis, Outcome
from gatepost.tenancy.reasons import MEANINGS, ReasonKind

NONE: Final = "none"
OTHER: Final = "other"
TLS: Final = (NONE, "TLSv1.2", "TLSv1.3", OTHER)
REASONS: Final = (*(code.value for code, each in MEANINGS.items() if each.kind is ReasonKind.REFUSAL), OTHER)
"""Of refusals; `other`: a limit, a full queue, a one-time address."""
ATTEMPTS: Final = ("delivered", "deferred", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    name: str
    says: str
    labels: Sequence[str] = ()
    series: Sequence[tuple[str, ...]] = ((),)
    """The values of the labels; those of `listener` are added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    name: str
    says: str
    bounds: Sequence[float]


SESSIONS: Final = "gatepost_sessions_total"
ATTRIBUTION: Final = "gatepost_attribution_total"
ACCEPTED: Final = "gatepost_messages_accepted_total"
RECIPIENTS: Final = "gatepost_recipients_accepted_total"
SIGNED: Final = "gatepost_dkim_signed_total"
DELIVERY_ATTEMPTS: Final = "gatepost_delivery_attempts_total"
ACCEPT_SECONDS: Final = "gatepost_accept_seconds"
DELIVERY_SECONDS: Final = "gatepost_delivery_seconds"
COMMIT_SECONDS: Final = "gatepost_commit_seconds"
GROUP_SIZE: Final = "gatepost_group_size"

_TAKEN: Final = [outcome.value for outcome in Outcome if outcome is not Outcome.REFUSED]
_ATTRIBUTED: Final = (
    *product((basis.value for basis in Basis), _TAKEN, (NONE,)),
    *((NONE, "refused", reason) for reason in REASONS),
)

COUNTERS: Final = (
    Counter(
        name=SESSIONS,
        says="Sessions that ended, by what became of their mail.",
        labels=("listener", "outcome", "tls"),
        series=tuple(product(("accepted", "refused", NONE), TLS)),
    ),
    Counter(
        name=ATTRIBUTION,
        says="Recipients that were asked for, by what recognised the tenant, the verdict and the reason of a refusal.",
        labels=("basis", "outcome", "reason"),
        series=_ATTRIBUTED,
    ),
    Counter(name=ACCEPTED, says="Messages accepted with 250."),
    Counter(name=RECIPIENTS, says="Recipients of messages accepted with 250."),
    Counter(
        name=SIGNED,
        says="Messages of tenants that have a signing key, by whether they were signed.",
        labels=("result",),
        series=(("signed",), ("unsigned",)),
    ),
    Counter(
        name=DELIVERY_ATTEMPTS,
        says="Attempts to deliver to a recipient, by outcome and the TLS of the session with the next hop.",
        labels=("outcome", "tls"),
        series=tuple(product(ATTEMPTS, TLS)),
    ),
)

HISTOGRAMS: Final = (
    Histogram(
        name=COMMIT_SECONDS,
        says="From handing a group of changes of the queue to the disk until it is on stable storage.",
        bounds=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
    ),
    Histogram(
        name=GROUP_SIZE,
        says="Changes of the queue that one commit made durable.",
        bounds=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    ),
    Histogram(
        name=ACCEPT_SECONDS,
        says="From the end of the content to its final reply.",
        bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    ),
    Histogram(
        name=DELIVERY_SECONDS,
        says="From the beginning of a message in a session with the next hop to its outcome.",
        bounds=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0),
    ),
)


def series_of(counter: Counter, listeners: Iterable[str]) -> list[tuple[str, ...]]:
    if "listener" not in counter.labels:
        return list(counter.series)
    return [(listener, *values) for listener in listeners for values in counter.series]
