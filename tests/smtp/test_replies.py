"""The catalogue of replies keeps RFC 2034 and RFC 5321."""

import re

import pytest

from gatepost.mail.reply import LONGEST_REPLY_LINE, Reply
from gatepost.smtp import replies
from smtp.dialogue import SETTINGS

_CATALOGUE = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)} | {
    "helo": replies.helo("relay.example.net"),
    "ehlo": replies.ehlo(SETTINGS, True),
    "goodbye": replies.goodbye("relay.example.net"),
    "bad_reverse_path": replies.bad_reverse_path("the local part is longer than 64 octets"),
    "bad_forward_path": replies.bad_forward_path("the local part is longer than 64 octets"),
    "unknown_parameter": replies.unknown_parameter("X" * 400),
    "bad_parameter": replies.bad_parameter("SIZE takes a number of octets"),
}
# RFC 2034 3: not on the greeting, on EHLO and HELO, and on 3xx.
_WITHOUT_STATUS = {"helo", "ehlo", "SEND_CONTENT"}


@pytest.mark.parametrize("name", _CATALOGUE)
def test_every_reply_has_an_enhanced_status_code_of_its_class(name: str) -> None:
    given = _CATALOGUE[name]
    if name in _WITHOUT_STATUS:
        assert given.status is None
    else:
        assert given.status is not None and re.fullmatch(r"[0-7]\.\d{1,3}", given.status)
        assert all(line[4:].startswith(f"{given.code // 100}.{given.status} ") for line in given.log_lines)


@pytest.mark.parametrize("name", _CATALOGUE)
def test_every_reply_is_ascii_and_fits_its_line(name: str) -> None:
    for line in _CATALOGUE[name].octets.split(b"\r\n"):
        assert line.isascii() and len(line) + 2 <= LONGEST_REPLY_LINE


def test_starttls_is_offered_only_when_it_can_be_had() -> None:
    assert "STARTTLS" in replies.ehlo(SETTINGS, True).lines
    assert "STARTTLS" not in replies.ehlo(SETTINGS, False).lines
