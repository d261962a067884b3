"""One connection behind its handshake: HTTP/1.1, strictly; how long it may say nothing, and take nothing.

Laws: a request's head must come whole within `request_timeout`, the first one and each later one; between two requests
nothing may happen for `idle_timeout`; a peer that takes nothing of an answer is let go; what cannot be read is answered
in the shape of every other error, and ends the connection.
"""

import asyncio
import sys
from typing import Any, Final

import h11
from h11._receivebuffer import ReceiveBuffer
from uvicorn.config import Config as UvicornConfig
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gatepost.config import HttpsLimits
from gatepost.https.places import Place, Places, Use
from gatepost.https.problem import Problem

LARGEST_HEADER: Final = 32 * 1024
_MOST_FIELDS: Final = 100
_MOST_CHUNKS: Final = 4096
"""Of one body: 256 octets in each are the largest body. Each costs as much as a large one."""
_TAKES_NOTHING_S: Final = 20.0
_GOODBYE_S: Final = 5.0
_LONGEST_CONNECTION_S: Final = 600.0


class _StrictLines(ReceiveBuffer):
    """RFC 9112 2.2, 5.2: a bare LF may, and a folded line must be taken for an error by a server. Other programs on the
    way read both differently, and what follows as another request. A body comes in a bounded number of chunks."""

    _chunks = 0

    def maybe_extract_next_line(self) -> bytearray | None:
        """The head of a chunk (RFC 9112 7.1)."""
        line = super().maybe_extract_next_line()
        self._chunks += line is not None
        if self._chunks > _MOST_CHUNKS:
            raise h11.RemoteProtocolError("too many chunks")
        return line

    def maybe_extract_lines(self) -> list[bytearray] | None:
        before = bytes(self._data)
        lines = super().maybe_extract_lines()
        if lines is None:
            return None
        self._chunks = 0
        section = before[: len(before) - len(self._data)]
        if section.count(b"\n") != section.count(b"\r\n") or section.count(b"\r") != section.count(b"\r\n"):
            raise h11.RemoteProtocolError("a line ends with CR LF")
        if any(line.startswith((b" ", b"\t")) for line in lines[1:]):
            raise h11.RemoteProtocolError("a header field stands on one line")
        if len(lines) > _MOST_FIELDS + 1:
            raise h11.RemoteProtocolError("too many header fields", error_status_hint=431)
        return lines


class Connection(H11Protocol):
    def __init__(
        self,
        config: UvicornConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        places: Places,
        place: Place,
        limits: HttpsLimits,
    ) -> None:
        super().__init__(config, server_state, {**app_state, "becomes_operators": self._becomes_operators})
        self.conn._receive_buffer = _StrictLines()
        self._places = places
        self._place = place
        self._limits = limits
        self._patience: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._place.give_up = transport.abort
        self._end = self.loop.call_later(_LONGEST_CONNECTION_S, self._leave)
        self._wait(self._limits.request_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._patience, self._unread, self._end):
            if timer:
                timer.cancel()
        self._places.leave(self._place)
        super().connection_lost(exc)

    def _leave(self) -> None:
        """What was said last is still sent."""
        self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(seconds, self._abort)

    def _stop_waiting(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None

    # Requests

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)
            self._limit_head()

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_waiting()
            self._places.note(self._place, Use.BUSY)

    def on_response_complete(self) -> None:
        finished = self.cycle
        super().on_response_complete()
        if self.cycle is not finished:
            return
        self._places.note(self._place, Use.IDLE)
        if self.conn.their_state is h11.SEND_BODY:
            # The answer did not wait for the body: a while for the peer to notice.
            self._wait(_GOODBYE_S)
        self._limit_head()

    def _limit_head(self) -> None:
        """Once the head of a request has begun, it must come whole."""
        if self.conn.their_state is h11.IDLE and len(self.conn._receive_buffer) and self._patience is None:
            self._wait(self._limits.request_timeout_s)

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._abort()
            return
        if self.cycle:
            # Whoever works at the request has nobody left to answer.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        answer = _unreadable(sys.exc_info()[1])
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=answer.status_code, headers=headers),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self._leave()

    def _becomes_operators(self) -> None:
        self._places.becomes_operators(self._place)

    # Answers

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(_TAKES_NOTHING_S, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread:
            self._unread.cancel()


def _unreadable(error: BaseException | None) -> Any:
    hint = getattr(error, "error_status_hint", 400)
    if hint == 501:
        # RFC 9112 6.1
        return Problem(501, "not-implemented", "unsupported Transfer-Encoding", do="use chunked").response
    if hint == 431:
        says = f"the header is too large: at most {_MOST_FIELDS} fields and {LARGEST_HEADER} octets"
        return Problem(431, "header-too-large", says, do="send less").response
    return Problem(400, "bad-request", "this is not a request of HTTP/1.1", do="see RFC 9112").response
