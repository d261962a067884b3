"""What every `QueueStore` keeps, with a `QueueAdmin` beside it: a store's own tests derive from it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.queue_messages import (
    RECEIVED_AT,
    finished,
    given_back,
    message,
    only,
    paths,
    recipient,
    rescheduled,
)
from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.mail.envelope import DsnRequest
from gatepost.queue.message import RecipientState
from gatepost.queue.orders import Action
from gatepost.queue.outcome import Rescheduled, Settlement
from gatepost.queue.store import Avoid, QueueAdmin, QueueFilter, QueueStore, StoreUnavailable

NOW = RECEIVED_AT + 10
NOBODY = Avoid()
ALL = QueueFilter()


class Opened:
    """A store, and the operator's side of the same data."""

    def __init__(self, store: Any, admin: QueueAdmin) -> None:
        self.store = store
        self.admin = admin

    async def states(self) -> dict[str, RecipientState]:
        await self.flushed()
        return {each.forward_path: each.state for _, each in self.admin.listed(ALL, 1000)}

    async def carried_out(self) -> None:
        """Every order is."""
        self.store.changed_by_others()
        await self.store.carry_out_orders()
        assert all(order.carried_out for _, order in self.admin.orders(100))

    async def flushed(self) -> None:
        """Everything asked for before is written."""
        await self.store.accept(message("flush@flush.example", received_at=9e9), claim=False)
        self.admin.remove(QueueFilter(domain="flush.example"))
        self.store.changed_by_others()


