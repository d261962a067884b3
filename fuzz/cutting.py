"""Random SMTP dialogues against the server machine, each cut into packets in several ways.

Invariant: the effects (replies, questions, content, log lines) and the final state depend on the octets alone, never on
how they were cut nor on when answers came. Further: the machine never raises, every reply is well formed, nothing
follows Close, no message is larger than SIZE allows, and a question is always the last effect of its list.

    python fuzz/cutting.py 100000 [SEED]
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from gatepost.mail.address import Mailbox
from gatepost.mail.envelope import Envelope
from gatepost.mail.reply import LONGEST_REPLY_LINE, Reply, reply
from gatepost.smtp.server_effects import (
    AskMail,
    AskRecipient,
    BeginContent,
    Close,
    ContentReceived,
    DropContent,
    Effect,
    EndContent,
    SendReply,
    StartTls,
)
from gatepost.smtp.server_session import ServerSession
from gatepost.smtp.server_settings import ServerSettings

# Small limits, so that random dialogues reach them.
SETTINGS = ServerSettings(
    hostname="relay.example.net",
    largest_message=300,
    most_recipients=3,
    most_transactions=4,
    most_errors=5,
    longest_command=120,
    most_idle_commands=25,
    most_commands_per_turn=2,
    irregular_paths=True,
)

Writes = list[bytes]
Cut = Callable[[bytes], Iterator[bytes]]


# --- dialogues -------------------------------------------------------------------------------------------------------

OPENINGS = [b"EHLO client.example\r\n", b"HELO client.example\r\n", b"ehlo [192.0.2.7]\r\n", b"EHLO\r\n", b""]
MAILS = [
    b"MAIL FROM:<ann@tenant.example>\r\n",
    b"MAIL FROM:<ann@tenant.example> SIZE=200 BODY=8BITMIME\r\n",
    b"MAIL FROM:<> RET=HDRS ENVID=abc\r\n",
    b"MAIL FROM:<ann@tenant.example> BODY=BINARYMIME\r\n",
    b"mail from: <ann@tenant.example> SIZE=5000\r\n",
    b"MAIL FROM:<no@tenant.example>\r\n",
    b"MAIL FROM:<gone@tenant.example>\r\n",
    "MAIL FROM:<jürgen@münchen.example> SMTPUTF8\r\n".encode(),
    "MAIL FROM:<jürgen@münchen.example>\r\n".encode(),
    b"MAIL FROM:<ann@tenant.example> AUTH=<>\r\n",
    b"MAIL FROM:ann\r\n",
    b"MAIL FROM: ann@tenant.example SIZE=200\r\n",
    b"MAIL FROM:<a..b.@tenant.example>\r\n",
]
RCPTS = [
    b"RCPT TO:<bob@partner.example>\r\n",
    b"RCPT TO:<bob@partner.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@partner.example\r\n",
    b"rcpt to:<Postmaster>\r\n",
    b'RCPT TO:<"b o b"@[192.0.2.9]>\r\n',
    b"RCPT TO:<no@partner.example>\r\n",
    b"RCPT TO:<gone@partner.example>\r\n",
    b"RCPT TO:<>\r\n",
    b"RCPT TO:<bob@partner.example> NOTIFY=NEVER,DELAY\r\n",
]
OTHERS = [
    b"RSET\r\n",
    b"NOOP\r\n",
    b"NOOP hello \r\n",
    b"VRFY bob\r\n",
    b"EXPN list\r\n",
    b"HELP\r\n",
    b"QUIT\r\n",
    b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n",
    b"STARTTLS\r\n",
    b"GET / HTTP/1.1\r\n",
    b"XYZZY\r\n",
    b"\r\n",
    b"NOOP\n",
    b"NOOP\rRSET\r\n",
    b"NOOP " + b"x" * 150 + b"\r\n",
    b"x" * 130,
    b"\xff\xfe\r\n",
    b"BDAT\r\n",
    b"BDAT x LAST\r\n",
]
CONTENT = [
    b"Subject: hello\r\n",
    b"\r\n",
    b"a line\r\n",
    b"..\r\n",
    b".x\r\n",
    b"...\r\n",
    b"refuse\r\n",
    b"no line end",
    b"x" * 90 + b"\r\n",
    b"x" * 400 + b"\r\n",
    b"\0\r\n",
    b"\xc3\xa9\r\n",
]
TRAPS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\r\n.\r\r\n", b"\r", b"\n", b".", b"\r\n.\0\r\n"]


def random_dialogue(rng: random.Random) -> Writes:
    """What a client writes, each item before it waits for the replies to it."""
    writes = [rng.choice(OPENINGS[:2] if rng.random() < 0.9 else OPENINGS)]
    for _ in range(rng.randint(1, 4)):
        writes += _transaction(rng) if rng.random() < 0.8 else [rng.choice(OTHERS)]
    if rng.random() < 0.3:
        writes.append(b"QUIT\r\n")
    if rng.random() < 0.3:
        at = rng.randrange(len(writes))
        writes[at] = _mutated(rng, writes[at])
    return _pipelined(rng, writes)


def _transaction(rng: random.Random) -> Writes:
    writes = [_mostly_first(rng, MAILS), *(_mostly_first(rng, RCPTS) for _ in range(rng.choice([1, 1, 1, 2, 5])))]
    if rng.random() < 0.15:
        writes.insert(rng.randrange(len(writes) + 1), rng.choice(OTHERS))
    writes += _data(rng) if rng.random() < 0.6 else _chunks(rng)
    return writes


def _mostly_first(rng: random.Random, choices: list[bytes]) -> bytes:
    return choices[0] if rng.random() < 0.5 else rng.choice(choices)


def _content(rng: random.Random) -> bytes:
    pieces = rng.choices(CONTENT, k=rng.randint(0, 4))
    if rng.random() < 0.25:
        pieces.insert(rng.randrange(len(pieces) + 1), rng.choice(TRAPS))
    return b"".join(pieces)


def _data(rng: random.Random) -> Writes:
    return [b"DATA\r\n", _content(rng) + rng.choice([b".\r\n", b".\r\n", b"\r\n.\r\n"])]


def _chunks(rng: random.Random) -> Writes:
    writes = []
    chunks = rng.choice([1, 1, 2, 3])
    for at in range(chunks):
        content = _content(rng)
        size = len(content) if rng.random() < 0.9 else max(0, len(content) + rng.randint(-3, 3))
        last = b" LAST" if at == chunks - 1 and rng.random() < 0.9 else b""
        writes.append(b"BDAT %d%s\r\n" % (size, last) + content)
    return writes


def _mutated(rng: random.Random, octets: bytes) -> bytes:
    at = rng.randrange(len(octets) + 1)
    match rng.randrange(4):
        case 0:
            return octets[:at] + rng.choice([b"\r", b"\n", b"\0", b" ", b"\xe2", b"<", b'"', b"."]) + octets[at:]
        case 1:
            return octets[:at] + octets[at + 1 :]
        case 2:
            return octets.replace(b"\r\n", rng.choice([b"\n", b"\r", b"\r\r\n"]), 1)
        case _:
            return octets[:at]


def _pipelined(rng: random.Random, writes: Writes) -> Writes:
    """Writes run together at random, as a client does that pipelines, or one that does not wait though it must."""
    joined = [b""]
    for octets in writes:
        if rng.random() < 0.5:
            joined[-1] += octets
        else:
            joined.append(octets)
    return joined


# --- cuts ------------------------------------------------------------------------------------------------------------


def whole(octets: bytes) -> Iterator[bytes]:
    yield octets


def by_line(octets: bytes) -> Iterator[bytes]:
    yield from octets.splitlines(keepends=True)


def by_octet(octets: bytes) -> Iterator[bytes]:
    for at in range(len(octets)):
        yield octets[at : at + 1]


# --- playing ---------------------------------------------------------------------------------------------------------


class Carrier:
    """Carries out effects and writes down what an observer could tell; fails when an effect breaks a law."""

    def __init__(self, *, answers_late: bool) -> None:
        self.session = ServerSession(SETTINGS)
        self.answers_late = answers_late
        self.seen: list[object] = []
        self._question: AskMail | AskRecipient | EndContent | None = None
        self._content = bytearray()
        self._handshaking = False
        self._closed = False

    def play(self, writes: Writes, cut: Cut) -> list[object]:
        session = self.session
        self._carry_out(session.connected(reply(220, None, "relay.example.net ESMTP")))
        for octets in writes:
            if self._handshaking:
                self._handshaking = False
                self._carry_out(session.tls_established())
            for piece in cut(octets):
                self._carry_out(session.receive(piece))
            self._answer_all()
        self.seen.append((session.ehlo, session.extended, session.secured, session.in_content, session.closed))
        self._carry_out(session.peer_closed())
        self._answer_all()
        assert self._closed or self._handshaking, "the session outlived its client"
        return self.seen

    def _carry_out(self, effects: list[Effect]) -> None:
        assert not (self._closed and effects), "something follows Close"
        for effect, following in pairwise([*effects, None]):
            assert effect is not None
            self._note(effect)
            if isinstance(effect, (AskMail, AskRecipient, EndContent)):
                assert following is None and self.session.paused, "a question is the last effect and pauses"
                self._question = effect
        if not self.answers_late:
            self._answer_all()
            while self.session.waiting:
                self._carry_out(self.session.go_on())

    def _note(self, effect: Effect) -> None:
        match effect:
            case ContentReceived(octets):
                self._content += octets
                assert len(self._content) <= SETTINGS.largest_message, "more content than SIZE allows"
                return
            case BeginContent() | DropContent():
                self._content.clear()
            case EndContent(size):
                assert size == len(self._content), "the size is not that of the content"
                self.seen.append(bytes(self._content))
            case SendReply(sent):
                _check(sent)
            case StartTls():
                self._handshaking = True
            case Close():
                self._closed = True
                self._handshaking = False
        self.seen.append(effect)

    def _answer_all(self) -> None:
        while self._question is not None:
            question, self._question = self._question, None
            self._carry_out(self.session.answer(self._verdict(question)))
        while self.session.waiting:
            self._carry_out(self.session.go_on())
            self._answer_all()

    def _verdict(self, question: AskMail | AskRecipient | EndContent) -> Reply:
        match question:
            case EndContent():
                refused = b"refuse" in self._content
                return reply(554, "7.1", "Refused by content") if refused else reply(250, "0.0", "Queued")
            case AskMail(envelope=Envelope(reverse_path=path)) | AskRecipient(forward_path=path):
                if isinstance(path, Mailbox) and path.local_part == "no":
                    return reply(550, "7.64", "TenantAttribution; Relay Access Denied")
                if isinstance(path, Mailbox) and path.local_part == "gone":
                    return reply(421, "3.2", "The directory is gone")
                return reply(250, "1.0", "OK")


def _check(sent: Reply) -> None:
    lines = sent.octets.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) + 2 <= LONGEST_REPLY_LINE
        assert line.isascii() and line.decode().isprintable(), f"octets of the peer in a reply: {line!r}"
        assert int(line[:3]) == sent.code
    assert sent.enhanced is None or sent.enhanced.startswith(f"{sent.kind}."), "the classes of a reply differ"


WAYS: dict[str, tuple[Cut, bool]] = {
    "whole": (whole, False),
    "by line": (by_line, False),
    "octet by octet": (by_octet, False),
    "octet by octet, answered late": (by_octet, True),
}


def play_every_way(writes: Writes) -> list[object]:
    """The one transcript of a dialogue; raises AssertionError when there is more than one."""
    first: list[object] | None = None
    for way, (cut, answers_late) in WAYS.items():
        seen = Carrier(answers_late=answers_late).play(writes, cut)
        first = seen if first is None else first
        assert seen == first, f"{way}: {_first_difference(first, seen)}"
    assert first is not None
    return first


def _first_difference(expected: list[object], seen: list[object]) -> str:
    for at, (one, other) in enumerate(zip(expected, seen, strict=False)):
        if one != other:
            return f"effect {at} is {other!r}, was {one!r} when sent whole"
    return f"{len(seen)} effects, were {len(expected)} when sent whole"


def main(count: int, seed: int) -> int:
    rng = random.Random(seed)
    codes: Counter[int] = Counter()
    started = time.monotonic()
    for number in range(count):
        writes = random_dialogue(rng)
        try:
            seen = play_every_way(writes)
        except Exception as error:
            print(f"dialogue {number} of seed {seed}: {type(error).__name__}: {error}")
            print(f"writes = {writes!r}")
            return 1
        codes.update(effect.reply.code for effect in seen if isinstance(effect, SendReply))
    taken = time.monotonic() - started
    print(f"{count} dialogues, {len(WAYS)} ways each, seed {seed}: no difference, {taken:.1f} s")
    print("replies: " + ", ".join(f"{code} x {times}" for code, times in sorted(codes.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
