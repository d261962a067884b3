"""Many objects of the directory at once: read and written by the thousand, in one statement a table.

Laws are those of the editor: an audit entry and a version for every change, in the transaction of the change. One
transaction may hold a million changes: what it has written and memory cannot hold lies in the write-ahead log, where
readers do not see it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.directory.file import reporting
from gatepost.store.directory.listing import OWNED
from gatepost.store.directory.rows import (
    INDEXES,
    PUT_DOMAIN,
    PUT_TENANT,
    domain_row,
    index_rows,
    insert_into,
    is_live_partner,
    stored_connector_record,
    text_of,
)
from gatepost.tenancy.allowance import Allowance, Owned
from gatepost.tenancy.fields import ReadRecord
from gatepost.tenancy.record import domain_from, domain_record, tenant_from, tenant_record
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, Tenant

_T = TypeVar("_T")

_CACHE_KIB = 256 * 1024
"""Indexes are filled in no order: pages that leave memory too early are written again and again."""

_ACTION = "import"

# Questions come as a JSON array; `key` says which of them a row answers.
_TENANTS = "SELECT asked.key, definition FROM json_each(?) AS asked JOIN tenant ON name = asked.value"
_CLAIMS = (
    "SELECT asked.key, definition FROM json_each(?) AS asked"
    " JOIN accepted_domain ON domain = asked.value ->> 0 AND tenant = asked.value ->> 1"
)
_OWNERS = (
    "SELECT asked.key, definition FROM json_each(?) AS asked JOIN accepted_domain ON domain = asked.value AND verified"
)
_CONNECTORS = (
    "SELECT asked.key, definition FROM json_each(?) AS asked"
    " JOIN inbound_connector ON tenant = asked.value ->> 0 AND name = asked.value ->> 1"
)


class SqliteBulkEditor(SqliteDirectoryEditor):
    """`admin.directory_editor.BulkEditor` over the directory file."""

    def __init__(self, path: Path, *, who: str, allowance: Allowance = Allowance()) -> None:  # noqa: B008 - a frozen value
        super().__init__(path, who=who, allowance=allowance)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one version, whatever others change meanwhile; they are not hindered."""
        with reporting(self._path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def settle(self) -> None:
        """After a large change: give the room of the write-ahead log back, unless somebody reads just now."""
        with reporting(self._path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def counts(self, tenants: Sequence[str], owned: Owned, most: int) -> Sequence[int]:
        of_each = OWNED[owned].replace("?1", "asked.value")
        counted = f"SELECT (SELECT count(*) FROM (SELECT 1 FROM {of_each} LIMIT ?2)) FROM json_each(?1) AS asked"
        return [row[0] for row in self._rows(f"{counted} ORDER BY asked.key", json.dumps(tenants), most)]

    def stored_tenants(self, names: Sequence[str]) -> Sequence[Tenant | None]:
        return self._stored(_TENANTS, names, tenant_from)

    def stored_claims(self, keys: Sequence[tuple[str, str]]) -> Sequence[AcceptedDomain | None]:
        return self._stored(_CLAIMS, keys, domain_from)

    def stored_owners(self, domains: Sequence[str]) -> Sequence[AcceptedDomain | None]:
        return self._stored(_OWNERS, domains, domain_from)

    def stored_inbound_connectors(self, keys: Sequence[tuple[str, str]]) -> Sequence[InboundConnector | None]:
        return self._stored(_CONNECTORS, keys, self._connector_from)

    def write_tenants(self, changes: Sequence[tuple[Tenant | None, Tenant]]) -> None:
        with self.change():
            rows = [(after.name, text_of(tenant_record(after))) for _, after in changes]
            self._many(PUT_TENANT, rows)
            self._record_changes(
                (f"tenant {name}", text_of(tenant_record(before)) if before else None, text, name)
                for (before, _), (name, text) in zip(changes, rows, strict=True)
            )

    def write_domains(self, changes: Sequence[tuple[AcceptedDomain | None, AcceptedDomain]]) -> None:
        with self.change():
            rows = [domain_row(after) for _, after in changes]
            self._many(PUT_DOMAIN, rows)
            self._record_changes(
                (
                    f"domain {after.domain}",
                    text_of(domain_record(before)) if before else None,
                    str(row[-1]),
                    after.tenant,
                )
                for (before, after), row in zip(changes, rows, strict=True)
            )

    def write_inbound_connectors(self, changes: Sequence[tuple[InboundConnector | None, InboundConnector]]) -> None:
        with self.change():
            texts = [text_of(stored_connector_record(after)) for _, after in changes]
            self._insert_inbound_connectors(
                [(after, text) for (before, after), text in zip(changes, texts, strict=True) if before is None]
            )
            for before, after in changes:
                if before is not None:
                    self._write_inbound_connector(after)
            self._record_changes(
                (
                    f"inbound-connector {after.label}",
                    text_of(stored_connector_record(before)) if before else None,
                    text,
                    after.tenant,
                )
                for (before, after), text in zip(changes, texts, strict=True)
            )

    def _insert_inbound_connectors(self, connectors: Sequence[tuple[InboundConnector, str]]) -> None:
        ((last,),) = self._rows("SELECT coalesce(max(id), 0) FROM inbound_connector")
        numbered = [(row_id, each, text) for row_id, (each, text) in enumerate(connectors, last + 1)]
        self._many(
            "INSERT INTO inbound_connector (id, tenant, name, live_partner, definition) VALUES (?, ?, ?, ?, ?)",
            [(row_id, each.tenant, each.name, is_live_partner(each), text) for row_id, each, text in numbered],
        )
        indexed: dict[str, list[tuple[object, ...]]] = {index: [] for index in INDEXES}
        for row_id, each, _ in numbered:
            for index, rows in index_rows(each, row_id):
                indexed[index] += rows
        for index, rows in indexed.items():
            self._many(insert_into(index), rows)

    def _record_changes(self, changes: Iterator[tuple[str, str | None, str, str]]) -> None:
        """Each as (subject, before, after, tenant)."""
        found = list(changes)
        ((last,),) = self._rows("UPDATE directory SET version = version + ? RETURNING version", len(found))
        at, who = self._clock().timestamp(), self._who
        self._many(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (version, at, who, _ACTION, subject, before, after, tenant)
                for version, (subject, before, after, tenant) in enumerate(found, last - len(found) + 1)
            ],
        )

    def _stored(self, statement: str, asked: Sequence[object], read: Callable[[ReadRecord], _T]) -> list[_T | None]:
        found: list[_T | None] = [None] * len(asked)
        for key, definition in self._rows(statement, json.dumps(asked)):
            found[key] = read(json.loads(definition))
        return found

    def _many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with reporting(self._path):
            self._connection.executemany(statement, rows)
