"""One outbound session, from dialling to its end; what its owner is asked for, and what it hears."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from delivery.post_office import CONTENT, QUICK, mailbox, to_smart_host
from gatepost.delivery.connection import ConnectionSettings, Dial, NotOpened, OutboundConnection, open_connection
from gatepost.delivery.next_hops import Target
from gatepost.mail.envelope import NO_DSN_REQUEST, Envelope
from gatepost.queue.message import Claim, Content, MemoryContent, QueuedMessage, QueuedRecipient, RecipientState
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed
from gatepost.queue.store import StoreUnavailable
from gatepost.tenancy.tenant import TlsLevel
from gatepost.tenancy.tls_policy import Facts, demand_of
from sink import CLOSE, SILENCE, Sink

SETTINGS = ConnectionSettings(hostname="edge.contoso.example", timeouts=QUICK)


def claim(*to: str, content: Content | None = None, tenant: str = "contoso") -> Claim:
    message = QueuedMessage(
        id="0-1",
        session_id="08DF0A1B2C3D4E40",
        received_at=1_800_000_000.0,
        envelope=Envelope(reverse_path=mailbox("ann@contoso.example")),
        size=len(CONTENT),
    )
    recipients = tuple(
        QueuedRecipient(
            id=number,
            forward_path=path,
            domain="fabrikam.example",
            tenant=tenant,
            connector=None,
            dsn=NO_DSN_REQUEST,
            state=RecipientState.ACTIVE,
            due_at=0.0,
            attempts=0,
            last_reply=None,
            delay_notified=False,
        )
        for number, path in enumerate(to or ("bob@fabrikam.example",))
    )
    return Claim(message=message, domain="fabrikam.example", tenant=tenant, recipients=recipients, content=content)


class Mail:
    """Whose mail the connection carries: claims, in order, and what became of them."""

    def __init__(self, *claims: Claim) -> None:
        self.claims = deque(claims)
        self.outcomes: list[DeliveryOutcome] = []
        self.handed_back: list[Claim] = []
        self.opened_sessions = self.closed_sessions = 0
        self.changed = asyncio.Event()

    def connected(self, connection: OutboundConnection) -> None:
        self.changed.set()

    def opened(self, connection: OutboundConnection) -> None:
        self.opened_sessions += 1

    def next_claim(self, connection: OutboundConnection) -> Claim | None:
        return self.claims.popleft() if self.claims else None

    def attempted(self, claim: Claim, outcomes: list[DeliveryOutcome]) -> None:
        self.outcomes += outcomes
        self.changed.set()

    def hand_back(self, claim: Claim) -> None:
        self.handed_back.append(claim)
        self.changed.set()

    def closed(self, connection: OutboundConnection) -> None:
        self.closed_sessions += 1
        self.changed.set()

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not done():
                self.changed.clear()
                await self.changed.wait()


def dial(port: int, mail: Mail, **said: Any) -> Dial:
    level = said.pop("level", TlsLevel.NONE)
    return Dial(
        target=Target("sink.example", "127.0.0.1", port),
        connector=replace(to_smart_host(port), tls=level),
        demand=demand_of(Facts(level=level, host="sink.example")),
        tenant="contoso",
        settings=replace(SETTINGS, **said.pop("settings", {})),
        tls=None,  # type: ignore[arg-type]
        log=None,
        owner=mail,
        open_content=said.pop("open_content", lambda message: MemoryContent(CONTENT)),
    )


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def timed() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(timed())


def test_a_session_carries_one_claim_after_the_other() -> None:
    async def story() -> None:
        async with Sink() as sink:
            mail = Mail(claim(), claim("eve@fabrikam.example"))
            connection = await open_connection(dial(sink.port, mail))
            assert isinstance(connection, OutboundConnection)
            connection.work()
            await mail.until(lambda: len(mail.outcomes) == 2)
            assert all(isinstance(outcome, Delivered) for outcome in mail.outcomes)
            assert (sink.sessions, sink.count, mail.opened_sessions) == (1, 2, 1)
            connection.quit()
            await mail.until(lambda: mail.closed_sessions)

    play(story)


def test_each_recipient_has_the_words_of_the_next_hop() -> None:
    async def story() -> None:
        async with Sink() as sink:
            mail = Mail(claim("bob@fabrikam.example", "refuse@fabrikam.example", "defer@fabrikam.example"))
            connection = await open_connection(dial(sink.port, mail))
            assert isinstance(connection, OutboundConnection)
            connection.work()
            await mail.until(lambda: mail.outcomes)
            assert [type(outcome) for outcome in mail.outcomes] == [Delivered, Failed, Deferred]
            assert all(outcome.host == f"sink.example[127.0.0.1]:{sink.port}" for outcome in mail.outcomes)
            connection.abort()

    play(story)


def test_a_claim_that_was_not_begun_when_the_session_ended_is_handed_back() -> None:
    async def story() -> None:
        async with Sink() as sink:
            second = claim("second@fabrikam.example")
            mail = Mail(claim())
            connection = await open_connection(dial(sink.port, mail))
            assert isinstance(connection, OutboundConnection)
            connection.work()
            await mail.until(lambda: mail.outcomes)
            sink.answer("MAIL", CLOSE)
            mail.claims.append(second)
            connection.work()
            await mail.until(lambda: mail.closed_sessions)
            assert (mail.handed_back, len(mail.outcomes)) == ([second], 1)

    play(story)


def test_a_claim_under_way_when_the_session_is_broken_off_is_deferred() -> None:
    async def story() -> None:
        async with Sink() as sink:
            sink.always("MAIL", SILENCE)
            mail = Mail(claim())
            connection = await open_connection(dial(sink.port, mail))
            assert isinstance(connection, OutboundConnection)
            connection.work()
            assert connection.claim is not None
            connection.abort()
            await mail.until(lambda: mail.outcomes)
            (outcome,) = mail.outcomes
            assert isinstance(outcome, Deferred) and "this server stopped" in outcome.why
            assert connection.claim is None

    play(story)


def test_content_that_cannot_be_read_defers_and_the_session_goes_on() -> None:
    async def story() -> None:
        async with Sink() as sink:

            def lost_once(message: QueuedMessage) -> Content:
                if lost:
                    raise StoreUnavailable(lost.pop())
                return MemoryContent(CONTENT)

            lost = ["disk gone"]
            mail = Mail(claim(), claim())
            connection = await open_connection(dial(sink.port, mail, open_content=lost_once))
            assert isinstance(connection, OutboundConnection)
            connection.work()
            await mail.until(lambda: len(mail.outcomes) == 2)
            first, second = mail.outcomes
            assert isinstance(first, Deferred) and first.why == "disk gone"
            assert isinstance(second, Delivered)
            connection.abort()

    play(story)


def test_a_session_that_has_carried_as_much_as_it_may_leaves() -> None:
    async def story() -> None:
        async with Sink() as sink:
            mail = Mail(claim(), claim(), claim())
            connection = await open_connection(dial(sink.port, mail, settings={"most_transactions": 2}))
            assert isinstance(connection, OutboundConnection)
            connection.work()
            await mail.until(lambda: mail.closed_sessions)
            assert (len(mail.outcomes), len(mail.claims), connection.retired) == (2, 1, True)
            assert sink.commands[-1] == "QUIT"

    play(story)


@pytest.mark.parametrize("level", [TlsLevel.ENCRYPT, TlsLevel.VERIFY])
def test_no_mail_command_is_sent_before_the_tls_level_is_met(level: TlsLevel) -> None:
    async def story() -> None:
        async with Sink() as sink:
            mail = Mail(claim())
            opened = await open_connection(dial(sink.port, mail, level=level))
            assert isinstance(opened, NotOpened) and opened.status == "4.7.4"
            assert not any(line.startswith("MAIL") for line in sink.commands)
            assert len(mail.claims) == 1

    play(story)


def test_a_port_nobody_listens_at_is_no_session() -> None:
    async def story() -> None:
        async with Sink() as sink:
            closed = sink.port
        opened = await open_connection(dial(closed, Mail()))
        assert isinstance(opened, NotOpened) and opened.status == "4.4.1" and opened.host is None

    play(story)
