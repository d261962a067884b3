"""What the dialogues cannot show: pauses, answers, timers, shutdown, and the effects beside the replies."""

from dataclasses import replace

import pytest

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import Body, DsnRequest, Envelope
from gatepost.mail.reply import Reply, reply
from gatepost.smtp import replies
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
from smtp.dialogue import GREETING, SETTINGS, MachineWire

OK = reply(250, "0.0", "OK")
MAIL = b"MAIL FROM:<ann@tenant.example>\r\n"
RCPT = b"RCPT TO:<bob@partner.example>\r\n"


def greeted() -> ServerSession:
    session = ServerSession(SETTINGS)
    session.connected(GREETING)
    session.receive(b"EHLO client.example\r\n")
    return session


def in_transaction() -> ServerSession:
    session = greeted()
    session.receive(MAIL)
    session.answer(OK)
    session.receive(RCPT)
    session.answer(OK)
    return session


def in_data() -> ServerSession:
    session = in_transaction()
    session.receive(b"DATA\r\n")
    return session


def without_log(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, CommandReceived)]


def codes(effects: list[Effect]) -> list[int]:
    return [effect.reply.code for effect in effects if isinstance(effect, SendReply)]


# --- greeting --------------------------------------------------------------------------------------------------------


def test_octets_before_the_greeting_wait_for_it() -> None:
    session = ServerSession(SETTINGS)
    assert session.receive(b"NOOP\r\n") == []
    assert codes(session.connected(GREETING)) == [220, 250]


def test_a_421_greeting_closes_at_once() -> None:
    refusal = reply(421, "3.2", "Too many connections")
    effects = ServerSession(SETTINGS).connected(refusal)
    assert effects == [SendReply(refusal), Close("turned away at the greeting")]


def test_after_a_554_greeting_only_quit_is_taken() -> None:
    session = ServerSession(SETTINGS)
    session.connected(reply(554, "7.1", "Not you"))
    assert codes(session.receive(b"EHLO client.example\r\n")) == [503]
    assert codes(session.receive(b"QUIT\r\n")) == [221]
    assert session.closed


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_mail_is_asked_with_all_that_was_said() -> None:
    effects = greeted().receive(b"MAIL FROM:<Ann@Tenant.Example> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x\r\n")
    assert effects[-1] == AskMail(
        envelope=Envelope(
            reverse_path=Mailbox("Ann", "tenant.example", "Ann@Tenant.Example"),
            body=Body.EIGHT_BIT_MIME,
            smtputf8=True,
            ret="FULL",
            envid="x",
        ),
        declared_size=7,
    )


def test_the_null_reverse_path_is_its_own_type() -> None:
    question = greeted().receive(b"MAIL FROM:<>\r\n")[-1]
    assert isinstance(question, AskMail) and question.envelope.reverse_path is NULL_REVERSE_PATH


def test_a_recipient_is_asked_with_its_dsn_request() -> None:
    session = greeted()
    session.receive(MAIL)
    session.answer(OK)
    effects = session.receive(b"RCPT TO:<bob@partner.example> NOTIFY=DELAY ORCPT=rfc822;b+2Bx@partner.example\r\n")
    assert effects[-1] == AskRecipient(
        forward_path=Mailbox("bob", "partner.example", "bob@partner.example"),
        dsn=DsnRequest(notify=frozenset({"DELAY"}), orcpt="rfc822;b+2Bx@partner.example"),
    )


def test_postmaster_without_a_domain_is_ours() -> None:
    session = greeted()
    session.receive(MAIL)
    session.answer(OK)
    question = session.receive(b"RCPT TO:<PostMaster>\r\n")[-1]
    assert isinstance(question, AskRecipient)
    assert question.forward_path == Mailbox("postmaster", "relay.example.net", "")
    assert question.forward_path.text == "PostMaster@relay.example.net"


# --- pauses ----------------------------------------------------------------------------------------------------------


def test_pipelined_octets_wait_while_a_question_is_open() -> None:
    session = greeted()
    session.receive(MAIL + RCPT)
    assert session.paused
    assert session.buffered == len(RCPT)
    assert session.receive(b"NOOP\r\n") == []
    assert session.buffered == len(RCPT) + 6
    effects = session.answer(OK)
    assert isinstance(effects[-1], AskRecipient)
    assert codes(session.answer(OK)) == [250, 250]
    assert (session.paused, session.buffered) == (False, 0)


