"""What will stop working, as JSON for a tenant and as metrics for whoever watches the relay."""

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import Response

from gatepost.admin.forecast.forecast import ForecastItem, forecast_item_record
from gatepost.api.bodies import ForecastShown
from gatepost.api.caller import Caller, CallerOf
from gatepost.api.conditional import ConditionsOf
from gatepost.api.names import TenantName
from gatepost.app.figures.exposition import MEDIA_TYPE, exposition
from gatepost.app.own_credentials import foreseen
from gatepost.tenancy.fields import time_text

router = APIRouter()


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
    """List counters and gauges for Prometheus, as `[metrics]` does without a token (operator)."""
    caller.must_be_operator()
    return Response(exposition(caller.config), media_type=MEDIA_TYPE)
