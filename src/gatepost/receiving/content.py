"""The content of one message while it comes in.

What flows through: the trace field, then octets as they arrive; out comes the content as the store takes it, with the
signatures before it where it is to be signed.

Laws: what it takes of the room for unfinished content is given back whatever becomes of it (`release`); no more of it
is searched for trace fields than a sensible header may have.
"""

from typing import Final, Protocol

from gatepost.mail.header_fields import END_OF_HEADER, field_of, message_id_of
from gatepost.mail.reply import Reply
from gatepost.mail.trace import MOST_HOPS, hops
from gatepost.queue.message import Content
from gatepost.receiving.unfinished import Share
from gatepost.signing.message import MessageSigning, Signed, Unsigned

_HEADER_WATCHED: Final = 256 * 1024
"""Octets at the start of a message that are searched for Received fields."""


class ContentWriter(Protocol):
    """Takes the content of one message, in memory while it is small."""

    def write(self, octets: bytes) -> None: ...

    @property
    def size(self) -> int: ...

    @property
    def needs_flush(self) -> bool:
        """So much waits to be written that reading should pause until `flush`."""

    async def flush(self) -> None: ...

    def finish(self, before: bytes = b"") -> Content:
        """With `before` before all that was written."""

    def discard(self) -> None: ...


class MessageContent:
    __slots__ = ("_header", "_is_watched", "_is_whole", "_share", "_signing", "_writer")

    def __init__(
        self, writer: ContentWriter, share: Share, trace: bytes, signing: MessageSigning | None = None
    ) -> None:
        self._writer = writer
        self._share = share
        self._signing = signing
        self._header = bytearray()
        self._is_watched = True
        """More of the header may come."""
        self._is_whole = False
        """The header has ended."""
        writer.write(trace)

    def take(self, octets: bytes) -> None:
        self._writer.write(octets)
        if self._is_watched:
            self._watch(octets)
        if self._signing is not None:
            self._signing.take(octets)

    def _watch(self, octets: bytes) -> None:
        header, before = self._header, len(self._header)
        header += octets
        end = header.find(END_OF_HEADER, max(before - len(END_OF_HEADER), 0))
        self._is_whole = end >= 0
        if self._is_whole:
            del header[end:]
        self._is_watched = not self._is_whole and len(header) < _HEADER_WATCHED

    def why_no_room(self) -> Reply | None:
        """The refusal where so much as has come in is too much."""
        return self._share.grow(self._writer.size)

    @property
    def needs_flush(self) -> bool:
        return self._writer.needs_flush

    async def flush(self) -> None:
        await self._writer.flush()

    @property
    def has_looped(self) -> bool:
        """RFC 5321 6.3: so many servers have seen it that it goes round in circles."""
        return hops(self._header) > MOST_HOPS

    @property
    def message_id(self) -> str | None:
        return message_id_of(self._header)

    @property
    def subject(self) -> bytes | None:
        """As it was written."""
        return field_of(self._header, b"subject")

    def signed(self, at: float) -> Signed | Unsigned | None:
        """None: nobody who sends it signs anything."""
        if self._signing is None:
            return None
        return self._signing.sign(bytes(self._header) if self._is_whole else None, at)

    def finish(self, before: bytes = b"") -> Content:
        return self._writer.finish(before)

    def discard(self) -> None:
        """Nobody wants it. Without effect once it is finished."""
        self._writer.discard()

    def release(self) -> None:
        """It has ended, or was dropped: its room is free for others."""
        self._share.release()
