"""The programs of the benchmark run, and leave a results file to tell of: small numbers, and no figure is judged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatepost.loadgen.native import CompileError, load_generator

BENCH = Path(__file__).resolve().parents[2] / "bench"


def result_of(program: str, folder: Path, *words: str) -> tuple[dict[str, Any], str]:
    """What `program` found, and what it printed. That a bar is not met says nothing on a machine that tests."""
    try:
        load_generator()
    except CompileError as error:
        pytest.skip(str(error))
    where = ("--folder", str(folder / "data"), "--results", str(folder / "results"))
    done = subprocess.run([sys.executable, str(BENCH / program), *where, *words], capture_output=True, text=True)
    files = list((folder / "results").glob("*.json"))
    assert done.returncode in (0, 1) and len(files) == 1, done.stderr
    found: dict[str, Any] = json.loads(files[0].read_text())
    return found, done.stdout


def test_speed(tmp_path: Path) -> None:
    words = ("--servers", "gatepost", "--rounds", "1", "--seconds", "0.1", "--modes", "tls-new,plain-reused")
    found, told = result_of("run.py", tmp_path, *words, "--half-load")
    assert found["failed"] == []
    assert [row["case"]["mode"] for row in found["medians"]] == ["tls-new", "plain-reused"]
    assert all(row["cpu_ms"] > 0 and row["delivered_per_second"] > 0 for row in found["medians"])
    assert [row["rate"] > 0 for row in found["half_load"]] == [True, True]
    assert "| TLS + client certificate, new, 20 connections | Gatepost |" in told


def test_mail_that_is_accepted_only(tmp_path: Path) -> None:
    words = ("--servers", "gatepost", "--rounds", "1", "--seconds", "0.1", "--modes", "plain-reused", "--accept-only")
    found, _ = result_of("run.py", tmp_path, *words)
    (row,) = found["medians"]
    assert found["failed"] == []
    assert row["accepted_per_second"] > 0
    assert row["delivered_per_second"] is None


def test_a_directory(tmp_path: Path) -> None:
    words = ("--tenants", "100", "--sessions", "60", "--look-ups", "400")
    found, told = result_of("directory_scale.py", tmp_path, *words)
    about = [each["about"] for each in found["findings"]]
    assert "import of 700 lines with 500 connectors" in about
    assert any("a change live on every worker" in each for each in about)
    assert "| attribution, never asked before, 360: p99 |" in told


def test_sessions(tmp_path: Path) -> None:
    words = ("--idle", "20", "--slow", "10", "--senders", "10", "--seconds", "0.3", "--rate", "100")
    found, _ = result_of("sessions.py", tmp_path, *words)
    figures = {each["about"]: each["figure"] for each in found["findings"]}
    assert figures["all processes of the relay with 20 idle TLS sessions"] > 0
    assert figures["octets of content that the slow ones sent meanwhile"] > 0
