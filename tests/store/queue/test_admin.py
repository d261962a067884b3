"""The operator's view over several queue files, large ones too, beside a worker at work."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from contracts.queue_messages import RECEIVED_AT, finished, message
from gatepost.queue.message import RecipientState
from gatepost.queue.store import Avoid, QueueFilter, StoreUnavailable
from gatepost.store.queue import statements as sql
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

ALL = QueueFilter()


async def filled(folder: Path, queue: int, *to: str, tenant: str = "contoso", received_at: float = RECEIVED_AT) -> None:
    store = SqliteQueueStore(folder, queue)
    for each in to:
        await store.accept(message(each, tenant=tenant, received_at=received_at), claim=False)
    await store.close()


def backlog(folder: Path, number: int) -> None:
    """Many messages at once, written straight into a queue file."""
    asyncio.run(filled(folder, 0))
    connection = sqlite3.connect(folder / "0.sqlite", isolation_level=None)
    connection.execute("BEGIN")
    connection.executemany(
        sql.INSERT_MESSAGE,
        (
            (n, "0" * 16, RECEIVED_AT + n, None, None, None, 9, "7BIT", 0, None, None, b"content\r\n")
            for n in _ids(number)
        ),
    )
    connection.executemany(
        sql.INSERT_RECIPIENT,
        (
            (n << 16, "queued", RECEIVED_AT, RECEIVED_AT + n, f"{n % 200}.example", f"t{n % 3}", None, "x", None, None)
            for n in _ids(number)
        ),
    )
    connection.execute(sql.RESERVE, (number + 1,))
    connection.execute("COMMIT")
    connection.close()


def _ids(number: int) -> range:
    return range(1, number + 1)


def test_several_queues_are_one_view(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 0, "late@a.example", received_at=RECEIVED_AT + 5))
    asyncio.run(filled(tmp_path, 1, "early@a.example"))
    asyncio.run(filled(tmp_path, 7, "other@a.example", tenant="tailspin", received_at=RECEIVED_AT + 3))
    admin = SqliteQueueAdmin(tmp_path)
    assert [(each.tenant, each.recipients, each.oldest_received_at) for each in admin.counts(ALL)] == [
        ("contoso", 2, RECEIVED_AT),
        ("tailspin", 1, RECEIVED_AT + 3),
    ]
    listed = admin.listed(ALL, 2)
    assert [each.forward_path for _, each in listed] == ["early@a.example", "other@a.example"]
    assert [each.id.partition("-")[0] for each, _ in listed] == ["1", "7"]
    found = admin.message(listed[1][0].id)
    assert found is not None
    assert found[1][0].tenant == "tailspin"
    assert admin.hold(QueueFilter(tenant="contoso")) == 2


def test_the_age_of_mail_is_counted_from_its_reception(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 0, "a@a.example"))
    admin = SqliteQueueAdmin(tmp_path, clock=lambda: RECEIVED_AT + 60)
    assert len(admin.listed(QueueFilter(older_than_s=60), 10)) == 1
    assert admin.listed(QueueFilter(older_than_s=61), 10) == []


@pytest.mark.parametrize("at_once", [500, 0])
def test_what_was_received_before_a_moment_is_out_of_reach(tmp_path: Path, at_once: int) -> None:
    asyncio.run(filled(tmp_path, 0, "early@a.example"))
    asyncio.run(filled(tmp_path, 0, "late@a.example", received_at=RECEIVED_AT + 3))
    asyncio.run(filled(tmp_path, 1, "early@b.example"))
    admin = SqliteQueueAdmin(tmp_path, changed_at_once=at_once)
    own = QueueFilter(tenant="contoso", received_since=RECEIVED_AT + 1)
    assert [each.recipients for each in admin.counts(own)] == [1]
    assert [each.forward_path for _, each in admin.listed(own, 9)] == ["late@a.example"]
    assert admin.hold(own) == 1
    states = {each.forward_path: each.state for _, each in admin.listed(ALL, 9)}
    assert states == {
        "early@a.example": RecipientState.QUEUED,
        "late@a.example": RecipientState.HELD,
        "early@b.example": RecipientState.QUEUED,
    }


@pytest.mark.parametrize(
    "message_id", ["0-999", "5-1", "nonsense", "0-1/../../x", "0-999999999999999999", "0-99999999999999999999"]
)
def test_an_id_that_names_nothing_finds_nothing(tmp_path: Path, message_id: str) -> None:
    asyncio.run(filled(tmp_path, 0, "a@a.example"))
    admin = SqliteQueueAdmin(tmp_path)
    assert admin.message(message_id) is None
    assert admin.content(message_id) is None
    assert admin.remove(QueueFilter(message_id=message_id)) == 0


def test_a_data_folder_without_queues_is_an_empty_view(tmp_path: Path) -> None:
    admin = SqliteQueueAdmin(tmp_path / "queue")
    assert (admin.counts(ALL), admin.listed(ALL, 10), admin.hold(ALL)) == ([], [], 0)


def test_a_large_backlog_is_changed_as_soon_as_it_is_ordered(tmp_path: Path) -> None:
    backlog(tmp_path, 5_000)
    admin = SqliteQueueAdmin(tmp_path, clock=lambda: RECEIVED_AT + 2_500)
    assert sum(each.recipients for each in admin.counts(ALL)) == 5_000
    assert admin.hold(QueueFilter(tenant="t1")) == 1_667
    assert {each.state for each in admin.counts(QueueFilter(tenant="t1"))} == {RecipientState.HELD}
    assert admin.retry(ALL, RECEIVED_AT + 9) == 3_333
    assert admin.release(ALL, RECEIVED_AT) == 1_667
    assert admin.remove(QueueFilter(domain="7.example")) == 25
    assert admin.bounce(QueueFilter(older_than_s=0), RECEIVED_AT) == 2_487
    assert admin.hold(QueueFilter(state=RecipientState.BOUNCING, tenant="t2")) == 829
    assert [each.recipients for _, each in admin.orders(10)].count(1_667) == 2
    listed = admin.listed(QueueFilter(state=RecipientState.HELD), 3)
    assert [each.tenant for _, each in listed] == ["t2"] * 3
    shown = admin.message("0-7")
    assert shown is None, "it was removed, though its row is still there"
    before = {(each.tenant, each.domain, each.state, each.recipients) for each in admin.counts(ALL)}
    asyncio.run(all_orders_carried_out(tmp_path, admin))
    assert {(each.tenant, each.domain, each.state, each.recipients) for each in admin.counts(ALL)} == before
    assert admin.message("0-7") is None


async def all_orders_carried_out(folder: Path, admin: SqliteQueueAdmin) -> None:
    store = SqliteQueueStore(folder, 0)
    await store.carry_out_orders()
    assert all(order.carried_out for _, order in admin.orders(100))
    await store.close()


def test_no_more_orders_are_taken_than_can_be_told_apart(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 0, "a@a.example"))
    admin = SqliteQueueAdmin(tmp_path, changed_at_once=0)
    for _ in range(16):
        assert admin.hold(ALL) == admin.release(ALL, RECEIVED_AT) == 1
    with pytest.raises(StoreUnavailable, match="32 orders wait to be carried out, which gatepost serve does"):
        admin.hold(ALL)


def test_the_queue_of_an_older_gatepost_is_read_as_it_is_and_brought_up_to_date_at_the_start(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 0, "a@a.example", "b@b.example"))
    connection = sqlite3.connect(tmp_path / "0.sqlite", isolation_level=None)
    connection.executescript(
        "DROP TABLE operator_order; DROP INDEX recipient_waiting; PRAGMA user_version = 1;"
        "CREATE INDEX recipient_waiting ON recipient (domain, due_at, id, tenant, state, received_at)"
        " WHERE state IN ('queued', 'bouncing')"
    )
    connection.close()
    admin = SqliteQueueAdmin(tmp_path)
    assert len(admin.listed(ALL, 10)) == 2
    assert sum(each.recipients for each in admin.counts(ALL)) == 2
    with pytest.raises(StoreUnavailable, match=r"0.sqlite has format 1 .* start gatepost serve"):
        admin.hold(ALL)
    asyncio.run(filled(tmp_path, 0, "c@c.example"))
    assert admin.hold(ALL) == 3


def test_counts_and_choices_of_a_large_backlog_read_indexes_only(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 0))
    connection = sqlite3.connect(tmp_path / "0.sqlite")
    conditions = ("true", "r.domain = 'a'", "r.received_at <= 1")
    ordered = "((r.id >= 1 AND r.tenant IS 't' AND r.received_at <= 1) << 0)"
    for chosen, reached in product(conditions, ("0", ordered)):
        for statement in (sql.COUNTS, sql.CHOSEN_IDS):
            asked = "EXPLAIN QUERY PLAN " + statement.format(chosen=chosen, reached=reached)
            plan = connection.execute(asked, {"limit": 5}).fetchall()
            read = [row[3] for row in plan if row[3].startswith(("SCAN", "SEARCH"))]
            assert read
            assert all("COVERING INDEX" in each for each in read), read
    connection.close()


def test_a_worker_goes_on_while_its_backlog_is_changed(tmp_path: Path) -> None:
    backlog(tmp_path, 20_000)

    async def scenario() -> None:
        store = SqliteQueueStore(tmp_path, 0)
        admin = SqliteQueueAdmin(tmp_path)
        loop = asyncio.get_running_loop()
        accepted = 0
        with ThreadPoolExecutor(1) as operator:
            assert await loop.run_in_executor(operator, admin.hold, ALL) == 20_000
            assert store.changed_by_others()
            carrying_out = asyncio.ensure_future(store.carry_out_orders())
            while not carrying_out.done():
                (claim,) = (await store.accept(message(tenant="tailspin"), claim=True)).claims
                assert store.still_wanted(claim)
                await store.settle(finished(claim))
                accepted += 1
        assert accepted > 0
        assert store.claim_due(RECEIVED_AT + 1e6, 10, Avoid()) == []
        assert {each.state for each in admin.counts(ALL)} == {RecipientState.HELD}
        assert sum(each.recipients for each in admin.counts(ALL)) == 20_000
        await store.close()

    asyncio.run(scenario())


def test_what_is_held_is_not_overdue_though_its_row_says_that_it_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteQueueStore(tmp_path, 0)
        for name in ("a", "b"):
            await store.accept(message(f"x@{name}.example"), claim=False)
        assert SqliteQueueAdmin(tmp_path, changed_at_once=0).hold(QueueFilter(domain="a.example")) == 1
        assert store.overdue(RECEIVED_AT + 60) == [("contoso", "b.example")]
        await store.close()

    asyncio.run(scenario())


async def sent(folder: Path, *from_to: tuple[str | None, str]) -> None:
    store = SqliteQueueStore(folder, 0)
    for sender, to in from_to:
        await store.accept(message(to, reverse_path=sender), claim=False)
    await store.close()


FROM_TO = (
    ("News@kunde04.example", "a@a.example"),
    ("ann@kunde04.example", "b@a.example"),
    ("news@kunde05.example", "c@a.example"),
    (None, "d@a.example"),
)


@pytest.mark.parametrize(
    ("sender", "chosen"),
    [
        ("news@kunde04.example", {"a"}),
        ("@kunde04.example", {"a", "b"}),
        ("", {"d"}),
        ("nobody@kunde04.example", set()),
    ],
)
@pytest.mark.parametrize("at_once", [0, 1000], ids=["as an order", "at once"])
def test_mail_is_chosen_by_its_sender_and_no_other_is(
    tmp_path: Path, sender: str, chosen: set[str], at_once: int
) -> None:
    asyncio.run(sent(tmp_path, *FROM_TO))
    admin = SqliteQueueAdmin(tmp_path, changed_at_once=at_once)
    wanted = QueueFilter(sender=sender)
    assert {each.forward_path[0] for _, each in admin.listed(wanted, 10)} == chosen
    assert sum(each.recipients for each in admin.counts(wanted)) == len(chosen)
    assert admin.hold(wanted) == len(chosen)
    held = admin.listed(QueueFilter(state=RecipientState.HELD), 10)
    assert {each.forward_path[0] for _, each in held} == chosen
    assert admin.release(wanted, RECEIVED_AT) == len(chosen)
    assert admin.remove(wanted) == len(chosen)
    assert {each.forward_path[0] for _, each in admin.listed(ALL, 10)} == {"a", "b", "c", "d"} - chosen


def test_an_order_by_sender_is_known_to_the_worker_and_carried_out_by_it(tmp_path: Path) -> None:
    async def story() -> None:
        await sent(tmp_path, *FROM_TO)
        admin = SqliteQueueAdmin(tmp_path, changed_at_once=0)
        assert admin.hold(QueueFilter(sender="@kunde04.example")) == 2
        store = SqliteQueueStore(tmp_path, 0)
        claims = store.claim_due(RECEIVED_AT + 1, 10, Avoid())
        assert sorted(each.forward_path[0] for claim in claims for each in claim.recipients) == ["c", "d"]
        assert admin.remove(QueueFilter(sender="news@kunde04.example")) == 1
        await store.carry_out_orders()
        await store.close()
        assert {each.forward_path[0] for _, each in admin.listed(ALL, 10)} == {"b", "c", "d"}
        assert [order.sender for _, order in admin.orders(1)] == ["news@kunde04.example"]

    asyncio.run(story())


def test_orders_of_format_2_are_read_beside_a_worker_of_an_older_gatepost(tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path, 0, "a@a.example"))
    admin = SqliteQueueAdmin(tmp_path, changed_at_once=0)
    admin.hold(ALL)
    with closing(sqlite3.connect(tmp_path / "0.sqlite", isolation_level=None)) as connection:
        connection.executescript("ALTER TABLE operator_order DROP COLUMN sender; PRAGMA user_version = 2")
    (held,) = SqliteQueueAdmin(tmp_path).listed(ALL, 10)
    assert held[1].state is RecipientState.HELD
    asyncio.run(filled(tmp_path, 0))
    assert [order.sender for _, order in SqliteQueueAdmin(tmp_path).orders(5)] == [None]
