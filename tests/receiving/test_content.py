"""The content of one message while it comes in: the trace first, then octets, and room that is given back."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

from gatepost.mail.trace import MOST_HOPS
from gatepost.receiving.content import MessageContent
from receiving.relay_side import CONTOSO, LETTER, MIB, Relay, relay

TRACE = b"Received: from a by b; Sun, 1 Mar 2026 00:00:00 +0000\r\n"


def content(opened: Relay) -> MessageContent:
    share = opened.services.unfinished.share("contoso", ip_address(CONTOSO))
    return MessageContent(opened.services.new_content(), share, TRACE)


def test_the_trace_comes_first_and_what_a_peer_sent_is_unchanged(tmp_path: Path) -> None:
    async def story() -> None:
        async with relay(tmp_path) as opened:
            found = content(opened)
            for octet in LETTER:
                found.take(bytes([octet]))
            finished = found.finish()
            assert b"".join(finished.chunks()) == TRACE + LETTER

    asyncio.run(story())


def test_what_grows_too_large_hears_so_and_gives_its_room_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with relay(tmp_path) as opened:
            found = content(opened)
            found.take(b"x" * (MIB // 2))
            assert found.why_no_room() is None
            found.take(b"x" * MIB)
            refusal = found.why_no_room()
            assert refusal is not None and refusal.code == 452
            found.discard()
            found.release()
            assert opened.unfinished.of("tenant contoso") == 0

    asyncio.run(story())


def test_trace_fields_are_counted_in_the_header_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with relay(tmp_path) as opened:
            looping, quoting = content(opened), content(opened)
            looping.take(TRACE * (MOST_HOPS + 1) + LETTER)
            quoting.take(LETTER + TRACE * (MOST_HOPS + 1))
            assert (looping.has_looped, quoting.has_looped) == (True, False)

    asyncio.run(story())


def test_fields_are_found_in_the_header_however_it_was_cut(tmp_path: Path) -> None:
    async def story() -> None:
        async with relay(tmp_path) as opened:
            letter = b"Subject: hello\r\nMessage-ID: <1@contoso.com>\r\n\r\nSubject: of another\r\n"
            for size in (1, 2, 3, 7, len(letter)):
                found = content(opened)
                for at in range(0, len(letter), size):
                    found.take(letter[at : at + size])
                assert (found.message_id, found.subject) == ("1@contoso.com", b" hello")

    asyncio.run(story())
