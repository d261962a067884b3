"""The server that the wizard runs on."""

import pytest

from gatepost.hybrid.errors import NothingApplied
from hybrid.parts import Scene, applied


def test_it_remembers_what_was_applied_last(scene: Scene) -> None:
    with pytest.raises(NothingApplied, match="gatepost hybrid plan"):
        scene.here.last_request()
    applied(scene)
    assert scene.here.last_request().domains == ("contoso.com",)
