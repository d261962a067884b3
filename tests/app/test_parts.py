"""The parts of one worker, each made from the configuration and the parts before it."""

from pathlib import Path

import pytest

from gatepost.app import open_directory
from gatepost.app.parts import bounds_of, logs_of
from gatepost.app.setup import initialise
from gatepost.app.shared_counts import SharedCounts
from gatepost.app.supervisor import _memory_shared_by_workers
from gatepost.config import Config, parse


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "gatepost.toml"
    initialise(file, tmp_path / "data", "relay.example.net", None)
    return parse(file, file.read_text() + "[protocol_log]\nreceive = false\n[queue]\nmost_recipients = 5\n")


def test_a_log_that_is_switched_off_is_not_made(config: Config) -> None:
    logs = logs_of(config, 0)
    assert logs.receive is None
    assert logs.send is not None


def test_the_bounds_are_those_of_the_configuration(config: Config) -> None:
    counts = SharedCounts(_memory_shared_by_workers(config), 0, config.workers)
    bounds = bounds_of(config, open_directory(config), counts, logs_of(config, 0).events)
    assert not bounds.capacity.is_full
    bounds.capacity.counted({"contoso": 5})
    assert bounds.capacity.is_full
    assert bounds.unfinished_counts is counts.unfinished
