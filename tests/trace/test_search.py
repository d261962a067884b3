"""The shares of a trace are the whole of it."""

from gatepost.trace.search import SHARES


def test_the_parts_of_all_shares_are_one() -> None:
    assert sum(SHARES.values()) == 1
    assert SHARES["tenants"] > SHARES["strangers"] + SHARES["busy-strangers"]
