"""Gatepost as an operator has it: a folder, a `gatepost.toml`, the commands, and `serve` running."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers import DIES_WITH_US, stop, wait_for_greeting

from end_to_end.installation import in_this_process


class RelayError(Exception):
    """A command of Gatepost did not do what the check needs; its own line says why."""


class Relay:
    """One instance in `folder`. Everything is said to it by its commands and its `gatepost.toml`."""

    def __init__(self, folder: Path, *, hostname: str = "relay.example.net") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.output = folder / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.command("init", "--data", str(folder / "data"), "--hostname", hostname, config=False)
        self._hostname = hostname

    def configure(self, *, ports: tuple[int, ...], tls: Mapping[str, Path], more: str = "", after: str = "") -> None:
        """Replaces the `gatepost.toml` that `init` wrote: these listeners on the loopback, this certificate."""
        lines = [f'hostname = "{self._hostname}"', 'data = "data"', more, "[tls]"]
        lines += [f'{key} = "{path}"' for key, path in tls.items()]
        for port in ports:
            lines += ["[[listener]]", f'address = "127.0.0.1:{port}"']
        (self.folder / "gatepost.toml").write_text("\n".join([*lines, after]) + "\n")
        self._ports = ports

    def command(self, *words: str, config: bool = True, status: int = 0) -> str:
        done = subprocess.run(
            [*_program(), *(("--config", "gatepost.toml") if config else ()), *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        return _output_of(words, done, status)

    def set_up(self, *words: str) -> None:
        """The same in this process: a scene takes a dozen of them, and none of them is what is looked at."""
        _output_of(words, in_this_process("--config", str(self.folder / "gatepost.toml"), *words), 0)

    def answer(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.command(*words, "--json", status=status))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(
        self, environment: Mapping[str, str] | None = None, *, under: Sequence[str] = (), seconds: float = 30.0
    ) -> None:
        """`environment`: variables beside our own; `under`: a program that runs it; `seconds`: until it greets."""
        with self.output.open("ab") as stream:
            self._process = subprocess.Popen(
                [*DIES_WITH_US, *under, *_program(), "--config", "gatepost.toml", "serve"],
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        for port in self._ports:
            wait_for_greeting(port, self._process, self.output, seconds)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)

    def protocol_log(self, side: str) -> str:
        """All of one side's protocol log, `send` or `receive`."""
        return "".join(
            path.read_text(encoding="utf-8-sig")
            for path in sorted(self.folder.glob(f"data/protocol-log/{side}/**/*.LOG"))
        )


def _output_of(words: tuple[str, ...], done: "subprocess.CompletedProcess[str]", status: int) -> str:
    if done.returncode != status:
        line = (done.stderr.strip().splitlines() or ["nothing on standard error"])[-1]
        raise RelayError(f"gatepost {' '.join(words)}: exit status {done.returncode}: {line}")
    return done.stdout


def _program() -> list[str]:
    beside = Path(sys.executable).with_name("gatepost")
    if os.access(beside, os.X_OK):
        return [str(beside)]
    return [sys.executable, "-m", "gatepost"]
