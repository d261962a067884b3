"""One outbound connection: carries octets between the socket, TLS and the SMTP client machine.

A connection is opened by `open_connection`, which waits until the session is ready for mail or is known to be no use.
From then on it works by itself: whenever it is free it asks its owner for the next claim, delivers it, and reports the
outcomes, without a task or a timer of its own. The scheduler looks at `deadline` now and then.

Laws:
- the certificate of a send connector is held out by that connector's sessions only;
- no mail command is sent before the TLS level of the connector is met (RFC 3207 4.1);
- a claim that was taken is always reported, or handed back untouched to be tried on a fresh connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from gatepost.delivery.log import SessionLog
from gatepost.delivery.next_hops import Target
from gatepost.delivery.tls import ClientTls, ClientTlsSession
from gatepost.mail.reply import RemoteReply
from gatepost.protocol_log.record import Event
from gatepost.protocol_log.tls import tls_failure_row, tls_row
from gatepost.queue.message import Claim, Content, QueuedMessage, QueuedRecipient
from gatepost.queue.outcome import Deferred, Delivered, DeliveryOutcome, Failed
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
    Verdict,
)
from gatepost.smtp.client_session import ClientSession, Transaction
from gatepost.smtp.client_settings import RFC_TIMEOUTS, ClientSettings, ClientTimeouts, StartTlsUse
from gatepost.tenancy.tenant import SendConnector, TlsLevel

# What a peer may leave unread before we stop giving it more content.
MOST_UNSENT = 256 * 1024

# How much of a message is searched for its Message-ID.
HEAD = 4096

# RFC 5321 4.5.3.1.10: "too many recipients" is 452; 552 from old servers means the same.
TOO_MANY_RECIPIENTS = (452, 552)


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
    tls_failed: bool = False
    """The handshake failed: without TLS the same target may do."""


class Owner(Protocol):
    """Whose mail a connection carries."""

    def connected(self, connection: "OutboundConnection") -> None:
        """The socket is open; from now on look at its `deadline`. `closed` will follow."""

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
    tenant: str | None
    """Whose mail it is dialled for."""
    settings: ConnectionSettings
    tls: ClientTls
    log: SessionLog | None
    owner: Owner
    open_content: Callable[[QueuedMessage], Content]
    """Raises `StoreError` when it cannot be had."""


async def open_connection(dial: Dial) -> "OutboundConnection | NotOpened":
    """A session that meets the connector's TLS level."""
    level = dial.connector.tls
    opened = await _open(dial, _starttls_use(level))
    if isinstance(opened, NotOpened) and opened.tls_failed and level is TlsLevel.OPPORTUNISTIC:
        return await _open(dial, StartTlsUse.NEVER)
    return opened


async def _open(dial: Dial, starttls: StartTlsUse) -> "OutboundConnection | NotOpened":
    target, log, connect_s = dial.target, dial.log, dial.settings.connect_s
    connection = OutboundConnection(dial, starttls)
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


def _not_connected(why: str, log: SessionLog | None) -> NotOpened:
    if log:
        log.add(Event.INFORMATION, "", why)
    return NotOpened(why, "4.4.1")


def _starttls_use(level: TlsLevel) -> StartTlsUse:
    match level:
        case TlsLevel.NONE:
            return StartTlsUse.NEVER
        case TlsLevel.OPPORTUNISTIC:
            return StartTlsUse.WHEN_OFFERED
        case _:
            return StartTlsUse.REQUIRED


