"""The opening of a client session: greeting, EHLO or HELO, STARTTLS and EHLO again (RFC 5321 3.1, RFC 3207).

What flows through: the server's replies; effects and a session that is ready, or that leaves, out. Law: no session is
ready before the TLS that the send connector demands.
"""

from typing import Protocol

from gatepost.mail.reply import RemoteReply
from gatepost.smtp.client_effects import ClientEffect, SendCommands, SessionFailed
from gatepost.smtp.client_settings import Awaited, ClientSettings, StartTlsUse
from gatepost.smtp.outgoing import Offers


class Opening(Protocol):
    """What the opening sees of the client machine."""

    settings: ClientSettings
    offers: Offers
    secured: bool

    def command(self, awaited: Awaited, line: str) -> SendCommands: ...

    def secure(self, effects: list[ClientEffect]) -> None:
        """Begin the handshake."""

    def become_ready(self, effects: list[ClientEffect]) -> None: ...

    def break_off_with(self, why: str, status: str, effects: list[ClientEffect]) -> None: ...

    def leave(self) -> list[ClientEffect]:
        """QUIT."""


def opening_answered(session: Opening, awaited: Awaited, reply: RemoteReply, effects: list[ClientEffect]) -> None:
    match awaited:
        case Awaited.GREETING:
            _greeted(session, reply, effects)
        case Awaited.EHLO:
            _ehlo_answered(session, reply, effects)
        case Awaited.HELO:
            _helo_answered(session, reply, effects)
        case Awaited.STARTTLS:
            _starttls_answered(session, reply, effects)


def _greeted(session: Opening, reply: RemoteReply, effects: list[ClientEffect]) -> None:
    if reply.kind == 2:
        effects.append(session.command(Awaited.EHLO, f"EHLO {session.settings.ehlo_name}"))
    else:
        _refused(session, "the next hop does not take mail now", reply, effects)


def _ehlo_answered(session: Opening, reply: RemoteReply, effects: list[ClientEffect]) -> None:
    if reply.kind == 2:
        _greeting_over(session, effects)
    elif reply.kind == 5 and not session.secured:
        # RFC 5321 3.2: a server that does not know EHLO is greeted with HELO.
        effects.append(session.command(Awaited.HELO, f"HELO {session.settings.ehlo_name}"))
    else:
        _refused(session, "the next hop refused EHLO", reply, effects)


def _helo_answered(session: Opening, reply: RemoteReply, effects: list[ClientEffect]) -> None:
    if reply.kind == 2:
        _greeting_over(session, effects)
    else:
        _refused(session, "the next hop refused HELO", reply, effects)


def _greeting_over(session: Opening, effects: list[ClientEffect]) -> None:
    use = session.settings.starttls
    if session.secured or use is StartTlsUse.NEVER or (use is StartTlsUse.WHEN_OFFERED and not session.offers.starttls):
        session.become_ready(effects)
    elif session.offers.starttls:
        effects.append(session.command(Awaited.STARTTLS, "STARTTLS"))
    else:
        _fail(session, "the next hop does not offer STARTTLS, which the send connector demands", None, effects)


def _starttls_answered(session: Opening, reply: RemoteReply, effects: list[ClientEffect]) -> None:
    if reply.kind == 2:
        session.secure(effects)
    elif session.settings.starttls is StartTlsUse.REQUIRED:
        _fail(session, "the next hop refused STARTTLS, which the send connector demands", reply, effects)
    else:
        session.become_ready(effects)


def _refused(session: Opening, why: str, reply: RemoteReply, effects: list[ClientEffect]) -> None:
    if reply.kind == 3:
        session.break_off_with(f"the next hop broke the protocol: {reply.lines[0][:100]}", "4.5.0", effects)
        return
    # Another host of the domain may take it, and this one may be mended: a session refused is never the end of a
    # message (RFC 5321 5.1).
    effects.append(SessionFailed(why, "4.3.2", reply))
    effects.extend(session.leave())


def _fail(session: Opening, why: str, reply: RemoteReply | None, effects: list[ClientEffect]) -> None:
    # RFC 3463 3.8: X.7.4, security features not supported.
    effects.append(SessionFailed(why, "4.7.4", reply))
    effects.extend(session.leave())
