"""The watch over the certificate file that the wizard answers for."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gatepost.hybrid import setup
from gatepost.hybrid.watch import RenewalAlarm, RenewalWatch
from hybrid.parts import Quiet, Scene
from pki import Pki


class Watched:
    def __init__(self, scene: Scene, *, follow: bool = False) -> None:
        self.answer: dict[str, Any] = {"outcome": "unchanged"}
        self.looks = 0
        self.events: list[str] = []
        self.alarms: list[RenewalAlarm] = []
        self.watch = RenewalWatch(scene.here, self._look, self, self.alarms.append, follow=follow)

    async def _look(self) -> Mapping[str, Any]:
        self.looks += 1
        return self.answer

    def emit(self, event: str, /, **fields: object) -> None:
        self.events.append(event)

    def look(self, times: int = 1) -> int:
        """How often it was rehearsed since the beginning."""
        for _ in range(times):
            asyncio.run(self.watch.look())
        return self.looks


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def scene(tmp_path: Path, pki: Pki) -> Scene:
    scene = Scene(tmp_path / "edge")
    scene.install(pki.leaf("mail.contoso.com"))
    setup.apply_plan(scene.here, setup.plan(scene.here, scene.request), Quiet(), wait_s=0)
    return scene


def test_nothing_is_rehearsed_where_nothing_was_set_up(tmp_path: Path) -> None:
    assert Watched(Scene(tmp_path / "fresh")).look(3) == 0


def test_a_file_that_is_presented_as_it_is_is_not_rehearsed(scene: Scene) -> None:
    assert Watched(scene).look(3) == 0


def test_a_renewed_file_is_rehearsed_and_told_once(scene: Scene, pki: Pki) -> None:
    watched = Watched(scene)
    scene.install(pki.leaf("smtp.contoso.com"))
    watched.answer = {"outcome": "presented", "names": "smtp.contoso.com", "sha256": "ab"}
    assert watched.look() == 1
    scene.here.presented.keep(*scene.request.pair)
    assert watched.look(3) == 1
    assert (watched.events, watched.alarms) == (["renewal-rehearsed"], [])


@pytest.mark.parametrize(
    ("outcome", "event"),
    [
        ("refused", "renewal-refused"),
        ("presented-unproven", "renewal-refused"),
        ("not-rehearsed", "renewal-not-rehearsed"),
        ("unusable", "renewal-not-rehearsed"),
    ],
)
def test_what_is_refused_is_tried_again_and_told_once(scene: Scene, pki: Pki, outcome: str, event: str) -> None:
    watched = Watched(scene)
    scene.install(pki.leaf("smtp.contoso.com"))
    watched.answer = {"outcome": outcome, "problem": "no"}
    assert watched.look(3) == 1
    scene.clock.sleep(61)
    assert watched.look(3) == 2
    assert watched.events == [event]
    assert [(each.code, each.do) for each in watched.alarms] == [(event, "gatepost hybrid verify")]
    watched.answer = {"outcome": outcome, "problem": "another"}
    scene.clock.sleep(61)
    watched.look()
    assert watched.events == [event, event]


def test_names_that_were_replaced_are_tidied_where_the_edge_follows(scene: Scene) -> None:
    for follow, looks in ((False, 0), (True, 1)):
        watched = Watched(scene, follow=follow)
        watched.look()
        scene.clock.sleep(6 * 3600 + 1)
        assert watched.look(3) == looks


def test_the_token_is_renewed_in_time_and_a_failure_is_told_and_tried_again(scene: Scene) -> None:
    watched = Watched(scene)
    scene.token_lives(90, 50)
    assert watched.look() == 0
    scene.clock.sleep(11 * 86400)
    watched.answer = {"outcome": "unchanged", "token_problem": "the relay says no"}
    assert watched.look(3) == 1
    scene.clock.sleep(3601)
    watched.answer = {"outcome": "unchanged", "token_renewed": "2030-01-01 00:00Z"}
    assert watched.look(3) == 2
    assert (watched.events, watched.alarms) == (["token-not-renewed", "token-renewed"], [])


def test_what_cannot_be_read_is_an_alarm_and_no_end_of_the_watch(scene: Scene) -> None:
    watched = Watched(scene)
    for plan in scene.here.folder.glob("applies/*/plan.json"):
        plan.write_text("{")
    watched.look(2)
    assert watched.events == ["renewal-not-rehearsed"]
