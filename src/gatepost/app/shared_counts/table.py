"""A table that the workers of a relay share: each has a region of its own in a piece of memory, which it alone writes,
and reads those of the others.

Nobody waits for anybody, and a worker that dies leaves nothing locked: its successor begins with an empty region.
Another worker may be read in the middle of a change: then one of its figures is a moment old.
"""

import mmap
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final

ENTRIES: Final = 4096
FULL: Final = ENTRIES // 2
"""Beyond this a region is begun anew, with what still counts."""

_KEY_OCTETS: Final = 8


def region_octets(numbers: struct.Struct) -> int:
    """How much memory one region is."""
    return ENTRIES * (_KEY_OCTETS + numbers.size)


class SharedTable:
    """`numbers`: what an entry holds beside its key. Regions lie one after the other from `start`."""

    def __init__(self, memory: mmap.mmap, start: int, worker: int, regions: int, numbers: struct.Struct) -> None:
        self._memory = memory
        self._numbers = numbers
        self._stride = _KEY_OCTETS + numbers.size
        size = region_octets(numbers)
        self._start = start + worker * size
        self._others = [start + other * size for other in range(regions) if other != worker]
        self._size = size
        self.own: dict[int, tuple[int, ...]] = {}
        """What this worker has put, by key; the memory says the same."""
        self._look_again_at = FULL
        self._clear()

    def put(self, name: str, numbers: tuple[int, ...], counts_still: Callable[[tuple[int, ...]], bool]) -> None:
        """Where the region is full, only entries that `counts_still` are kept. One that finds no place at all is seen
        by this worker alone."""
        key = key_of(name)
        if key not in self.own and len(self.own) >= self._look_again_at:
            self._begin_anew(counts_still)
            # Where all still count, looking at them for each newcomer would be the costliest thing of all.
            self._look_again_at = max(FULL, len(self.own) + FULL // 8)
        self.own[key] = numbers
        if len(self.own) <= FULL or self._holds(key):
            self._write(key, numbers)

    def own_of(self, name: str) -> tuple[int, ...] | None:
        return self.own.get(key_of(name))

    def found(self, name: str) -> Iterator[tuple[int, ...]]:
        """The entries of all workers."""
        key = key_of(name)
        own = self.own.get(key)
        if own is not None:
            yield own
        for region in self._others:
            place = self._place(region, key)
            if self._key_at(place) == key:
                yield self._numbers.unpack_from(self._memory, place + _KEY_OCTETS)

    def _write(self, key: int, numbers: tuple[int, ...]) -> None:
        place = self._place(self._start, key)
        self._numbers.pack_into(self._memory, place + _KEY_OCTETS, *numbers)
        self._memory[place : place + _KEY_OCTETS] = key.to_bytes(_KEY_OCTETS, "little")

    def _holds(self, key: int) -> bool:
        return self._key_at(self._place(self._start, key)) == key

    def _key_at(self, place: int) -> int:
        return int.from_bytes(self._memory[place : place + _KEY_OCTETS], "little")

    def _place(self, region: int, key: int) -> int:
        """Where the key's entry is, or else a free one: a region is never more than half full."""
        at = key % ENTRIES
        for _ in range(ENTRIES):
            place = region + at * self._stride
            if self._key_at(place) in (key, 0):
                return place
            at = (at + 1) % ENTRIES
        return region + key % ENTRIES * self._stride

    def _begin_anew(self, counts_still: Callable[[tuple[int, ...]], bool]) -> None:
        kept = {key: numbers for key, numbers in self.own.items() if counts_still(numbers)}
        self._clear()
        self.own = kept
        for key, numbers in list(kept.items())[:FULL]:
            self._write(key, numbers)

    def _clear(self) -> None:
        self.own = {}
        self._memory[self._start : self._start + self._size] = bytes(self._size)


@lru_cache(maxsize=4096)
def key_of(name: str) -> int:
    # Tenants are one whatever the case of their names; 0 is a free entry.
    return int.from_bytes(blake2b(name.lower().encode(), digest_size=8).digest(), "little") | 1
