"""How many requests may be under way at once: of one caller, of one tenant, in all, and beside all those an operator's.

Requests are counted from the moment it is known who asks; before that, those that wait for that, of each network and in
all. Law: what one tenant has under way leaves room for another's, and what all tenants have leaves room for operators.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gatepost.config import HttpsLimits
from gatepost.https.problem import Problem

OPERATORS_RESERVE: Final = 16
_MOST_UNKNOWN: Final = 256
_MOST_UNKNOWN_OF_A_CROWD: Final = 32
_SHORTLY: Final = {"Retry-After": "2"}


class Slots:
    def __init__(self, limits: HttpsLimits) -> None:
        self._limits = limits
        self._all = 0
        self._callers: Counter[str] = Counter()
        self._tenants: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()

    @contextmanager
    def unknown(self, crowd: str, *, are_operators: bool) -> Iterator[None]:
        """While who asks is looked at. Raises `Problem`."""
        if not are_operators and (
            self._unknown.total() >= _MOST_UNKNOWN or self._unknown[crowd] >= _MOST_UNKNOWN_OF_A_CROWD
        ):
            raise _too_busy()
        with _counted(self._unknown, crowd):
            yield

    @contextmanager
    def known(self, caller: str, tenant: str | None) -> Iterator[None]:
        """While what is asked by `caller` is done; `tenant`: None of an operator. Raises `Problem`."""
        self._must_have_room(caller, tenant)
        self._all += 1
        try:
            with _counted(self._callers, caller), _counted(self._tenants, tenant or ""):
                yield
        finally:
            self._all -= 1

    def _must_have_room(self, caller: str, tenant: str | None) -> None:
        limits = self._limits
        if self._callers[caller] >= limits.requests_per_token:
            raise _too_many("of this caller", limits.requests_per_token)
        if tenant is not None and self._tenants[tenant] >= limits.requests_per_tenant:
            raise _too_many("of this tenant", limits.requests_per_tenant)
        if self._all >= limits.requests + (OPERATORS_RESERVE if tenant is None else 0):
            raise _too_busy()


@contextmanager
def _counted(counts: Counter[str], key: str) -> Iterator[None]:
    counts[key] += 1
    try:
        yield
    finally:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]


def _too_many(whose: str, most: int) -> Problem:
    says = f"too many concurrent requests {whose} ({most} allowed)"
    return Problem(429, "too-many-requests", says, do="wait for the running ones", headers=_SHORTLY)


def _too_busy() -> Problem:
    return Problem(503, "too-busy", "the relay is busy with other requests", do="try again in 2 s", headers=_SHORTLY)
