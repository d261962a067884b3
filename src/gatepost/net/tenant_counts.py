"""What each tenant does in this minute and how many sessions it has, for the relay as a whole.

Workers share a piece of memory. Each has a region of its own there, which it alone writes, and reads those of the
others: nobody waits for anybody, and a worker that dies leaves nothing locked. Its successor begins with an empty
region.

A region is a table of entries found by the tenant's key. Another worker may be read in the middle of a change: then one
of its figures is a moment old.
"""

import mmap
import struct
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

# Key (0: free), minute, messages, recipients, sessions.
_ENTRY: Final = struct.Struct("<QIIII")
_ENTRIES: Final = 4096
_REGION: Final = _ENTRIES * _ENTRY.size

# Beyond this a region is begun anew, with what still counts.
_FULL: Final = _ENTRIES // 2


class Counts(NamedTuple):
    messages: int
    """In this minute, as are `recipients`."""
    recipients: int
    sessions: int
    """Open now."""


def regions(workers: int) -> int:
    """At a reload a worker and its successor run beside each other, under two numbers."""
    return 2 * workers


def octets(regions: int) -> int:
    """How much memory so many regions are."""
    return regions * _REGION


class TenantCounts:
    def __init__(self, memory: mmap.mmap, worker: int, regions: int) -> None:
        self._memory = memory
        self._start = worker * _REGION
        self._others = [other * _REGION for other in range(regions) if other != worker]
        self._own: dict[int, tuple[int, int, int, int]] = {}
        """Of each key the minute, messages, recipients and sessions; the memory says the same."""
        self._clear()

    def add(self, tenant: str, minute: int, *, messages: int = 0, recipients: int = 0, sessions: int = 0) -> None:
        key = _key(tenant)
        known_minute, known_messages, known_recipients, known_sessions = self._own.get(key, (minute, 0, 0, 0))
        if known_minute != minute:
            known_messages = known_recipients = 0
        if key not in self._own and len(self._own) >= _FULL:
            self._begin_anew(minute)
        entry = (minute, known_messages + messages, known_recipients + recipients, known_sessions + sessions)
        self._own[key] = entry
        _ENTRY.pack_into(self._memory, self._place(self._start, key), key, *entry)

    def of(self, tenant: str, minute: int) -> Counts:
        """What all workers together count."""
        key = _key(tenant)
        messages = recipients = sessions = 0
        found = [self._own[key]] if key in self._own else []
        for region in self._others:
            other, *entry = _ENTRY.unpack_from(self._memory, self._place(region, key))
            if other == key:
                found.append(tuple(entry))
        for counted_in, its_messages, its_recipients, its_sessions in found:
            sessions += its_sessions
            if counted_in == minute:
                messages += its_messages
                recipients += its_recipients
        return Counts(messages, recipients, sessions)

    def _place(self, region: int, key: int) -> int:
        """Where the key's entry is, or else a free one: a region is never more than half full."""
        at = key % _ENTRIES
        for _ in range(_ENTRIES):
            place = region + at * _ENTRY.size
            found = int.from_bytes(self._memory[place : place + 8], "little")
            if found in (key, 0):
                return place
            at = (at + 1) % _ENTRIES
        return region + key % _ENTRIES * _ENTRY.size

    def _begin_anew(self, minute: int) -> None:
        kept = {key: entry for key, entry in self._own.items() if entry[3] or entry[0] == minute}
        self._clear()
        self._own = kept
        for key, entry in kept.items():
            _ENTRY.pack_into(self._memory, self._place(self._start, key), key, *entry)

    def _clear(self) -> None:
        self._own = {}
        self._memory[self._start : self._start + _REGION] = bytes(_REGION)


@lru_cache(maxsize=4096)
def _key(tenant: str) -> int:
    # Tenants are one whatever the case of their names; 0 is a free entry.
    return int.from_bytes(blake2b(tenant.lower().encode(), digest_size=8).digest(), "little") | 1
