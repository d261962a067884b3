"""The benchmark's own tools count right: what the load generator says it sent is what `sink` says it got."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))

from processes import cpu_seconds
from tools import BenchError, Sink, build, send

from gatepost.loadgen.load import Load


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
    "said",
    [
        {"per_connection": 1},
        {"per_connection": 7},
        {"pipelining": True},
        {"recipients": 5},
        {"recipients": 5, "pipelining": True},
        {"size": 1_000_000, "messages": 20},
        {"rate": 2000},
    ],
    ids=str,
)
def test_every_message_sent_is_counted_with_its_recipients(sink: Sink, said: dict[str, Any]) -> None:
    load = Load(**{"port": sink.port, "messages": 200, "connections": 8} | said)
    sent = send(load)
    sink.wait_for(load.messages * load.recipients, seconds=10)
    assert sink.deliveries == load.messages * load.recipients
    assert (sent.accepted, sent.refused, sent.lost) == (load.messages, 0, 0)
    assert sink.octets == load.messages * load.size


def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(BenchError, match="0 of 5 messages accepted: Connection refused"):
        send(Load(port=1, messages=5))


def test_the_cpu_time_of_a_process_counts_its_children(sink: Sink) -> None:
    before = cpu_seconds(sink.pid)
    send(Load(port=sink.port, messages=20_000))
    assert cpu_seconds(sink.pid) > before
