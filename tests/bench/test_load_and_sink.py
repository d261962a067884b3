"""The benchmark's own tools count right: what `load` says it sent is what `sink` says it got."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

from processes import cpu_seconds
from report import MEASURED, Measurement, medians, table
from tools import BenchError, Sink, build, load


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("the benchmark's tools need a C compiler")
    try:
        build()
    except BenchError as error:
        pytest.skip(str(error))


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    sink = Sink(tmp_path)
    yield sink
    sink.stop()


@pytest.mark.parametrize(
    "words",
    [
        ("--per-connection", "1"),
        ("--per-connection", "7"),
        ("--pipelining", "--per-connection", "0"),
        ("--recipients", "5"),
        ("--recipients", "5", "--pipelining"),
        ("--size", "1000000", "--messages", "20"),
        ("--rate", "2000"),
    ],
    ids=" ".join,
)
def test_every_message_sent_is_counted_with_its_recipients(sink: Sink, words: tuple[str, ...]) -> None:
    sent = load(port=sink.port, options=["--messages", "200", "--connections", "8", *words])
    recipients = 5 if "--recipients" in words else 1
    sink.wait_for(sent["messages"] * recipients, seconds=10)
    assert sink.deliveries == sent["messages"] * recipients
    assert sent["refused"] == sent["lost"] == 0
    assert sink.octets == sent["messages"] * (1_000_000 if "--size" in words else 10_240)


def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(BenchError, match="0 of 5 messages accepted"):
        load(port=1, options=["--messages", "5"])


def test_the_cpu_time_of_a_process_counts_its_children(sink: Sink) -> None:
    before = cpu_seconds(sink.pid)
    load(port=sink.port, options=["--messages", "20000"])
    assert cpu_seconds(sink.pid) > before


def test_the_table_has_medians_and_fits_80_columns() -> None:
    def measured(server: str, figure: float) -> Measurement:
        figures = dict.fromkeys(MEASURED, figure)
        return Measurement(server=server, mode="plain-reused", connections=50, **figures)

    rows = medians([measured("Postfix", 1), measured("Postfix", 3), measured("Postfix", 2), measured("Gatepost", 4)])
    assert [row["delivered_per_second"] for row in rows] == [2, 4]
    lines = table(rows).splitlines()
    assert max(map(len, lines)) <= 80
    assert "2.0x" in lines[-1]
