"""What goes on the wire is the content, however it was cut into chunks."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gatepost.smtp.transparency import dot_stuffed, header_is_ascii, is_seven_bit, is_text

PIECES = st.lists(st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"\r\n.", b"a", b"\xe4", b"", b"b" * 500]), max_size=30)


def unstuffed(octets: bytes) -> bytes:
    """What a server keeps of DATA (RFC 5321 4.5.2)."""
    assert octets.endswith(b".\r\n")
    body = (b"\r\n" + octets)[:-3]
    assert body.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in body
    return body.replace(b"\r\n.", b"\r\n")[2:]


@given(PIECES)
def test_the_server_keeps_what_we_hold(chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    kept = unstuffed(b"".join(dot_stuffed(chunks)))
    assert kept == (content if content.endswith(b"\r\n") or not content else content + b"\r\n")


@given(PIECES)
def test_text_is_lines_that_every_server_takes(chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    lone = re.search(rb"\r(?!\n)|(?<!\r)\n|\0", content)
    long = max(map(len, content.split(b"\r\n"))) > 998
    assert is_text(chunks) == (not lone and not long)
    assert is_seven_bit(chunks) == content.isascii()


@given(PIECES, st.integers(1, 5))
def test_only_the_header_counts_for_smtputf8(chunks: list[bytes], cut: int) -> None:
    content = b"".join(chunks) + b"\r\n\r\n\xe4"
    pieces = [content[at : at + cut] for at in range(0, len(content), cut)]
    assert header_is_ascii(pieces) == content.partition(b"\r\n\r\n")[0].isascii()
