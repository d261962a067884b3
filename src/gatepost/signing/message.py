"""One message on its way to be signed: hashed as it comes in, signed once it is whole.

What flows through: octets, then the header, come in; the DKIM-Signature fields that go before it come out, or why there
are none.

Law: whatever a message is like, it costs no exception: what cannot be signed goes out as it is.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from gatepost.signing.author import NoAuthor, author_of
from gatepost.signing.body_hash import BodyHash
from gatepost.signing.signature import HeaderField, Key, header_fields, signature


class Signed(NamedTuple):
    fields: bytes
    """To be written before the header."""
    keys: Sequence[Key]


class Unsigned(NamedTuple):
    why: str


class SigningKeys(Protocol):
    def may_sign(self, tenants: Collection[str]) -> bool:
        """Whether any of them has a key that signs."""

    def keys_of(self, tenants: Collection[str], author: str) -> Sequence[Key] | Unsigned:
        """The keys that sign what comes from the domain `author`, sent by servers of `tenants`."""


class MessageSigning:
    __slots__ = ("_body", "_keys", "_tenants")

    def __init__(self, keys: SigningKeys, tenants: Collection[str]) -> None:
        self._keys = keys
        self._tenants = tenants
        self._body = BodyHash()

    def take(self, octets: bytes) -> None:
        """The message as its sender gave it; fields that are written before it are not signed."""
        self._body.take(octets)

    def sign(self, header: bytes | None, at: float) -> Signed | Unsigned:
        """`header`: without the empty line behind it; None: it is longer than anybody looks at."""
        fields = None if header is None else header_fields(header)
        if fields is None:
            return Unsigned("its header is too long, or not made of fields")
        author = author_of([field.value for field in fields if field.name == b"from"])
        if isinstance(author, NoAuthor):
            return Unsigned(author.why)
        keys = self._keys.keys_of(self._tenants, author.domain)
        if isinstance(keys, Unsigned):
            return keys
        return Signed(_signatures(fields, self._body, keys, at), keys)


def signed_whole(message: bytes, keys: Sequence[Key], at: float) -> bytes:
    """A message of our own, with its signatures before it."""
    fields = header_fields(message.partition(b"\r\n\r\n")[0])
    if fields is None:
        return message
    body = BodyHash()
    body.take(message)
    return _signatures(fields, body, keys, at) + message


def _signatures(fields: Sequence[HeaderField], body: BodyHash, keys: Sequence[Key], at: float) -> bytes:
    digest = body.digest()
    return b"".join(signature(fields, digest, key, int(at)) for key in keys)
