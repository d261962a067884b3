"""One thread that writes all logs of a worker, so that no session ever waits for a disk or a terminal.

What flows through: `add` puts an entry into a bounded queue and returns; the thread takes entries in batches and hands
them to the log's own `_write`. Laws: `add` never blocks and never raises; memory is bounded; what had to be dropped is
counted and told once it can be told.
"""

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

_INTERVAL_S: Final = 0.1
_BATCH: Final = 1024
_PAUSE_AFTER_FAILURE_S: Final = 5.0

Entry = TypeVar("Entry")


def _say_on_standard_error(problem: str) -> None:
    print(f"gatepost: {problem}", file=sys.stderr, flush=True)  # noqa: T201 - the log itself is what failed


class LogWriter:
    """The thread. It sleeps while nothing is logged, and looks every tenth of a second otherwise."""

    def __init__(self, report: Callable[[str], None] = _say_on_standard_error) -> None:
        self.report = report
        self.idle = False
        self._logs: list[BackgroundLog[object]] = []
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def serve(self, log: "BackgroundLog[object]") -> None:
        self._logs.append(log)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self.idle = False
        self._wake.set()

    def close(self) -> None:
        """Write what waits, then stop."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for log in self._logs:
            log.finish()

    def _run(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            for log in self._logs:
                log.flush()
            if not any(log.waiting for log in self._logs):
                self.idle = True
                # An entry that came before `idle` was seen did not wake us.
                if not any(log.waiting for log in self._logs):
                    self._wake.wait()
                self._wake.clear()
                self.idle = False


class BackgroundLog(ABC, Generic[Entry]):
    """One log. Its name stands in reports about it."""

    def __init__(self, writer: LogWriter, name: str, most_waiting: int, clock: Callable[[], float] = time.time) -> None:
        self._writer = writer
        self._name = name
        self._most_waiting = most_waiting
        self._clock = clock
        self._entries: list[Entry] = []
        self._paused_from = self._paused_until = 0.0
        self._failing = False
        # The session side counts one, the thread the others: neither needs a lock.
        self._refused = 0
        self._unwritten = 0
        self._told = 0
        writer.serve(self)  # type: ignore[arg-type] # entries go in and come out of the same log

    def add(self, entry: Entry) -> None:
        entries = self._entries
        if len(entries) >= self._most_waiting:
            self._refused += 1
            return
        entries.append(entry)
        if self._writer.idle:
            self._writer.wake()

    @property
    def waiting(self) -> int:
        return len(self._entries)

    @property
    def lost(self) -> int:
        """Entries dropped since this was last told, because the disk was slow or full."""
        return self._refused + self._unwritten - self._told

    @abstractmethod
    def _write(self, entries: Sequence[Entry], now: float) -> None:
        """Write a batch. Raises `OSError`; the batch is lost then."""

    @abstractmethod
    def close_file(self) -> None: ...

    def _is_overdue(self, now: float) -> bool:
        """Whether `_write` is to be called although nothing new waits: a log may hold entries back for a moment."""
        return False

    def flush(self) -> None:
        """Write everything that waits now. Only the log writer's thread calls this, or whoever closed it."""
        now = self._clock()
        # What comes meanwhile waits for the next time: following it would write row by row, and take turns with the
        # event loop at each.
        waiting = len(self._entries)
        # A clock that went back ends the pause.
        while (waiting or self._is_overdue(now)) and not self._paused_from <= now < self._paused_until:
            batch = self._entries[: min(waiting, _BATCH)]
            del self._entries[: len(batch)]
            waiting -= len(batch)
            try:
                self._write(batch, now)
            except OSError as error:
                self._failed(error, len(batch), now)
            except Exception as error:
                # A bug in one entry's text must not silence the log.
                self._writer.report(f"{self._name}: {len(batch)} entries are lost: {type(error).__name__}: {error}")
            else:
                self._succeeded()

    def finish(self) -> None:
        """The last entries, whatever failed before; then close."""
        self._paused_until = 0.0
        self.flush()
        self.close_file()

    def _failed(self, error: OSError, entries: int, now: float) -> None:
        self._unwritten += entries
        self._paused_from, self._paused_until = now, now + _PAUSE_AFTER_FAILURE_S
        if not self._failing:
            self._failing = True
            self._writer.report(
                f"{self._name} cannot be written: {error}; mail continues; free disk space or repair the folder"
            )

    def _succeeded(self) -> None:
        self._failing = False
        if lost := self.lost:
            self._told += lost
            self._writer.report(f"{self._name}: {lost} entries are missing, because the disk was slow or full")
