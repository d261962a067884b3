"""Rows of one session: numbered without a gap, and a row that waits comes before the next or never."""

from gatepost.carrier.session_log import SessionLog
from gatepost.protocol_log.record import Event, ProtocolLogRecord


class Rows(list[ProtocolLogRecord]):
    def add(self, record: ProtocolLogRecord) -> None:
        self.append(record)


def log(rows: Rows) -> SessionLog:
    found = SessionLog(rows, lambda: 1.0, "main", "08DD34FA3086278D")
    found.local_endpoint, found.remote_endpoint = "192.0.2.1:25", "198.51.100.1:4711"
    return found


def told(rows: Rows) -> list[tuple[int, Event, str]]:
    return [(row.sequence_number, row.event, row.data) for row in rows]


def test_rows_are_numbered_and_carry_the_session() -> None:
    rows = Rows()
    session = log(rows)
    session.add(Event.CONNECT, "")
    session.add(Event.SEND, "220 hello", "context")
    assert told(rows) == [(0, Event.CONNECT, ""), (1, Event.SEND, "220 hello")]
    assert {(row.connector_id, row.session_id, row.local_endpoint, row.remote_endpoint) for row in rows} == {
        ("main", "08DD34FA3086278D", "192.0.2.1:25", "198.51.100.1:4711")
    }


def test_what_is_held_comes_before_the_next_row() -> None:
    rows = Rows()
    session = log(rows)
    session.hold("RCPT TO:<a@x.example>")
    session.hold("RCPT TO:<b@x.example>")
    session.add(Event.SEND, "550 no")
    assert told(rows) == [
        (0, Event.RECEIVE, "RCPT TO:<a@x.example>"),
        (1, Event.RECEIVE, "RCPT TO:<b@x.example>"),
        (2, Event.SEND, "550 no"),
    ]


def test_what_is_dropped_leaves_no_gap() -> None:
    rows = Rows()
    session = log(rows)
    session.hold("RCPT TO:<a@x.example>")
    session.drop_held()
    session.add(Event.SEND, "221 bye")
    assert told(rows) == [(0, Event.SEND, "221 bye")]
