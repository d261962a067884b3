"""From the outcomes of an attempt to what the store and the operator keep of it, in the background.

What flows through: attempts come in as they end; some wait for others whose notification they share (`gathering`);
settlements go to the store; events are told once the store has them.

Laws: many recipients of one message do not become as many notifications; while the store cannot settle, nothing new is
begun (`may_begin`), so that a broken disk does not send mail twice.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from gatepost.delivery.conclusion import Conclusion, ConclusionSettings, conclude, given_back, notify
from gatepost.delivery.events import DeliveryEvents
from gatepost.delivery.gathering import Attempt, Gathering, Key
from gatepost.delivery.ownership import still_there
from gatepost.delivery.unproven_senders import Telling, telling
from gatepost.queue.message import Claim
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed, Settlement
from gatepost.queue.store import Promise, QueueStore, StoreError
from gatepost.tenancy.directory import Directory

SETTLE_AGAIN_S = 1.0

Change = tuple[Settlement, list[DeliveryOutcome]]


class Settling:
    def __init__(
        self,
        store: QueueStore,
        directory: Directory,
        events: DeliveryEvents,
        clock: Callable[[], float],
        leapt_since: Callable[[float], float],
        settings: ConclusionSettings,
        gathering: Gathering,
        deliver: Callable[[Iterable[Claim]], None],
        resumed: Callable[[], None],
    ) -> None:
        """`leapt_since`: by how much somebody has set the clock forward since then; `deliver` takes the notifications
        that were stored; `resumed` is called when the store settles again."""
        self._store = store
        self._directory = directory
        self._events = events
        self._clock = clock
        self._leapt_since = leapt_since
        self._settings = settings
        self._gathering = gathering
        self._deliver = deliver
        self._resumed = resumed
        self._under_way: dict[int, Claim] = {}
        """What is over and not settled, by the first recipient."""
        self._one_ended = asyncio.Event()
        self._again: set[asyncio.Task[None]] = set()
        """Try what the store did not settle."""
        self._unsettled = 0
        self.stopping = False
        """What is under way is settled; nothing new is begun."""

    def __len__(self) -> int:
        """Attempts that are over and not settled."""
        return len(self._under_way) + len(self._gathering)

    def claims(self) -> Iterator[Claim]:
        """Theirs."""
        yield from self._under_way.values()
        yield from self._gathering.claims()

    @property
    def stands_still(self) -> bool:
        """The store cannot settle."""
        return self._unsettled > 0

    @property
    def may_begin(self) -> bool:
        """Whether another attempt may."""
        return not self._unsettled and not self.stopping

    def still_wanted(self, claim: Claim) -> bool:
        """Whether nobody held or removed it meanwhile; else it is given back."""
        try:
            if self._store.still_wanted(claim):
                return True
        except StoreError as error:
            self._events.warning(str(error))
        self.give_back(claim)
        return False

    def give_back(self, claim: Claim) -> None:
        """Nothing was attempted."""
        self._in_background((given_back(claim), []))

    def attempted(self, claim: Claim, outcomes: list[DeliveryOutcome], not_before: float = 0.0) -> None:
        """`not_before`: the next hop is left alone until then."""
        attempt = Attempt(claim, outcomes, not_before)
        conclusion = self._concluded(attempt)
        if not conclusion.asked:
            self._in_background((conclusion.settlement, conclusion.outcomes))
            return
        delay_s = self._gathering.delay_s(claim)
        if not delay_s or self.stopping:
            self._conclude([attempt], [conclusion])
            return
        if key := self._gathering.hold(attempt):
            asyncio.get_running_loop().call_later(delay_s, self._conclude_together, key)
        if oldest := self._gathering.too_many():
            self._conclude_together(oldest)

    async def finish(self) -> None:
        """All that is over, as far as the store settles."""
        for key in self._gathering.batches():
            self._conclude_together(key)
        while self._under_way and not self._unsettled:
            self._one_ended.clear()
            await self._one_ended.wait()
        for again in self._again:
            again.cancel()

    # --- concluding -------------------------------------------------------------------------------------------------

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
        now, tenant = self._clock(), still_there(self._directory, claim)
        open_content = partial(self._store.open_content, claim.message)
        return notify(conclusions, tenant, now, self._settings, open_content, may_tell)

    def _concluded(self, attempt: Attempt) -> Conclusion:
        claim, outcomes, not_before = attempt
        leapt_s = self._leapt_since(claim.message.received_at)
        return conclude(claim, outcomes, self._clock(), not_before, self._settings, leapt_s)

    # --- settling ---------------------------------------------------------------------------------------------------

    def _in_background(self, *changes: Change) -> None:
        """Of several, the first holds the notification of all: the others follow it."""
        for settlement, _ in changes:
            self._under_way[_key_of(settlement)] = settlement.claim
        first, *others = changes
        self._settle(first, others)

    def _settle(self, change: Change, then: Sequence[Change]) -> None:
        settlement, _ = change
        self._store.settle(settlement).tell(partial(self._settled, change, then))

    def _settled(self, change: Change, then: Sequence[Change], settled: Promise[Sequence[Claim]]) -> None:
        self._ended(change)
        try:
            claims = settled.result()
        except StoreError as error:
            self._stand_still(change, then, error)
        else:
            self._go_on(change, then, claims)

    def _go_on(self, change: Change, then: Sequence[Change], claims: Sequence[Claim]) -> None:
        self._tell(*change)
        if claims:
            self._events.notification_queued(claims)
            self._deliver(claims)
        for each in then:
            self._settle(each, ())

    def _stand_still(self, change: Change, then: Sequence[Change], error: StoreError) -> None:
        """What was done must be recorded before anything else is begun."""
        settlement, _ = change
        self._under_way[_key_of(settlement)] = settlement.claim
        self._unsettled += 1
        self._events.warning(f"delivery is stopped until the queue can be written: {error}")
        again = asyncio.get_running_loop().create_task(self._settle_later(change, then))
        self._again.add(again)
        again.add_done_callback(self._again.discard)

    async def _settle_later(self, change: Change, then: Sequence[Change]) -> None:
        while True:
            await asyncio.sleep(SETTLE_AGAIN_S)
            try:
                claims = await self._store.settle(change[0])
            except StoreError:
                continue
            break
        self._unsettled -= 1
        if not self._unsettled:
            self._resumed()
        self._ended(change)
        self._go_on(change, then, claims)

    def _ended(self, change: Change) -> None:
        settlement, _ = change
        del self._under_way[_key_of(settlement)]
        self._one_ended.set()

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


def _key_of(settlement: Settlement) -> int:
    return settlement.claim.recipients[0].id


def _content_lost(attempt: Attempt, error: str) -> Attempt:
    return attempt._replace(outcomes=[_not_read(outcome, error) for outcome in attempt.outcomes])


def _not_read(outcome: DeliveryOutcome, error: str) -> DeliveryOutcome:
    if isinstance(outcome, Delivered):
        return outcome
    return Deferred(recipient=outcome.recipient, why=f"the stored message cannot be read ({error})", status="4.3.0")
