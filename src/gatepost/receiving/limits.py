"""How much each tenant may do: messages, recipients, sessions, octets.

One tenant's flood changes nothing for another (law 6): each count is kept by tenant, for the relay as a whole.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple, Protocol

from gatepost.tenancy.directory import Directory
from gatepost.tenancy.tenant import TenantLimits

_TENANTS_REMEMBERED: Final = 50_000


class Tally(Protocol):
    """What tenants do in the relay as a whole: each worker adds, and sees what all have added."""

    def add(self, tenant: str, minute: int, *, messages: int = 0, recipients: int = 0, sessions: int = 0) -> None: ...

    def of(self, tenant: str, minute: int) -> tuple[int, int, int]:
        """Messages and recipients in `minute`, and open sessions."""


class OverLimit(NamedTuple):
    """Which limit a tenant is over, and when it may come back."""

    limit: str
    says: str
    after: float


_LATER_S: Final = 300
"""When sessions end, or a queue empties, nobody knows: a usual pause between two attempts."""


class TenantGate:
    """What each tenant may do. A tenant without limits costs one look-up."""

    def __init__(
        self,
        defaults: TenantLimits,
        directory: Directory,
        tally: Tally,
        queued: Callable[[str], int],
        emit: Callable[..., None],
    ) -> None:
        self._defaults = defaults
        self._directory = directory
        self._tally = tally
        self._queued = queued
        self.emit = emit
        self._version = -1
        self._limits: dict[str, TenantLimits | None] = {}
        self._subjects: dict[str, bool] = {}
        self._refusals: dict[tuple[str, str], tuple[int, int]] = {}
        """Of a tenant and a limit: the minute it was last told of, and how many refusals were not told."""

    def enter(self, tenant: str, now: float) -> OverLimit | bool:
        """A session of `tenant` begins to relay. True: it counts, until it leaves."""
        limits = self.limits_of(tenant)
        if limits is None:
            return False
        minute = int(now // 60)
        if limits.sessions and self._tally.of(tenant, minute)[2] >= limits.sessions:
            says = f"Too many concurrent sessions ({limits.sessions} allowed)"
            return self._refused(tenant, "sessions", says, now, now + _LATER_S)
        self._tally.add(tenant, minute, sessions=1)
        return True

    def leave(self, tenant: str, now: float) -> None:
        self._tally.add(tenant, int(now // 60), sessions=-1)

    def over(self, tenant: str, now: float, recipients: int) -> OverLimit | None:
        """Whether a message with so many recipients of `tenant`, before this one, may have one more now."""
        limits = self.limits_of(tenant)
        if limits is None:
            return None
        minute = int(now // 60)
        messages, counted, _ = self._tally.of(tenant, minute)
        next_minute = (minute + 1) * 60.0
        if limits.messages_per_minute and messages >= limits.messages_per_minute:
            says = f"Message rate limit exceeded ({limits.messages_per_minute}/minute)"
            return self._refused(tenant, "messages_per_minute", says, now, next_minute)
        if limits.recipients_per_minute and counted + recipients >= limits.recipients_per_minute:
            says = f"Recipient rate limit exceeded ({limits.recipients_per_minute}/minute)"
            return self._refused(tenant, "recipients_per_minute", says, now, next_minute)
        if limits.queued and self._queued(tenant) + recipients >= limits.queued:
            says = f"Too many queued recipients ({limits.queued} allowed)"
            return self._refused(tenant, "queued", says, now, now + _LATER_S)
        return None

    def count_message(self, tenant: str, now: float, recipients: int) -> None:
        if self.limits_of(tenant) is not None:
            self._tally.add(tenant, int(now // 60), messages=1, recipients=recipients)

    def keep_subjects(self, tenants: Iterable[str | None]) -> Collection[str]:
        """Those of `tenants` that have the Subject of their mail in the trace."""
        self._forget_what_changed()
        return [each for each in set(tenants) if each is not None and self._keeps_subjects(each)]

    def _keeps_subjects(self, tenant: str) -> bool:
        kept = self._subjects.get(tenant)
        if kept is None:
            stored = self._directory.tenant(tenant)
            if len(self._subjects) >= _TENANTS_REMEMBERED:
                self._subjects.clear()
            kept = self._subjects[tenant] = stored is not None and stored.trace_subject
        return kept

    def _forget_what_changed(self) -> None:
        if self._version != self._directory.version:
            self._version = self._directory.version
            self._limits.clear()
            self._subjects.clear()

    def limits_of(self, tenant: str) -> TenantLimits | None:
        """None: there is nothing to count."""
        self._forget_what_changed()
        try:
            return self._limits[tenant]
        except KeyError:
            stored = self._directory.tenant(tenant)
            limits = stored.limits.over(self._defaults) if stored else self._defaults
            found = limits if _bounds_mail(limits) else None
            if len(self._limits) >= _TENANTS_REMEMBERED:
                self._limits.clear()
            self._limits[tenant] = found
            return found

    def _refused(self, tenant: str, limit: str, says: str, now: float, after: float) -> OverLimit:
        """Told to the operator once a minute, with the number since it was last told."""
        minute = int(now // 60)
        told, untold = self._refusals.get((tenant, limit), (-1, 0))
        if minute != told:
            self.emit("tenant-over-limit", tenant=tenant, limit=limit, says=says, refused=untold + 1)
            untold = -1
        self._refusals[tenant, limit] = (minute, untold + 1)
        return OverLimit(limit, says, after)


def _bounds_mail(limits: TenantLimits) -> bool:
    """Whether there is anything to count: most tenants have no such limit."""
    return bool(
        limits.messages_per_minute
        or limits.recipients_per_minute
        or limits.message_size
        or limits.sessions
        or limits.queued
    )
