"""How the processes of `gatepost serve` come to be: one loads the program, the others are forked from it.

    supervisor --(module, arguments, descriptors)--> launcher --fork--> worker, API, console, metrics, alarms
    supervisor <-------------(process id)----------- launcher

Loading takes ten times as long as the rest of a worker's start, and what is loaded once is in memory once. A launcher
lives as long as its processes take to start. The first is forked from the supervisor, which has loaded much already;
whatever is started later has a launcher of its own, which loads the program as it is on disk then. That one reads what
stood in the configuration file from standard input, as the supervisor read it: a process that is started again serves
the same listeners, however far somebody has got with editing the file.

Laws: the supervisor is the parent of every process, which ends when it does (`os.getppid`), and hears of every end; a
launcher that ends early is an end of what it was asked for; it ends with the supervisor.
"""

import asyncio
import ctypes
import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from gatepost import config as configuration
from gatepost.config import Config
from gatepost.errors import GatepostError

_LOADED: Final = ("uvloop", "gatepost.app.worker")
"""What every process, or nearly every one, is made of."""
_LARGEST_REQUEST: Final = 4096
_MOST_DESCRIPTORS: Final = 250
"""Linux passes 253 at once (unix(7))."""
_PATIENCE_S: Final = 60.0
"""Loading takes a second or two; one that takes so long is stuck."""
_MORE: Final = b"descriptors"
"""Says that they are a request's that follows."""
# prctl(2)
_SET_DUMPABLE: Final = 4
_SET_NAME: Final = 15
_SET_CHILD_SUBREAPER: Final = 36


class LauncherEnded(GatepostError):
    """Before it had started what it was asked for."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Launched:
    """A process that the supervisor's launcher has forked. `look` must be called whenever a child may have ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self.look()

    def look(self) -> None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        self.look()
        if self.returncode is None:
            os.kill(self.pid, number)


