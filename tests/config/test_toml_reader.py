"""`gatepost.toml`: what is good is read as meant; what is wrong gets one line with file, place and remedy."""

from pathlib import Path

import pytest

from gatepost.config import ConfigError, read
from gatepost.tenancy.person import Role
from gatepost.tenancy.provider import GroupRole, Provider

BAD = sorted((Path(__file__).parents[1] / "bad_config").glob("*.toml"))


@pytest.mark.parametrize("file", BAD, ids=[file.stem for file in BAD])
def test_a_mistake_gets_one_line_that_names_file_place_and_remedy(file: Path) -> None:
    expected = file.read_text("utf-8").splitlines()[0].removeprefix("# expect: ")
    with pytest.raises(ConfigError) as caught:
        read(file)
    message = str(caught.value)
    assert expected in message
    assert str(file) in message
    assert "\n" not in message


def written(folder: Path, text: str) -> Path:
    file = folder / "gatepost.toml"
    file.write_text(text, "utf-8")
    return file


def test_the_smallest_useful_form(tmp_path: Path) -> None:
    config = read(
        written(
            tmp_path,
            """
            hostname = "Relay.Example.net"
            data = "data"
            [tls]
            certificate = "server.pem"
            key = "server.key"
            client_roots = "roots.pem"
            [[listener]]
            address = "127.0.0.1:2525"
            [[listener]]
            address = "[::1]:2525"
            """,
        )
    )
    assert config.hostname == "relay.example.net"
    assert config.data == tmp_path / "data"
    assert config.tls is not None and config.tls.client_roots == tmp_path / "roots.pem"
    assert [each.name for each in config.listeners] == ["127.0.0.1:2525", "[::1]:2525"]


def test_durations_and_sizes_are_read_with_their_units(tmp_path: Path) -> None:
    config = read(
        written(
            tmp_path,
            """
            hostname = "relay.example.net"
            [[listener]]
            address = "0.0.0.0:25"
            [listener.limits]
            message_size = "1MiB"
            [retry]
            interval = "20m"
            expire_after = "3d"
            [sessions]
            max_age = "7d"
            """,
        )
    )
    assert config.listeners[0].limits.message_size == 1024 * 1024
    assert (config.retry.interval_s, config.retry.expiry_s) == (1200.0, 3 * 86400.0)
    assert config.sessions.max_age_days == 7


def test_a_folder_is_named_as_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a folder; name the file in it: .*/gatepost\.toml"):
        read(tmp_path)


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; write it with: gatepost init"):
        read(tmp_path / "gatepost.toml")


def test_providers_of_the_console_are_read_with_their_groups_in_order(tmp_path: Path) -> None:
    config = read(
        written(
            tmp_path,
            """
            hostname = "relay.example.net"
            tls = { certificate = "a.pem", key = "a.key" }
            listener = [{ address = "127.0.0.1:2525" }]
            [console]
            address = "0.0.0.0:8444"
            [[console.provider]]
            name = "acme"
            issuer = "https://login.example/Realm/"
            client_id = "gatepost"
            client_secret_file = "acme.secret"
            groups_claim = "groups"
            [[console.provider.group]]
            name = "Mail operators"
            role = "operator"
            [[console.provider.group]]
            name = "contoso"
            role = "tenant-read"
            tenant = "contoso"
            [[console.provider]]
            name = "here"
            issuer = "http://127.0.0.1:9400"
            client_id = "x"
            """,
        )
    )
    assert config.console and config.console.url == "https://relay.example.net:8444"
    acme, here = config.console.providers
    assert acme == Provider(
        name="acme",
        issuer="https://login.example/Realm/",
        client_id="gatepost",
        client_secret_file=tmp_path / "acme.secret",
        groups_claim="groups",
        groups=(
            GroupRole(group="Mail operators", role=Role.OPERATOR),
            GroupRole(group="contoso", role=Role.TENANT_READ, tenant="contoso"),
        ),
    )
    assert here == Provider(name="here", issuer="http://127.0.0.1:9400", client_id="x")
