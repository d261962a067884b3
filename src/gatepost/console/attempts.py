"""How often somebody may try to come in.

Laws: guessing is slow for each person and each network, and never keeps out a person from where they came in lately;
what cannot be guessed (a link, a passkey, an answer of a provider) has a wider rate, since many come from one network.
"""

import time
from typing import Final

from gatepost.https.gate import must_not_hurry
from gatepost.https.places import crowd_of
from gatepost.https.rates import Rate, Remembered

REQUESTS_OF_AN_ATTEMPT: Final = 30
"""Of `requests_per_minute`, one in so many may be an attempt: of one person, of one network."""
REQUESTS_OF_A_START: Final = 5
"""One in so many may begin a sign-in whose proof cannot be guessed, from one network."""
_FAMILIAR: Final = 1_000


class Attempts:
    def __init__(self, requests_per_minute: int) -> None:
        per_minute = max(1, requests_per_minute // REQUESTS_OF_AN_ATTEMPT)
        self._of_person = Rate(per_minute)
        self._of_network = Rate(per_minute)
        self._starts = Rate(max(1, requests_per_minute // REQUESTS_OF_A_START))
        self._familiar = Remembered(_FAMILIAR)

    def count(self, name: str, address: str) -> None:
        """Raises `Problem` for too many."""
        now = time.monotonic()
        if _pair(name, address) in self._familiar:
            must_not_hurry(self._of_person.wait_s(_pair(name, address), now), "to sign in")
            return
        must_not_hurry(self._of_network.wait_s(crowd_of(address), now), "to sign in from this network")
        if name:
            must_not_hurry(self._of_person.wait_s(_folded(name), now), "to sign in with this name")

    def count_start(self, address: str) -> None:
        """Raises `Problem` for too many."""
        must_not_hurry(self._starts.wait_s(crowd_of(address), time.monotonic()), "to sign in from this network")

    def succeeded(self, name: str, address: str) -> None:
        self._familiar.add(_pair(name, address))


def _folded(name: str) -> str:
    return name.casefold()[:64]


def _pair(name: str, address: str) -> str:
    return f"{_folded(name)} {crowd_of(address)}"
