"""Processes that a launcher has forked, seen from their supervisor. What they do here stands in a module of its own."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatepost.app.launcher import Launched, Launcher, LauncherEnded
from gatepost.config import Config, parse

TEXT = 'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n'
PR_GET_CHILD_SUBREAPER = 37
WORK = """\
import json, os, sys
from pathlib import Path

def main(config, arguments, descriptors):
    said = {
        "host": config.hostname,
        "arguments": list(arguments),
        "parent": os.getppid(),
        "called": Path("/proc/self/comm").read_text().strip(),
        "descriptors": len(descriptors),
        "loaded": "gatepost.app.worker" in sys.modules,
    }
    os.write(descriptors[0], json.dumps(said).encode())
    os.close(descriptors[0])
    if arguments == ["wait"]:
        os.read(descriptors[1], 1)
    return 7
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    (tmp_path / "work_for_a_test.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    return parse(tmp_path / "gatepost.toml", TEXT)


class Supervisor:
    """What the supervisor of `serve` does with a launcher."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.launched: list[Launched] = []
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._look)

    def _look(self) -> None:
        for each in self.launched:
            each.look()

    async def launch(self, *arguments: str, besides: Sequence[int] = ()) -> tuple[Launched, dict[str, Any]]:
        """A process, and what it said."""
        told, tell = os.pipe()
        launched = await self.launcher.launch("a-name", "work_for_a_test", arguments, (tell, *besides))
        self.launched.append(launched)
        os.close(tell)
        with os.fdopen(told) as said:
            return launched, json.loads(await asyncio.to_thread(said.read))


@asynccontextmanager
async def supervising(config: Config) -> AsyncIterator[Supervisor]:
    async with asyncio.timeout(60), aclosing(await Launcher.start(config)) as launcher:
        yield Supervisor(launcher)


def test_a_process_has_the_program_loaded_and_the_supervisor_for_a_parent_which_hears_how_it_ends(
    config: Config,
) -> None:
    async def run() -> None:
        async with supervising(config) as supervisor:
            for arguments in (("one",), ("two", "of them")):
                process, said = await supervisor.launch(*arguments)
                assert said == {
                    "host": "relay.example.net",
                    "arguments": list(arguments),
                    "parent": os.getpid(),
                    "called": "a-name",
                    "descriptors": 1,
                    "loaded": True,
                }
                assert await process.wait() == 7

    asyncio.run(run())


def test_its_configuration_is_the_one_the_supervisor_has(config: Config) -> None:
    """Whatever stands in the file meanwhile."""
    config.file.write_text("something else")

    async def run() -> None:
        async with supervising(config) as supervisor:
            _, said = await supervisor.launch()
            assert said["host"] == "relay.example.net"

    asyncio.run(run())


def test_it_gets_more_descriptors_than_pass_at_once(config: Config) -> None:
    async def run() -> None:
        nowhere = [os.open(os.devnull, os.O_RDONLY) for _ in range(600)]
        async with supervising(config) as supervisor:
            _, said = await supervisor.launch(besides=nowhere)
            assert said["descriptors"] == 601
        for each in nowhere:
            os.close(each)

    asyncio.run(run())


def test_one_outlives_the_launcher_and_its_end_by_a_signal_is_heard(config: Config) -> None:
    async def run() -> None:
        waits, wake = os.pipe()
        async with supervising(config) as supervisor:
            process, said = await supervisor.launch("wait", besides=(waits,))
        assert said["parent"] == os.getpid() and process.returncode is None
        process.send_signal(signal.SIGKILL)
        assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
        process.send_signal(signal.SIGKILL)
        for each in (waits, wake):
            os.close(each)

    asyncio.run(run())


def test_orphans_are_the_supervisors_only_while_a_launcher_may_make_some(config: Config) -> None:
    def takes_orphans() -> bool:
        answer = ctypes.c_int()
        ctypes.CDLL(None).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
        return bool(answer.value)

    async def run() -> None:
        async with supervising(config):
            async with supervising(config):
                assert takes_orphans()
            assert takes_orphans()
        assert not takes_orphans()

    asyncio.run(run())


def test_what_a_launcher_was_asked_for_before_it_ended_early_has_ended_like_it(config: Config) -> None:
    broken = replace(config, text=TEXT.replace("hostname", "hostnam"))

    async def run() -> None:
        async with supervising(broken) as supervisor:
            with pytest.raises(LauncherEnded) as ended:
                await supervisor.launch()
            assert ended.value.code == 1

    asyncio.run(run())


def test_one_that_does_not_answer_is_killed_and_has_ended(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.app.launcher._PATIENCE_S", 0.1)

    async def run() -> None:
        async with supervising(config) as supervisor:
            supervisor.launcher._process.send_signal(signal.SIGSTOP)
            told, tell = os.pipe()
            with pytest.raises(LauncherEnded) as ended:
                await supervisor.launcher.launch("a-name", "work_for_a_test", (), (tell,))
            assert ended.value.code == -signal.SIGKILL
            os.close(told)
            os.close(tell)

    asyncio.run(run())


def test_its_configuration_is_utf_8_wherever_it_runs(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    async def run() -> None:
        async with supervising(replace(config, text=f"# für uns\n{TEXT}")) as supervisor:
            _, said = await supervisor.launch()
            assert said["host"] == "relay.example.net"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("hindrance", "said"),
    [
        # The process between the two cannot fork.
        ("os.fork = lambda: real() if os.getpid() == ours else fails()", "[Errno 11] Resource temporarily unavailable"),
        ("os.fork = lambda: real() if os.getpid() == ours else os.kill(os.getpid(), 9)", "was killed"),
        # The launcher ends before it knows of the new one, which does not go on alone.
        ("os.waitpid = lambda *_: os._exit(0)", ""),
    ],
)
def test_a_process_that_nobody_knows_of_does_not_go_on_and_who_asked_for_it_does_not_wait(
    hindrance: str, said: str
) -> None:
    program = f"""
import os
from gatepost.app import launcher

def fails():
    raise BlockingIOError(11, "Resource temporarily unavailable")

ours, real = os.getpid(), os.fork
{hindrance}
try:
    print("forked", launcher._forked(), flush=True)
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert said in done.stdout and "forked" not in done.stdout, done
