"""Shares of a log folder: whoever writes much loses their own oldest files, and nobody else's.

What flows through: text with the name of whoever caused it, a tenant or the network of a stranger; out of it come files
in the folder itself and in sub-folders of it. Who writes little is in the tenants' or the strangers' files; who passes
an allowance within an hour goes on in a busy share, chosen by name, until a whole hour stays below it. What a stranger
sends to a tenant is the tenant's while the stranger writes little, and else the stranger's.

Laws: a share is never cut below its part of the folder for the sake of another; what one part leaves free, others may
use; files and memory are bounded whatever strangers call themselves.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from gatepost.logs.log_series import FileLimits, FileNames, LogFile, LogSeries, files_of, remove_file

_BUSY_TENANTS: Final = 8
_BUSY_STRANGERS: Final = 4

TENANTS: Final = ""
"""The folder itself, which was everybody's before there were shares."""
STRANGERS: Final = "strangers"

PARTS: Final = {
    TENANTS: 16 / 64,
    STRANGERS: 8 / 64,
    **{f"busy-tenants-{number}": 32 / 64 / _BUSY_TENANTS for number in range(1, _BUSY_TENANTS + 1)},
    **{f"busy-strangers-{number}": 8 / 64 / _BUSY_STRANGERS for number in range(1, _BUSY_STRANGERS + 1)},
}
"""Of the folder's size, by sub-folder; their sum is 1."""

_ALLOWANCE: Final = 256
"""An hour's allowance of one writer is this part of the folder: it takes days to fill a share with it."""
_LEAST_ALLOWANCE: Final = 64 * 1024
_MOST_WRITERS: Final = 10_000
_LEAST_FILE: Final = 64 * 1024
_HOUR_S: Final = 3600


class Whose(NamedTuple):
    """Whose mail a session brought, and who sent it."""

    tenant: str | None = None
    by_stranger: bool = False
    """It came to the tenant from a server that is none of its own."""


NOBODYS: Final = Whose()


class SharedSeries:
    """One writer's place in each share of a folder. Methods that write may raise `OSError`."""

    def __init__(
        self,
        folder: Path,
        names: FileNames,
        limits: FileLimits,
        workers: int = 1,
        header: Callable[[float], bytes] = lambda now: b"",
    ) -> None:
        self._folder = folder
        self._names = names
        self._limits = limits
        self._header = header
        self._meter = Meter(max(limits.folder_size // _ALLOWANCE, _LEAST_ALLOWANCE) // workers)
        self._series: dict[str, LogSeries] = {}

    def share_of(self, whose: Whose, address: str, octets: int, now: float) -> str:
        """Where `octets` of a tenant go, or of a stranger at `address`."""
        if whose.tenant is None or whose.by_stranger:
            network = network_of(address)
            if not self._allows(network, octets, now):
                return _busy("strangers", network, _BUSY_STRANGERS)
        if whose.tenant is None:
            return STRANGERS
        tenant = f"tenant {whose.tenant}"
        return TENANTS if self._allows(tenant, octets, now) else _busy("tenants", tenant, _BUSY_TENANTS)

    def _allows(self, who: str, octets: int, now: float) -> bool:
        return not self._limits.folder_size or self._meter.allows(who, octets, now)

    def of(self, share: str) -> LogSeries:
        series = self._series.get(share)
        if series is None:
            limits = self._limits
            if limits.folder_size:
                # A share is cut by whole files: it has several.
                most = max(int(limits.folder_size * PARTS[share]) // 4, _LEAST_FILE)
                limits = FileLimits(
                    file_size=min(limits.file_size, most) or most,
                    folder_size=limits.folder_size,
                    max_age_s=limits.max_age_s,
                )
            series = self._series[share] = LogSeries(
                self._folder / share, self._names, limits, self._header, self._remove_old
            )
        return series

    def close(self) -> None:
        for series in self._series.values():
            series.close()

    def _remove_old(self, now: float) -> None:
        for series in self._series.values():
            series.close_past(now)
        remove_old(self._folder, self._names, self._limits, now)


def _busy(kind: str, who: str, shares: int) -> str:
    return f"busy-{kind}-{crc32(who.encode('utf-8', 'surrogatepass')) % shares + 1}"


def shared_files(folder: Path, names: FileNames, tag: str | None = None) -> Iterator[LogFile]:
    """The files of all shares, each share's oldest first."""
    for share in PARTS:
        yield from files_of(folder / share, names, tag)


def remove_old(folder: Path, names: FileNames, limits: FileLimits, now: float) -> None:
    """What is too old, everywhere; and while all together is too much, the oldest file of the share that is furthest
    beyond its part."""
    files = {share: files_of(folder / share, names) for share in PARTS}
    for share, found in files.items():
        files[share] = [file for file in found if not (_is_too_old(file, limits, now) and remove_file(file.path))]
    sizes = {share: sum(file.size for file in found) for share, found in files.items()}
    while limits.folder_size and sum(sizes.values()) > limits.folder_size:
        over = {share: sizes[share] / PARTS[share] for share, found in files.items() if found}
        if not over:
            return
        share = max(over, key=over.__getitem__)
        if over[share] <= limits.folder_size:
            return
        file = files[share].pop(0)
        if remove_file(file.path):
            sizes[share] -= file.size


def _is_too_old(file: LogFile, limits: FileLimits, now: float) -> bool:
    return bool(limits.max_age_s) and file.hour.timestamp() + _HOUR_S < now - limits.max_age_s


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Who has one address has its neighbours: /24, or /48 of IPv6. What is no address stands for itself."""
    try:
        version = ip_address(address).version
        return str(ip_network((address, 24 if version == 4 else 48), strict=False))
    except ValueError:
        return address


class Meter:
    """Octets of each writer in the present hour. Whoever comes when the table is full has no allowance."""

    def __init__(self, allowance: int) -> None:
        self._allowance = allowance
        self._hour = -1
        self._octets: dict[str, int] = {}
        self._busy: frozenset[str] = frozenset()
        """Who passed it in the hour before: else the beginnings of their hours would fill the quiet share."""

    def allows(self, who: str, octets: int, now: float) -> bool:
        hour = int(now // _HOUR_S)
        if hour != self._hour:
            self._begin(hour)
        before = self._octets.get(who)
        if before is None and len(self._octets) >= _MOST_WRITERS:
            return False
        total = self._octets[who] = (before or 0) + octets
        return total <= self._allowance and who not in self._busy

    def _begin(self, hour: int) -> None:
        passed = (who for who, octets in self._octets.items() if octets > self._allowance)
        self._busy = frozenset(passed if hour == self._hour + 1 else ())
        self._hour = hour
        self._octets.clear()
