"""Everything on its way to one next hop: the claims that wait, and the connections that carry them.

A destination is a send connector and, where that routes by MX, a domain. Connections pull claims from `waiting` by
themselves; the destination opens as many as there is work for.

Laws:
- at most `per_destination` connections, so that one next hop never holds up another;
- until one session is open only one is dialled, and after a failed dial none before `down_until`: a dead host costs
  one attempt per retry interval however much mail waits for it; so does one that takes sessions and then no mail.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from gatepost.delivery.backlog import Backlog
from gatepost.delivery.connection import ConnectionSettings, Dial, NotOpened, OutboundConnection, open_connection
from gatepost.delivery.connection_shares import ConnectionShares
from gatepost.delivery.events import DeliveryEvents
from gatepost.delivery.fair_queue import FairQueue
from gatepost.delivery.log import OutboundLog, SendLog
from gatepost.delivery.next_hops import Resolver, Target, find_targets
from gatepost.delivery.notifications import OwnMessage
from gatepost.delivery.ownership import is_anothers
from gatepost.delivery.settling import Settling
from gatepost.delivery.tls import ClientTls
from gatepost.delivery.tls_demands import TlsDemands
from gatepost.mail.reply import says_not_recognised
from gatepost.queue.message import Claim
from gatepost.queue.next_hop import DnsProblem, Shuffle
from gatepost.queue.outcome import Deferred, DeliveryOutcome, Failed
from gatepost.queue.retry import RetrySettings, pause
from gatepost.queue.store import QueueKey, QueueStore
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.reach import Reach
from gatepost.tenancy.tenant import SendConnector
from gatepost.tenancy.tls_policy import Demand

# After so many attempts in a row in which an open session ended before anything was said about the message, the next
# hop counts as down. RFC 5321 3.8: 421 may come at any time.
MOST_FRUITLESS: Final = 5

# A destination that was down is remembered so long after its next attempt was due.
FAILURES_KEPT_S: Final = 120.0

# Where sessions are open and one more is refused, the next hop has enough of them for now.
ENOUGH_FOR_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DialServices:
    """What it takes to reach a next hop."""

    resolver: Resolver
    tls: ClientTls
    tls_demands: TlsDemands
    log: SendLog | None
    next_session_id: Callable[[float], str]
    clock: Callable[[], float]
    """Seconds since the epoch."""
    elapsed: Callable[[], float]
    """Seconds that no hand on the clock changes."""
    shuffle: Shuffle
    own_names: Collection[str]
    """Domain keys of this server: an MX of that name is ourselves."""
    connection: ConnectionSettings
    retry: RetrySettings
    own_message: OwnMessage
    per_destination: int
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What all destinations share."""

    store: QueueStore
    directory: Directory
    backlog: Backlog
    shares: ConnectionShares
    settling: Settling
    events: DeliveryEvents


