"""The write side of the directory.

Laws: a change and its audit entry are one transaction, so neither exists without the other; every change has a
version of its own; a change that changes nothing is none. Replaying the audit gives the directory (`checked_at` of
domains and `used_at` of tokens aside: that a check found nothing new is an observation, not a change; the hash of a
token's secret, which the audit does not show; and `claimed_at` of what waited for its proof when that was new). What an
operator does elsewhere, with the queue or the server, stands in the audit too, and has a version, but is no object of
the directory.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gatepost.store.directory.file import open_to_change, reporting
from gatepost.store.directory.listing import FROM, DirectoryListing
from gatepost.store.directory.people import SqlitePeople
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
from gatepost.store.directory.signing_keys import Seal, SqliteSigningKeys, seal_beside
from gatepost.tenancy.allowance import Allowance
from gatepost.tenancy.fields import Record, time_text
from gatepost.tenancy.one_time_address import OneTimeAddress, one_time_address_record
from gatepost.tenancy.proof import Proof, proof_record
from gatepost.tenancy.record import (
    domain_record,
    inbound_connector_record,
    send_connector_record,
    tenant_record,
    token_record,
)
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, Tenant
from gatepost.tenancy.token import Token


def _now() -> datetime:
    return datetime.now(UTC)


_LEAST_ENTRY = 200
"""Octets of an entry of the audit besides what was and what is, with its places in the indexes."""


class SqliteDirectoryEditor(DirectoryListing):
    """`admin.directory_editor.DirectoryEditor` over the directory file, on behalf of `who` at `address`."""

    def __init__(
        self,
        path: Path,
        *,
        who: str,
        address: str | None = None,
        allowance: Allowance = Allowance(),  # noqa: B008 - a frozen value
        clock: Callable[[], datetime] = _now,
        patience_s: float = 5.0,
    ) -> None:
        super().__init__(path, open_to_change(path, patience_s))
        self.allowance = allowance
        self.audited_octets = 0
        self._who = f"{who}{FROM}{address}" if address else who
        self._clock = clock
        self.people = SqlitePeople(self._rows, self.change, self._record_change)
        self.signing_keys = SqliteSigningKeys(self._rows, self.change, self._record_change, Seal(seal_beside(path)))

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Everything read and written inside is one transaction; an exception undoes it. May be nested."""
        if self._connection.in_transaction:
            yield
            return
        with reporting(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with reporting(self._path):
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def put_tenant(self, tenant: Tenant, action: str) -> None:
        with self.change():
            existing = self.tenant(tenant.name)
            before = tenant_record(existing) if existing else None
            after = tenant_record(tenant)
            if before != after:
                self._rows(PUT_TENANT, tenant.name, text_of(after))
                self._record_change(action, f"tenant {tenant.name}", before, after)

    def remove_tenant(self, tenant: Tenant) -> None:
        with self.change():
            for person in self.people.every(tenant.name):
                self.people.remove(person)
            self.people.forget_tenant(tenant.name)
            for key in self.signing_keys.every(tenant.name):
                self.signing_keys.remove(key)
            self._rows("DELETE FROM tenant WHERE name = ?", tenant.name)
            self._record_change("remove", f"tenant {tenant.name}", tenant_record(tenant), None)

    def put_domain(self, domain: AcceptedDomain, action: str) -> None:
        with self.change():
            existing = self.accepted_domain(domain.domain, domain.tenant)
            before = domain_record(existing) if existing else None
            after = domain_record(domain)
            if before != after:
                self._write_domain(domain)
                self._record_change(action, f"domain {domain.domain}", before, after)

    def note_domain_checked(self, domain: AcceptedDomain, at: datetime) -> None:
        """The check found nothing new: remembered, but no change of the directory."""
        with self.change():
            self._write_domain(replace(domain, checked_at=at))

    def remove_domain(self, domain: AcceptedDomain, action: str = "remove") -> None:
        with self.change():
            for key in self.signing_keys.every(domain.tenant, domain.domain):
                self.signing_keys.remove(key)
            self._rows("DELETE FROM accepted_domain WHERE domain = ? AND tenant = ?", domain.domain, domain.tenant)
            self._record_change(action, f"domain {domain.domain}", domain_record(domain), None)

    def put_inbound_connector(self, connector: InboundConnector, action: str) -> None:
        with self.change():
            connector = self._with_proofs(connector)
            existing = self.inbound_connector(connector.tenant, connector.name)
            before = inbound_connector_record(existing) if existing else None
            after = inbound_connector_record(connector)
            if before != after:
                self._write_inbound_connector(connector)
                self._record_change(action, f"inbound-connector {connector.label}", before, after)

    def remove_inbound_connector(self, connector: InboundConnector) -> None:
        with self.change():
            self._rows("DELETE FROM inbound_connector WHERE tenant = ? AND name = ?", connector.tenant, connector.name)
            before = inbound_connector_record(connector)
            self._record_change("remove", f"inbound-connector {connector.label}", before, None)

    def put_send_connector(self, connector: SendConnector, action: str) -> None:
        with self.change():
            existing = self.send_connector(connector.name)
            before = send_connector_record(existing) if existing else None
            after = send_connector_record(connector)
            if before != after:
                self._write_send_connector(connector, after)
                self._record_change(action, f"send-connector {connector.name}", before, after)

    def remove_send_connector(self, connector: SendConnector) -> None:
        with self.change():
            self._rows("DELETE FROM send_connector WHERE name = ?", connector.name)
            self._record_change("remove", f"send-connector {connector.name}", send_connector_record(connector), None)

    def put_token(self, token: Token, action: str) -> None:
        with self.change():
            existing = self.token(token.id)
            self._write_token(token)
            before = token_record(existing) if existing else None
            self._record_change(action, f"token {token.id}", before, token_record(token))

    def note_token_used(self, token: Token, at: datetime) -> None:
        """Remembered, but no change of the directory."""
        with self.change():
            if existing := self.token(token.id):
                self._write_token(replace(existing, used_at=at))

    def remove_token(self, token: Token) -> None:
        with self.change():
            self._rows("DELETE FROM token WHERE id = ?", token.id)
            self._record_change("remove", f"token {token.id}", token_record(token), None)

    def note(self, action: str, subject: str, said: Record) -> None:
        """Audit what was done elsewhere; `said` names the tenant that it concerns, if any."""
        with self.change():
            self._record_change(action, subject, None, said)

    def make_one_time_address(self, one_time_address: OneTimeAddress) -> None:
        """Audited without the secret that its address is."""
        with self.change():
            self._rows(
                "INSERT INTO appointment VALUES (?, ?, ?, ?, ?, ?, ?)",
                one_time_address.id,
                one_time_address.local_part,
                one_time_address.tenant,
                one_time_address.purpose.value,
                one_time_address.expires_at.timestamp(),
                one_time_address.seen is not None,
                text_of(one_time_address_record(one_time_address)),
            )
            made: Record = {"tenant": one_time_address.tenant, "expires_at": time_text(one_time_address.expires_at)}
            subject = f"{one_time_address.purpose} {one_time_address.tenant}/{one_time_address.id}"
            self._record_change("add", subject, None, made)

    def keep_one_time_address(self, one_time_address: OneTimeAddress) -> bool:
        """Store what was seen; False when somebody has been seen there already."""
        with self.change():
            return bool(
                self._rows(
                    "UPDATE appointment SET seen = 1, definition = ? WHERE id = ? AND NOT seen RETURNING 1",
                    text_of(one_time_address_record(one_time_address)),
                    one_time_address.id,
                )
            )

    def note_refused(self, one_time_address: OneTimeAddress) -> None:
        """Remember a session that proved nothing, as long as none has been seen that did; no change."""
        with self.change():
            noted = "UPDATE appointment SET definition = ? WHERE id = ? AND NOT seen"
            self._rows(noted, text_of(one_time_address_record(one_time_address)), one_time_address.id)

    def forget_one_time_addresses(self, before: datetime) -> None:
        """Those that expired before."""
        with self.change():
            self._rows("DELETE FROM appointment WHERE expires_at < ?", before.timestamp())

    def proven(self, tenant: str, pins: Sequence[str]) -> frozenset[str]:
        """Those of `pins` that the tenant has proven, in a way that counts."""
        at = self._clock()
        return frozenset(pin for pin in pins if (proof := self.proof(tenant, pin)) and proof.counts(at))

    def put_proof(self, proof: Proof) -> None:
        """The first proof of a pin stands, as long as it counts."""
        with self.change():
            for pin in sorted(proof.pins - self.proven(proof.tenant, sorted(proof.pins))):
                before = self.proof(proof.tenant, pin)
                self._rows("REPLACE INTO proof VALUES (?, ?, ?)", proof.tenant, pin, text_of(proof_record(proof)))
                replaced = proof_record(before) if before else None
                self._record_change("prove", f"pin {proof.tenant}/{pin}", replaced, proof_record(proof))

    def remove_proof(self, proof: Proof, pin: str) -> None:
        with self.change():
            self._rows("DELETE FROM proof WHERE tenant = ? AND sha256 = ?", proof.tenant, pin)
            self._record_change("take-back", f"pin {proof.tenant}/{pin}", proof_record(proof), None)

    def _write_token(self, token: Token) -> None:
        self._rows(
            "INSERT INTO token VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition",
            token.id,
            token.tenant,
            token.secret_sha256,
            text_of(token_record(token)),
        )

    def _write_domain(self, domain: AcceptedDomain) -> None:
        self._rows(PUT_DOMAIN, *domain_row(domain))

    def _write_inbound_connector(self, connector: InboundConnector) -> None:
        ((row_id,),) = self._rows(
            "INSERT INTO inbound_connector (tenant, name, live_partner, definition) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET live_partner = excluded.live_partner, definition = excluded.definition"
            " RETURNING id",
            connector.tenant,
            connector.name,
            is_live_partner(connector),
            text_of(stored_connector_record(connector)),
        )
        for table in INDEXES:
            self._rows(f"DELETE FROM {table} WHERE connector = ?", row_id)
        for table, rows in index_rows(connector, row_id):
            for row in rows:
                self._rows(insert_into(table), *row)

    def _write_send_connector(self, connector: SendConnector, record: Record) -> None:
        self._rows(
            "INSERT INTO send_connector VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET tenant = excluded.tenant,"
            " enabled = excluded.enabled, definition = excluded.definition",
            connector.name,
            connector.tenant,
            connector.enabled,
            text_of(record),
        )
        self._rows("DELETE FROM address_space WHERE send_connector = ?", connector.name)
        for space in {each.space for each in connector.address_spaces}:
            self._rows("INSERT INTO address_space VALUES (?, ?, ?)", connector.tenant or "", space, connector.name)

    def _record_change(self, action: str, subject: str, before: Record | None, after: Record | None) -> None:
        ((version,),) = self._rows("UPDATE directory SET version = version + 1 RETURNING version")
        was, becomes = before and text_of(before), after and text_of(after)
        self.audited_octets += _LEAST_ENTRY + sum(len(text.encode()) for text in (was, becomes) if text)
        self._rows(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            version,
            self._clock().timestamp(),
            self._who,
            action,
            subject,
            was,
            becomes,
            concerned(subject, after or before or {}),
        )


def concerned(subject: str, record: Record) -> str | None:
    """The tenant whose object was changed; None where it is the server's own."""
    tenant = record["name"] if subject.startswith("tenant ") else record.get("tenant")
    return str(tenant) if tenant else None
