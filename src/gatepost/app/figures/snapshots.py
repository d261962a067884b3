"""The figures of all workers in the data folder: `status/serve.json` of the supervisor, `status/w<number>.json` of each
worker, written anew every second and read by whoever asks.

Laws: a snapshot is whole or not there; what a worker had counted when it ended is added to the supervisor's, so that
no counter goes back while the server runs.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from gatepost.admin.status.observed import HEARD_OF_S

Record = dict[str, Any]

_MOST_FOLDED: Final = 256
_MOST_ENDED: Final = 64


class Snapshots(NamedTuple):
    serve: Record | None
    """None: the server never ran here."""
    workers: Sequence[Record]

    @property
    def is_running(self) -> bool:
        """Whether the process that wrote it is there and is ours."""
        if self.serve is None:
            return False
        try:
            command = Path(f"/proc/{self.serve['pid']}/cmdline").read_bytes()
        except OSError:
            return False
        return b"gatepost" in command

    @property
    def total(self) -> Record:
        """Of all workers, those that have ended too."""
        return added([*([self.serve["past"]] if self.serve else []), *self.workers])

    def fresh(self, now: float) -> list[Record]:
        """Of workers that were heard of a moment ago."""
        return [each for each in self.workers if abs(now - each["at"]) < HEARD_OF_S]


async def keep_writing(write_one: Callable[[], None], every_s: float, report: Callable[[Exception], None]) -> None:
    """Whatever is wrong with one: a worker whose snapshots are old looks dead, and would be killed."""
    reported = False
    while True:
        try:
            await asyncio.to_thread(write_one)
        except Exception as error:
            if not reported:
                report(error)
            reported = True
        await asyncio.sleep(every_s)


def begin(folder: Path, record: Record) -> None:
    """A new run of the server: what an earlier one left is gone. Raises `OSError`."""
    folder.mkdir(mode=0o750, exist_ok=True)
    for file in folder.glob("*.json"):
        file.unlink(missing_ok=True)
    past: Record = {"counters": {}, "histograms": {}, "minutes": {}}
    write(folder / "serve.json", {**record, "past": past, "folded": [], "restarts": 0, "ended": [], "faces": []})


def write(file: Path, record: Mapping[str, Any]) -> None:
    """Raises `OSError`."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(record), "utf-8")
    beside.replace(file)


def read(folder: Path) -> Snapshots:
    serve = _read(folder / "serve.json")
    workers = [record for file in sorted(folder.glob("w*.json")) if (record := _read(file)) is not None]
    folded = serve["folded"] if serve else ()
    return Snapshots(serve, [each for each in workers if each["pid"] not in folded])


def worker_file(folder: Path, number: int) -> Path:
    return folder / f"w{number}.json"


def fold(folder: Path, number: int, *, restarted: bool) -> None:
    """A worker has ended. Raises `OSError`."""
    serve, ended = _read(folder / "serve.json"), _read(worker_file(folder, number))
    if serve is None:
        return
    if ended is not None:
        serve["past"] = added([serve["past"], ended])
        # Nobody counts it twice while its file is still there.
        serve["folded"] = [*serve["folded"], ended["pid"]][-_MOST_FOLDED:]
    serve["restarts"] += restarted
    write(folder / "serve.json", serve)
    worker_file(folder, number).unlink(missing_ok=True)


def note_end(folder: Path, name: str, at: float) -> None:
    """A process ended by itself. Raises `OSError`."""
    if serve := _read(folder / "serve.json"):
        write(folder / "serve.json", {**serve, "ended": [*serve["ended"], {"name": name, "at": at}][-_MOST_ENDED:]})


def note_faces(folder: Path, faces: Sequence[Mapping[str, Any]]) -> None:
    """How the processes beside the workers are: `name`, `address`, and `pid` while it serves. Raises `OSError`."""
    if serve := _read(folder / "serve.json"):
        write(folder / "serve.json", {**serve, "faces": list(faces)})


def added(records: Sequence[Mapping[str, Any]]) -> Record:
    """The figures of several, as one."""
    counters: dict[str, dict[tuple[str, ...], int]] = {}
    histograms: dict[str, Record] = {}
    minutes: dict[str, Record] = {}
    for record in records:
        for name, series in record["counters"].items():
            of_name = counters.setdefault(name, {})
            for *labels, value in series:
                of_name[tuple(labels)] = of_name.get(tuple(labels), 0) + value
        for name, one in record["histograms"].items():
            before = histograms.get(name, {"counts": [0] * len(one["counts"]), "sum": 0.0})
            counts = [left + right for left, right in zip(before["counts"], one["counts"], strict=True)]
            histograms[name] = {"counts": counts, "sum": before["sum"] + one["sum"]}
        for minute, counted in record["minutes"].items():
            minutes[minute] = _both(minutes[minute], counted) if minute in minutes else counted
    return {
        "counters": {name: [[*labels, value] for labels, value in series.items()] for name, series in counters.items()},
        "histograms": histograms,
        "minutes": minutes,
    }


def _both(one: Record, other: Record) -> Record:
    reasons = {*one["refused"], *other["refused"]}
    refused = {each: one["refused"].get(each, 0) + other["refused"].get(each, 0) for each in reasons}
    return {"refused": refused, **{key: one[key] + other[key] for key in one if key != "refused"}}


def _read(file: Path) -> Record | None:
    with suppress(OSError, ValueError):
        found: Record = json.loads(file.read_bytes())
        return found
    return None