class Destination:
    def __init__(
        self, connector: SendConnector, domain: str | None, services: DialServices, delivery: Delivery
    ) -> None:
        self.connector = connector
        self.waiting = FairQueue()
        self.connections: set[OutboundConnection] = set()
        """All whose socket is open."""
        self.idle: list[OutboundConnection] = []
        self.domain = domain
        """None: smart hosts take every domain."""
        self.parked: set[QueueKey] = set()
        """Whose due mail stays in the store: this is down, or too much of the tenant's waits here already."""
        self.down_until = 0.0
        self.late_again_at = 0.0
        """When what is parked is to be looked through for late mail again."""
        self._down: NotOpened | None = None
        self._services = services
        self._delivery = delivery
        self._dials: set[asyncio.Task[None]] = set()
        self._ready = 0
        self._enough_until = 0.0
        self._failures = 0
        self._fruitless = 0

    def __str__(self) -> str:
        return f"{self.domain or ', '.join(map(str, self.connector.smart_hosts))} by {_label(self.connector)}"

    @property
    def at_rest(self) -> bool:
        """Nothing waits, nothing is open, and nothing need be remembered."""
        if self.waiting or self.connections or self._dials:
            return False
        return not self._failures or self._services.clock() >= self.down_until + FAILURES_KEPT_S

    def is_down(self) -> bool:
        return self._down is not None and self._services.clock() < self.down_until

    @property
    def probing(self) -> bool:
        """It was down, and has not taken a session since."""
        return self._down is not None

    def clock_leapt(self, by_s: float) -> None:
        self.down_until += by_s
        self.late_again_at += by_s
        self._enough_until += by_s

    def forget_failures(self) -> None:
        self.down_until = 0.0
        self._failures = 0

    def deliver(self, claim: Claim) -> None:
        if self.is_down():
            self._turn_away(claim)
        else:
            self.waiting.append(self._delivery.backlog.kept(claim))
            self.pump()

    def take_all(self) -> Iterator[Claim]:
        """What waits now, to be routed again."""
        for _ in range(len(self.waiting)):
            yield self._pop()

    def pump(self) -> None:
        """Bring what waits and the connections together."""
        for _ in range(len(self.idle)):
            # One that gets no claim is idle again, at the end of the list.
            if not self.waiting or not self.idle:
                break
            connection = self.idle.pop()
            if connection.free:
                connection.work()
        delivery = self._delivery
        while self._needs_connection() and delivery.settling.may_begin and delivery.shares.take(self):
            self._dial()

    def _turn_away(self, claim: Claim) -> None:
        """Defer without dialling: the next hop was found dead a moment ago."""
        assert self._down is not None
        self.parked.add((claim.tenant, claim.domain))
        self._tell(claim, _outcomes(claim, self._down), self.down_until)

    def leave(self) -> bool:
        """Quit what is idle; whether any session is still open."""
        self.quit_idle(len(self.idle))
        return self._ready > 0

    def quit_idle(self, most: int) -> None:
        """Quit up to `most` idle connections, the longest idle first."""
        leaving, self.idle = self.idle[:most], self.idle[most:]
        for connection in leaving:
            if connection.free:
                connection.quit()

    def end(self) -> None:
        """Hang up on everybody."""
        for dial in self._dials:
            dial.cancel()
        for connection in tuple(self.connections):
            connection.abort()

    # What connections ask (connection.Owner)

    def connected(self, connection: OutboundConnection) -> None:
        self.connections.add(connection)

    def opened(self, connection: OutboundConnection) -> None:
        self._ready += 1
        self._down = None

    def next_claim(self, connection: OutboundConnection) -> Claim | None:
        claim = self._next_wanted()
        if claim is None:
            self.idle.append(connection)
        return claim

    def _next_wanted(self) -> Claim | None:
        delivery = self._delivery
        if not delivery.settling.may_begin:
            return None
        while self.waiting:
            claim = self._pop()
            if delivery.settling.still_wanted(claim):
                return claim
        delivery.shares.one_is_idle()
        return None

    def _pop(self) -> Claim:
        claim = self.waiting.popleft()
        self._delivery.backlog.taken(claim)
        return claim

    def attempted(self, claim: Claim, outcomes: list[DeliveryOutcome]) -> None:
        lost = next((outcome for outcome in outcomes if _session_was_lost(outcome)), None)
        if lost is None:
            self._fruitless = self._failures = 0
            if self.connector.smart_hosts:
                self._delivery.events.next_hop_takes_mail(self.connector)
        else:
            self._fruitless += 1
        self._tell(claim, self._kept_if_not_recognised(outcomes))
        if isinstance(lost, Deferred) and self._fruitless >= MOST_FRUITLESS:
            self._fruitless = 0
            self._leave_alone(NotOpened(lost.why, lost.status, lost.reply, lost.host))

    def _tell(self, claim: Claim, outcomes: list[DeliveryOutcome], not_before: float = 0.0) -> None:
        delivery, connector = self._delivery, self.connector
        if connector.tenant is not None and is_anothers(delivery.directory, connector, claim):
            outcomes = [_discreet(outcome) for outcome in outcomes]
        delivery.settling.attempted(claim, outcomes, not_before)

    def _kept_if_not_recognised(self, outcomes: list[DeliveryOutcome]) -> list[DeliveryOutcome]:
        """A relay of ours that does not recognise this server is its administrator's business: senders get their mail
        back only if that lasts. The destination stays open: whom else's mail the relay takes, it takes (law 6)."""
        if not self.connector.smart_hosts:
            return outcomes
        return [_kept(outcome) if _did_not_recognise_us(outcome) else outcome for outcome in outcomes]

    def hand_back(self, claim: Claim) -> None:
        self.waiting.appendleft(self._delivery.backlog.kept(claim))

    def closed(self, connection: OutboundConnection) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        if connection.was_ready:
            self._ready -= 1
            self._delivery.shares.give_back(connection.tenant)
            self.pump()

    # Dialling

    def _needs_connection(self) -> bool:
        dialling = len(self._dials)
        if len(self.waiting) <= dialling or self._ready + dialling >= self._services.per_destination:
            return False
        if self._ready:
            return self._services.clock() >= self._enough_until
        return not dialling and not self.is_down()

    def _dial(self) -> None:
        tenant = self.waiting.tenant
        dial = asyncio.get_running_loop().create_task(self._connect(tenant))
        self._dials.add(dial)
        dial.add_done_callback(partial(self._dialled, tenant))

    def _dialled(self, tenant: str | None, dial: asyncio.Task[None]) -> None:
        self._dials.discard(dial)
        if dial.cancelled():
            self._delivery.shares.give_back(tenant)
        elif error := dial.exception():
            self._delivery.events.warning(f"dialling {self} broke: {error!r}")
            self._not_reached(NotOpened(f"internal error: {error!r}", "4.3.0"), tenant)
        self.pump()

    async def _connect(self, tenant: str | None) -> None:
        services = self._services
        targets = await find_targets(
            self.connector, self._any_domain(), services.resolver, services.own_names, services.shuffle, services.reach
        )
        if isinstance(targets, DnsProblem):
            self._not_reached(targets, tenant)
            return
        told: NotOpened | None = None
        blocked: dict[tuple[str, int], Demand] = {}
        for target in targets:
            opened = await self._open(target, await self._demand(target, blocked), tenant)
            if isinstance(opened, OutboundConnection):
                return
            # Words of a host say more than silence.
            if told is None or (told.reply is None and opened.reply is not None):
                told = opened
        assert told is not None, "there is at least one target"
        self._not_reached(told, tenant)

    async def _demand(self, target: Target, blocked: dict[tuple[str, int], Demand]) -> Demand:
        """`blocked`: hosts of this dial that get no mail now. A look-up that failed is not in the resolver's cache, and
        would be waited for again at each address of the host."""
        host = (target.host, target.port)
        if host in blocked:
            return blocked[host]
        by_mx = None if self.connector.smart_hosts else self.domain
        demand = await self._services.tls_demands.of(self.connector, by_mx, target)
        if demand.blocked:
            blocked[host] = demand
        return demand

    async def _open(self, target: Target, demand: Demand, tenant: str | None) -> OutboundConnection | NotOpened:
        services = self._services
        return await open_connection(
            Dial(
                target=target,
                connector=self.connector,
                demand=demand,
                tenant=tenant,
                settings=services.connection,
                tls=services.tls,
                log=self._session_log(target),
                owner=self,
                open_content=self._delivery.store.open_content,
            )
        )

    def _session_log(self, target: Target) -> OutboundLog | None:
        services = self._services
        if services.log is None or not self.connector.protocol_log:
            return None
        session_id = services.next_session_id(services.clock())
        log = OutboundLog(services.log, services.clock, _label(self.connector), session_id, target.endpoint)
        log.carries(self.connector.tenant)
        return log

    def _any_domain(self) -> str:
        return self.domain or ""

    def _not_reached(self, problem: NotOpened | DnsProblem, tenant: str | None) -> None:
        self._delivery.shares.give_back(tenant)
        now = self._services.clock()
        if self._ready:
            self._enough_until = now + ENOUGH_FOR_S
            return
        if isinstance(problem, DnsProblem) and problem.permanent:
            self._settle_waiting(lambda claim: _failures(claim, problem))
            return
        self._leave_alone(NotOpened(problem.why, problem.status) if isinstance(problem, DnsProblem) else problem)

    def _leave_alone(self, problem: NotOpened) -> None:
        """Until the next attempt is due, nothing is sent; what waits is told why."""
        self._down = problem
        self.down_until = self._services.clock() + pause(self._failures, True, self._services.retry)
        self._failures += 1
        if self.connector.smart_hosts:
            self._delivery.events.next_hop_is_down(self.connector, problem.why)
        self._settle_waiting(lambda claim: _outcomes(claim, problem))

    def _settle_waiting(self, outcomes: Callable[[Claim], list[DeliveryOutcome]]) -> None:
        while claim := self._next_wanted():
            self.parked.add((claim.tenant, claim.domain))
            self._tell(claim, outcomes(claim), self.down_until)


