"""How much unfinished content there is, and whose, for the relay as a whole (`table`)."""

import mmap
import struct
from typing import Final

from gatepost.app.shared_counts.table import SharedTable, region_octets

# Octets of one network or tenant.
_NUMBERS: Final = struct.Struct("<Q")
# Of one worker: octets of strangers; octets ever.
_SUMS: Final = struct.Struct("<QQ")


def octets(regions: int) -> int:
    """How much memory so many workers need."""
    return regions * (_SUMS.size + region_octets(_NUMBERS))


class UnfinishedCounts:
    """As one worker sees and changes them. What a worker held that died is gone with its region."""

    def __init__(self, memory: mmap.mmap, worker: int, regions: int, start: int = 0) -> None:
        self._memory = memory
        self._own = start + worker * _SUMS.size
        self._all = [start + each * _SUMS.size for each in range(regions)]
        # What was ever added is compared with what it was: a successor goes on counting where its predecessor ended.
        self._ever = _SUMS.unpack_from(memory, self._own)[1]
        self._of_strangers = 0
        self._put_sums()
        self._table = SharedTable(memory, start + regions * _SUMS.size, worker, regions, _NUMBERS)

    def add(self, key: str, octets: int, *, of_stranger: bool) -> None:
        known = self._table.own_of(key) or (0,)
        self._table.put(key, (known[0] + octets,), lambda numbers: bool(numbers[0]))
        self._ever += max(0, octets)
        if of_stranger:
            self._of_strangers += octets
        self._put_sums()

    def of(self, key: str) -> int:
        return sum(octets for (octets,) in self._table.found(key))

    @property
    def of_strangers(self) -> int:
        return sum(_SUMS.unpack_from(self._memory, place)[0] for place in self._all)

    @property
    def ever(self) -> int:
        """Octets that were ever added: it only grows."""
        return sum(_SUMS.unpack_from(self._memory, place)[1] for place in self._all)

    def _put_sums(self) -> None:
        _SUMS.pack_into(self._memory, self._own, self._of_strangers, self._ever)
