"""A million queued messages: start, look, change, and an ordinary message beside it all, each against its bar.

    python bench/queue_scale.py [--messages 1000000] [--folder DIR] [--keep]

Fills the queues of a relay of two workers through the store's interface: mail of 100 tenants to 1,000 domains whose
next hop is down. Then starts `gatepost serve`, runs the queue's commands as processes, and sends another tenant's mail
at a steady rate meanwhile. The figures go to `bench/results/queue-scale-….json`; exit code 1 when a bar is missed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from backlog import fill  # noqa: E402
from machine import facts  # noqa: E402
from scene import TwoTenants  # noqa: E402
from steady import percentile  # noqa: E402

WORKERS, TENANTS, DOMAINS = 2, 100, 1_000

STARTS_IN_S, LISTS_IN_S, CHANGES_IN_S = 30.0, 1.0, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    name: str
    seconds: float
    bar: float
    says: str = ""

    @property
    def is_met(self) -> bool:
        return self.seconds < self.bar


class Scale:
    def __init__(self, relay: TwoTenants, messages: int) -> None:
        self._relay = relay
        self._messages = messages
        self.figures: list[Figure] = []
        self.facts: dict[str, Any] = {}

    def fill(self) -> None:
        self.facts["fill_s"] = fill(
            self._relay.installation.data / "queue", WORKERS, self._messages,
            tenants=TENANTS, domains=DOMAINS, below="dead.example",
        )  # fmt: skip

    def run(self) -> None:
        relay = self._relay
        self._timed("serve: ready", STARTS_IN_S, relay.start)
        self.facts["memory_mib_at_start"] = relay.worker_memory_mib()
        self._looking()
        self._note_steady("beside the million", relay.steady(seconds=10))
        self._changing()
        self.facts["memory_mib_after"] = relay.worker_memory_mib()

    def _looking(self) -> None:
        for words in ("", "--tenant t7", "--domain d7.dead.example", "--state held", "--older-than 30m"):
            expect = 1 if "held" in words else 0
            self._command(f"queue list {words} --limit 50", LISTS_IN_S, expect)

    def _changing(self) -> None:
        for words in (
            "hold --all", "list --state held", "release --all", "hold --tenant t7", "retry --all",
            "hold --older-than 30m", "release --state held", "bounce --domain d7.dead.example",
            "remove --all --yes",
        ):  # fmt: skip
            beside = self._relay.begin_steady(seconds=6)
            time.sleep(1.0)
            self._command(f"queue {words}", LISTS_IN_S if words.startswith("list") else CHANGES_IN_S)
            self._note_steady(f"beside: {words}", self._relay.end_steady(beside))

    def _command(self, line: str, bar: float, expect: int = 0) -> None:
        def run() -> str:
            done = self._relay.installation.run(*line.split(), timeout_s=300)
            if done.returncode != expect:
                raise RuntimeError(f"gatepost {line}: exit {done.returncode}: {done.stderr}")
            return done.stdout.strip().splitlines()[0] if " list" not in line else ""

        self._timed(line, bar, run)

    def _timed(self, name: str, bar: float, what: Callable[[], str | None]) -> None:
        began = time.monotonic()
        says = what() or ""
        self._add(Figure(name=name, seconds=round(time.monotonic() - began, 3), bar=bar, says=says))

    def _add(self, figure: Figure) -> None:
        self.figures.append(figure)
        met = "" if figure.is_met else "   MISSED"
        print(f"{figure.name:45} {figure.seconds:8.3f} s   bar {figure.bar:g} s{met}   {figure.says}", flush=True)

    def _note_steady(self, name: str, seen: dict[str, Any]) -> None:
        delivered = seen["delivered_ms"]
        facts = {
            "sent": seen["sent"], "arrived": seen["arrived"],
            "p50_ms": percentile(delivered, 0.5), "p99_ms": percentile(delivered, 0.99), "most_ms": delivered[-1],
        }  # fmt: skip
        self.facts.setdefault("another_tenant", {})[name] = facts
        print(
            f"  another tenant, {name}: {facts['arrived']} of {facts['sent']} arrived, "
            f"p50 {facts['p50_ms']:.1f} ms, p99 {facts['p99_ms']:.1f} ms, at most {facts['most_ms']:.1f} ms",
            flush=True,
        )
        if seen["arrived"] != seen["sent"] or seen["refused"]:
            self._add(Figure(name=f"mail lost or refused, {name}", seconds=float("inf"), bar=0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the queue is to lie; default: a new one")
    parser.add_argument("--keep", action="store_true", help="leave the folder as it is")
    parser.add_argument("--fill-only", action="store_true", help="fill a folder that another run finds full")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="gatepost-queue-scale-"))
    relay = TwoTenants(folder, workers=WORKERS)
    scale = Scale(relay, options.messages)
    try:
        if not relay.installation.config.exists():
            relay.set_up()
            scale.fill()
        if options.fill_only:
            return 0
        scale.run()
    except (RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        print(f"queue_scale: {error}", file=sys.stderr)
        return 2
    finally:
        relay.kill()
        if not (options.keep or options.fill_only):
            shutil.rmtree(folder, ignore_errors=True)
    at = datetime.now(UTC)
    result = {
        "at": at.isoformat(timespec="seconds"),
        "machine": facts(folder.parent),
        "messages": options.messages,
        "figures": [asdict(figure) | {"met": figure.is_met} for figure in scale.figures],
        **scale.facts,
    }
    path = ROOT / "bench" / "results" / f"queue-scale-{at:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path.relative_to(ROOT))
    return 0 if all(figure.is_met for figure in scale.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
