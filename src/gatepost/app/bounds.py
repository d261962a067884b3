"""What of `gatepost.toml` bounds strangers and tenants, as the classes that keep the bounds take it.

Where the file says `"auto"` the number follows from another one, or from the size of the disk.
"""

from gatepost.config import ListenerLimits, QueueConfig
from gatepost.receiving.session_gate import GateLimits
from gatepost.receiving.unfinished import UnfinishedLimits

_GIB = 1024**3


def gate_limits(limits: ListenerLimits) -> GateLimits:
    per_network, reserved = limits.sessions_per_network, limits.reserved_sessions
    return GateLimits(
        sessions=limits.sessions,
        per_address=limits.sessions_per_address,
        per_network=2 * limits.sessions_per_address if per_network is None else per_network,
        begun_per_minute=limits.sessions_per_minute,
        reserved=limits.sessions // 4 if reserved is None else min(reserved, limits.sessions - 1),
        refusals=limits.refusals,
        refusals_per_minute=limits.refusals_per_minute,
    )


def reserved_disk(queue: QueueConfig, disk: int) -> int:
    """Octets, on a disk of `disk` octets."""
    return min(disk // 4, _GIB) if queue.reserved_disk is None else queue.reserved_disk


def unfinished_limits(queue: QueueConfig, disk: int) -> UnfinishedLimits:
    of_strangers, of_network, of_tenant = queue.unfinished, queue.unfinished_per_network, queue.unfinished_per_tenant
    return UnfinishedLimits(
        of_strangers=min(disk // 4, 8 * _GIB) if of_strangers is None else of_strangers,
        of_network=min(disk // 8, 2 * _GIB) if of_network is None else of_network,
        of_tenant=min(disk // 4, 8 * _GIB) if of_tenant is None else of_tenant,
    )
