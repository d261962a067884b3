"""A face ends with the supervisor that started it."""

import subprocess
import sys
from pathlib import Path

from pki import Pki

RUN = """\
import sys
from pathlib import Path
from gatepost.config import read
from gatepost.https.process import run
config = read(Path(sys.argv[1]))
sys.exit(run(config, "console", lambda config: config.console, lambda *_: None, [int(each) for each in sys.argv[2:]]))
"""


def configured(folder: Path, certificate: str, key: str) -> str:
    file = folder / "gatepost.toml"
    file.write_text(
        f'hostname = "relay.example.net"\n[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
        '[[listener]]\naddress = "127.0.0.1:2525"\n[console]\naddress = "127.0.0.1:8444"\n'
    )
    return str(file)


def test_a_certificate_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, configured(tmp_path, "none.pem", "none.key"), "9", "9"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("gatepost: console: the certificate cannot be loaded:")
    assert done.stderr.count("\n") == 1


def test_it_says_that_it_serves_and_ends_when_its_supervisor_does(tmp_path: Path) -> None:
    issued = Pki(tmp_path / "pki").leaf("relay.example.net")
    supervisor = (
        "import os, socket, subprocess, sys\n"
        "ready, said = os.pipe()\n"
        "sock = socket.create_server(('127.0.0.1', 0))\n"
        "fds = (said, sock.fileno())\n"
        "subprocess.Popen([sys.executable, '-c', *sys.argv[1:], *map(str, fds)], pass_fds=fds)\n"
        "os.close(said)\n"
        "print(os.read(ready, 1).decode(), flush=True)\n"
    )
    file = configured(tmp_path, str(issued.chain_file), str(issued.key_file))
    # What it inherits stays open until the last of them has ended: reading to the end waits for the child.
    done = subprocess.run([sys.executable, "-c", supervisor, RUN, file], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n"
