"""Messages that bring out what a hop does to octets, and the comparison at the far end."""

import re
import smtplib

_HEADER = (
    b"From: Alice <alice@contoso.com>\r\n"
    b"To: <outside@example.net>\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=,\r\n\tfolded\r\n"
    b"Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n"
    b"Message-ID: <%s@contoso.com>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n"
    b"\r\n"
)

_LINES = (
    b".", b"..", b"...three", b".leading", b"From the start of a line", b" leading space", b"trailing space  ",
    b"\ttab\t", b"", b"", "Grüße, žluťoučký kůň, 日本語".encode(), bytes(range(0x80, 0x100)), b"y" * 998, b"QUIT",
    b"MAIL FROM:<mallory@contoso.com>", b"--", b"-- ", b"\x0c form feed", b"last line, then empty ones", b"", b"",
)  # fmt: skip

_TRACE = re.compile(rb"\A(?:(?:Received|Return-Path|Delivered-To):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+")


def awkward(token: str) -> bytes:
    """Dots, blanks, 8-bit octets, the longest line RFC 5321 4.5.3.1.6 allows."""
    return _HEADER % token.encode() + b"".join(line + b"\r\n" for line in _LINES)


def large(token: str) -> bytes:
    """Half a megabyte, more than is kept within a queue's file."""
    return awkward(token) + b"".join(b"%06d 0123456789abcdef.\r\n" % number for number in range(20_000))


def assert_same(sent: bytes, arrived: bytes) -> None:
    """Octet for octet, apart from the trace fields that each hop puts on top."""
    trace = _TRACE.match(arrived)
    assert trace, f"no trace fields on top: {arrived[:200]!r}"
    rest = arrived[trace.end() :]
    if rest != sent:
        at = next((i for i, (a, b) in enumerate(zip(sent, rest, strict=False)) if a != b), min(len(sent), len(rest)))
        raise AssertionError(
            f"octet {at} differs ({len(sent)} sent, {len(rest)} arrived): "
            f"{sent[max(0, at - 20) : at + 40]!r} became {rest[max(0, at - 20) : at + 40]!r}"
        )


def submit(port: int, recipient: str, content: bytes, *, reverse_path: str = "alice@contoso.com") -> None:
    """Hands a message to a peer, as its own organisation's user would."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="desk.contoso.com", timeout=60) as client:
        client.sendmail(reverse_path, [recipient], content, mail_options=["BODY=8BITMIME"])
