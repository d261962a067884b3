"""Signing keys watched over: their records looked for once a day, retired ones let go, and new ones made where a key
is to be changed regularly.

Laws: a record that is gone does not stop mail and is told at once; DNS that cannot say changes nothing; only a key that
was added with `--rotate` gets a successor, which signs as soon as DNS shows its record and never before.
"""

from asyncio import gather, sleep, to_thread
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.verification import Events, TxtLookup
from gatepost.admin.signing import keys
from gatepost.errors import Refused
from gatepost.queue.store import StoreError
from gatepost.tenancy.signing_key import IN_DNS, STAYS_FOR, KeyState, SigningKey, zone_line

_ROUND_EVERY_S: Final = 3600.0
_LOOK_EVERY: Final = timedelta(days=1)
_VERIFIED_WITHIN: Final = timedelta(days=2)
"""How long a receiver may take to verify what it was delivered at last."""
_ASKED_AT_ONCE: Final = 50


class KeyRounds:
    """Once an hour, for as long as the relay runs."""

    def __init__(
        self,
        open_editor: Callable[[], AbstractContextManager[DirectoryEditor]],
        lookup: TxtLookup,
        events: Events,
        hostname: str,
        longest_wait: timedelta,
    ) -> None:
        """`longest_wait`: how long mail may wait in the queue."""
        self._open_editor = open_editor
        self._lookup = lookup
        self._events = events
        self._hostname = hostname
        self._record_stays = max(STAYS_FOR, longest_wait + _VERIFIED_WITHIN)

    async def run(self) -> None:
        while True:
            await self.go(datetime.now(UTC))
            await sleep(_ROUND_EVERY_S)

    async def go(self, at: datetime) -> None:
        try:
            with self._open_editor() as editor:
                await self._look(editor, at)
                for key in editor.signing_keys.every():
                    await self._age(editor, key, at)
        except (StoreError, OSError) as error:
            self._events.emit("store-unavailable", problem=str(error))

    async def _look(self, editor: DirectoryEditor, at: datetime) -> None:
        watched = [key for key in editor.signing_keys.every() if _is_to_be_looked_for(key, at)]
        for first in range(0, len(watched), _ASKED_AT_ONCE):
            some = watched[first : first + _ASKED_AT_ONCE]
            for published in await gather(*(keys.look(self._lookup, key) for key in some)):
                self._judge(editor, published, at)

    def _judge(self, editor: DirectoryEditor, published: keys.Published, at: datetime) -> None:
        before = published.key
        after = keys.seen(editor, published, at)
        if after is None:
            return
        if after.missing_since and not before.missing_since:
            self._tell(after, f"DNS no longer shows its record: {published.why_not}; publish {zone_line(after)}")
        elif before.missing_since and not after.missing_since:
            self._tell(after, "DNS shows its record again")
        if after.state is KeyState.PENDING and after.rotate_days and published.why_not is None:
            self._activate(editor, published, at)

    def _activate(self, editor: DirectoryEditor, published: keys.Published, at: datetime) -> None:
        try:
            active, stopped = keys.activate(editor, published, at)
        except Refused:
            # Somebody has been busy with it at this moment; the next round sees what is left.
            return
        replaced = f" in the place of {', '.join(each.selector for each in stopped)}" if stopped else ""
        self._tell(active, f"it signs from now on{replaced}")

    async def _age(self, editor: DirectoryEditor, key: SigningKey, at: datetime) -> None:
        if key.state is KeyState.RETIRING and key.retired_at and at >= key.retired_at + self._record_stays:
            editor.signing_keys.put(replace(key, state=KeyState.RETIRED), "retire")
            self._tell(
                key, f"mail signed with it waits no more, unless it is held: remove the record {key.record_name}"
            )
        elif _is_due(key, at) and not _has_successor(editor.signing_keys.every(key.tenant or "", key.domain), key):
            await self._make_successor(editor, key, at)

    async def _make_successor(self, editor: DirectoryEditor, key: SigningKey, at: datetime) -> None:
        pair = await to_thread(keys.pair_for, key.algorithm, None)
        try:
            made = keys.add(
                editor,
                self._hostname,
                key.tenant or keys.OPERATOR,
                key.domain,
                selector=None,
                pair=pair,
                rotate_days=key.rotate_days,
                at=at,
            )
        except Refused as refused:
            self._tell(key, f"it is {key.rotate_days} days old, and no other can be made: {refused}")
        else:
            self._tell(made, f"it will take the place of {key.selector} once DNS shows it: publish {zone_line(made)}")

    def _tell(self, key: SigningKey, says: str) -> None:
        self._events.emit("signing-key", tenant=key.tenant, key=key.label, problem=says)


def _is_to_be_looked_for(key: SigningKey, at: datetime) -> bool:
    """One whose record is waited for at each round, the others once a day."""
    if key.state is KeyState.PENDING:
        return key.rotate_days is not None
    if key.state not in IN_DNS:
        return False
    return key.missing_since is not None or key.seen_at is None or at - key.seen_at >= _LOOK_EVERY


def _is_due(key: SigningKey, at: datetime) -> bool:
    return (
        key.state is KeyState.ACTIVE
        and key.rotate_days is not None
        and key.activated_at is not None
        and at >= key.activated_at + timedelta(days=key.rotate_days)
    )


def _has_successor(of_domain: Sequence[SigningKey], key: SigningKey) -> bool:
    return any(each.state is KeyState.PENDING and each.algorithm is key.algorithm for each in of_domain)
