"""Whether what was applied holds."""

from datetime import timedelta

from gatepost.hybrid import verify
from hybrid.parts import Scene, applied
from pki import Issued


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
