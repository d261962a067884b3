"""Content is read to its end whatever is wrong with it, and the gravest defect decides."""

import pytest

from gatepost.mail.reply import Reply, reply
from gatepost.smtp import replies
from gatepost.smtp.server_effects import Close, ContentReceived, DropContent, EndContent, SendReply
from gatepost.smtp.server_session import ServerSession
from gatepost.smtp.server_settings import ServerSettings

OK = reply(250, "0.0", "OK")


def at_content(largest: int = 100) -> ServerSession:
    session = ServerSession(ServerSettings(hostname="relay.example", largest_message=largest))
    session.connected(reply(220, None, "relay.example"))
    session.receive(b"EHLO a.example\r\n")
    for line in (b"MAIL FROM:<a@x.example>\r\n", b"RCPT TO:<b@x.example>\r\n"):
        session.receive(line)
        session.answer(OK)
    return session


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_chunks_are_one_content_however_they_come(cut: int) -> None:
    session = at_content()
    octets = b"BDAT 3\r\nabcBDAT 2 LAST\r\n\r\n"
    effects = [effect for at in range(0, len(octets), cut) for effect in session.receive(octets[at : at + cut])]
    assert b"".join(each.octets for each in effects if isinstance(each, ContentReceived)) == b"abc\r\n"
    assert effects[-1] == EndContent(5)


@pytest.mark.parametrize(
    ("octets", "refusal", "closes"),
    [
        (b"x" * 200 + b"\r\n.\r\n", replies.TOO_LARGE, False),
        (b"a\0b\r\n.\r\n", replies.NUL, True),
        (b"a\0b\rc" + b"x" * 200 + b"\r\n.\r\n", replies.BARE_LINE_END, True),
    ],
)
def test_what_cannot_be_taken_is_refused_at_its_end(octets: bytes, refusal: Reply, closes: bool) -> None:
    session = at_content()
    session.receive(b"DATA\r\n")
    effects = session.receive(octets)
    assert effects.count(DropContent()) == 1
    assert SendReply(refusal) in effects
    assert isinstance(effects[-1], Close) == closes
