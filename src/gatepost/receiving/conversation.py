"""What the machine of one session asks and says, carried out: questions to `Acceptance`, replies, rows of the log.

What flows through: effects of `ServerSession` in; out come replies to send and, for each question, its answer, which
brings further effects. What needs the socket is the carrier's.

Law: who is refused again and again hears it ever more slowly, and then no more; what is refused like before leaves
neither a row nor a record of its own.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from gatepost.carrier.session_log import SessionLog
from gatepost.mail.reply import Reply
from gatepost.protocol_log.record import Event
from gatepost.receiving.acceptance import Acceptance
from gatepost.receiving.pace import ContentPace
from gatepost.receiving.session_gate import IDLE_COMMANDS, SessionGate, Visitor
from gatepost.receiving.transaction import Peer, Transaction
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
from gatepost.tenancy.attribution import Attribution, Outcome
from gatepost.tenancy.evidence import TlsEvidence

# Looked up once: a member of an Enum is found through its metaclass, which takes as long as adding the row.
_RECEIVE: Final = Event.RECEIVE
_SEND: Final = Event.SEND


class Carrier(Protocol):
    """The connection, as far as the machine asks for something of it."""

    def say(self, octets: bytes) -> None: ...

    def start_tls(self) -> None: ...

    def end_content(self, size: int) -> Reply | None:
        """The content is whole. The final reply; None: `answer` gets it, once the message is on stable storage."""

    def answer(self, reply: Reply) -> None:
        """The answer to what was asked a while ago."""

    def close(self, why: str) -> None: ...


class Conversation:
    def __init__(
        self,
        machine: ServerSession,
        acceptance: Acceptance,
        carrier: Carrier,
        log: SessionLog | None,
        peer: Peer,
        gate: SessionGate,
        visitor: Visitor | None,
        least_content_rate: int,
    ) -> None:
        self._machine = machine
        self._acceptance = acceptance
        self._carrier = carrier
        self._log = log
        self.peer = peer
        self._gate = gate
        self._visitor = visitor
        self._least_content_rate = least_content_rate
        self._loop = asyncio.get_running_loop()
        self._attributed = False
        self._logged_attribution: Attribution | None = None
        self._mutes_reply = False
        self._late_answer: asyncio.TimerHandle | None = None
        self.idle_until = IDLE_COMMANDS
        """So many commands without mail are suffered before it is asked whether the session is `too_idle`."""
        self.pace: ContentPace | None = None
        """Of the content that is coming in."""

    def carry_out(self, effects: list[Effect]) -> None:
        """Do what the machine asks, in order; an answer, always to the last of them, may bring further effects."""
        while effects:
            following: list[Effect] | None = None
            for effect in effects:
                following = _CARRIED_OUT_BY[type(effect)](self, effect)
            effects = following or []

    def say(self, reply: Reply) -> None:
        """That nobody asked for."""
        self._send_reply(SendReply(reply))

    def secured(self, tls: TlsEvidence) -> None:
        self.peer = self._peer_with(tls, self.peer.ehlo, extended=self.peer.extended)

    def _peer_with(self, tls: TlsEvidence | None, ehlo: str, *, extended: bool) -> Peer:
        # In every session: `replace` takes four times as long.
        address, text = self.peer.address, self.peer.address_text
        return Peer(address=address, address_text=text, tls=tls, ehlo=ehlo, extended=extended)

    def too_idle(self) -> Reply | None:
        """The farewell where so many commands led to no mail that the session is to end."""
        if self._visitor is None:
            return None
        times = 1 + (self._machine.idle_commands - self.idle_until) // IDLE_COMMANDS
        self.idle_until += times * IDLE_COMMANDS
        return self._gate.idled(self._visitor, times)

    def leave(self) -> None:
        """The peer is gone: nobody is answered any more."""
        if self._late_answer:
            self._late_answer.cancel()
        if self._visitor is not None:
            self._gate.leave(self._visitor)
        # Sessions are freed by reference count, and the carrier leads back here.
        del self._carrier

    # --- commands and replies ---------------------------------------------------------------------------------------

    def _command_received(self, effect: CommandReceived) -> None:
        log = self._log
        if log is None:
            return
        if self._acceptance.refusals.may_repeat:
            log.hold(effect.line)
        else:
            log.add(_RECEIVE, effect.line)

    def _send_reply(self, effect: SendReply) -> None:
        log, reply = self._log, effect.reply
        self._carrier.say(reply.octets)
        if self._mutes_reply:
            self._mutes_reply = False
            if log is not None:
                log.drop_held()
        elif log is not None:
            log.add(_SEND, reply.log_row)

    # --- questions --------------------------------------------------------------------------------------------------

    def _ask_mail(self, effect: AskMail) -> list[Effect]:
        machine, acceptance, peer = self._machine, self._acceptance, self.peer
        if machine.ehlo != peer.ehlo or machine.extended != peer.extended:
            peer = self.peer = self._peer_with(peer.tls, machine.ehlo, extended=machine.extended)
        before = acceptance.refusals.total
        answer = acceptance.mail(effect, peer)
        if acceptance.refusals.total != before:
            return self._refused(answer)
        return machine.answer(answer)

    def _ask_recipient(self, effect: AskRecipient) -> list[Effect]:
        acceptance = self._acceptance
        transaction, refusals = acceptance.transaction, acceptance.refusals
        assert transaction is not None, "the machine asks in order"
        before, refused_before = len(transaction.decisions), refusals.total
        answer = acceptance.recipient(effect)
        if refusals.total != refused_before:
            if refusals.last_was_told:
                self._log_decisions(transaction, before)
            return self._refused(answer)
        self._log_decisions(transaction, before)
        if not self._attributed:
            self._learn_tenant(transaction)
        return self._machine.answer(answer)

    def _learn_tenant(self, transaction: Transaction) -> None:
        """The gate counts a tenant's own server otherwise than a stranger."""
        found = transaction.decisions[-1].attribution
        if found and found.tenant and found.outcome is not Outcome.INCOMING and self._visitor is not None:
            self._attributed = True
            self._gate.attributed(self._visitor, found.tenant)

    def _refused(self, answer: Reply) -> list[Effect]:
        """Mail was refused."""
        refusals = self._acceptance.refusals
        assert self._visitor is not None, "who was not let in is asked nothing"
        patience = self._gate.refused(self._visitor, refusals.total)
        if patience.farewell:
            return self._machine.answer(patience.farewell)
        self._mutes_reply = not refusals.last_was_told
        if not patience.wait_s:
            return self._machine.answer(answer)
        self._late_answer = self._loop.call_later(patience.wait_s, self._answer_late, answer)
        return []

    def _answer_late(self, answer: Reply) -> None:
        self._late_answer = None
        self._carrier.answer(answer)

    def _log_decisions(self, transaction: Transaction, before: int) -> None:
        """The verdict and each reason as `*` rows, which is how the operator reads a refusal in the log. The reasons of
        a verdict that is the one before, for another recipient of the domain, are not repeated."""
        log = self._log
        if log is None:
            return
        for decision in transaction.decisions[before:]:
            found = decision.attribution
            if found is None:
                continue
            logged_before, self._logged_attribution = found is self._logged_attribution, found
            who = f" tenant={found.tenant}" if found.tenant else ""
            by = f" connector={found.connector} basis={found.basis}" if found.connector else ""
            log.add(Event.INFORMATION, f"{found.outcome}{who}{by}", f"attribution of <{decision.forward_path}>")
            for reason in () if logged_before else found.reasons:
                log.add(Event.INFORMATION, reason.code, reason.says)

    # --- content and end --------------------------------------------------------------------------------------------

    def _begin_content(self, effect: BeginContent) -> None:
        self._acceptance.begin_content()
        self.pace = ContentPace(self._least_content_rate, self._loop.time())

    def _take_content(self, effect: ContentReceived) -> None:
        self._acceptance.content(effect.octets)
        if self.pace is not None:
            self.pace.took(len(effect.octets))

    def _end_content(self, effect: EndContent) -> list[Effect] | None:
        self.pace = None
        reply = self._carrier.end_content(effect.size)
        return None if reply is None else self._machine.answer(reply)

    def _drop_content(self, effect: DropContent) -> None:
        self.pace = None
        self._acceptance.drop_content()

    def _start_tls(self, effect: StartTls) -> None:
        self._carrier.start_tls()

    def _close(self, effect: Close) -> None:
        if self._machine.wore_out and self._visitor is not None:
            self._gate.wore_out(self._visitor)
        self._carrier.close(effect.why)


_CARRIED_OUT_BY: Final[dict[type, Callable[[Conversation, Any], list[Effect] | None]]] = {
    CommandReceived: Conversation._command_received,
    SendReply: Conversation._send_reply,
    AskMail: Conversation._ask_mail,
    AskRecipient: Conversation._ask_recipient,
    BeginContent: Conversation._begin_content,
    ContentReceived: Conversation._take_content,
    EndContent: Conversation._end_content,
    DropContent: Conversation._drop_content,
    StartTls: Conversation._start_tls,
    Close: Conversation._close,
}
