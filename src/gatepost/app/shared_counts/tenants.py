"""What each tenant does in this minute and how many sessions it has, for the relay as a whole (`table`)."""

import mmap
import struct
from typing import Final, NamedTuple

from gatepost.app.shared_counts.table import SharedTable, region_octets

# Minute, messages, recipients, sessions.
_NUMBERS: Final = struct.Struct("<IIII")


class Counts(NamedTuple):
    messages: int
    """In this minute, as are `recipients`."""
    recipients: int
    sessions: int
    """Open now."""


def octets(regions: int) -> int:
    """How much memory so many workers need."""
    return regions * region_octets(_NUMBERS)


class TenantCounts:
    """As one worker sees and changes them."""

    def __init__(self, memory: mmap.mmap, worker: int, regions: int, start: int = 0) -> None:
        self._table = SharedTable(memory, start, worker, regions, _NUMBERS)

    def add(self, tenant: str, minute: int, *, messages: int = 0, recipients: int = 0, sessions: int = 0) -> None:
        known_minute, known_messages, known_recipients, known_sessions = self._table.own_of(tenant) or (minute, 0, 0, 0)
        if known_minute != minute:
            known_messages = known_recipients = 0
        entry = (minute, known_messages + messages, known_recipients + recipients, known_sessions + sessions)
        self._table.put(tenant, entry, lambda numbers: bool(numbers[3]) or numbers[0] == minute)

    def of(self, tenant: str, minute: int) -> Counts:
        """What all workers together count."""
        messages = recipients = sessions = 0
        for counted_in, its_messages, its_recipients, its_sessions in self._table.found(tenant):
            sessions += its_sessions
            if counted_in == minute:
                messages += its_messages
                recipients += its_recipients
        return Counts(messages, recipients, sessions)
