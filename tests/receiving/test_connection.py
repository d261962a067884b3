"""A connection carries octets to the machine and its answers back; real sockets, a real queue."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from gatepost.mail.session_id import SessionIds
from gatepost.protocol_log.record import Event, ProtocolLogRecord
from gatepost.receiving import connection, replies
from gatepost.receiving.account import SessionAccount
from gatepost.receiving.listener import Listener
from gatepost.receiving.own_servers import OwnServers
from gatepost.receiving.services import ListenerServices
from gatepost.receiving.session_gate import GateLimits, SessionGate
from gatepost.receiving.turns import Turns
from gatepost.smtp.server_settings import ServerSettings
from receiving.relay_side import CONTOSO, FABRIKAM, HOSTNAME, STRANGER, Relay, relay

LIMITS = GateLimits(
    sessions=50,
    per_address=10,
    per_network=50,
    begun_per_minute=1000,
    reserved=5,
    refusals=1000,
    refusals_per_minute=1000,
)
TRANSACTION = (
    "EHLO mail.peer.example\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<bob@outside.example>\r\nBDAT 6 LAST\r\nhello\nQUIT\r\n"
).replace("hello\n", "hi\r\n\r\n")


class Log:
    def __init__(self) -> None:
        self.rows: list[ProtocolLogRecord] = []

    def add(self, record: ProtocolLogRecord) -> None:
        self.rows.append(record)

    def of(self, event: Event) -> list[tuple[str, str]]:
        return [(row.data, row.context) for row in self.rows if row.event is event]


class Port:
    """A listener on the loopback, and what it recorded."""

    def __init__(self, opened: Relay, **said: Any) -> None:
        self.relay = opened
        self.log = Log()
        self.accounts: list[SessionAccount] = []
        own = OwnServers(opened.directory, lambda: opened.now)
        self.services = ListenerServices(
            machine=said.pop("machine", ServerSettings(hostname=HOSTNAME, offers_starttls=False)),
            greeting=replies.greeting(HOSTNAME),
            acceptance=opened.settings,
            shared=opened.services,
            tls=said.pop("tls", None),
            gate=SessionGate(said.pop("limits", LIMITS), own, lambda: opened.now, opened.emit),
            turns=Turns(),
            least_content_rate=0,
            proxy_from=(ip_network("127.0.0.0/8"),),
            log=self.log,
            next_session_id=SessionIds(0).next,
            record=self.accounts.append,
            opened=set(),
        )
        self._listening = listening = socket.create_server(("127.0.0.1", 0))
        self.number = listening.getsockname()[1]
        self.listener = Listener(listening, self.services)

    async def peer(self, address: str = CONTOSO) -> "Peer":
        """A client whose address a balancer tells."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        writer.write(f"PROXY TCP4 {address} 127.0.0.1 4711 25\r\n".encode())
        return Peer(reader, writer)

    def close(self) -> None:
        """Of a port that was never started."""
        self._listening.close()

    async def closed(self) -> None:
        while self.services.opened:
            await asyncio.sleep(0.001)


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, text: str) -> None:
        self.writer.write(text.encode())
        await self.writer.drain()

    async def reply(self) -> str:
        """The last line of the next one."""
        while True:
            line = (await self.reader.readline()).decode()
            if not line or line[3:4] != "-":
                return line.rstrip("\r\n")

    async def rest(self) -> str:
        return (await self.reader.read()).decode()

    async def ask(self, line: str) -> str:
        await self.say(line + "\r\n")
        return await self.reply()


Scenario = Callable[[Port], Awaitable[None]]


@asynccontextmanager
async def port(folder: Path, **said: Any) -> AsyncIterator[Port]:
    of_port = {key: said.pop(key) for key in ("machine", "limits", "tls") if key in said}
    async with relay(folder, **said) as opened:
        found = Port(opened, **of_port)
        await found.listener.start()
        try:
            yield found
        finally:
            await found.listener.stop(0, 0)
            await found.closed()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    def run(scenario: Scenario, **said: Any) -> None:
        async def whole() -> None:
            async with asyncio.timeout(60), port(tmp_path, **said) as opened:
                await scenario(opened)

        asyncio.run(whole())

    return run


