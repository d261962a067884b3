"""Orders in a queue file: given in a moment whatever they reach, carried out on the rows slice by slice.

An order over a million recipients is one row. Who counts, lists or claims asks with each recipient which orders reach
it (`reached`, a number with one bit an order) and what they make of it (`queue.orders.standing`). Meanwhile the worker
goes through the recipients by id, carries out on each what reaches it, and moves the orders' `next_id` on in the same
transaction: a crash loses nothing and does nothing twice.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gatepost.queue.message import RECIPIENTS_PER_MESSAGE, RecipientState
from gatepost.queue.orders import Action, Order, Ordered, Standing, standing
from gatepost.store.queue import sender
from gatepost.store.queue import statements as sql

# Each is a bit of `reached`; an operator who gives more waits for the first to be carried out.
MOST_PENDING: Final = 32

# Of those, what one person or program may give about one tenant's mail: nobody else waits for the worker then.
MOST_PENDING_OF_ONE: Final = MOST_PENDING // 4

# For whoever asks who did that: of each person or program about each tenant's mail, so that nobody's are displaced by
# another's, and for as long as they matter.
_KEPT: Final = 1_000
_KEPT_S: Final = 90 * 86_400.0

# One look of the worker reads at most so many message numbers: some milliseconds where no order reaches them.
_NUMBERS_AT_ONCE: Final = 20_000


class Pending:
    """The orders of one queue that are not carried out yet."""

    def __init__(self, queue: str, orders: Sequence[Order]) -> None:
        self.queue = queue
        self.orders = orders
        self.reached, self.parameters = _reached(orders)
        """SQL over `recipient r`: which of the orders reach it."""
        self._known: dict[tuple[str, int], Standing] = {}

    def __bool__(self) -> bool:
        return bool(self.orders)

    @property
    def are_urgent(self) -> bool:
        """Whether they are to be carried out. Who is asked whether a recipient may be attempted knows of a hold without
        that: it is written to the rows when something else must be, or before there are too many."""
        return any(order.action is not Action.HOLD for order in self.orders) or len(self.orders) > MOST_PENDING // 2

    def last(self, reached: int) -> Order:
        """Of those that reach a recipient."""
        return self.orders[reached.bit_length() - 1]

    def standing(self, state: str, reached: int) -> Standing:
        known = self._known.get((state, reached))
        if known is None:
            reaching = [order for bit, order in enumerate(self.orders) if reached >> bit & 1]
            known = self._known[state, reached] = standing(RecipientState(state), reaching)
        return known


def pending(connection: sqlite3.Connection, queue: str) -> Pending:
    return Pending(queue, [_order(queue, row) for row in connection.execute(sql.ORDERS_PENDING)])


def has_room(pending: Pending, tenant: str | None, given_by: str) -> bool:
    """Whether one more order of theirs, about this tenant's mail, can wait for the worker."""
    theirs = sum(order.tenant == tenant and order.given_by == given_by for order in pending.orders)
    return len(pending.orders) < MOST_PENDING and (tenant is None or theirs < MOST_PENDING_OF_ONE)


def first_due_of_each_key(connection: sqlite3.Connection, queue: str) -> list[tuple[str | None, str, float]]:
    """Tenant, domain and when, of what no order is about to change."""
    changing = Pending(
        queue, [order for order in pending(connection, queue).orders if order.action is not Action.RETRY]
    )
    if not changing:
        return connection.execute(sql.FIRST_DUE_OF_EACH_KEY).fetchall()
    statement = sql.FIRST_DUE_OF_EACH_KEY_BESIDE_ORDERS.format(reached=changing.reached)
    return connection.execute(statement, changing.parameters).fetchall()


def given(connection: sqlite3.Connection, queue: str, limit: int) -> list[Order]:
    """The newest first, carried out or not."""
    return [_order(queue, row) for row in connection.execute(sql.ORDERS_GIVEN, (limit,))]


