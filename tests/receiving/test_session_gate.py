"""Strangers are counted by network and never take a tenant's place (law 6)."""

from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest

from gatepost.receiving.own_servers import LATELY_S, OwnServers
from gatepost.receiving.session_gate import MOST_OUTSIDE, GateLimits, SessionGate, TurnedAway, Visitor, network_of
from gatepost.tenancy.evidence import Address

CONTOSO, CONTOSO_TOO, FABRIKAM = map(ip_address, ("192.0.2.1", "192.0.2.2", "192.0.2.129"))
STRANGER, NEIGHBOUR, ELSEWHERE = map(ip_address, ("198.51.100.1", "198.51.100.2", "203.0.113.1"))

LIMITS = GateLimits(
    sessions=20,
    per_address=10,
    per_network=15,
    begun_per_minute=1000,
    reserved=8,
    refusals=3,
    refusals_per_minute=100,
)


class Listed:
    """The part of the directory that says whose address it is."""

    version = 1

    def __init__(self) -> None:
        self.enabled = self.verified = True
        self.asked = 0
        self.by_evil: set[Address] = set()

    def has_verified_domain(self, tenant: str) -> bool:
        return self.verified

    def tenants_listing(self, address: Address, *, enabled: bool) -> list[str]:
        assert enabled
        self.asked += 1
        tenant = {CONTOSO: "contoso", CONTOSO_TOO: "contoso", FABRIKAM: "fabrikam"}.get(address)
        own = [tenant] if tenant and self.enabled and self.verified else []
        return own + (["evil"] if address in self.by_evil else [])


class Gate(SessionGate):
    def __init__(self, limits: GateLimits = LIMITS) -> None:
        self.at = 0.0
        self.listed = Listed()
        self.events: list[tuple[object, ...]] = []
        own = OwnServers(self.listed, lambda: self.at)  # type: ignore[arg-type]
        super().__init__(limits, own, lambda: self.at, self._told)

    def _told(self, event: str, **fields: object) -> None:
        self.events.append((event, *fields.values()))

    def enters(self, address: Address) -> Visitor:
        visitor = self.enter(address)
        assert isinstance(visitor, Visitor), visitor
        return visitor

    def refuses(self, address: Address) -> str:
        away = self.enter(address)
        assert isinstance(away, TurnedAway), away
        assert away.reply.code == 421
        return away.reply.lines[0].partition(" ")[0]


def test_one_address_at_its_limit_leaves_others_their_place() -> None:
    gate = Gate(replace(LIMITS, per_address=2))
    first = gate.enters(STRANGER)
    gate.enters(STRANGER)
    assert gate.refuses(STRANGER) == "sessions-per-address"
    gate.enters(NEIGHBOUR)
    gate.leave(first)
    gate.enters(STRANGER)


def test_strangers_are_counted_by_network_and_own_servers_in_it_are_not() -> None:
    gate = Gate(replace(LIMITS, per_network=3))
    for stranger in ("192.0.2.50", "192.0.2.51", "192.0.2.52"):
        gate.enters(ip_address(stranger))
    assert gate.refuses(ip_address("192.0.2.53")) == "sessions-per-network"
    gate.enters(CONTOSO)
    gate.enters(ELSEWHERE)


def test_strangers_never_take_the_reserve_of_own_servers() -> None:
    gate = Gate(replace(LIMITS, per_network=100, per_address=100))
    for _ in range(LIMITS.sessions - LIMITS.reserved):
        gate.enters(STRANGER)
    assert gate.refuses(ELSEWHERE) == "sessions-full"
    gate.enters(CONTOSO)


