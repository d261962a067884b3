"""Figures on a page are those of a results file, and no other."""

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

import report
from cases import Case, complete
from machine import ROOT, facts
from report import BLOCK, MEASURED, Measurement, markdown, medians, put_on
from results import Finding

PAGE = ROOT / "docs" / "performance.md"


@pytest.mark.parametrize("file", [found[1] for found in BLOCK.finditer(PAGE.read_text("utf-8"))])
def test_the_page_of_performance_says_what_its_results_file_says(file: str) -> None:
    text = next(found[0] for found in BLOCK.finditer(PAGE.read_text("utf-8")) if found[1] == file)
    assert text == report.block(file), f"run: python bench/report.py {file} --page docs/performance.md"


def measured(server: str, figure: float, case: Case, **said: Any) -> Measurement:
    return Measurement(server=server, case=case, messages=10, **(dict.fromkeys(MEASURED, figure) | said))


def speed(*measurements: Measurement, failed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "what": "speed",
        "at": "2026-11-25T12:00:00+00:00",
        "machine": facts(ROOT) | {"cores": 2},
        "run": {"seconds": 60.0, "busy_cores": 1.9},
        "command": "python bench/run.py",
        "servers": {"Postfix": "3.7.11", "Gatepost": "0.1.0"},
        "limits": {
            "load_to_sink_new": 1000.0,
            "load_to_sink_reused": 2000.0,
            "smtp_source_to_sink_new": 500.0,
            "smtp_source_to_sink_reused": 800.0,
            "disk_syncs": 400.0,
            "tls": {"server_per_cpu_second": 1000.0, "server_cpu_ms": 1.0},
        },
        "medians": medians(measurements),
        "half_load": [],
        "failed": list(failed),
    }


def test_rows_are_medians_with_both_servers_beside_each_other() -> None:
    case = Case(mode="tls-new")
    rows = [measured("Postfix", each, case, load_cores=0.1) for each in (100, 300, 200)]
    rows.append(measured("Gatepost", 400, case, load_cores=0.95, cpu_ms=4.0))
    told = markdown(speed(*rows)).splitlines()
    postfix = next(line for line in told if "| Postfix |" in line)
    gatepost = next(line for line in told if "| Gatepost |" in line)
    assert postfix.startswith("| TLS + client certificate, new, 20 connections | Postfix | 200 | 200 | 200.00 |")
    assert gatepost.startswith("|  | Gatepost | 400 (2.0x) | 400 (2.0x) | 4.00 (50.0x) |")
    assert gatepost.endswith("| load generator was full |")
    limits = told[-1]
    assert limits == "| TLS + client certificate, new, 20 connections | 40 % | 80 % | 100 % | 25 % |"


def test_what_was_accepted_only_has_no_delivery_and_what_failed_is_told() -> None:
    case = Case(mode="plain-new", accept_only=True)
    told = markdown(speed(measured("Gatepost", 7, case, delivered_per_second=None), failed=("Postfix, x: gone",)))
    assert "| plain, new connection, 20 connections, accept only | Gatepost | 7 |  | 7.00 |" in told
    assert told.endswith("Could not be measured: Postfix, x: gone.")


def test_the_complete_run_has_every_kind_of_row_once() -> None:
    cases = complete()
    assert len(set(cases)) == len(cases)
    assert {case.connections for case in cases} == {20, 50}
    assert {case.size for case in cases} == {10 * 1024, 100 * 1024, 1024 * 1024}
    assert {case.recipients for case in cases} == {1, 10, 100}
    assert {case.mode for case in cases if case.accept_only} == {case.mode for case in cases}
    assert all(Case(**asdict(case)) == case for case in cases)


def test_figures_with_bars_say_which_are_not_met() -> None:
    findings = [
        Finding(about="import", figure=41.26, unit="s", most=60),
        Finding(about="growth", figure=61.0, unit="MiB", most=50),
        Finding(about="size", figure=1234.5, unit="MiB"),
    ]
    result = speed(measured("Gatepost", 1, Case(mode="plain-new"))) | {"what": "directory"}
    result |= {"findings": [each.as_json() for each in findings]}
    assert markdown(result).splitlines()[-3:] == [
        "| import | 41.3 s | at most 60 s |",
        "| growth | 61 MiB | at most 50 MiB: **not met** |",
        "| size | 1,234 MiB |  |",
    ]


def test_a_new_results_file_takes_the_place_of_the_old_one_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    for name, figure in (("old", 1), ("new", 2)):
        result = speed(measured("Gatepost", figure, Case(mode="plain-new")))
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    page = Path(shutil.copy(PAGE, tmp_path))
    page.write_text(f"# Speed\n\n{report.block('old.json')}\n\nThe end.\n")
    put_on(page, tmp_path / "new.json")
    assert page.read_text() == f"# Speed\n\n{report.block('new.json')}\n\nThe end.\n"
