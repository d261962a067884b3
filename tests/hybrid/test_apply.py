"""Plan, apply, undo: over two sides in memory, with the journal in a real folder."""

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.hybrid.apply import UndoResult, apply, undo
from gatepost.hybrid.errors import ApplyError, NotChanged, PlanOutdated, UnusablePlan
from gatepost.hybrid.journal import Memory, private_folder, write_private
from gatepost.hybrid.plan import Change, Plan, document, read_plan
from hybrid.worlds import AT, DESIRED, MemorySide, World, renewed
from soak import rounds

INBOUND = "inbound-connector edge.contoso.com"


def carry_out(world: World, plan: Plan, memory: Memory) -> list[int]:
    steps: list[int] = []
    apply(plan, memory.begin(plan), world.sides, lambda: None, lambda change, _: steps.append(change.order))
    world.remember(plan)
    return steps


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "hybrid")


def test_from_nothing_the_relay_is_ready_before_the_edge_sends(memory: Memory) -> None:
    world = World()
    plan = world.plan()
    carry_out(world, plan, memory)
    assert world.relay.objects[INBOUND]["certificate_names"] == ["mail.contoso.com"]
    assert world.relay.objects[INBOUND]["enabled"]
    assert world.edge.objects["send-connector to-relay"]["enabled"]
    assert [(change.object, change.action) for change in plan.changes][-3:] == [
        ("accepted-domain contoso.com", "update"),
        (INBOUND, "update"),
        ("send-connector to-relay", "update"),
    ]
    assert [change.rehearse_first for change in plan.changes].index(True) == len(plan.changes) - 1


def test_what_is_not_finished_is_asleep_on_both_sides(memory: Memory) -> None:
    """However far an apply gets: no connector is awake before everything it stands on is there."""
    world = World()
    plan = world.plan()
    for change in plan.changes[:-3]:
        world.sides[change.side].write(change)
        connectors = [*world.relay.objects.items(), *world.edge.objects.items()]
        asleep = [name for name, fields in connectors if name.startswith(("send-", INBOUND)) and fields["enabled"]]
        assert asleep == []


def test_planning_again_after_apply_plans_nothing(memory: Memory) -> None:
    world = World()
    carry_out(world, world.plan(), memory)
    assert world.plan().changes == ()
    assert world.plan().kept == ()


def test_nothing_begins_when_the_world_has_moved(memory: Memory) -> None:
    world = World()
    plan = world.plan()
    world.relay.objects["accepted-domain contoso.com"] = {"match_subdomains": True, "verified": True}
    before = world.state()
    with pytest.raises(PlanOutdated) as outdated:
        carry_out(world, plan, memory)
    assert [each.object for each in outdated.value.drifts] == ["accepted-domain contoso.com"]
    assert world.state() == before


def test_an_object_that_the_plan_does_not_rest_on_may_move(memory: Memory) -> None:
    world = World()
    plan = world.plan()
    world.relay.objects["inbound-connector other"] = {**deepcopy(plan.changes[1].after or {}), "type": "partner"}
    carry_out(world, plan, memory)


def test_a_plan_file_that_was_edited_is_refused() -> None:
    plan = World().plan()
    found = document(plan)
    assert read_plan(json.dumps(found), "plan.json") == plan
    found["changes"][1]["after"]["certificate_names"] = ["mail.fabrikam.com"]
    with pytest.raises(UnusablePlan, match=r"plan\.json was edited"):
        read_plan(json.dumps(found), "plan.json")


def test_a_renewal_with_another_name_keeps_the_old_one_for_seven_days(memory: Memory) -> None:
    world = World()
    carry_out(world, world.plan(), memory)
    carry_out(world, world.plan(renewed("mail2.contoso.com")), memory)
    assert world.relay.objects[INBOUND]["certificate_names"] == ["mail.contoso.com", "mail2.contoso.com"]
    soon = world.plan(renewed("mail2.contoso.com"), at=AT + timedelta(days=6))
    assert soon.changes == ()
    later = world.plan(renewed("mail2.contoso.com"), at=AT + timedelta(days=7))
    assert [(change.object, change.after and change.after["certificate_names"]) for change in later.changes] == [
        (INBOUND, ["mail2.contoso.com"])
    ]


