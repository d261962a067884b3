"""Unfinished content is bounded by network, for strangers as a whole and by tenant, over all workers (law 6)."""

import mmap
from ipaddress import ip_address

from gatepost.app.shared_counts.unfinished import UnfinishedCounts, octets
from gatepost.receiving.capacity import Capacity
from gatepost.receiving.unfinished import Share, UnfinishedContent, UnfinishedLimits

MIB = 1024 * 1024
STRANGER, NEIGHBOUR, ELSEWHERE = map(ip_address, ("198.51.100.1", "198.51.100.2", "203.0.113.1"))
LIMITS = UnfinishedLimits(of_strangers=20 * MIB, of_network=8 * MIB, of_tenant=10 * MIB)


class Workers:
    """Two of one relay."""

    def __init__(self, least_free_disk: int = 0, reserved_disk: int = 0) -> None:
        memory = mmap.mmap(-1, octets(2))
        self.events: list[dict[str, object]] = []
        self.counts = [UnfinishedCounts(memory, worker, 2) for worker in range(2)]
        self.rooms = [
            Capacity(least_free_disk=least_free_disk, reserved_disk=reserved_disk, most_recipients=0, emit=self._told)
            for _ in range(2)
        ]
        self.first, self.second = (
            UnfinishedContent(LIMITS, counts, room, self._told)
            for counts, room in zip(self.counts, self.rooms, strict=True)
        )

    def _told(self, event: str, **fields: object) -> None:
        if event == "content-full":
            self.events.append(fields)

    def disk_has(self, free: int) -> None:
        for room, counts in zip(self.rooms, self.counts, strict=True):
            room.free_disk_is(free, counts.ever)


def grown(share: Share, size: int) -> bool:
    """Whether the content may grow to `size`, a packet after the other."""
    return all(share.grow(at) is None for at in range(64 * 1024, size + 1, 64 * 1024))


def test_a_network_has_its_bound_over_all_workers_whichever_address_it_uses() -> None:
    workers = Workers()
    first, second = workers.first.share(None, STRANGER), workers.second.share(None, NEIGHBOUR)
    assert grown(first, 5 * MIB)
    assert not grown(second, 5 * MIB)
    assert grown(workers.first.share(None, ELSEWHERE), 5 * MIB)
    assert workers.events[0]["whose"] == "198.51.100.0/24"
    first.release()
    second.release()
    assert grown(workers.second.share(None, STRANGER), 8 * MIB)


def test_strangers_as_a_whole_have_theirs_and_tenants_do_not_notice() -> None:
    workers = Workers()
    shares = [workers.first.share(None, ip_address(f"198.51.{net}.1")) for net in range(4)]
    assert [grown(share, 6 * MIB) for share in shares] == [True, True, True, False]
    assert grown(workers.second.share("contoso", STRANGER), 10 * MIB)


def test_a_tenant_has_its_own_bound_and_leaves_the_others_theirs() -> None:
    workers = Workers()
    assert grown(workers.first.share("contoso", STRANGER), 9 * MIB)
    assert not grown(workers.second.share("Contoso", ELSEWHERE), 2 * MIB)
    assert grown(workers.second.share("fabrikam", ELSEWHERE), 9 * MIB)


def test_the_reserve_of_the_disk_is_no_room_for_strangers_and_is_room_for_tenants() -> None:
    workers = Workers(least_free_disk=10 * MIB, reserved_disk=20 * MIB)
    workers.disk_has(34 * MIB)
    assert workers.first.has_room_for_strangers
    stranger, own = workers.first.share(None, STRANGER), workers.second.share("contoso", ELSEWHERE)
    assert not grown(stranger, 6 * MIB)
    assert not workers.second.has_room_for_strangers
    assert grown(own, 10 * MIB)


def test_what_was_written_since_the_last_look_counts_though_it_was_given_back() -> None:
    """Content that was accepted is no longer unfinished, and is on the disk all the same."""
    workers = Workers(least_free_disk=10 * MIB)
    workers.disk_has(20 * MIB)
    taken = workers.first.share("contoso", STRANGER)
    assert grown(taken, 9 * MIB)
    taken.release()
    assert not grown(workers.second.share("fabrikam", STRANGER), 3 * MIB)
    workers.disk_has(30 * MIB)
    assert grown(workers.second.share("fabrikam", STRANGER), 3 * MIB)


def test_small_content_is_not_counted_and_a_share_is_given_back_once() -> None:
    workers = Workers()
    small = workers.first.share(None, STRANGER)
    assert small.grow(64 * 1024 - 1) is None
    assert workers.counts[1].of_strangers == 0
    large = workers.first.share(None, STRANGER)
    assert grown(large, MIB)
    assert workers.counts[1].of_strangers == MIB
    for share in (small, large, large):
        share.release()
    assert workers.counts[1].of_strangers == workers.counts[1].of("198.51.100.0/24") == 0


def test_what_a_worker_held_is_free_when_its_successor_starts() -> None:
    memory = mmap.mmap(-1, octets(2))
    dead, other = UnfinishedCounts(memory, 0, 2), UnfinishedCounts(memory, 1, 2)
    dead.add("198.51.100.0/24", 5 * MIB, of_stranger=True)
    UnfinishedCounts(memory, 0, 2)
    assert other.of("198.51.100.0/24") == other.of_strangers == 0
    assert other.ever == 5 * MIB
