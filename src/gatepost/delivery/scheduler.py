"""The delivery half of a worker: claims in, settlements out.

Claims come fresh from reception (`submit`) and from the queue when they are due. Each goes to the destination that its
tenant and domain lead to; connections pull from there. When an attempt is over its outcomes are settled in the
background while the connection goes on.

Laws:
- what waits in memory is bounded, in number and in octets: beyond that, content is read again from the store, and due
  mail stays there;
- many recipients of one message do not become as many notifications (`gathering`);
- while the store cannot settle, nothing new is begun, so that a broken disk does not send mail twice;
- the directory's present version decides at each scheduling: a changed connector acts at once.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gatepost.delivery.clock_watch import ClockWatch
from gatepost.delivery.conclusion import Conclusion, ConclusionSettings, conclude, given_back, notify
from gatepost.delivery.destination import Destination, DialServices
from gatepost.delivery.events import DeliveryEvents
from gatepost.delivery.gathering import Attempt, Gathering, Key
from gatepost.delivery.ownership import CHANGED_HANDS, ChangedHands, is_anothers, still_there, whose_way
from gatepost.delivery.unproven_senders import Telling, telling
from gatepost.delivery.watchdog import Watchdog
from gatepost.queue.message import Claim, Content, RecipientState
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed, Settlement
from gatepost.queue.routing import choose
from gatepost.queue.store import Avoid, Lane, QueueStore, StoreError
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.tenant import SendConnector

CLAIMED_AT_ONCE = 100
# As much waits for a next hop that was down, until it takes a session again.
PROBES = 20
# How often the mail for a next hop that is down is looked through for what is to be told of, or given up.
LATE_AFTER_S = 60.0
MOST_ROUTES_REMEMBERED = 50_000
SETTLE_AGAIN_S = 1.0
DUE_ROUNDED_S = 5.0
"""A pause may have begun some seconds ago."""


Change = tuple[Settlement, list[DeliveryOutcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    connections: int = 1_000
    """In all (Exchange: MaxOutboundConnections)."""
    most_waiting: int = 5_000
    """Claims in memory beyond which due mail stays in the store."""
    most_waiting_octets: int = 64 * 1024 * 1024
    """Content kept in memory for claims that wait."""
    crowded: int = 200
    """Claims of one tenant waiting for one destination beyond which no more of its due mail is claimed for that."""
    gather_s: float = 2.0
    """How long the second notification of a message waits for others; each later one four times as long."""
    sweep_s: float = 1.0
    """How often deadlines and the queue are looked at."""
    watch_s: float = 20.0
    """How often it is looked for mail that nobody sees to."""
    stuck_after_s: float = 60.0


class Scheduler:
    def __init__(
        self,
        store: QueueStore,
        directory: Directory,
        services: DialServices,
        events: DeliveryEvents,
        settings: SchedulerSettings,
    ) -> None:
        self._store = store
        self._directory = directory
        self._services = services
        self._events = events
        self._settings = settings
        self._clock_watch = ClockWatch(services.clock, services.elapsed)
        self._conclusions = ConclusionSettings(hostname=services.connection.hostname, retry=services.retry)
        self._destinations: dict[tuple[SendConnector, str | None], Destination] = {}
        self._routes: dict[tuple[str | None, str], Destination | None] = {}
        """By who configures the way, and the domain."""
        self._directory_version = -1
        self._starved: dict[Destination, None] = {}
        self._connections = 0
        self._connections_for: dict[str | None, int] = {}
        """Whose mail they were dialled for. As with memory, who has as many as are left free gets no more: hosts that
        never answer, or that take sessions and then their time, take half from a tenant's neighbours at most."""
        self._waiting = 0
        self._waiting_of: dict[str | None, int] = {}
        self._waiting_octets = 0
        self._settling: dict[asyncio.Task[None], list[Claim]] = {}
        self._gathering = Gathering(settings.gather_s, settings.most_waiting)
        self._watchdog = Watchdog(settings.stuck_after_s)
        self._watching: asyncio.Task[None] | None = None
        self._unsettled = 0
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None

    # Orders

    def start(self) -> None:
        self._hasten()
        self._sweep()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self, grace_s: float = 10.0) -> None:
        """Begin nothing new, give what is under way `grace_s` to end, then hang up; everything is settled after."""
        self._stopping = True
        if self._timer:
            self._timer.cancel()
        if self._watching:
            self._watching.cancel()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        while any(destination.leave() for destination in self._destinations.values()) and loop.time() < end:
            await asyncio.sleep(min(0.02, grace_s))
        for destination in tuple(self._destinations.values()):
            destination.end()
        await asyncio.sleep(0)
        for key in self._gathering.batches():
            self._conclude_together(key)
        while self._settling and not self._unsettled:
            await asyncio.wait(self._settling)
        for task in self._settling:
            task.cancel()

    @property
    def has_room(self) -> bool:
        """Whether anybody's mail may be claimed."""
        return self._waiting < self._settings.most_waiting and not self._unsettled

    def has_room_for(self, tenant: str | None) -> bool:
        """Whether the tenant's fresh mail should be claimed at acceptance, or rather wait in the store. Who has as much
        in memory as is left free gets no more: one tenant takes half at most, and some is always free for another."""
        return self._waiting_of.get(tenant, 0) < self._settings.most_waiting - self._waiting and not self._unsettled

    @property
    def in_hand(self) -> int:
        """Claims that are not settled."""
        return self._waiting + self._under_way() + len(self._settling) + len(self._gathering)

    def submit(self, claims: Iterable[Claim]) -> None:
        """Deliver these."""
        self._notice_directory()
        for claim in claims:
            self._schedule(claim)

    def wake(self) -> None:
        """An operator changed the queue: look at it now, and do not hold an earlier failure against a host."""
        for destination in self._destinations.values():
            destination.forget_failures()
        self._claim_due()

    # Scheduling

    def _schedule(self, claim: Claim) -> None:
        if claim.recipients[0].state is RecipientState.BOUNCING:
            self.attempted(claim, self._returned(claim))
            return
        destination = self._destination(claim)
        if destination is CHANGED_HANDS:
            self.attempted(claim, _changed_hands(claim))
        elif destination is None:
            self.attempted(claim, _unroutable(claim))
        elif destination.is_down():
            destination.turn_away(claim)
        else:
            destination.waiting.append(self._kept_within_bounds(claim))
            destination.pump()

    def _returned(self, claim: Claim) -> list[DeliveryOutcome]:
        """By `gatepost queue bounce` or the API, which a tenant uses too: what it does is not this server's word."""
        owner = self._directory.covering_domain(claim.domain)
        if claim.tenant is None:
            why = "an operator of this server returned the message"
        elif owner is not None and owner.tenant == claim.tenant:
            why = "the recipient's organisation returned the message"
        else:
            why = "an administrator returned the message"
        return [Failed(recipient=recipient, why=why, status="5.0.0") for recipient in claim.recipients]

    def _kept_within_bounds(self, claim: Claim) -> Claim:
        self._waiting += 1
        self._waiting_of[claim.tenant] = self._waiting_of.get(claim.tenant, 0) + 1
        if claim.content is None:
            return claim
        if self._waiting_octets + claim.message.size > self._settings.most_waiting_octets:
            claim.content.release()
            return replace(claim, content=None)
        self._waiting_octets += claim.message.size
        return claim

    def _destination(self, claim: Claim) -> Destination | ChangedHands | None:
        whose = whose_way(self._directory, claim)
        if whose is CHANGED_HANDS:
            return CHANGED_HANDS
        route = (whose, claim.domain)
        try:
            return self._routes[route]
        except KeyError:
            if len(self._routes) >= MOST_ROUTES_REMEMBERED:
                self._routes.clear()
            found = self._routes[route] = self._find_destination(*route)
            return found

    def _find_destination(self, whose: str | None, domain: str) -> Destination | None:
        connector = choose(self._directory.send_connectors(whose, domain), whose, domain)
        if connector is None:
            self._events.warning(
                f"no send connector covers {domain}{f' for tenant {whose}' if whose else ''}: "
                f"add one with gatepost send-connector add NAME --address-space {domain}"
            )
            return None
        key = (connector, None if connector.smart_hosts else domain)
        return self._destinations.get(key) or self._destinations.setdefault(
            key, Destination(*key, services=self._services, office=self)
        )

    def _notice_directory(self) -> None:
        version = self._directory.version
        if version == self._directory_version:
            return
        self._directory_version = version
        self._routes.clear()
        for destination in tuple(self._destinations.values()):
            for _ in range(len(destination.waiting)):
                claim = self._take(destination)
                self._schedule(claim)

    def _claim_due(self) -> None:
        now = self._services.clock()
        if self._stopping or not self.has_room:
            return
        try:
            due_at = self._store.next_due_at()
            if due_at is None or due_at > now:
                return
            claims = self._store.claim_due(now, CLAIMED_AT_ONCE, self._avoided())
        except StoreError as error:
            self._events.warning(str(error))
            return
        self._notice_directory()
        for claim in claims:
            self._schedule_due(claim)
        if len(claims) == CLAIMED_AT_ONCE:
            asyncio.get_running_loop().call_soon(self._claim_due)

    def _schedule_due(self, claim: Claim) -> None:
        """Due mail that leads to a crowded destination goes back: it would only keep out mail to others."""
        destination = self._destination(claim)
        if isinstance(destination, Destination) and self._is_crowded(destination, claim.tenant):
            destination.turned_back.add((claim.tenant, claim.domain))
            self._in_background((given_back(claim), []))
        else:
            self._schedule(claim)

    def _is_crowded(self, destination: Destination, tenant: str | None) -> bool:
        if destination.is_on_probation:
            return len(destination.waiting) >= PROBES
        return destination.waiting.of(tenant) >= self._settings.crowded

    def _avoided(self) -> Avoid:
        lanes: set[Lane] = set()
        for destination in self._destinations.values():
            if not destination.turned_back:
                continue
            if not destination.is_down():
                destination.turned_back = {
                    lane for lane in destination.turned_back if self._is_crowded(destination, lane[0])
                }
            lanes |= destination.turned_back
        return Avoid(
            tenants=frozenset([tenant for tenant in self._waiting_of if not self.has_room_for(tenant)]),
            lanes=frozenset(lanes),
        )

    def _conclude_late(self) -> None:
        """Mail for a next hop that is down stays in the store unattempted; its senders are told, and it is given up,
        in time all the same."""
        now = self._services.clock()
        for destination in tuple(self._destinations.values()):
            if not destination.is_down() or now < destination.late_again_at:
                continue
            try:
                more = [self._conclude_late_of(lane, now) for lane in tuple(destination.turned_back)]
            except StoreError as error:
                self._events.warning(str(error))
                return
            destination.late_again_at = now if any(more) else now + LATE_AFTER_S

    def _conclude_late_of(self, lane: Lane, now: float) -> bool:
        """Whether there is more."""
        retry = self._services.retry
        late = self._store.claim_late(lane, now, now - retry.expiry_s, now - retry.delay_notice_s, CLAIMED_AT_ONCE)
        for claim in late:
            self._schedule(claim)
        return len(late) == CLAIMED_AT_ONCE

    # What destinations ask (destination.Office)

    def may_connect(self, destination: Destination) -> bool:
        if self._stopping or self._unsettled:
            return False
        tenant = destination.waiting.tenant
        held, free = self._connections_for.get(tenant, 0), self._settings.connections - self._connections
        if held >= free:
            self._starved[destination] = None
            self._close_an_idle_connection(of_tenants=None if free <= 0 else (tenant,))
            return False
        self._connections += 1
        self._connections_for[tenant] = held + 1
        return True

    def connection_over(self, tenant: str | None) -> None:
        self._connections -= 1
        left = self._connections_for[tenant] - 1
        if left:
            self._connections_for[tenant] = left
        else:
            del self._connections_for[tenant]
        if self._starved:
            destination = next(iter(self._starved))
            del self._starved[destination]
            asyncio.get_running_loop().call_soon(destination.pump)

    def take_claim(self, destination: Destination) -> Claim | None:
        if self._stopping or self._unsettled:
            return None
        while destination.waiting:
            claim = self._take(destination)
            try:
                if self._store.still_wanted(claim):
                    return claim
            except StoreError as error:
                self._events.warning(str(error))
            self._in_background((given_back(claim), []))
        if self._starved:
            # The connection that asked is idle now, and others may have none at all.
            asyncio.get_running_loop().call_soon(self._close_an_idle_connection)
        return None

    def put_back(self, destination: Destination, claim: Claim) -> None:
        destination.waiting.appendleft(self._kept_within_bounds(claim))

    def is_anothers(self, connector: SendConnector, claim: Claim) -> bool:
        return is_anothers(self._directory, connector, claim)

    def open_content(self, claim: Claim) -> Content:
        return self._store.open_content(claim.message)

    def attempted(self, claim: Claim, outcomes: list[DeliveryOutcome], not_before: float = 0.0) -> None:
        attempt = Attempt(claim, outcomes, not_before)
        conclusion = self._concluded(attempt)
        if not conclusion.asked:
            self._in_background((conclusion.settlement, conclusion.outcomes))
            return
        delay_s = self._gathering.delay_s(claim)
        if not delay_s or self._stopping:
            self._conclude([attempt], [conclusion])
            return
        if key := self._gathering.hold(attempt):
            asyncio.get_running_loop().call_later(delay_s, self._conclude_together, key)
        if oldest := self._gathering.too_many():
            self._conclude_together(oldest)

    def _conclude_together(self, key: Key) -> None:
        if attempts := self._gathering.take(key):
            self._conclude(attempts, [self._concluded(attempt) for attempt in attempts])

    def _conclude(self, attempts: Sequence[Attempt], conclusions: Sequence[Conclusion]) -> None:
        claim = attempts[0].claim
        if any(conclusion.asked for conclusion in conclusions):
            may_tell = telling(claim, self._directory)
            if may_tell is Telling.NOT_AT_ALL:
                self._events.notification_withheld(claim)
            try:
                conclusions = self._notified(claim, conclusions, may_tell)
            except (StoreError, OSError) as error:
                # The notification needs the content, which cannot be had now.
                later = [self._concluded(_content_lost(attempt, str(error))) for attempt in attempts]
                conclusions = self._notified(claim, later, may_tell)
        self._in_background(*[(conclusion.settlement, conclusion.outcomes) for conclusion in conclusions])

    def _notified(self, claim: Claim, conclusions: Sequence[Conclusion], may_tell: Telling) -> Sequence[Conclusion]:
        if not any(conclusion.asked for conclusion in conclusions):
            return conclusions
        now, settings = self._services.clock(), self._conclusions
        tenant = still_there(self._directory, claim)
        return notify(conclusions, tenant, now, settings, lambda: self.open_content(claim), may_tell)

    def _concluded(self, attempt: Attempt) -> Conclusion:
        self._look_at_clock()
        return conclude(
            *attempt[:2],
            self._services.clock(),
            attempt.not_before,
            self._conclusions,
            leapt_s=self._clock_watch.leapt_since(attempt.claim.message.received_at),
        )

    def warning(self, text: str) -> None:
        self._events.warning(text)

    # Settling

    def _in_background(self, *changes: Change) -> None:
        settling = self._settle(*changes[0]) if len(changes) == 1 else self._settle_in_turn(changes)
        task = asyncio.get_running_loop().create_task(settling)
        self._settling[task] = [settlement.claim for settlement, _ in changes]
        task.add_done_callback(self._settling.pop)

    async def _settle_in_turn(self, changes: Sequence[Change]) -> None:
        """The first holds the notification of all."""
        first, *others = changes
        await self._settle(*first)
        await asyncio.gather(*(self._settle(*each) for each in others))

    async def _settle(self, settlement: Settlement, outcomes: list[DeliveryOutcome]) -> None:
        try:
            claims = await self._store.settle(settlement)
        except StoreError as error:
            claims = await self._settle_later(settlement, error)
        self._tell(settlement, outcomes)
        if claims:
            self.submit(claims)

    async def _settle_later(self, settlement: Settlement, error: StoreError) -> Sequence[Claim]:
        """What was done must be recorded before anything else is begun."""
        self._unsettled += 1
        self._events.warning(f"delivery stands still until the queue can be written: {error}")
        while True:
            await asyncio.sleep(SETTLE_AGAIN_S)
            try:
                claims = await self._store.settle(settlement)
            except StoreError:
                continue
            self._unsettled -= 1
            if not self._unsettled:
                self._pump_all()
            return claims

    def _tell(self, settlement: Settlement, outcomes: list[DeliveryOutcome]) -> None:
        claim, events = settlement.claim, self._events
        next_attempts = iter(settlement.rescheduled)
        for outcome in outcomes:
            if isinstance(outcome, Delivered):
                events.delivered(claim, outcome)
            elif isinstance(outcome, Failed):
                events.failed(claim, outcome)
            else:
                events.deferred(claim, outcome, next(next_attempts))
                if outcome.refusal:
                    events.not_recognised(claim, outcome)

    # Keeping house

    def _look_at_clock(self) -> None:
        leap = self._clock_watch.look()
        if not leap:
            return
        self._events.warning(
            f"the clock went {'forward' if leap > 0 else 'back'} by {abs(leap):.0f} s: retries and ages of messages "
            "are reckoned anew; look at the machine's time service"
        )
        for destination in self._destinations.values():
            destination.clock_leapt(leap)
        if leap < 0:
            self._hasten()

    def _hasten(self) -> None:
        """What is due later than any pause lasts was put off by a clock that has gone back since: it is due now."""
        now = self._services.clock()
        self._store.hasten(later_than=now + self._services.retry.longest_pause_s + DUE_ROUNDED_S, due_at=now)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._settings.sweep_s, self._sweep)
        self._look_at_clock()
        self._notice_directory()
        now = loop.time()
        for destination in tuple(self._destinations.values()):
            for connection in tuple(destination.connections):
                if connection.deadline < now:
                    connection.expired()
            if destination.waiting:
                destination.pump()
        self._claim_due()
        if not self._stopping and self.has_room:
            self._conclude_late()
        self._forget_what_rests()

    def _forget_what_rests(self) -> None:
        at_rest = {key for key, destination in self._destinations.items() if destination.at_rest}
        if at_rest:
            self._destinations = {key: kept for key, kept in self._destinations.items() if key not in at_rest}
            self._routes.clear()

    # Watching over itself

    async def _watch(self) -> None:
        services = self._services
        while True:
            await asyncio.sleep(self._settings.watch_s)
            try:
                overdue = await asyncio.to_thread(self._store.overdue, services.clock() - self._settings.stuck_after_s)
            except StoreError as error:
                self._events.warning(str(error))
                continue
            for what in self._watchdog.look(self._unattended(overdue), services.elapsed()):
                self._events.stuck(what, self._watchdog.alarms)

    def _unattended(self, overdue: Sequence[Lane]) -> Iterator[str]:
        attended = {recipient.id for claim in self._claims_in_hand() for recipient in claim.recipients}
        for recipient in self._store.claimed():
            if recipient not in attended:
                yield f"message {self._store.message_id_of(recipient)}"
        if not self.has_room:
            return
        avoided = self._avoided()
        for tenant, domain in overdue:
            if tenant not in avoided.tenants and (tenant, domain) not in avoided.lanes:
                yield f"mail{f' of {tenant}' if tenant else ''} to {domain}"

    def _claims_in_hand(self) -> Iterator[Claim]:
        for settling in self._settling.values():
            yield from settling
        yield from self._gathering.claims()
        for destination in self._destinations.values():
            yield from destination.waiting
            for connection in destination.connections:
                if connection.claim is not None:
                    yield connection.claim

    def _take(self, destination: Destination) -> Claim:
        claim = destination.waiting.popleft()
        self._waiting -= 1
        left = self._waiting_of[claim.tenant] - 1
        if left:
            self._waiting_of[claim.tenant] = left
        else:
            del self._waiting_of[claim.tenant]
        if claim.content is not None:
            self._waiting_octets -= claim.message.size
        return claim

    def _pump_all(self) -> None:
        for destination in tuple(self._destinations.values()):
            destination.pump()

    def _close_an_idle_connection(self, of_tenants: Collection[str | None] | None = None) -> None:
        """The longest idle of some destination: anybody's, or one that was dialled for one of `of_tenants`."""
        for destination in self._destinations.values():
            if destination.idle and (of_tenants is None or destination.idle[0].tenant in of_tenants):
                destination.quit_idle(1)
                return

    def _under_way(self) -> int:
        return sum(
            connection.busy for destination in self._destinations.values() for connection in destination.connections
        )


def _unroutable(claim: Claim) -> list[DeliveryOutcome]:
    why = f"no send connector covers domain {claim.domain}"
    return [Deferred(recipient=recipient, why=why, status="4.4.4") for recipient in claim.recipients]


def _changed_hands(claim: Claim) -> list[DeliveryOutcome]:
    why = f"domain {claim.domain} has changed hands since the message was accepted; the operator decides"
    # RFC 3463 3.4: "system incorrectly configured". The sender reads no more than that (`Deferred.why_told`).
    return [Deferred(recipient=recipient, why=why, status="4.3.5") for recipient in claim.recipients]


def _content_lost(attempt: Attempt, error: str) -> Attempt:
    return attempt._replace(outcomes=[_not_read(outcome, error) for outcome in attempt.outcomes])


def _not_read(outcome: DeliveryOutcome, error: str) -> DeliveryOutcome:
    if isinstance(outcome, Delivered):
        return outcome
    return Deferred(recipient=outcome.recipient, why=f"the stored message cannot be read ({error})", status="4.3.0")
