"""What was found out about the relay, before anything is made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gatepost.admin.forecast.forecast import ForecastItem
from gatepost.admin.forecast.own_credentials import OwnCertificate
from gatepost.queue.store import QueueCount
from gatepost.tenancy.signing_key import SigningKey

HEARD_OF_S: Final = 10.0
"""A worker writes its figures every second; one that was silent for so long does not serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    address: str
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """The process of the Management API, of the console, of the metrics or of the alarms."""

    name: str
    address: str | None
    pid: int | None
    """None: it does not serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameServer:
    address: str
    took_s: float | None
    """None: it gave no usable answer."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that runs the relay."""

    version: str
    optimized: bool
    """Built to be fast; else mail takes more processor time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """At `now`."""

    now: float
    version: str
    interpreter: Interpreter
    running_since: float | None
    """None: the server does not run."""
    listeners: Sequence[Listener]
    places: int
    """How many workers there should be."""
    workers: Sequence[Mapping[str, Any]]
    """Snapshots of those that there are."""
    minutes: Mapping[str, Mapping[str, Any]]
    """What was counted in each minute since the epoch."""
    ended: Sequence[Mapping[str, Any]]
    """Processes that ended by themselves: `name`, `at`."""
    faces: Sequence[Face]
    name_servers: Sequence[NameServer]
    needs_dns: bool
    """Whether mail leaves by names that DNS must know."""
    queue: Sequence[QueueCount]
    unreadable: Sequence[str]
    """Of parts of the queue, one line each."""
    damaged_trace: Sequence[str]
    """Of days of the trace, one line each."""
    not_found_out: Sequence[str]
    """What could not be read to answer this, one line each."""
    free_disk: int
    disk: int
    least_free_disk: int
    alarms_not_told: str
    """Why the webhook of the alarms was not told, several times in a row; empty: it was."""
    certificates: Sequence[OwnCertificate]
    ending: Sequence[ForecastItem]
    """What will stop working."""
    lost_keys: Sequence[SigningKey] = ()
    """Signing keys whose record DNS no longer shows, although mail may be verified by it."""
    without_dane: Sequence[str] = ()
    """Send connectors that demand DANE while it is disabled, tenant/name."""
    why_no_dane: str = ""

    @property
    def serving(self) -> list[Mapping[str, Any]]:
        """Workers that were heard of a moment ago."""
        if self.running_since is None:
            return []
        return [each for each in self.workers if abs(self.now - each["at"]) < HEARD_OF_S]
