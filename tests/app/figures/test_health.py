"""A relay lives while a worker is heard of, and is ready while one takes mail."""

from collections.abc import Callable

import pytest

from gatepost.app.figures.health import is_live, is_ready
from gatepost.app.figures.snapshots import Snapshots
from gatepost.config import Config


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process stands for the supervisor, whatever it is called."""
    monkeypatch.setattr(Snapshots, "is_running", property(lambda self: self.serve is not None))


@pytest.mark.usefixtures("running")
def test_heard_of_is_live_and_ready(installed: Config, told: Callable[..., None]) -> None:
    told()
    assert is_live(installed).is_good and is_ready(installed).is_good


@pytest.mark.usefixtures("running")
def test_a_full_queue_is_live_and_not_ready(installed: Config, told: Callable[..., None]) -> None:
    told(why_not="the queue is full")
    assert is_live(installed).is_good
    assert is_ready(installed) == (False, "the queue is full")


@pytest.mark.usefixtures("running")
def test_silence_is_first_not_ready_and_then_not_live(installed: Config, told: Callable[..., None]) -> None:
    told(ago=20)
    assert is_live(installed).is_good and not is_ready(installed).is_good
    told(ago=60)
    assert is_live(installed).says == "no worker was heard of for 60 s"


def test_what_never_ran_or_ended_is_neither(installed: Config, told: Callable[..., None]) -> None:
    assert not is_live(installed).is_good and not is_ready(installed).is_good
    told(pid=2**22 + 1)
    assert is_ready(installed).says == "gatepost serve is not running"
