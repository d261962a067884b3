"""Values to rows and back: what the tables `recipient` and `event` hold of them."""

from operator import attrgetter
from typing import Any, Final

from gatepost.queue.message import RECIPIENTS_PER_MESSAGE
from gatepost.store.trace.day_file import NUMBERS_PER_MS
from gatepost.store.trace.terms import OUTCOMES
from gatepost.store.trace.words import Kind, KnownWords, NewWords, certificate_from
from gatepost.trace.story import Event, LaterEvent, Outcome, QueuePlace, Received, What

Row = tuple[Any, ...]

WHAT: Final = tuple(What)
"""Their numbers in a row are their places here."""
_WHAT_NUMBER: Final = {what: number for number, what in enumerate(WHAT)}
_OUTCOME_NUMBER: Final = {outcome: number for number, outcome in enumerate(OUTCOMES)}

RECIPIENT_COLUMNS: Final = 29
EVENT_COLUMNS: Final = 11
INSERT_EVENT: Final = f"INSERT INTO event VALUES ({', '.join('?' * EVENT_COLUMNS)})"


def queue_and_place(place: QueuePlace) -> tuple[str, int]:
    queue, _, message = place.message.rpartition("-")
    return queue, int(message) * RECIPIENTS_PER_MESSAGE + place.number


_OF_SESSION: Final = (
    Kind.TENANT,
    Kind.CONNECTOR,
    Kind.BASIS,
    Kind.ADDRESS,
    Kind.LISTENER,
    Kind.TLS,
    Kind.CERTIFICATE,
)
_OF_HOP: Final = (Kind.HOST, Kind.TLS)


_of_session = attrgetter("tenant", "connector", "basis", "address", "listener", "tls", "certificate")


def recipient_row(number: int, received: Received, words: NewWords) -> Row:
    word, place, first = words.number, received.place, received.first
    queue, position = queue_and_place(place) if place is not None else (None, None)
    return (
        number,
        int(received.session_id, 16),
        received.within,
        word(Kind.QUEUE, queue),
        position,
        _OUTCOME_NUMBER[received.outcome],
        *words.together(_OF_SESSION, _of_session(received)),
        received.mail_from,
        received.rcpt_to,
        word(Kind.DOMAIN, received.from_domain or None),
        word(Kind.DOMAIN, received.to_domain or None),
        received.message_id,
        received.subject,
        received.size,
        word(Kind.REASON, received.reason),
        received.reply,
        *((None,) * 7 if first is None else _first(first, received.at, words)),
    )


def _first(event: Event, received_at: float, words: NewWords) -> Row:
    return (
        max(0, round((event.at - received_at) * 1000)),
        *words.together(_OF_HOP, (event.host, event.tls)),
        None if event.took_s is None else round(event.took_s * 1000),
        event.reply,
        words.number(Kind.WHY, event.why),
        None if event.due_at is None else round(event.due_at),
    )


def event_row(number: int, later: LaterEvent, words: NewWords) -> Row:
    event, (queue, place) = later.event, queue_and_place(later.place)
    return (
        number,
        words.number(Kind.QUEUE, queue),
        place,
        _WHAT_NUMBER[event.what],
        words.number(Kind.HOST, event.host),
        words.number(Kind.TLS, event.tls),
        None if event.took_s is None else round(event.took_s * 1000),
        event.reply,
        words.number(Kind.WHY, event.why),
        None if event.due_at is None else round(event.due_at),
        words.number(Kind.BY, event.by),
    )


_FIRST_WHAT: Final = {
    _OUTCOME_NUMBER[Outcome.DELIVERED]: What.DELIVERED,
    _OUTCOME_NUMBER[Outcome.DELAYED]: What.DEFERRED,
    _OUTCOME_NUMBER[Outcome.BOUNCED]: What.FAILED,
}


def received_from(row: Row, began_at: float, words: KnownWords) -> Received:
    text = words.text
    at = began_at + row[0] // NUMBERS_PER_MS / 1000
    queue = text(row[3])
    place = None if queue is None else _place(queue, row[4])
    return Received(
        at=at,
        session_id=f"{row[1]:016X}",
        within=row[2],
        place=place,
        tenant=text(row[6]),
        connector=text(row[7]),
        basis=text(row[8]),
        by_stranger=False,
        address=text(row[9]),
        listener=text(row[10]),
        tls=text(row[11]),
        certificate=certificate_from(text(row[12])),
        mail_from=row[13],
        rcpt_to=row[14],
        from_domain=text(row[15]) or "",
        to_domain=text(row[16]) or "",
        message_id=row[17],
        subject=row[18],
        size=row[19],
        reason=text(row[20]),
        reply=row[21],
        first=_first_from(row, at, words),
    )


def _first_from(row: Row, received_at: float, words: KnownWords) -> Event | None:
    after, host, tls, took, reply, why, due = row[22:29]
    if after is None:
        return None
    return Event(
        at=received_at + after / 1000,
        what=_FIRST_WHAT[row[5]],
        host=words.text(host),
        tls=words.text(tls),
        took_s=None if took is None else took / 1000,
        reply=reply,
        why=words.text(why),
        due_at=due,
    )


def event_from(row: Row, began_at: float, words: KnownWords) -> tuple[QueuePlace, Event]:
    number, queue, place, what, host, tls, took, reply, why, due, by = row
    event = Event(
        at=began_at + number // NUMBERS_PER_MS / 1000,
        what=WHAT[what],
        host=words.text(host),
        tls=words.text(tls),
        took_s=None if took is None else took / 1000,
        reply=reply,
        why=words.text(why),
        due_at=due,
        by=words.text(by),
    )
    return _place(words.text(queue) or "", place), event


def _place(queue: str, place: int) -> QueuePlace:
    return QueuePlace(f"{queue}-{place // RECIPIENTS_PER_MESSAGE}", place % RECIPIENTS_PER_MESSAGE)