def test_a_connector_that_already_accepts_the_name_is_used_as_it_is() -> None:
    world = World()
    fresh = next(change.after for change in world.plan().changes if change.object == INBOUND)
    world.relay.objects["inbound-connector all"] = {
        **(fresh or {}),
        "certificate_names": ["*.contoso.com"],
        "enabled": True,
    }
    assert not any(
        change.object.startswith("inbound-connector") and change.side == "relay" for change in world.plan().changes
    )


def test_values_changed_by_hand_are_kept_until_they_are_named(memory: Memory) -> None:
    world = World()
    carry_out(world, world.plan(), memory)
    sent = world.edge.objects["send-connector to-relay"]
    sent["tls"] = "opportunistic"
    sent["smart_hosts"].append({"host": "backup.example.net", "port": 25})
    plan = world.plan()
    assert plan.changes == ()
    assert {each.name for each in plan.kept} == {"send-connector to-relay.tls", "send-connector to-relay.smart_hosts"}
    named = world.plan(overwrite=("send-connector to-relay.tls",))
    assert [(change.before or {})["tls"] for change in named.changes] == ["opportunistic"]
    carry_out(world, named, memory)
    assert sent is not world.edge.objects["send-connector to-relay"]
    assert world.edge.objects["send-connector to-relay"]["tls"] == "encrypt"
    assert len(world.edge.objects["send-connector to-relay"]["smart_hosts"]) == 2


def test_what_was_removed_by_hand_stays_removed_until_it_is_named(memory: Memory) -> None:
    world = World()
    carry_out(world, world.plan(), memory)
    del world.relay.objects[INBOUND]
    plan = world.plan()
    assert plan.changes == ()
    assert [each.name for each in plan.kept] == [INBOUND]
    carry_out(world, world.plan(overwrite=(INBOUND,)), memory)
    assert world.relay.objects[INBOUND]["enabled"]


# --- whatever somebody edits between applies -----------------------------------------------------------------------

_NAMES = st.lists(
    st.sampled_from(["mail.contoso.com", "a.contoso.com", "b.contoso.com", "*.x.contoso.com"]), unique=True
)
_HOSTS = st.lists(
    st.sampled_from([("relay.example.net", 2525), ("backup.example.net", 25), ("10.1.1.1", 25)]).map(
        lambda pair: {"host": pair[0], "port": pair[1]}
    ),
    unique_by=str,
)
_EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("relay"), st.just(INBOUND), st.just("certificate_names"), _NAMES),
        st.tuples(st.just("relay"), st.just(INBOUND), st.just("enabled"), st.booleans()),
        st.tuples(st.just("relay"), st.just(INBOUND), st.just("require_tls"), st.booleans()),
        st.tuples(st.just("relay"), st.just(INBOUND), st.just("addresses"), st.just(["192.0.2.1/32"])),
        st.tuples(st.just("relay"), st.just("accepted-domain contoso.com"), st.just("match_subdomains"), st.booleans()),
        st.tuples(st.just("edge"), st.just("send-connector to-relay"), st.just("smart_hosts"), _HOSTS),
        st.tuples(
            st.just("edge"),
            st.just("send-connector to-relay"),
            st.just("tls"),
            st.sampled_from(["verify", "encrypt", "none"]),
        ),
        st.tuples(st.just("edge"), st.just("send-connector to-relay"), st.just("fqdn"), st.just("other.contoso.com")),
        st.tuples(st.just("edge"), st.just("send-connector to-relay"), st.just("certificate"), st.just("/else.pem")),
        st.tuples(st.just("edge"), st.just("send-connector to-relay"), st.just("enabled"), st.booleans()),
    ),
    max_size=6,
)
_DESIRED = st.sampled_from([DESIRED, renewed("mail2.contoso.com"), replace(DESIRED, key="/etc/gatepost/other.key")])


