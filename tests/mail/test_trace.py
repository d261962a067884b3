"""Trace fields: RFC 5321 4.4 syntax, one field whatever a peer calls itself."""

import re
from email import message_from_bytes
from email.policy import SMTP
from ipaddress import ip_address

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


# RFC 5321 4.4, 4.1.2, 4.1.3 and RFC 5322 3.2.2, written from the documents.
_FWS = r"(?:(?:[ \t]*\r\n)?[ \t]+)"
_CCONTENT = r"(?:[\x21-\x27\x2a-\x5b\x5d-\x7e]|\\[\x20-\x7e])"
_COMMENT = rf"\((?:{_FWS}?{_CCONTENT})*{_FWS}?\)"
_CFWS = rf"(?:(?:{_FWS}?{_COMMENT})+{_FWS}?|{_FWS})"
_SUB_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = rf"{_SUB_DOMAIN}(?:\.{_SUB_DOMAIN})*"
_LITERAL = r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|(?i:IPv6):[0-9A-Fa-f:.]+)\]"
_EXTENDED_DOMAIN = rf"(?:{_DOMAIN}|{_LITERAL})(?:{_FWS}\((?:{_LITERAL}|{_DOMAIN}{_FWS}{_LITERAL})\))?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DATE_TIME = r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
_STAMP = re.compile(
    rf"Received: from{_FWS}{_EXTENDED_DOMAIN}{_CFWS}by{_FWS}{_EXTENDED_DOMAIN}"
    rf"{_CFWS}with{_FWS}{_ATOM}{_CFWS}id{_FWS}{_ATOM}{_CFWS}?;{_FWS}{_DATE_TIME}\r\n"
)

_ODD_NAMES = (
    "",
    '"',
    "a;b",
    "<x>",
    "a b",
    "(x",
    "x)",
    "\\",
    "WIN_PC",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a-",
    "[192.0.2.300]",
    "[IPv6:fe80::1%eth0]",
    "[IPv6:x]",
    "[x",
    "日本.example",
    "by evil.example",
    "x; Mon, 1 Jan 2024 00:00:00 +0000",
    "x\r\nSubject: y",
    "a" * 500,
    "@",
    "for",
)


@pytest.mark.parametrize("ehlo", [*_ODD_NAMES, "mail.contoso.com", "[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost"])
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_the_field_follows_the_grammar_whatever_a_client_calls_itself(ehlo: str, address: str) -> None:
    _assert_parsed(ehlo, address)


@given(st.text(max_size=300) | st.text('ab.-_;"()<>[]\\ :%19', max_size=80), st.ip_addresses())
def test_no_name_at_all_breaks_the_grammar(ehlo: str, address: object) -> None:
    _assert_parsed(ehlo, str(address))


def _assert_parsed(ehlo: str, address: str) -> None:
    octets = field(ehlo=ehlo, address=address)
    assert _STAMP.fullmatch(octets.decode("ascii")), octets
    value = str(message_from_bytes(octets + b"\r\n", policy=SMTP)["Received"])
    assert value.count(";") == 1, "programs cut the date off at the last semicolon"
    literal = re.search(r"\(\[(?:IPv6:)?([^]]+)\]\)", value)
    assert literal and ip_address(literal[1]) == ip_address(address)


@pytest.mark.parametrize(
    ("ehlo", "begins"),
    [
        ("mail.contoso.com", "from mail.contoso.com ([192.0.2.1])\tby"),
        ("[192.0.2.9]", "from [192.0.2.9] ([192.0.2.1])\tby"),
        ("WIN_PC", "from [192.0.2.1] ([192.0.2.1])\t(EHLO WIN_PC)\tby"),
        ('a;b"<x>', "from [192.0.2.1] ([192.0.2.1])\t(EHLO a?b??x?)\tby"),
    ],
)
def test_a_name_that_is_no_domain_stands_in_a_comment(ehlo: str, begins: str) -> None:
    assert str(message_from_bytes(field(ehlo=ehlo) + b"\r\n", policy=SMTP)["Received"]).startswith(begins)


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
