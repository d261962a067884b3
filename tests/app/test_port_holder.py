"""Who holds a port: real sockets of real processes."""

import socket
import subprocess
import sys
from pathlib import Path

from gatepost.app.port_holder import holders_files, port_holder

LISTEN = """\
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_the_program_that_listens_is_named_with_its_process() -> None:
    with subprocess.Popen([sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        port = int(listener.stdout.readline())
        holder = port_holder(port)
        listener.communicate()
    assert holder is not None
    assert holder.startswith("python")
    assert holder.endswith(f"(process {listener.pid})")


def test_a_free_port_has_no_holder() -> None:
    with socket.socket() as bound:
        # Bound, and so nobody else's, but not listening.
        bound.bind(("127.0.0.1", 0))
        assert port_holder(bound.getsockname()[1]) is None


def test_an_address_of_ipv6_is_looked_at_too() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        assert port_holder(listener.getsockname()[1]) is not None


def test_what_it_has_open_is_known(tmp_path: Path) -> None:
    with (tmp_path / "a-file").open("w"), socket.create_server(("127.0.0.1", 0)) as listener:
        [files] = holders_files(listener.getsockname()[1])
    assert (tmp_path / "a-file").resolve() in files
