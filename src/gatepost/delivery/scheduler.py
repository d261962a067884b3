"""The delivery half of a worker: claims in, settlements out.

Claims come fresh from reception (`submit`) and from the queue when they are due (`due_mail`). Each goes to the
destination that its tenant and domain lead to (`routes`); connections pull from there. When an attempt is over its
outcomes are settled in the background (`settling`) while the connection goes on.

Laws:
- what waits in memory is bounded (`backlog`), and so are the connections (`connection_shares`);
- the directory's present version decides at each scheduling: a changed connector acts at once;
- what a moved clock says is judged anew (`clock_watch`).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from gatepost.delivery.backlog import Backlog
from gatepost.delivery.clock_watch import ClockWatch
from gatepost.delivery.conclusion import ConclusionSettings
from gatepost.delivery.connection_shares import ConnectionShares
from gatepost.delivery.destination import Delivery, Destination, DialServices
from gatepost.delivery.due_mail import CLAIMED_AT_ONCE, DueMail
from gatepost.delivery.events import DeliveryEvents
from gatepost.delivery.gathering import Gathering
from gatepost.delivery.ownership import CHANGED_HANDS
from gatepost.delivery.routes import Routes
from gatepost.delivery.settling import Settling
from gatepost.delivery.watch import Watch
from gatepost.queue.message import Claim, RecipientState
from gatepost.queue.outcome import Deferred, DeliveryOutcome, Failed
from gatepost.queue.store import QueueStore
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.tenant import SendConnector


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    connections: int = 1_000
    """In all (Exchange: MaxOutboundConnections)."""
    most_waiting: int = 5_000
    """Claims in memory beyond which due mail stays in the store."""
    most_waiting_octets: int = 64 * 1024 * 1024
    """Content kept in memory for claims that wait."""
    over_share: int = 200
    """Claims of one tenant waiting for one destination beyond which no more of its due mail is claimed for that."""
    gather_s: float = 2.0
    """How long the second notification of a message waits for others; each later one four times as long."""
    sweep_s: float = 1.0
    """How often the queue and the clock are looked at."""
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
        clock, elapsed = services.clock, services.elapsed
        self._directory = directory
        self._services = services
        self._events = events
        self._settings = settings
        self._clock_watch = ClockWatch(clock, elapsed)
        self._backlog = Backlog(settings.most_waiting, settings.most_waiting_octets)
        self._routes = Routes(directory, self._new_destination, events.warning)
        self._settling = Settling(
            store,
            directory,
            events,
            clock,
            self._leapt_since,
            ConclusionSettings(
                hostname=services.connection.hostname, retry=services.retry, own_message=services.own_message
            ),
            Gathering(settings.gather_s, settings.most_waiting),
            deliver=self.submit,
            resumed=self._pump_all,
        )
        self._delivery = Delivery(
            store=store,
            directory=directory,
            backlog=self._backlog,
            shares=ConnectionShares(settings.connections, lambda: self._routes.destinations),
            settling=self._settling,
            events=events,
        )
        self._due = DueMail(
            store, self._routes, self._backlog, self._settling, events, clock, services.retry, settings.over_share
        )
        self._watch = Watch(
            store, self._routes, self._due, self._settling, events, clock, elapsed, settings.stuck_after_s
        )
        self._watching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._due.pull_forward()
        self._sweep()
        self._watching = asyncio.get_running_loop().create_task(self._watch.run(self._settings.watch_s))

    async def stop(self, grace_s: float = 10.0) -> None:
        """Begin nothing new, give what is under way `grace_s` to end, then hang up; everything is settled after."""
        self._settling.stopping = True
        if self._timer:
            self._timer.cancel()
        if self._watching:
            self._watching.cancel()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        while any(destination.leave() for destination in self._routes.destinations) and loop.time() < end:
            await asyncio.sleep(min(0.02, grace_s))
        for destination in self._routes.destinations:
            destination.end()
        await asyncio.sleep(0)
        await self._settling.finish()

    @property
    def has_room(self) -> bool:
        """Whether anybody's mail may be claimed."""
        return self._due.has_room

    def has_room_for(self, tenant: str | None) -> bool:
        """Whether the tenant's fresh mail should be claimed at acceptance, or rather wait in the store."""
        return self._backlog.has_room_for(tenant) and not self._settling.stands_still

    @property
    def in_hand(self) -> int:
        """Claims that are not settled."""
        under_way = [connection.claim for each in self._routes.destinations for connection in each.connections]
        return len(self._backlog) + sum(claim is not None for claim in under_way) + len(self._settling)

    def submit(self, claims: Iterable[Claim]) -> None:
        """Deliver these."""
        self._notice_directory()
        for claim in claims:
            self._schedule(claim)

    def wake(self) -> None:
        """An operator changed the queue: look at it now, and do not hold an earlier failure against a host."""
        for destination in self._routes.destinations:
            destination.forget_failures()
        self._claim_due()

    # --- scheduling -------------------------------------------------------------------------------------------------

    def _schedule(self, claim: Claim) -> None:
        if claim.recipients[0].state is RecipientState.BOUNCING:
            self._settling.attempted(claim, self._returned(claim))
            return
        destination = self._routes.destination(claim)
        if destination is CHANGED_HANDS:
            self._settling.attempted(claim, _changed_hands(claim))
        elif destination is None:
            self._settling.attempted(claim, _unroutable(claim))
        else:
            destination.deliver(claim)

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

    def _new_destination(self, connector: SendConnector, domain: str | None) -> Destination:
        return Destination(connector, domain, self._services, self._delivery)

    def _notice_directory(self) -> None:
        if self._routes.notice_change():
            for destination in self._routes.destinations:
                for claim in destination.take_all():
                    self._schedule(claim)

    def _claim_due(self) -> None:
        """As much as there is room for; more in a moment, where there is more."""
        claims = self._due.claimed()
        if claims:
            self._notice_directory()
        for claim in claims:
            if not self._due.park(claim):
                self._schedule(claim)
        if len(claims) == CLAIMED_AT_ONCE:
            asyncio.get_running_loop().call_soon(self._claim_due)

    # --- keeping house ----------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._settings.sweep_s, self._sweep)
        self._look_at_clock()
        self._notice_directory()
        for destination in self._routes.destinations:
            if destination.waiting:
                destination.pump()
        self._claim_due()
        for claim in self._due.late():
            self._schedule(claim)
        self._routes.forget_what_rests()

    def _look_at_clock(self) -> None:
        leap = self._clock_watch.look()
        if not leap:
            return
        self._events.warning(
            f"the clock went {'forward' if leap > 0 else 'back'} by {abs(leap):.0f} s: retries and ages of messages "
            "are reckoned anew; look at the machine's time service"
        )
        for destination in self._routes.destinations:
            destination.clock_leapt(leap)
        if leap < 0:
            self._due.pull_forward()

    def _leapt_since(self, at: float) -> float:
        self._look_at_clock()
        return self._clock_watch.leapt_since(at)

    def _pump_all(self) -> None:
        for destination in self._routes.destinations:
            destination.pump()


def _unroutable(claim: Claim) -> list[DeliveryOutcome]:
    why = f"no send connector covers domain {claim.domain}"
    return [Deferred(recipient=recipient, why=why, status="4.4.4") for recipient in claim.recipients]


def _changed_hands(claim: Claim) -> list[DeliveryOutcome]:
    why = f"domain {claim.domain} has changed hands since the message was accepted; the operator decides"
    # RFC 3463 3.4: "system incorrectly configured". The sender reads no more than that (`Deferred.why_told`).
    return [Deferred(recipient=recipient, why=why, status="4.3.5") for recipient in claim.recipients]
