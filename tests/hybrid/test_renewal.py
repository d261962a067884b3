"""One look at a renewed certificate, and at the token."""

from datetime import timedelta

import pytest

from gatepost.hybrid import renewal, verify
from gatepost.hybrid.relay_token import noted_token
from hybrid.parts import Scene, applied, presented
from pki import Issued


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
