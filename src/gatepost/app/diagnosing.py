"""The doctor for a process that others wait for: asked apart, a few at a time, and given up after a while.

Law: a tenant has one place at most, and one is kept for operators: what a tenant hands in keeps nobody
else waiting.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from threading import BoundedSemaphore, Lock
from typing import Any, Final

_OF_TENANTS: Final = 2
_OF_OPERATORS: Final = 1
_WAIT_S: Final = 5.0
"""For those before."""
_PATIENCE_S: Final = 20.0
"""With what was waited, less than a request may take."""
_LONGEST: Final = 256 * 1024


class GivenUp(Enum):
    BUSY = auto()
    """No place was free in time."""
    TOO_LONG = auto()
    FAILED = auto()
    """The doctor ended without a report."""


class _Places:
    def __init__(self) -> None:
        self._of_tenants = BoundedSemaphore(_OF_TENANTS)
        self._of_operators = BoundedSemaphore(_OF_OPERATORS)
        self._tenants: set[str] = set()
        """That have a place, or wait for one."""
        self._lock = Lock()

    @contextmanager
    def one(self, tenant: str | None) -> Iterator[bool]:
        """For `tenant`, or with None for an operator; False: there is none."""
        if tenant is None:
            with _taken(self._of_operators) as taken:
                yield taken
            return
        with self._lock:
            is_in = tenant in self._tenants
            self._tenants.add(tenant)
        if is_in:
            yield False
            return
        try:
            with _taken(self._of_tenants) as taken:
                yield taken
        finally:
            with self._lock:
                self._tenants.discard(tenant)


@contextmanager
def _taken(places: BoundedSemaphore) -> Iterator[bool]:
    taken = places.acquire(timeout=_WAIT_S)
    try:
        yield taken
    finally:
        if taken:
            places.release()


_places = _Places()


def diagnosed(texts: Mapping[str, str], tenant: str | None) -> dict[str, Any] | GivenUp:
    """The report of `gatepost doctor --json` about these texts, by name. `tenant`: None for an operator."""
    with _places.one(tenant) as is_free:
        return _asked(texts) if is_free else GivenUp.BUSY


def _asked(texts: Mapping[str, str]) -> dict[str, Any] | GivenUp:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gatepost.doctor.apart"],
            input=json.dumps({name: text[:_LONGEST] for name, text in texts.items()}).encode(),
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return GivenUp.TOO_LONG
    if done.returncode != 0:
        return GivenUp.FAILED
    found: dict[str, Any] = json.loads(done.stdout)
    return found
