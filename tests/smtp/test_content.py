"""Content: transparency undone and line ends judged, wherever the octets are cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.smtp.content import DataContent, TextWatch, has_only_crlf

_octets = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", b"\0", b"\r\n.", b"xyz"]), max_size=30).map(
    b"".join
)


def taken(pieces: list[bytes]) -> tuple[bytes, bytes, bool]:
    """Content, what was left after its end, and whether a bare line end was seen."""
    content = DataContent()
    whole = b""
    for at, piece in enumerate(pieces):
        got, remaining = content.take(piece)
        whole += got
        if remaining is not None:
            left = piece[len(piece) - remaining :] + b"".join(pieces[at + 1 :])
            return whole, left, content.has_bare_line_end
    raise AssertionError("the content did not end")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b".\r\n", b""),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.a\r\n.\r\n", b"..\r\na\r\n"),
        (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n"),
        (b"\r\n\r\n.\r\n", b"\r\n\r\n"),
    ],
)
def test_one_leading_period_is_taken_away(octets: bytes, expected: bytes) -> None:
    assert taken([octets])[0] == expected


@given(_octets)
def test_content_is_the_same_octet_by_octet(octets: bytes) -> None:
    octets += b"\r\n.\r\n" + b"NOOP\r\n"
    assert taken([octets[at : at + 1] for at in range(len(octets))]) == taken([octets])


@given(_octets)
def test_stuffing_and_taking_gives_the_content_back(content: bytes) -> None:
    content += b"\r\n"
    stuffed = re.sub(rb"(\A|\r\n)\.", rb"\1..", content)
    assert taken([stuffed + b".\r\n"])[0] == content


@given(_octets)
def test_a_line_end_is_bare_when_it_is_no_crlf(octets: bytes) -> None:
    bare = re.search(rb"\r(?!\n)|(?<!\r)\n", octets) is not None
    assert has_only_crlf(octets) is not bare
    watch = TextWatch()
    for at in range(len(octets)):
        watch.see(octets[at : at + 1])
    watch.end()
    assert watch.has_bare_line_end is bare
