"""`gatepost serve`: binds the sockets, runs one worker a core, the Management API, the console, the metrics and the
alarms, and restarts what dies.

Started as root it takes the data folder and binds, then becomes the user of the configuration (`privileges`), and only
then starts anything.
The sockets stay with the supervisor. When a worker dies, connections that arrive meanwhile wait in the kernel for its
successor instead of being refused; and only this process needs the right to bind port 25.

SIGHUP replaces the workers, one place after the other: a successor starts on the same sockets, with the settings and
the program as they are on disk now, and with another queue for new mail. Once it serves, the predecessor is told to go;
it finishes what is in flight, and the successor takes over its queues when it lets go of them. A place has two numbers,
its own and that plus the number of places, so that the two differ in their logs and ids.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass, field

from gatepost import __version__
from gatepost import config as configuration
from gatepost.app import open_directory, open_editor, privileges
from gatepost.app.bind import Bound, bind
from gatepost.app.figures import snapshots
from gatepost.app.figures.health import is_live
from gatepost.app.launcher import Launched, Launcher, LauncherEnded
from gatepost.app.rolling_restart import RETIRE
from gatepost.app.service_manager import ServiceManager
from gatepost.app.shared_counts import SharedCounts, octets
from gatepost.app.start_checks import StartError, check, data_lock
from gatepost.config import Config, ConfigError, HttpsConfig, MetricsConfig
from gatepost.mail.session_id import MOST_WORKERS
from gatepost.queue.store import StoreError

_STOP_PATIENCE_S = 40.0
"""A worker lets transactions in flight finish for 30 s; then it is killed: what it acknowledged is on disk."""
_CALM_S = 10.0
"""A worker that lived so long is restarted at once; one that dies young waits a moment more each time."""


def supervise(config: Config) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code. Raises `StartError` when it cannot start."""
    os.umask(privileges.UMASK)
    account = privileges.account_to_become(config)
    if account:
        privileges.make_data_folder(config, account)
    with privileges.acting_as(account):
        for warning in check(config):
            _warn(warning)
        lock = data_lock(config)
    try:
        # Only whoever holds the data folder may look whose the ports are (`bind`).
        bound = bind(config)
        if account:
            privileges.become(account)
        # A directory that cannot be read is told now, once, and not by every worker.
        open_directory(config).close()
        _warn(privileges.warning_for_root(config))
        return asyncio.run(_Supervisor(config, bound, Launcher.fork(config)).run())
    finally:
        os.close(lock)


def _warn(text: str | None) -> None:
    if text:
        print(f"gatepost: {text}", file=sys.stderr)  # noqa: T201 - the only face this process has


@dataclass(slots=True)
class _Child:
    """A worker, or the process of the Management API or of the console."""

    name: str
    called: str
    """In a list of processes."""
    module: str
    """Whose `main` it runs."""
    descriptors: tuple[int, ...]
    """Which it gets, after the one to say on that it serves."""
    number: int | None = None
    """Of a worker."""
    replaced: bool = False
    """A successor serves; this one is not started again."""
    reloading: bool = False
    """It was asked to end, to be started again with new settings."""
    launcher: Launcher | None = None
    """That is starting it."""
    process: Launched | None = None
    started_at: float = 0.0
    early_deaths: int = 0
    ready: bool = False
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    """It serves, or has ended before it could."""


def _memory_shared_by_workers(config: Config) -> int:
    """Where workers count for the relay as a whole what tenants and strangers do (`shared_counts`); gone with the
    processes."""
    descriptor = os.memfd_create("gatepost-counts")
    os.ftruncate(descriptor, octets(config.workers))
    return descriptor


