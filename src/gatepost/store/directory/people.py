"""People in the directory file, their sessions of the console, and what they did there.

Laws: what is done to a person or a passkey is a change of the directory, audited without secrets; a session, an
activity and a used ticket are none: they come with every look, and no worker need hear of them.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.tenancy.fields import Record, time_text
from gatepost.tenancy.person import Activity, ActivityFilter, Identity, Passkey, Person, SignedIn
from gatepost.tenancy.record import person_from, person_record

_COLUMNS: Final = "SELECT definition, password, link_sha256 FROM person"
_PASSKEY: Final = "SELECT id, person, public_key, sign_count, label, created_at, used_at FROM passkey"
_SESSION: Final = "SELECT secret_sha256, person, address, begun_at, used_at FROM console_session"


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

    def with_identity(self, identity: Identity) -> Person | None:
        return self._one(f"{_COLUMNS} WHERE issuer = ? AND subject = ?", identity.issuer, identity.subject)

    def every(self, tenant: str | None = None) -> Sequence[Person]:
        of_tenant = f"{_COLUMNS} WHERE ? IS NULL OR tenant = ? ORDER BY tenant, name"
        return [_person(row) for row in self._rows(of_tenant, tenant, tenant)]

    def put(self, person: Person, action: str) -> None:
        with self._change():
            existing = self.named(person.name)
            before = person_record(existing) if existing else None
            self._rows(
                "INSERT INTO person (name, tenant, password, link_sha256, definition, issuer, subject)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET tenant = excluded.tenant,"
                " password = excluded.password, link_sha256 = excluded.link_sha256, definition = excluded.definition,"
                " issuer = excluded.issuer, subject = excluded.subject",
                person.name,
                person.tenant,
                person.password,
                person.link_sha256,
                json.dumps(person_record(person)),
                person.identity and person.identity.issuer,
                person.identity and person.identity.subject,
            )
            self._audit(action, f"person {person.name}", before, person_record(person))

    def remove(self, person: Person) -> None:
        with self._change():
            self._rows("DELETE FROM person WHERE name = ?", person.name)
            self._audit("remove", f"person {person.name}", person_record(person), None)

    # Sessions

    def signed_in(self, secret_sha256: str) -> SignedIn | None:
        return next(map(_session, self._rows(f"{_SESSION} WHERE secret_sha256 = ?", secret_sha256)), None)

    def sessions_of(self, person: str) -> Sequence[SignedIn]:
        return [*map(_session, self._rows(f"{_SESSION} WHERE person = ? ORDER BY used_at DESC", person))]

    def keep_session(self, session: SignedIn) -> None:
        with self._change():
            self._rows(
                "INSERT INTO console_session VALUES (?, ?, ?, ?, ?)",
                session.secret_sha256,
                session.person,
                session.address,
                session.begun_at.timestamp(),
                session.used_at.timestamp(),
            )

    def note_session_used(self, session: SignedIn) -> None:
        with self._change():
            update = "UPDATE console_session SET used_at = ? WHERE secret_sha256 = ?"
            self._rows(update, session.used_at.timestamp(), session.secret_sha256)

    def end_session(self, secret_sha256: str) -> None:
        with self._change():
            self._rows("DELETE FROM console_session WHERE secret_sha256 = ?", secret_sha256)

    def end_sessions_of(self, person: str) -> None:
        with self._change():
            self._rows("DELETE FROM console_session WHERE person = ?", person)

    # Passkeys

    def passkey(self, id: str) -> Passkey | None:
        return next(map(_passkey, self._rows(f"{_PASSKEY} WHERE id = ?", id)), None)

    def passkeys_of(self, person: str) -> Sequence[Passkey]:
        return [*map(_passkey, self._rows(f"{_PASSKEY} WHERE person = ? ORDER BY created_at", person))]

    def put_passkey(self, passkey: Passkey) -> None:
        with self._change():
            self._rows(
                "INSERT INTO passkey (id, person, public_key, sign_count, label, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                passkey.id,
                passkey.person,
                passkey.public_key,
                passkey.sign_count,
                passkey.label,
                passkey.created_at.timestamp(),
            )
            self._audit("add-passkey", f"person {passkey.person}", None, self._audited(passkey))

    def note_passkey_used(self, passkey: Passkey) -> None:
        with self._change():
            used_at = passkey.used_at and passkey.used_at.timestamp()
            update = "UPDATE passkey SET sign_count = ?, used_at = ? WHERE id = ?"
            self._rows(update, passkey.sign_count, used_at, passkey.id)

    def remove_passkey(self, passkey: Passkey) -> None:
        with self._change():
            self._rows("DELETE FROM passkey WHERE id = ?", passkey.id)
            self._audit("remove-passkey", f"person {passkey.person}", self._audited(passkey), None)

    def _audited(self, passkey: Passkey) -> Record:
        owner = self.named(passkey.person)
        return {
            "id": passkey.id,
            "tenant": owner and owner.tenant,
            "label": passkey.label,
            "created_at": time_text(passkey.created_at),
        }

    # Tickets

    def key(self) -> bytes:
        found = "SELECT secret FROM console_key"
        with self._change():
            if not self._rows(found):
                self._rows("INSERT INTO console_key VALUES (1, ?)", secrets.token_bytes(32))
            ((key,),) = self._rows(found)
            return bytes(key)

    def use_ticket(self, id: str, at: datetime) -> bool:
        with self._change():
            use = "INSERT INTO console_ticket VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1"
            return bool(self._rows(use, id, at.timestamp()))

    # Activities

    def note_activity(self, activity: Activity) -> None:
        with self._change():
            self._rows(
                "INSERT INTO activity (at, person, address, what, about, tenant)"
                " VALUES (?, ?, ?, ?, ?, (SELECT tenant FROM person WHERE name = ?))",
                activity.at.timestamp(),
                activity.person,
                activity.address,
                activity.what,
                activity.about,
                activity.person,
            )

    def activities(self, wanted: ActivityFilter, limit: int) -> Sequence[Activity]:
        conditions = [(condition, value) for condition, value in _conditions(wanted) if value is not None]
        where = " AND ".join(["1", *(condition for condition, _ in conditions)])
        newest = f"SELECT id, at, person, address, what, about FROM activity WHERE {where} ORDER BY id DESC LIMIT ?"
        return [
            Activity(id=id, at=_time(at), person=name, address=address, what=what, about=about)
            for id, at, name, address, what, about in self._rows(newest, *(value for _, value in conditions), limit)
        ]

    def forget_tenant(self, tenant: str) -> None:
        """What people of a tenant did that is removed is not shown to a later one of the name."""
        with self._change():
            self._rows("UPDATE activity SET tenant = NULL WHERE tenant = ?", tenant)

    def forget(self, sessions_before: datetime, activities_before: datetime) -> None:
        with self._change():
            self._rows("DELETE FROM console_session WHERE used_at < ?", sessions_before.timestamp())
            self._rows("DELETE FROM console_ticket WHERE used_at < ?", sessions_before.timestamp())
            self._rows("DELETE FROM activity WHERE at < ?", activities_before.timestamp())

    def _one(self, statement: str, *values: str) -> Person | None:
        return next((_person(row) for row in self._rows(statement, *values)), None)


def _person(row: tuple[str, str | None, str | None]) -> Person:
    definition, password, link_sha256 = row
    return person_from(json.loads(definition), password, link_sha256)


def _session(row: tuple[str, str, str, float, float]) -> SignedIn:
    sha256, person, address, begun_at, used_at = row
    return SignedIn(
        secret_sha256=sha256, person=person, address=address, begun_at=_time(begun_at), used_at=_time(used_at)
    )


def _passkey(row: tuple[str, str, bytes, int, str, float, float | None]) -> Passkey:
    id, person, public_key, sign_count, label, created_at, used_at = row
    return Passkey(
        id=id,
        person=person,
        public_key=public_key,
        sign_count=sign_count,
        label=label,
        created_at=_time(created_at),
        used_at=None if used_at is None else _time(used_at),
    )


def _conditions(wanted: ActivityFilter) -> Sequence[tuple[str, str | float | None]]:
    return [
        ("person = ?", wanted.person),
        ("tenant = ?", wanted.tenant),
        ("instr(lower(what || ' ' || about), lower(?))", wanted.what),
        ("at >= ?", wanted.since.timestamp() if wanted.since else None),
        ("at < ?", wanted.until.timestamp() if wanted.until else None),
        ("id < ?", wanted.before),
    ]


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
