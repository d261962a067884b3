"""Content on its way into the queue and out of it.

Small content stays in memory and goes into the queue file as a BLOB. Large content goes to a file of the spool folder
while it comes in, and is read back in pieces: a message of 100 MiB is never in memory whole. What goes before it is
known only at its end, and is the BLOB then.

Laws: nothing here blocks the event loop for longer than one piece takes. A spool file is synced under its final name,
and its folder with it, before the row that speaks of it is committed. What has no row when the queue is opened goes.
While a row may come back after a crash (its commit failed on the disk), its file stays.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from gatepost.queue.message import Content, MemoryContent
from gatepost.queue.store import StoreUnavailable

LARGEST_IN_MEMORY: Final = 128 * 1024
PIECE: Final = 64 * 1024
FLUSH_AT: Final = 256 * 1024

# Only the last commit that failed can come back; there are not more messages in one.
MOST_IN_DOUBT: Final = 256

_Result = TypeVar("_Result")


class FileContent:
    """Content in a file that belongs to the queue, and what goes before it."""

    __slots__ = ("_before", "_file", "_size")

    def __init__(self, file: Path, size: int, before: bytes = b"") -> None:
        self._file = file
        self._size = size
        self._before = before

    @property
    def size(self) -> int:
        return self._size

    def chunks(self) -> Iterator[bytes]:
        return _pieces(self._before, self._file)

    def release(self) -> None:
        """Nothing to give back: each reading closes its own file."""


class IncomingContent:
    """Large content that has come in whole and belongs to nobody yet: released without being kept, its file goes."""

    __slots__ = ("_file", "before")

    def __init__(self, file: "_IncomingFile", before: bytes) -> None:
        self._file = file
        self.before = before
        """What goes before the file's octets, and into the message's row."""

    @property
    def size(self) -> int:
        return len(self.before) + self._file.size

    def chunks(self) -> Iterator[bytes]:
        self._file.write_out()
        return _pieces(self.before, self._file.path)

    def release(self) -> None:
        self._file.remove()

    def keep(self, final: Path) -> None:
        """Move to `final` and sync file and folder; when that fails nothing is left. Blocks: call it in a thread."""
        self._file.move_durably(final)


def before(content: Content) -> bytes | None:
    """What a message's row holds of large content."""
    return (content.before or None) if isinstance(content, IncomingContent) else None