def test_an_answer_nobody_asked_for_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="nothing was asked"):
        greeted().answer(OK)


def test_an_answer_of_421_ends_the_session() -> None:
    session = in_transaction()
    session.receive(RCPT)
    effects = session.answer(reply(421, "3.2", "The directory is gone"))
    assert [type(effect) for effect in effects] == [DropContent, SendReply, Close]
    assert session.receive(b"NOOP\r\n") == []
    assert session.answer(OK) == []


def test_a_refused_mail_opens_no_transaction() -> None:
    session = greeted()
    session.receive(MAIL)
    assert codes(session.answer(reply(550, "7.64", "No"))) == [550]
    assert codes(session.receive(RCPT)) == [503]


# --- content ---------------------------------------------------------------------------------------------------------


def test_content_is_handed_on_as_it_arrives() -> None:
    session = in_transaction()
    assert without_log(session.receive(b"DATA\r\n")) == [SendReply(replies.SEND_CONTENT), BeginContent()]
    assert session.in_content
    assert session.receive(b"one\r\ntw") == [ContentReceived(b"one\r\ntw")]
    assert session.receive(b"o\r\n.\r\n") == [ContentReceived(b"o\r\n"), EndContent(10)]
    assert session.paused and not session.in_content
    assert session.answer(OK) == [SendReply(OK)]
    assert codes(session.receive(MAIL)) == [] and session.paused


def test_bdat_hands_on_each_chunk() -> None:
    session = in_transaction()
    assert without_log(session.receive(b"BDAT 6\r\none")) == [BeginContent(), ContentReceived(b"one")]
    assert session.in_content
    assert session.receive(b"\r\nt") == [ContentReceived(b"\r\nt"), SendReply(replies.CHUNK_TAKEN)]
    assert not session.in_content
    assert without_log(session.receive(b"BDAT 2 LAST\r\nwo")) == [ContentReceived(b"wo"), EndContent(8)]


@pytest.mark.parametrize(
    ("ending", "code"),
    [(b"RSET\r\n", 250), (b"QUIT\r\n", 221), (b"EHLO again.example\r\n", 250), (b"STARTTLS\r\n", 220)],
)
def test_whatever_ends_a_transaction_drops_its_content_first(ending: bytes, code: int) -> None:
    session = in_transaction()
    session.receive(b"BDAT 3\r\nabc")
    effects = without_log(session.receive(ending))
    assert effects[0] == DropContent()
    assert codes(effects) == [code]


def test_content_that_failed_is_dropped_once_and_early() -> None:
    session = in_data()
    assert session.receive(b"a\nb\r\n") == [ContentReceived(b"a\nb"), DropContent()]
    assert session.receive(b"much more\r\n") == []
    assert without_log(session.receive(b".\r\n")) == [
        SendReply(replies.BARE_LINE_END),
        SendReply(replies.BARE_LINE_END_CLOSES),
        Close("bare CR or LF in the content"),
    ]


def test_no_more_content_than_the_limit_is_handed_on() -> None:
    session = ServerSession(replace(SETTINGS, largest_message=10))
    session.connected(GREETING)
    for octets in (b"EHLO client.example\r\n", MAIL, RCPT, b"DATA\r\n"):
        session.receive(octets)
        if session.paused:
            session.answer(OK)
    assert session.receive(b"12345678\r\n") == [ContentReceived(b"12345678")]
    assert session.receive(b"9") == [DropContent()]
    assert session.receive(b"x" * 100_000 + b"\r\n.\r\n") == [SendReply(replies.TOO_LARGE)]


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_after_tls_everything_known_is_forgotten() -> None:
    session = in_transaction()
    effects = session.receive(b"STARTTLS\r\nNOOP\r\n")
    assert effects[-1] == StartTls()
    assert session.buffered == 0
    assert session.receive(b"NOOP\r\n") == []
    assert session.tls_established() == []
    assert (session.secured, session.ehlo, session.extended) == (True, "", False)
    assert codes(session.receive(MAIL)) == [503]


