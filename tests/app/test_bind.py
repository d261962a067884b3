"""`gatepost serve` and a port that somebody else holds: real sockets of real programs."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost import config as configuration
from gatepost.app.bind import bind
from gatepost.app.start_checks import StartError


@pytest.fixture
def holder() -> Iterator[socket.socket]:
    """Another server of the same user that lets others share its port, as Postfix and Gatepost do."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


def config_for(folder: Path, *addresses: str, workers: int, api: str | None = None) -> configuration.Config:
    lines = ['hostname = "relay.example.net"', f"workers = {workers}"]
    if api:
        lines += ["[api]", f'address = "{api}"', '[tls]\ncertificate = "a.pem"\nkey = "a.key"']
    lines += [f'[[listener]]\naddress = "{address}"' for address in addresses]
    file = folder / "gatepost.toml"
    file.write_text("\n".join(lines) + "\n")
    return configuration.read(file)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_another_program_shares_is_refused_and_the_program_named(
    tmp_path: Path, holder: socket.socket, workers: int, host: str
) -> None:
    port = holder.getsockname()[1]
    with pytest.raises(StartError, match=rf"in use by \S+ \(process {os.getpid()}\); stop that program") as refused:
        bind(config_for(tmp_path, f"{host}:{port}", workers=workers))
    assert "\n" not in str(refused.value)


def test_the_api_shares_its_port_with_nobody_either(tmp_path: Path, holder: socket.socket) -> None:
    config = config_for(tmp_path, "127.0.0.1:0", workers=2, api=f"127.0.0.1:{holder.getsockname()[1]}")
    with pytest.raises(StartError, match=r"in use by"):
        bind(config)


def test_a_refused_start_leaves_no_socket_behind(tmp_path: Path, holder: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        first = free.getsockname()[1]
    with pytest.raises(StartError):
        bind(config_for(tmp_path, f"127.0.0.1:{first}", f"127.0.0.1:{holder.getsockname()[1]}", workers=2))
    socket.create_server(("127.0.0.1", first)).close()


def test_workers_share_a_port_of_their_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bound = bind(config_for(tmp_path, f"127.0.0.1:{port}", workers=2))
    try:
        assert [[sock.getsockname()[1] for sock in worker] for worker in bound.listeners] == [[port], [port]]
    finally:
        for worker in bound.listeners:
            for sock in worker:
                sock.close()


def test_an_address_that_this_machine_lacks_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no address 192\.0\.2\.1; choose one that it has") as refused:
        bind(config_for(tmp_path, "192.0.2.1:2525", workers=2))
    assert "stop that program" not in str(refused.value)


def test_workers_that_a_killed_supervisor_left_behind_do_not_stop_the_next_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = config_for(tmp_path, f"127.0.0.1:{port}", workers=2)
    for folder, is_ours in ((config.data, True), (tmp_path / "somebody-elses", False)):
        folder.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", LEFT_BEHIND, str(port), str(folder / "0.sqlite")], stdout=subprocess.PIPE
        ) as left:
            assert left.stdout is not None
            left.stdout.readline()
            try:
                if is_ours:
                    bind(config)
                else:
                    with pytest.raises(StartError):
                        bind(config)
            finally:
                left.kill()


LEFT_BEHIND = """\
import socket, sys, time
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.listen()
file = open(sys.argv[2], "w")
print("listening", flush=True)
time.sleep(60)
"""
