"""Each command is known by one name, and what is none is refused without a word about the rest."""

from gatepost.mail.reply import reply
from gatepost.smtp import replies
from gatepost.smtp.server_commands import COMMANDS
from gatepost.smtp.server_effects import Close, SendReply
from gatepost.smtp.server_session import ServerSession
from gatepost.smtp.server_settings import ServerSettings


def said(*lines: bytes) -> list[object]:
    session = ServerSession(ServerSettings(hostname="relay.example"))
    session.connected(reply(220, None, "relay.example"))
    return [effect for line in lines for effect in session.receive(line + b"\r\n")]


def test_every_command_of_the_table_is_answered_whatever_its_argument() -> None:
    for verb in COMMANDS:
        effects = said(b"EHLO a.example", verb + b" \xc3\xa4 <> =")
        assert isinstance(effects[-1], (SendReply, Close)), verb


def test_a_command_that_nobody_knows_is_no_http_request() -> None:
    assert SendReply(replies.UNKNOWN_COMMAND) in said(b"XYZZY")
    effects = said(b"GET / HTTP/1.1")
    assert SendReply(replies.NO_HTTP) in effects and isinstance(effects[-1], Close)