class _Supervisor:
    def __init__(self, config: Config, bound: Bound, launcher: Launcher) -> None:
        self._config = config
        self._first_launcher = launcher
        self._sockets = bound.listeners
        self._counts = _memory_shared_by_workers(config)
        self._numbers = list(range(config.workers))
        """Of the worker that serves, for each place."""
        self._workers = [self._worker(number) for number in self._numbers]
        self._faces = [
            (_Child(name, called, module, (listener.fileno(),)), said, listener)
            for name, called, module, said, listener in (
                ("the API", "api", "gatepost.api.application", "Management API on https://{}", bound.api),
                ("the console", "console", "gatepost.console.application", "console on https://{}", bound.console),
                (
                    *("the metrics server", "metrics", "gatepost.app.figures.server"),
                    *("metrics on http://{}/metrics", bound.metrics),
                ),
            )
            if listener
        ]
        """Each with what is said once it serves, and its listener."""
        self._beside = [child for child, _, _ in self._faces]
        if config.alarm:
            self._beside.append(_Child("the alarms", "alarms", "gatepost.app.alarming.process", ()))
        """The processes beside the workers."""
        self._owners: dict[asyncio.Task[None], _Child] = {}
        """All whose process may run, those that were replaced among them."""
        self._manager = ServiceManager()
        self._stopping = asyncio.Event()
        self._reload_wanted = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)
        loop.add_signal_handler(signal.SIGCHLD, self._look_for_ended)
        self._begin_figures()
        ready = asyncio.create_task(self._begin())
        others = [
            asyncio.create_task(self._keep_reloading()),
            asyncio.create_task(self._manager.keep_alive(lambda: is_live(self._config).is_good)),
        ]
        await self._stopping.wait()
        self._manager.stopping()
        for task in others:
            task.cancel()
        self._pass_on(signal.SIGTERM)
        await asyncio.wait((ready, *self._owners), timeout=_STOP_PATIENCE_S)
        self._pass_on(signal.SIGKILL)
        for child in self._owners.values():
            if child.launcher:
                child.launcher.kill()
        await asyncio.gather(*self._owners)
        self._say("stopped")
        return 0

    def _begin_figures(self) -> None:
        said = {"pid": os.getpid(), "version": __version__, "started_at": time.time(), "config": str(self._config.file)}
        try:
            snapshots.begin(self._config.status_folder, said)
        except OSError as error:
            self._say(f"figures cannot be kept: {error}; mail continues, gatepost status and /metrics do not")

    def _fold_figures(self, number: int) -> None:
        with suppress(OSError):
            snapshots.fold(self._config.status_folder, number, restarted=not self._stopping.is_set())

    def _note_end(self, child: _Child) -> None:
        with suppress(OSError):
            snapshots.note_end(self._config.status_folder, child.name, time.time())
            self._note_faces()

    def _note_faces(self) -> None:
        addresses = {child.name: _where(listener) for child, _, listener in self._faces}
        faces = [
            {
                "name": child.name,
                "address": addresses.get(child.name),
                "pid": child.process.pid if child.ready and child.process else None,
            }
            for child in self._beside
        ]
        snapshots.note_faces(self._config.status_folder, faces)

    def _worker(self, number: int) -> _Child:
        sockets = self._sockets[number % self._config.workers]
        descriptors = (*(sock.fileno() for sock in sockets), self._counts)
        return _Child(f"worker {number}", f"worker-{number}", "gatepost.app.worker", descriptors, number)

    async def _begin(self) -> None:
        async with aclosing(self._first_launcher):
            for child in (*self._workers, *self._beside):
                self._start(child, self._first_launcher)
            await self._say_ready()

    def _start(self, child: _Child, launcher: Launcher) -> asyncio.Task[None]:
        owner = asyncio.create_task(self._keep(child, launcher))
        self._owners[owner] = child
        owner.add_done_callback(self._owners.pop)
        owner.add_done_callback(lambda _: child.tried.set())
        return owner

    async def _keep(self, child: _Child, launcher: Launcher | None) -> None:
        """Start it, and again whenever it ends, until the server stops or a successor is there."""
        while not (self._stopping.is_set() or child.replaced):
            code = await self._run(child, launcher)
            launcher = None
            child.ready = False
            if child.number is not None:
                # What it held counts no more: its number may be idle until the next reload.
                with suppress(OSError):
                    SharedCounts(self._counts, child.number, self._config.workers)
                self._fold_figures(child.number)
            if self._stopping.is_set() or child.replaced:
                return
            if child.reloading:
                child.reloading = False
                continue
            self._note_end(child)
            if time.monotonic() - child.started_at > _CALM_S:
                child.early_deaths = 0
            pause = min(2.0**child.early_deaths * 0.1, 10.0)
            child.early_deaths += 1
            self._say(f"{child.name} exited with {_described(code)}; restarting in {pause:.1f} s")
            await self._wait(pause)

    async def _run(self, child: _Child, launcher: Launcher | None) -> int:
        """Start it, by a launcher of its own if by none; how it ended."""
        child.started_at = time.monotonic()
        try:
            if launcher:
                child.process = await self._launched(child, launcher)
            else:
                async with aclosing(await Launcher.start(self._config)) as its:
                    child.process = await self._launched(child, its)
        except LauncherEnded as ended:
            return ended.code
        except OSError as error:
            self._say(f"{child.name} cannot be started: {error}")
            child.tried.set()
            return 1
        if self._stopping.is_set():
            _signal(child, signal.SIGTERM)
        return await child.process.wait()

    async def _launched(self, child: _Child, launcher: Launcher) -> Launched:
        ready_read, ready_write = os.pipe()
        asyncio.get_running_loop().add_reader(ready_read, self._heard, child, ready_read)
        arguments = () if child.number is None else (str(child.number),)
        child.launcher = launcher
        try:
            return await launcher.launch(child.called, child.module, arguments, (ready_write, *child.descriptors))
        finally:
            child.launcher = None
            os.close(ready_write)

    def _look_for_ended(self) -> None:
        self._first_launcher.look()
        for child in self._owners.values():
            if child.process:
                child.process.look()

    def _heard(self, child: _Child, ready_read: int) -> None:
        """The child writes one octet when it serves; end of file without it means that it died."""
        said = os.read(ready_read, 1)
        asyncio.get_running_loop().remove_reader(ready_read)
        os.close(ready_read)
        child.ready = bool(said)
        child.tried.set()
        if child.number is None:
            with suppress(OSError):
                self._note_faces()

    # Reloading

    async def _keep_reloading(self) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            try:
                config = configuration.read(self._config.file)
                self._check_reload(config)
                launcher = await Launcher.start(config)
            except (ConfigError, StartError, StoreError, OSError) as error:
                self._say(f"reload failed, keeping the running configuration: {error}")
                continue
            self._config = config
            self._manager.reloading()
            await self._replace_all(launcher)
            self._manager.ready("reloaded")

    def _check_reload(self, config: Config) -> None:
        """Raises `StartError` for what only a restart can change."""
        before = self._config
        for what, old, new in (
            ("workers", before.workers, config.workers),
            ("data", before.data, config.data),
            ("user or group", (before.user, before.group), (config.user, config.group)),
            ("listener addresses", *([each.name for each in file.listeners] for file in (before, config))),
            ("the address of [api]", _address_of(before.api), _address_of(config.api)),
            ("the address of [console]", _address_of(before.console), _address_of(config.console)),
            ("whether there is [alarm]", before.alarm is not None, config.alarm is not None),
            ("the address of [metrics]", _address_of(before.metrics), _address_of(config.metrics)),
        ):
            if old != new:
                raise StartError(f"{what} changed in {config.file}; restart the service to apply it")
        if 2 * config.workers > MOST_WORKERS:
            raise StartError(f"more than {MOST_WORKERS // 2} workers cannot be replaced one by one; restart instead")
        for warning in check(config):
            self._say(warning)

    async def _replace_all(self, launcher: Launcher) -> None:
        leaving = []
        async with aclosing(launcher):
            for place in range(len(self._workers)):
                owner = await self._replace(place, launcher)
                if owner is None:
                    break
                leaving.append(owner)
        if len(leaving) == len(self._workers):
            for beside in self._beside:
                # It is started again at once, and its socket stays open meanwhile.
                beside.reloading = True
                _signal(beside, signal.SIGTERM)
            self._say(f"reloaded: {len(leaving)} workers were replaced")
            self._audit_reload(len(leaving))
        if leaving:
            # Their numbers are free for the next reload once they are gone.
            await asyncio.wait(leaving, timeout=_STOP_PATIENCE_S)
            for owner in leaving:
                if child := self._owners.get(owner):
                    _signal(child, signal.SIGKILL)
            await asyncio.wait(leaving)

    def _audit_reload(self, workers: int) -> None:
        try:
            with closing(open_editor(self._config, who="SIGHUP")) as editor:
                editor.note("reload", "server", {"workers": workers})
        except StoreError as error:
            self._say(f"the reload is not in the audit: {error}")

    async def _replace(self, place: int, launcher: Launcher) -> asyncio.Task[None] | None:
        """Whoever leaves; None: the successor could not start, and the worker stays."""
        worker, places = self._workers[place], len(self._workers)
        number = (self._numbers[place] + places) % (2 * places)
        successor = self._worker(number)
        owner = self._start(successor, launcher)
        await successor.tried.wait()
        if not successor.ready:
            successor.replaced = True
            _signal(successor, signal.SIGTERM)
            await asyncio.wait((owner,))
            self._say(f"reload stopped: {successor.name} could not start; {worker.name} continues")
            return None
        self._workers[place], self._numbers[place] = successor, number
        worker.replaced = True
        leaving = next(owner for owner, kept in self._owners.items() if kept is worker)
        _signal(worker, RETIRE)
        return leaving

    async def _say_ready(self) -> None:
        for worker in self._workers:
            await worker.tried.wait()
        count, serving = len(self._workers), sum(worker.ready for worker in self._workers)
        workers = f"{count} worker{'s'[: count != 1]}" if serving == count else f"{serving} of {count} workers"
        for listener, sock in zip(self._config.listeners, self._sockets[0], strict=True):
            where = _where(sock)
            tls = "STARTTLS" if listener.starttls and self._config.tls else "no TLS"
            self._say(f"listening on {where} as {self._config.hostname} ({tls}, {workers})")
        self._manager.ready(f"serving with {workers}")
        for face, said, bound in self._faces:
            await face.tried.wait()
            if face.ready:
                self._say(said.format(_where(bound)))

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _pass_on(self, number: signal.Signals) -> None:
        for child in self._owners.values():
            _signal(child, number)

    def _say(self, text: str) -> None:
        print(f"gatepost: {text}", flush=True)  # noqa: T201 - the only face this process has


def _address_of(face: HttpsConfig | MetricsConfig | None) -> str | None:
    return face.name if face else None


def _where(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _signal(child: _Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        with suppress(ProcessLookupError):
            child.process.send_signal(number)


def _described(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"
