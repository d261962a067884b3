"""A whole Gatepost in a folder of its own: set up by its commands, run as its processes, spoken to over sockets.

    relay = Installation(folder, pki)
    relay.init()
    relay("tenant", "add", "contoso")
    with relay.serving():
        …
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import re
import signal
import socket
import subprocess
import sys
import time
from typing import Any

PATIENCE_S = 30 * float(os.environ.get("GATEPOST_TEST_PATIENCE", "1"))
"""How long a process may take before a test gives up on it: never what a test measures."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Installation:
    folder: Path
    hostname: str = "relay.example.net"
    settings: str = ""
    """Lines for the end of the listener's table in gatepost.toml."""
    top_settings: str = ""
    """Lines for the head of gatepost.toml."""
    client_roots: Path | None = None
    workers: int = 2
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.folder / "gatepost.toml"

    @property
    def output(self) -> Path:
        return self.folder / "serve.out"

    def init(self, *options: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self("init", "--hostname", self.hostname, *options)
        self.write_config()

    def write_config(self) -> None:
        roots = f'client_roots = "{self.client_roots}"\n' if self.client_roots else ""
        self.config.write_text(
            f'hostname = "{self.hostname}"\ndata = "data"\nworkers = {self.workers}\n{self.top_settings}\n'
            f'[tls]\ncertificate = "server.pem"\nkey = "server.key"\n{roots}\n'
            f'[[listener]]\naddress = "127.0.0.1:{self.port}"\n{self.settings}\n',
            "utf-8",
        )

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        """Run one command; its standard output."""
        done = self.run(*arguments)
        assert done.returncode == expect, f"gatepost {' '.join(arguments)}: exit {done.returncode}: {done.stderr}"
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gatepost", "--config", str(self.config), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def json(self, *arguments: str, expect: int | None = 0) -> Any:
        done = self.run(*arguments, "--json")
        if expect is not None:
            assert done.returncode == expect, f"gatepost {' '.join(arguments)}: exit {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def start(self) -> None:
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gatepost", "--config", str(self.config), "serve"],
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.wait_for_output(rf"listening on 127\.0\.0\.1:{self.port}\b")

    def wait_for_output(self, pattern: str) -> None:
        def said() -> bool:
            if re.search(pattern, self.output.read_text("utf-8", "replace")):
                return True
            assert self.process is not None
            assert self.process.poll() is None, f"gatepost serve ended:\n{self.output.read_text()}"
            return False

        wait_until(said, f"serve to say {pattern}; it said:\n{self.output.read_text('utf-8', 'replace')}")

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None

    @contextmanager
    def serving(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()
            print(self.output.read_text("utf-8", "replace")[-6000:])

    def worker_pids(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]


def wait_until(condition: Any, what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.02)
