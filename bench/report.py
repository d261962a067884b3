"""Rounds to medians, medians to a table of 80 columns."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One run of one mode against one server."""

    server: str
    mode: str
    connections: int
    accepted_per_second: float
    delivered_per_second: float
    """End to end: from the first octet sent until the last message was at the sink."""
    cpu_ms: float
    """Of the server's processes, per message, until it was idle again."""
    latency_p50_ms: float
    latency_p99_ms: float
    load_cores: float
    """Processors that the load generator kept busy."""
    sink_cores: float
    other_cores: float
    """Processors that neither server, load nor sink kept busy, but others on the machine did."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


MEASURED = (
    "accepted_per_second", "delivered_per_second", "cpu_ms", "latency_p50_ms", "latency_p99_ms", "load_cores",
    "sink_cores", "other_cores",
)  # fmt: skip


def medians(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """One row per server, mode and number of connections, in the order first met."""
    groups: dict[tuple[str, int, str], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.mode, one.connections, one.server), []).append(one)
    rows = []
    for (mode, connections, server), ones in groups.items():
        row: dict[str, Any] = {"mode": mode, "connections": connections, "server": server, "rounds": len(ones)}
        row |= {name: round(median(getattr(one, name) for one in ones), 3) for name in MEASURED}
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Per mode a line for each server; with both, how many times better Gatepost is."""
    lines = [
        "                              accepted delivered  CPU ms    250 after ms   load",
        "mode                server          /s        /s    /msg    p50      p99  cores",
        "-" * 80,
    ]
    for mode, connections in dict.fromkeys((row["mode"], row["connections"]) for row in rows):
        same = [row for row in rows if (row["mode"], row["connections"]) == (mode, connections)]
        title = f"{mode}, {connections}"
        for row in same:
            lines.append(
                f"{title:<20}{row['server']:<10}{row['accepted_per_second']:>8.0f}{row['delivered_per_second']:>10.0f}"
                f"{row['cpu_ms']:>8.2f}{row['latency_p50_ms']:>7.1f}{row['latency_p99_ms']:>9.1f}"
                f"{row['load_cores']:>7.2f}"
            )
            title = ""
        if len(same) == 2:
            lines.append(_times_better(*sorted(same, key=lambda row: row["server"])))
    return "\n".join(lines)


def _times_better(gatepost: dict[str, Any], postfix: dict[str, Any]) -> str:
    def more(name: str) -> str:
        return f"{gatepost[name] / postfix[name]:.1f}x"

    def less(name: str) -> str:
        return f"{postfix[name] / gatepost[name]:.1f}x" if gatepost[name] else "-"

    return (
        f"{'':<20}{'better by':<10}{more('accepted_per_second'):>8}{more('delivered_per_second'):>10}"
        f"{less('cpu_ms'):>8}{less('latency_p50_ms'):>7}{less('latency_p99_ms'):>9}"
    )