def _label(connector: SendConnector) -> str:
    """Two tenants may have connectors of one name."""
    return f"{connector.tenant}/{connector.name}" if connector.tenant else connector.name


def _outcomes(claim: Claim, problem: NotOpened) -> list[DeliveryOutcome]:
    return [
        Deferred(
            recipient=recipient,
            why=problem.why,
            status=problem.status,
            reply=problem.reply,
            host=problem.host,
            glitch=True,
        )
        for recipient in claim.recipients
    ]


def _failures(claim: Claim, problem: DnsProblem) -> list[DeliveryOutcome]:
    return [Failed(recipient=recipient, why=problem.why, status=problem.status) for recipient in claim.recipients]


def _did_not_recognise_us(outcome: DeliveryOutcome) -> bool:
    return isinstance(outcome, Failed) and outcome.reply is not None and says_not_recognised(outcome.reply.lines)


def _kept(outcome: DeliveryOutcome) -> Deferred:
    assert isinstance(outcome, Failed)
    return Deferred(
        recipient=outcome.recipient,
        why=f"{outcome.host} does not recognise this server",
        # RFC 3463 2: nothing has failed for good.
        status="4.7.0",
        reply=outcome.reply,
        host=outcome.host,
        tls=outcome.tls,
        took_s=outcome.took_s,
        refusal=outcome,
    )


def _discreet(outcome: DeliveryOutcome) -> DeliveryOutcome:
    if isinstance(outcome, Deferred) and outcome.refusal is not None:
        return replace(outcome, discreet=True, refusal=replace(outcome.refusal, discreet=True))
    return replace(outcome, discreet=True)


def _session_was_lost(outcome: DeliveryOutcome) -> bool:
    """By the peer; what is wrong on our side names no host."""
    if not isinstance(outcome, Deferred) or outcome.host is None:
        return False
    return outcome.reply is None or outcome.reply.code == 421
