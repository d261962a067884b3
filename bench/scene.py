"""A relay under `gatepost serve` with two parties: one whose mail weighs on it, and one whose mail is watched.

Tenant `tailspin` sends at a steady rate to alive.example, which is `steady.py` itself. Everything to *.dead.example
leads to a next hop that is down, be it that nobody listens at its port.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from end_to_end.installation import Installation, free_port

_STEADY = Path(__file__).resolve().parent / "steady.py"


class TwoTenants:
    def __init__(self, folder: Path, *, workers: int) -> None:
        self.installation = Installation(folder, workers=workers)
        kept = folder / "ports.json"
        if not kept.exists():
            folder.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps([free_port() for _ in range(3)]))
        self.sink_port, self.dead_port, self.installation.ports["main"] = json.loads(kept.read_text())

    def set_up(self, flood_port: int | None = None) -> None:
        """With `flood_port`, flood.example is there."""
        gatepost = self.installation
        gatepost.init()
        for tenant in ("tailspin", "contoso"):
            gatepost("tenant", "add", tenant)
            gatepost("domain", "add", tenant, f"{tenant}.example", "--verified")
            gatepost("inbound-connector", "add", tenant, "servers", "--address", "127.0.0.1/32")
        self._next_hop("alive", "alive.example", self.sink_port)
        self._next_hop("dead", "*.dead.example", self.dead_port)
        if flood_port is not None:
            self._next_hop("flood", "flood.example", flood_port)

    def _next_hop(self, name: str, space: str, port: int) -> None:
        self.installation(
            "send-connector", "add", name, "--address-space", space, "--smart-host", f"127.0.0.1:{port}",
            "--tls", "none",
        )  # fmt: skip

    def start(self) -> None:
        self.installation.start()

    def stop(self) -> None:
        self.installation.stop()

    def kill(self) -> None:
        if self.installation.process is not None:
            self.installation.kill()

    def steady(self, *, seconds: float, rate: float = 50) -> dict[str, Any]:
        return self.end_steady(self.begin_steady(seconds=seconds, rate=rate))

    def begin_steady(self, *, seconds: float, rate: float = 50) -> subprocess.Popen[str]:
        words = {
            "relay-port": self.installation.port, "sink-port": self.sink_port, "sender": "ann@tailspin.example",
            "to": "alive.example", "rate": rate, "seconds": seconds,
        }  # fmt: skip
        options = [word for name, value in words.items() for word in (f"--{name}", str(value))]
        return subprocess.Popen([sys.executable, str(_STEADY), *options], stdout=subprocess.PIPE, text=True)

    def end_steady(self, steady: subprocess.Popen[str]) -> dict[str, Any]:
        said, _ = steady.communicate(timeout=120)
        if steady.returncode:
            raise RuntimeError(f"steady.py ended with {steady.returncode}")
        seen: dict[str, Any] = json.loads(said)
        return seen

    def worker_memory_mib(self) -> list[int]:
        return [_resident_kib(pid) // 1024 for pid in self.installation.worker_pids()]


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
