"""One outbound connection: carries octets between the socket, TLS and the SMTP client machine.

A connection is opened by `open_connection`, which waits until the session is ready for mail or is known to be no use.
From then on it works by itself: whenever it is free it asks its owner for the next claim, delivers it, and reports the
outcomes, without a task of its own.

Laws:
- the certificate of a send connector is held out by that connector's sessions only;
- no mail command is sent before what is demanded of TLS is met (RFC 3207 4.1);
- a claim that was taken is always reported, or handed back untouched to be tried on a fresh connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from gatepost.carrier.deadline import Deadline
from gatepost.carrier.pipe import Pipe
from gatepost.delivery.errand import Errand, Hop, deferred
from gatepost.delivery.log import OutboundLog
from gatepost.delivery.next_hops import Target
from gatepost.delivery.tls import ClientTls, ClientTlsSession
from gatepost.mail.reply import RemoteReply
from gatepost.protocol_log.record import Event
from gatepost.protocol_log.tls import tls_failure_row, tls_row
from gatepost.queue.message import Claim, Content, QueuedMessage
from gatepost.queue.outcome import DeliveryOutcome
from gatepost.queue.store import StoreError
from gatepost.smtp.client_effects import (
    ClientEffect,
    Close,
    GarbageReceived,
    Ready,
    ReplyReceived,
    SendCommands,
    SendContent,
    SessionFailed,
    StartTls,
    TransactionEnded,
)
from gatepost.smtp.client_session import ClientSession
from gatepost.smtp.client_settings import RFC_TIMEOUTS, ClientSettings, ClientTimeouts, StartTlsUse
from gatepost.tenancy.tenant import SendConnector
from gatepost.tenancy.tls_policy import (
    NOT_PROVEN,
    UNREMARKABLE,
    Demand,
    Handshake,
    Seen,
    TlsVerdict,
    verdict_on,
)

# It is kept in the trace, and its certificate's names are the next hop's to choose.
LONGEST_TLS_SAID = 200

# What a peer may leave unread before we stop giving it more content.
MOST_UNSENT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    hostname: str
    connect_s: float = 30.0
    handshake_s: float = 60.0
    idle_s: float = 30.0
    """How long an open connection waits for more mail to the same destination."""
    most_transactions: int = 200
    """Over one connection."""
    timeouts: ClientTimeouts = RFC_TIMEOUTS


class NotOpened(NamedTuple):
    """Why no mail can be sent to this target at present."""

    why: str
    status: str
    reply: RemoteReply | None = None
    host: str | None = None
    """The one that said so; None where none was reached."""
    tls_failed: str = ""
    """Why the handshake failed: without TLS the same target may do."""


class Owner(Protocol):
    """Whose mail a connection carries."""

    def connected(self, connection: "OutboundConnection") -> None:
        """The socket is open. `closed` will follow."""

    def opened(self, connection: "OutboundConnection") -> None:
        """The session is ready for mail."""

    def next_claim(self, connection: "OutboundConnection") -> Claim | None:
        """The next claim to deliver; None: wait, or quit."""

    def attempted(self, claim: Claim, outcomes: list[DeliveryOutcome]) -> None: ...

    def hand_back(self, claim: Claim) -> None:
        """The session ended before the claim was begun."""

    def closed(self, connection: "OutboundConnection") -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """One target, and what a session with it is for."""

    target: Target
    connector: SendConnector
    demand: Demand
    """What is demanded of its TLS."""
    tenant: str | None
    """Whose mail it is dialled for."""
    settings: ConnectionSettings
    tls: ClientTls
    log: OutboundLog | None
    owner: Owner
    open_content: Callable[[QueuedMessage], Content]
    """Raises `StoreError` when it cannot be had."""


async def open_connection(dial: Dial) -> "OutboundConnection | NotOpened":
    """A session that meets what is demanded of its TLS."""
    demand = dial.demand
    if demand.blocked:
        if dial.log:
            dial.log.add(Event.INFORMATION, "", f"TLS policy: {demand.blocked.says}")
        return NotOpened(demand.blocked.says, NOT_PROVEN)
    opened = await _open(dial, _starttls_use(demand))
    if isinstance(opened, NotOpened) and opened.tls_failed and demand.may_be_clear:
        return await _open(dial, StartTlsUse.NEVER, opened.tls_failed)
    return opened


async def _open(dial: Dial, starttls: StartTlsUse, tls_failed: str = "") -> "OutboundConnection | NotOpened":
    """`tls_failed`: in an attempt a moment ago, which this one makes good in the clear."""
    target, log, connect_s = dial.target, dial.log, dial.settings.connect_s
    connection = OutboundConnection(dial, starttls, tls_failed)
    if log:
        log.add(Event.INFORMATION, "", "attempting to connect")
    try:
        async with asyncio.timeout(connect_s):
            await asyncio.get_running_loop().create_connection(lambda: connection, target.address, target.port)
    except TimeoutError:
        return _not_connected(f"no answer from {target} within {connect_s:g} s", log)
    except OSError as error:
        return _not_connected(f"cannot connect to {target}: {error.strerror or error}", log)
    try:
        return await connection.opened or connection
    except asyncio.CancelledError:
        connection.abort()
        raise


def _not_connected(why: str, log: OutboundLog | None) -> NotOpened:
    if log:
        log.add(Event.INFORMATION, "", why)
    return NotOpened(why, "4.4.1")


def _starttls_use(demand: Demand) -> StartTlsUse:
    if not demand.tries_tls:
        return StartTlsUse.NEVER
    return StartTlsUse.WHEN_OFFERED if demand.may_be_clear else StartTlsUse.REQUIRED


class OutboundConnection(asyncio.Protocol):
    """One session, from dialling to the end."""

    def __init__(self, dial: Dial, starttls: StartTlsUse, tls_failed: str) -> None:
        self._loop = asyncio.get_running_loop()
        settings = dial.settings
        self.tenant = dial.tenant
        """Whose mail it was dialled for."""
        self.host = str(dial.target)
        self._deadline = Deadline(self._loop, self._expired)
        self.opened: asyncio.Future[NotOpened | None] = self._loop.create_future()
        """None once the session is ready for mail."""
        self.was_ready = False
        self._dial = dial
        self._settings = settings
        self._log = dial.log
        self._owner = dial.owner
        self._machine = ClientSession(_client_settings(dial, starttls))
        self._pipe: Pipe[ClientTlsSession]
        self._protocol: str | None = None
        """Of TLS, once it is up."""
        self._tls_failed_before = tls_failed
        self.tls_verdict: TlsVerdict | None = None
        """On what was demanded of TLS, once the session is ready."""
        self._tls_said: str | None = None
        """The same in one line, where that is worth keeping."""
        self._gone = False
        self._paused = False
        self._working = False
        self._todo: deque[ClientEffect] = deque()
        self._stream: Iterator[bytes] | None = None
        self._served = 0
        self._errand: Errand | None = None

    # Orders of the owner

    @property
    def claim(self) -> Claim | None:
        """What it is delivering."""
        return self._errand.claim if self._errand is not None else None

    @property
    def free(self) -> bool:
        """It can take a claim at once."""
        return self._machine.idle

    @property
    def retired(self) -> bool:
        """It has carried as many transactions as it may, or has shown a certificate that has since been renewed."""
        tls = self._pipe.tls
        if tls is not None and tls.superseded:
            return True
        return self._served >= min(
            self._settings.most_transactions,
            self._machine.offers.most_transactions or self._settings.most_transactions,
        )

    @property
    def protocol(self) -> str | None:
        """`TLSv1.3`; None: in the clear."""
        return self._protocol

    def work(self) -> None:
        """There is mail to send: ask for it."""
        if not self._working:
            self._carry_out(self._next())

    def quit(self) -> None:
        """Leave politely; only while it is not busy."""
        self._carry_out(self._machine.quit())

    def abort(self) -> None:
        """Hang up; what is under way is deferred."""
        if not self._gone:
            self._carry_out(self._machine.break_off("this server stopped"))
            self._pipe.transport.abort()

    def _expired(self) -> None:
        """The deadline has passed."""
        if self._machine.idle:
            self.quit()
        elif self._pipe.shakes_hands:
            self._tls_failed("the TLS handshake took too long")
        else:
            self._carry_out(self._machine.timed_out())

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe = Pipe(transport, self._loop.time)
        self._pipe.transport.set_write_buffer_limits(high=MOST_UNSENT)
        self._deadline.move(self._settings.timeouts.greeting_s)
        self._owner.connected(self)
        if self._log:
            self._log.rows.local_endpoint = self._pipe.local_endpoint
            self._log.add(Event.CONNECT, "")

    def data_received(self, data: bytes) -> None:
        if self._gone:
            return
        if self._pipe.tls is not None:
            data = self._decrypted(self._pipe.tls, data)
        if data:
            self._carry_out(self._machine.octets_received(data))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._stream is not None:
            self._carry_out(self._send_stream())

    def connection_lost(self, exc: Exception | None) -> None:
        why = f"the connection was lost ({exc})" if exc else "the next hop closed the connection"
        if self._pipe.shakes_hands and not self._gone:
            self._tls_failed(f"{why} during the TLS handshake")
        self._carry_out(self._machine.peer_closed(why))
        self._go("Remote")

    # What the machine asks for

    def _carry_out(self, effects: list[ClientEffect]) -> None:
        """Do it, in order; then, whenever the session is free, begin what comes next."""
        todo = self._todo
        todo.extend(effects)
        if self._working:
            return
        self._working = True
        while todo:
            while todo:
                effect = todo.popleft()
                _CARRIED_OUT_BY[type(effect)](self, effect)
            todo.extend(self._next())
        self._working = False
        self._rest()

    def _reply_received(self, effect: ReplyReceived) -> None:
        if self._log is not None:
            self._log.received(effect.reply.lines)

    def _garbage_received(self, effect: GarbageReceived) -> None:
        if self._log is not None:
            self._log.add(Event.RECEIVE, effect.said)

    def _send_commands(self, effect: SendCommands) -> None:
        if self._log is not None:
            self._log.sent(effect.lines)
        self._pipe.write(effect.octets)

    def _send_content(self, effect: SendContent) -> None:
        self._stream = effect.octets
        self._carry_out(self._send_stream())

    def _ready(self, effect: Ready) -> None:
        self.was_ready = True
        if not self._pipe.secured:
            self._goes_in_clear()
        self._end_opening(None)
        self._owner.opened(self)

    def _session_failed(self, effect: SessionFailed) -> None:
        self._end_opening(NotOpened(effect.why, effect.status, effect.reply, self.host))

    def _close(self, effect: Close) -> None:
        self._go(effect.who)

    def _rest(self) -> None:
        """Nothing to do until the peer speaks or the deadline passes."""
        if self._gone or self._pipe.shakes_hands:
            return
        if not self._machine.idle:
            self._deadline.move(self._machine.timeout_s)
        elif self.retired:
            self.quit()
        else:
            self._deadline.move(self._settings.idle_s)

    def _send_stream(self) -> list[ClientEffect]:
        """Content goes out as fast as the peer takes it."""
        assert self._stream is not None
        self._deadline.move(self._machine.timeout_s)
        try:
            while not self._paused and not self._gone:
                piece = next(self._stream, None)
                if piece is None:
                    self._stream = None
                    return self._machine.content_sent()
                self._pipe.write(piece)
        except (StoreError, OSError) as error:
            return self._content_lost(error)
        return []

    def _content_lost(self, error: Exception) -> list[ClientEffect]:
        """The rest of the content cannot be had: only hanging up keeps the next hop from taking half a message."""
        self._stream = None
        self._pipe.transport.abort()
        return self._machine.break_off(f"the stored content cannot be read ({error})")

    def _go(self, who: str) -> None:
        if self._gone:
            return
        self._gone = True
        self._stream = None
        if self._log:
            self._log.end(who)
        self._deadline.cancel()
        self._pipe.hang_up(politely=who == "Local")
        self._end_opening(NotOpened("the session ended before it was ready", "4.4.2", host=self.host))
        self._owner.closed(self)

    def _end_opening(self, problem: NotOpened | None) -> None:
        if not self.opened.done():
            self.opened.set_result(problem)

    # TLS

    def _start_tls(self, effect: StartTls) -> None:
        dial = self._dial
        tls = dial.tls.connect(dial.demand.server_name, dial.connector.certificate, dial.connector.key)
        if tls.failure:
            # Our own files are at fault. Without the certificate the next hop would take us for somebody else, so
            # plain text is no way out here.
            self._end_opening(NotOpened(tls.failure, "4.3.5"))
            self._tls_failed(tls.failure)
            return
        self._deadline.move(self._settings.handshake_s)
        self._pipe.start_tls(tls)

    def _decrypted(self, tls: ClientTlsSession, data: bytes) -> bytes:
        plaintext = self._pipe.feed(data)
        if tls.failure:
            if self._pipe.secured:
                self._carry_out(self._machine.break_off(f"the TLS connection broke: {tls.failure}"))
            else:
                self._tls_failed(tls.failure)
            return b""
        if tls.established and not self._pipe.secured:
            # The next hop waits for our Finished.
            self._pipe.flush_ciphertext()
            self._handshake_over(tls)
        if tls.ended and not self._gone:
            if plaintext:
                self._carry_out(self._machine.octets_received(plaintext))
            self._carry_out(self._machine.peer_closed("the next hop closed the connection"))
            return b""
        return plaintext

    def _tls_failed(self, why: str) -> None:
        if self._log:
            self._log.add(Event.INFORMATION, "", tls_failure_row(why))
        self._end_opening(NotOpened(f"TLS with {self.host} failed: {why}", NOT_PROVEN, host=self.host, tls_failed=why))
        self._carry_out(self._machine.break_off(why))

    def _handshake_over(self, tls: ClientTlsSession) -> None:
        self._pipe.secured = True
        self._protocol = tls.protocol
        if self._log:
            _log_tls(self._log, tls)
        verdict = _verdict_after_handshake(tls, self._dial.demand)
        if not verdict.may_send:
            if self._log:
                self._log.add(Event.INFORMATION, "", tls_failure_row(verdict.says))
            why = f"the certificate of {self.host} could not be verified: {verdict.says}"
            self._end_opening(NotOpened(why, verdict.status, host=self.host))
            self._carry_out(self._machine.quit())
            return
        self._say_tls(verdict)
        self._carry_out(self._machine.tls_established())

    def _goes_in_clear(self) -> None:
        failed = self._tls_failed_before
        seen = Seen(Handshake.FAILED if failed else Handshake.NOT_OFFERED, failure=failed)
        verdict = verdict_on(self._dial.demand, seen)
        # The machine has kept to it; this is the proof (docs/explanation/security.md).
        assert verdict.may_send and verdict.in_clear, verdict.says
        self._say_tls(verdict)

    def _say_tls(self, verdict: TlsVerdict) -> None:
        """What is ordinary at level `none` and `opportunistic` goes without saying."""
        self.tls_verdict = verdict
        if verdict.code in UNREMARKABLE and self._dial.demand.may_be_clear:
            return
        self._tls_said = verdict.says[:LONGEST_TLS_SAID]
        if self._log:
            self._log.add(Event.INFORMATION, "", f"TLS policy: {verdict.says}")

    # Claims

    def _next(self) -> list[ClientEffect]:
        """The rest of the claim, or the next one; nothing while the session is not free."""
        while self._machine.idle:
            if self._errand is not None:
                return self._begin_transaction(self._errand)
            claim = None if self.retired else self._owner.next_claim(self)
            if claim is None:
                return []
            try:
                content = claim.content or self._dial.open_content(claim.message)
            except StoreError as error:
                self._owner.attempted(claim, [deferred(recipient, str(error)) for recipient in claim.recipients])
                continue
            self._errand = Errand(claim, content, self._loop.time())
            if self._log:
                self._log.carries(claim.tenant)
                self._log.add(Event.INFORMATION, "", self._errand.row)
        return []

    def _begin_transaction(self, errand: Errand) -> list[ClientEffect]:
        try:
            return self._machine.begin(errand.transaction(self._machine.most_recipients))
        except (StoreError, OSError) as error:
            return self._content_lost(error)

    def _transaction_ended(self, effect: TransactionEnded) -> None:
        verdicts, untouched = effect
        errand = self._errand
        assert errand is not None
        if untouched and self._served and not errand.outcomes:
            self._errand = None
            if errand.claim.content is None:
                errand.release()
            self._owner.hand_back(errand.claim)
            return
        self._served += 1
        hop = Hop(self.host, self._machine.offers.dsn, self._protocol, self._tls_said)
        errand.ended(verdicts, untouched, hop, self._loop.time() - errand.began_at)
        if not errand.is_done:
            if self._machine.idle:
                return
            errand.break_off()
        self._errand = None
        self._owner.attempted(errand.claim, errand.outcomes)
        errand.release()


_CARRIED_OUT_BY: Final[Mapping[type, Callable[[OutboundConnection, Any], None]]] = {
    ReplyReceived: OutboundConnection._reply_received,
    GarbageReceived: OutboundConnection._garbage_received,
    SendCommands: OutboundConnection._send_commands,
    TransactionEnded: OutboundConnection._transaction_ended,
    SendContent: OutboundConnection._send_content,
    Ready: OutboundConnection._ready,
    StartTls: OutboundConnection._start_tls,
    SessionFailed: OutboundConnection._session_failed,
    Close: OutboundConnection._close,
}


def _client_settings(dial: Dial, starttls: StartTlsUse) -> ClientSettings:
    ehlo_name = dial.connector.fqdn or dial.settings.hostname
    return ClientSettings(ehlo_name=ehlo_name, starttls=starttls, timeouts=dial.settings.timeouts)


def _verdict_after_handshake(tls: ClientTlsSession, demand: Demand) -> TlsVerdict:
    now = datetime.now(UTC)
    if demand.tlsa:
        match = tls.match_tlsa(demand.tlsa, demand.names, now)
        return verdict_on(demand, Seen(Handshake.DONE, tlsa_match=match.record, tlsa_problem=match.problem))
    problem = tls.problem_with_host(demand.names, now) if demand.names else None
    return verdict_on(demand, Seen(Handshake.DONE, name_problem=problem))


def _log_tls(log: OutboundLog, tls: ClientTlsSession) -> None:
    if tls.own_certificate and tls.certificate_sent:
        log.rows.own_certificate(tls.own_certificate)
    elif tls.own_certificate:
        asked = "could not use ours" if tls.certificate_requested else "did not ask for one"
        log.add(Event.INFORMATION, "", f"no certificate sent: the remote host {asked}")
    if tls.peer_chain:
        log.rows.remote_certificate(tls.peer_chain[0])
    log.add(Event.INFORMATION, "", tls_row(tls.protocol, tls.cipher, tls.cipher_bits, "CLIENT"))