def test_one_tenant_never_takes_the_second_half_of_the_reserve() -> None:
    gate = Gate(replace(LIMITS, per_network=100, per_address=100))
    for _ in range(LIMITS.sessions - LIMITS.reserved):
        gate.enters(STRANGER)
    for at in range(LIMITS.reserved // 2):
        gate.enters((CONTOSO, CONTOSO_TOO)[at % 2])
    assert gate.refuses(CONTOSO) == "sessions-full"
    for _ in range(LIMITS.reserved // 2):
        gate.enters(FABRIKAM)
    assert gate.refuses(FABRIKAM) == "sessions-full"


def test_a_tenant_and_strangers_together_never_take_the_second_half_of_the_reserve() -> None:
    gate = Gate(replace(LIMITS, per_network=100, per_address=100))
    half = LIMITS.reserved // 2
    for _ in range(LIMITS.sessions - half):
        gate.enters(CONTOSO)
    assert gate.refuses(CONTOSO) == gate.refuses(STRANGER) == "sessions-full"
    for _ in range(half):
        gate.enters(FABRIKAM)


def test_who_lists_anothers_address_takes_no_place_from_it() -> None:
    gate = Gate(replace(LIMITS, per_network=100, per_address=100))
    gate.listed.by_evil = {FABRIKAM, ELSEWHERE}
    for _ in range(LIMITS.sessions - LIMITS.reserved // 2):
        gate.enters(ELSEWHERE)
    assert gate.refuses(ELSEWHERE) == "sessions-full"
    visitor = gate.enters(FABRIKAM)
    gate.attributed(visitor, "evil")
    gate.enters(FABRIKAM)


def test_a_session_that_is_attributed_is_no_stranger_any_more_nor_are_later_ones_from_there() -> None:
    gate = Gate(replace(LIMITS, per_network=1))
    visitor = gate.enters(STRANGER)
    assert gate.refuses(NEIGHBOUR) == "sessions-per-network"
    gate.attributed(visitor, "contoso")
    gate.enters(NEIGHBOUR)
    gate.enters(STRANGER)
    gate.leave(visitor)
    gate.at = 86_401.0
    assert gate.refuses(STRANGER) == "sessions-per-network"


@pytest.mark.parametrize("lacking", ["enabled", "verified"])
def test_a_disabled_connector_or_a_tenant_without_a_domain_makes_no_own_server(lacking: str) -> None:
    gate = Gate(replace(LIMITS, per_network=1))
    setattr(gate.listed, lacking, False)
    gate.enters(CONTOSO)
    assert gate.refuses(CONTOSO) == "sessions-per-network"


def test_the_directory_is_asked_once_for_an_address_and_again_when_it_has_changed() -> None:
    gate = Gate()
    for _ in range(3):
        gate.enters(STRANGER)
    assert gate.listed.asked == 1
    gate.listed.version = 2
    gate.enters(STRANGER)
    assert gate.listed.asked == 2


def test_sessions_of_a_network_are_counted_by_the_minute_though_they_end_at_once() -> None:
    gate = Gate(replace(LIMITS, begun_per_minute=5))
    for _ in range(5):
        gate.leave(gate.enters(STRANGER))
    assert gate.refuses(NEIGHBOUR) == "sessions-per-minute"
    gate.enters(CONTOSO)
    gate.at = 60.0
    gate.enters(NEIGHBOUR)


def test_after_some_refusals_answers_come_slowly_and_then_the_session_ends() -> None:
    gate = Gate()
    visitor = gate.enters(STRANGER)
    waits = [gate.refused(visitor, number) for number in range(1, 15)]
    assert [each.wait_s for each in waits[:3]] == [0.0] * 3
    assert all(each.wait_s > 0 and each.farewell is None for each in waits[3:13])
    farewell = waits[13].farewell
    assert farewell is not None and farewell.code == 421 and farewell.lines[0].startswith("refusals ")


def test_refusals_are_counted_over_the_sessions_of_a_network_and_for_an_own_server_by_itself() -> None:
    gate = Gate(replace(LIMITS, refusals_per_minute=4))
    for stranger in (STRANGER, NEIGHBOUR):
        visitor = gate.enters(stranger)
        assert gate.refused(visitor, 1).farewell is None
        assert gate.refused(visitor, 2).farewell is None
    own = gate.enters(CONTOSO)
    for _ in range(4):
        assert gate.refused(own, 1).farewell is None
    assert gate.refuses(ip_address("198.51.100.9")) == "refusals-per-minute"
    gate.enters(FABRIKAM)
    gate.enters(ELSEWHERE)
    farewell = gate.refused(visitor, 3).farewell
    assert farewell is not None and farewell.lines[0].startswith("refusals-per-minute ")
    gate.at = 60.0
    assert gate.refused(visitor, 3).farewell is None


def test_an_own_server_of_which_too_much_was_refused_may_begin_some_more_sessions() -> None:
    gate = Gate(replace(LIMITS, refusals_per_minute=1))
    gate.refused(gate.enters(CONTOSO), 1)
    for _ in range(100):
        gate.leave(gate.enters(CONTOSO))
    assert gate.refuses(CONTOSO) == "refusals-per-minute"
    gate.enters(CONTOSO_TOO)


def test_sessions_that_wear_out_are_not_simply_begun_again() -> None:
    gate = Gate(replace(LIMITS, refusals=50, refusals_per_minute=100))
    for _ in range(2):
        visitor = gate.enters(STRANGER)
        gate.wore_out(visitor)
        gate.leave(visitor)
    assert gate.refuses(STRANGER) == "refusals-per-minute"


def test_commands_without_mail_count_as_refusals_until_they_are_too_many() -> None:
    gate = Gate(replace(LIMITS, refusals_per_minute=2))
    visitor, other = gate.enters(STRANGER), gate.enters(NEIGHBOUR)
    assert gate.idled(visitor, 1) is None
    assert gate.idled(other, 1) is None
    farewell = gate.idled(visitor, 1)
    assert farewell is not None and farewell.code == 421
    assert gate.idled(gate.enters(ELSEWHERE), 1) is None


def test_who_is_turned_away_over_and_over_is_told_a_few_times_and_then_counted() -> None:
    gate = Gate(replace(LIMITS, per_address=1))
    gate.enters(STRANGER)
    told = [away.told for away in (gate.enter(STRANGER) for _ in range(10)) if isinstance(away, TurnedAway)]
    assert told == [True] * 3 + [False] * 7
    assert gate.events == []
    gate.at = 60.0
    gate.look_at_clock()
    assert gate.events == [("turned-away", "sessions_per_address", "198.51.100.0/24", 10)]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002::/64"),
        ("::1", "0000:0000:0000:0000::/64"),
    ],
)
def test_a_strangers_network_is_what_it_has_at_its_disposal(address: str, network: str) -> None:
    assert network_of(ip_address(address)) == network


def test_an_own_server_is_one_for_a_day_and_again_from_its_next_mail_on() -> None:
    gate = Gate()
    for _ in range(2):
        gate.attributed(gate.enters(STRANGER), "contoso")
        gate.at += LATELY_S - 1
        assert gate.enters(STRANGER).tenant == "contoso"
        gate.at += 1
        assert gate.enters(STRANGER).tenant is None


def test_whoever_is_turned_away_over_and_over_waits_for_it_while_there_is_room_to_wait() -> None:
    gate = Gate(replace(LIMITS, begun_per_minute=0))
    first = [gate.enter(STRANGER) for _ in range(3)]
    waiting = [gate.enter(STRANGER) for _ in range(MOST_OUTSIDE)]
    assert {each.wait_s for each in first if isinstance(each, TurnedAway)} == {0.0}
    assert all(isinstance(each, TurnedAway) and each.wait_s > 0 for each in waiting)
    assert gate.enter(STRANGER).wait_s == 0.0, "memory is bounded"  # type: ignore[union-attr]
    gate.waited()
    assert gate.enter(STRANGER).wait_s > 0  # type: ignore[union-attr]
    gate.enters(CONTOSO)


def test_those_who_wait_together_do_not_hear_it_together() -> None:
    gate = Gate(replace(LIMITS, begun_per_minute=0))
    away = [gate.enter(STRANGER) for _ in range(33)]
    waits = sorted(each.wait_s for each in away if isinstance(each, TurnedAway) and each.wait_s)
    assert len(waits) == 30
    assert waits[0] >= 1.0 and waits[-1] < 2.0
    assert min(later - earlier for earlier, later in pairwise(waits)) > 0.01
