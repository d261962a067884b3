"""Fields of a header, whatever a sender wrote there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.header_fields import field_of, header_of, message_id_of, subject_text


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"From: a\r\nMessage-ID: <1@contoso.com>\r\nTo: b", "1@contoso.com"),
        (b"MESSAGE-id:\r\n\t<1@contoso.com>", "1@contoso.com"),
        (b"X-Original-Message-ID: <0@x>\r\nMessage-ID: <1@contoso.com>", "1@contoso.com"),
        (b"Subject: Message-ID: <0@x>", None),
        (b"Message-ID: 1@contoso.com", None),
        (b"Message-ID: <" + b"x" * 300 + b">", None),
        (b"Message-ID: <\xff@x>", "\ufffd@x"),
        (b"", None),
    ],
)
def test_the_message_id_is_read_where_its_field_begins(header: bytes, found: str | None) -> None:
    assert message_id_of(header) == message_id_of(bytearray(header)) == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"Subject: hello\r\nTo: b", b" hello"),
        (b"To: b\r\nSUBJECT: a\r\n long\r\n\tone\r\nX: y", b" a\r\n long\r\n\tone"),
        (b"To: b\nsubject:", b""),
        (b"X-Subject: no", None),
    ],
)
def test_a_field_is_read_to_its_end(header: bytes, found: bytes | None) -> None:
    assert field_of(header, b"subject") == found


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (b" hello\r\n world ", "hello world"),
        (b"=?utf-8?B?R3LDvMOfZQ==?= an Ann", "Gr\u00fc\u00dfe an Ann"),
        (b"=?no-such-charset?B?R3LDvMOfZQ==?=", "=?no-such-charset?B?R3LDvMOfZQ==?="),
        (b"x" * 5000, "x" * 250),
        (b"\xff", "\ufffd"),
    ],
)
def test_a_subject_is_for_people(field: bytes, text: str) -> None:
    assert subject_text(field) == text


@given(st.binary(max_size=300))
def test_no_subject_breaks_anything(field: bytes) -> None:
    assert len(subject_text(field)) <= 250
    message_id_of(field)
    field_of(field, b"subject")


def test_the_header_ends_where_the_first_empty_line_begins() -> None:
    assert header_of(b"A: b\r\n c\r\n\r\nD: e\r\n\r\n") == b"A: b\r\n c"
    assert header_of(b"A: b\r\nC: d") == b"A: b\r\nC: d"
