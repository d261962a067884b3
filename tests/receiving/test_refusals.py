from gatepost.receiving.refusals import Refusals


def test_each_reason_is_told_a_few_times_and_then_counted() -> None:
    refusals = Refusals()
    told = [refusals.add("address-matches-no-connector") for _ in range(23)]
    assert told == [True] * 20 + [False] * 3
    assert refusals.add("tls-required")
    assert refusals.untold == {"address-matches-no-connector": 3}
    assert refusals.total == 24


def test_what_must_be_told_is() -> None:
    refusals = Refusals()
    assert all(refusals.add("tls-required", telling=True) for _ in range(40))
    assert not refusals.untold
