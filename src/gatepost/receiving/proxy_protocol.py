"""The PROXY protocol, versions 1 and 2: who really connected, as told by a balancer we named.

Pure: octets in, one of three values out. Only a listener that lists its balancers reads this header, and from those
addresses it is demanded; from anybody else it would be a way to borrow another server's address.
Source: HAProxy, "The PROXY protocol", versions 1 & 2, sections 2.1 and 2.2.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
# Section 2.1: the longest possible version 1 line, CRLF included.
_LONGEST_V1 = 107
# Section 2.2 sets no limit for version 2; addresses and the usual TLVs stay far below this.
_LONGEST_V2 = 2048


@dataclass(frozen=True, slots=True)
class Proxied:
    """`source` is None for the balancer's own health checks (LOCAL, UNKNOWN)."""

    source: tuple[IPv4Address | IPv6Address, int] | None
    rest: bytes
    """What followed the header."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    pass


@dataclass(frozen=True, slots=True)
class NotProxied:
    why: str


def read_header(octets: bytes) -> Proxied | Incomplete | NotProxied:
    """The header at the start of a connection, as far as it has come in."""
    if octets.startswith(_V2_SIGNATURE[: len(octets)]) and (len(octets) < 12 or octets[:12] == _V2_SIGNATURE):
        return _version_2(octets)
    if octets.startswith(b"PROXY "[: len(octets)]):
        return _version_1(octets)
    return NotProxied("the connection does not begin with a PROXY header")


def _version_1(octets: bytes) -> Proxied | Incomplete | NotProxied:
    line, end, rest = octets.partition(b"\r\n")
    # The CR may have come without its LF yet.
    if len(line if end else line.removesuffix(b"\r")) + 2 > _LONGEST_V1:
        return NotProxied("the PROXY line is too long")
    if not end:
        return Incomplete()
    words = line.decode("ascii", "replace").split(" ")
    if len(words) >= 2 and words[1] == "UNKNOWN":
        return Proxied(None, rest)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        return NotProxied("the PROXY line is malformed")
    try:
        address, port = ip_address(words[2]), int(words[4])
    except ValueError:
        return NotProxied("the PROXY line has no valid source address")
    if address.version != int(words[1][3]) or not 0 <= port <= 65535:
        return NotProxied("the PROXY line has no valid source address")
    return Proxied((address, port), rest)


def _version_2(octets: bytes) -> Proxied | Incomplete | NotProxied:
    if len(octets) < 16:
        return Incomplete()
    version_command, family, length = struct.unpack_from("!BBH", octets, 12)
    if version_command >> 4 != 2 or length > _LONGEST_V2:
        return NotProxied("the PROXY header is malformed")
    if len(octets) < 16 + length:
        return Incomplete()
    block, rest = octets[16 : 16 + length], octets[16 + length :]
    if version_command & 15 == 0:
        return Proxied(None, rest)
    if version_command & 15 != 1:
        return NotProxied("the PROXY header has an unknown command")
    if family == 0x11 and length >= 12:
        return Proxied((IPv4Address(block[:4]), struct.unpack_from("!H", block, 8)[0]), rest)
    if family == 0x21 and length >= 36:
        return Proxied((IPv6Address(block[:16]), struct.unpack_from("!H", block, 32)[0]), rest)
    return NotProxied("the PROXY header carries no TCP address")
