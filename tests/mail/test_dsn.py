"""Notifications, read back with the standard library's parser, field by field."""

from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatepost.mail.dsn import Action, DeliveryReport, ReportedRecipient, compose

ORIGINAL = b"Received: from x\r\nSubject: hello\r\n\r\nHello.\r\n"
AT = 1_795_428_000.0


def recipient(**changes: Any) -> ReportedRecipient:
    usual: dict[str, Any] = {
        "final_recipient": "bob@fabrikam.example",
        "orcpt": "rfc822;bob+2Bx@adatum.example",
        "action": Action.FAILED,
        "status": "5.1.1",
        "why": "the next hop refused it",
        "remote_host": "mx.fabrikam.example[192.0.2.1]:25",
        "remote_reply": ("550-5.1.1 There is", "550 5.1.1 no such user"),
        "last_attempt_at": AT,
    }
    return ReportedRecipient(**{**usual, **changes})


def report(*recipients: ReportedRecipient, **changes: Any) -> DeliveryReport:
    usual: dict[str, Any] = {
        "reporting_host": "relay.example",
        "message_id": "0-17",
        "session_id": "08DE2A3B4C5D6E40",
        "received_at": AT - 60,
        "reported_at": AT,
        "sender": "ann@contoso.example",
        "envid": "QQ+3D314159",
        "recipients": recipients or (recipient(),),
        "original": ORIGINAL,
        "original_is_whole": True,
        "original_size": len(ORIGINAL),
        "international": False,
    }
    return DeliveryReport(**{**usual, **changes})


def parts(octets: bytes) -> tuple[Message, Message, list[Message], Message]:
    """The whole, the words, the blocks of fields, and the original."""
    whole = message_from_bytes(octets)
    words, status, original = whole.get_payload()  # type: ignore[misc]
    return whole, words, status.get_payload(), original  # type: ignore[union-attr, return-value]


def words_of(part: Message) -> str:
    return part.get_payload(decode=True).decode("utf-8")  # type: ignore[union-attr]


def test_the_header_says_what_it_is_and_keeps_automata_quiet() -> None:
    whole, *_ = parts(compose(report()).octets)
    assert whole.get_content_type() == "multipart/report"
    assert whole.get_param("report-type") == "delivery-status"
    assert whole["Auto-Submitted"] == "auto-replied"
    assert whole["From"] == "Mail Delivery System <MAILER-DAEMON@relay.example>"
    assert whole["To"] == "<ann@contoso.example>"
    assert whole["Subject"].startswith("Undeliverable")
    assert whole["Date"] == "Mon, 23 Nov 2026 10:00:00 +0000"
    assert whole["Message-ID"].startswith("<dsn.0-17.failed.")
    assert whole.defects == []


def test_the_fields_for_programs_are_those_of_rfc_3464() -> None:
    _, _, (of_message, of_recipient), _ = parts(compose(report()).octets)
    assert dict(of_message.items()) == {
        "Original-Envelope-Id": "QQ=314159",
        "Reporting-MTA": "dns; relay.example",
        "Arrival-Date": "Mon, 23 Nov 2026 09:59:00 +0000",
    }
    assert dict(of_recipient.items()) == {
        "Original-Recipient": "rfc822; bob+x@adatum.example",
        "Final-Recipient": "rfc822; bob@fabrikam.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.fabrikam.example",
        "Diagnostic-Code": "smtp; 550-5.1.1 There is\r\n 550 5.1.1 no such user",
        "Last-Attempt-Date": "Mon, 23 Nov 2026 10:00:00 +0000",
    }


def test_a_delay_says_until_when_it_is_tried() -> None:
    delayed = recipient(action=Action.DELAYED, status="4.4.1", will_retry_until=AT + 3600, remote_reply=(), orcpt=None)
    whole, words, (_, fields), _ = parts(compose(report(delayed)).octets)
    assert whole["Subject"].startswith("Delayed")
    assert fields["Action"] == "delayed"
    assert fields["Will-Retry-Until"] == "Mon, 23 Nov 2026 11:00:00 +0000"
    assert fields["Diagnostic-Code"] == "x-gatepost; the next hop refused it"
    assert fields["Original-Recipient"] is None
    assert "Delivery will be retried until Mon, 23 Nov 2026 11:00:00 +0000." in words_of(words)


def test_every_recipient_has_a_block() -> None:
    two = (recipient(), recipient(final_recipient="eve@fabrikam.example", status="5.2.2"))
    _, words, (_, first, second), _ = parts(compose(report(*two)).octets)
    assert first["Final-Recipient"] == "rfc822; bob@fabrikam.example"
    assert second["Final-Recipient"] == "rfc822; eve@fabrikam.example"
    assert "bob@fabrikam.example" in words_of(words)
    assert "eve@fabrikam.example" in words_of(words)


def test_the_words_for_people_tell_what_happened_and_where_to_look() -> None:
    _, words, *_ = parts(compose(report()).octets)
    text = words_of(words)
    assert "could not be delivered" in text
    assert "mx.fabrikam.example[192.0.2.1]:25 said:" in text
    assert "  550-5.1.1 There is\r\n  550 5.1.1 no such user" in text
    assert "Message 0-17" in text
    assert "gatepost why 08DE2A3B4C5D6E40" in text


