"""A whole Gatepost in a folder of its own: set up by its commands, run as its processes, spoken to over sockets.

    relay = Installation(folder, client_roots=pki.roots_file)
    relay.init()
    relay("tenant", "add", "contoso")
    with relay.serving():
        …

Set-up commands run in this process, because a whole scene takes dozens of them, and so does `here`, which is for those
that are asked about often; `run` and `json` have a process of their own, and so has `serve` (`loaded_gatepost`, unless
a test asks for an interpreter or an environment of its own).
"""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from end_to_end import loaded_gatepost
from gatepost import config as configuration
from gatepost.cli import context
from gatepost.cli.main import run as run_command_line

PATIENCE_S = 30 * float(os.environ.get("GATEPOST_TEST_PATIENCE", "1"))
"""How long a process may take before a test gives up on it: never what a test measures."""

# Below the ports that the kernel gives to outgoing connections, so that none of these is taken between now and serving.
_PORTS = itertools.count(20_000 + os.getpid() % 100 * 100)


def free_port() -> int:
    for port in _PORTS:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("ports do not run out")


@dataclass
class Installation:
    folder: Path
    hostname: str = "relay.example.net"
    client_roots: Path | None = None
    workers: int = 2
    listeners: dict[str, str] = field(default_factory=lambda: {"main": ""})
    """What a test calls a listener, and the lines of its table in gatepost.toml besides the address. One called `six`
    is on ::1, the others are on 127.0.0.1."""
    top_settings: str = ""
    """Lines for the head of gatepost.toml."""
    tls_settings: str = ""
    """Lines for the end of [tls]."""
    api: bool = False
    """Whether the Management API is served, on a port of its own."""
    console: bool = False
    """Whether the console is served, on a port of its own."""
    console_host: str = "127.0.0.1"
    """What browsers call it."""
    tables: str = ""
    """Whole tables for the end of gatepost.toml."""
    ports: dict[str, int] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """What `serve` has in its environment besides ours."""
    python: Path = Path(sys.executable)
    process: "subprocess.Popen[bytes] | loaded_gatepost.Process | None" = None
    _output_from: int = 0

    @property
    def port(self) -> int:
        return self.port_of("main")

    def port_of(self, listener: str) -> int:
        if listener not in self.ports:
            self.ports[listener] = free_port()
        return self.ports[listener]

    def name_of(self, listener: str) -> str:
        """As `explain --listener` wants it."""
        return f"{'[::1]' if listener == 'six' else '127.0.0.1'}:{self.port_of(listener)}"

    @property
    def api_url(self) -> str:
        return f"https://{self.name_of('api')}"

    @property
    def console_url(self) -> str:
        return f"https://{self.console_host}:{self.port_of('console')}"

    @property
    def config(self) -> Path:
        return self.folder / "gatepost.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def settings(self) -> configuration.Config:
        return configuration.read(self.config)

    # Setting up

    def init(self, *options: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self("init", "--hostname", self.hostname, *options)
        self.write_config()

    def write_config(self) -> None:
        roots = f'client_roots = "{self.client_roots}"\n' if self.client_roots else ""
        listeners = "\n".join(
            f'[[listener]]\naddress = "{self.name_of(listener)}"\n{settings}\n'
            for listener, settings in self.listeners.items()
        )
        api = f'[api]\naddress = "{self.name_of("api")}"\nrequests_per_minute = 100000\n' if self.api else ""
        console = (
            f'[console]\naddress = "{self.name_of("console")}"\nurl = "{self.console_url}"\n' if self.console else ""
        )
        console += "requests_per_minute = 100000\n" if self.console else ""
        self.config.write_text(
            f'hostname = "{self.hostname}"\ndata = "data"\nworkers = {self.workers}\n{self.top_settings}\n'
            f'[tls]\ncertificate = "server.pem"\nkey = "server.key"\n{roots}{self.tls_settings}\n'
            f"{listeners}\n{api}{console}{self.tables}\n",
            "utf-8",
        )

    # Commands

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        """One command in this process; what it printed."""
        done = in_this_process("--config", str(self.config), *arguments)
        assert done.returncode == expect, f"gatepost {' '.join(arguments)}: exit {done.returncode}: {done.stderr}"
        return done.stdout

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command in this process, from the folder, however it ends."""
        with chdir(self.folder):
            return in_this_process("--config", str(self.config), *arguments)

    def serve_in_vain(self) -> subprocess.CompletedProcess[str]:
        """`serve` in this process, where it is to end before it begins."""
        mask = os.umask(0o022)
        try:
            return self.here("serve")
        finally:
            os.umask(mask)

    def told(self, *arguments: str, expect: int = 0) -> Any:
        """What a command prints with --json."""
        return json.loads(self(*arguments, "--json", expect=expect))

    def told_whatever(self, *arguments: str) -> Any:
        """What a command with `--json` says, whether that is good or bad."""
        return json.loads(self.here(*arguments, "--json").stdout)

    def run(self, *arguments: str, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """One command as a process of its own."""
        return loaded_gatepost.run("--config", str(self.config), *arguments, folder=self.folder, within_s=timeout_s)

    def json(self, *arguments: str, expect: int = 0) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == expect, f"gatepost {' '.join(arguments)}: exit {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def _command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-m", "gatepost", "--config", str(self.config), *arguments]

    # Serving

    @contextmanager
    def serving(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()

    def start(self) -> None:
        output = self.folder / "serve.out"
        with output.open("ab") as out:
            self._output_from = out.tell()
            self.process = self._started(out)
        try:
            for listener in self.listeners:
                self.wait_for_output(rf"listening on {re.escape(self.name_of(listener))} ")
            if self.api:
                self.wait_for_output("Management API on https://")
        except BaseException:
            with suppress(ProcessLookupError):  # It may have ended by itself.
                self.kill()
            raise

    def _started(self, out: IO[bytes]) -> "subprocess.Popen[bytes] | loaded_gatepost.Process":
        if self.environment or str(self.python) != sys.executable:
            return subprocess.Popen(
                self._command("serve"),
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        return loaded_gatepost.start("--config", str(self.config), "serve", folder=self.folder, stdout=out, stderr=out)

    def stop(self) -> None:
        """By SIGTERM, as systemd does it."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE_S + 20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.process = None
        assert code == 0, f"gatepost serve ended with {code}:\n{self.output[-6000:]}"
        _, found, rest = self.output.partition("Traceback")
        assert not found, f"gatepost serve said: Traceback{rest[:6000]}"

    def kill(self) -> None:
        """As if the power went: supervisor and workers at once, by SIGKILL."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    @property
    def output(self) -> str:
        """What `serve` has said since it was last started, or since `output_begins_here`."""
        with (self.folder / "serve.out").open("rb") as said:
            said.seek(self._output_from)
            return said.read().decode("utf-8", "replace")

    def output_begins_here(self) -> None:
        """What it has said so far is another test's."""
        self._output_from = (self.folder / "serve.out").stat().st_size

    def wait_for_output(self, pattern: str) -> None:
        def said() -> bool:
            if re.search(pattern, self.output):
                return True
            assert self.process is None or self.process.poll() is None, f"gatepost serve ended:\n{self.output}"
            return False

        wait_until(said, lambda: f"serve to say {pattern}; it said:\n{self.output[-6000:]}")

    def worker_pids(self) -> list[int]:
        """The workers, oldest first, then the API and the console."""
        return [pid for pid, name in self.processes() if name.startswith(("worker-", "api", "console", "metrics"))]

    def processes(self) -> list[tuple[int, str]]:
        """The children of `serve`, oldest first, by number and name."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        named = []
        for child in children:
            with suppress(OSError):
                named.append((int(child), Path(f"/proc/{child}/comm").read_text().strip()))
        return named

    def protocol_log(self, side: str) -> str:
        files = sorted((self.data / "protocol-log" / side).rglob("*.LOG"))
        return "".join(file.read_text("utf-8", "replace") for file in files)


def in_this_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, however it ends, without the third of a second that a process of its own takes to begin."""
    out, error = StringIO(), StringIO()
    context.config.cache_clear()
    with redirect_stdout(out), redirect_stderr(error):
        try:
            code: Any = run_command_line(list(arguments))
        except SystemExit as ended:
            code = ended.code or 0
    context.config.cache_clear()
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), error.getvalue())


def elsewhere(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, however it ends, where there is no configuration."""
    environment = {name: value for name, value in os.environ.items() if name != "GATEPOST_CONFIG"}
    with tempfile.TemporaryDirectory() as nowhere, chdir(nowhere), patch.dict(os.environ, environment, clear=True):
        return in_this_process(*arguments)


def wait_until(
    condition: Callable[[], Any], what: str | Callable[[], str], patience_s: float = PATIENCE_S, pause_s: float = 0.01
) -> Any:
    """What `condition` came to at last."""
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:.0f} s for {what if isinstance(what, str) else what()}")
        time.sleep(pause_s)
    return found
