"""The order in which the hosts of a domain are tried."""

from gatepost.queue.next_hop import DnsProblem, MxRecord, hosts_in_order

RECORDS = (MxRecord(20, "b.example"), MxRecord(10, "a.example"), MxRecord(20, "c.example"), MxRecord(30, "d.example"))


def ordered(*own: str, shuffle: object = list.reverse) -> object:
    return hosts_in_order("fabrikam.example", RECORDS, own, shuffle)  # type: ignore[arg-type]


def test_better_preferences_come_first_and_equals_are_shuffled() -> None:
    assert ordered(shuffle=lambda hosts: None) == ("a.example", "b.example", "c.example", "d.example")
    assert ordered() == ("a.example", "c.example", "b.example", "d.example")


def test_where_we_are_a_host_ourselves_only_better_ones_are_tried() -> None:
    assert ordered("c.example") == ("a.example",)
    assert ordered("d.example", shuffle=lambda hosts: None) == ("a.example", "b.example", "c.example")


def test_where_we_are_the_best_host_nobody_is_tried() -> None:
    problem = ordered("a.example")
    assert isinstance(problem, DnsProblem)
    assert (problem.permanent, problem.status) == (True, "5.4.6")