@pytest.mark.soak
@settings(deadline=None, max_examples=rounds(20, large=1200))
@given(rounds=st.lists(st.tuples(_EDITS, _DESIRED), min_size=1, max_size=3))
def test_no_apply_takes_back_what_somebody_did_by_hand(rounds: list[tuple[list[Any], Any]]) -> None:
    with TemporaryDirectory() as folder:
        memory, world = Memory(Path(folder)), World()
        carry_out(world, world.plan(), memory)
        by_hand: dict[tuple[str, str, str], tuple[Any, Any]] = {}
        for edits, desired in rounds:
            for side, name, field, value in edits:
                world.sides[side].objects[name][field] = deepcopy(value)
                by_hand[side, name, field] = (world.last[side][name].get(field, _UNMANAGED), value)
            plan = world.plan(desired)
            carry_out(world, plan, memory)
            for (side, name, field), (applied, value) in by_hand.items():
                now = world.sides[side].objects[name][field]
                if isinstance(value, list) and applied is not _UNMANAGED:
                    assert all(each in now for each in value if each not in applied), field
                    assert not any(each in now for each in applied if each not in value), field
                elif value != applied:
                    assert now == value, field
            assert world.plan(desired).changes == ()


_UNMANAGED = object()


@pytest.mark.soak
@settings(deadline=None, max_examples=rounds(20, large=1200))
@given(edits=_EDITS, desired=_DESIRED, cut=st.integers(0, 9))
def test_undo_returns_both_sides_to_the_octet(edits: list[Any], desired: Any, cut: int) -> None:
    """From nothing or from an earlier, edited set-up; whole, or interrupted anywhere."""
    with TemporaryDirectory() as folder:
        memory, world = Memory(Path(folder)), World()
        if edits:
            carry_out(world, world.plan(), memory)
            for side, name, field, value in edits:
                world.sides[side].objects[name][field] = deepcopy(value)
        before = world.state()
        plan = world.plan(desired)
        if not plan.changes:
            return
        journal = memory.begin(plan)
        for change in plan.changes[: cut or None]:
            journal.note("begun", change.order)
            world.sides[change.side].write(change)
            journal.note("done", change.order)
        assert undo(journal, world.sides, lambda *_: None) == UndoResult(kept=(), left=())
        assert world.state() == before


def test_undo_leaves_alone_what_somebody_changed_since(memory: Memory) -> None:
    world = World()
    carry_out(world, world.plan(), memory)
    carry_out(world, world.plan(renewed("mail2.contoso.com")), memory)
    carry_out(world, world.plan(replace(renewed("mail2.contoso.com"), key="/new.key")), memory)
    world.edge.objects["send-connector to-relay"]["key"] = "/by-hand.key"
    latest = memory.latest()
    assert latest is not None
    kept = undo(latest, world.sides, lambda *_: None).kept
    assert [each.name for each in kept] == ["send-connector to-relay.key"]
    assert world.edge.objects["send-connector to-relay"]["key"] == "/by-hand.key"


