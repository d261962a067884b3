"""Which addresses and ports are this relay's own listeners."""

import pytest

from gatepost.net.own_addresses import OwnListeners


@pytest.mark.parametrize(
    ("listener", "dialled", "own"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "::1", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "127.9.9.9", True),
        ("0.0.0.0", "192.0.2.1", False),
        ("0.0.0.0", "::1", False),
        ("::", "::1", True),
        ("::", "::", True),
        ("::", "127.0.0.1", False),
        ("::1", "0:0:0:0:0:0:0:1", True),
    ],
)
def test_a_listener_is_known_by_every_address_that_leads_to_it(listener: str, dialled: str, own: bool) -> None:
    assert OwnListeners([(listener, 25)]).include(dialled, 25) is own


def test_another_port_of_this_machine_is_another_server() -> None:
    assert not OwnListeners([("127.0.0.1", 25), ("0.0.0.0", 2525)]).include("127.0.0.1", 2526)
