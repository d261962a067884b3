"""A face ends with the supervisor that started it."""

import subprocess
import sys
from pathlib import Path

from pki import Pki


def test_a_certificate_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    config = (
        'hostname = "relay.example.net"\n[tls]\ncertificate = "none.pem"\nkey = "none.key"\n'
        '[[listener]]\naddress = "127.0.0.1:2525"\n[console]\naddress = "127.0.0.1:8444"\n'
    )
    command = [sys.executable, "-m", "gatepost.console", str(tmp_path / "gatepost.toml"), "9", "9"]
    done = subprocess.run(command, input=config, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("gatepost: console: the certificate cannot be loaded:")
    assert done.stderr.count("\n") == 1


def test_it_says_that_it_serves_and_ends_when_its_supervisor_does(tmp_path: Path) -> None:
    issued = Pki(tmp_path / "pki").leaf("relay.example.net")
    config = (
        f'hostname = "relay.example.net"\n[tls]\ncertificate = "{issued.chain_file}"\nkey = "{issued.key_file}"\n'
        '[[listener]]\naddress = "127.0.0.1:2525"\n[console]\naddress = "127.0.0.1:8444"\n'
    )
    supervisor = (
        "import os, socket, subprocess, sys\n"
        "ready, said = os.pipe()\n"
        "sock = socket.create_server(('127.0.0.1', 0))\n"
        "fds = (said, sock.fileno())\n"
        "command = [sys.executable, '-m', 'gatepost.console', sys.argv[1], *map(str, fds)]\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=fds)\n"
        "child.stdin.write(sys.stdin.buffer.read())\n"
        "child.stdin.close()\n"
        "os.close(said)\n"
        "print(os.read(ready, 1).decode(), flush=True)\n"
    )
    command = [sys.executable, "-c", supervisor, str(tmp_path / "gatepost.toml")]
    # What it inherits stays open until the last of them has ended: reading to the end waits for the child.
    done = subprocess.run(command, input=config, capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n"
