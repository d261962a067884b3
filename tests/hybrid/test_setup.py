"""Plan, apply and undo of one installation, with a relay in memory and everything else real."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost.hybrid import certificates, renewal, setup, verify
from gatepost.hybrid.errors import ApplyError, NothingApplied, NotPossible, UnusableFile
from gatepost.hybrid.plan import Change, Plan
from gatepost.hybrid.rehearsal import Rehearsal
from gatepost.hybrid.relay_token import noted_token
from gatepost.hybrid.sides.relay import Waiting
from hybrid.parts import Scene
from pki import Issued, Pki


class Quiet:
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.rehearsals: list[Rehearsal] = []

    def step(self, change: Change, what: str) -> None:
        self.steps.append(what)

    def waiting(self, waiting: Waiting) -> None: ...

    def rehearsed(self, found: Rehearsal) -> None:
        self.rehearsals.append(found)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), organisation="Known Authority")


@pytest.fixture(scope="module")
def first(pki: Pki) -> Issued:
    return pki.leaf("mail.contoso.com")


@pytest.fixture(scope="module")
def renewed(pki: Pki) -> Issued:
    return pki.leaf("smtp.contoso.com")


@pytest.fixture
def scene(tmp_path: Path, first: Issued) -> Scene:
    scene = Scene(tmp_path)
    # The connector that `init` makes leads to the outside at a cost that any other one beats.
    scene.install(first)
    return scene


def applied(scene: Scene) -> Plan:
    plan = setup.plan(scene.here, scene.request)
    assert setup.apply_plan(scene.here, plan, Quiet(), wait_s=0)
    return plan


def presented(scene: Scene) -> tuple[str, ...]:
    found = scene.here.presented.of(*scene.request.pair)
    return found.leaf.names if found else ()


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


# --- verify -----------------------------------------------------------------------------------------------------------


def checks(scene: Scene) -> dict[str, bool]:
    return {each.name: each.passed for each in verify.verify(scene.here)}


def test_what_was_applied_is_verified(scene: Scene) -> None:
    applied(scene)
    assert checks(scene) == {"certificate": True, "token": True, "both-sides": True, "relayed": True}


def test_verify_says_what_is_wrong(scene: Scene, renewed: Issued) -> None:
    applied(scene)
    scene.relay.verdict = "refused"
    scene.install(renewed)
    found = {each.name: each for each in verify.verify(scene.here)}
    assert found["presented"].passed and "mail.contoso.com" in found["presented"].says
    assert not found["both-sides"].passed and "inbound-connector edge.contoso.com" in found["both-sides"].says
    assert found["relayed"].says.startswith("of the renewed certificate: ")
    scene.relay.unreachable = True
    assert {name for name, passed in checks(scene).items() if not passed} == {"token", "both-sides", "relayed"}


def test_a_token_about_to_end_comes_with_what_to_do(scene: Scene) -> None:
    applied(scene)
    scene.relay.expires_at = (scene.clock.at + timedelta(days=3, hours=1)).isoformat()
    (token,) = [each for each in verify.verify(scene.here) if each.name == "token"]
    assert "3 days left" in token.says
    assert token.do is not None and "gatepost token add" in token.do


# --- a renewed certificate --------------------------------------------------------------------------------------------


def test_a_renewed_certificate_is_presented_once_the_relay_takes_it(scene: Scene, renewed: Issued) -> None:
    applied(scene)
    assert renewal.look(scene.here, follow=False) == {"outcome": "unchanged"}
    scene.install(renewed)
    scene.relay.verdict = "refused"
    found = renewal.look(scene.here, follow=False)
    assert found["outcome"] == "refused" and "stays in use" in found["problem"]
    assert presented(scene) == ("mail.contoso.com",)
    scene.relay.verdict = "relay"
    assert renewal.look(scene.here, follow=False)["outcome"] == "presented"
    assert presented(scene) == ("smtp.contoso.com",)


def test_the_connector_at_the_relay_follows_where_that_is_set(scene: Scene, renewed: Issued) -> None:
    applied(scene)
    scene.install(renewed)
    found = renewal.look(scene.here, follow=True)
    assert (found["outcome"], found["changed"]) == ("presented", "inbound-connector edge.contoso.com")
    names = scene.relay.objects["inbound-connectors/edge.contoso.com"]["certificate_names"]
    assert set(names) == {"mail.contoso.com", "smtp.contoso.com"}


def test_the_old_certificate_stays_while_the_relay_cannot_be_asked(scene: Scene, renewed: Issued) -> None:
    applied(scene)
    scene.install(renewed)
    scene.relay.unreachable = True
    assert renewal.look(scene.here, follow=True)["outcome"] == "not-rehearsed"
    assert presented(scene) == ("mail.contoso.com",)


def test_a_file_that_cannot_be_used_changes_nothing(scene: Scene) -> None:
    applied(scene)
    (scene.folder / "mail.pem").write_text("half a file")
    assert renewal.look(scene.here, follow=False)["outcome"] == "unusable"
    assert presented(scene) == ("mail.contoso.com",)


@pytest.mark.parametrize(("ago", "renewed"), [(59, False), (61, True)])
def test_the_token_is_renewed_when_a_third_of_its_life_is_left(scene: Scene, ago: int, renewed: bool) -> None:
    applied(scene)
    scene.token_lives(90, ago)
    assert ("token_renewed" in renewal.look(scene.here, follow=False)) == renewed
    noted = noted_token(scene.here.folder)
    assert noted is not None and noted.expires_at is not None
    assert (noted.expires_at - scene.clock.now() > timedelta(days=89)) == renewed


def test_a_token_that_may_not_renew_itself_is_left_to_its_operator(scene: Scene) -> None:
    applied(scene)
    scene.token_lives(90, 80)
    scene.relay.scopes = ("read", "write")
    assert "may not renew" in renewal.look(scene.here, follow=False)["token_problem"]
    verify.verify(scene.here)
    assert renewal.look(scene.here, follow=False) == {"outcome": "unchanged"}


# --- certificates side by side ----------------------------------------------------------------------------------------


def test_certificates_are_compared_with_what_the_relay_asks_for(scene: Scene, first: Issued, renewed: Issued) -> None:
    applied(scene)
    scene.here = replace(scene.here)
    files, now = scene.here.ports.certificates, scene.clock.now()
    found = certificates.compare(files, scene.here, [first.chain_file, renewed.chain_file], [first.key_file], now)
    assert found.notes == ()
    by_file = {choice.file: choice for choice in found.choices}
    assert by_file[str(first.chain_file)].key_file == str(first.key_file)
    assert by_file[str(renewed.chain_file)].key_file != str(first.key_file)


def test_without_a_set_up_the_relay_is_not_asked(scene: Scene, first: Issued, tmp_path: Path) -> None:
    files, now = scene.here.ports.certificates, scene.clock.now()
    found = certificates.compare(files, scene.here, [first.chain_file], [first.key_file], now)
    assert [note for note in found.notes if "no relay was set up" in note]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UnusableFile, match="no certificate in"):
        certificates.compare(files, None, [tmp_path / "nothing"], [], now)
