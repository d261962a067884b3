"""What every `QueueStore` keeps, with a `QueueOffice` beside it: a store's own tests derive from it."""

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
from gatepost.mail.envelope import Body, DsnRequest
from gatepost.queue.message import RecipientState
from gatepost.queue.outcome import Rescheduled, Settlement
from gatepost.queue.store import QueueFilter, QueueOffice, QueueStore, StoreUnavailable

NOW = RECEIVED_AT + 10
NOBODY: frozenset[str] = frozenset()
ALL = QueueFilter()


class Opened:
    """A store, and the operator's office over the same data."""

    def __init__(self, store: Any, office: QueueOffice) -> None:
        self.store = store
        self.office = office

    async def states(self) -> dict[str, RecipientState]:
        await self.flushed()
        return {each.forward_path: each.state for _, each in self.office.listed(ALL, 1000)}

    async def flushed(self) -> None:
        """Everything asked for before is written."""
        await self.store.accept(message("flush@flush.example", received_at=9e9), claim=False)
        self.office.remove(QueueFilter(domain="flush.example"))
        self.store.changed_by_others()


class QueueStoreContract:
    def open(self, folder: Path) -> tuple[QueueStore, QueueOffice]:
        raise NotImplementedError

    async def close(self, store: Any) -> None:
        raise NotImplementedError

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Opened]:
        store, office = self.open(folder)
        try:
            yield Opened(store, office)
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
            assert claim.message.reverse_path == new.reverse_path
            assert str(claim.message.reverse_path) == "Alice@Contoso.example"
            assert (claim.message.body, claim.message.smtputf8) == (Body.SEVEN_BIT, False)
            assert (claim.message.ret, claim.message.envid) == (None, None)
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
            assert claim.message.reverse_path is NULL_REVERSE_PATH

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
            assert len(q.office.listed(ALL, 1000)) == 600

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
            assert paths(*q.store.claim_due(NOW, 10, frozenset({"busy.example"}))) == ["free@free.example"]
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
            assert q.office.message(claim.message.id) is None
            assert q.office.content(claim.message.id) is None
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
            assert about.message.reverse_path is NULL_REVERSE_PATH
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

    def test_postponing_moves_the_due_mail_of_one_domain_only(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            for n in range(3):
                await q.store.accept(message(f"{n}@down.example", received_at=RECEIVED_AT + n), claim=False)
            await q.store.accept(message("late@down.example", received_at=NOW + 20), claim=False)
            await q.store.accept(message("up@up.example", received_at=RECEIVED_AT + 5), claim=False)
            assert paths(*q.store.claim_due(NOW, 1, NOBODY)) == ["0@down.example"]
            assert q.store.postpone("down.example", NOW, NOW + 300, "connection refused") == 2
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["up@up.example"]
            await q.flushed()
            assert paths(*q.store.claim_due(NOW + 20, 10, NOBODY)) == ["late@down.example"]
            assert q.store.claim_due(NOW + 299, 10, NOBODY) == []
            moved = q.store.claim_due(NOW + 300, 10, NOBODY)
            assert sorted(paths(*moved)) == ["1@down.example", "2@down.example"]
            assert {only(each.recipients).last_reply for each in moved} == {"connection refused"}

        run(scenario)

    def test_postponing_reaches_a_backlog_larger_than_one_transaction(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await asyncio.gather(*(q.store.accept(message(f"{n}@down.example"), claim=False) for n in range(2500)))
            assert q.store.postpone("down.example", NOW, NOW + 300, "down") == 2500
            assert q.store.claim_due(NOW + 299, 10, NOBODY) == []
            while q.store.backlog:
                await asyncio.sleep(0.001)
            assert {each.due_at for _, each in q.office.listed(ALL, 3000)} == {NOW + 300}

        run(scenario)

    # -- Beside an operator

    def test_a_held_recipient_is_not_claimed_until_it_is_released(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message("a@x.example"), claim=False)
            await q.store.accept(message("b@y.example"), claim=False)
            assert q.office.hold(QueueFilter(domain="x.example")) == 1
            assert q.store.changed_by_others()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["b@y.example"]
            assert q.office.release(ALL, NOW) == 1
            assert q.store.changed_by_others()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["a@x.example"]

        run(scenario)

    def test_a_claim_is_unwanted_once_an_operator_held_or_removed_it(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            held, removed, kept = [
                (await q.store.accept(message(f"x@{name}.example"), claim=True)).claims[0]
                for name in ("held", "removed", "kept")
            ]
            assert all(map(q.store.still_wanted, (held, removed, kept)))
            q.office.hold(QueueFilter(domain="held.example"))
            q.office.remove(QueueFilter(domain="removed.example"))
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
            assert q.office.hold(ALL) == 3
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
            assert q.office.bounce(QueueFilter(domain="x.example"), NOW) == 2
            assert q.store.changed_by_others()
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
            q.office.bounce(ALL, NOW)
            q.store.changed_by_others()
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
            q.office.bounce(ALL, NOW)
            q.store.changed_by_others()
            (bouncing,) = q.store.claim_due(NOW, 10, NOBODY)
            await q.store.settle(rescheduled(bouncing, NOW + 60))
            assert q.store.claim_due(NOW + 59, 10, NOBODY) == []
            (again,) = q.store.claim_due(NOW + 60, 10, NOBODY)
            assert only(again.recipients).state is RecipientState.BOUNCING

        run(scenario)

    def test_what_was_to_bounce_during_an_attempt_bounces_after_it(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            (claim,) = (await q.store.accept(message(), claim=True)).claims
            assert q.office.bounce(ALL, NOW) == 1
            q.store.changed_by_others()
            assert not q.store.still_wanted(claim)
            assert q.store.claim_due(NOW, 10, NOBODY) == []
            await q.store.settle(rescheduled(claim, NOW + 3600))
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
            q.office.hold(QueueFilter(message_id=held.message.id))
            assert q.office.retry(ALL, NOW) == 1
            assert q.store.changed_by_others()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["w@x.example"]

        run(scenario)

    def test_an_operators_choice_touches_no_other_tenant(self, run: Any) -> None:
        async def scenario(q: Opened) -> None:
            await q.store.accept(message("a@x.example", tenant="contoso"), claim=False)
            await q.store.accept(message("b@x.example", tenant="tailspin"), claim=False)
            assert q.office.remove(QueueFilter(tenant="contoso", domain="x.example")) == 1
            assert q.store.changed_by_others()
            assert paths(*q.store.claim_due(NOW, 10, NOBODY)) == ["b@x.example"]

        run(scenario)