class OutboundConnection(asyncio.Protocol):
    """One session, from dialling to the end."""

    def __init__(self, dial: Dial, starttls: StartTlsUse) -> None:
        self._loop = asyncio.get_running_loop()
        settings = dial.settings
        self.tenant = dial.tenant
        """Whose mail it was dialled for."""
        self.host = str(dial.target)
        self.deadline = self._loop.time() + settings.timeouts.greeting_s
        self.opened: asyncio.Future[NotOpened | None] = self._loop.create_future()
        """None once the session is ready for mail."""
        self.was_ready = False
        self._dial = dial
        self._settings = settings
        self._log = dial.log
        self._owner = dial.owner
        self._machine = ClientSession(
            ClientSettings(
                ehlo_name=dial.connector.fqdn or settings.hostname, starttls=starttls, timeouts=settings.timeouts
            )
        )
        self._transport: Any = None
        self._tls: ClientTlsSession | None = None
        self._secured = False
        self._gone = False
        self._paused = False
        self._working = False
        self._todo: deque[ClientEffect] = deque()
        self._stream: Iterator[bytes] | None = None
        self._served = 0
        self._claim: Claim | None = None
        self._content: Content
        self._batch: Sequence[QueuedRecipient] = ()
        self._left: Sequence[QueuedRecipient] = ()
        self._outcomes: list[DeliveryOutcome] = []

    # Orders of the owner

    @property
    def claim(self) -> Claim | None:
        """What it is delivering."""
        return self._claim

    @property
    def busy(self) -> bool:
        return self._claim is not None

    @property
    def free(self) -> bool:
        """It can take a claim at once."""
        return self._machine.idle

    @property
    def retired(self) -> bool:
        """It has carried as many transactions as it may, or has shown a certificate that has since been renewed."""
        if self._tls is not None and self._tls.superseded:
            return True
        return self._served >= min(
            self._settings.most_transactions,
            self._machine.offers.most_transactions or self._settings.most_transactions,
        )

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
            self._transport.abort()

    def expired(self) -> None:
        """The deadline has passed."""
        if self._machine.idle:
            self.quit()
        elif self._tls is not None and not self._secured:
            self._tls_failed("the TLS handshake took too long")
        else:
            self._carry_out(self._machine.timed_out())

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.set_write_buffer_limits(high=MOST_UNSENT)
        self._owner.connected(self)
        if self._log:
            self._log.local_endpoint = _endpoint(transport.get_extra_info("sockname"))
            self._log.add(Event.CONNECT, "")

    def data_received(self, data: bytes) -> None:
        if self._gone:
            return
        if self._tls is not None:
            data = self._decrypted(self._tls, data)
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
        if self._tls is not None and not self._secured and not self._gone:
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
                self._do(todo.popleft())
            todo.extend(self._next())
        self._working = False
        self._rest()

    def _do(self, effect: ClientEffect) -> None:
        match effect:
            case ReplyReceived(reply):
                if self._log:
                    self._log.received(reply.lines)
            case GarbageReceived(said):
                if self._log:
                    self._log.add(Event.RECEIVE, said)
            case SendCommands(octets, lines):
                if self._log:
                    for line in lines:
                        self._log.add(Event.SEND, line)
                self._write(octets)
            case TransactionEnded(verdicts, untouched):
                self._transaction_ended(verdicts, untouched)
            case SendContent(octets):
                self._stream = octets
                self._carry_out(self._send_stream())
            case Ready():
                self.was_ready = True
                self._end_opening(None)
                self._owner.opened(self)
            case StartTls():
                self._start_tls()
            case SessionFailed(why, status, reply):
                self._end_opening(NotOpened(why, status, reply, self.host))
            case Close(who):
                self._go(who)

    def _rest(self) -> None:
        """Nothing to do until the peer speaks or the deadline passes."""
        if self._gone or (self._tls is not None and not self._secured):
            return
        if not self._machine.idle:
            self.deadline = self._loop.time() + self._machine.timeout_s
        elif self.retired:
            self.quit()
        else:
            self.deadline = self._loop.time() + self._settings.idle_s

    def _send_stream(self) -> list[ClientEffect]:
        """Content goes out as fast as the peer takes it."""
        assert self._stream is not None
        self.deadline = self._loop.time() + self._machine.timeout_s
        try:
            while not self._paused and not self._gone:
                piece = next(self._stream, None)
                if piece is None:
                    self._stream = None
                    return self._machine.content_sent()
                self._write(piece)
        except (StoreError, OSError) as error:
            return self._content_lost(error)
        return []

    def _content_lost(self, error: Exception) -> list[ClientEffect]:
        """The rest of the content cannot be had: only hanging up keeps the next hop from taking half a message."""
        self._stream = None
        self._transport.abort()
        return self._machine.break_off(f"the stored content cannot be read ({error})")

    def _write(self, octets: bytes) -> None:
        if self._tls is None:
            self._transport.write(octets)
            return
        self._tls.write(octets)
        self._transport.write(self._tls.take_ciphertext())

    def _go(self, who: str) -> None:
        if self._gone:
            return
        self._gone = True
        self._stream = None
        if self._log:
            self._log.end(who)
        if self._tls is not None and who == "Local":
            self._tls.close()
            self._transport.write(self._tls.take_ciphertext())
        if self._transport.get_write_buffer_size():
            # What could not be written by now must not keep the socket open for ever.
            self._transport.abort()
        else:
            self._transport.close()
        self._end_opening(NotOpened("the session ended before it was ready", "4.4.2", host=self.host))
        self._owner.closed(self)

    def _end_opening(self, problem: NotOpened | None) -> None:
        if not self.opened.done():
            self.opened.set_result(problem)

    # TLS

    def _start_tls(self) -> None:
        dial = self._dial
        self._tls = dial.tls.connect(dial.target.host, dial.connector.certificate, dial.connector.key)
        self.deadline = self._loop.time() + self._settings.handshake_s
        if self._tls.failure:
            # Our own files are at fault. Without the certificate the next hop would take us for somebody else, so
            # plain text is no way out here.
            self._end_opening(NotOpened(self._tls.failure, "4.3.5"))
            self._tls_failed(self._tls.failure)
            return
        self._transport.write(self._tls.take_ciphertext())

    def _decrypted(self, tls: ClientTlsSession, data: bytes) -> bytes:
        plaintext = tls.feed(data)
        ciphertext = tls.take_ciphertext()
        if ciphertext:
            self._transport.write(ciphertext)
        if tls.failure:
            if self._secured:
                self._carry_out(self._machine.break_off(f"the TLS connection broke: {tls.failure}"))
            else:
                self._tls_failed(tls.failure)
            return b""
        if tls.established and not self._secured:
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
        self._end_opening(NotOpened(f"TLS with {self.host} failed: {why}", "4.7.5", host=self.host, tls_failed=True))
        self._carry_out(self._machine.break_off(why))

    def _handshake_over(self, tls: ClientTlsSession) -> None:
        if self._log:
            self._log_tls(self._log, tls)
        problem = self._why_not_trusted(tls)
        if problem:
            if self._log:
                self._log.add(Event.INFORMATION, "", tls_failure_row(problem))
            self._end_opening(NotOpened(f"{self.host} did not prove who it is: {problem}", "4.7.5", host=self.host))
            self._carry_out(self._machine.quit())
            return
        self._secured = True
        self._carry_out(self._machine.tls_established())

    def _why_not_trusted(self, tls: ClientTlsSession) -> str | None:
        connector = self._dial.connector
        if connector.tls is not TlsLevel.VERIFY:
            return None
        name = connector.tls_domain or self._dial.target.host
        return tls.problem_with_host((name,), datetime.now(UTC))

    def _log_tls(self, log: SessionLog, tls: ClientTlsSession) -> None:
        if tls.own_certificate and tls.certificate_sent:
            log.own_certificate(tls.own_certificate)
        elif tls.own_certificate:
            asked = "could not use ours" if tls.certificate_requested else "did not ask for one"
            log.add(Event.INFORMATION, "", f"no certificate sent: the remote host {asked}")
        if tls.peer_chain:
            log.remote_certificate(tls.peer_chain[0])
        log.add(Event.INFORMATION, "", tls_row(tls.protocol, tls.cipher, tls.cipher_bits, "CLIENT"))

    # Claims

    def _next(self) -> list[ClientEffect]:
        """The rest of the claim, or the next one; nothing while the session is not free."""
        while self._machine.idle:
            if self._claim is not None:
                return self._begin_transaction(self._claim)
            claim = None if self.retired else self._owner.next_claim(self)
            if claim is None:
                return []
            try:
                self._content = claim.content or self._dial.open_content(claim.message)
            except StoreError as error:
                self._owner.attempted(claim, [_deferred(recipient, str(error)) for recipient in claim.recipients])
                continue
            self._claim = claim
            self._left = claim.recipients
            self._outcomes = []
            if self._log:
                self._log.carries(claim.tenant)
                self._log.add(Event.INFORMATION, "", _sending(claim))
        return []

    def _begin_transaction(self, claim: Claim) -> list[ClientEffect]:
        most = self._machine.most_recipients
        self._batch, self._left = self._left[:most], self._left[most:]
        try:
            return self._machine.begin(
                Transaction(envelope=claim.message.envelope, recipients=self._batch, content=self._content)
            )
        except (StoreError, OSError) as error:
            return self._content_lost(error)

    def _transaction_ended(self, verdicts: tuple[Verdict, ...], untouched: bool) -> None:
        claim = self._claim
        assert claim is not None
        if untouched and self._served and not self._outcomes:
            self._claim = None
            if claim.content is None:
                self._content.release()
            self._owner.hand_back(claim)
            return
        self._served += 1
        some_taken = any(verdict.kind == 2 for verdict in verdicts)
        for recipient, verdict in zip(self._batch, verdicts, strict=True):
            if some_taken and _too_many(verdict):
                self._left = (*self._left, recipient)
            else:
                self._outcomes.append(self._outcome(recipient, verdict, untouched))
        if self._left and self._machine.idle:
            return
        self._outcomes += [_deferred(recipient, "the session ended before its turn") for recipient in self._left]
        self._claim = None
        self._owner.attempted(claim, self._outcomes)
        self._content.release()

    def _outcome(self, recipient: QueuedRecipient, verdict: Verdict, untouched: bool) -> DeliveryOutcome:
        kind, status, why, reply = verdict
        if kind == 2 and reply is not None:
            return Delivered(recipient=recipient, reply=reply, host=self.host, dsn_passed_on=self._machine.offers.dsn)
        if kind == 5:
            return Failed(recipient=recipient, why=why, status=status, reply=reply, host=self.host)
        return Deferred(
            recipient=recipient,
            why=why,
            status=status,
            reply=reply,
            host=self.host,
            glitch=untouched and reply is None,
        )


def _sending(claim: Claim) -> str:
    """The row before a message. Its Message-ID is told where it costs no reading from disk."""
    text = f"sending message with RecordId {claim.message.id}"
    if claim.content is None:
        return text
    head = next(claim.content.chunks(), b"")[:HEAD]
    at = head.lower().find(b"\nmessage-id:")
    if at < 0:
        return text
    words = head[at + 12 : at + 512].split(None, 1)
    return f"{text} and InternetMessageId {words[0].decode('utf-8', 'replace')}" if words else text


def _deferred(recipient: QueuedRecipient, why: str) -> Deferred:
    return Deferred(recipient=recipient, why=why, status="4.3.0")


def _too_many(verdict: Verdict) -> bool:
    reply = verdict.reply
    return reply is not None and reply.code in TOO_MANY_RECIPIENTS and reply.enhanced in (None, "4.5.3", "5.5.3")


def _endpoint(address: tuple[str, int] | None) -> str:
    if address is None:
        return ""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
