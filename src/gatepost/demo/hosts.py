"""A host of the demo: a folder in which Gatepost is set up and run by its own commands."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatepost.demo.processes import Child, Processes
from gatepost.demo.signals import undisturbed
from gatepost.demo.waiting import Setback

_COMMAND_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A command that was run, and what it said."""

    prompt: str
    words: tuple[str, ...]
    output: tuple[str, ...]
    exit_code: int

    @property
    def text(self) -> str:
        return "\n".join(self.output)


class Host:
    def __init__(
        self, name: str, folder: Path, port: int, processes: Processes, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.folder = folder
        self.port = port
        self._server: Child | None = None
        self._processes = processes
        self._environment = environment

    def run(self, *arguments: str) -> CommandLine:
        """`gatepost ARGUMENTS`, typed in the host's folder."""
        try:
            with undisturbed():
                done = subprocess.run(
                    [sys.executable, "-m", "gatepost", *arguments],
                    cwd=self.folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=_COMMAND_PATIENCE_S,
                    # Ctrl-C is for the demo, which then ends in an orderly way.
                    start_new_session=True,
                )
        except subprocess.TimeoutExpired:
            raise Setback(f"gatepost {' '.join(arguments)} took longer than {_COMMAND_PATIENCE_S:.0f} s") from None
        return CommandLine(
            prompt=self.name,
            words=("gatepost", *arguments),
            output=tuple(done.stdout.decode("utf-8", "replace").rstrip("\n").split("\n")),
            exit_code=done.returncode,
        )

    def configure(self, replacements: Sequence[tuple[str, str]]) -> None:
        """Edit gatepost.toml: each pattern stands for one line of it."""
        file = self.folder / "gatepost.toml"
        text = file.read_text("utf-8")
        for pattern, line in replacements:
            text, count = re.subn(rf"(?m)^{pattern}.*$", line, text)
            if count != 1:
                raise Setback(f"{file} has no line that begins with {pattern}")
        file.write_text(text, "utf-8")

    def serve(self) -> CommandLine:
        """`gatepost serve`, until the demo ends."""
        self._server = self._processes.start(self.name, self.folder, "-m", "gatepost", "serve")
        ready = self._server.wait_until_says(rf"listening on 127\.0\.0\.1:{self.port} ")
        return CommandLine(prompt=self.name, words=("gatepost", "serve"), output=(ready,), exit_code=0)

    def wait_until_says(self, pattern: str) -> str:
        """The first line of the server's log in which `pattern` is found."""
        if self._server is None:
            raise Setback(f"{self.name} is not running")
        return self._server.wait_until_says(pattern)
