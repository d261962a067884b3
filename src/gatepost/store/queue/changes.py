"""The changes a worker makes to its queue: each is written with a group, and told how that ended."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from gatepost.queue.message import Claim, NewMessage, NewRecipient, RecipientState
from gatepost.queue.orders import Ordered
from gatepost.queue.outcome import Settlement
from gatepost.queue.store import Accepted, Promise, StoreInDoubt
from gatepost.store.queue import statements as sql
from gatepost.store.queue.claims import Claims
from gatepost.store.queue.group_commit import GroupCommit
from gatepost.store.queue.orders import NOTHING, carry_out, pending
from gatepost.store.queue.rows import claimed_recipient, message_row, queued_message, recipient_row
from gatepost.store.queue.spool import LARGEST_IN_MEMORY, Spool, before

# Numbers are reserved on disk in blocks, so that hardly a message touches `numbering`; a restart skips the rest.
_NUMBERS_IN_BLOCK: Final = 4096

# Recipients that orders change in one group: some milliseconds of the loop.
_CARRIED_OUT_AT_ONCE: Final = 100


class Numbering:
    """Gives each message its number, never one twice."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._reserved = _read_reserved(connection)
        self._next = self._reserved

    def take(self) -> int:
        number = self._next
        self._next += 1
        return number

    def reserve(self, connection: sqlite3.Connection, number: int) -> None:
        """Have it written that `number` is taken, together with the message that takes it."""
        if number >= self._reserved:
            self._reserved = number + _NUMBERS_IN_BLOCK
            connection.execute(sql.RESERVE, (self._reserved,))

    def read_again(self, connection: sqlite3.Connection) -> None:
        self._reserved = _read_reserved(connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQueue:
    """What a worker holds of its queue besides the file."""

    name: str
    numbering: Numbering
    claims: Claims
    spool: Spool
    commits: GroupCommit


class Arrival:
    """A new message with its number; its content is in memory, or durable in the spool before this is written."""

    __slots__ = ("_claim", "_content", "_queue", "is_large", "message", "number")

    def __init__(self, queue: OpenQueue, message: NewMessage, *, claim: bool) -> None:
        self._queue = queue
        self.number = queue.numbering.take()
        self.message = message
        self.is_large = message.content.size > LARGEST_IN_MEMORY
        self._content = before(message.content) if self.is_large else b"".join(message.content.chunks())
        self._claim = claim

    @property
    def message_id(self) -> str:
        return f"{self._queue.name}-{self.number}"

    @property
    def octets(self) -> int:
        return len(self._content) if self._content else 0

    def write(self, connection: sqlite3.Connection) -> None:
        message, number = self.message, self.number
        self._queue.numbering.reserve(connection, number)
        connection.execute(sql.INSERT_MESSAGE, message_row(number, message, self._content))
        state = "active" if self._claim else "queued"
        for id, recipient in enumerate(message.recipients, sql.first_recipient(number)):
            connection.execute(sql.INSERT_RECIPIENT, recipient_row(id, recipient, state, message.received_at))

    def committed(self) -> Sequence[Claim]:
        self._queue.spool.no_more_doubt()
        if self._claim:
            given = self._claims()
            self._queue.claims.remember(given)
            return given
        for recipient in self.message.recipients:
            key = (recipient.tenant, recipient.forward_path.domain)
            self._queue.claims.note_due(key, self.message.received_at)
        return ()

    def failed(self, error: Exception) -> None:
        if not self.is_large:
            return
        if isinstance(error, StoreInDoubt):
            self._queue.spool.doubt(self.number)
        else:
            self._queue.spool.remove(self.number)

    def _claims(self) -> list[Claim]:
        message = self.message
        queued = queued_message(self.message_id, message)
        together: dict[tuple[str | None, str], list[tuple[int, NewRecipient]]] = {}
        for id, recipient in enumerate(message.recipients, sql.first_recipient(self.number)):
            together.setdefault((recipient.tenant, recipient.forward_path.domain), []).append((id, recipient))
        return [
            Claim(
                message=queued,
                domain=domain,
                tenant=tenant,
                recipients=tuple([claimed_recipient(id, each, message.received_at) for id, each in recipients]),
                content=None if self.is_large else message.content,
            )
            for (tenant, domain), recipients in together.items()
        ]


Result = TypeVar("Result")


class _Promised(ABC, Generic[Result]):
    """A change somebody waits for, with the claims it brings."""

    queue: OpenQueue
    _told: Callable[[Promise[Result]], None] | None = None
    _outcome: Result | Exception | None = None

    def tell(self, told: Callable[[Promise[Result]], None]) -> None:
        self._told = told
        if self._outcome is not None:
            told(self)

    def result(self) -> Result:
        outcome = self._outcome
        assert outcome is not None, "the change has not ended"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def __await__(self) -> Generator[Any, None, Result]:
        known = asyncio.get_running_loop().create_future()
        self.tell(lambda _: known.set_result(None))
        try:
            yield from known
        except asyncio.CancelledError:
            self.tell(self._give_back)
            raise
        return self.result()

    def end(self, outcome: Result | Exception) -> None:
        self._outcome = outcome
        if self._told is None:
            return
        try:
            self._told(self)
        except Exception as error:
            # A bug of who waits must not cost the others of the group their answers.
            asyncio.get_running_loop().call_exception_handler({"message": "a result was not taken", "exception": error})

    def _give_back(self, promise: Promise[Result]) -> None:
        """Who no longer waits cannot work on the claims."""
        if not isinstance(self._outcome, Exception):
            for claim in self.claims_of(promise.result()):
                self.queue.commits.add(GiveBack(self.queue, claim))

    @staticmethod
    @abstractmethod
    def claims_of(result: Result) -> Sequence[Claim]: ...


class Accept(_Promised[Accepted]):
    urgent = True

    def __init__(self, queue: OpenQueue, arrival: Arrival) -> None:
        self.queue = queue
        self._arrival = arrival
        self.octets = arrival.octets

    def write(self, connection: sqlite3.Connection) -> None:
        self._arrival.write(connection)

    def committed(self) -> None:
        self.end(Accepted(self._arrival.message_id, self._arrival.committed()))

    def failed(self, error: Exception) -> None:
        self._arrival.failed(error)
        self.end(error)

    @staticmethod
    def claims_of(result: Accepted) -> Sequence[Claim]:
        return result.claims


class Settle(_Promised[Sequence[Claim]]):
    """When it fails the claim stands: its holder settles again, or leaves it to the next start."""

    urgent = False

    def __init__(self, queue: OpenQueue, settlement: Settlement, notifications: Sequence[Arrival]) -> None:
        self.queue = queue
        self._settlement = settlement
        self._notifications = notifications
        self._message_is_gone = False
        self.octets = sum([notification.octets for notification in notifications])

    def write(self, connection: sqlite3.Connection) -> None:
        settlement = self._settlement
        for recipient in settlement.finished:
            connection.execute(sql.DELETE_RECIPIENT, (recipient.id,))
        for again in settlement.rescheduled:
            was_bouncing = again.recipient.state is RecipientState.BOUNCING
            connection.execute(
                sql.RESCHEDULE, (again.recipient.id, again.due_at, again.reply, again.delay_notified, was_bouncing)
            )
        if len(settlement.finished) + len(settlement.rescheduled) < len(settlement.claim.recipients):
            _give_back(connection, settlement.claim)
        if settlement.finished:
            number = sql.message_of(settlement.finished[0].id)
            self._message_is_gone = sql.delete_message_without_recipients(connection, number)
        for notification in self._notifications:
            notification.write(connection)

    def committed(self) -> None:
        settlement = self._settlement
        self.queue.claims.settled(settlement)
        if self._message_is_gone:
            self.queue.spool.let_go(sql.message_of(settlement.finished[0].id), settlement.claim.message.size)
        claims: list[Claim] = []
        for notification in self._notifications:
            claims.extend(notification.committed())
        self.end(claims)

    def failed(self, error: Exception) -> None:
        for notification in self._notifications:
            notification.failed(error)
        self.end(error)

    @staticmethod
    def claims_of(result: Sequence[Claim]) -> Sequence[Claim]:
        return result


# Rows moved in one group: about 10 ms of the loop.
_HASTENED_AT_ONCE: Final = 1000


class _Unattended:
    """A change nobody waits for. Where it fails, the file says what it said before, and that is right too."""

    octets = 0
    urgent = False

    def __init__(self, queue: OpenQueue) -> None:
        self.queue = queue

    def failed(self, error: Exception) -> None:
        self.queue.claims.read_again()


class MarkActive(_Unattended):
    """Shows people what `claim_due` gave."""

    def __init__(self, queue: OpenQueue, claims: Sequence[Claim]) -> None:
        super().__init__(queue)
        self._given = claims

    def write(self, connection: sqlite3.Connection) -> None:
        for claim in self._given:
            for recipient in claim.recipients:
                connection.execute(sql.MARK_ACTIVE, (recipient.id,))

    def committed(self) -> None:
        pass


class GiveBack(_Unattended):
    """Ends a claim nobody holds any more."""

    def __init__(self, queue: OpenQueue, claim: Claim) -> None:
        super().__init__(queue)
        self._claim = claim

    def write(self, connection: sqlite3.Connection) -> None:
        _give_back(connection, self._claim)

    def committed(self) -> None:
        self.queue.claims.given_back(self._claim)


class Hasten(_Unattended):
    """Brings forward what is due too late, a part with each group: other mail goes between the parts."""

    def __init__(self, queue: OpenQueue, later_than: float, due_at: float) -> None:
        super().__init__(queue)
        self._later_than = later_than
        self._due_at = due_at
        self._moved = 0

    def write(self, connection: sqlite3.Connection) -> None:
        moved = connection.execute(sql.HASTEN_SOME, (self._later_than, self._due_at, _HASTENED_AT_ONCE))
        self._moved = moved.rowcount

    def committed(self) -> None:
        if self._moved:
            self.queue.claims.read_again()
        if self._moved == _HASTENED_AT_ONCE:
            self.queue.commits.add(self)


class CarryOutOrders:
    """Carries out what operators ordered, on so many recipients that other mail can go with the same group."""

    octets = 0
    urgent = True

    def __init__(self, queue: OpenQueue) -> None:
        self.done: asyncio.Future[Sequence[Ordered]] = asyncio.get_running_loop().create_future()
        self._queue = queue
        self._result = NOTHING

    def write(self, connection: sqlite3.Connection) -> None:
        waiting = pending(connection, self._queue.name)
        self._result = carry_out(connection, waiting, _CARRIED_OUT_AT_ONCE) if waiting else NOTHING

    def committed(self) -> None:
        for number in self._result.spooled:
            self._queue.spool.remove(number)
        self._queue.claims.carried_out(self._result)
        if not self.done.done():
            self.done.set_result(self._result.ordered)

    def failed(self, error: Exception) -> None:
        self._queue.claims.read_again()
        if not self.done.done():
            self.done.set_exception(error)


def _give_back(connection: sqlite3.Connection, claim: Claim) -> None:
    for recipient in claim.recipients:
        connection.execute(sql.GIVE_BACK, (recipient.id,))


def _read_reserved(connection: sqlite3.Connection) -> int:
    reserved: int = connection.execute(sql.READ_RESERVED).fetchone()[0]
    return reserved