class Launcher:
    """The supervisor's side."""

    _living = 0

    def __init__(self, process: "asyncio.subprocess.Process | Launched", channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._channel.setblocking(False)
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    def fork(cls, config: Config) -> Self:
        """To be called before this process has threads or a loop. `look` must be called as for a `Launched`."""
        cls._lives(1)
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _begin_forked(config, its)
        its.close()
        return cls(Launched(pid), ours)

    @classmethod
    async def start(cls, config: Config) -> Self:
        """Raises `OSError`."""
        cls._lives(1)
        try:
            ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with its:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", __name__, str(config.file), str(its.fileno())),
                    pass_fds=(its.fileno(),),
                    stdin=asyncio.subprocess.PIPE,
                )
        except OSError:
            cls._lives(-1)
            raise
        assert process.stdin is not None
        process.stdin.write(config.text.encode())
        process.stdin.close()
        return cls(process, ours)

    def look(self) -> None:
        if isinstance(self._process, Launched):
            self._process.look()

    async def aclose(self) -> None:
        """After what it was asked for has come to be."""
        async with self._one_at_a_time:
            self._channel.close()
        await self._end()
        self._lives(-1)

    async def _end(self) -> int:
        try:
            return await asyncio.wait_for(self._process.wait(), _PATIENCE_S)
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def kill(self) -> None:
        """What it was asked for and has not started never comes to be."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    @staticmethod
    def _lives(one: int) -> None:
        """What loses its parent while a launcher lives is the supervisor's child: later it would be what a killed child
        had started, for which nobody waits."""
        Launcher._living += one
        _prctl(_SET_CHILD_SUBREAPER, int(Launcher._living > 0))

    async def launch(self, name: str, module: str, arguments: Sequence[str], descriptors: Sequence[int]) -> Launched:
        """`main(config, arguments, descriptors)` of a module, in a process called `name`. Raises `LauncherEnded`,
        `OSError`."""
        request = json.dumps({"name": name, "module": module, "arguments": list(arguments)}).encode()
        async with self._one_at_a_time:
            with suppress(ConnectionError):
                for start in range(0, len(descriptors), _MOST_DESCRIPTORS):
                    few = descriptors[start : start + _MOST_DESCRIPTORS]
                    socket.send_fds(self._channel, [_MORE], list(few))
                self._channel.send(request)
                try:
                    answer = asyncio.get_running_loop().sock_recv(self._channel, _LARGEST_REQUEST)
                    if pid := await asyncio.wait_for(answer, _PATIENCE_S):
                        return Launched(int(pid))
                except TimeoutError:
                    self.kill()
        raise LauncherEnded(await self._end())


def _prctl(option: int, value: int | bytes) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


# The launcher's side.


def main(arguments: list[str]) -> NoReturn:
    file, channel = arguments
    _launch_what_is_asked_for(
        configuration.parse(Path(file), sys.stdin.buffer.read().decode()), socket.socket(fileno=int(channel))
    )


def _begin_forked(config: Config, channel: socket.socket) -> NoReturn:
    """With what `exec` would have left it. Nothing of the supervisor's is ever freed here: it is the supervisor's."""
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for each in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
            if each > 2 and each != channel.fileno():
                with suppress(OSError):
                    os.close(each)
        # Whoever has become another user could not be looked at by that user.
        _prctl(_SET_DUMPABLE, 1)
        _launch_what_is_asked_for(config, channel)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _launch_what_is_asked_for(config: Config, asked: socket.socket) -> NoReturn:
    # Ctrl-C at the terminal reaches all of a group; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in _LOADED:
        with suppress(ModuleNotFoundError):
            import_module(module)
    # The collector writes to what it looks at, and memory that is written to is no longer shared.
    gc.collect()
    gc.freeze()
    while True:
        request, descriptors = _received(asked)
        if not request:
            _end(0)
        try:
            pid = _forked()
        except OSError as error:
            _say(f"no process can be started: {error}; free memory, or raise the limit of processes (TasksMax=)")
            _end(1)
        if not pid:
            break
        for each in descriptors:
            os.close(each)
        asked.send(str(pid).encode())
    asked.close()
    _end(_work(config, descriptors, **json.loads(request)))


def _say(text: str) -> None:
    print(f"gatepost: {text}", file=sys.stderr)  # noqa: T201 - the only face this process has


def _end(code: int) -> NoReturn:
    """At once: taking the interpreter down writes to all the memory that is shared, and takes longer than the fork."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _received(asked: socket.socket) -> tuple[bytes, list[int]]:
    """The next request with its descriptors; nothing, once the supervisor wants no more."""
    descriptors: list[int] = []
    while True:
        message, few, _, _ = socket.recv_fds(asked, _LARGEST_REQUEST, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        descriptors += few
        if message != _MORE:
            return message, descriptors


def _work(config: Config, descriptors: list[int], *, name: str, module: str, arguments: list[str]) -> int:
    _prctl(_SET_NAME, name.encode())
    work: Any = import_module(module)
    code: int = work.main(config, arguments, descriptors)
    return code


def _forked() -> int:
    """The id of a new process; 0 in that process, once the supervisor is its parent.

    A process between the two ends at once: the new one then has no parent but the supervisor. It goes on once it is
    told to, and ends where nobody knows of it. Raises `OSError`.
    """
    told, tell = os.pipe()
    begin, hold = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            if new := os.fork():
                os.write(tell, str(new).encode())
                os._exit(0)
        except OSError as error:
            os._exit(error.errno or 1)
        for each in (told, tell, hold):
            os.close(each)
        if not os.read(begin, 1):
            os._exit(1)
        os.close(begin)
        return 0
    # Nobody writes any more once the process between has ended.
    os.close(tell)
    code = os.waitstatus_to_exitcode(os.waitpid(between, 0)[1])
    pid = os.read(told, _LARGEST_REQUEST)
    if not pid:
        raise OSError(code, os.strerror(code)) if code > 0 else ChildProcessError("the process between was killed")
    with suppress(BrokenPipeError):
        os.write(hold, b"1")
    for each in (told, begin, hold):
        os.close(each)
    return int(pid)


if __name__ == "__main__":
    main(sys.argv[1:])
