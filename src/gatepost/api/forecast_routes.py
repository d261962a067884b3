"""What will stop working, as JSON for a tenant and as metrics for whoever watches the relay.

A forecast looks at every connector, so what the metrics say of it is at most five minutes old, and no older.
"""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Lock

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from gatepost.admin.forecast.forecast import ForecastItem, forecast_item_record
from gatepost.api.bodies import ForecastShown
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.conditional import ConditionsOf
from gatepost.api.names import TenantName
from gatepost.app import open_queue_admin
from gatepost.app.own_credentials import certificates, foreseen
from gatepost.queue.store import QueueFilter
from gatepost.tenancy.fields import time_text

router = APIRouter()

_FRESH_FOR_S = 300.0


@router.get("/v1/forecast", response_model=ForecastShown)
def show_whole_forecast(caller: CallerOf, conditions: ConditionsOf) -> Response:
    """List what will stop working, for all tenants (operator)."""
    caller.must_be_operator()
    return _shown(caller, None, conditions)


@router.get("/v1/tenants/{tenant}/forecast", response_model=ForecastShown)
def show_forecast(caller: CallerOf, tenant: TenantName, conditions: ConditionsOf) -> Response:
    """List what will stop working for a tenant."""
    with caller.directory() as editor:
        owner = caller.tenant(editor, tenant)
    return _shown(caller, owner, conditions)


def _shown(caller: Caller, tenant: str | None, conditions: ConditionsOf) -> Response:
    at = datetime.now(UTC).replace(microsecond=0)
    found = _foreseen(caller, tenant, at)
    return conditions.read({"at": time_text(at), "prospects": [forecast_item_record(each, at) for each in found]})


def _foreseen(caller: Caller, tenant: str | None, at: datetime) -> list[ForecastItem]:
    with caller.directory() as editor:
        return foreseen(caller.config, editor, at, tenant)


# --- metrics ----------------------------------------------------------------------------------------------------------


# Its errors are JSON as everywhere, so the class of the route says nothing of the media type.
@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
def metrics(caller: CallerOf) -> Response:
    """Gauges for Prometheus: prospects, the queue, the directory's version (operator)."""
    caller.must_be_operator()
    registry = CollectorRegistry()
    registry.register(_Gauges(caller))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Gauges:
    """What is true at this moment."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the registry would ask for everything once more to learn the names."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        yield self._prospects()
        yield self._own_certificates()
        yield from self._queue()
        with self._caller.directory() as editor:
            yield GaugeMetricFamily("gatepost_directory_version", "Changes of the directory so far.", editor.version)

    def _prospects(self) -> Metric:
        gauge = GaugeMetricFamily(
            "gatepost_prospects",
            "What will stop working; within_days is 30, 14, 7, 1, or empty where there is no date.",
            labels=("tenant", "code", "within_days"),
        )
        at = datetime.now(UTC)
        prospects = _MEMORY.prospects(self._caller, at)
        counted = Counter((each.tenant, each.code.value, _days(each, at)) for each in prospects)
        for labels, count in counted.items():
            gauge.add_metric(labels, count)
        return gauge

    def _own_certificates(self) -> Metric:
        gauge = GaugeMetricFamily(
            "gatepost_certificate_not_after_seconds",
            "When a certificate of this server or of a connector ends, in seconds since the epoch.",
            labels=("tenant", "connector", "name", "sha256"),
        )
        with self._caller.directory() as editor:
            for each in certificates(self._caller.config, editor):
                if each.not_after:
                    gauge.add_metric((each.tenant, each.connector, each.named, each.sha256), each.not_after.timestamp())
        return gauge

    def _queue(self) -> Iterator[Metric]:
        recipients = GaugeMetricFamily("gatepost_queue_recipients", "Queued recipients.", labels=("state",))
        oldest = GaugeMetricFamily("gatepost_queue_oldest_seconds", "Since the oldest of them came.", labels=("state",))
        counted: Counter[str] = Counter()
        received_at: dict[str, float] = {}
        for each in open_queue_admin(self._caller.config).counts(QueueFilter()):
            counted[each.state.value] += each.recipients
            received_at[each.state.value] = min(received_at.get(each.state.value, time.time()), each.oldest_received_at)
        for state, count in counted.items():
            recipients.add_metric((state,), count)
            oldest.add_metric((state,), max(0.0, time.time() - received_at[state]))
        yield recipients
        yield oldest


def _days(prospect: ForecastItem, at: datetime) -> str:
    stage = prospect.stage(at)
    return str(stage.days) if stage else ""


class _Memory:
    """The last forecast of all tenants."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at = -_FRESH_FOR_S
        self._prospects: list[ForecastItem] = []

    def prospects(self, caller: Caller, at: datetime) -> list[ForecastItem]:
        with self._lock:
            if time.monotonic() - self._at >= _FRESH_FOR_S:
                self._prospects = _foreseen(caller, None, at)
                self._at = time.monotonic()
            return self._prospects


_MEMORY = _Memory()
