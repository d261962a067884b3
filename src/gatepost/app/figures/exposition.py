"""Figures as Prometheus reads them: the workers' added up, and gauges.

Laws: a counter does not go back while the server runs, whichever worker ends; a gauge that cannot be had is left out,
and the rest is shown.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from gatepost.app.figures import snapshots
from gatepost.app.figures.definitions import COUNTERS, HISTOGRAMS, Counter, Histogram, series_of
from gatepost.app.figures.gauges import gauges
from gatepost.app.figures.next_hops import FAULTS
from gatepost.config import Config
from gatepost.queue.store import StoreError

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(config: Config) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Collector(config))
    return generate_latest(registry)


class _Collector:
    def __init__(self, config: Config) -> None:
        self._config = config

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the registry would ask for everything once more to learn the names."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        found = snapshots.read(self._config.status_folder)
        yield from self._counted(found.total)
        yield from _of_processes(found)
        with suppress(StoreError, OSError):
            yield from gauges(self._config)

    def _counted(self, total: dict[str, Any]) -> Iterator[Metric]:
        listeners = [each.name for each in self._config.listeners]
        for counter in COUNTERS:
            yield _counter(counter, listeners, total["counters"].get(counter.name, ()))
        for histogram in HISTOGRAMS:
            empty = {"counts": [0] * (len(histogram.bounds) + 1), "sum": 0.0}
            yield _histogram(histogram, total["histograms"].get(histogram.name, empty))


def _counter(counter: Counter, listeners: list[str], counted: Any) -> Metric:
    family = CounterMetricFamily(counter.name, counter.says, labels=counter.labels)
    values = dict.fromkeys(series_of(counter, listeners), 0)
    values.update({tuple(labels): value for *labels, value in counted})
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _histogram(histogram: Histogram, counted: dict[str, Any]) -> Metric:
    family = HistogramMetricFamily(histogram.name, histogram.says)
    total, buckets = 0, []
    for bound, count in zip((*(f"{each:g}" for each in histogram.bounds), "+Inf"), counted["counts"], strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric((), buckets, counted["sum"])
    return family


def _of_processes(found: snapshots.Snapshots) -> Iterator[Metric]:
    serve, now = found.serve, time.time()
    info = GaugeMetricFamily("gatepost_build_info", "1; the version is a label.", labels=("version",))
    if serve is not None:
        info.add_metric((serve["version"],), 1)
    yield info
    yield GaugeMetricFamily(
        "gatepost_start_time_seconds",
        "When the server started, in seconds since the epoch.",
        serve["started_at"] if serve else 0,
    )
    yield GaugeMetricFamily(
        "gatepost_workers", "Workers that were heard of in the last seconds.", len(found.fresh(now))
    )
    faults = GaugeMetricFamily("gatepost_next_hop_faults", "Next hops that need a person.", labels=("code",))
    standing = {(each["code"], each["about"]) for worker in found.fresh(now) for each in worker.get("next_hops", ())}
    for code in FAULTS:
        faults.add_metric((code,), sum(each == code for each, _ in standing))
    yield faults
    yield CounterMetricFamily(
        "gatepost_worker_ends_total", "Workers that ended while the server ran.", serve["restarts"] if serve else 0
    )
