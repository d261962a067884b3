"""Once an hour: records that vanish, keys that have had their time, successors."""

import asyncio
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest

from gatepost.admin.directory import domains
from gatepost.admin.directory.verification import TxtAnswer
from gatepost.admin.signing import keys
from gatepost.admin.signing.watching import KeyRounds
from gatepost.queue.store import StoreUnavailable
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor
from gatepost.tenancy.signing_key import KeyState, SigningKey

from .test_keys import HOST, Zone, add, look


class Events:
    def __init__(self) -> None:
        self.told: list[tuple[object, str]] = []

    def emit(self, event: str, /, **fields: object) -> None:
        self.told.append((fields.get("key", event), str(fields["problem"])))


class Watched:
    def __init__(self, editor: Editor, at: datetime) -> None:
        self.editor, self.at, self.zone, self.events = editor, at, Zone(), Events()
        self._rounds = KeyRounds(lambda: nullcontext(editor), self.zone, self.events, HOST, timedelta(days=9))

    def publish(self, *made: SigningKey) -> None:
        self.zone.records.update({key.record_name: key.record_value for key in made})

    def after(self, **later: float) -> list[tuple[object, str]]:
        """What is told so much later."""
        self.at += timedelta(**later)
        self.events.told.clear()
        asyncio.run(self._rounds.go(self.at))
        return self.events.told

    def states(self) -> dict[str, KeyState]:
        return {key.selector: key.state for key in keys.every(self.editor)}


@pytest.fixture
def watched(editor: Editor, at: datetime) -> Watched:
    for tenant in ("contoso", "fabrikam"):
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=at)
    return Watched(editor, at)


def active(watched: Watched, **said: object) -> SigningKey:
    key = add(watched.editor, watched.at, **said)  # type: ignore[arg-type]
    watched.publish(key)
    return keys.activate(watched.editor, look(watched.zone, key), watched.at)[0]


def test_a_record_that_vanishes_is_told_once_and_when_it_is_back(watched: Watched) -> None:
    key = active(watched)
    assert watched.after(hours=1) == []
    watched.zone.records.clear()
    assert watched.after(hours=1) == [], "a record that was there is asked for once a day"
    ((about, problem),) = watched.after(days=1)
    assert about == key.label and "no longer shows its record" in problem and key.record_value in problem
    assert watched.after(hours=1) == []
    assert watched.states() == {key.selector: KeyState.ACTIVE}, "mail goes on"
    watched.publish(key)
    assert watched.after(hours=1) == [(key.label, "DNS shows its record again")]


def test_dns_that_cannot_say_changes_nothing(watched: Watched) -> None:
    active(watched)
    watched.zone.fails = True
    assert watched.after(hours=1) == []


def test_a_key_of_yesterday_is_let_go_once_its_mail_cannot_wait_any_more(watched: Watched) -> None:
    key = active(watched)
    keys.retire(watched.editor, key, watched.at)
    assert watched.after(days=10) == [], "mail waits nine days here"
    ((_, problem),) = watched.after(days=1)
    assert f"remove the record {key.record_name}" in problem
    assert watched.states() == {key.selector: KeyState.RETIRED}
    watched.zone.records.clear()
    assert watched.after(days=1) == []


def test_a_key_is_replaced_where_that_was_asked_for_and_as_soon_as_dns_shows_the_other(watched: Watched) -> None:
    plain = active(watched, selector="plain", algorithm="rsa2048")
    first = active(watched, selector="first", rotate_days=30)
    assert watched.after(days=29) == []
    ((about, problem),) = watched.after(days=1)
    second = next(key for key in keys.every(watched.editor) if key.label == about)
    assert second.state is KeyState.PENDING and second.record_value in problem
    assert second.rotate_days == 30 and second.algorithm is first.algorithm
    assert watched.after(days=1) == [], "DNS does not show it: the first goes on"
    watched.publish(second)
    ((_, problem),) = watched.after(hours=1)
    assert problem == "it signs from now on in the place of first"
    expected = {second.selector: KeyState.ACTIVE, "first": KeyState.RETIRING, plain.selector: KeyState.ACTIVE}
    assert watched.states() == expected


def test_a_pending_key_of_a_person_waits_for_that_person(watched: Watched) -> None:
    key = add(watched.editor, watched.at)
    watched.publish(key)
    assert watched.after(hours=1) == [] and watched.states() == {key.selector: KeyState.PENDING}


def test_a_successor_that_cannot_be_made_is_told(watched: Watched) -> None:
    key = active(watched, rotate_days=30)
    domains.change(watched.editor, "contoso.com", match_subdomains=None, verified=False, at=watched.at)
    ((about, problem),) = watched.after(days=30)
    assert about == key.label and "no other can be made" in problem


def test_a_store_that_is_away_is_told(at: datetime) -> None:
    def away() -> nullcontext[Editor]:
        raise StoreUnavailable("the disk is full")

    events = Events()
    asyncio.run(KeyRounds(away, Zone(), events, HOST, timedelta(days=5)).go(at))
    assert events.told == [("store-unavailable", "the disk is full")]


def test_a_key_that_goes_while_dns_is_asked_ends_no_round(watched: Watched) -> None:
    key = add(watched.editor, watched.at, rotate_days=30)
    other = active(watched, tenant="fabrikam", domain="fabrikam.com")
    watched.publish(key)
    answer = watched.zone.txt

    async def txt(name: str) -> TxtAnswer:
        for each in keys.every(watched.editor, "contoso"):
            keys.remove(watched.editor, each)
        return await answer(name)

    watched.zone.txt = txt  # type: ignore[method-assign]
    watched.zone.records.pop(other.record_name)
    ((about, _),) = watched.after(days=2)
    assert about == other.label, "the round went on to the others"
