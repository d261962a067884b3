"""The settings of a process, as values."""

from dataclasses import fields
from pathlib import Path

from gatepost.config import parse, server_settings
from gatepost.smtp.server_settings import ServerSettings

SMALLEST = 'hostname = "relay.example.net"\n[[listener]]\naddress = "[::1]:2525"\n'


def test_the_smtp_machine_has_its_own_defaults_where_the_file_says_nothing() -> None:
    config = parse(Path("gatepost.toml"), SMALLEST)
    found = server_settings(config, config.listeners[0])
    expected = ServerSettings(hostname="relay.example.net")
    differing = {each.name for each in fields(found) if getattr(found, each.name) != getattr(expected, each.name)}
    # These follow from the rest of the file, and from how a worker shares its time.
    assert differing == {"offers_starttls", "irregular_paths", "most_commands_per_turn"}


def test_a_listener_is_called_by_its_address() -> None:
    assert parse(Path("gatepost.toml"), SMALLEST).listeners[0].name == "[::1]:2525"


def test_everything_lies_below_the_data_folder() -> None:
    config = parse(Path("/etc/gatepost/gatepost.toml"), SMALLEST)
    assert config.data == Path("/etc/gatepost/data")
    assert all(folder.is_relative_to(config.data) for folder in config.folders)
