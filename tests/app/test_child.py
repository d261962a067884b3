"""A module that runs in a process of its own."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.app.child import run_module
from gatepost.config import Config, parse

TEXT = 'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return parse(tmp_path / "gatepost.toml", TEXT)


def test_it_gets_the_configuration_as_this_process_has_it(config: Config) -> None:
    """Whatever stands in the file meanwhile."""
    config.file.write_text("something else")
    ended = asyncio.run(run_module("gatepost.app.forecasting", config, 60))
    assert (ended.exit_code, ended.errors) == (0, b"")


def test_what_it_says_of_its_failure_comes_back(config: Config) -> None:
    broken = replace(config, text=TEXT.replace("hostname", "hostnam"))
    ended = asyncio.run(run_module("gatepost.app.forecasting", broken, 60))
    assert ended.exit_code != 0
    assert b"did you mean" in ended.errors or b"hostname" in ended.errors


def test_one_that_takes_too_long_is_ended(config: Config) -> None:
    os.mkfifo(config.file)
    # It opens the file that it is given, at which nobody writes.
    with pytest.raises(TimeoutError):
        asyncio.run(run_module("json.tool", config, 0.5))