@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_what_is_answered_does_not_depend_on_packets(run: Callable[..., None], cut: int) -> None:
    async def scenario(opened: Port) -> None:
        peer = await opened.peer()
        said = TRANSACTION.format(sender="ann@contoso.com")
        for at in range(0, len(said), cut):
            await peer.say(said[at : at + cut])
        codes = [line[:3] for line in (await peer.rest()).splitlines() if line[3:4] == " "]
        assert codes == ["220", "250", "250", "250", "250", "221"]
        assert len(opened.relay.submitted) == 1

    run(scenario)


def test_the_address_that_a_named_balancer_tells_decides_whose_mail_it_is(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        for address, sender in ((CONTOSO, "ann@contoso.com"), (FABRIKAM, "joe@fabrikam.com")):
            peer = await opened.peer(address)
            await peer.say(TRANSACTION.format(sender=sender))
            await peer.rest()
        assert [claim.tenant for claim in opened.relay.submitted] == ["contoso", "fabrikam"]
        await opened.closed()
        assert [account.tenant for account in opened.accounts] == ["contoso", "fabrikam"]

    run(scenario)


def test_what_is_no_proxy_header_closes_without_a_word(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.number)
        writer.write(b"EHLO mail.peer.example\r\n")
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert [event for event, _ in opened.relay.events] == ["proxy-header-refused"]

    run(scenario)


def test_a_session_is_recorded_once_when_it_ends_with_why(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        peer = await opened.peer(STRANGER)
        await peer.say("EHLO mail.peer.example\r\nMAIL FROM:<x@outside.example>\r\nRCPT TO:<eve@else.example>\r\n")
        for _ in range(3):
            await peer.reply()
        assert (await peer.reply()).startswith("550 5.7.64")
        opened.listener.record(opened.relay.now)
        assert (await peer.ask("QUIT")).startswith("221")
        await opened.closed()
        refused, ended = opened.accounts
        assert (refused.why, [each.number for each in refused.transactions]) == ("", [0])
        assert (ended.why, ended.peer.ehlo, ended.by_stranger) == ("QUIT", "mail.peer.example", True)
        (transaction,) = ended.transactions
        assert transaction.decisions[transaction.first :] == ()

    run(scenario)


def test_the_rows_of_a_session_are_numbered_from_its_connection_to_its_end(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        peer = await opened.peer()
        await peer.say(TRANSACTION.format(sender="ann@contoso.com"))
        await peer.rest()
        await opened.closed()
        rows = opened.log.rows
        assert [row.sequence_number for row in rows] == list(range(len(rows)))
        assert (rows[0].event, rows[-1].event, rows[-1].context) == (Event.CONNECT, Event.DISCONNECT, "QUIT")
        assert {row.remote_endpoint for row in rows} == {f"{CONTOSO}:4711"}
        assert opened.log.of(Event.INFORMATION)[0] == (
            "relay tenant=contoso connector=servers basis=address",
            "attribution of <bob@outside.example>",
        )
        assert [data for data, _ in opened.log.of(Event.RECEIVE)][-1] == "QUIT"

    run(scenario)


def test_refusals_that_repeat_leave_no_more_rows_than_a_number(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        peer = await opened.peer(STRANGER)
        await peer.say("EHLO mail.peer.example\r\nMAIL FROM:<x@outside.example>\r\n")
        await peer.say("".join(f"RCPT TO:<{number}@else.example>\r\n" for number in range(100)) + "QUIT\r\n")
        assert (await peer.rest()).count("550 5.7.64") == 100
        await opened.closed()
        assert len(opened.log.of(Event.RECEIVE)) < 40
        assert any("more times" in context for _, context in opened.log.of(Event.INFORMATION))

    run(scenario)


def test_a_peer_that_hangs_up_within_its_content_leaves_nothing_behind(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        peer = await opened.peer()
        await peer.say("EHLO mail.peer.example\r\nMAIL FROM:<ann@contoso.com>\r\nRCPT TO:<b@outside.example>\r\n")
        for _ in range(4):
            await peer.reply()
        await peer.say(f"BDAT 1000000\r\n{'x' * 500_000}")
        while not opened.relay.unfinished.of("tenant contoso"):
            await asyncio.sleep(0.001)
        peer.writer.transport.abort()
        await opened.closed()
        assert opened.relay.unfinished.of("tenant contoso") == 0
        assert opened.relay.submitted == []

    run(scenario)


def test_a_silent_peer_is_told_421_and_closed(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        peer = await opened.peer()
        assert "421 4.4.2" in await peer.rest()
        await opened.closed()
        assert opened.log.of(Event.DISCONNECT) == [("", "the client was silent for too long")]

    run(scenario, machine=ServerSettings(hostname=HOSTNAME, offers_starttls=False, command_timeout_s=0.05))


class SilentTls:
    """A handshake that never ends."""

    established = ended = False
    failure = None

    def accept(self) -> "SilentTls":
        return self

    def feed(self, ciphertext: bytes) -> bytes:
        return b""

    def take_ciphertext(self) -> bytes:
        return b""


def test_a_handshake_that_does_not_end_is_cut_after_its_own_time(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_HANDSHAKE_TIMEOUT_S", 0.05)

    async def scenario(opened: Port) -> None:
        peer = await opened.peer()
        await peer.say("EHLO mail.peer.example\r\nSTARTTLS\r\n")
        with suppress(ConnectionResetError):
            assert "220 2.0.0" in await peer.rest()
        await opened.closed()
        assert opened.log.of(Event.DISCONNECT) == [("", "Local(TimedOut)")]

    run(scenario, machine=ServerSettings(hostname=HOSTNAME), tls=SilentTls())


def test_a_peer_that_half_closes_hears_what_it_asked_before(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        peer = await opened.peer()
        await peer.say("EHLO mail.peer.example\r\nNOOP\r\n")
        peer.writer.write_eof()
        assert (await peer.rest()).splitlines()[-1].startswith("250 2.0.0")

    run(scenario)


def test_a_server_that_stops_lets_a_transaction_end_and_then_says_421(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        busy, idle = await opened.peer(), await opened.peer(FABRIKAM)
        for line, peer in (("EHLO a.example", idle), ("EHLO a.example", busy), ("MAIL FROM:<ann@contoso.com>", busy)):
            await peer.say(line + "\r\n")
        for peer, count in ((idle, 2), (busy, 3)):
            for _ in range(count):
                await peer.reply()
        stopping = asyncio.create_task(opened.listener.stop(30, 0))
        assert (await idle.rest()).startswith("421 4.3.2")
        assert (await busy.ask("RCPT TO:<b@outside.example>")).startswith("250")
        assert (await busy.ask("BDAT 4 LAST\r\n\r\n\r\n".removesuffix("\r\n"))).startswith("250")
        assert (await busy.rest()).startswith("421 4.3.2")
        await stopping
        assert len(opened.relay.submitted) == 1

    run(scenario)


def test_who_has_too_many_sessions_is_turned_away_and_nobody_else(run: Callable[..., None]) -> None:
    async def scenario(opened: Port) -> None:
        kept = [await opened.peer(STRANGER) for _ in range(LIMITS.per_address)]
        assert all([(await peer.reply()).startswith("220") for peer in kept])
        assert (await (await opened.peer(STRANGER)).rest()).startswith("421 4.7.0 sessions-per-address")
        assert (await (await opened.peer(CONTOSO)).reply()).startswith("220")

    run(scenario)
