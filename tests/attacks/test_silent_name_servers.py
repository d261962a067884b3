"""evil verifies many domains, then lets their name servers be silent: the daily check of everybody else's waits.

What worked: domains were asked for one after the other, ten seconds each; a thousand took three hours, in every round.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gatepost.admin.directory import domains, tenants, verification
from gatepost.admin.directory.ownership import record_name, record_value
from gatepost.queue.next_hop import DnsProblem
from gatepost.store.directory.editor import SqliteDirectoryEditor

AT = datetime(2026, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


class Silence:
    """Name servers of evil's that answer nothing until contoso's have been asked."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked = asyncio.Event()

    async def txt(self, name: str) -> tuple[str, ...] | DnsProblem:
        if name == "_gatepost.contoso.com":
            self.asked.set()
            return ()
        await self.asked.wait()
        return DnsProblem(permanent=False, status="4.4.3", why=f"no name server answered about {name} TXT in time")


class Zone(Silence):
    async def txt(self, name: str) -> tuple[str, ...] | DnsProblem:
        return (self.known[name],)


async def checked(editor: SqliteDirectoryEditor, known: dict[str, str]) -> list[tuple[str, str]]:
    for at, (name, tenant) in enumerate([*((f"d{number}.example", "evil") for number in range(40)), OWN]):
        await verification.verify(editor, Zone(known), name, AT + timedelta(seconds=at), tenant)
    lookup = verification.recheck(editor, Silence(known), AT + 2 * DAY, timedelta(days=7))
    events = await asyncio.wait_for(lookup, 30)
    return [(event.domain, event.kind) for event in events if event.tenant == "contoso"]


OWN = ("contoso.com", "contoso")


def test_silence_about_one_tenants_domains_puts_off_nobody_elses_check(tmp_path: Path) -> None:
    editor = SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="tester", clock=lambda: AT)
    known = {}
    for tenant, names in (("evil", [f"d{number}.example" for number in range(40)]), ("contoso", ["contoso.com"])):
        tenants.add(editor, tenant, AT)
        for name in names:
            domain = domains.add(editor, tenant, name, match_subdomains=False, verified=False, at=AT).domain
            known[record_name(name)] = record_value(domain)
    assert asyncio.run(checked(editor, known)) == [("contoso.com", "lost")]
    editor.close()
