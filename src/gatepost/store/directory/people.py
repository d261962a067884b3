"""People in the directory file, their sessions of the console, and what they did there.

Laws: what is done to a person is a change of the directory, audited without secrets; a session and an activity are
none: they come with every look, and no worker need hear of them.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.tenancy.fields import Record
from gatepost.tenancy.person import Activity, Person, SignedIn
from gatepost.tenancy.record import person_from, person_record

_COLUMNS: Final = "SELECT definition, password, link_sha256 FROM person"


class SqlitePeople:
    """`admin.directory.editor.People`, through an editor's connection."""

    def __init__(
        self,
        rows: Callable[..., list[Any]],
        change: Callable[[], AbstractContextManager[None]],
        audit: Callable[[str, str, Record | None, Record | None], None],
    ) -> None:
        self._rows = rows
        self._change = change
        self._audit = audit

    def named(self, name: str) -> Person | None:
        return self._one(f"{_COLUMNS} WHERE name = ?", name)

    def with_link(self, sha256: str) -> Person | None:
        return self._one(f"{_COLUMNS} WHERE link_sha256 = ?", sha256)

    def every(self, tenant: str | None = None) -> Sequence[Person]:
        of_tenant = f"{_COLUMNS} WHERE ? IS NULL OR tenant = ? ORDER BY tenant, name"
        return [_person(row) for row in self._rows(of_tenant, tenant, tenant)]

    def put(self, person: Person, action: str) -> None:
        with self._change():
            existing = self.named(person.name)
            before = person_record(existing) if existing else None
            self._rows(
                "INSERT INTO person VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET password = excluded.password,"
                " link_sha256 = excluded.link_sha256, definition = excluded.definition",
                person.name,
                person.tenant,
                person.password,
                person.link_sha256,
                json.dumps(person_record(person)),
            )
            self._audit(action, f"person {person.name}", before, person_record(person))

    def remove(self, person: Person) -> None:
        with self._change():
            self._rows("DELETE FROM person WHERE name = ?", person.name)
            self._audit("remove", f"person {person.name}", person_record(person), None)

    # Sessions

    def signed_in(self, secret_sha256: str) -> SignedIn | None:
        found = "SELECT person, address, begun_at, used_at FROM console_session WHERE secret_sha256 = ?"
        for person, address, begun_at, used_at in self._rows(found, secret_sha256):
            return SignedIn(
                secret_sha256=secret_sha256,
                person=person,
                address=address,
                begun_at=_time(begun_at),
                used_at=_time(used_at),
            )
        return None

    def keep_session(self, session: SignedIn) -> None:
        with self._change():
            self._rows(
                "INSERT INTO console_session VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET used_at = excluded.used_at",
                session.secret_sha256,
                session.person,
                session.address,
                session.begun_at.timestamp(),
                session.used_at.timestamp(),
            )

    def end_session(self, secret_sha256: str) -> None:
        with self._change():
            self._rows("DELETE FROM console_session WHERE secret_sha256 = ?", secret_sha256)

    def end_sessions_of(self, person: str) -> None:
        with self._change():
            self._rows("DELETE FROM console_session WHERE person = ?", person)

    # Activities

    def note_activity(self, activity: Activity) -> None:
        with self._change():
            self._rows(
                "INSERT INTO activity (at, person, address, what, about) VALUES (?, ?, ?, ?, ?)",
                activity.at.timestamp(),
                activity.person,
                activity.address,
                activity.what,
                activity.about,
            )

    def activities(self, person: str | None, limit: int) -> Sequence[Activity]:
        newest = (
            "SELECT at, person, address, what, about FROM activity WHERE ? IS NULL OR person = ?"
            " ORDER BY id DESC LIMIT ?"
        )
        return [
            Activity(at=_time(at), person=name, address=address, what=what, about=about)
            for at, name, address, what, about in self._rows(newest, person, person, limit)
        ]

    def forget(self, sessions_before: datetime, activities_before: datetime) -> None:
        with self._change():
            self._rows("DELETE FROM console_session WHERE used_at < ?", sessions_before.timestamp())
            self._rows("DELETE FROM activity WHERE at < ?", activities_before.timestamp())

    def _one(self, statement: str, value: str) -> Person | None:
        return next((_person(row) for row in self._rows(statement, value)), None)


def _person(row: tuple[str, str | None, str | None]) -> Person:
    definition, password, link_sha256 = row
    return person_from(json.loads(definition), password, link_sha256)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