class _IncomingFile:
    """The file behind content that is coming in. It is created with the first octets that do not fit in memory, and is
    nobody's any more once it has moved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._buffer: list[bytes] = []
        self._descriptor: int | None = None
        # A peer may go away while a thread writes what it sent.
        self._lock = Lock()

    def append(self, octets: bytes) -> None:
        """Writes nothing yet."""
        self._buffer.append(octets)
        self.size += len(octets)

    def write_out(self) -> None:
        with self._lock, _reporting_disk_errors(self.path.parent):
            self._write_out()

    def move_durably(self, final: Path) -> None:
        try:
            with self._lock, _reporting_disk_errors(final.parent):
                os.fsync(self._write_out())
                self._close()
                self.path.rename(final)
                self.path = final
                sync_folder(final.parent)
        except BaseException:
            self.remove()
            self.path.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        with self._lock:
            self._buffer = []
            if self._descriptor is not None:
                self._close()
                self.path.unlink(missing_ok=True)

    def _write_out(self) -> int:
        buffer, self._buffer = self._buffer, []
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        for octets in buffer:
            _write_whole(self._descriptor, octets)
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


class ContentWriter:
    """Takes content as it comes in. Ends with `finish`, which hands it on, or with `discard`.

    The caller awaits `flush()` whenever `needs_flush` holds, and reads no more from its peer meanwhile.
    """

    __slots__ = ("_buffer", "_buffered", "_file", "_spool", "size")

    def __init__(self, spool: "Spool") -> None:
        self._spool = spool
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._file: _IncomingFile | None = None
        self.size = 0

    @property
    def needs_flush(self) -> bool:
        return self._buffered >= FLUSH_AT

    def write(self, octets: bytes) -> None:
        self._buffer.append(octets)
        self._buffered += len(octets)
        self.size += len(octets)

    async def flush(self) -> None:
        """Move what no longer fits in memory to the file. Raises `StoreUnavailable` when the disk will not take it."""
        if self.needs_flush:
            await self._spool.run(self._hand_buffer_to_file().write_out)

    def finish(self, before: bytes = b"") -> Content:
        """The content, which is the receiver's from now on: to be accepted, or released. `before`: what is known only
        now and goes before all that was written."""
        if len(before) + self.size <= LARGEST_IN_MEMORY:
            return MemoryContent(b"".join((before, *self._buffer) if before else self._buffer))
        file = self._hand_buffer_to_file()
        self._file = None
        return IncomingContent(file, before)

    def discard(self) -> None:
        """Nobody wants it. Without effect once it is finished."""
        if self._file:
            self._spool.run.start(self._file.remove)

    def _hand_buffer_to_file(self) -> _IncomingFile:
        if self._file is None:
            self._file = self._spool.incoming_file()
        for octets in self._buffer:
            self._file.append(octets)
        self._buffer, self._buffered = [], 0
        return self._file


class Runner:
    """Runs what waits for the disk in a few threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="spool")

    async def __call__(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def start(self, work: Callable[[], object]) -> None:
        """Without waiting for the end."""
        self._threads.submit(work)

    def close(self) -> None:
        self._threads.shutdown()


class Spool:
    """The folder beside one queue file that holds large contents, each named by its message's number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = count()
        self._doubtful: deque[int] = deque()
        self.run = Runner()
        with _reporting_disk_errors(folder.parent):
            folder.mkdir(mode=0o700, exist_ok=True)

    def new_content(self) -> ContentWriter:
        return ContentWriter(self)

    def incoming_file(self) -> _IncomingFile:
        return _IncomingFile(self._folder / f"incoming-{next(self._incoming)}")

    def stored(self, number: int, size: int, before: bytes) -> FileContent:
        return FileContent(self._folder / str(number), size, before)

    async def keep(self, content: Content, number: int) -> None:
        """Make large content durable as that of message `number`."""
        final = self._folder / str(number)
        if isinstance(content, IncomingContent):
            incoming = content
            await self.run(lambda: incoming.keep(final))
        else:
            await self.run(lambda: self._copy(content, final))

    def remove(self, number: int) -> None:
        """In a thread: the file system may take its time to free a large file."""
        file = self._folder / str(number)
        self.run.start(lambda: file.unlink(missing_ok=True))

    def doubt(self, number: int) -> None:
        """Message `number` was refused, but the next start may find its row."""
        self._doubtful.append(number)
        if len(self._doubtful) > MOST_IN_DOUBT:
            self.remove(self._doubtful.popleft())

    def no_more_doubt(self) -> None:
        """A later commit went well: it wrote over what failed before it."""
        while self._doubtful:
            self.remove(self._doubtful.popleft())

    def let_go(self, number: int, size: int) -> None:
        """Message `number` is gone; so is its file, if its content was large."""
        if size > LARGEST_IN_MEMORY:
            self.remove(number)

    def remove_all_but(self, numbers: Set[int]) -> None:
        """Remove what a crash left behind: files without a row."""
        with _reporting_disk_errors(self._folder):
            for file in self._folder.iterdir():
                if not (file.name.isdecimal() and int(file.name) in numbers):
                    file.unlink()

    def close(self) -> None:
        self.run.close()

    def _copy(self, content: Content, final: Path) -> None:
        file = self.incoming_file()
        try:
            for octets in content.chunks():
                file.append(octets)
                file.write_out()
        except BaseException:
            file.remove()
            raise
        file.move_durably(final)


@contextmanager
def _reporting_disk_errors(folder: Path) -> Iterator[None]:
    """An error of the file system becomes one line for who waits for the store."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{folder}: content cannot be written ({error.strerror}): free space there, check owner and mode"
        ) from error


def _pieces(before: bytes, file: Path) -> Iterator[bytes]:
    if before:
        yield before
    with file.open("rb", buffering=0) as opened:
        while octets := opened.read(PIECE):
            yield octets


def _write_whole(descriptor: int, octets: bytes) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make the names in it durable."""
    with _reporting_disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
