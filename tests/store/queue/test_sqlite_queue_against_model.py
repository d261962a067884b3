"""The SQLite queue against a model of a few lines, under any order of worker's and operator's deeds and restarts."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from contracts.queue_messages import RECEIVED_AT, message, recipient
from gatepost.queue.message import Claim, QueuedRecipient, RecipientState
from gatepost.queue.orders import Action
from gatepost.queue.outcome import Rescheduled, Settlement
from gatepost.queue.store import Avoid, QueueFilter
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.sqlite_queue import SqliteQueueStore
from soak import rounds

DOMAINS = st.sampled_from(["a.example", "b.example", "c.example"])
TENANTS = st.sampled_from(["contoso", "tailspin"])
SECONDS = st.integers(0, 20)
FATES = st.lists(st.sampled_from(["finished", "rescheduled", "untouched"]), min_size=4, max_size=4)
CHOICES = st.builds(QueueFilter, tenant=st.none() | TENANTS, domain=st.none() | DOMAINS)

QUEUED, ACTIVE, HELD, BOUNCING = RecipientState


@dataclass
class Waiting:
    """What the model knows of a recipient."""

    domain: str
    tenant: str
    state: RecipientState
    due_at: float
    received_at: float
    attempts: int = 0
    claimed: bool = False


class QueueMachine(RuleBasedStateMachine):
    claims = Bundle("claims")
    changed_at_once = 500

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.now = RECEIVED_AT
        self.model: dict[str, Waiting] = {}
        self.number = 0
        self.generation = 0
        self.store = SqliteQueueStore(self.path, 0)
        self.admin = SqliteQueueAdmin(self.path, changed_at_once=self.changed_at_once)

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    async def _flush(self) -> None:
        while self.store.backlog:
            await asyncio.sleep(0)

    # -- The worker

    @rule(target=claims, to=st.lists(st.tuples(DOMAINS, TENANTS), min_size=1, max_size=4), claim=st.booleans())
    def accept(self, to: list[tuple[str, str]], claim: bool) -> Any:
        recipients = []
        for domain, tenant in to:
            self.number += 1
            path = f"{self.number}@{domain}"
            recipients.append(recipient(path, tenant))
            self.model[path] = Waiting(domain, tenant, ACTIVE if claim else QUEUED, self.now, self.now, claimed=claim)
        new = message(*recipients, received_at=self.now)
        given = self._awaited(lambda: self.store.accept(new, claim=claim)).claims
        assert sorted(paths(given)) == (sorted(each.forward_path.text for each in recipients) if claim else [])
        return multiple(*((self.generation, each) for each in given))

    @rule(
        target=claims,
        limit=st.integers(1, 5),
        tenants=st.frozensets(TENANTS),
        keys=st.frozensets(st.tuples(TENANTS, DOMAINS)),
    )
    def claim_due(self, limit: int, tenants: frozenset[str], keys: frozenset[tuple[str, str]]) -> Any:
        avoid = Avoid(tenants=tenants, keys=keys)
        given = self._in_loop(lambda: self.store.claim_due(self.now, limit, avoid))
        due = {
            path
            for path, each in self.model.items()
            if self._is_due(each) and each.tenant not in tenants and (each.tenant, each.domain) not in keys
        }
        taken = set(paths(given))
        assert taken <= due
        assert len(given) <= limit
        if not self.orders_wait:
            assert taken == due or len(given) == limit
            self._tenants_took_turns(given, due - taken)
        self._take(given)
        return multiple(*((self.generation, each) for each in given))

    def _tenants_took_turns(self, given: list[Claim], left: set[str]) -> None:
        """Who has something left got as much as anybody, and its oldest."""
        got = Counter(claim.tenant for claim in given)
        for tenant in {self.model[path].tenant for path in left}:
            assert all(got[tenant] >= others - 1 for others in got.values())
            oldest_left = min(self.model[path].due_at for path in left if self.model[path].tenant == tenant)
            for claim in given:
                if claim.tenant == tenant:
                    assert min(self.model[path].due_at for path in paths([claim])) <= oldest_left

    def _in_loop(self, deed: Callable[[], Any]) -> Any:
        async def do() -> Any:
            done = deed()
            await self._flush()
            return done

        return self.loop.run_until_complete(do())

    def _awaited(self, deed: Callable[[], Any]) -> Any:
        async def do() -> Any:
            return await deed()

        return self.loop.run_until_complete(do())

    @property
    def orders_wait(self) -> bool:
        return not all(order.carried_out for _, order in self.admin.orders(1000))

    def carry_out_orders(self) -> None:
        """Settling comes after: what an order makes due, an attempt that ends later makes due later."""
        if self.orders_wait:
            # A hold by itself is left as it is.
            self.admin.retry(QueueFilter(), self.now + 1e6)
            self._in_loop(self.store.changed_by_others)
        self.loop.run_until_complete(self.store.carry_out_orders())

    def _take(self, given: list[Claim]) -> None:
        for claim in given:
            assert len({(each.domain, each.tenant, each.state) for each in claim.recipients}) == 1
            for each in claim.recipients:
                waiting = self.model[each.forward_path]
                if self.orders_wait:
                    waiting.due_at = each.due_at
                assert (each.state, each.due_at, each.attempts) == (waiting.state, waiting.due_at, waiting.attempts)
                waiting.claimed = True
                if waiting.state is QUEUED:
                    waiting.state = ACTIVE

    def _is_due(self, each: Waiting) -> bool:
        return each.state in (QUEUED, BOUNCING) and not each.claimed and each.due_at <= self.now

    @rule(claimed=consumes(claims), fates=FATES, after=SECONDS)
    def settle(self, claimed: tuple[int, Claim], fates: list[str], after: int) -> None:
        generation, claim = claimed
        if generation != self.generation:
            return
        self.carry_out_orders()
        by_fate: dict[str, list[Any]] = {"finished": [], "rescheduled": [], "untouched": []}
        for each, fate in zip(claim.recipients, fates, strict=False):
            by_fate[fate].append(each)
        settlement = Settlement(
            claim=claim,
            finished=tuple(by_fate["finished"]),
            rescheduled=tuple(
                Rescheduled(recipient=each, due_at=self.now + after, reply="451 later", delay_notified=False)
                for each in by_fate["rescheduled"]
            ),
            notifications=(),
        )
        assert self._awaited(lambda: self.store.settle(settlement)) == []
        for fate, recipients in by_fate.items():
            for each in recipients:
                self._settled(each, fate, self.now + after)

    def _settled(self, attempted: QueuedRecipient, fate: str, due_at: float) -> None:
        path = attempted.forward_path
        waiting = self.model.get(path)
        if waiting is None:
            return
        if fate == "finished":
            del self.model[path]
            return
        waiting.claimed = False
        if fate == "rescheduled":
            waiting.attempts += 1
            if waiting.state is not BOUNCING or attempted.state is BOUNCING:
                waiting.due_at = due_at
        if waiting.state is ACTIVE:
            waiting.state = QUEUED

    @rule(target=claims, key=st.tuples(TENANTS, DOMAINS), age=SECONDS)
    def claim_late(self, key: tuple[str, str], age: int) -> Any:
        received_until = self.now - age
        given = self._in_loop(lambda: self.store.claim_late(key, self.now, received_until, received_until, 1000))
        late = {
            path
            for path, each in self.model.items()
            if self._is_due(each) and (each.tenant, each.domain) == key and each.received_at <= received_until
        }
        assert set(paths(given)) == late or (self.orders_wait and set(paths(given)) <= late)
        self._take(given)
        return multiple(*((self.generation, each) for each in given))

    @rule()
    def restart(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.store = SqliteQueueStore(self.path, 0)
        self.generation += 1
        for each in self.model.values():
            each.claimed = False
            if each.state is ACTIVE:
                each.state = QUEUED
        self._due_again_as_ordered()

    def _due_again_as_ordered(self) -> None:
        """What was claimed before an order to retry was carried out, and now waits again, is now reached by it."""
        retried = {order.given_at for _, order in self.admin.orders(1000) if order.action is Action.RETRY}
        for _, each in self.admin.listed(QueueFilter(), 10_000):
            if each.due_at in retried:
                self.model[each.forward_path].due_at = each.due_at

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    # -- The operator

    @rule(wanted=CHOICES)
    def hold(self, wanted: QueueFilter) -> None:
        chosen = [each for each in self._chosen(wanted) if each.state is not HELD]
        assert self.admin.hold(wanted) == len(chosen)
        for each in chosen:
            each.state = HELD
        self._noticed(chosen)

    @rule(wanted=CHOICES)
    def release(self, wanted: QueueFilter) -> None:
        chosen = [each for each in self._chosen(wanted) if each.state is HELD]
        assert self.admin.release(wanted, self.now) == len(chosen)
        for each in chosen:
            each.state, each.due_at = QUEUED, min(each.due_at, self.now)
        self._noticed(chosen)

    @rule(wanted=CHOICES)
    def retry(self, wanted: QueueFilter) -> None:
        chosen = [each for each in self._chosen(wanted) if each.state is QUEUED]
        assert self.admin.retry(wanted, self.now) == len(chosen)
        for each in chosen:
            each.due_at = min(each.due_at, self.now)
        self._noticed(chosen)

    @rule(wanted=CHOICES)
    def bounce(self, wanted: QueueFilter) -> None:
        chosen = [each for each in self._chosen(wanted) if each.state is not BOUNCING]
        assert self.admin.bounce(wanted, self.now) == len(chosen)
        for each in chosen:
            each.state, each.due_at = BOUNCING, min(each.due_at, self.now)
        self._noticed(chosen)

    @rule(wanted=CHOICES)
    def remove(self, wanted: QueueFilter) -> None:
        chosen = list(self._chosen(wanted))
        assert self.admin.remove(wanted) == len(chosen)
        self.model = {path: each for path, each in self.model.items() if not any(each is one for one in chosen)}
        self._noticed(chosen)

    def _chosen(self, wanted: QueueFilter) -> Iterable[Waiting]:
        return [
            each
            for each in self.model.values()
            if wanted.tenant in (None, each.tenant) and wanted.domain in (None, each.domain)
        ]

    def _noticed(self, changed: list[Waiting]) -> None:
        assert self._in_loop(self.store.changed_by_others) == bool(changed)

    # -- What always holds

    @invariant()
    def the_admin_sees_what_the_model_says(self) -> None:
        counts = self.admin.counts(QueueFilter())
        listed = {each.forward_path: (each.state, each.due_at) for _, each in self.admin.listed(QueueFilter(), 10_000)}
        assert listed == {path: (each.state, each.due_at) for path, each in self.model.items()}
        counted = {(each.tenant, each.domain, each.state): each.recipients for each in counts}
        assert counted == Counter((each.tenant, each.domain, each.state) for each in self.model.values())

    @invariant()
    def nothing_due_is_overlooked(self) -> None:
        due = [each.due_at for each in self.model.values() if each.state in (QUEUED, BOUNCING) and not each.claimed]
        next_due_at = self.store.next_due_at()
        if due and not self.orders_wait:
            assert next_due_at is not None
            assert next_due_at <= min(due)


def paths(claims: Iterable[Claim]) -> list[str]:
    return [each.forward_path for claim in claims for each in claim.recipients]


TestQueueAgainstModel = pytest.mark.soak(QueueMachine.TestCase)
TestQueueAgainstModel.settings = settings(max_examples=rounds(6, large=400), stateful_step_count=40, deadline=None)


class QueueWithOrdersMachine(QueueMachine):
    """Whatever an operator changes is an order that is carried out later: nobody sees a difference."""

    changed_at_once = 0

    @rule()
    def orders_are_carried_out(self) -> None:
        self.carry_out_orders()


TestQueueWithOrdersAgainstModel = pytest.mark.soak(QueueWithOrdersMachine.TestCase)
TestQueueWithOrdersAgainstModel.settings = settings(
    max_examples=rounds(6, large=400), stateful_step_count=40, deadline=None
)
