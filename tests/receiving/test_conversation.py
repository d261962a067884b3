"""What the machine of one session asks and says is carried out in order, and answered."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from carrier.test_deadline import Clock
from gatepost.mail.reply import Reply
from gatepost.protocol_log.record import Event
from gatepost.receiving import replies
from gatepost.receiving.session import Session, open_session
from gatepost.receiving.session_gate import GateLimits
from receiving.relay_side import CONTOSO, HOSTNAME, STRANGER, relay
from receiving.test_connection import LIMITS, Port


class Carrier:
    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.closed: list[str] = []
        self.content = 0
        self.answered: list[Reply] = []
        """What was asked a while ago."""

    def say(self, octets: bytes) -> None:
        self.said.append(octets)

    def start_tls(self) -> None:
        raise AssertionError("TLS is not offered")

    def end_content(self, size: int) -> Reply | None:
        self.content = size
        return None

    def answer(self, reply: Reply) -> None:
        self.answered.append(reply)

    def close(self, why: str) -> None:
        self.closed.append(why)


Story = Callable[[Port, Session, Carrier], None]


def play(folder: Path, address: str, story: Story, limits: GateLimits = LIMITS) -> None:
    async def whole() -> None:
        async with relay(folder) as opened:
            port, carrier = Port(opened, limits=limits), Carrier()
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


def refused_slowly(story: Callable[[Port, Session, Carrier, Clock], None]) -> Story:
    """A stranger's session whose third refusal comes slowly, by a clock that is set by hand."""

    def whole(port: Port, session: Session, carrier: Carrier) -> None:
        clock = Clock()
        session.conversation._loop = clock  # type: ignore[assignment]
        say(session, "EHLO mail.peer.example", "MAIL FROM:<x@outside.example>")
        say(session, *[f"RCPT TO:<{number}@else.example>" for number in range(40)])
        story(port, session, carrier, clock)

    return whole


SLOWLY = replace(LIMITS, refusals=2)


def refusals(carrier: Carrier) -> int:
    return sum(octets.startswith(b"550 5.7.64") for octets in carrier.said)


def test_who_is_refused_often_hears_each_refusal_late_and_is_asked_nothing_meanwhile(tmp_path: Path) -> None:
    @refused_slowly
    def story(port: Port, session: Session, carrier: Carrier, clock: Clock) -> None:
        assert refusals(carrier) == 2
        for late in range(1, 11):
            (due,) = clock.armed
            assert due - clock.now >= 1.0
            clock.advance(due - 0.01)
            assert len(carrier.answered) == late - 1
            clock.advance(due)
            session.conversation.carry_out(session.machine.answer(carrier.answered[-1]))
            assert (len(carrier.answered), refusals(carrier)) == (late, 2 + late)
        assert carrier.said[-1] == replies.TOO_MANY_REFUSALS.octets
        assert carrier.closed and not clock.armed

    play(tmp_path, STRANGER, story, SLOWLY)


def test_while_one_waits_for_its_refusal_another_tenants_server_is_answered_at_once(tmp_path: Path) -> None:
    @refused_slowly
    def story(port: Port, session: Session, carrier: Carrier, clock: Clock) -> None:
        assert clock.armed
        own, address = Carrier(), ip_address(CONTOSO)
        visitor = port.services.gate.enter(address)
        contoso = open_session(port.services, own, address, 4712, "127.0.0.1:25", visitor)  # type: ignore[arg-type]
        contoso.conversation.carry_out(contoso.machine.connected(replies.greeting(HOSTNAME)))
        say(contoso, "EHLO mail.contoso.com", "MAIL FROM:<ann@contoso.com>", "RCPT TO:<bob@outside.example>")
        assert own.said[-1] == replies.RECIPIENT_OK.octets
        contoso.acceptance.drop_content()

    play(tmp_path, STRANGER, story, SLOWLY)


def test_who_left_while_it_waited_for_its_refusal_is_not_answered(tmp_path: Path) -> None:
    @refused_slowly
    def story(port: Port, session: Session, carrier: Carrier, clock: Clock) -> None:
        session.conversation.leave()
        clock.advance(10.0)
        assert (carrier.answered, refusals(carrier)) == ([], 2)

    play(tmp_path, STRANGER, story, SLOWLY)
