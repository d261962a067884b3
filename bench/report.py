"""Rounds to medians, and a results file to the Markdown that stands in docs/performance.md.

    python bench/report.py RESULTS.json                                 prints its Markdown
    python bench/report.py RESULTS.json --page docs/performance.md      puts it there, in place of that of the same kind

A block of the page begins with `<!-- figures: bench/results/NAME.json -->` and ends with `<!-- end of figures -->`.
tests/bench/test_report.py holds every block against its file, so the page cannot say other figures than were measured.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cases import Case
from machine import ROOT
from results import read
from results import table as table_of_findings

_FULL_LOAD = 0.9
"""Of its one processor: then the load generator sets the pace."""
_FULL_MACHINE = 0.9

BLOCK = re.compile(r"<!-- figures: (\S+) -->\n.*?<!-- end of figures -->", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One case against one server, once."""

    server: str
    case: Case
    messages: int
    rate: float = 0
    """Messages a second that were asked for; 0: as many as went."""
    accepted_per_second: float
    delivered_per_second: float | None
    """End to end: from the first octet sent until the last message was at the sink."""
    cpu_ms: float
    """Of the server's processes, per message, until it was idle again."""
    latency_p50_ms: float
    latency_p99_ms: float
    server_cores: float
    """Processors that the server kept busy."""
    load_cores: float
    sink_cores: float
    other_cores: float
    """Processors that neither server, load nor sink kept busy, but others on the machine did."""

    @property
    def steady_per_second(self) -> float:
        """What the server does end to end: delivered, or accepted where nothing is to be delivered."""
        return self.accepted_per_second if self.delivered_per_second is None else self.delivered_per_second

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


MEASURED = (
    "accepted_per_second", "delivered_per_second", "cpu_ms", "latency_p50_ms", "latency_p99_ms", "server_cores",
    "load_cores", "sink_cores", "other_cores",
)  # fmt: skip


def medians(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """One row per case and server, in the order first met."""
    groups: dict[tuple[Case, str], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.case, one.server), []).append(one)
    return [
        {"case": asdict(case), "server": server, "rounds": len(ones)} | {name: _median(ones, name) for name in MEASURED}
        for (case, server), ones in groups.items()
    ]


def _median(ones: list[Measurement], name: str) -> float | None:
    values = [getattr(one, name) for one in ones]
    return None if None in values else round(median(values), 3)


# --- Markdown --------------------------------------------------------------------------------------------------------


def markdown(result: dict[str, Any]) -> str:
    if result["what"] != "speed":
        return "\n\n".join([_head(result), table_of_findings(result["findings"])])
    parts = [_head(result), _table_of_speed(result), _table_of_limits(result)]
    if result["half_load"]:
        parts.insert(2, _table_of_half_load(result))
    if result["failed"]:
        parts.append("Could not be measured: " + "; ".join(result["failed"]) + ".")
    return "\n\n".join(parts)


def _head(result: dict[str, Any]) -> str:
    machine, run = result["machine"], result["run"]
    servers = ", ".join(f"{name} {version}" for name, version in result.get("servers", {}).items())
    says = [
        f"Measured on {result['at'][:10]} in {run['seconds']:.0f} s with `{result['command']}`; "
        f"{machine['cores']} cores, {machine['cpu']}, {machine['file_system']}, Linux {machine['kernel']}, "
        f"Python {machine['python']}, {machine['openssl']}; revision {machine['commit']}."
    ]
    if servers:
        others = median(row["other_cores"] for row in result["medians"])
        says.append(f"{servers}; median of {_rounds(result)}. Others kept {others:.1f} cores busy meanwhile.")
    else:
        says.append(f"In all {run['busy_cores']:.1f} cores were busy meanwhile, whoever kept them so.")
    return " ".join(says)


def _rounds(result: dict[str, Any]) -> str:
    counts = sorted({row["rounds"] for row in result["medians"]})
    if counts == [1]:
        return "one round"
    return f"{counts[0]} rounds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} rounds"


