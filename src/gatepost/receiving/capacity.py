"""Whether there is room for more mail: on the disk, in the queue, and in it for each tenant.

Looking costs something, so what was found last counts until the next look: the disk's free space a second, the numbers
in the queue some seconds. What was written since the last look is taken off what was free then. Laws: where there is no
room, peers get 4yz and nothing is lost; what is reserved for tenants' own servers is no room for strangers; who has not
looked yet says that there is room.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Capacity:
    least_free_disk: int
    """Octets; 0: no limit."""
    reserved_disk: int = 0
    """Octets beyond that, for tenants' own servers."""
    most_recipients: int
    """In the queue of the relay; 0: no limit."""
    emit: Callable[..., None]
    needs_counts: bool = False
    """Somebody has asked for numbers, or will."""
    is_full: bool = False
    _queued: Mapping[str | None, int] = field(default_factory=dict)
    _free_disk: int | None = None
    _written: int = 0
    """What had been written in all when the disk was looked at."""

    def __post_init__(self) -> None:
        self.needs_counts = bool(self.most_recipients)

    def queued(self, tenant: str) -> int:
        """Recipients of a tenant in the queue of the relay, as last counted."""
        self.needs_counts = True
        return self._queued.get(tenant, 0)

    def free_disk_is(self, octets: int, written: int = 0) -> None:
        """`written`: octets that were ever written there, by which growth is known until the next look."""
        self._free_disk, self._written = octets, written
        self._judge()

    def has_room(self, written: int) -> bool:
        """Whether there is, now that `written` octets were ever written."""
        return self._is_left(self.least_free_disk, written)

    def has_room_for_strangers(self, written: int) -> bool:
        return self._is_left(self.least_free_disk + self.reserved_disk, written)

    def _is_left(self, octets: int, written: int) -> bool:
        return self._free_disk is None or self._free_disk - (written - self._written) >= octets

    def counted(self, queued: Mapping[str | None, int]) -> None:
        self._queued = queued
        self._judge()

    def _judge(self) -> None:
        problem = self._problem()
        if problem and not self.is_full:
            self.emit("queue-full", problem=problem)
        elif self.is_full and not problem:
            self.emit("queue-has-room")
        self.is_full = problem is not None

    def _problem(self) -> str | None:
        if self._free_disk is not None and self._free_disk < self.least_free_disk:
            return (
                f"{self._free_disk // 2**20} MiB are free on the disk of the data folder, and queue.least_free_disk is "
                f"{self.least_free_disk // 2**20} MiB: free space there; until then mail gets 452"
            )
        queued = sum(self._queued.values())
        if self.most_recipients and queued >= self.most_recipients:
            return (
                f"{queued} recipients are queued, and queue.most_recipients is {self.most_recipients}: "
                "see gatepost queue list; until then mail gets 452"
            )
        return None
