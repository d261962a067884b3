"""What Prometheus reads, whether the server runs or never did."""

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from gatepost.app.figures.definitions import ACCEPT_SECONDS, COUNTERS, HISTOGRAMS
from gatepost.app.figures.exposition import exposition
from gatepost.config import Config


def read(config: Config) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(exposition(config).decode())
    return {(each.name, tuple(each.labels.values())): each.value for family in families for each in family.samples}


def test_every_series_is_zero_before_anything_ran(installed: Config) -> None:
    found = read(installed)
    for counter in COUNTERS:
        assert any(name == counter.name and value == 0 for (name, _), value in found.items()), counter.name
    assert all(found[f"{each.name}_count", ()] == 0 for each in HISTOGRAMS)
    assert found["gatepost_workers", ()] == 0


def test_counts_and_histograms_are_shown_as_they_were_counted(installed: Config, told: Callable[..., None]) -> None:
    accept = next(each for each in HISTOGRAMS if each.name == ACCEPT_SECONDS)
    bounds = len(accept.bounds)
    told(
        counters={"gatepost_messages_accepted_total": [[7]]},
        histograms={ACCEPT_SECONDS: {"counts": [1, 2] + [0] * (bounds - 2) + [4], "sum": 9.5}},
    )
    found = read(installed)
    assert found["gatepost_messages_accepted_total", ()] == 7
    name = ACCEPT_SECONDS
    assert (found[f"{name}_bucket", ("0.001",)], found[f"{name}_bucket", ("0.0025",)]) == (1, 3)
    assert (found[f"{name}_bucket", ("+Inf",)], found[f"{name}_sum", ()]) == (7, 9.5)
    assert found["gatepost_workers", ()] == 1


def test_a_directory_that_cannot_be_read_leaves_the_counters(installed: Config) -> None:
    installed.directory_file.write_bytes(b"nonsense" * 1000)
    found = read(installed)
    assert ("gatepost_messages_accepted_total", ()) in found
    assert not any(name == "gatepost_directory_version" for name, _ in found)
