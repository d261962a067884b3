"""Where DNS says mail for a domain goes, as values, and the order in which hosts are tried (RFC 5321 5.1)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple


class MxRecord(NamedTuple):
    preference: int
    host: str
    """A domain key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsProblem:
    """Why a name gave no answer. `permanent`: asking again will not help."""

    permanent: bool
    status: str
    """Enhanced status code for notifications."""
    why: str


Shuffle = Callable[[list[str]], None]


def hosts_in_order(
    domain: str, records: Sequence[MxRecord], own_names: Collection[str], shuffle: Shuffle
) -> tuple[str, ...] | DnsProblem:
    """The hosts for `domain`, best preference first, equals in random order. Where one of them is this server, it and
    all that are not better are left out, or mail would go round in circles (RFC 5321 5.1)."""
    own = min((record.preference for record in records if record.host in own_names), default=None)
    better = sorted(
        (record for record in records if own is None or record.preference < own), key=attrgetter("preference")
    )
    if not better:
        return DnsProblem(
            permanent=True,
            status="5.4.6",
            why=f"the best mail host of {domain} is this server, and no send connector leads further",
        )
    hosts: list[str] = []
    for _, equals in groupby(better, key=attrgetter("preference")):
        names = [record.host for record in equals]
        shuffle(names)
        hosts += names
    return tuple(dict.fromkeys(hosts))