class RefusingSide(MemorySide):
    """A side that says no to some changes; `unreachable` ones get no answer."""

    def __init__(self, *, refused: frozenset[str] = frozenset(), unreachable: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.refused, self.unreachable = refused, unreachable

    def write(self, change: Change) -> None:
        if change.object in self.refused:
            raise NotChanged(f"{change.object}: no")
        if change.object in self.unreachable:
            raise ApplyError(f"{change.object}: no answer")
        super().write(change)


DOMAIN = "accepted-domain contoso.com"


def test_undo_does_not_take_back_what_somebody_else_did_after_a_refusal(memory: Memory) -> None:
    """The relay refuses the verification, the operator vouches, the apply goes on: that step is the operator's."""
    relay = RefusingSide()
    world = World(relay=relay)
    relay.objects[DOMAIN] = {"match_subdomains": False, "verified": False}
    plan = world.plan()
    relay.refused = frozenset({DOMAIN})
    with pytest.raises(NotChanged):
        carry_out(world, plan, memory)
    relay.objects[DOMAIN] = {"match_subdomains": False, "verified": True}
    steps: list[tuple[str, str]] = []
    apply(plan, memory.begin(plan), world.sides, lambda: None, lambda change, what: steps.append((change.object, what)))
    assert steps[0] == (DOMAIN, "was done")
    latest = memory.latest()
    assert latest is not None
    assert undo(latest, world.sides, lambda *_: None) == UndoResult(kept=(), left=())
    assert world.state() == {"relay": {DOMAIN: {"match_subdomains": False, "verified": True}}, "edge": {}}
    assert memory.latest() is None


def test_undo_goes_past_what_is_refused_and_says_so(memory: Memory) -> None:
    relay = RefusingSide()
    world = World(relay=relay)
    relay.objects[DOMAIN] = {"match_subdomains": False, "verified": False}
    carry_out(world, world.plan(), memory)
    relay.refused = frozenset({DOMAIN})
    latest = memory.latest()
    assert latest is not None
    result = undo(latest, world.sides, lambda *_: None)
    assert [(each.change.object, each.final) for each in result.left] == [(DOMAIN, True)]
    assert world.state() == {"relay": {DOMAIN: {"match_subdomains": False, "verified": True}}, "edge": {}}
    assert memory.latest() is None


def test_undo_can_be_repeated_where_a_side_did_not_answer(memory: Memory) -> None:
    relay = RefusingSide()
    world = World(relay=relay)
    carry_out(world, world.plan(), memory)
    relay.unreachable = frozenset({DOMAIN, INBOUND})
    latest = memory.latest()
    assert latest is not None
    assert {each.change.object for each in undo(latest, world.sides, lambda *_: None).left} == {DOMAIN, INBOUND}
    assert world.state()["edge"] == {}
    relay.unreachable = frozenset()
    again = memory.latest()
    assert again is not None
    assert undo(again, world.sides, lambda *_: None) == UndoResult(kept=(), left=())
    assert world.state() == World().state()


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.parametrize("wrote", [True, False], ids=["after the step", "before the step"])
def test_an_interrupted_apply_goes_on_where_it_stopped(memory: Memory, step: int, wrote: bool) -> None:
    world, whole = World(), World()
    carry_out(whole, whole.plan(), Memory(memory.folder / "whole"))
    plan = world.plan()
    journal = memory.begin(plan)
    for change in plan.changes[:step]:
        journal.note("begun", change.order)
        if change.order < step or wrote:
            world.sides[change.side].write(change)
        if change.order < step:
            journal.note("done", change.order)
    carry_out(world, plan, memory)
    assert world.state() == whole.state()
    again = memory.latest()
    assert again is not None
    assert (again.number, again.progress().finished) == (1, True)


def test_a_refused_rehearsal_leaves_the_edge_as_it_was(memory: Memory) -> None:
    world = World()
    plan = world.plan()

    def refused() -> None:
        raise ApplyError("the relay would refuse it")

    with pytest.raises(ApplyError):
        apply(plan, memory.begin(plan), world.sides, refused, lambda *_: None)
    assert not world.edge.objects["send-connector to-relay"]["enabled"]
    journal = memory.latest()
    assert journal is not None
    undo(journal, world.sides, lambda *_: None)
    assert world.state() == World().state()


def test_the_plan_is_for_the_owners_eyes(memory: Memory) -> None:
    plan = World().plan()
    folder = memory.begin(plan).folder
    assert (folder / "plan.json").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_changes_are_numbered_in_the_order_they_are_carried_out() -> None:
    changes = World().plan().changes
    assert [change.order for change in changes] == list(range(1, len(changes) + 1))


def test_two_processes_may_write_one_file_at_a_time(tmp_path: Path) -> None:
    """The serving edge and a command both remember the token's end."""
    file = tmp_path / "hybrid" / "token.json"
    private_folder(file.parent)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write_private(file, str(number) * 100), [number % 10 for number in range(200)]))
    assert len(set(file.read_text())) == 1
    assert [each.name for each in file.parent.iterdir()] == ["token.json"]
