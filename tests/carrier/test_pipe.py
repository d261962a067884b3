"""Octets both ways: what belongs together leaves together, and nothing leaves in the clear once TLS began."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from gatepost.carrier.pipe import Pipe, endpoint


@dataclass
class Wire:
    """A transport that writes down what it is given."""

    writes: list[bytes] = field(default_factory=list)
    unsent: int = 0
    reading: bool = True
    ended: str = ""

    def write(self, octets: bytes) -> None:
        self.writes.append(octets)

    def is_closing(self) -> bool:
        return bool(self.ended)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Rot:
    """TLS whose records are upper case, whose handshake is `HELLO`, and whose end is `BYE`."""

    def __init__(self) -> None:
        self.established = self.ended = False
        self.failure: str | None = None
        self._out = b""

    def feed(self, ciphertext: bytes) -> bytes:
        if ciphertext == b"HELLO":
            self.established, self._out = True, self._out + b"FINISHED"
            return b""
        if ciphertext == b"BROKEN":
            self.failure, self._out = "broken", self._out + b"ALERT"
            return b""
        if ciphertext == b"KEYUPDATE":
            self._out += b"UPDATED"
            return b""
        return ciphertext.lower()

    def write(self, plaintext: bytes) -> None:
        self._out += plaintext.upper()

    def take_ciphertext(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def close(self) -> None:
        self._out += b"BYE"


def pipe(wire: Wire, now: list[float] | None = None) -> Pipe[Rot]:
    clock = now or [0.0]
    return Pipe(wire, lambda: clock[0])  # type: ignore[arg-type]


def secured(wire: Wire) -> Pipe[Rot]:
    found = pipe(wire)
    found.start_tls(Rot())
    found.feed(b"HELLO")
    found.secured = True
    found.flush_ciphertext()
    wire.writes.clear()
    return found


def test_what_was_said_leaves_in_one_write() -> None:
    wire = Wire()
    found = pipe(wire)
    for line in (b"250 a\r\n", b"250 b\r\n"):
        found.say(line)
    assert wire.writes == []
    found.flush()
    found.flush()
    assert wire.writes == [b"250 a\r\n250 b\r\n"]


def test_what_was_said_before_tls_leaves_in_the_clear_before_the_handshake() -> None:
    wire = Wire()
    found = pipe(wire)
    found.say(b"220 go ahead\r\n")
    found.start_tls(Rot())
    assert wire.writes == [b"220 go ahead\r\n"] and found.shakes_hands


def test_each_step_of_the_handshake_leaves_at_once_and_the_last_when_the_side_says_so() -> None:
    wire = Wire()
    found = pipe(wire)
    found.start_tls(Rot())
    assert found.feed(b"BROKEN") == b"" and wire.writes == [b"ALERT"]
    found = pipe(wire := Wire())
    found.start_tls(Rot())
    found.feed(b"HELLO")
    assert wire.writes == []
    found.flush_ciphertext()
    assert wire.writes == [b"FINISHED"]


def test_under_tls_all_that_leaves_is_ciphertext_and_the_end_goes_with_the_last_words() -> None:
    wire = Wire()
    found = secured(wire)
    assert found.feed(b"NOOP") == b"noop" and wire.writes == []
    assert found.feed(b"KEYUPDATE") == b"" and wire.writes == [b"UPDATED"]
    found.write(b"250 ok")
    found.say(b"221 bye")
    found.say_goodbye()
    assert wire.writes == [b"UPDATED", b"250 OK", b"221 BYEBYE"]


@pytest.mark.parametrize(("unsent", "ended"), [(0, "closed"), (1, "aborted")])
def test_what_is_not_read_keeps_no_socket_open(unsent: int, ended: str) -> None:
    wire = Wire(unsent=unsent)
    secured(wire).hang_up(politely=True)
    assert (wire.writes, wire.ended) == ([b"BYE"], ended)


def test_a_pause_lasts_until_the_resume_and_tells_how_long() -> None:
    wire, clock = Wire(), [1.0]
    found = pipe(wire, clock)
    assert found.resume() == 0.0
    found.pause()
    clock[0] = 3.0
    found.pause()
    assert not wire.reading
    assert (found.resume(), wire.reading, found.resume()) == (2.0, True, 0.0)


@pytest.mark.parametrize(
    ("name", "written"),
    [(("192.0.2.1", 25), "192.0.2.1:25"), (("2001:db8::1", 25, 0, 0), "[2001:db8::1]:25"), (None, "")],
)
def test_endpoints_are_written_as_the_log_has_them(name: Any, written: str) -> None:
    assert endpoint(name) == written
