"""One inbound connection: carries octets to the SMTP machine and carries out what it asks.

What flows through: octets from the socket, through TLS once it is up, into `ServerSession`; its effects become replies,
questions to `Acceptance`, protocol log rows. The replies to one packet leave in one write.

Laws: reading pauses while an answer is awaited and more than a little is buffered, or while the content waits for the
disk, so that no peer can fill our memory; the handshake's outcome never depends on the client's certificate; a peer
that has much to do, or is refused again and again, does it in turns that leave others theirs (`turns`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Protocol

from gatepost.mail.reply import Reply
from gatepost.protocol_log.certificates import REMOTE_CERTIFICATE, certificate_row
from gatepost.protocol_log.record import Event, ProtocolLogRecord
from gatepost.protocol_log.tls import client_chain_row, tls_failure_row, tls_row
from gatepost.receiving import replies
from gatepost.receiving.acceptance import Acceptance
from gatepost.receiving.account import SessionAccount
from gatepost.receiving.pace import ContentPace
from gatepost.receiving.proxy_protocol import Incomplete, NotProxied, read_header
from gatepost.receiving.services import AcceptanceSettings, Services
from gatepost.receiving.session_gate import IDLE_COMMANDS, SessionGate, TurnedAway, Visitor
from gatepost.receiving.tls import ServerTls, TlsSession
from gatepost.receiving.transaction import Peer
from gatepost.receiving.turns import Turns
from gatepost.smtp.replies import TOO_SLOW
from gatepost.smtp.server_effects import (
    AskMail,
    AskRecipient,
    BeginContent,
    Close,
    CommandReceived,
    ContentReceived,
    DropContent,
    Effect,
    EndContent,
    SendReply,
    StartTls,
)
from gatepost.smtp.server_session import ServerSession
from gatepost.smtp.server_settings import ServerSettings
from gatepost.tenancy.attribution import Attribution, Outcome
from gatepost.tenancy.evidence import Address, CertificateFacts, PresentedCertificate
from gatepost.tenancy.tenant import Network

_MOST_BUFFERED = 64 * 1024
"""Octets that may wait in the machine before reading pauses: a packet or two of pipelined commands."""

_TLS_1_3 = "TLSv1.3"
_HANDSHAKE_TIMEOUT_S = 60.0
_PROXY_HEADER_TIMEOUT_S = 10.0
_LONG_SESSION_S = 0.5


class ReceiveLog(Protocol):
    def add(self, record: ProtocolLogRecord) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerServices:
    """What the connections of one listener share."""

    machine: ServerSettings
    greeting: Reply
    acceptance: AcceptanceSettings
    shared: Services
    tls: ServerTls | None
    gate: SessionGate
    turns: Turns
    least_content_rate: int
    """Octets a second; 0: no limit."""
    proxy_from: tuple[Network, ...]
    log: ReceiveLog | None
    next_session_id: Callable[[float], str]
    record: Callable[[SessionAccount], None]
    opened: set["Connection"]
    """Connections that are open now."""


class Connection(asyncio.Protocol):
    """One session, from the first octet to the last."""

    def __init__(self, listener: ListenerServices) -> None:
        self._listener = listener
        # Wanted for every row of the protocol log.
        self._log, self._now, self._name = listener.log, listener.shared.now, listener.acceptance.listener
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._machine: ServerSession | None = None
        self._acceptance: Acceptance | None = None
        self._peer: Peer
        self._tls: TlsSession | None = None
        self._secured = False
        self._header = b""
        self._awaits_header = False
        self._paused = False
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._work: asyncio.Task[None] | None = None
        self._closing = ""
        self._visitor: Visitor | None = None
        self._waits_outside = False
        self._attributed = False
        self._busy = False
        """It has had more to do than one turn, or is refused again and again: it takes its turns with the others."""
        self._late_answer: asyncio.TimerHandle | None = None
        self._held_command: str | None = None
        self._mutes_reply = False
        self._has_turn = False
        self._idle_until = IDLE_COMMANDS
        self._told_attribution: Attribution | None = None
        self._pace: ContentPace | None = None
        self._paused_at = 0.0
        self._session_id = ""
        self._began_at = 0.0
        self._opened_at = 0.0
        self._shutting_down = False
        self._row = 0
        self._local = self._remote = ""

    # --- asyncio ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._opened_at = self._loop.time()
        self._listener.opened.add(self)
        peer = transport.get_extra_info("peername")
        if peer is None:
            # The peer was gone before we could ask who it was.
            transport.abort()  # type: ignore[attr-defined]
            return
        self._local = _endpoint(transport.get_extra_info("sockname"))
        address = ip_address(peer[0].partition("%")[0])
        if any(address in network for network in self._listener.proxy_from):
            self._awaits_header = True
            self._set_deadline(_PROXY_HEADER_TIMEOUT_S)
        else:
            self._begin(address, peer[1])

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._awaits_header:
            self._header += data
            data = self._take_proxy_header()
            if self._awaits_header or not data:
                return
        if self._tls is not None:
            data = self._decrypted(data)
            if not data:
                self._write_out()
                return
        assert self._machine is not None
        self._carry_out(self._machine.receive(data, at_once=not self._busy))
        if self._pace is not None and self._pace.is_too_slow(self._loop.time()):
            self._carry_out(self._machine.break_off(TOO_SLOW, "the content came too slowly"))
        self._write_out()

    def eof_received(self) -> bool:
        """The peer will say no more, but may still read: what it asked before is answered, then the machine closes."""
        if self._machine is None or self._tls is not None or self._closing:
            return False
        self._carry_out(self._machine.peer_closed())
        self._write_out()
        return not self._closing

    def pause_writing(self) -> None:
        # A peer that does not read our replies gets no more of them.
        self._pause()

    def resume_writing(self) -> None:
        self._resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.opened.discard(self)
        if self._timer:
            self._timer.cancel()
        if self._late_answer:
            self._late_answer.cancel()
        if self._visitor:
            self._listener.gate.leave(self._visitor)
        if self._waits_outside:
            self._listener.gate.waited()
        if self._machine is None or self._acceptance is None:
            return
        why = self._closing or ("Remote" if exc is None else "Remote(ConnectionReset)")
        self._closing = why
        self._machine.peer_closed()
        if self._work is None:
            self._end(why)
        # Else content is on its way to the disk: `_finish_content` ends the session when that is decided.

    # --- beginning --------------------------------------------------------------------------------------------------

    def _begin(self, address: Address, port: int) -> None:
        listener = self._listener
        if address.version == 6 and address.ipv4_mapped:
            address = address.ipv4_mapped
        entered = listener.gate.enter(address)
        if isinstance(entered, TurnedAway) and not entered.told:
            # One of very many: no session, no row, no record, so that it costs next to nothing.
            self._closing = "Local"
            self._waits_outside = entered.wait_s > 0
            self._transport.pause_reading()
            self._late_answer = self._loop.call_later(entered.wait_s, self._turn_away, entered)
            return
        now = listener.shared.now()
        self._session_id, self._began_at = listener.next_session_id(now), now
        self._machine = ServerSession(listener.machine)
        self._acceptance = Acceptance(listener.acceptance, listener.shared, self._session_id)
        peer = str(address)
        self._peer = Peer(address=address, address_text=peer)
        self._remote = f"[{peer}]:{port}" if address.version == 6 else f"{peer}:{port}"
        self._row_added(Event.CONNECT, "", "")
        if isinstance(entered, TurnedAway):
            self._send(entered.reply)
            self._write_out()
            self._close("Local")
            return
        self._visitor = entered
        self._carry_out(self._machine.connected(listener.greeting))
        self._write_out()
        self._set_deadline(listener.machine.command_timeout_s)

    def _turn_away(self, turned_away: TurnedAway) -> None:
        self._late_answer = None
        self._transport.write(turned_away.reply.octets)
        self._transport.close()

    def _take_proxy_header(self) -> bytes:
        found = read_header(self._header)
        if isinstance(found, Incomplete):
            return b""
        self._awaits_header = False
        if isinstance(found, NotProxied):
            self._listener.shared.events.emit("proxy-header-refused", local=self._local, problem=found.why)
            self._transport.abort()
            return b""
        peer = self._transport.get_extra_info("peername")
        source, port = found.source or (ip_address(peer[0].partition("%")[0]), peer[1])
        self._header = b""
        self._begin(source, port)
        return b"" if self._closing else found.rest

    # --- TLS --------------------------------------------------------------------------------------------------------

    def _decrypted(self, data: bytes) -> bytes:
        tls = self._tls
        assert tls is not None
        plaintext = tls.feed(data)
        if tls.failure is not None:
            self._flush_ciphertext()
            self._row_added(Event.INFORMATION, "", tls_failure_row(tls.failure))
            self._close("Local(TlsFailure)")
            return b""
        if tls.established and not self._secured:
            self._tls_established(tls)
        elif not self._secured or not plaintext:
            # The next step of the handshake, or the answer to what is no data, such as an alert.
            self._flush_ciphertext()
        if tls.ended and not plaintext:
            self._close("Remote")
            return b""
        return plaintext

    def _tls_established(self, tls: TlsSession) -> None:
        assert self._machine is not None
        self._secured = True
        evidence = tls.evidence(datetime.fromtimestamp(self._now(), UTC))
        self._peer = replace(self._peer, tls=evidence)
        if evidence.protocol != _TLS_1_3:
            # The client waits for our Finished. In TLS 1.3 it has had that; what is left are tickets that nobody will
            # ever use, and they go with the first reply.
            self._flush_ciphertext()
        self._row_added(
            Event.INFORMATION, "", tls_row(evidence.protocol, evidence.cipher, evidence.cipher_bits, "SERVER")
        )
        certificate = evidence.certificate
        error = certificate.errors[0].code if isinstance(certificate, PresentedCertificate) else None
        if certificate is not None:
            self._row_added(Event.INFORMATION, *_certificate_row(REMOTE_CERTIFICATE, certificate.leaf))
        self._row_added(Event.INFORMATION, "", client_chain_row(certificate is not None, error))
        self._carry_out(self._machine.tls_established())
        self._set_deadline(self._listener.machine.command_timeout_s)

    def _start_tls(self) -> None:
        self._write_out()
        assert self._listener.tls is not None
        self._tls = self._listener.tls.accept()
        self._set_deadline(_HANDSHAKE_TIMEOUT_S)

    def _flush_ciphertext(self) -> None:
        assert self._tls is not None
        octets = self._tls.take_ciphertext()
        if octets:
            self._transport.write(octets)

    # --- effects ----------------------------------------------------------------------------------------------------

    def _carry_out(self, effects: list[Effect]) -> None:
        """Do what the machine asks, in order; an answer, always to the last of them, may bring further effects."""
        machine, acceptance = self._machine, self._acceptance
        assert machine is not None and acceptance is not None
        while effects:
            following: list[Effect] | None = None
            for effect in effects:
                following = _CARRIED_OUT_BY[type(effect)](self, machine, acceptance, effect)
            effects = following or []
        limits = self._listener.machine
        self._deadline = self._loop.time() + (
            limits.content_timeout_s if machine.in_content else limits.command_timeout_s
        )
        if acceptance.no_room is not None:
            refused = machine.refuse_content(acceptance.no_room)
            if refused:
                self._carry_out(refused)
        if machine.idle_commands >= self._idle_until and self._visitor:
            times = 1 + (machine.idle_commands - self._idle_until) // IDLE_COMMANDS
            self._idle_until += times * IDLE_COMMANDS
            farewell = self._listener.gate.idled(self._visitor, times)
            if farewell is not None:
                self._carry_out(machine.break_off(farewell, "too many commands without mail, and refusals"))
                return
        if machine.waiting:
            self._busy = True
            if not self._has_turn:
                self._has_turn = True
                self._listener.turns.take(self._next_turn)
        self._govern_reading(machine, acceptance)

    def _next_turn(self) -> None:
        machine, acceptance = self._machine, self._acceptance
        self._has_turn = False
        if machine is None or acceptance is None or not machine.waiting or self._transport.is_closing():
            return
        self._busy = acceptance.refusals.may_repeat
        self._carry_out(machine.go_on())
        self._write_out()
        if not machine.waiting and not machine.paused and self._work is None:
            self._resume()

    def _log_command(self, machine: ServerSession, acceptance: Acceptance, effect: CommandReceived) -> None:
        if acceptance.refusals.may_repeat:
            # Its row waits until it is known whether it tells anything new.
            self._release_command()
            self._held_command = effect.line
        else:
            self._row_added(Event.RECEIVE, effect.line, "")

    def _release_command(self) -> None:
        line, self._held_command = self._held_command, None
        if line is not None:
            self._row_added(Event.RECEIVE, line, "")

    def _send_reply(self, machine: ServerSession, acceptance: Acceptance, effect: SendReply) -> None:
        if self._mutes_reply:
            self._mutes_reply = False
            self._held_command = None
            self._out.append(effect.reply.octets)
        else:
            self._send(effect.reply)

    def _ask_mail(self, machine: ServerSession, acceptance: Acceptance, effect: AskMail) -> list[Effect]:
        if (machine.ehlo, machine.extended) != (self._peer.ehlo, self._peer.extended):
            self._peer = replace(self._peer, ehlo=machine.ehlo, extended=machine.extended)
        before = acceptance.refusals.total
        answer = acceptance.mail(effect, self._peer)
        if acceptance.refusals.total != before:
            return self._refused(machine, acceptance, answer)
        return machine.answer(answer)

    def _ask_recipient(self, machine: ServerSession, acceptance: Acceptance, effect: AskRecipient) -> list[Effect]:
        before = len(acceptance.transaction.decisions) if acceptance.transaction else 0
        refused_before = acceptance.refusals.total
        answer = acceptance.recipient(effect)
        if acceptance.refusals.total != refused_before:
            if acceptance.refusals.last_was_told:
                self._log_verdicts(before)
            return self._refused(machine, acceptance, answer)
        self._log_verdicts(before)
        if not self._attributed:
            self._learn_tenant(acceptance)
        return machine.answer(answer)

    def _learn_tenant(self, acceptance: Acceptance) -> None:
        """The gate counts a tenant's own server otherwise than a stranger."""
        found = acceptance.transaction.decisions[-1].attribution if acceptance.transaction else None
        if found and found.tenant and found.outcome is not Outcome.INCOMING and self._visitor:
            self._attributed = True
            self._listener.gate.attributed(self._visitor, found.tenant)

    def _refused(self, machine: ServerSession, acceptance: Acceptance, answer: Reply) -> list[Effect]:
        """Mail was refused. Who is refused again and again hears it ever more slowly, and then no more."""
        assert self._visitor is not None
        patience = self._listener.gate.refused(self._visitor, acceptance.refusals.total)
        if patience.farewell:
            return machine.answer(patience.farewell)
        self._mutes_reply = not acceptance.refusals.last_was_told
        if not patience.wait_s:
            return machine.answer(answer)
        self._late_answer = self._loop.call_later(patience.wait_s, self._answer_late, machine, answer)
        return []

    def _answer_late(self, machine: ServerSession, answer: Reply) -> None:
        self._late_answer = None
        self._carry_out(machine.answer(answer))
        self._write_out()
        if not machine.waiting and not machine.paused:
            self._resume()

    def _begin_content(self, machine: ServerSession, acceptance: Acceptance, effect: BeginContent) -> None:
        acceptance.begin_content()
        self._pace = ContentPace(self._listener.least_content_rate, self._loop.time())

    def _take_content(self, machine: ServerSession, acceptance: Acceptance, effect: ContentReceived) -> None:
        acceptance.content(effect.octets)
        if self._pace is not None:
            self._pace.took(len(effect.octets))

    def _end_content(self, machine: ServerSession, acceptance: Acceptance, effect: EndContent) -> None:
        self._pace = None
        self._work = self._loop.create_task(self._finish_content(effect.size))

    def _drop_content(self, machine: ServerSession, acceptance: Acceptance, effect: DropContent) -> None:
        self._pace = None
        acceptance.drop_content()

    def _begin_tls(self, machine: ServerSession, acceptance: Acceptance, effect: StartTls) -> None:
        self._start_tls()

    def _end_session(self, machine: ServerSession, acceptance: Acceptance, effect: Close) -> None:
        if machine.wore_out and self._visitor:
            self._listener.gate.wore_out(self._visitor)
        self._close(effect.why)

    def _govern_reading(self, machine: ServerSession, acceptance: Acceptance) -> None:
        if (machine.paused or machine.waiting) and machine.buffered > _MOST_BUFFERED:
            self._pause()
        elif self._work is None and acceptance.needs_flush:
            self._pause()
            self._work = self._loop.create_task(self._flush_content())

    async def _flush_content(self) -> None:
        assert self._acceptance is not None
        try:
            await self._acceptance.flush()
        except Exception as error:
            # The disk is the operator's to mend; the peer hears 451 at the end of its content.
            self._listener.shared.events.emit("content-not-written", session_id=self._session_id, problem=str(error))
        self._work = None
        if self._closing:
            self._end(self._closing)
        else:
            self._resume()

    async def _finish_content(self, size: int) -> None:
        machine, acceptance = self._machine, self._acceptance
        assert machine is not None and acceptance is not None
        try:
            answer = await acceptance.end_content(size)
        except Exception as error:
            # A bug of ours must not leave the peer waiting: it keeps its mail and comes back.
            self._loop.call_exception_handler({"message": "content was not accepted", "exception": error})
            answer = replies.store_unavailable(self._session_id)
        self._work = None
        if self._transport.is_closing():
            self._end(self._closing or "Remote")
            return
        self._carry_out(machine.answer(answer))
        self._write_out()
        self._resume()

    def _log_verdicts(self, before: int) -> None:
        """The verdict and each reason as `*` rows, which is how the operator reads a refusal in the log. The reasons of
        a verdict that is the one before, for another recipient of the domain, are not repeated."""
        transaction = self._acceptance.transaction if self._acceptance else None
        if transaction is None or self._listener.log is None:
            return
        for decision in transaction.decisions[before:]:
            found = decision.attribution
            if found is None:
                continue
            told_before, self._told_attribution = found is self._told_attribution, found
            who = f" tenant={found.tenant}" if found.tenant else ""
            by = f" connector={found.connector} basis={found.basis}" if found.connector else ""
            self._row_added(Event.INFORMATION, f"{found.outcome}{who}{by}", f"attribution of <{decision.forward_path}>")
            for reason in () if told_before else found.reasons:
                self._row_added(Event.INFORMATION, reason.code, reason.says)

    # --- output -----------------------------------------------------------------------------------------------------

    def _send(self, answer: Reply) -> None:
        self._out.append(answer.octets)
        self._row_added(Event.SEND, answer.log_row, "")

    def _write_out(self, *, last: bool = False) -> None:
        if not self._out and not last:
            return
        octets = b"".join(self._out)
        self._out.clear()
        if self._tls is not None and self._secured:
            self._tls.write(octets)
            if last:
                self._tls.close()
            octets = self._tls.take_ciphertext()
        if octets:
            self._transport.write(octets)

    def _row_added(self, event: Event, data: str, context: str) -> None:
        if self._log is None:
            return
        if self._held_command is not None:
            self._release_command()
        self._log.add(
            ProtocolLogRecord(
                self._now(),
                self._name,
                self._session_id,
                self._row,
                self._local,
                self._remote,
                event,
                data,
                context,
            )
        )
        self._row += 1

    # --- time and end -----------------------------------------------------------------------------------------------

    def _set_deadline(self, seconds: float) -> None:
        """The timer is armed once and looks at the deadline when it fires: moving a deadline costs nothing."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline - 0.01 or self._work is not None:
            self._timer = self._loop.call_at(max(self._deadline, self._loop.time() + 1.0), self._time_is_up)
        elif self._machine is None or (self._tls is not None and not self._secured):
            self._closing = self._closing or "Local(TimedOut)"
            self._transport.abort()
        else:
            self._carry_out(self._machine.timed_out())
            self._write_out()
            self._close("Local(TimedOut)")

    def is_fresh(self, age_s: float) -> bool:
        """Whether it is younger than `age_s` and has not had a mail transaction."""
        return self._loop.time() - self._opened_at < age_s and not (self._machine and self._machine.transactions)

    def shut_down(self) -> None:
        """The server stops: a transaction in flight is finished, then 421. To be called again: a TLS handshake is
        finished first."""
        if self._machine is None:
            self._transport.abort()
        elif not self._shutting_down and not self._closing and not (self._tls is not None and not self._secured):
            self._shutting_down = True
            self._carry_out(self._machine.shutting_down())
            self._write_out()

    def abort(self) -> None:
        self._transport.abort()

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._paused_at = self._loop.time()
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            if self._pace is not None:
                self._pace.not_reading(self._loop.time() - self._paused_at)
            self._transport.resume_reading()

    def _close(self, why: str) -> None:
        if self._closing:
            return
        self._closing = why
        # The last reply and the end of TLS leave in one packet.
        self._write_out(last=True)
        self._transport.close()

    def _end(self, why: str) -> None:
        """Once per session: the last row, and the record for `why`."""
        acceptance, self._acceptance = self._acceptance, None
        if acceptance is None:
            return
        acceptance.end(self._peer.address_text)
        for reason, count in acceptance.refusals.untold.items():
            self._row_added(Event.INFORMATION, reason, f"refused {count} more times, told in these rows no more")
        self._row_added(Event.DISCONNECT, "", why)
        self._listener.record(self._account(acceptance, why))

    def record(self, now: float) -> None:
        """Record what was decided so far. The administrator who reads a refusal asks `why` before the session is over;
        other sessions are recorded before their end only where that is long in coming."""
        acceptance = self._acceptance
        if acceptance and acceptance.has_unreported and (acceptance.refused or now - self._began_at > _LONG_SESSION_S):
            self._listener.record(self._account(acceptance, ""))

    def _account(self, acceptance: Acceptance, why: str) -> SessionAccount:
        return SessionAccount(
            session_id=self._session_id,
            at=self._began_at,
            ended_at=self._now(),
            listener=self._name,
            peer=self._peer,
            tenant=acceptance.tenant,
            by_stranger=acceptance.by_stranger,
            transactions=acceptance.take_unreported(),
            why=why,
        )


_CARRIED_OUT_BY: dict[type, Callable[[Connection, ServerSession, Acceptance, Any], list[Effect] | None]] = {
    CommandReceived: Connection._log_command,
    SendReply: Connection._send_reply,
    AskMail: Connection._ask_mail,
    AskRecipient: Connection._ask_recipient,
    BeginContent: Connection._begin_content,
    ContentReceived: Connection._take_content,
    EndContent: Connection._end_content,
    DropContent: Connection._drop_content,
    StartTls: Connection._begin_tls,
    Close: Connection._end_session,
}


def _endpoint(name: tuple[str, int] | None) -> str:
    if name is None:
        return ""
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


@lru_cache(maxsize=128)
def _certificate_row(title: str, leaf: CertificateFacts) -> tuple[str, str]:
    return certificate_row(
        title,
        subject=leaf.subject,
        issuer=leaf.issuer,
        serial=leaf.serial,
        der=leaf.der,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        names=leaf.names,
    )