def write_down(connection: sqlite3.Connection, order: Order) -> None:
    """Give `order`; its number is the next."""
    number = None if order.message_id is None else int(order.message_id.rpartition("-")[2])
    connection.execute(
        sql.INSERT_ORDER,
        (
            order.given_at,
            order.given_by,
            order.action,
            number,
            order.tenant,
            order.domain,
            order.state,
            order.received_until,
            order.recipients,
            order.next_id,
            order.last_id,
            order.sender,
        ),
    )
    connection.execute(
        sql.FORGET_OLD_ORDERS,
        {"by": order.given_by, "tenant": order.tenant, "kept": _KEPT, "since": order.given_at - _KEPT_S},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOut:
    """What was done to some recipients."""

    changed: int
    due: Sequence[tuple[str | None, str, float]]
    """Tenant and domain of recipients that were made due, and when."""
    spooled: Sequence[int]
    """Messages that are gone, whose content is in the spool."""
    ordered: Sequence[Ordered] = ()
    """For each of them, the order that it follows."""


NOTHING: Final = CarriedOut(changed=0, due=(), spooled=())


def carry_out(connection: sqlite3.Connection, pending: Pending, most: int) -> CarriedOut:
    """Carry the orders out on the next recipients, at most `most` of them, in the caller's transaction."""
    last = max(order.last_id for order in pending.orders)
    next = min(order.next_id for order in pending.orders)
    first: int | None = connection.execute(sql.FIRST_RECIPIENT_FROM, (next, last)).fetchone()[0]
    done = NOTHING
    if first is not None:
        last = min(last, sql.last_recipient(sql.message_of(first) + _NUMBERS_AT_ONCE))
        rows = connection.execute(
            sql.REACHED_BY_ORDERS.format(reached=pending.reached),
            {**pending.parameters, "first": first, "last": last, "most": most},
        ).fetchall()
        if len(rows) == most:
            last = rows[-1][0]
        done = _change(connection, pending, rows)
    connection.execute(sql.ORDERS_ARE_CARRIED_OUT, (last,))
    return done


def carry_out_on(connection: sqlite3.Connection, pending: Pending, recipients: Sequence[int]) -> CarriedOut:
    """Carry the orders out on these recipients, who are all there is, in the caller's transaction."""
    rows = connection.execute(
        sql.REACHED_BY_ORDERS_AMONG.format(reached=pending.reached),
        {**pending.parameters, "ids": json.dumps(recipients)},
    ).fetchall()
    connection.execute(sql.ORDERS_ARE_CARRIED_OUT, (max(order.last_id for order in pending.orders),))
    return _change(connection, pending, rows)


def _change(connection: sqlite3.Connection, pending: Pending, rows: Iterable[Sequence[Any]]) -> CarriedOut:
    changes: dict[tuple[RecipientState | None, float | None], list[int]] = defaultdict(list)
    due: dict[tuple[str | None, str, float], None] = {}
    changed = 0
    ordered: list[Ordered] = []
    for id, state, due_at, reached, tenant, domain in rows:
        made = pending.standing(state, reached)
        if not made.touched and made.due_at is None:
            continue
        changed += 1
        message, number = divmod(id, RECIPIENTS_PER_MESSAGE)
        ordered.append(Ordered(f"{pending.queue}-{message}", number, tenant, pending.last(reached)))
        if made.due_at is not None:
            due[tenant, domain, min(due_at, made.due_at)] = None
        if made.state != state or (made.due_at is not None and made.due_at < due_at):
            changes[made.state, made.due_at].append(id)
    spooled: list[int] = []
    for (made_state, made_due_at), ids in changes.items():
        if made_state is None:
            spooled += _remove(connection, ids)
        else:
            connection.execute(sql.CHANGE_RECIPIENTS, (json.dumps(ids), made_state, made_due_at))
    return CarriedOut(changed=changed, due=tuple(due), spooled=spooled, ordered=ordered)


def _remove(connection: sqlite3.Connection, recipients: Sequence[int]) -> list[int]:
    """Delete recipients and the messages that have none left. Gives those whose content is in the spool."""
    connection.execute(sql.DELETE_RECIPIENTS, (json.dumps(recipients),))
    numbers = sorted({sql.message_of(id) for id in recipients})
    rows = connection.execute(sql.DELETE_MESSAGES_WITHOUT_RECIPIENTS, {"numbers": json.dumps(numbers)}).fetchall()
    return [number for number, is_spooled in rows if is_spooled]


def _reached(orders: Iterable[Order]) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {}
    bits = []
    for bit, order in enumerate(orders):
        conditions = []
        for value, condition in (
            (order.next_id, "r.id >= "),
            (order.last_id, "r.id <= "),
            (order.tenant, "r.tenant IS "),
            (order.domain, "r.domain = "),
            (order.received_until, "r.received_at <= "),
        ):
            if value is not None:
                name = f"order{len(parameters)}"
                parameters[name] = value
                conditions.append(f"{condition}:{name}")
        if order.sender is not None:
            by_sender, more = sender.condition(order.sender, f"order{len(parameters)}")
            parameters |= more
            conditions.append(by_sender)
        bits.append(f"(({' AND '.join(conditions)}) << {bit})")
    return " + ".join(bits) or "0", parameters


def _order(queue: str, row: Sequence[Any]) -> Order:
    number, given_at, given_by, action, message, tenant, domain, state, until, recipients, next_id, last_id, sender = (
        row
    )
    return Order(
        number=number,
        action=Action(action),
        given_at=given_at,
        given_by=given_by,
        message_id=None if message is None else f"{queue}-{message}",
        tenant=tenant,
        domain=domain,
        state=None if state is None else RecipientState(state),
        received_until=until,
        recipients=recipients,
        next_id=next_id,
        last_id=last_id,
        sender=sender,
    )
