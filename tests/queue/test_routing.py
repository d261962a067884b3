"""Which send connector carries which mail."""

import tomllib
from itertools import permutations
from pathlib import Path

import pytest

from gatepost.queue.routing import choose
from gatepost.tenancy.tenant import AddressSpace, SendConnector

CASES = tomllib.loads(Path(__file__).with_name("routing.toml").read_text())["case"]


def connector(text: str) -> SendConnector:
    """`tenant/name space;cost space;cost`; a server-wide one has no tenant."""
    label, *spaces = text.split()
    tenant, _, name = label.rpartition("/")
    return SendConnector(
        name=name,
        tenant=tenant or None,
        address_spaces=tuple(
            AddressSpace(space=space, cost=int(cost or 1))
            for space, _, cost in (each.partition(";") for each in spaces)
        ),
    )


@pytest.mark.parametrize("case", CASES, ids=[case["rule"] for case in CASES])
def test_the_send_connector_is_chosen_whatever_the_order(case: dict) -> None:  # type: ignore[type-arg]
    connectors = [connector(text) for text in case["connectors"]]
    for order in permutations(connectors):
        chosen = choose(order, case.get("tenant"), case["domain"])
        assert (chosen.name if chosen else "none") == case["chosen"]