class QueueStoreContract:
    def open(self, folder: Path) -> tuple[QueueStore, QueueAdmin]:
        raise NotImplementedError

    async def close(self, store: Any) -> None:
        raise NotImplementedError

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Opened]:
        store, admin = self.open(folder)
        try:
            yield Opened(store, admin)
        finally:
            await self.close(store)

    @pytest.fixture
    def run(self, tmp_path: Path) -> Callable[[Callable[[Opened], Awaitable[None]]], None]:
        """Run a scenario on a fresh store; call it twice to have the store closed and opened between."""

        def run(scenario: Callable[[Opened], Awaitable[None]]) -> None:
            async def whole() -> None:
                async with self.opened(tmp_path) as opened:
                    await scenario(opened)

            asyncio.run(whole())

        return run

    # -- Accepting

    def test_an_accepted_message_survives_a_restart_as_it_was(self, run: Any) -> None:
        new = message(
            recipient("Bob@fabrikam.example", dsn=DsnRequest(notify=frozenset({"SUCCESS", "DELAY"}), orcpt="rfc822;x")),
            content=b"\x00\xffoctets\r\n",
            reverse_path="Alice@Contoso.example",
        )

        async def accept(q: Opened) -> None:
            assert (await q.store.accept(new, claim=False)).claims == ()

        async def claim(q: Opened) -> None:
            (claim,) = q.store.claim_due(NOW, 10, NOBODY)
            assert claim.message.session_id == new.session_id
            assert claim.message.received_at == new.received_at
            assert claim.message.envelope == new.envelope
            assert str(claim.message.envelope.reverse_path) == "Alice@Contoso.example"
            assert claim.message.size == len(b"\x00\xffoctets\r\n")
            assert (claim.domain, claim.tenant) == ("fabrikam.example", "contoso")
            found = only(claim.recipients)
            assert found.forward_path == "Bob@fabrikam.example"
            assert found.dsn == new.recipients[0].dsn
            assert (found.connector, found.attempts, found.last_reply) == ("on-premises", 0, None)
            assert not found.delay_notified
            assert b"".join(q.store.open_content(claim.message).chunks()) == b"\x00\xffoctets\r\n"

        run(accept)
        run(claim)

    def test_the_null_reverse_path_stays_null(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message(reverse_path=None), claim=False)
            (claim,) = q.store.claim_due(NOW, 10, NOBODY)
            assert claim.message.envelope.reverse_path is NULL_REVERSE_PATH

        run(scenario)

    def test_claims_of_an_accepted_message_are_grouped_by_tenant_and_domain(self, run: Any) -> None:
        new = message("a@one.example", "b@two.example", "c@one.example", recipient("d@one.example", tenant="tailspin"))

        async def scenario(q: Opened) -> None:
            claims = (await q.store.accept(new, claim=True)).claims
            assert [(each.tenant, each.domain, paths(each)) for each in claims] == [
                ("contoso", "one.example", ["a@one.example", "c@one.example"]),
                ("contoso", "two.example", ["b@two.example"]),
                ("tailspin", "one.example", ["d@one.example"]),
            ]
            for claim in claims:
                assert claim.content is not None
                assert b"".join(claim.content.chunks()) == b"".join(new.content.chunks())
            assert q.store.claim_due(NOW, 10, NOBODY) == []
            assert set((await q.states()).values()) == {RecipientState.ACTIVE}

        run(scenario)

    def test_message_ids_are_never_used_twice(self, run: Any) -> None:
        seen: list[str] = []

        async def scenario(q: Opened) -> None:
            for _ in range(3):
                (claim,) = (await q.store.accept(message(), claim=True)).claims
                seen.append(claim.message.id)
                await q.store.settle(finished(claim))

        run(scenario)
        run(scenario)
        assert len(set(seen)) == 6

    def test_a_claimed_message_is_due_again_after_a_restart_with_its_attempts(self, run: Any) -> None:
        async def crash(q: Opened) -> None:
            (claim,) = (await q.store.accept(message(), claim=True)).claims
            await q.store.settle(rescheduled(claim, NOW))
            assert len(q.store.claim_due(NOW, 10, NOBODY)) == 1
            assert list((await q.states()).values()) == [RecipientState.ACTIVE]

        async def again(q: Opened) -> None:
            (claim,) = q.store.claim_due(NOW, 10, NOBODY)
            assert only(claim.recipients).attempts == 1

        run(crash)
        run(again)

    def test_an_accept_whose_caller_went_away_is_kept_and_due(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            task = asyncio.ensure_future(q.store.accept(message("gone@a.example"), claim=True))
            await asyncio.sleep(0)
            task.cancel()
            await q.store.accept(message("next@b.example"), claim=True)
            await q.flushed()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["gone@a.example"]

        run(scenario)

    def test_many_accepts_at_once_are_all_kept(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await asyncio.gather(*(q.store.accept(message(f"{n}@a.example"), claim=False) for n in range(600)))
            assert len(q.admin.listed(ALL, 1000)) == 600

        run(scenario)

    # -- Claiming

    def test_the_oldest_due_comes_first_whatever_its_domain(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            for at, to in ((3, "3@a.example"), (1, "1@b.example"), (4, "4@b.example"), (2, "2@a.example")):
                await q.store.accept(message(to, received_at=RECEIVED_AT + at), claim=False)
            assert paths(*q.store.claim_due(NOW, 3, NOBODY)) == ["1@b.example", "2@a.example", "3@a.example"]
            assert paths(*q.store.claim_due(NOW, 3, NOBODY)) == ["4@b.example"]
            assert q.store.claim_due(NOW, 3, NOBODY) == []

        run(scenario)

    def test_nothing_is_claimed_before_it_is_due(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message(received_at=NOW), claim=False)
            assert q.store.claim_due(NOW - 0.1, 10, NOBODY) == []
            assert q.store.next_due_at() == NOW
            assert len(q.store.claim_due(NOW, 10, NOBODY)) == 1
            assert q.store.next_due_at() in (None, NOW)
            assert q.store.claim_due(NOW, 10, NOBODY) == []
            assert q.store.next_due_at() is None

        run(scenario)

    def test_avoided_domains_are_left_for_later_and_hide_no_other(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            for n in range(50):
                await q.store.accept(message(f"{n}@busy.example", received_at=RECEIVED_AT), claim=False)
            await q.store.accept(message("free@free.example", received_at=RECEIVED_AT + 5), claim=False)
            avoid = Avoid(keys=frozenset({("contoso", "busy.example")}))
            assert paths(*q.store.claim_due(NOW, 10, avoid)) == ["free@free.example"]
            assert len(q.store.claim_due(NOW, 100, NOBODY)) == 50

        run(scenario)

    def test_due_recipients_of_a_message_in_one_domain_are_one_claim(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message("a@one.example", "b@two.example", "c@one.example"), claim=False)
            claims = q.store.claim_due(NOW, 10, NOBODY)
            assert sorted(map(paths, claims)) == [["a@one.example", "c@one.example"], ["b@two.example"]]

        run(scenario)

    # -- Settling

    def test_a_finished_message_leaves_nothing(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message(), claim=True)).claims
            assert await q.store.settle(finished(claim)) == []
            assert q.admin.message(claim.message.id) is None
            assert q.admin.content(claim.message.id) is None
            assert q.store.next_due_at() is None

        run(scenario)

    def test_a_message_goes_with_its_last_recipient(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            one, two = (await q.store.accept(message("a@one.example", "b@two.example"), claim=True)).claims
            await q.store.settle(finished(one))
            assert b"".join(q.store.open_content(two.message).chunks())
            await q.store.settle(finished(two))
            with pytest.raises(StoreUnavailable, match="removed"):
                q.store.open_content(two.message)

        run(scenario)

    def test_a_deferred_recipient_is_due_when_told_and_remembers_why(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message(), claim=True)).claims
            await q.store.settle(rescheduled(claim, NOW + 900, "451 4.7.1 greylisted", delay_notified=True))
            assert q.store.next_due_at() == NOW + 900
            assert q.store.claim_due(NOW + 899, 10, NOBODY) == []
            (again,) = q.store.claim_due(NOW + 900, 10, NOBODY)
            found = only(again.recipients)
            assert (found.attempts, found.last_reply, found.delay_notified) == (1, "451 4.7.1 greylisted", True)

        run(scenario)

    def test_recipients_of_one_claim_can_end_differently(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message("a@x.example", "b@x.example", "c@x.example"), claim=True)).claims
            a, b, _ = claim.recipients
            later = Rescheduled(recipient=b, due_at=NOW + 60, reply="452 full", delay_notified=False)
            await q.store.settle(Settlement(claim=claim, finished=(a,), rescheduled=(later,), notifications=()))
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["c@x.example"]
            assert paths(*q.store.claim_due(NOW + 60, 10, NOBODY)) == ["b@x.example"]

        run(scenario)

    def test_notifications_come_claimed_with_the_settlement_that_needs_them(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message(), claim=True)).claims
            notification = message("alice@contoso.example", reverse_path=None, content=b"failed\r\n")
            (about,) = await q.store.settle(finished(claim, notification))
            assert about.message.envelope.reverse_path is NULL_REVERSE_PATH
            assert about.content is not None
            assert await q.states() == {"alice@contoso.example": RecipientState.ACTIVE}

        run(scenario)

    def test_what_was_not_attempted_is_due_as_before(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message(), claim=True)).claims
            await q.store.settle(given_back(claim))
            (again,) = q.store.claim_due(NOW, 10, NOBODY)
            assert only(again.recipients).attempts == 0
            await q.store.settle(given_back(again))
            assert len(q.store.claim_due(NOW, 10, NOBODY)) == 1

        run(scenario)

    # -- Fairness

    def test_tenants_take_turns_whatever_the_age_of_their_backlogs(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            for n in range(30):
                await q.store.accept(message(f"{n}@d{n % 7}.example", received_at=RECEIVED_AT - n), claim=False)
            await q.store.accept(message("b@d1.example", tenant="tailspin", received_at=RECEIVED_AT + 5), claim=False)
            await q.store.accept(message("p@d1.example", tenant=None, received_at=RECEIVED_AT + 6), claim=False)
            first = q.store.claim_due(NOW, 4, NOBODY)
            assert sorted(str(each.tenant) for each in first) == ["None", "contoso", "contoso", "tailspin"]
            assert paths(*[each for each in first if each.tenant == "contoso"]) == ["29@d1.example", "28@d0.example"]
            assert len(q.store.claim_due(NOW, 100, NOBODY)) == 28

        run(scenario)

    def test_turns_go_on_from_one_round_to_the_next(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            for n in range(40):
                tenant = f"t{n % 4}"
                await q.store.accept(message(f"{n}@{tenant}.example", tenant=tenant), claim=False)
            given = [q.store.claim_due(NOW, 1, NOBODY)[0].tenant for _ in range(40)]
            assert all(len(set(given[n : n + 4])) == 4 for n in range(0, 40, 4))

        run(scenario)

    def test_avoided_tenants_keep_their_place(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message("a@x.example"), claim=False)
            await q.store.accept(message("b@x.example", tenant="tailspin"), claim=False)
            avoid = Avoid(tenants=frozenset({"contoso"}))
            assert paths(*q.store.claim_due(NOW, 10, avoid)) == ["b@x.example"]
            assert q.store.claim_due(NOW, 10, avoid) == []
            assert q.store.next_due_at() == RECEIVED_AT
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["a@x.example"]

        run(scenario)

    def test_late_mail_can_be_claimed_from_a_lane_that_is_avoided(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            for age, name in ((100, "given-up"), (50, "to-be-told"), (50, "told"), (5, "young")):
                new = message(f"{name}@x.example", received_at=NOW - age)
                (claim,) = (await q.store.accept(new, claim=True)).claims
                await q.store.settle(rescheduled(claim, NOW - 1, delay_notified=name == "told"))
            await q.store.accept(message("other@x.example", tenant="tailspin", received_at=NOW - 100), claim=False)
            late = q.store.claim_late(("contoso", "x.example"), NOW, NOW - 100, NOW - 50, 10)
            assert sorted(paths(*late)) == ["given-up@x.example", "to-be-told@x.example"]
            assert q.store.claim_late(("contoso", "x.example"), NOW, NOW - 100, NOW - 50, 10) == []
            left = paths(*q.store.claim_due(NOW, 10, NOBODY))
            assert sorted(left) == ["other@x.example", "told@x.example", "young@x.example"]

        run(scenario)

    # -- Beside an operator

    def test_a_held_recipient_is_not_claimed_until_it_is_released(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message("a@x.example"), claim=False)
            await q.store.accept(message("b@y.example"), claim=False)
            assert q.admin.hold(QueueFilter(domain="x.example")) == 1
            assert q.store.changed_by_others()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["b@y.example"]
            assert q.admin.release(ALL, NOW) == 1
            await q.carried_out()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["a@x.example"]

        run(scenario)

    def test_a_claim_is_unwanted_once_an_operator_held_or_removed_it(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            held, removed, kept = [
                (await q.store.accept(message(f"x@{name}.example"), claim=True)).claims[0]
                for name in ("held", "removed", "kept")
            ]
            assert all(map(q.store.still_wanted, (held, removed, kept)))
            q.admin.hold(QueueFilter(domain="held.example"))
            q.admin.remove(QueueFilter(domain="removed.example"))
            assert q.store.changed_by_others()
            assert not q.store.changed_by_others()
            assert [q.store.still_wanted(each) for each in (held, removed, kept)] == [False, False, True]

        run(scenario)

    def test_what_was_held_during_an_attempt_stays_held_unless_it_was_delivered(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            deferred, delivered, untouched = [
                (await q.store.accept(message(f"{name}@x.example"), claim=True)).claims[0]
                for name in ("later", "done", "idle")
            ]
            assert q.admin.hold(ALL) == 3
            await q.store.settle(rescheduled(deferred, NOW))
            await q.store.settle(finished(delivered))
            await q.store.settle(given_back(untouched))
            assert await q.states() == {"later@x.example": RecipientState.HELD, "idle@x.example": RecipientState.HELD}
            assert q.store.claim_due(NOW, 10, NOBODY) == []

        run(scenario)

    def test_what_is_to_bounce_is_claimed_at_once_as_such(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message("a@x.example", "b@x.example"), claim=True)).claims
            await q.store.settle(rescheduled(claim, NOW + 3600))
            assert q.admin.bounce(QueueFilter(domain="x.example"), NOW) == 2
            assert q.store.changed_by_others()
            await q.carried_out()
            (bouncing,) = q.store.claim_due(NOW, 10, NOBODY)
            assert {each.state for each in bouncing.recipients} == {RecipientState.BOUNCING}
            assert q.store.still_wanted(bouncing)
            assert q.store.claim_due(NOW, 10, NOBODY) == []
            await q.store.settle(finished(bouncing))
            assert await q.states() == {}

        run(scenario)

    def test_what_is_to_bounce_still_is_after_a_crash(self, run: Any) -> None:
        async def crash(q: Opened) -> None:
            await q.store.accept(message(), claim=False)
            q.admin.bounce(ALL, NOW)
            await q.carried_out()
            assert q.store.claim_due(NOW, 10, NOBODY)
            await q.flushed()

        async def again(q: Opened) -> None:
            (claim,) = q.store.claim_due(NOW, 10, NOBODY)
            assert only(claim.recipients).state is RecipientState.BOUNCING

        run(crash)
        run(again)

    def test_bouncing_that_did_not_work_is_tried_again_when_told(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message(), claim=False)
            q.admin.bounce(ALL, NOW)
            await q.carried_out()
            (bouncing,) = q.store.claim_due(NOW, 10, NOBODY)
            await q.store.settle(rescheduled(bouncing, NOW + 60))
            assert q.store.claim_due(NOW + 59, 10, NOBODY) == []
            (again,) = q.store.claim_due(NOW + 60, 10, NOBODY)
            assert only(again.recipients).state is RecipientState.BOUNCING

        run(scenario)

    def test_what_was_to_bounce_during_an_attempt_bounces_after_it(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message(), claim=True)).claims
            assert q.admin.bounce(ALL, NOW) == 1
            q.store.changed_by_others()
            assert not q.store.still_wanted(claim)
            assert q.store.claim_due(NOW, 10, NOBODY) == []
            await q.store.settle(rescheduled(claim, NOW + 3600))
            await q.carried_out()
            (bouncing,) = q.store.claim_due(NOW, 10, NOBODY)
            assert only(bouncing.recipients).state is RecipientState.BOUNCING

        run(scenario)

    def test_retry_makes_what_waits_due_now_and_leaves_the_rest(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            waiting, held = [
                (await q.store.accept(message(f"{name}@x.example"), claim=True)).claims[0] for name in ("w", "h")
            ]
            await q.store.settle(rescheduled(waiting, NOW + 3600))
            await q.store.settle(rescheduled(held, NOW + 3600))
            q.admin.hold(QueueFilter(message_id=held.message.id))
            assert q.admin.retry(ALL, NOW) == 1
            assert q.store.changed_by_others()
            await q.carried_out()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["w@x.example"]

        run(scenario)

    def test_an_operators_choice_touches_no_other_tenant(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message("a@x.example", tenant="contoso"), claim=False)
            await q.store.accept(message("b@x.example", tenant="tailspin"), claim=False)
            assert q.admin.remove(QueueFilter(tenant="contoso", domain="x.example")) == 1
            assert q.store.changed_by_others()
            await q.carried_out()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["b@x.example"]

        run(scenario)

    def test_an_order_reaches_what_waits_and_nothing_that_comes_later(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message("before@x.example"), claim=False)
            assert q.admin.hold(ALL) == 1
            await q.store.accept(message("after@x.example"), claim=False)
            assert q.store.changed_by_others()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["after@x.example"]

        run(scenario)

    def test_orders_act_in_the_order_they_were_given(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            for name in ("a", "b", "c"):
                await q.store.accept(message(f"{name}@{name}.example"), claim=False)
            assert q.admin.hold(ALL) == 3
            assert q.admin.bounce(QueueFilter(domain="b.example"), NOW) == 1
            assert q.admin.release(QueueFilter(state=RecipientState.HELD), NOW) == 2
            assert q.admin.remove(QueueFilter(domain="c.example")) == 1
            states = {"a@a.example": RecipientState.QUEUED, "b@b.example": RecipientState.BOUNCING}
            assert {each.forward_path: each.state for _, each in q.admin.listed(ALL, 10)} == states
            await q.carried_out()
            assert sorted(paths(*q.store.claim_due(NOW, 10, NOBODY))) == sorted(states)

        run(scenario)

    def test_orders_survive_a_crash_with_who_gave_them(self, run: Any) -> None:
        async def before(q: Opened) -> None:
            await q.store.accept(message("a@x.example"), claim=False)
            await q.store.accept(message("b@x.example", tenant="tailspin"), claim=False)
            assert q.admin.hold(QueueFilter(tenant="contoso")) == 1

        async def after(q: Opened) -> None:
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["b@x.example"]
            ((_, order),) = q.admin.orders(10)
            assert (order.action, order.tenant, order.recipients) == (Action.HOLD, "contoso", 1)
            assert order.given_by == "the operator"
            assert q.admin.release(QueueFilter(tenant="contoso"), NOW) == 1
            await q.carried_out()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["a@x.example"]

        run(before)
        run(after)
