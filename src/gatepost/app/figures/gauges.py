"""What is true at this moment, of what no worker counts: the disk, the queue, certificates, prospects,
the directory.

What is said of a forecast is at most five minutes old.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.forecast.forecast import ForecastItem
from gatepost.app import open_editor, open_queue_admin
from gatepost.app.own_credentials import RememberedForecast, certificates
from gatepost.config import Config
from gatepost.mail.visible import visible
from gatepost.queue.message import RecipientState
from gatepost.queue.store import QueueFilter
from gatepost.store.queue.capacity import free_disk


def gauges(config: Config) -> Iterator[Metric]:
    """Raises `StoreError`, `OSError`."""
    with closing(open_editor(config)) as editor:
        yield _prospects(config, editor)
        yield _own_certificates(config, editor)
        yield GaugeMetricFamily("gatepost_directory_version", "Changes of the directory so far.", editor.version)
    yield from _queue(config)
    yield from _disk(config)


def _disk(config: Config) -> Iterator[Metric]:
    # Before the first start there is no such folder.
    folder = config.queue_folder if config.queue_folder.exists() else config.data
    yield GaugeMetricFamily("gatepost_disk_free_bytes", "Left on the disk of the queue.", free_disk(folder))
    yield GaugeMetricFamily(
        "gatepost_disk_least_free_bytes",
        "Below so much new mail is refused ([queue] least_free_disk).",
        config.queue.least_free_disk,
    )


def _prospects(config: Config, editor: DirectoryEditor) -> Metric:
    gauge = GaugeMetricFamily(
        "gatepost_prospects",
        "What will stop working; within_days is 30, 14, 7, 1, or empty where there is no date.",
        labels=("tenant", "code", "within_days"),
    )
    at = datetime.now(UTC)
    counted = Counter((each.tenant, each.code.value, _days(each, at)) for each in _FORECAST.all(config, editor, at))
    for labels, count in counted.items():
        gauge.add_metric(labels, count)
    return gauge


def _own_certificates(config: Config, editor: DirectoryEditor) -> Metric:
    gauge = GaugeMetricFamily(
        "gatepost_certificate_not_after_seconds",
        "When a certificate of this server or of a connector ends, in seconds since the epoch.",
        labels=("tenant", "connector", "name", "sha256"),
    )
    for each in certificates(config, editor):
        if each.not_after:
            # The name is whoever's made the certificate: a tenant's trust anchor is called what the tenant likes.
            labels = (each.tenant, each.connector, visible(each.named), each.sha256)
            gauge.add_metric(labels, each.not_after.timestamp())
    return gauge


def _queue(config: Config) -> Iterator[Metric]:
    recipients = GaugeMetricFamily("gatepost_queue_recipients", "Queued recipients.", labels=("state",))
    oldest = GaugeMetricFamily("gatepost_queue_oldest_seconds", "Since the oldest of them came.", labels=("state",))
    counted: Counter[str] = Counter()
    now = time.time()
    received_at = dict.fromkeys(RecipientState, now)
    for each in open_queue_admin(config).counts(QueueFilter()):
        counted[each.state] += each.recipients
        received_at[each.state] = min(received_at[each.state], each.oldest_received_at)
    for state in RecipientState:
        recipients.add_metric((state.value,), counted[state])
        oldest.add_metric((state.value,), max(0.0, now - received_at[state]))
    yield recipients
    yield oldest


def _days(prospect: ForecastItem, at: datetime) -> str:
    stage = prospect.stage(at)
    return str(stage.days) if stage else ""


_FORECAST = RememberedForecast()