def _table_of_speed(result: dict[str, Any]) -> str:
    lines = [
        "| case | server | accepted/s | delivered/s | CPU ms/message | 250 after, p50 ms | p99 ms "
        "| cores: server, load, sink | full |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    cores = result["machine"]["cores"]
    for case, rows in _by_case(result["medians"]):
        title = case.title
        other = next((row for row in rows if row["server"] != "Gatepost"), None)
        for row in sorted(rows, key=lambda row: row["server"] == "Gatepost"):
            base = other if row is not other else None
            lines.append(
                f"| {title} | {row['server']} | {_more(row, base, 'accepted_per_second')} "
                f"| {_more(row, base, 'delivered_per_second')} | {_less(row, base, 'cpu_ms', 2)} "
                f"| {row['latency_p50_ms']:.1f} | {row['latency_p99_ms']:.1f} "
                f"| {row['server_cores']:.2f}, {row['load_cores']:.2f}, {row['sink_cores']:.2f} | {_full(row, cores)} |"
            )
            title = ""
    return "\n".join(lines)


def _by_case(rows: list[dict[str, Any]]) -> Iterator[tuple[Case, list[dict[str, Any]]]]:
    groups: dict[Case, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(Case(**row["case"]), []).append(row)
    return iter(groups.items())


def _more(row: dict[str, Any], base: dict[str, Any] | None, name: str) -> str:
    if row[name] is None:
        return ""
    times = f" ({row[name] / base[name]:.1f}x)" if base and base[name] else ""
    return f"{row[name]:.0f}{times}"


def _less(row: dict[str, Any], base: dict[str, Any] | None, name: str, digits: int) -> str:
    times = f" ({base[name] / row[name]:.1f}x)" if base and row[name] else ""
    return f"{row[name]:.{digits}f}{times}"


def _full(row: dict[str, Any], cores: int) -> str:
    """What kept it from being faster, where that is plain to see."""
    if row["load_cores"] >= _FULL_LOAD:
        return "load generator was full"
    busy = row["server_cores"] + row["load_cores"] + row["sink_cores"] + row["other_cores"]
    return "processors" if busy >= _FULL_MACHINE * cores else ""


def _table_of_half_load(result: dict[str, Any]) -> str:
    lines = [
        "At half of that rate:",
        "",
        "| case | server | messages/s | 250 after, p50 ms | p99 ms |",
        "|---|---|---|---|---|",
    ]
    for case, rows in _by_case(result["half_load"]):
        title = case.title
        for row in sorted(rows, key=lambda row: row["server"] == "Gatepost"):
            lines.append(
                f"| {title} | {row['server']} | {row['rate']:.0f} | {row['latency_p50_ms']:.1f} "
                f"| {row['latency_p99_ms']:.1f} |"
            )
            title = ""
    return "\n".join(lines)


def _table_of_limits(result: dict[str, Any]) -> str:
    """How far Gatepost is from what the machine can do without a server, a disk, or anything but TLS."""
    limits, tls = result["limits"], result["limits"]["tls"]
    says = (
        "The limits of the machine, in the same run: load generator straight to sink "
        f"{limits['load_to_sink_new']:.0f}/s on new and {limits['load_to_sink_reused']:.0f}/s on reused connections; "
        + _postfix_pair(limits)
        + f"the disk, {limits['disk_syncs']:.0f} syncs/s; the TLS library, "
        f"{tls['server_per_cpu_second']:.0f} handshakes per CPU second of the server ({tls['server_cpu_ms']:.2f} ms). "
        "How near Gatepost is to them:"
    )
    lines = [
        says,
        "",
        "| case | load to sink | smtp-source to smtp-sink | disk: messages per possible sync | handshake, of its CPU |",
        "|---|---|---|---|---|",
    ]
    for row in result["medians"]:
        case = Case(**row["case"])
        if row["server"] == "Gatepost" and case.size == Case(mode=case.mode).size and not case.accept_only:
            lines.append(_limits_of(row, case, limits))
    return "\n".join(lines)


def _postfix_pair(limits: dict[str, Any]) -> str:
    if "smtp_source_to_sink_new" not in limits:
        return ""
    return (
        f"Postfix's smtp-source to its smtp-sink {limits['smtp_source_to_sink_new']:.0f}/s and "
        f"{limits['smtp_source_to_sink_reused']:.0f}/s; "
    )


def _limits_of(row: dict[str, Any], case: Case, limits: dict[str, Any]) -> str:
    way = "new" if case.is_new else "reused"
    rate = row["delivered_per_second"]
    pair = limits.get(f"smtp_source_to_sink_{way}")
    handshake = f"{100 * limits['tls']['server_cpu_ms'] / row['cpu_ms']:.0f} %" if case.mode == "tls-new" else ""
    return (
        f"| {case.title} | {100 * rate / limits[f'load_to_sink_{way}']:.0f} % "
        f"| {f'{100 * rate / pair:.0f} %' if pair else ''} | {100 * rate / limits['disk_syncs']:.0f} % | {handshake} |"
    )


# --- the page --------------------------------------------------------------------------------------------------------


def block(file: str) -> str:
    return f"<!-- figures: {file} -->\n{markdown(read(ROOT / file))}\n<!-- end of figures -->"


def put_on(page: Path, results: Path) -> None:
    """The block of the same kind gives way."""
    file = str(results.resolve().relative_to(ROOT))
    what, text = read(results)["what"], page.read_text("utf-8")
    for found in BLOCK.finditer(text):
        if read(ROOT / found[1])["what"] == what:
            page.write_text(text.replace(found[0], block(file)), "utf-8")
            return
    raise SystemExit(f"{page}: no block of figures about {what}; begin one with <!-- figures: {file} -->")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    if options.page:
        put_on(options.page, options.results)
    else:
        print(markdown(read(options.results)))


if __name__ == "__main__":
    sys.exit(main())
