"""What a change of the directory would do to sessions that were: it is made, they are judged, it is undone.

    sessions ─▶ judged ─▶ the change, in a transaction ─▶ judged again ─▶ undone ─▶ what differs

Laws: the change is made by the use case that saves it, so that what a trial permits can be saved; the verdict is
`explain`'s; nothing of a trial stays, and it is asked for on the whole directory only by an operator.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.inbound_connectors import SavedInbound
from gatepost.admin.repair.replayed import Replayed
from gatepost.admin.sessions.explain import Relay, explain, most_telling
from gatepost.tenancy.directory import Directory


class Judging(Protocol):
    def relay(self, listener: str, directory: Directory) -> AbstractContextManager[Relay]:
        """As that listener judges."""


class Verdict(NamedTuple):
    outcome: str
    reason: str | None
    tenant: str | None
    connector: str | None
    basis: str | None
    reply: str

    @property
    def decides(self) -> tuple[str | None, ...]:
        return self[:5]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """On one session."""

    session: Replayed
    before: Verdict
    after: Verdict

    @property
    def is_change(self) -> bool:
        return self.before.decides != self.after.decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    saved: SavedInbound
    """As it would be."""
    effects: Sequence[Effect]
    """In the order in which the sessions were given."""


class _Undone(Exception):
    """Ends the transaction of a trial."""


def trial(
    editor: DirectoryEditor,
    asked_of: Directory,
    judging: Judging,
    sessions: Sequence[Replayed],
    change: Callable[[], SavedInbound],
    at: datetime,
) -> Trial:
    """`asked_of`: the editor itself, or the part of it that the asker may know. Raises what `change` raises."""

    def verdicts() -> list[Verdict]:
        return [_judged(judging, asked_of, each, at) for each in sessions]

    before = verdicts()
    try:
        with editor.change():
            saved = change()
            after = verdicts()
            raise _Undone
    except _Undone:
        pairs = zip(sessions, before, after, strict=True)
        return Trial(saved=saved, effects=[Effect(session=each, before=old, after=new) for each, old, new in pairs])


def _judged(judging: Judging, directory: Directory, session: Replayed, at: datetime) -> Verdict:
    with judging.relay(session.listener, directory) as relay:
        answer = most_telling(explain(relay, session.question, at))
    found = answer.attribution
    return Verdict(
        outcome=found.outcome.value,
        reason=found.refusal.reason if found.refusal else None,
        tenant=found.tenant,
        connector=found.connector,
        basis=found.basis.value if found.basis else None,
        reply=str(answer.reply),
    )
