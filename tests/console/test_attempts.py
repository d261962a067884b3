"""Guessing is slow, and keeps out nobody who came in from there lately."""

import pytest

from gatepost.console.attempts import Attempts
from gatepost.https.problem import Problem

AT_ONCE = 5


def tried(attempts: Attempts, name: str, *addresses: str) -> int:
    """How many were let through."""
    count = 0
    for address in addresses:
        try:
            attempts.count(name, address)
            count += 1
        except Problem as problem:
            assert problem.status_code == 429
    return count


def test_one_network_has_few_attempts_for_all_names() -> None:
    attempts = Attempts(600)
    assert sum(tried(attempts, f"name{n}", f"192.0.2.{n}") for n in range(50)) == AT_ONCE
    assert tried(attempts, "name", "203.0.113.1") == 1


def test_one_person_is_guessed_at_by_few_whatever_their_networks() -> None:
    attempts = Attempts(600)
    assert tried(attempts, "Ann", *(f"198.51.{n}.1" for n in range(50))) == AT_ONCE
    assert tried(attempts, "ann", "203.0.113.1") == 0, "in any case"
    assert tried(attempts, "bob", "203.0.113.1") == 1


def test_who_came_in_from_there_lately_does_not_wait_for_guessers() -> None:
    attempts = Attempts(600)
    attempts.succeeded("ann", "203.0.113.1")
    tried(attempts, "ann", *(f"198.51.{n}.1" for n in range(50)))
    assert tried(attempts, "ann", *["203.0.113.9"] * 50) == AT_ONCE


def test_an_office_behind_one_address_begins_with_its_provider_together() -> None:
    attempts = Attempts(600)
    for _ in range(3 * AT_ONCE):
        attempts.count_start("192.0.2.1")
    with pytest.raises(Problem):
        for _ in range(50):
            attempts.count_start("192.0.2.1")
    attempts.count_start("203.0.113.1")
    assert tried(attempts, "ann", "192.0.2.1") == 1, "a password has a rate of its own"
