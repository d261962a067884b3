"""The DKIM-Signature field of one message (RFC 6376 3.5), relaxed in header and body.

What flows through: a header as it will leave and the hash of its body come in, a field that stands before it comes out.

Laws: each field that must be there once is signed once more than it is there, so that nobody can add another unseen
(8.15); there is no `l=` (8.2) and no `x=`: the signature holds as long as the message waits.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

ALWAYS: Final = (
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"content-id",
    b"content-description",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-help",
    b"list-owner",
    b"list-archive",
)
"""Signed whether they are there or not."""
WHERE_PRESENT: Final = (b"sender", b"in-reply-to", b"references", b"resent-from", b"resent-to", b"resent-cc")

MOST_FIELDS: Final = 1000
"""Fields of a header that is signed."""

_END_OF_FIELD: Final = re.compile(rb"\r\n(?![ \t])")
_NAME: Final = bytes(octet for octet in range(33, 127) if octet != ord(":"))
"""RFC 5322 3.6.8: what the name of a field consists of."""
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")
_SPACES: Final = re.compile(rb"[ \t]+")
_WIDTH: Final = 72


class HeaderField(NamedTuple):
    name: bytes
    """In small letters."""
    value: bytes
    """As it is written, folds and all, from behind the colon up to the end of the line."""

    def relaxed(self) -> bytes:
        """RFC 6376 3.4.2, without the end of the line."""
        return self.name + b":" + _SPACES.sub(b" ", _FOLD.sub(b"", self.value)).strip(b" ")


class Key(NamedTuple):
    """What signs for a domain."""

    domain: str
    selector: str
    algorithm: str
    """`rsa-sha256`, or `ed25519-sha256` (RFC 8463)."""
    sign: Callable[[bytes], bytes]


def header_fields(header: bytes) -> Sequence[HeaderField] | None:
    """The fields of a header without the empty line behind it; None where it is not made of fields only."""
    lines = _END_OF_FIELD.split(header, maxsplit=MOST_FIELDS)
    if len(lines) > MOST_FIELDS:
        return None
    fields = []
    for line in lines:
        written, colon, value = line.partition(b":")
        name = written.rstrip(b" \t")
        if not name or not colon or name.translate(None, _NAME):
            return None
        fields.append(HeaderField(name.lower(), value))
    return fields


def signature(fields: Sequence[HeaderField], body_hash: bytes, key: Key, at: int) -> bytes:
    """The field, with its CRLF. `at`: seconds since the epoch."""
    named = _signed_names(fields)
    tags = [
        b"DKIM-Signature: v=1;",
        b"a=%s;" % key.algorithm.encode(),
        b"c=relaxed/relaxed;",
        b"d=%s;" % key.domain.encode(),
        b"s=%s;" % key.selector.encode(),
        b"t=%d;" % at,
        *_names_tag(named),
        b"bh=%s;" % b64encode(body_hash),
    ]
    unsigned = _folded(tags) + b"\r\n\tb="
    itself = HeaderField(b"dkim-signature", unsigned.partition(b":")[2])
    proof = b64encode(key.sign(_hashed(fields, named) + itself.relaxed()))
    return unsigned + _folded_octets(proof, used=len("\tb=")) + b"\r\n"


def _signed_names(fields: Sequence[HeaderField]) -> list[bytes]:
    count: dict[bytes, int] = {}
    for field in fields:
        count[field.name] = count.get(field.name, 0) + 1
    named = []
    for name in ALWAYS:
        named += [name] * (count.get(name, 0) + 1)
    for name in WHERE_PRESENT:
        named += [name] * count.get(name, 0)
    return named


def _hashed(fields: Sequence[HeaderField], named: Sequence[bytes]) -> bytes:
    """RFC 6376 5.4.2: of several fields of one name the last is taken first; one that is not there adds nothing."""
    left: dict[bytes, list[HeaderField]] = {}
    for field in fields:
        left.setdefault(field.name, []).append(field)
    return b"".join(left[name].pop().relaxed() + b"\r\n" for name in named if left.get(name))


def _names_tag(named: Sequence[bytes]) -> list[bytes]:
    first, *others = named
    return [b"h=" + first, *(b":" + name for name in others[:-1]), b":" + others[-1] + b";"]


def _folded(tags: Sequence[bytes]) -> bytes:
    """RFC 6376 3.2: white space may stand around a tag, and around the colons of `h=`."""
    lines, line = [], bytearray()
    for tag in tags:
        space = b"" if tag.startswith(b":") or not line else b" "
        if line and len(line) + len(space) + len(tag) > _WIDTH:
            lines.append(bytes(line))
            line, space = bytearray(), b""
        line += space + tag
    return b"\r\n\t".join([*lines, bytes(line)])


def _folded_octets(octets: bytes, *, used: int) -> bytes:
    lines, first = [octets[: _WIDTH - used]], _WIDTH - used
    lines += [octets[at : at + _WIDTH] for at in range(first, len(octets), _WIDTH)]
    return b"\r\n\t ".join(lines)
