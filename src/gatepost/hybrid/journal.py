"""What the wizard remembers, in `data/hybrid/`: each apply with its plan and its steps, and what was last applied.

Laws: a step is on stable storage before it is begun and again when it is done, so that whatever kills the process, the
next one knows which single step is in doubt; one administrator at a time.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

from gatepost.hybrid.errors import Busy
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import Plan, document, read_plan

Mark = Literal["begun", "refused", "done", "found", "undoing", "undone", "finished", "taken-back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an apply got, or its undoing."""

    done: frozenset[int]
    """Steps that are in force."""
    found: frozenset[int]
    """Of these, the ones that somebody else carried out."""
    refused: frozenset[int]
    """Begun, and refused by their side: they did not take effect."""
    in_doubt: int | None
    """Begun, and nobody knows whether it took effect."""
    begun: bool
    """At least one step was."""
    finished: bool
    undoing: bool
    taken_back: bool

    @property
    def ours(self) -> frozenset[int]:
        """The steps that this apply carried out, or may have."""
        in_doubt = frozenset() if self.in_doubt is None else frozenset({self.in_doubt})
        return (self.done - self.found) | in_doubt


class Apply:
    """One apply: a folder with the plan, the journal and the files that were backed up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def plan(self) -> Plan:
        file = self.folder / "plan.json"
        return read_plan(file.read_text("utf-8"), str(file))

    def note(self, mark: Mark, step: int = 0) -> None:
        line = json.dumps({"mark": mark, "step": step}) + "\n"
        with (self.folder / "journal.jsonl").open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def progress(self) -> Progress:
        done: set[int] = set()
        found: set[int] = set()
        refused: set[int] = set()
        in_doubt: int | None = None
        marks: set[str] = set()
        for mark, step in self._marks():
            marks.add(mark)
            match mark:
                case "begun" | "undoing":
                    in_doubt = step
                    refused.discard(step)
                case "refused":
                    in_doubt = None
                    refused.add(step)
                case "done":
                    done.add(step)
                    in_doubt = None
                case "found":
                    done.add(step)
                    found.add(step)
                    refused.discard(step)
                case "undone":
                    done.discard(step)
                    in_doubt = None
        return Progress(
            done=frozenset(done),
            found=frozenset(found),
            refused=frozenset(refused),
            in_doubt=in_doubt,
            begun="begun" in marks,
            finished="finished" in marks,
            undoing=bool(marks & {"undoing", "undone"}),
            taken_back="taken-back" in marks,
        )

    def _marks(self) -> Iterator[tuple[str, int]]:
        """A last line that was cut by a crash was never acted upon."""
        file = self.folder / "journal.jsonl"
        for line in file.read_bytes().split(b"\n") if file.exists() else ():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            yield found["mark"], found["step"]


class Memory:
    """`data/hybrid/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._applies = folder / "applies"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Raises `Busy`."""
        private_folder(self.folder)
        private_folder(self._applies)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise Busy(
                f"another gatepost hybrid command is changing things here ({self.folder}/lock is held); wait for it"
            ) from None
        try:
            yield
        finally:
            os.close(lock)

    def begin(self, plan: Plan) -> Apply:
        """The apply of `plan`: the one that was interrupted, or a new one."""
        latest = self.latest()
        if latest and latest.plan.digest == plan.digest and not latest.progress().finished:
            return latest
        folder = self._applies / f"{self._highest() + 1:06d}"
        new = folder.with_name(f".{folder.name}.new")
        private_folder(new)
        write_private(new / "plan.json", json.dumps(document(plan), ensure_ascii=False, indent=1))
        new.rename(folder)
        _sync(self._applies)
        return Apply(folder)

    def latest(self) -> Apply | None:
        """The last apply that did something and was not taken back, finished or not."""
        for apply in reversed(self._all()):
            progress = apply.progress()
            if progress.begun and not progress.taken_back:
                return apply
        return None

    def last_applied(self) -> Mapping[str, Mapping[str, Fields]]:
        """What the wizard answers for since the last apply that was finished."""
        finished = self.last_finished()
        return finished.plan.desired if finished else {}

    def last_finished(self) -> Apply | None:
        for apply in reversed(self._all()):
            progress = apply.progress()
            if progress.finished and not progress.taken_back:
                return apply
        return None

    def _all(self) -> list[Apply]:
        if not self._applies.is_dir():
            return []
        return [Apply(folder) for folder in sorted(self._applies.iterdir()) if folder.name.isdecimal()]

    def _highest(self) -> int:
        return max((apply.number for apply in self._all()), default=0)


def private_folder(folder: Path) -> None:
    """Below a data folder, for its owner's eyes, also when root makes it."""
    if not folder.is_dir():
        folder.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        _give_to_owner_of(folder.parent, folder)


def _give_to_owner_of(parent: Path, path: Path) -> None:
    if os.geteuid() == 0:
        owner = parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def write_private(file: Path, content: str) -> None:
    """Whole or not at all, on stable storage, for the owner's eyes."""
    # Another process may write the same file at this moment: the last one stands, whole.
    temporary = file.with_name(f".{file.name}.{token_hex(4)}.new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    _give_to_owner_of(file.parent, temporary)
    temporary.replace(file)
    _sync(file.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
