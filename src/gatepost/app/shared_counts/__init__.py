"""The piece of memory in which the workers of a relay count together, and what lies where in it."""

import mmap

from gatepost.app.shared_counts import tenants, unfinished
from gatepost.app.shared_counts.tenants import TenantCounts
from gatepost.app.shared_counts.unfinished import UnfinishedCounts


def regions(workers: int) -> int:
    """At a reload a worker and its successor run beside each other, under two numbers."""
    return 2 * workers


def octets(workers: int) -> int:
    """How much memory it is."""
    return tenants.octets(regions(workers)) + unfinished.octets(regions(workers))


class SharedCounts:
    """As worker `number` sees and changes them."""

    def __init__(self, descriptor: int, number: int, workers: int) -> None:
        places = regions(workers)
        memory = mmap.mmap(descriptor, octets(workers))
        self.tenants = TenantCounts(memory, number, places)
        self.unfinished = UnfinishedCounts(memory, number, places, tenants.octets(places))