def test_a_refusal_by_a_relay_that_did_not_know_us_is_explained() -> None:
    said = (
        "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-expired mail.contoso.com ended 2026-11-01 "
        "[relay.contoso.net 2026-11-23T10:00:00.123Z 08DE2A3B4C5D6E7F]"
    )
    _, words, *_ = parts(compose(report(recipient(status="5.7.64", remote_reply=(said,)))).octets)
    text = words_of(words)
    assert said in text.replace("\r\n  ", "")
    assert "did not recognise the server by its certificate or its\r\naddress" in text
    assert text.index("Neither your message nor the recipient") < text.index(said[:30]), "people come first"
    assert "The relay's reason: certificate-expired" in text
    assert "mail.contoso.com ended 2026-11-01" in text
    assert "On relay.contoso.net: gatepost why 08DE2A3B4C5D6E7F" in text
    assert "On relay.example: gatepost protocol-log show 08DE2A3B4C5D6E7F" in text


def test_the_same_refusal_of_exchange_online_names_no_reason_but_the_way_on() -> None:
    said = "550 5.7.64 TenantAttribution; Relay Access Denied [VE1EUR01FT021.eop-EUR01.prod.protection.outlook.com]"
    _, words, *_ = parts(compose(report(recipient(status="5.7.64", remote_reply=(said,)))).octets)
    text = words_of(words)
    assert "did not recognise the server" in text
    assert "The relay's reason" not in text
    assert "An inbound connector of the relay must name the certificate" in text


def test_people_get_lines_that_fit_their_window() -> None:
    said = ("550 5.7.64 TenantAttribution; Relay Access Denied",)
    for each in (recipient(remote_reply=said), *(recipient(action=action, why="w " * 80) for action in Action)):
        _, words, *_ = parts(compose(report(each)).octets)
        assert max(map(len, words_of(words).split("\r\n"))) <= 78


@pytest.mark.parametrize(
    ("whole", "international", "kind"),
    [
        (True, False, "message/rfc822"),
        (False, False, "text/rfc822-headers"),
        (True, True, "message/global"),
        (False, True, "message/global-headers"),
    ],
)
def test_the_original_comes_back_untouched(whole: bool, international: bool, kind: str) -> None:
    original = b"Subject: gr\xc3\xbc\xc3\x9fe\r\nX:  odd   folding\r\n\tstays\r\n\r\n\xff\xfe\r\n"
    made = compose(
        report(
            recipient(final_recipient="j\u00f6rg@fabrikam.example" if international else "bob@fabrikam.example"),
            original=original,
            original_is_whole=whole,
            international=international,
        )
    )
    assert original in made.octets
    assert f"Content-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n".encode() in made.octets
    assert made.eight_bit
    assert made.smtputf8 == international
    assert (b"message/global-delivery-status" in made.octets) == international
    assert (b"Final-Recipient: utf-8; j\xc3\xb6rg@" in made.octets) == international


def test_an_ascii_report_is_seven_bit() -> None:
    made = compose(report())
    assert not made.eight_bit
    assert not made.smtputf8
    assert made.octets.isascii()


def test_a_boundary_is_found_that_the_original_does_not_contain() -> None:
    first = compose(report()).octets
    boundary = message_from_bytes(first).get_boundary()
    assert boundary
    evil = b"Subject: x\r\n\r\n--" + boundary.encode() + b"--\r\n"
    again = message_from_bytes(compose(report(original=evil)).octets)
    assert again.get_boundary() != boundary
    assert len(again.get_payload()) == 3


TEXTS = st.text(max_size=600)


@example(said=["\u0100" * 240, "\U0001f600" * 240], why="", host=None, path="0")
@given(said=st.lists(TEXTS, max_size=4), why=TEXTS, host=st.none() | TEXTS, path=TEXTS.filter(bool))
def test_nothing_a_peer_says_can_break_out_of_its_place(said: list[str], why: str, host: str | None, path: str) -> None:
    made = compose(
        report(
            recipient(
                remote_reply=tuple(said), why=why, remote_host=host, final_recipient=path, orcpt=f"rfc822;{path}"
            ),
            international=True,
            sender=path,
        )
    )
    whole = message_from_bytes(made.octets)
    assert [part.get_content_maintype() for part in whole.get_payload()] == ["text", "message", "message"]  # type: ignore[union-attr]
    assert set(whole.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    }
    lines = made.octets.split(b"\r\n")
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in lines)
    fields = {line.partition(b":")[0] for line in lines if line.startswith((b"Action", b"Status"))}
    assert fields <= {b"Action", b"Status"}
    assert sum(line.startswith(b"Action: ") for line in lines) == 1


LONG = (*tuple(f"550-5.7.1 {'x' * 2000} {n}" for n in range(199)), "550 5.7.1 the end")


def test_a_notification_about_a_thousand_recipients_with_long_refusals_is_bounded() -> None:
    about = [recipient(final_recipient=f"user{n}@fabrikam.example", remote_reply=LONG) for n in range(1000)]
    octets = compose(report(*about)).octets
    _, words, blocks, _ = parts(octets)
    assert len(octets) < 1_500_000
    assert len(blocks) == 1001, "programs hear of every recipient"
    assert all(each["Diagnostic-Code"].startswith("smtp; 550-5.7.1 x") for each in blocks[1:])
    assert "user999@fabrikam.example" in words_of(words)


def test_of_a_few_refusals_more_is_quoted_and_what_is_left_out_is_said() -> None:
    words = words_of(parts(compose(report(recipient(remote_reply=LONG))).octets)[1])
    assert "more lines" in words
    assert "550 5.7.1 the end" in words
    assert len(words) < 6000


def test_brackets_without_end_are_read_once() -> None:
    """The session of a relay is looked for in what a stranger wrote: each bracket must be looked at by itself."""
    import re

    from gatepost.mail import dsn

    inner = dsn._SESSION.pattern
    assert "\\S+" not in inner
    assert re.search(r"\{1,\d+\}", inner)
    hostile = recipient(remote_reply=(f"550 5.7.64 TenantAttribution {'[' * 4000}",) * 15)
    assert "protocol log" not in words_of(parts(compose(report(hostile)).octets)[1])
