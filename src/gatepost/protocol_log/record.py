"""One row of a protocol log: Exchange's nine fields in Exchange's order."""

from enum import StrEnum
from typing import NamedTuple


class Event(StrEnum):
    CONNECT = "+"
    DISCONNECT = "-"
    SEND = ">"
    RECEIVE = "<"
    INFORMATION = "*"


class ProtocolLogRecord(NamedTuple):
    """`at` is seconds since the epoch (UTC); all else is text as Exchange writes it."""

    at: float
    connector_id: str
    session_id: str
    sequence_number: int
    local_endpoint: str
    remote_endpoint: str
    event: Event
    data: str
    context: str
