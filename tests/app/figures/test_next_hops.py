"""A fault of a next hop stands until mail is taken there, and not for ever."""

from collections.abc import Callable
from typing import Self

from gatepost.app.figures.next_hops import NextHopFaults
from gatepost.tenancy.tenant import SendConnector, SmartHost

NOON = 1_796_126_400.0


def connector(tenant: str | None) -> SendConnector:
    return SendConnector(name="out", tenant=tenant, smart_hosts=(SmartHost(host="192.0.2.1"),), address_spaces=())


def about(faults: NextHopFaults, now: float = NOON) -> list[tuple[str, str]]:
    return [(each["code"], each["about"]) for each in faults.faults(now)]


def test_a_next_hop_that_is_down_is_so_since_the_first_failure_and_for_its_tenant_alone() -> None:
    faults = NextHopFaults()
    faults.is_down(connector("contoso"), "connection refused", NOON - 60)
    faults.is_down(connector("fabrikam"), "connection refused", NOON - 60)
    faults.is_down(connector("contoso"), "no answer", NOON)
    assert [each["since"] for each in faults.faults(NOON)] == [NOON - 60, NOON - 60]
    assert "no answer" in faults.faults(NOON)[0]["says"] and "--tenant contoso" in faults.faults(NOON)[0]["do"]
    faults.takes_mail(connector("contoso"))
    assert about(faults) == [("next-hop-down", "fabrikam/out")]


def test_a_relay_that_refuses_one_tenant_may_take_another() -> None:
    faults = NextHopFaults()
    for tenant in ("contoso", "fabrikam"):
        faults.refuses_us("relay:25", tenant, "it refuses", "see why", NOON)
    faults.recognises_us("relay:25", "fabrikam")
    assert about(faults) == [("relay-refuses-us", "contoso/relay:25")]


def test_what_nobody_meets_any_more_is_dropped_and_there_is_a_bound() -> None:
    faults = NextHopFaults()
    for number in range(1100):
        faults.refuses_us("relay:25", f"t{number}", "it refuses", "see why", NOON)
    assert len(faults.faults(NOON)) == 1000
    assert faults.faults(NOON + 5 * 3600) == []


def test_a_tenant_with_many_faults_leaves_room_for_those_of_another() -> None:
    faults = NextHopFaults()
    for number in range(2000):
        faults.refuses_us(f"relay{number}:25", "contoso", "it refuses", "see why", NOON)
    faults.refuses_us("relay:25", "fabrikam", "it refuses", "see why", NOON)
    found = [each for _, each in about(faults)]
    assert len(found) == 51 and found[-1] == "fabrikam/relay:25"


def test_a_fault_that_begins_while_the_others_are_shown_disturbs_nothing() -> None:
    faults = NextHopFaults()
    for tenant in ("contoso", "fabrikam"):
        faults.is_down(connector(tenant), "connection refused", NOON)
    shown = faults.faults(BusyMoment(NOON, lambda: faults.is_down(connector(None), "connection refused", NOON)))
    assert len(shown) == 2
    assert len(about(faults)) == 3


def test_a_fault_that_is_met_again_after_long_is_a_new_one() -> None:
    faults = NextHopFaults()
    faults.is_down(connector("contoso"), "connection refused", NOON)
    faults.is_down(connector("contoso"), "connection refused", NOON + 5 * 3600)
    assert [each["since"] for each in faults.faults(NOON + 5 * 3600)] == [NOON + 5 * 3600]


class BusyMoment(float):
    """A time at which something else happens whenever it is looked at, as on another thread."""

    def __new__(cls, at: float, meanwhile: Callable[[], None]) -> Self:
        return super().__new__(cls, at)

    def __init__(self, at: float, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile

    def __sub__(self, other: float) -> float:
        self._meanwhile()
        return float(self) - other
