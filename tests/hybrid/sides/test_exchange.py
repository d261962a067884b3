"""Exchange as two sides: a request and exports become a plan and scripts."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.hybrid.errors import UnusableFile
from gatepost.hybrid.exchange import CREATED
from gatepost.hybrid.plan import document
from gatepost.hybrid.ports import Exports
from gatepost.hybrid.sides.exchange import PLAN_FILE, ExchangeRequest, Rendered, plan_exchange
from hybrid.parts import Scene

NOW = datetime.now(UTC)
NOTHING = Exports(objects=(), accepted_domains=("contoso.com", "contoso.mail.onmicrosoft.com"))


@pytest.fixture
def request_(scene: Scene) -> ExchangeRequest:
    return ExchangeRequest(
        exports=(),
        domains=("contoso.com",),
        smart_host="mail.contoso.com",
        certificate=scene.request.files[0],
        none=CREATED,
    )


def planned(scene: Scene, request: ExchangeRequest, exports: Exports = NOTHING) -> Rendered:
    return plan_exchange(request, (), scene.here.ports.certificates, lambda *_: exports, NOW)


def test_where_there_is_nothing_both_scripts_create_it(scene: Scene, request_: ExchangeRequest) -> None:
    found = planned(scene, request_)
    assert set(found.scripts) == {"exchange-server.ps1", "exchange-online.ps1"}
    assert {change.action for change in found.plan.changes} == {"create"}


def test_nothing_counts_as_applied_before_an_export_shows_it(
    scene: Scene, request_: ExchangeRequest, tmp_path: Path
) -> None:
    import json

    first = planned(scene, request_)
    (tmp_path / PLAN_FILE).write_text(json.dumps(document(first.plan)))
    assert planned(scene, replace(request_, earlier=tmp_path)).plan.changes == first.plan.changes
    (tmp_path / PLAN_FILE).write_text("{}")
    with pytest.raises(UnusableFile, match="is no plan file"):
        planned(scene, replace(request_, earlier=tmp_path))


def test_without_a_routing_domain_it_must_be_named(scene: Scene, request_: ExchangeRequest) -> None:
    with pytest.raises(UnusableFile, match="--routing-domain"):
        planned(scene, request_, Exports(objects=(), accepted_domains=("contoso.com",)))
    named = replace(request_, routing_domain="contoso.mail.onmicrosoft.com")
    assert planned(scene, named, Exports(objects=(), accepted_domains=("contoso.com",))).plan.changes


@pytest.mark.parametrize(("kind", "why"), [("Nonsense", "must be one of"), ("ReceiveConnector", "must be one of")])
def test_only_what_can_be_created_can_be_said_to_be_missing(
    scene: Scene, request_: ExchangeRequest, kind: str, why: str
) -> None:
    with pytest.raises(UnusableFile, match=why):
        planned(scene, replace(request_, none=(kind,)))
