"""Every hour: domains whose day is over, and claims that nobody proved."""

import asyncio
from contextlib import nullcontext
from datetime import datetime, timedelta

from gatepost.admin.directory import domains
from gatepost.admin.directory.verification import TxtAnswer, VerificationRounds
from gatepost.queue.store import StoreUnavailable
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor


class Empty:
    """A DNS that shows nothing."""

    async def txt(self, name: str) -> TxtAnswer:
        return ()


class Events:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def emit(self, event: str, /, **fields: object) -> None:
        self.told.append((event, str(fields["problem"])))


def rounds(open_editor, events: Events) -> VerificationRounds:
    return VerificationRounds(open_editor, Empty(), events, grace=timedelta(days=7), claim=timedelta(days=30))


def test_a_claim_that_nobody_proved_lapses_and_is_told(editor: Editor, at: datetime) -> None:
    domains.add(editor, "contoso", "contoso.com", match_subdomains=False, verified=False, at=at)
    domains.add(editor, "fabrikam", "fabrikam.com", match_subdomains=False, verified=True, at=at)
    events = Events()
    go = rounds(lambda: nullcontext(editor), events).go
    asyncio.run(go(at + timedelta(days=29)))
    assert events.told == []
    asyncio.run(go(at + timedelta(days=31)))
    ((event, problem),) = events.told
    assert event == "domain-verification" and "contoso.com" in problem
    assert [each.domain for each in editor.all_domains()] == ["fabrikam.com"]


def test_a_directory_that_cannot_be_used_is_told_and_no_end_of_the_rounds(at: datetime) -> None:
    def broken():
        raise StoreUnavailable("the disk is gone")

    events = Events()
    asyncio.run(rounds(broken, events).go(at))
    assert events.told == [("store-unavailable", "the disk is gone")]
