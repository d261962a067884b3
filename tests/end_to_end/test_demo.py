"""`gatepost demo`: the story comes out, from any folder; and however it ends, nothing of it is left."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from end_to_end.installation import PATIENCE_S, wait_until
from soak import some

SOURCE = Path(__file__).parents[2] / "src"
STEPS = [
    "set-up",
    "mail-flows",
    "certificate-renewed",
    "why",
    "connector-changed",
    "address-changed",
    "stopped",
]


class Demo:
    """A demo that runs in a folder of its own, started from another."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder / "demo"
        elsewhere, self.temporary = folder / "elsewhere", folder / "temporary"
        elsewhere.mkdir()
        self.temporary.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(self.temporary)}
        for name in ("FORCE_COLOR", "COLUMNS"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gatepost", "demo", *options],
            cwd=elsewhere,
            env={**environment, "GATEPOST_CONFIG": "/nowhere/gatepost.toml"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        output, errors = self.process.communicate(timeout=PATIENCE_S * 3)
        return self.process.returncode, output, errors

    def wait_until_serving(self, folder: Path, machine: str) -> Path:
        """The folder of a machine whose server is ready."""

        def found() -> list[Path]:
            return [file for file in folder.glob(f"**/{machine}/output.log") if "listening" in file.read_text()]

        wait_until(found, f"the demo's {machine} to serve")
        return found()[0].parent


def running_in(folder: Path) -> list[str]:
    """The processes that were started in `folder` or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").readlink().is_relative_to(folder):
                found.append(process.joinpath("cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").readlink().is_relative_to(tmp_path):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


@pytest.mark.soak
@pytest.mark.parametrize("options", some([(), ("--console",)], 1, seed="demo"), ids=" ".join)
def test_the_whole_story_comes_out_and_nothing_is_left_running(folder: Path, options: tuple[str, ...]) -> None:
    """With its console the demo stays until it is told to go."""
    demo = Demo(folder, "--keep", str(folder / "demo"), *options)
    before = _told_to_go(demo) if options else ""
    exit_code, output, errors = demo.end()
    output = before + output
    assert (exit_code, errors) == (0, ""), output
    assert running_in(folder) == []
    assert "✗" not in output and "\x1b" not in output
    assert max(map(len, output.splitlines())) <= 80 or str(folder) in output
    assert all(f"{number} of {len(STEPS)}  " in output for number in range(1, len(STEPS) + 1))
    for told in (
        "Subject: Undeliverable",
        "certificate-name-matches-no-connector",
        "Expected mail.contoso.com; the client presented smtp.contoso.com.",
        "Sending certificate",
        "inbound-connector set contoso edge",
        "Bob has 'Saturday'",
        "127.0.0.3 is not listed by any enabled on-premises connector.",
        "inbound-connector set contoso scanner --address 127.0.0.3",
        "Bob has 'Invoice 2'",
        "none refused",
    ):
        assert told in output, told
    (bounce,) = demo.folder.glob("premises/*.eml")
    session = re.search(r"On relay\.example\.net: gatepost why ([0-9A-F]{16})", bounce.read_text())
    assert session and f"gatepost why {session[1]}" in output
    assert not options or "Every step succeeded" in output


def test_a_story_that_goes_another_way_says_where_and_is_kept(folder: Path) -> None:
    demo = Demo(folder, "--keep", str(folder / "demo"), "--json")
    relay = demo.wait_until_serving(folder, "relay")
    os.killpg(int((relay / "data" / "serve.lock").read_text()), signal.SIGKILL)
    exit_code, output, errors = demo.end()
    assert (exit_code, errors) == (1, "")
    assert running_in(folder) == []
    told = json.loads(output)
    assert not told["ok"] and Path(told["folder"]) == demo.folder
    assert [step["step"] for step in told["steps"]] == STEPS[: len(told["steps"])]
    *before, last = told["steps"]
    assert all(step["ok"] and step["problem"] is None for step in before)
    assert not last["ok"] and last["problem"]
    assert relay.exists()


@pytest.mark.parametrize(("number", "machine"), [(signal.SIGINT, "relay"), (signal.SIGTERM, "outside")])
def test_a_demo_that_is_stopped_takes_everything_with_it(number: signal.Signals, machine: str, folder: Path) -> None:
    demo = Demo(folder)
    demo.wait_until_serving(folder, machine)
    demo.process.send_signal(number)
    exit_code, _, errors = demo.end()
    assert exit_code == 130
    assert errors == "gatepost: the demo was stopped; nothing of it is left running\n"
    assert running_in(folder) == []
    assert list(demo.temporary.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(folder: Path) -> None:
    (folder / "demo").mkdir()
    (folder / "demo" / "mine").touch()
    exit_code, output, errors = Demo(folder, "--keep", str(folder / "demo")).end()
    assert (exit_code, output) == (2, "")
    assert errors.startswith("gatepost: --keep ") and errors.count("\n") == 1


def _told_to_go(demo: Demo) -> str:
    """What it has said by then."""
    assert demo.process.stdout is not None
    said = []
    for line in demo.process.stdout:
        said.append(line)
        if line.startswith("https://"):
            answer = httpx.get(line.strip(), verify=False)
            assert answer.status_code == 200 and "Set your password" in answer.text
        if "Ctrl-C" in line:
            break
    assert any(line.startswith("https://") for line in said)
    demo.process.send_signal(signal.SIGINT)
    return "".join(said)
