"""Trace fields: RFC 5321 4.4 syntax, one field whatever a peer calls itself."""

from email import message_from_bytes
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.trace import hops, received_field, with_protocol


def field(ehlo: str = "mail.contoso.com", address: str = "192.0.2.1", facts: str = "a; b") -> bytes:
    return received_field(
        ehlo=ehlo, address=address, hostname="relay.example.net", protocol="ESMTPS", id="08DE", facts=facts, at=1.7e9
    )


def test_the_field_says_from_by_with_id_and_date() -> None:
    value = message_from_bytes(field() + b"\r\n", policy=SMTP)["Received"]
    assert value.startswith("from mail.contoso.com ([192.0.2.1])")
    assert "by relay.example.net with ESMTPS id 08DE" in value
    assert value.endswith(";\tTue, 14 Nov 2023 22:13:20 +0000")


def test_ipv6_addresses_are_tagged_literals() -> None:
    assert b"([IPv6:2001:db8::1])" in field(address="2001:db8::1")


@given(st.text(max_size=80), st.text(max_size=200))
def test_no_name_or_fact_can_end_the_field(ehlo: str, facts: str) -> None:
    message = message_from_bytes(field(ehlo=ehlo, facts=facts) + b"\r\nbody", policy=SMTP)
    assert message.keys() == ["Received"]
    assert message.get_payload() == "body"


def test_hops_are_counted_in_any_case_and_only_at_line_starts() -> None:
    assert hops(b"Received: a\r\nRECEIVED: b\r\nSubject: Received: c\r\nX: d\r\n\treceived: e\r\n") == 2


@pytest.mark.parametrize(
    ("extended", "tls", "smtputf8", "word"),
    [
        (False, False, False, "SMTP"),
        (True, False, False, "ESMTP"),
        (True, True, False, "ESMTPS"),
        (True, False, True, "UTF8SMTP"),
        (True, True, True, "UTF8SMTPS"),
    ],
)
def test_the_transmission_type_is_that_of_rfc_3848_and_6531(
    extended: bool, tls: bool, smtputf8: bool, word: str
) -> None:
    assert with_protocol(extended=extended, tls=tls, smtputf8=smtputf8) == word
