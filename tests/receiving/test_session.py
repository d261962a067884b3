"""The parts of one session, put together for a peer of either family."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from gatepost.protocol_log.record import Event
from gatepost.receiving.session import open_session
from receiving.relay_side import relay
from receiving.test_connection import Port


@pytest.mark.parametrize(
    ("address", "remote"), [("192.0.2.1", "192.0.2.1:4711"), ("2001:db8::1", "[2001:db8::1]:4711")]
)
def test_a_session_begins_with_a_row_that_names_both_ends(tmp_path: Path, address: str, remote: str) -> None:
    async def story() -> None:
        async with relay(tmp_path) as opened:
            port = Port(opened)
            carrier: object = None
            session = open_session(port.services, carrier, ip_address(address), 4711, "127.0.0.1:25", None)  # type: ignore[arg-type]
            (row,) = port.log.rows
            assert (row.event, row.local_endpoint, row.remote_endpoint) == (Event.CONNECT, "127.0.0.1:25", remote)
            assert row.session_id == session.id
            assert session.conversation.peer.address_text == address
            port.close()

    asyncio.run(story())