def test_silence_in_the_handshake_closes_without_a_word() -> None:
    session = greeted()
    session.receive(b"STARTTLS\r\n")
    assert session.timed_out() == [Close("the client was silent for too long")]
    assert session.tls_established() == []


# --- ends ------------------------------------------------------------------------------------------------------------


def test_ehlo_is_taken_down_as_said() -> None:
    session = greeted()
    assert (session.ehlo, session.extended) == ("client.example", True)
    session.receive(b"HELO [192.0.2.7]\r\n")
    assert (session.ehlo, session.extended) == ("[192.0.2.7]", False)


def test_silence_is_answered_with_421() -> None:
    session = in_data()
    effects = session.timed_out()
    assert effects == [DropContent(), SendReply(replies.TIMED_OUT), Close("the client was silent for too long")]
    assert session.timed_out() == []


def test_our_own_silence_is_not_held_against_the_client() -> None:
    session = greeted()
    session.receive(MAIL)
    assert session.timed_out() == []
    assert codes(session.answer(OK)) == [250]


def test_a_client_that_leaves_in_a_transaction_leaves_no_content() -> None:
    assert in_data().peer_closed() == [DropContent(), Close("the client closed the connection")]


def test_what_a_client_sent_before_it_closed_its_side_is_answered() -> None:
    session = greeted()
    session.receive(MAIL + RCPT + b"DATA\r\nhello\r\n.\r\n")
    assert session.peer_closed() == []
    session.answer(OK)
    assert session.answer(OK)[-1] == EndContent(7)
    assert session.answer(OK) == [SendReply(OK), Close("the client closed the connection")]


def test_shutdown_between_transactions_closes_at_once() -> None:
    session = greeted()
    assert session.shutting_down() == [SendReply(replies.SHUTTING_DOWN), Close("shutting down")]


def test_shutdown_lets_an_open_transaction_end() -> None:
    session = in_data()
    assert session.shutting_down() == []
    session.receive(b"hello\r\n.\r\n")
    assert session.answer(OK) == [SendReply(OK), SendReply(replies.SHUTTING_DOWN), Close("shutting down")]


def test_shutdown_waits_for_the_greeting_and_for_the_handshake() -> None:
    session = ServerSession(SETTINGS)
    assert session.shutting_down() == []
    assert codes(session.connected(GREETING)) == [220, 421]
    session = greeted()
    session.receive(b"STARTTLS\r\n")
    assert session.shutting_down() == []
    assert codes(session.tls_established()) == [421]


def test_nothing_happens_after_close() -> None:
    session = greeted()
    session.receive(b"QUIT\r\n")
    assert session.closed
    assert session.receive(b"NOOP\r\n") == session.timed_out() == session.peer_closed() == session.shutting_down() == []


# --- errors and limits -----------------------------------------------------------------------------------------------


def test_refusals_of_policy_are_no_errors_of_the_client() -> None:
    wire = MachineWire(replace(SETTINGS, most_errors=1), {"no@partner.example": reply(550, "7.64", "No")})
    wire.write(b"EHLO client.example\r\n" + MAIL + b"RCPT TO:<no@partner.example>\r\n" * 50)
    assert not wire.session.closed


def test_an_endless_command_line_is_not_kept() -> None:
    session = greeted()
    for _ in range(100):
        session.receive(b"x" * 10_000)
        assert session.buffered == 0
    assert codes(session.receive(b"\r\nNOOP\r\n")) == [250]


def test_a_long_pipeline_costs_no_more_per_command() -> None:
    session = ServerSession(replace(SETTINGS, most_idle_commands=100_000))
    session.connected(GREETING)
    assert len(codes(session.receive(b"NOOP\r\n" * 100_000))) == 100_000


# --- turns -----------------------------------------------------------------------------------------------------------


def in_turns(most: int) -> ServerSession:
    session = ServerSession(replace(SETTINGS, most_commands_per_turn=most))
    session.connected(GREETING)
    return session


