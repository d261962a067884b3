"""The demo's child processes.

Each child leads a process group of its own: Ctrl-C at the terminal reaches the demo alone, which then ends every
group, the workers of a server included, and can tell that none is left.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from gatepost.demo.signals import undisturbed
from gatepost.demo.waiting import Setback, wait_for

_START_PATIENCE_S = 20.0
_STOP_PATIENCE_S = 8.0
_KILL_PATIENCE_S = 2.0


class Child:
    """A server; what it says goes to a file."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
        self.name = name
        self._process = process
        self._output = output

    def wait_until_says(self, pattern: str) -> str:
        """The first line in which `pattern` is found."""

        def said() -> str | None:
            lines = self._output.read_text("utf-8", "replace").splitlines()
            found = next((line for line in lines if re.search(pattern, line)), None)
            if found is None and self._process.poll() is not None:
                last = lines[-1] if lines else "without a word"
                raise Setback(f"{self.name} ended with exit code {self._process.returncode}: {last}")
            return found

        return wait_for(said, f"{self.name} to say '{pattern}' in {self._output}", _START_PATIENCE_S)

    def terminate(self) -> None:
        """Ask the server to end; it tells its workers itself."""
        self._process.terminate()

    def kill(self) -> None:
        """End its whole family."""
        self._signal_group(signal.SIGKILL)

    def lives(self) -> bool:
        """Whether any process of its family is left."""
        self._process.poll()
        return self._signal_group(0)

    def _signal_group(self, number: int) -> bool:
        """Whether there was anybody to get it."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True


class Processes:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._children: list[Child] = []

    def start(self, name: str, folder: Path, *arguments: str) -> Child:
        """Run `python ARGUMENTS` in `folder`."""
        output = folder / "output.log"
        with output.open("ab") as out, undisturbed():
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            child = Child(name, process, output)
            self._children.append(child)
        return child

    def stop(self) -> None:
        """End all, politely first; raises `Setback` if one is left in spite of all."""
        for child in reversed(self._children):
            child.terminate()
        stubborn = self._left_after(_STOP_PATIENCE_S)
        for child in stubborn:
            child.kill()
        left = self._left_after(_KILL_PATIENCE_S)
        self._children = left
        if left:
            raise Setback(f"still running: {', '.join(child.name for child in left)}")
        if stubborn:
            raise Setback(f"had to be killed: {', '.join(child.name for child in stubborn)}")

    def _left_after(self, patience_s: float) -> list[Child]:
        deadline = time.monotonic() + patience_s
        while (left := [child for child in self._children if child.lives()]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left
