"""One inbound connection: carries octets to the SMTP machine and back.

What flows through: octets from the socket, through TLS once it is up (`carrier.pipe`), into `ServerSession`; the
`Conversation` carries out its effects. The replies to one packet leave in one write.

Laws: reading pauses while an answer is awaited and more than a little is buffered, or while the content waits for the
disk, so that no peer can fill our memory; the handshake's outcome never depends on the client's certificate; a peer
that has much to do, or is refused again and again, does it in turns that leave others theirs (`turns`).
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from gatepost.carrier.deadline import Deadline
from gatepost.carrier.pipe import Pipe
from gatepost.carrier.session_log import SessionLog
from gatepost.mail.reply import Reply
from gatepost.protocol_log.record import Event
from gatepost.protocol_log.tls import client_chain_row, tls_failure_row, tls_row
from gatepost.receiving.proxy_protocol import Incomplete, NotProxied, read_header
from gatepost.receiving.services import ListenerServices
from gatepost.receiving.session import Session, open_session
from gatepost.receiving.session_gate import TurnedAway
from gatepost.receiving.tls import ServerTlsSession
from gatepost.smtp.replies import TOO_SLOW
from gatepost.smtp.server_effects import Effect
from gatepost.tenancy.evidence import Address, PresentedCertificate, TlsEvidence

_MOST_BUFFERED: Final = 64 * 1024
"""Octets that may wait in the machine before reading pauses: a packet or two of pipelined commands."""

_TLS_1_3: Final = "TLSv1.3"
_HANDSHAKE_TIMEOUT_S: Final = 60.0
_PROXY_HEADER_TIMEOUT_S: Final = 10.0

# Reading an address takes thirty calls, and peers come back.
_address = lru_cache(maxsize=4096)(ip_address)


class InboundConnection(asyncio.Protocol):
    """One session, from the first octet to the last."""

    def __init__(self, listener: ListenerServices) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._time_is_up)
        self._pipe: Pipe[ServerTlsSession]
        self.say: Callable[[bytes], None]
        self._header: bytes | None = None
        """Of the PROXY protocol, as far as it has come; None: none is awaited."""
        self._session: Session | None = None
        """None until the peer is known, and where it is turned away without one."""
        self._writing = False
        """Content is on its way to the disk, whether all of a message or a part of one."""
        self._flushing: asyncio.Task[None] | None = None
        self._closing = ""
        self._farewell: asyncio.TimerHandle | None = None
        """Of a peer that waits outside to be turned away."""
        self._waits_outside = False
        self._busy = False
        """It has had more to do than one turn, or is refused again and again: it takes its turns with the others."""
        self._has_turn = False
        self._opened_at = self._loop.time()
        self._shutting_down = False

    # --- what the transport says ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe = Pipe(transport, self._loop.time)
        self.say = self._pipe.say
        self._listener.opened.add(self)
        peer = transport.get_extra_info("peername")
        if peer is None:
            # The peer was gone before we could ask who it was.
            self.abort()
            return
        address = _address(peer[0].partition("%")[0])
        proxies = self._listener.proxy_from
        if proxies and any(address in network for network in proxies):
            self._header = b""
            self._deadline.move(_PROXY_HEADER_TIMEOUT_S)
        else:
            self._begin(address, peer[1])

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._header is not None:
            data = self._after_header(self._header + data)
            if not data:
                return
        if self._pipe.tls is not None:
            data = self._decrypted(self._pipe.tls, data)
            if not data:
                self._pipe.flush()
                return
        session = self._session
        assert session is not None
        self._carry_out(session, session.machine.receive(data, at_once=not self._busy))
        pace = session.conversation.pace
        if pace is not None and pace.is_too_slow(self._loop.time()):
            self._carry_out(session, session.machine.break_off(TOO_SLOW, "the content came too slowly"))
        self._pipe.flush()

    def eof_received(self) -> bool:
        """The peer will say no more, but may still read: what it asked before is answered, then the machine closes."""
        session = self._session
        if session is None or self._pipe.tls is not None or self._closing:
            return False
        self._carry_out(session, session.machine.peer_closed())
        self._pipe.flush()
        return not self._closing

    def pause_writing(self) -> None:
        # A peer that does not read our replies gets no more of them.
        self._pipe.pause()

    def resume_writing(self) -> None:
        self._resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.opened.discard(self)
        self._deadline.cancel()
        if self._farewell is not None:
            self._farewell.cancel()
        if self._waits_outside:
            self._listener.gate.waited()
        session = self._session
        if session is None:
            return
        session.conversation.leave()
        self._closing = self._closing or ("Remote" if exc is None else "Remote(ConnectionReset)")
        session.machine.peer_closed()
        if not self._writing:
            session.report.end(session.conversation.peer, self._closing)
        # Else `_has_written` ends the session when that is decided.

    # --- beginning --------------------------------------------------------------------------------------------------

    def _after_header(self, header: bytes) -> bytes:
        found = read_header(header)
        if isinstance(found, Incomplete):
            self._header = header
            return b""
        self._header = None
        if isinstance(found, NotProxied):
            local = self._pipe.local_endpoint
            self._listener.shared.events.emit("proxy-header-refused", local=local, problem=found.why)
            self.abort()
            return b""
        peer = self._pipe.transport.get_extra_info("peername")
        source, port = found.source or (_address(peer[0].partition("%")[0]), peer[1])
        self._begin(source, port)
        return b"" if self._closing else found.rest

    def _begin(self, address: Address, port: int) -> None:
        listener = self._listener
        if address.version == 6 and address.ipv4_mapped:
            address = address.ipv4_mapped
        entered = listener.gate.enter(address)
        if isinstance(entered, TurnedAway) and not entered.told:
            # One of very many: no session, no row, no record, so that it costs next to nothing.
            self._closing = "Local"
            self._waits_outside = entered.wait_s > 0
            self._pipe.pause()
            self._farewell = self._loop.call_later(entered.wait_s, self._turn_away, entered.reply)
            return
        visitor = None if isinstance(entered, TurnedAway) else entered
        session = open_session(listener, self, address, port, self._pipe.local_endpoint, visitor)
        self._session = session
        if isinstance(entered, TurnedAway):
            session.conversation.say(entered.reply)
            self.close("Local")
            return
        self._carry_out(session, session.machine.connected(listener.greeting))
        self._pipe.flush()

    def _turn_away(self, farewell: Reply) -> None:
        self._farewell = None
        self._pipe.write(farewell.octets)
        self._pipe.transport.close()

    # --- TLS --------------------------------------------------------------------------------------------------------

    def start_tls(self) -> None:
        assert self._listener.tls is not None
        self._pipe.start_tls(self._listener.tls.accept())
        self._deadline.move(_HANDSHAKE_TIMEOUT_S)

    def _decrypted(self, tls: ServerTlsSession, data: bytes) -> bytes:
        plaintext, session = self._pipe.feed(data), self._session
        assert session is not None
        if tls.failure is not None:
            if session.log is not None:
                session.log.add(Event.INFORMATION, "", tls_failure_row(tls.failure))
            self.close("Local(TlsFailure)")
            return b""
        if tls.established and not self._pipe.secured:
            self._tls_established(session, tls)
        if tls.ended and not plaintext:
            self.close("Remote")
            return b""
        return plaintext

    def _tls_established(self, session: Session, tls: ServerTlsSession) -> None:
        self._pipe.secured = True
        evidence = tls.evidence(datetime.fromtimestamp(self._listener.shared.now(), UTC))
        session.conversation.secured(evidence)
        if evidence.protocol != _TLS_1_3:
            # The client waits for our Finished. In TLS 1.3 it has had that; what is left are tickets that nobody will
            # ever use, and they go with the first reply.
            self._pipe.flush_ciphertext()
        if session.log is not None:
            _log_tls(session.log, evidence)
        self._carry_out(session, session.machine.tls_established())

    # --- what the machine asks for ----------------------------------------------------------------------------------

    def _carry_out(self, session: Session, effects: list[Effect]) -> None:
        machine, acceptance, conversation = session.machine, session.acceptance, session.conversation
        conversation.carry_out(effects)
        if self._pipe.tls is None or self._pipe.secured:
            limits = self._listener.machine
            self._deadline.move(limits.content_timeout_s if machine.in_content else limits.command_timeout_s)
        if acceptance.no_room is not None and (refused := machine.refuse_content(acceptance.no_room)):
            self._carry_out(session, refused)
        if machine.idle_commands >= conversation.idle_until and (farewell := conversation.too_idle()):
            self._carry_out(
                session, machine.break_off(farewell, "too many commands without mail, or rejected commands")
            )
            return
        if machine.waiting:
            self._busy = True
            if not self._has_turn:
                self._has_turn = True
                self._listener.turns.take(self._next_turn)
        if (machine.paused or machine.waiting) and machine.buffered > _MOST_BUFFERED:
            self._pipe.pause()
        elif acceptance.needs_flush and not self._writing:
            self._pipe.pause()
            self._writing = True
            self._flushing = self._loop.create_task(self._flush_content(session))

    def _next_turn(self) -> None:
        session = self._session
        self._has_turn = False
        if session is None or not session.machine.waiting or self._pipe.closing:
            return
        self._busy = session.acceptance.refusals.may_repeat
        self._go_on(session, session.machine.go_on())

    def answer(self, reply: Reply) -> None:
        session = self._session
        if session is not None:
            self._go_on(session, session.machine.answer(reply))

    def _go_on(self, session: Session, effects: list[Effect]) -> None:
        """After a turn of ours or an answer that took a while."""
        self._carry_out(session, effects)
        self._pipe.flush()
        machine = session.machine
        if not machine.waiting and not machine.paused and not self._writing:
            self._resume()

    def end_content(self, size: int) -> Reply | None:
        assert self._session is not None
        self._writing = True
        reply = self._session.acceptance.end_content(size, self._content_ended)
        self._writing = reply is None
        return reply

    def _content_ended(self, reply: Reply) -> None:
        if self._has_written():
            self.answer(reply)

    async def _flush_content(self, session: Session) -> None:
        try:
            await session.acceptance.flush()
        except Exception as error:
            # The disk is the operator's to mend; the peer hears 451 at the end of its content.
            self._listener.shared.events.emit("content-not-written", session_id=session.id, problem=str(error))
        if self._has_written():
            self._resume()

    def _has_written(self) -> bool:
        """Whether the session goes on."""
        self._writing = False
        session = self._session
        assert session is not None
        if self._pipe.closing:
            session.report.end(session.conversation.peer, self._closing or "Remote")
        return not self._pipe.closing

    def _resume(self) -> None:
        paused_s = self._pipe.resume()
        pace = self._session.conversation.pace if paused_s and self._session is not None else None
        if pace is not None:
            pace.not_reading(paused_s)

    # --- time and end -----------------------------------------------------------------------------------------------

    def _time_is_up(self) -> None:
        session = self._session
        if self._writing:
            self._deadline.move(1.0)
        elif session is None or self._pipe.shakes_hands:
            self._closing = self._closing or "Local(TimedOut)"
            self.abort()
        else:
            self._carry_out(session, session.machine.timed_out())
            self._pipe.flush()
            self.close("Local(TimedOut)")

    def is_fresh(self, age_s: float) -> bool:
        session = self._session
        return self._loop.time() - self._opened_at < age_s and not (session and session.machine.transactions)

    def shut_down(self) -> None:
        session = self._session
        if session is None:
            self.abort()
        elif not self._shutting_down and not self._closing and not self._pipe.shakes_hands:
            self._shutting_down = True
            self._carry_out(session, session.machine.shutting_down())
            self._pipe.flush()

    def abort(self) -> None:
        self._pipe.transport.abort()

    def close(self, why: str) -> None:
        if self._closing:
            return
        self._closing = why
        # The last reply and the end of TLS leave in one packet.
        self._pipe.say_goodbye()
        self._pipe.transport.close()

    def record(self, now: float) -> None:
        if self._session is not None:
            self._session.report.so_far(self._session.conversation.peer, now)


def _log_tls(log: SessionLog, evidence: TlsEvidence) -> None:
    log.add(Event.INFORMATION, "", tls_row(evidence.protocol, evidence.cipher, evidence.cipher_bits, "SERVER"))
    certificate = evidence.certificate
    error = certificate.errors[0].code if isinstance(certificate, PresentedCertificate) else None
    if certificate is not None:
        log.remote_certificate(certificate.leaf)
    log.add(Event.INFORMATION, "", client_chain_row(certificate is not None, error))
