"""Who holds a connection to the API, and who gives one up when another comes.

Laws: there is room for whoever comes as long as somebody waits who has nothing under way; it is made by the network
that has most of such connections, first one between two requests, then the oldest that has not been asked anything.
What operators hold is counted by itself, so that no number of strangers takes it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

_CROWD: Final = {4: 24, 6: 64}
"""Prefix lengths of what is likely to be in one hand."""


class Use(Enum):
    SILENT = auto()
    """No request came whole yet."""
    BUSY = auto()
    """A request is under way."""
    IDLE = auto()
    """Between two requests."""


def crowd_of(address: str) -> str:
    """The network that an address is counted with: /24, /64; what is no address counts by itself."""
    try:
        return str(ip_network((address, _CROWD[ip_address(address).version]), strict=False))
    except ValueError:
        return address


def is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in each for each in networks)


@dataclass(slots=True, eq=False, kw_only=True)
class Place:
    """One connection."""

    crowd: str
    give_up: Callable[[], None]
    """Ends the connection at once."""
    pool: "_Pool"
    use: Use = Use.SILENT


@dataclass(slots=True, eq=False)
class _Crowd:
    held: int = 0
    silent: dict[Place, None] = field(default_factory=dict)
    idle: dict[Place, None] = field(default_factory=dict)

    @property
    def spare(self) -> int:
        return len(self.silent) + len(self.idle)

    @property
    def first_to_go(self) -> Place:
        return next(iter(self.idle or self.silent))


class _Pool:
    def __init__(self, most: int, most_of_a_crowd: int) -> None:
        self._most = most
        self._most_of_a_crowd = most_of_a_crowd
        self._crowds: dict[str, _Crowd] = {}
        self.held = 0

    @property
    def is_full(self) -> bool:
        return self.held >= self._most

    def enter(self, place: Place) -> bool:
        if not self._has_room(place.crowd):
            return False
        crowd = self._crowds.setdefault(place.crowd, _Crowd())
        crowd.held += 1
        self.held += 1
        self._list(crowd, place)
        return True

    def note(self, place: Place, use: Use) -> None:
        crowd = self._crowds[place.crowd]
        self._strike(crowd, place)
        place.use = use
        self._list(crowd, place)

    def leave(self, place: Place) -> None:
        crowd = self._crowds[place.crowd]
        self._strike(crowd, place)
        crowd.held -= 1
        self.held -= 1
        if not crowd.held:
            del self._crowds[place.crowd]

    def _has_room(self, name: str) -> bool:
        crowd = self._crowds.get(name)
        if crowd and crowd.held >= self._most_of_a_crowd:
            return self._make_room(crowd)
        return not self.is_full or self._make_room(max(self._crowds.values(), key=lambda each: each.spare))

    def _make_room(self, crowd: _Crowd) -> bool:
        if not crowd.spare:
            return False
        place = crowd.first_to_go
        self.leave(place)
        place.pool = _NOWHERE
        place.give_up()
        return True

    @staticmethod
    def _list(crowd: _Crowd, place: Place) -> None:
        if place.use is not Use.BUSY:
            (crowd.silent if place.use is Use.SILENT else crowd.idle)[place] = None

    @staticmethod
    def _strike(crowd: _Crowd, place: Place) -> None:
        crowd.silent.pop(place, None)
        crowd.idle.pop(place, None)


class _Nowhere(_Pool):
    """Where a place is that was given up; whatever its connection still does is of no account."""

    def note(self, place: Place, use: Use) -> None:
        pass

    def leave(self, place: Place) -> None:
        pass


_NOWHERE: Final = _Nowhere(0, 0)


class Places:
    def __init__(
        self,
        most: int,
        most_of_a_crowd: int,
        most_of_operators: int,
        operators: Iterable[IPv4Network | IPv6Network] = (),
    ) -> None:
        """`operators`: where they are known to come from."""
        self._strangers = _Pool(most, most_of_a_crowd)
        self._operators = _Pool(most_of_operators, most_of_operators)
        self._networks = tuple(operators)

    @property
    def held(self) -> int:
        return self._strangers.held + self._operators.held

    def are_operators(self, address: str) -> bool:
        return is_in(address, self._networks)

    def take(self, address: str, give_up: Callable[[], None]) -> Place | None:
        """None: everybody in the way has a request under way."""
        pool = self._operators if self.are_operators(address) else self._strangers
        place = Place(crowd=crowd_of(address), give_up=give_up, pool=pool)
        return place if pool.enter(place) else None

    def becomes_operators(self, place: Place) -> None:
        """An operator's token came over this connection; it stays among strangers' only if operators hold all that is
        reserved for them."""
        if place.pool is self._strangers and not self._operators.is_full:
            self._strangers.leave(place)
            place.pool = self._operators
            self._operators.enter(place)

    def note(self, place: Place, use: Use) -> None:
        place.pool.note(place, use)

    def leave(self, place: Place) -> None:
        """The connection is over; saying it again does nothing."""
        place.pool.leave(place)
        place.pool = _NOWHERE
