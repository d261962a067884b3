"""The SMTP client machine: dialogues, outcomes, and the property that cutting changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import NO_DSN_REQUEST, Body, DsnRequest, Envelope
from gatepost.smtp.client_effects import (
    ClientEffect,
    Close,
    Ready,
    ReplyReceived,
    SendCommands,
    SendContent,
    SessionFailed,
    StartTls,
    TransactionEnded,
)
from gatepost.smtp.client_session import ClientSession
from gatepost.smtp.client_settings import ClientSettings, StartTlsUse
from gatepost.smtp.outgoing import OutgoingTransaction
from soak import rounds

GREETING = b"220 relay.example ESMTP\r\n"
EVERYTHING = (
    b"250-relay.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-BINARYMIME\r\n"
    b"250-CHUNKING\r\n250-DSN\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
)
PIPELINING_ONLY = b"250-relay.example\r\n250 PIPELINING\r\n"
NOTHING = b"250 relay.example\r\n"
OK = b"250 2.0.0 OK\r\n"


@dataclass(frozen=True)
class Recipient:
    forward_path: str
    dsn: DsnRequest = NO_DSN_REQUEST


@dataclass(frozen=True)
class Octets:
    octets: bytes

    @property
    def size(self) -> int:
        return len(self.octets)

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.octets), 7):
            yield self.octets[at : at + 7]


def transaction(*to: str, content: bytes = b"Subject: x\r\n\r\nhello\r\n", **more: object) -> OutgoingTransaction:
    recipients = [Recipient(path) for path in to or ("bob@fabrikam.example",)]
    return OutgoingTransaction(
        envelope=Envelope(
            reverse_path=Mailbox("ann", "contoso.example", "ann@contoso.example"),
            **more,  # type: ignore[arg-type]
        ),
        recipients=recipients,
        content=Octets(content),
    )


class Wire:
    """A machine and everything it put on the wire."""

    def __init__(self, starttls: StartTlsUse = StartTlsUse.WHEN_OFFERED, cut: int = 0, **numbers: int) -> None:
        self.session = ClientSession(
            ClientSettings(ehlo_name="edge.contoso.example", starttls=starttls, **numbers)  # type: ignore[arg-type]
        )
        self.sent = b""
        self.effects: list[ClientEffect] = []
        self._cut = cut

    def feed(self, octets: bytes) -> "Wire":
        step = self._cut or max(len(octets), 1)
        for at in range(0, len(octets), step):
            self.do(self.session.octets_received(octets[at : at + step]))
        return self

    def begin(self, what: OutgoingTransaction) -> "Wire":
        self.do(self.session.begin(what))
        return self

    def do(self, effects: Sequence[ClientEffect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, SendCommands):
                self.sent += effect.octets
            elif isinstance(effect, SendContent):
                self.sent += b"".join(effect.octets)
                self.do(self.session.content_sent())

    def all(self, kind: type) -> list:  # type: ignore[type-arg]
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def ended(self) -> TransactionEnded:
        (ended,) = self.all(TransactionEnded)
        return ended  # type: ignore[no-any-return]

    @property
    def kinds(self) -> list[int]:
        return [verdict.kind for verdict in self.ended.verdicts]


def ready(offers: bytes, **how: object) -> Wire:
    wire = Wire(**how).feed(GREETING + offers)  # type: ignore[arg-type]
    assert wire.all(Ready)
    wire.sent = b""
    return wire


@pytest.fixture(params=[0, 1, 3])
def cut(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_with_pipelining_and_chunking_the_whole_message_is_one_write(cut: int) -> None:
    wire = ready(EVERYTHING, cut=cut).begin(transaction())
    assert wire.sent == (
        b"MAIL FROM:<ann@contoso.example> SIZE=21\r\nRCPT TO:<bob@fabrikam.example>\r\nBDAT 21 LAST\r\n"
        b"Subject: x\r\n\r\nhello\r\n"
    )
    wire.feed(OK * 3)
    assert wire.kinds == [2]
    assert wire.ended.verdicts[0].reply is not None
    assert wire.session.idle


def test_large_content_waits_for_the_recipients_before_bdat() -> None:
    wire = ready(EVERYTHING, most_inline_content=5).begin(transaction())
    assert wire.sent.endswith(b"RCPT TO:<bob@fabrikam.example>\r\n")
    wire.feed(OK + OK)
    assert wire.sent.endswith(b"BDAT 21 LAST\r\nSubject: x\r\n\r\nhello\r\n")
    assert wire.feed(OK).kinds == [2]


def test_with_pipelining_only_data_goes_with_the_envelope(cut: int) -> None:
    wire = ready(PIPELINING_ONLY, cut=cut).begin(transaction())
    assert wire.sent == b"MAIL FROM:<ann@contoso.example>\r\nRCPT TO:<bob@fabrikam.example>\r\nDATA\r\n"
    wire.feed(OK + OK + b"354 go on\r\n")
    assert wire.sent.endswith(b"DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n")
    assert wire.feed(b"250 2.6.0 queued\r\n").kinds == [2]


def test_without_pipelining_every_command_waits_for_its_reply(cut: int) -> None:
    wire = ready(NOTHING, cut=cut).begin(transaction("a@x.example", "b@x.example"))
    for command, answer in (
        (b"MAIL FROM:<ann@contoso.example>\r\n", OK),
        (b"RCPT TO:<a@x.example>\r\n", OK),
        (b"RCPT TO:<b@x.example>\r\n", b"550 5.1.1 no such user\r\n"),
        (b"DATA\r\n", b"354 go\r\n"),
        (b"Subject: x\r\n\r\nhello\r\n.\r\n", OK),
    ):
        assert wire.sent == command
        wire.sent = b""
        wire.feed(answer)
    assert wire.kinds == [2, 5]


@pytest.mark.parametrize(
    ("content", "on_the_wire"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
        (b".\r\n..\r\n", b"..\r\n...\r\n.\r\n"),
        (b"12345\r\n.6\r\n", b"12345\r\n..6\r\n.\r\n"),
        (b"123456\r\n.6\r\n", b"123456\r\n..6\r\n.\r\n"),
        (b"cr\r.x\n.y\r\n", b"cr\r.x\n.y\r\n.\r\n"),
    ],
)
def test_data_stuffs_dots_at_line_starts_and_changes_nothing_else(content: bytes, on_the_wire: bytes) -> None:
    wire = ready(NOTHING).begin(transaction(content=content)).feed(OK + OK)
    wire.sent = b""
    assert wire.feed(b"354 go\r\n").sent == on_the_wire


def test_recipients_refused_one_by_one_get_their_own_words() -> None:
    wire = ready(EVERYTHING).begin(transaction("a@x.example", "b@x.example", "c@x.example"))
    wire.feed(OK + b"550 5.1.1 unknown\r\n" + OK + b"452 4.2.2 full\r\n" + OK)
    assert wire.kinds == [5, 2, 4]
    assert [verdict.status for verdict in wire.ended.verdicts] == ["5.1.1", "2.0.0", "4.2.2"]
    assert str(wire.ended.verdicts[0].reply) == "550 5.1.1 unknown"


def test_when_every_recipient_is_refused_and_data_was_taken_a_lone_dot_ends_it() -> None:
    wire = ready(PIPELINING_ONLY).begin(transaction())
    wire.feed(OK + b"550 5.7.64 TenantAttribution; Relay Access Denied\r\n354 go\r\n")
    assert wire.sent.endswith(b"DATA\r\n.\r\n")
    wire.feed(b"554 no recipients\r\n")
    assert wire.kinds == [5]
    assert wire.ended.verdicts[0].status == "5.7.64"


def test_a_server_that_takes_recipients_after_refusing_mail_gets_no_empty_message() -> None:
    wire = ready(PIPELINING_ONLY).begin(transaction())
    wire.feed(b"451 4.3.0 not now\r\n" + OK + b"354 go\r\n")
    assert wire.sent.endswith(b"DATA\r\n")
    assert wire.kinds == [4]
    assert str(wire.ended.verdicts[0].reply) == "451 4.3.0 not now"


def test_after_a_failed_transaction_the_next_begins_with_rset() -> None:
    wire = ready(PIPELINING_ONLY).begin(transaction()).feed(b"250 ok\r\n550 no\r\n503 no recipients\r\n")
    wire.sent = b""
    wire.begin(transaction())
    assert wire.sent.startswith(b"RSET\r\nMAIL FROM:")
    wire.feed(OK * 3 + b"354 go\r\n" + OK)
    assert [ended.verdicts[0].kind for ended in wire.all(TransactionEnded)] == [5, 2]


def test_a_refused_reverse_path_refuses_every_recipient() -> None:
    wire = ready(EVERYTHING).begin(transaction("a@x.example", "b@x.example"))
    wire.feed(b"451 4.7.1 greylisted\r\n503 x\r\n503 x\r\n503 x\r\n")
    assert wire.kinds == [4, 4]
    assert wire.ended.verdicts[1].status == "4.7.1"


def test_the_status_of_a_lying_reply_follows_its_reply_code() -> None:
    wire = ready(EVERYTHING).begin(transaction()).feed(OK + b"550 2.1.5 fine\r\n554 no\r\n")
    assert wire.ended.verdicts[0].status == "5.0.0"


@pytest.mark.parametrize("at", range(4))
def test_421_defers_whatever_it_answers_and_ends_the_session(at: int) -> None:
    wire = ready(EVERYTHING, most_inline_content=0).begin(transaction())
    wire.feed(OK * at + b"421 4.3.2 going down\r\n")
    if at == 3:
        assert wire.kinds == [2]
    else:
        assert wire.kinds == [4]
        assert str(wire.ended.verdicts[0].reply) == "421 4.3.2 going down"
        assert wire.ended.untouched == (at == 0)
    assert wire.session.closed


@pytest.mark.parametrize("at", range(3))
def test_a_lost_connection_defers_what_has_no_reply(at: int) -> None:
    wire = ready(EVERYTHING).begin(transaction("a@x.example", "b@x.example"))
    wire.feed((OK + b"550 5.1.1 unknown\r\n" + OK)[: [0, 14, 34][at]])
    wire.do(wire.session.peer_closed())
    assert wire.kinds == [[4, 4], [4, 4], [5, 4]][at]
    assert wire.ended.untouched == (at == 0)
    assert wire.all(Close)


@pytest.mark.parametrize(
    "bad",
    [
        b"hello there\r\n",
        b"99 x\r\n",
        b"250-one\r\n550 two\r\n",
        b"150 what\r\n",
        b"\r\n",
        b"250_x\r\n",
        b"250 " + b"x" * 5000 + b"\r\n",
        b"250-x\r\n" * 300,
        b"354 go on\r\n",
    ],
)
def test_what_is_no_reply_defers_and_ends_the_session(bad: bytes, cut: int) -> None:
    wire = ready(EVERYTHING, cut=cut).begin(transaction()).feed(OK + bad + OK * 5)
    assert wire.kinds == [4]
    assert wire.ended.verdicts[0].status == "4.5.0"
    assert wire.session.closed


def test_a_250_to_data_is_no_delivery() -> None:
    wire = ready(PIPELINING_ONLY).begin(transaction()).feed(OK * 3)
    assert wire.kinds == [4]
    assert wire.session.closed


def test_a_refusal_in_the_middle_of_the_content_counts_once_the_content_is_out() -> None:
    wire = ready(NOTHING).begin(transaction()).feed(OK + OK)
    session = wire.session
    effects = session.octets_received(b"354 go\r\n552 5.3.4 too big\r\n")
    assert [type(effect) for effect in effects] == [ReplyReceived, SendContent]
    assert [type(effect) for effect in session.content_sent()] == [ReplyReceived, TransactionEnded]


def test_a_refusal_in_the_middle_of_the_content_counts_when_the_server_hangs_up() -> None:
    session = ready(NOTHING).begin(transaction()).feed(OK + OK).session
    session.octets_received(b"354 go\r\n552 5.3.4 too big\r\n")
    effects = session.peer_closed()
    assert [type(effect) for effect in effects] == [ReplyReceived, TransactionEnded, Close]
    assert effects[1].verdicts[0].kind == 5  # type: ignore[union-attr]


def test_unasked_words_of_an_idle_server_end_the_session_without_harm() -> None:
    wire = ready(EVERYTHING).feed(b"421 idle too long\r\n")
    assert wire.session.closed
    assert not wire.all(TransactionEnded)


def test_half_a_reply_before_the_transaction_leaves_it_untouched() -> None:
    wire = ready(EVERYTHING).feed(b"25").begin(transaction())
    assert wire.ended.untouched
    assert wire.session.closed


def test_ehlo_unknown_falls_back_to_helo(cut: int) -> None:
    wire = Wire(cut=cut).feed(GREETING + b"502 what\r\n250 hello\r\n")
    assert wire.sent == b"EHLO edge.contoso.example\r\nHELO edge.contoso.example\r\n"
    assert wire.session.idle


def test_a_session_refused_is_never_the_end_of_a_message() -> None:
    wire = Wire().feed(b"554 5.7.1 go away\r\n")
    (failed,) = wire.all(SessionFailed)
    assert failed.status == "4.3.2"
    assert str(failed.reply) == "554 5.7.1 go away"
    assert wire.sent == b"QUIT\r\n"
    assert wire.feed(b"221 bye\r\n").session.closed


STARTTLS = b"250-relay.example\r\n250-CHUNKING\r\n250 STARTTLS\r\n"


def test_starttls_drops_what_came_with_the_reply_and_says_ehlo_again(cut: int) -> None:
    wire = Wire(cut=cut).feed(GREETING + STARTTLS + b"220 go\r\n250-evil\r\n250 PIPELINING\r\n")
    assert wire.all(StartTls)
    assert wire.sent.endswith(b"STARTTLS\r\n")
    wire.do(wire.session.tls_established())
    assert wire.sent.endswith(b"STARTTLS\r\nEHLO edge.contoso.example\r\n")
    wire.feed(NOTHING)
    assert wire.session.idle
    assert not wire.session.offers.chunking


@pytest.mark.parametrize("offers", [NOTHING, STARTTLS + b"454 4.7.0 not now\r\n"])
def test_tls_demanded_and_not_to_be_had_fails_the_session(offers: bytes) -> None:
    wire = Wire(starttls=StartTlsUse.REQUIRED).feed(GREETING + offers)
    (failed,) = wire.all(SessionFailed)
    assert failed.status == "4.7.4"
    assert not wire.all(Ready)


def test_tls_refused_goes_on_in_plain_where_it_is_only_welcome() -> None:
    assert Wire().feed(GREETING + STARTTLS + b"454 4.7.0 not now\r\n").session.idle


def test_parameters_go_out_only_where_they_were_offered() -> None:
    dsn = DsnRequest(notify=frozenset({"SUCCESS", "FAILURE"}), orcpt="rfc822;bob@fabrikam.example")
    mail = OutgoingTransaction(
        envelope=Envelope(
            reverse_path=NULL_REVERSE_PATH, body=Body.EIGHT_BIT_MIME, smtputf8=True, ret="HDRS", envid="QQ314159"
        ),
        recipients=[Recipient("bob@fabrikam.example", dsn)],
        content=Octets(b"x\r\n"),
    )
    assert (
        ready(EVERYTHING)
        .begin(mail)
        .sent.startswith(
            b"MAIL FROM:<> SIZE=3 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159\r\n"
            b"RCPT TO:<bob@fabrikam.example> NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;bob@fabrikam.example\r\n"
        )
    )
    assert ready(PIPELINING_ONLY).begin(mail).sent == b"MAIL FROM:<>\r\nRCPT TO:<bob@fabrikam.example>\r\nDATA\r\n"


@pytest.mark.parametrize(
    ("offers", "content", "more", "status"),
    [
        (EVERYTHING, b"x" * 1_000_001, {}, "5.3.4"),
        (PIPELINING_ONLY, b"\xc3\xa4\r\n", {"body": Body.EIGHT_BIT_MIME}, "5.6.3"),
        (PIPELINING_ONLY, b"a\0b", {"body": Body.BINARY_MIME}, "5.6.1"),
        (PIPELINING_ONLY, b"lone\nfeed", {"body": Body.BINARY_MIME}, "5.6.1"),
        (PIPELINING_ONLY, b"x" * 1000, {"body": Body.BINARY_MIME}, "5.6.1"),
        (PIPELINING_ONLY, b"Subject: \xc3\xa4\r\n\r\n", {"smtputf8": True}, "5.6.7"),
        (EVERYTHING, b"a\0b\r\n", {}, "5.6.0"),
        (PIPELINING_ONLY, b"a\0b\r\n", {"body": Body.EIGHT_BIT_MIME}, "5.6.0"),
    ],
)
def test_content_the_next_hop_cannot_carry_unchanged_fails_without_a_word_on_the_wire(
    offers: bytes, content: bytes, more: dict[str, object], status: str
) -> None:
    wire = ready(offers).begin(transaction(content=content, **more))
    assert wire.sent == b""
    assert [(verdict.kind, verdict.status) for verdict in wire.ended.verdicts] == [(5, status)]
    assert wire.session.idle


@pytest.mark.parametrize("declared", [{"body": Body.BINARY_MIME}, {"body": Body.EIGHT_BIT_MIME}, {"smtputf8": True}])
def test_a_declaration_that_nothing_needs_hinders_nothing(declared: dict[str, object]) -> None:
    wire = ready(PIPELINING_ONLY).begin(transaction(**declared)).feed(OK + OK + b"354 go\r\n" + OK)
    assert wire.kinds == [2]


def test_nul_goes_out_as_binarymime() -> None:
    wire = ready(EVERYTHING).begin(transaction(content=b"a\0b", body=Body.BINARY_MIME)).feed(OK * 3)
    assert wire.sent.endswith(b"BDAT 3 LAST\r\na\0b")
    assert wire.kinds == [2]


@pytest.mark.parametrize("offers", [EVERYTHING, PIPELINING_ONLY])
def test_large_content_ends_before_a_nul_and_the_next_hop_never_sees_its_end(offers: bytes) -> None:
    content = b"Subject: x\r\n\r\nhello\r\n\0.\r\nMAIL FROM:<eve@evil.example>\r\n"
    wire = ready(offers, most_inline_content=5).begin(transaction("bob@fabrikam.example", "no@x", content=content))
    wire.feed(OK * 2 + b"550 5.1.1 No\r\n" + (b"354 go\r\n" if offers == PIPELINING_ONLY else b""))
    assert b"\0" not in wire.sent and b"\r\n.\r\n" not in wire.sent and b"eve@" not in wire.sent
    assert [(verdict.kind, verdict.status) for verdict in wire.ended.verdicts] == [(5, "5.6.0"), (5, "5.1.1")]
    assert wire.session.closed


def test_a_domain_beyond_ascii_goes_as_a_labels_where_smtputf8_is_not_offered() -> None:
    mail = transaction("bob@münchen.example", "ann@fabrikam.example", smtputf8=True)
    wire = ready(PIPELINING_ONLY).begin(mail)
    assert b"RCPT TO:<bob@xn--mnchen-3ya.example>\r\nRCPT TO:<ann@fabrikam.example>\r\n" in wire.sent
    assert "RCPT TO:<bob@münchen.example>".encode() in ready(EVERYTHING).begin(mail).sent


def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    wire = ready(PIPELINING_ONLY).begin(transaction("jürgen@münchen.example", smtputf8=True))
    assert wire.sent == b""
    assert wire.ended.verdicts[0].status == "5.6.7"


def test_limits_of_the_server_are_kept() -> None:
    wire = ready(b"250-relay.example\r\n250 LIMITS RCPTMAX=3 MAILMAX=7\r\n")
    assert wire.session.most_recipients == 3
    assert wire.session.offers.most_transactions == 7


REPLIES = (
    *(GREETING, EVERYTHING, PIPELINING_ONLY, NOTHING, STARTTLS, OK, b"354 go\r\n", b"550 5.1.1 no\r\n"),
    *(b"421 bye\r\n", b"220 tls\r\n", b"250-", b"\r\n", b"\n", b"452 4.5.3 too many\r\n"),
)
REPLY_LINES = st.one_of(st.sampled_from(REPLIES), st.binary(max_size=12))


@pytest.mark.soak
@settings(max_examples=rounds(100, large=6000), deadline=None)
@given(
    words=st.lists(REPLY_LINES, max_size=14),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    use=st.sampled_from(list(StartTlsUse)),
    prefix=st.sampled_from([b"", GREETING + EVERYTHING, GREETING + PIPELINING_ONLY, GREETING + NOTHING]),
)
def test_the_machine_never_raises_and_the_cutting_never_matters(
    words: list[bytes], cuts: list[int], use: StartTlsUse, prefix: bytes
) -> None:
    octets = b"".join(words)

    def play(pieces: list[bytes]) -> tuple[list[object], bytes]:
        wire = Wire(starttls=use)
        wire.feed(prefix)
        if wire.session.idle:
            wire.begin(transaction("a@x.example", "b@x.example"))
        for piece in pieces:
            wire.feed(piece)
        wire.do(wire.session.peer_closed())
        wire.do(wire.session.timed_out())
        return [effect for effect in wire.effects if not isinstance(effect, SendContent)], wire.sent

    pieces = []
    at = turn = 0
    while at < len(octets):
        pieces.append(octets[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    whole = play([octets])
    assert play(pieces) == whole
    assert play([octets[at : at + 1] for at in range(len(octets))]) == whole
