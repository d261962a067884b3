"""A session is told of while it goes on where that matters, and once when it ends."""

import asyncio
from pathlib import Path

from gatepost.receiving.account import SessionAccount
from gatepost.receiving.session_report import SessionReport
from receiving.relay_side import CONTOSO, STRANGER, Relay, Session, relay


def report(opened: Relay, session: Session, told: list[SessionAccount]) -> SessionReport:
    return SessionReport(
        "08DD34FA3086278D", "main", opened.now, lambda: opened.now, session.acceptance, None, told.append
    )


def test_a_refusal_is_told_at_once_and_what_was_taken_when_the_session_is_long(tmp_path: Path) -> None:
    async def story() -> None:
        async with relay(tmp_path) as opened:
            for address, sender, at_once in ((STRANGER, "x@outside.example", 1), (CONTOSO, "ann@contoso.com", 0)):
                session, told = opened.session(address), list[SessionAccount]()
                found = report(opened, session, told)
                session.mail(sender)
                session.recipient("eve@elsewhere.example")
                found.so_far(session.peer, opened.now)
                assert len(told) == at_once
                found.so_far(session.peer, opened.now + 1)
                assert (len(told), told[0].why) == (1, "")

    asyncio.run(story())


def test_the_end_is_told_once_and_nothing_after(tmp_path: Path) -> None:
    async def story() -> None:
        async with relay(tmp_path) as opened:
            session, told = opened.session(), list[SessionAccount]()
            found = report(opened, session, told)
            await session.message("ann@contoso.com", "bob@outside.example")
            found.end(session.peer, "QUIT")
            found.end(session.peer, "Remote")
            found.so_far(session.peer, opened.now + 10)
            assert [account.why for account in told] == ["QUIT"]
            assert told[0].transactions[0].queue_id is not None

    asyncio.run(story())
