"""What is measured: one load each, applied to every server in turn."""

from dataclasses import dataclass, replace

MODES = {
    "plain-new": "plain, new connection",
    "plain-reused": "plain, reused",
    "tls-new": "TLS + client certificate, new",
    "tls-reused": "TLS + client certificate, reused",
}
"""Each mode and what it is called in a table. `new`: a connection for each message."""

_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    mode: str
    connections: int = 20
    size: int = 10 * _KIB
    recipients: int = 1
    accept_only: bool = False
    """The next hop takes connections and says nothing: mail is accepted, and stays."""
    pipelining: bool = False
    rounds: int = 3
    half_load: bool = False
    """Whether latency is measured again at half the rate."""

    @property
    def title(self) -> str:
        parts = [MODES[self.mode], f"{self.connections} connections"]
        parts += [] if self.size == 10 * _KIB else [_octets(self.size)]
        parts += [] if self.recipients == 1 else [f"{self.recipients} recipients"]
        parts += ["accept only"] if self.accept_only else []
        parts += ["pipelining"] if self.pipelining else []
        return ", ".join(parts)

    @property
    def is_plain(self) -> bool:
        return self.mode.startswith("plain")

    @property
    def is_new(self) -> bool:
        return self.mode.endswith("-new")


def complete() -> list[Case]:
    """Every row of docs/performance.md."""
    base = [Case(mode=mode, connections=count, half_load=True) for count in (20, 50) for mode in MODES]
    reused = [Case(mode=mode, rounds=2) for mode in ("plain-reused", "tls-reused")]
    return [
        *base,
        *(replace(case, size=size) for size in (100 * _KIB, _KIB * _KIB) for case in reused),
        *(Case(mode="tls-reused", recipients=count, rounds=2) for count in (10, 100)),
        *(Case(mode=mode, accept_only=True, rounds=2) for mode in MODES),
    ]


def _octets(size: int) -> str:
    if size % (_KIB * _KIB) == 0:
        return f"{size // (_KIB * _KIB)} MB"
    return f"{size // _KIB} KB" if size % _KIB == 0 else f"{size} octets"
