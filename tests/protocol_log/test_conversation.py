"""Conversations: sessions come apart whatever the files mixed, and fit a terminal."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocol_log.certificates import REMOTE_CERTIFICATE, certificate_row
from gatepost.protocol_log.conversation import LineKind, conversations, render, render_record
from gatepost.protocol_log.record import Event, ProtocolLogRecord


def row(session: str, number: int, event: Event = Event.SEND, data: str = "", context: str = "") -> ProtocolLogRecord:
    return ProtocolLogRecord(
        1673452800.0 + number, "contoso/mail", session, number, "10.0.0.1:25", "192.0.2.7:50123", event, data, context
    )


@given(st.randoms(use_true_random=False))
def test_interleaved_and_repeated_rows_of_several_files_come_apart(random: Random) -> None:
    rows = [row(session, number) for session in ("B", "A") for number in range(5)]
    mixed = rows + rows[3:7]
    random.shuffle(mixed)
    found = conversations(mixed)
    assert {each.session_id: each.records for each in found} == {"A": tuple(rows[5:]), "B": tuple(rows[:5])}


def test_rows_that_repeat_a_sequence_number_are_all_kept() -> None:
    [conversation] = conversations([row("A", 1, data="one"), row("A", 1, data="two"), row("A", 2)])
    assert len(conversation.records) == 3


def test_a_refused_session_shows_certificate_verdict_and_reasons() -> None:
    certificate = certificate_row(
        REMOTE_CERTIFICATE,
        subject="CN=mail.contoso.com",
        issuer="CN=R3",
        serial="0a",
        der=b"",
        not_before=None,
        not_after=None,
        names=("a",),
    )
    rows = [
        row("A", 0, Event.CONNECT),
        row("A", 1, Event.INFORMATION, *certificate),
        row("A", 2, Event.INFORMATION, "refused", "attribution of <bob@fabrikam.com>"),
        row("A", 3, Event.INFORMATION, "certificate-intermediate-missing", "the intermediate certificate was not sent"),
        row("A", 4, Event.SEND, "550 5.7.64 TenantAttribution; Relay Access Denied"),
        row("A", 5, Event.DISCONNECT, "", "Remote"),
    ]
    [conversation] = conversations(rows)
    text = "\n".join(line.text for line in render(conversation))
    assert text == (
        "session A  2023-01-11\n"
        "connector contoso/mail\n"
        "16:00:00.000    +  connected: 10.0.0.1:25 and 192.0.2.7:50123\n"
        "16:00:01.000    *  Remote certificate\n"
        "                     subject     CN=mail.contoso.com\n"
        "                     issuer      CN=R3\n"
        "                     serial      0A\n"
        "                     thumbprint  DA39A3EE5E6B4B0D3255BFEF95601890AFD80709\n"
        "                     names       a\n"
        "16:00:02.000    *  VERDICT <bob@fabrikam.com>: refused\n"
        "16:00:03.000    *  because certificate-intermediate-missing: the intermediate\n"
        "                   certificate was not sent\n"
        "16:00:04.000 !!--> 550 5.7.64 TenantAttribution; Relay Access Denied\n"
        "16:00:05.000    -  disconnected: 10.0.0.1:25 and 192.0.2.7:50123 (Remote)"
    )


@given(st.sampled_from(Event), st.text(), st.text())
def test_no_line_is_wider_than_asked(event: Event, data: str, context: str) -> None:
    [conversation] = conversations([row("08DD34FA3086278D", 0, event, data, context)])
    assert all(len(line.text) <= 80 for line in render(conversation, 80))
    assert all(len(line.text) <= 80 for line in render_record(conversation.records[0], 80))


def test_a_reply_that_refuses_is_marked_and_a_command_never_is() -> None:
    kinds = [line.kind for line in render_record(row("A", 0, Event.RECEIVE, "451 4.3.0 later"))]
    assert kinds == [LineKind.REFUSAL]
    assert render_record(row("A", 0, Event.SEND, "MAIL FROM:<450@example.com>"))[0].kind is LineKind.SENT


def test_no_control_character_of_a_log_reaches_the_terminal() -> None:
    [line] = render_record(row("A", 0, Event.RECEIVE, "EHLO \x1b[2J\x07x"))
    assert line.text.isprintable()