def test_a_packet_of_many_commands_is_worked_off_turn_by_turn() -> None:
    session = in_turns(3)
    assert codes(session.receive(b"NOOP\r\n" * 7)) == [250] * 3
    assert session.waiting and session.buffered == 4 * len(b"NOOP\r\n")
    assert session.receive(b"QUIT\r\n") == []
    assert codes(session.go_on()) == [250] * 3
    assert codes(session.go_on()) == [250, 221]
    assert not session.waiting and session.closed


def test_answers_within_a_turn_begin_no_new_one() -> None:
    session = in_turns(3)
    session.receive(b"EHLO client.example\r\n")
    session.receive(MAIL + RCPT * 5)
    assert codes(session.answer(OK)) == [250]
    assert codes(session.answer(OK)) == [250]
    assert codes(session.answer(OK)) == [250]
    assert session.waiting and not session.paused


def test_a_turn_that_ends_with_the_last_command_is_followed_by_none() -> None:
    session = in_turns(3)
    assert codes(session.receive(b"NOOP\r\n" * 3)) == [250] * 3
    assert not session.waiting


def test_octets_may_be_left_for_the_next_turn() -> None:
    session = in_turns(3)
    assert session.receive(b"NOOP\r\n", at_once=False) == []
    assert session.waiting
    assert session.timed_out() == []
    assert session.peer_closed() == []
    effects = session.go_on()
    assert codes(effects) == [250] and effects[-1] == Close("the client closed the connection")


def test_many_chunks_are_worked_off_turn_by_turn() -> None:
    session = in_turns(10)
    session.receive(b"EHLO client.example\r\n")
    session.receive(MAIL)
    session.answer(OK)
    session.receive(RCPT)
    session.answer(OK)
    taken = codes(session.receive(b"BDAT 1\r\na" * 100))
    assert taken == [250] * 10 and session.waiting


# --- room and time ---------------------------------------------------------------------------------------------------

NO_ROOM = reply(452, "3.1", "No room")


def test_content_without_room_is_dropped_read_to_its_end_and_refused() -> None:
    session = in_data()
    session.receive(b"hello\r\n")
    assert session.refuse_content(NO_ROOM) == [DropContent()]
    assert session.receive(b"more\r\n") == []
    assert codes(session.receive(b".\r\nNOOP\r\n")) == [452, 250]


def test_only_content_can_be_without_room() -> None:
    session = greeted()
    assert session.refuse_content(NO_ROOM) == []
    assert codes(session.receive(b"NOOP\r\n")) == [250]
    session = in_data()
    session.receive(b".\r\n")
    assert session.refuse_content(NO_ROOM) == []
    assert codes(session.answer(OK)) == [250]


def test_content_is_there_between_two_chunks_too() -> None:
    session = greeted()
    session.receive(MAIL)
    session.answer(OK)
    session.receive(RCPT)
    session.answer(OK)
    assert not session.has_content
    session.receive(b"BDAT 5\r\nhello")
    assert session.has_content and not session.in_content
    session.receive(b"RSET\r\n")
    assert not session.has_content


def test_a_session_that_is_broken_off_hears_why() -> None:
    session = in_data()
    effects = session.break_off(replies.TOO_SLOW, "the content came too slowly")
    assert effects == [DropContent(), SendReply(replies.TOO_SLOW), Close("the content came too slowly")]
    assert session.break_off(replies.TOO_SLOW, "again") == []


# --- the protocol log ------------------------------------------------------------------------------------------------


def test_command_lines_are_logged_as_they_came() -> None:
    wire = MachineWire()
    wire.write(b"ehlo client.example\r\nnoop \xc3\xa9 \r\nNOOP \x07\xff\r\nNOOP a\rb\n")
    assert wire.commands() == ["ehlo client.example", "noop é ", "NOOP \\x07\\xff", "NOOP a\\rb"]


def test_reply_without_a_question_comes_after_its_command() -> None:
    assert greeted().receive(b"NOOP\r\n") == [CommandReceived("NOOP"), SendReply(replies.OK)]


def test_a_transaction_is_told_from_a_refused_one_by_its_reply_alone() -> None:
    accepted: Reply = reply(251, "1.0", "Will forward")
    session = greeted()
    session.receive(MAIL)
    session.answer(OK)
    session.receive(RCPT)
    session.answer(accepted)
    assert codes(session.receive(b"DATA\r\n")) == [354]
