"""Processes of Gatepost without the half second that each takes to load the program: forked from one that has.

    process = start("--config", file, "serve", folder=folder, stdout=log, stderr=log)
    done = run("--config", file, "status", folder=folder, within_s=30)

Such a process is one of its own in every respect, the leader of its session, and runs what `python -m gatepost` runs.
Where the beginning of a process is what a test is about, its interpreter or its environment, it starts one itself.

The one that has loaded the program is a child of the tests' process and ends with it. It answers a request (arguments
and folder; standard output, standard error, and a pipe to say on how it ended) with the number of the new process.
"""

import atexit
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

LARGEST_REQUEST = 64 * 1024
LOADED = (
    *("gatepost.__main__", "gatepost.cli.main", "gatepost.cli.serve", "typer._adapters", "pydantic.main"),
    *("gatepost.app.supervisor", "gatepost.app.worker", "gatepost.app.admin_wiring", "uvloop"),
)


class Process:
    """What a test does with a `subprocess.Popen`."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("gatepost", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, within_s: float | None) -> int | None:
        if self.returncode is None and is_readable(self._ended, within_s):
            self.returncode = int(os.read(self._ended, 16))
            os.close(self._ended)
        return self.returncode


def is_readable(descriptor: int, within_s: float | None) -> bool:
    """`select` would refuse a number beyond 1023, which a long run of tests gets to."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if within_s is None else within_s * 1000))


def start(*arguments: str, folder: Path, stdout: IO[Any], stderr: IO[Any], **environment: str) -> Process:
    """`environment`: besides ours as it is now; what the interpreter itself reads comes too late."""
    told, tell = os.pipe()
    request = {"arguments": arguments, "folder": str(folder), "environment": {**os.environ, **environment}}
    channel = _loaded()
    socket.send_fds(channel, [json.dumps(request).encode()], [stdout.fileno(), stderr.fileno(), tell])
    os.close(tell)
    return Process(int(channel.recv(LARGEST_REQUEST)), told)


def run(*arguments: str, folder: Path, within_s: float, **environment: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = start(*arguments, folder=folder, stdout=out, stderr=err, **environment)
        try:
            code = process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


@cache
def _loaded() -> socket.socket:
    """The channel to the process that has loaded the program; when it is closed, that process ends."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "end_to_end.loaded_gatepost", str(its.fileno())]
    process = subprocess.Popen(command, pass_fds=(its.fileno(),), stdin=subprocess.DEVNULL, env=environment)
    its.close()
    atexit.register(_end, process, ours)
    return ours


def _end(process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
    channel.close()
    process.wait()


# In that process.


def main(channel: socket.socket) -> None:
    for module in LOADED:
        with suppress(ModuleNotFoundError):
            importlib.import_module(module)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([channel, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _tell_ends(running)
        if channel in ready:
            request, descriptors, _, _ = socket.recv_fds(channel, LARGEST_REQUEST, 3, socket.MSG_CMSG_CLOEXEC)
            if not request:
                return
            pid = os.fork()
            if not pid:
                _become_gatepost(json.loads(request), descriptors)
            for each in descriptors[:2]:
                os.close(each)
            running[pid] = descriptors[2]
            channel.send(str(pid).encode())


def _tell_ends(running: dict[int, int]) -> None:
    for pid, tell in list(running.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            # Whoever started it may have stopped asking.
            with suppress(BrokenPipeError):
                os.write(tell, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(tell)
            del running[pid]


def _become_gatepost(request: dict[str, Any], descriptors: Sequence[int]) -> None:
    """As the beginning of a process: nothing of this one's is left but what it has loaded."""
    code: Any = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for target, each in enumerate(descriptors[:2], start=1):
            os.dup2(each, target)
        os.closerange(3, 1024)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.argv = ["gatepost", *request["arguments"]]
        importlib.import_module("gatepost.__main__").main()
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as ours:
        main(ours)
