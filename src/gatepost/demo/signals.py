"""Being told to stop: at any moment but those in which something would be left behind."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stoppable() -> Iterator[None]:
    """Every signal that asks for the end becomes a `KeyboardInterrupt`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handling(stop):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is done inside is done to its end; then the `KeyboardInterrupt` of a signal that came meanwhile."""
    came: list[int] = []
    with _handling(lambda number, frame: came.append(number)):
        yield
    if came:
        raise KeyboardInterrupt


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _STOP}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
