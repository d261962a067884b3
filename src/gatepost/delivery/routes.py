"""From a claim to the destination that its tenant and domain lead to.

Law: the directory's present version decides at each look; what was found under an earlier one is forgotten.
"""

from collections.abc import Callable, Collection

from gatepost.delivery.destination import Destination
from gatepost.delivery.ownership import CHANGED_HANDS, ChangedHands, whose_way
from gatepost.queue.message import Claim
from gatepost.queue.routing import choose
from gatepost.tenancy.directory import Directory
from gatepost.tenancy.tenant import SendConnector

MOST_ROUTES_REMEMBERED = 50_000


class Routes:
    def __init__(
        self,
        directory: Directory,
        destination: Callable[[SendConnector, str | None], Destination],
        warn: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._new_destination = destination
        self._warn = warn
        self._destinations: dict[tuple[SendConnector, str | None], Destination] = {}
        self._routes: dict[tuple[str | None, str], Destination | None] = {}
        """By who configures the way, and the domain."""
        self._version = -1

    @property
    def destinations(self) -> Collection[Destination]:
        return tuple(self._destinations.values())

    def notice_change(self) -> bool:
        """Whether the directory has changed since the last look: what waits is to be routed again."""
        if self._directory.version == self._version:
            return False
        self._version = self._directory.version
        self._routes.clear()
        return True

    def destination(self, claim: Claim) -> Destination | ChangedHands | None:
        """None: no send connector covers the domain. `CHANGED_HANDS`: nobody's way, until the operator decides."""
        whose = whose_way(self._directory, claim)
        if whose is CHANGED_HANDS:
            return CHANGED_HANDS
        route = (whose, claim.domain)
        try:
            return self._routes[route]
        except KeyError:
            if len(self._routes) >= MOST_ROUTES_REMEMBERED:
                self._routes.clear()
            found = self._routes[route] = self._find(*route)
            return found

    def _find(self, whose: str | None, domain: str) -> Destination | None:
        connector = choose(self._directory.send_connectors(whose, domain), whose, domain)
        if connector is None:
            self._warn(
                f"no send connector covers {domain}{f' for tenant {whose}' if whose else ''}: "
                f"add one with gatepost send-connector add NAME --address-space {domain}"
            )
            return None
        key = (connector, None if connector.smart_hosts else domain)
        return self._destinations.get(key) or self._destinations.setdefault(key, self._new_destination(*key))

    def forget_what_rests(self) -> None:
        at_rest = {key for key, destination in self._destinations.items() if destination.at_rest}
        if at_rest:
            self._destinations = {key: kept for key, kept in self._destinations.items() if key not in at_rest}
            self._routes.clear()
