"""The forecast as a process of its own, and the notices that come of it.

Looking at every connector takes seconds where there are many, so a worker starts `python -m gatepost.app.forecasting`,
which gets the configuration as the worker has it and writes what it foresees to standard output. Law: a notice is
remembered as told when its message is on stable storage; a crash in between tells it twice rather than never.
"""

import asyncio
import pickle
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from gatepost.admin.forecast.forecast import ForecastCode, ForecastItem
from gatepost.admin.forecast.notices import Notice, notices
from gatepost.app import open_editor
from gatepost.app.child import run_module
from gatepost.app.own_credentials import foreseen
from gatepost.config import Config, parse
from gatepost.logs.event_log import EventLog
from gatepost.logs.sent_notices import SentNotices
from gatepost.queue.store import StoreError

_EVERY_S = 3600.0
_FIRST_AFTER_S = 5.0
"""A relay that has just started has better to do."""
_LONGEST_S = 1800.0

OWN_CREDENTIALS = frozenset(
    {
        ForecastCode.OWN_CERTIFICATE_EXPIRES,
        ForecastCode.TRUST_ANCHOR_EXPIRES,
        ForecastCode.TOKEN_EXPIRES,
        ForecastCode.RENEWAL_STUCK,
    }
)
"""What is told to postmaster where its tenant has no contact."""

Foreseen = tuple[list[ForecastItem], dict[str, str]]
"""Prospects of whom somebody is to be told, and the mailbox for each tenant; for "", the server itself."""


def foresee(config: Config, at: datetime) -> Foreseen:
    editor = open_editor(config)
    try:
        contacts = {each.name: each.contact for each in editor.all_tenants() if each.contact}
        if not contacts and not config.postmaster:
            return [], {}
        found = foreseen(config, editor, at)
        if config.postmaster is None:
            return [each for each in found if each.tenant in contacts], contacts
        to_postmaster = {each.tenant for each in found if each.code in OWN_CREDENTIALS} - contacts.keys()
        told = [each for each in found if each.tenant in contacts or each.code in OWN_CREDENTIALS]
        return told, {**contacts, **dict.fromkeys(to_postmaster, config.postmaster)}
    finally:
        editor.close()


class NoticeRounds:
    """Every hour: what is new is told."""

    def __init__(self, config: Config, keep: Callable[[Notice], Awaitable[str]], events: EventLog) -> None:
        """`keep` stores a notice's message and returns its queue id."""
        self._config = config
        self._keep = keep
        self._events = events
        self._told = SentNotices(config.notices_file)

    async def run(self) -> None:
        pause = _FIRST_AFTER_S
        while True:
            await asyncio.sleep(pause)
            pause = _EVERY_S
            try:
                await self.go()
            except (StoreError, OSError) as error:
                self._events.emit("store-unavailable", problem=str(error))

    async def go(self) -> None:
        prospects, contacts = await self._foreseen()
        at = datetime.now(UTC)
        for notice in notices(prospects, contacts, self._told.all(), at, self._config.hostname):
            queue_id = await self._keep(notice)
            self._told.remember(notice.keys, at)
            self._events.emit(
                "notice-sent",
                tenant=notice.tenant,
                contact=notice.contact,
                queue_id=queue_id,
                prospects=", ".join(sorted({code for _, code, *_ in notice.keys})),
            )

    async def _foreseen(self) -> Foreseen:
        try:
            ended = await run_module("gatepost.app.forecasting", self._config, _LONGEST_S)
        except TimeoutError:
            raise StoreError(
                f"the forecast did not end within {_LONGEST_S:.0f} s; it is tried again in an hour"
            ) from None
        if ended.exit_code:
            why = ended.errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise StoreError(f"the forecast failed: {''.join(why)}; it is tried again in an hour")
        found: Foreseen = pickle.loads(ended.output)
        return found


def main(file: str) -> int:
    try:
        foreseen = foresee(parse(Path(file), sys.stdin.read()), datetime.now(UTC))
    except StoreError as error:
        print(f"gatepost: forecast: {error}", file=sys.stderr)  # noqa: T201 - the only face this process has
        return 1
    pickle.dump(foreseen, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
