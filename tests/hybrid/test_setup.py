"""Plan, apply and undo of one installation, with a relay in memory and everything else real."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.hybrid import setup
from gatepost.hybrid.errors import ApplyError, NothingApplied, NotPossible, UnusableFile
from gatepost.hybrid.relay_token import noted_token
from hybrid.parts import Quiet, Scene, applied, presented


def test_after_an_apply_nothing_is_left_to_plan_and_the_same_plan_is_not_applied_twice(scene: Scene) -> None:
    plan = applied(scene)
    assert setup.plan(scene.here, scene.request).changes == ()
    assert not setup.apply_plan(scene.here, plan, Quiet(), wait_s=0)
    assert scene.here.last_request() == replace(scene.request, tenant="contoso")
    assert presented(scene) == ("mail.contoso.com",)


def test_an_edge_is_left_as_it_was_while_the_relay_refuses(scene: Scene) -> None:
    plan = setup.plan(scene.here, scene.request)
    scene.relay.verdict = "refused"
    progress = Quiet()
    with pytest.raises(ApplyError, match="the relay would refuse"):
        setup.apply_plan(scene.here, plan, progress, wait_s=0)
    assert [each.accepted for each in progress.rehearsals] == [False]
    assert presented(scene) == ()
    scene.relay.verdict = "relay"
    assert setup.apply_plan(scene.here, plan, progress, wait_s=0)


def test_undo_takes_both_sides_back(scene: Scene) -> None:
    applied(scene)
    undone = setup.undo(scene.here, lambda *_: None)
    assert (undone.kept, undone.left, undone.warning) == ((), (), None)
    assert scene.relay.objects == {}
    assert presented(scene) == ()
    with pytest.raises(NothingApplied):
        setup.undo(scene.here, lambda *_: None)


def test_an_operators_token_needs_a_tenant_and_a_reading_one_is_not_enough(scene: Scene) -> None:
    scene.relay.tenant = None
    with pytest.raises(NotPossible, match="--tenant T"):
        setup.plan(scene.here, scene.request)
    assert setup.plan(scene.here, replace(scene.request, tenant="contoso")).changes
    scene.relay.tenant, scene.relay.scopes = "contoso", ("read",)
    with pytest.raises(NotPossible, match="may only read"):
        setup.plan(scene.here, scene.request)


def test_the_end_of_the_token_is_noted(scene: Scene) -> None:
    scene.relay.expires_at = "2030-01-02T03:04:05+00:00"
    setup.plan(scene.here, scene.request)
    noted = noted_token(scene.here.folder)
    assert noted is not None and noted.expires_at is not None
    assert (noted.id, noted.expires_at.year) == ("t1", 2030)


@pytest.mark.parametrize(("moved", "expected"), [(-400, "is not valid before"), (4000, "expired on")])
def test_a_certificate_out_of_its_time_is_not_planned_with(scene: Scene, moved: int, expected: str) -> None:
    scene.clock.at += timedelta(days=moved)
    with pytest.raises(UnusableFile, match=expected):
        setup.plan(scene.here, scene.request)
