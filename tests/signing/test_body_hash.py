"""The body in relaxed form, however it was cut."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.signing.body_hash import BodyHash
from signing.verifier import _body

PIECES = st.lists(
    st.sampled_from([b" ", b"\t", b"a", b"bc", b"\r\n", b"\r\n\r\n", b"  ", b"\r", b"\n", b".", b" \r\n"])
)


def hashed(message: bytes, *cuts: int) -> bytes:
    body, at = BodyHash(), 0
    for cut in [*sorted(cuts), len(message)]:
        body.take(message[at:cut])
        at = cut
    return body.digest()


@pytest.mark.parametrize(
    ("body", "relaxed"),
    [
        (b"", b""),
        (b"\r\n\r\n\r\n", b""),
        (b" \t\r\n", b""),
        # RFC 6376 3.4.5
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"no end of line", b"no end of line\r\n"),
        (b"a\r\n\r\nb\r\n", b"a\r\n\r\nb\r\n"),
        (b"a\r\n \r\n\t\r\n", b"a\r\n"),
        (b"a lone \r and \n\r\n", b"a lone \r and \n\r\n"),
        (b"\r\r\n", b"\r\r\n"),
    ],
)
def test_the_body_is_hashed_in_relaxed_form(body: bytes, relaxed: bytes) -> None:
    assert hashed(b"From: a@b.example\r\n\r\n" + body) == sha256(relaxed).digest()


@given(PIECES, st.lists(st.integers(0, 80)))
def test_cuts_change_nothing(pieces: list[bytes], cuts: list[int]) -> None:
    body = b"".join(pieces)
    message = b"Subject: x\r\nTo: y\r\n\r\n" + body
    found = hashed(message, *(cut for cut in cuts if cut <= len(message)))
    assert found == hashed(message)
    if b"\r" not in body.replace(b"\r\n", b"") and b"\n" not in body.replace(b"\r\n", b""):
        assert found == sha256(_body(body)).digest()


def test_a_message_without_an_end_of_its_header_has_no_body() -> None:
    assert hashed(b"Subject: x\r\nTo: y\r\n") == sha256(b"").digest()
    assert hashed(b"\r\nonly a body\r\n") == sha256(b"only a body\r\n").digest()


def test_empty_lines_by_the_million_are_not_kept() -> None:
    body = BodyHash()
    body.take(b"\r\na")
    for _ in range(200):
        body.take(b"\r\n" * 10_000)
    assert body.digest() == sha256(b"a\r\n").digest()
    body = BodyHash()
    body.take(b"\r\na")
    for _ in range(20):
        body.take(b"\r\n" * 10_000)
    body.take(b"b\r\n")
    assert body.digest() == sha256(b"a" + b"\r\n" * 200_000 + b"b\r\n").digest()
