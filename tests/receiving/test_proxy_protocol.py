"""The PROXY header: both versions, whole or in pieces, and everything that only looks like one."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.receiving.proxy_protocol import Incomplete, NotProxied, Proxied, read_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def version_2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(block)) + block


IPV4_BLOCK = ip_address("192.0.2.7").packed + ip_address("198.51.100.1").packed + struct.pack("!HH", 4711, 25)
IPV6_BLOCK = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + struct.pack("!HH", 4711, 25)

GOOD = [
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n", ("192.0.2.7", 4711)),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n", ("2001:db8::7", 4711)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN anything at all\r\n", None),
    (version_2(1, 0x11, IPV4_BLOCK), ("192.0.2.7", 4711)),
    (version_2(1, 0x21, IPV6_BLOCK), ("2001:db8::7", 4711)),
    (version_2(1, 0x11, IPV4_BLOCK + b"\x04\x00\x02ab"), ("192.0.2.7", 4711)),
    (version_2(0, 0x00, b""), None),
]


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_source_is_read_and_the_rest_is_left_alone(header: bytes, source: tuple[str, int] | None) -> None:
    found = read_header(header + b"EHLO a\r\n")
    assert found == Proxied((ip_address(source[0]), source[1]) if source else None, b"EHLO a\r\n")


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_every_beginning_of_a_header_is_incomplete(header: bytes, source: object) -> None:
    for length in range(len(header)):
        assert read_header(header[:length]) == Incomplete(), header[:length]


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO mail.contoso.com\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 4711 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 99999 25\r\n",
        b"PROXY TCP4 not-an-address 198.51.100.1 1 25\r\n",
        b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
        version_2(7, 0x11, IPV4_BLOCK),
        version_2(1, 0x31, b"\0" * 216),
        version_2(1, 0x11, b"\0" * 4),
        SIGNATURE + struct.pack("!BBH", 0x31, 0x11, 12) + IPV4_BLOCK,
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 65535),
    ],
)
def test_what_is_no_header_is_refused(octets: bytes) -> None:
    assert isinstance(read_header(octets), NotProxied)


@given(st.binary(max_size=300))
def test_no_input_raises(octets: bytes) -> None:
    assert read_header(octets) is not None
    assert read_header(SIGNATURE + octets) is not None
    assert read_header(b"PROXY " + octets) is not None


def test_the_longest_line_is_one_however_it_is_cut() -> None:
    longest = b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n"
    assert isinstance(read_header(longest), Proxied)
    assert all(isinstance(read_header(longest[:end]), Incomplete) for end in range(len(longest)))
