"""Reading replies: how much of one is taken, and what is said of what is none."""

import pytest

from gatepost.mail.reply import RemoteReply
from gatepost.smtp.reply_reader import LONGEST_LINE, MOST_LINES, MOST_OCTETS, Garbled, ReplyReader


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"250-x\r\n" * (MOST_LINES + 1), "more than 200 lines"),
        (b"250-" + b"x" * 4000 + b"\r\n", None),
        ((b"250-" + b"x" * 4000 + b"\r\n") * 17, "more than 65,536 octets"),
        (b"250 " + b"x" * 5000, "line of more than 4,096 octets"),
        (b"250-KEYWORD\r\n" * 10_000, "more than 200 lines"),
    ],
)
def test_a_reply_is_read_up_to_its_bounds(octets: bytes, why: str | None) -> None:
    whole = ReplyReader().feed(octets)
    reader = ReplyReader()
    assert [found for octet in octets for found in reader.feed(bytes((octet,)))] == whole
    if why is None:
        assert whole == []
    else:
        (found,) = whole
        assert isinstance(found, Garbled)
        assert why in found.why
        assert len(found.said) <= 200
    assert len(reader._rest) + sum(map(len, reader._lines)) <= MOST_OCTETS + LONGEST_LINE


def test_the_words_of_another_service_are_for_operators_only() -> None:
    (found,) = ReplyReader().feed(b"SSH-2.0-OpenSSH_9.2p1 internal-db01\r\n")
    assert found == Garbled("the next hop does not speak SMTP", "SSH-2.0-OpenSSH_9.2p1 internal-db01")


def test_a_long_reply_is_not_remembered_for_other_sessions() -> None:
    line = b"250 " + b"y" * 2000 + b"\r\n"
    (first,), (second,) = ReplyReader().feed(line), ReplyReader().feed(line)
    assert isinstance(first, RemoteReply)
    assert first == second
    assert first is not second
