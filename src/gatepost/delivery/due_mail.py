"""Claims what is due in the store, as far as it would not only wait in memory.

Laws: due mail for a next hop that is down, or of a tenant that has its share of one, is parked: it stays in the store
and keeps nobody else's out; its senders are told of the delay, and it is given up, in time all the same.
"""

from collections.abc import Callable, Iterator, Sequence

from gatepost.delivery.backlog import Backlog
from gatepost.delivery.destination import Destination
from gatepost.delivery.events import DeliveryEvents
from gatepost.delivery.routes import Routes
from gatepost.delivery.settling import Settling
from gatepost.queue.message import Claim
from gatepost.queue.retry import RetrySettings
from gatepost.queue.store import Avoid, QueueKey, QueueStore, StoreError

CLAIMED_AT_ONCE = 100
# As much waits for a next hop that was down, until it takes a session again.
PROBES = 20
# How often the mail for a next hop that is down is looked through for what is to be told of, or given up.
LATE_AFTER_S = 60.0
DUE_ROUNDED_S = 5.0
"""A pause may have begun some seconds ago."""


class DueMail:
    def __init__(
        self,
        store: QueueStore,
        routes: Routes,
        backlog: Backlog,
        settling: Settling,
        events: DeliveryEvents,
        clock: Callable[[], float],
        retry: RetrySettings,
        most_of_tenant: int,
    ) -> None:
        """`most_of_tenant`: claims of one that wait for one destination, and no more of its due mail is claimed."""
        self._store = store
        self._routes = routes
        self._backlog = backlog
        self._settling = settling
        self._events = events
        self._clock = clock
        self._retry = retry
        self._most_of_tenant = most_of_tenant

    @property
    def has_room(self) -> bool:
        """Whether anybody's mail may be claimed."""
        return self._backlog.has_room and not self._settling.stands_still

    def claimed(self) -> Sequence[Claim]:
        """Up to `CLAIMED_AT_ONCE`, where there is room."""
        now = self._clock()
        if self._settling.stopping or not self.has_room:
            return ()
        try:
            due_at = self._store.next_due_at()
            if due_at is None or due_at > now:
                return ()
            return self._store.claim_due(now, CLAIMED_AT_ONCE, self.avoided())
        except StoreError as error:
            self._events.warning(str(error))
            return ()

    def park(self, claim: Claim) -> bool:
        """Whether it leads where too much waits already: then it goes back."""
        destination = self._routes.destination(claim)
        if not isinstance(destination, Destination) or not self._is_over_share(destination, claim.tenant):
            return False
        destination.parked.add((claim.tenant, claim.domain))
        self._settling.give_back(claim)
        return True

    def _is_over_share(self, destination: Destination, tenant: str | None) -> bool:
        if destination.probing:
            return len(destination.waiting) >= PROBES
        return destination.waiting.of(tenant) >= self._most_of_tenant

    def avoided(self) -> Avoid:
        keys: set[QueueKey] = set()
        for destination in self._routes.destinations:
            if not destination.parked:
                continue
            if not destination.is_down():
                destination.parked = {key for key in destination.parked if self._is_over_share(destination, key[0])}
            keys |= destination.parked
        return Avoid(tenants=frozenset(self._backlog.without_room()), keys=frozenset(keys))

    def late(self) -> Iterator[Claim]:
        """Of what is parked because its next hop is down: what its sender is to be told of, or is given up."""
        if self._settling.stopping or not self.has_room:
            return
        now, retry = self._clock(), self._retry
        expired, delayed = now - retry.expiry_s, now - retry.delay_notice_s
        for destination in self._routes.destinations:
            if not destination.is_down() or now < destination.late_again_at:
                continue
            is_more = False
            try:
                for key in tuple(destination.parked):
                    late = self._store.claim_late(key, now, expired, delayed, CLAIMED_AT_ONCE)
                    is_more = is_more or len(late) == CLAIMED_AT_ONCE
                    yield from late
            except StoreError as error:
                self._events.warning(str(error))
                return
            destination.late_again_at = now if is_more else now + LATE_AFTER_S

    def pull_forward(self) -> None:
        """What is due later than any pause lasts was put off by a clock that has gone back since: it is due now."""
        now = self._clock()
        self._store.hasten(later_than=now + self._retry.longest_pause_s + DUE_ROUNDED_S, due_at=now)
