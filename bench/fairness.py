"""What one party's mail costs another: latency beside a dead backlog, and beside a flood.

    python bench/fairness.py [--backlog 100000] [--rounds 3] [--seconds 20] [--folder DIR]

Tenant tailspin sends at a steady rate throughout (`steady.py`). In turns it has the relay to itself, and shares it:

- `closed`, `blackhole`, `slow-421`: the backlog of another tenant waits for a next hop that refuses connections, takes
  them and says nothing, or greets with 421 after a second;
- `flood`: another tenant sends to a next hop that takes everything, as fast as the relay will have it.

The bar: beside a dead backlog the p99 from sending to arrival moves by less than 10 %. Medians of the rounds; the raw
figures go to `bench/results/fairness-….json`.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from backlog import fill  # noqa: E402
from machine import facts  # noqa: E402
from scene import TwoTenants  # noqa: E402
from steady import percentile  # noqa: E402
from tools import Sink, build  # noqa: E402

from gatepost.loadgen.load import Load, run  # noqa: E402

BAR = 1.10

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def slow_421(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1.0)
    writer.write(b"421 4.3.2 not now\r\n")
    writer.close()


DEAD: dict[str, Serve | None] = {"closed": None, "blackhole": silent, "slow-421": slow_421}


@contextmanager
def next_hop(serve: Serve | None, port: int) -> Iterator[None]:
    """Somebody at `port`, in a thread; None: nobody."""
    if serve is None:
        yield
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", port), loop).result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class Fairness:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self.rows: list[dict[str, Any]] = []

    def dead(self, name: str) -> None:
        """The same relay with and without the backlog, in turns."""
        alone = self._relay(f"{name}-alone")
        beside = self._relay(f"{name}-beside")
        fill(beside.installation.data / "queue", 2, self._options.backlog, tenants=1, domains=100, below="dead.example")
        with next_hop(DEAD[name], beside.dead_port):
            for round in range(self._options.rounds):
                for kind, relay in (("alone", alone), ("beside", beside)):
                    relay.start()
                    self._note(name, kind, round, relay.steady(seconds=self._options.seconds))
                    relay.stop()

    def flood(self, sink: Sink) -> None:
        relay = self._relay("flood", flood_port=sink.port)
        relay.start()
        for round in range(self._options.rounds):
            self._note("flood", "alone", round, relay.steady(seconds=self._options.seconds))
            beside = relay.begin_steady(seconds=self._options.seconds)
            flood = run(
                Load(
                    port=relay.installation.port, messages=self._options.flood, size=10_000, connections=20,
                    sender="flood@contoso.example", recipient="user@flood.example",
                )
            )  # fmt: skip
            self._note("flood", "beside", round, relay.end_steady(beside), flood_per_second=flood.per_second)
        relay.stop()

    def _relay(self, name: str, flood_port: int | None = None) -> TwoTenants:
        relay = TwoTenants(self._folder / name, workers=2)
        relay.set_up(flood_port)
        return relay

    def _note(self, scene: str, kind: str, round: int, seen: dict[str, Any], **more: float) -> None:
        delivered = seen["delivered_ms"]
        row = {
            "scene": scene, "kind": kind, "round": round, "sent": seen["sent"], "arrived": seen["arrived"],
            "p50_ms": percentile(delivered, 0.5), "p99_ms": percentile(delivered, 0.99), "refused": seen["refused"],
            **more,
        }  # fmt: skip
        self.rows.append(row)
        print(
            f"{scene:10} {kind:7} {row['arrived']:5} of {row['sent']:5}  p50 {row['p50_ms']:7.1f} ms  "
            f"p99 {row['p99_ms']:7.1f} ms  {' '.join(f'{name} {value:.0f}' for name, value in more.items())}",
            flush=True,
        )

    def verdicts(self) -> list[dict[str, Any]]:
        found = []
        for scene in dict.fromkeys(row["scene"] for row in self.rows):
            figures = {
                f"{kind}_{figure}": median(
                    row[figure] for row in self.rows if (row["scene"], row["kind"]) == (scene, kind)
                )
                for kind in ("alone", "beside")
                for figure in ("p50_ms", "p99_ms")
            }
            moved = figures["beside_p99_ms"] / figures["alone_p99_ms"]
            found.append({"scene": scene, **figures, "p99_moved": round(moved, 3)})
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--flood", type=int, default=10_000, help="messages of the flood in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--scenes", default="closed,blackhole,slow-421,flood")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="gatepost-fairness-"))
    folder.mkdir(parents=True, exist_ok=True)
    fairness = Fairness(options, folder)
    build()
    try:
        for scene in options.scenes.split(","):
            if scene in DEAD:
                fairness.dead(scene)
                continue
            sink = Sink(folder)
            try:
                fairness.flood(sink)
            finally:
                sink.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    verdicts = fairness.verdicts()
    for verdict in verdicts:
        bar = "" if verdict["scene"] == "flood" else f"   bar {BAR}"
        print(
            f"{verdict['scene']:10} p50 {verdict['alone_p50_ms']:.1f} -> {verdict['beside_p50_ms']:.1f} ms, "
            f"p99 {verdict['alone_p99_ms']:.1f} -> {verdict['beside_p99_ms']:.1f} ms, times {verdict['p99_moved']}{bar}"
        )
    at = datetime.now(UTC)
    path = ROOT / "bench" / "results" / f"fairness-{at:%Y-%m-%dT%H%M%SZ}.json"
    result = {
        "at": at.isoformat(timespec="seconds"), "machine": facts(folder.parent), "backlog": options.backlog,
        "verdicts": verdicts, "rounds": fairness.rows,
    }  # fmt: skip
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path.relative_to(ROOT))
    return 0 if all(each["p99_moved"] < BAR for each in verdicts if each["scene"] != "flood") else 1


if __name__ == "__main__":
    sys.exit(main())
