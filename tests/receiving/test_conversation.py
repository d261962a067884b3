"""What the machine of one session asks and says is carried out in order, and answered."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from gatepost.mail.reply import Reply
from gatepost.protocol_log.record import Event
from gatepost.receiving import replies
from gatepost.receiving.session import Session, open_session
from receiving.relay_side import CONTOSO, HOSTNAME, STRANGER, relay
from receiving.test_connection import Port


class Carrier:
    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.closed: list[str] = []
        self.content = 0

    def say(self, octets: bytes) -> None:
        self.said.append(octets)

    def start_tls(self) -> None:
        raise AssertionError("TLS is not offered")

    def end_content(self, size: int) -> Reply | None:
        self.content = size
        return None

    def answer(self, reply: Reply) -> None:
        raise AssertionError("nobody is refused so often here")

    def close(self, why: str) -> None:
        self.closed.append(why)


def play(folder: Path, address: str, story: Callable[[Port, Session, Carrier], None]) -> None:
    async def whole() -> None:
        async with relay(folder) as opened:
            port, carrier = Port(opened), Carrier()
            visitor = port.services.gate.enter(ip_address(address))
            session = open_session(
                port.services,
                carrier,
                ip_address(address),
                4711,
                "127.0.0.1:25",
                visitor,  # type: ignore[arg-type]
            )
            session.conversation.carry_out(session.machine.connected(replies.greeting(HOSTNAME)))
            story(port, session, carrier)
            session.acceptance.drop_content()
            port.close()

    asyncio.run(whole())


def say(session: Session, *lines: str) -> None:
    session.conversation.carry_out(session.machine.receive("".join(f"{line}\r\n" for line in lines).encode()))


def test_commands_and_replies_are_rows_in_the_order_of_the_wire(tmp_path: Path) -> None:
    def story(port: Port, session: Session, carrier: Carrier) -> None:
        say(session, "EHLO mail.contoso.com", "MAIL FROM:<ann@contoso.com>", "RCPT TO:<bob@outside.example>")
        events = [row.event for row in port.log.rows if row.event is not Event.INFORMATION]
        assert events == [Event.CONNECT, Event.SEND, *[Event.RECEIVE, Event.SEND] * 3]
        assert [octets[:3] for octets in carrier.said] == [b"220", b"250", b"250", b"250"]
        assert session.conversation.peer.ehlo == "mail.contoso.com"

    play(tmp_path, CONTOSO, story)


def test_the_end_of_content_is_the_carriers_and_its_pace_is_watched_until_then(tmp_path: Path) -> None:
    def story(port: Port, session: Session, carrier: Carrier) -> None:
        say(session, "EHLO mail.contoso.com", "MAIL FROM:<ann@contoso.com>", "RCPT TO:<b@outside.example>", "BDAT 5")
        assert session.conversation.pace is not None
        session.conversation.carry_out(session.machine.receive(b"helloBDAT 2 LAST\r\n\r\n"))
        assert (carrier.content, session.conversation.pace) == (7, None)

    play(tmp_path, CONTOSO, story)


def test_refusals_that_repeat_are_said_and_leave_no_row(tmp_path: Path) -> None:
    def story(port: Port, session: Session, carrier: Carrier) -> None:
        say(session, "EHLO mail.peer.example", "MAIL FROM:<x@outside.example>")
        say(session, *[f"RCPT TO:<{number}@else.example>" for number in range(60)])
        assert sum(octets.startswith(b"550 5.7.64") for octets in carrier.said) == 60
        assert sum(row.event is Event.SEND and row.data.startswith("550") for row in port.log.rows) < 30

    play(tmp_path, STRANGER, story)


def test_who_leaves_is_counted_no_more(tmp_path: Path) -> None:
    def story(port: Port, session: Session, carrier: Carrier) -> None:
        say(session, "QUIT")
        assert carrier.closed == ["QUIT"]
        session.conversation.leave()
        assert port.services.gate._open == 0

    play(tmp_path, STRANGER, story)
