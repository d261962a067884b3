"""The write side of the directory.

Laws: a change and its audit entry are one transaction, so neither exists without the other; every change has a
version of its own; a change that changes nothing is none. Replaying the audit gives the directory (`checked_at` of
domains and `used_at` of tokens aside: that a check found nothing new is an observation, not a change; the hash of a
token's secret, which the audit does not show; and `claimed_at` of what waited for its proof when that was new). What an
operator does elsewhere, with the queue or the server, stands in the audit too, and has a version, but is no object of
the directory.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gatepost.store.directory.file import open_to_change, reporting
from gatepost.store.directory.queries import DirectoryQueries, network_key, top_down
from gatepost.tenancy.allowance import Allowance, Owned
from gatepost.tenancy.appointment import Appointment, Purpose, appointment_from, appointment_record
from gatepost.tenancy.fields import Record, time_text
from gatepost.tenancy.proof import Proof, proof_from, proof_record
from gatepost.tenancy.record import (
    domain_from,
    domain_record,
    inbound_connector_record,
    send_connector_from,
    send_connector_record,
    tenant_from,
    tenant_record,
    token_from,
    token_record,
)
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    AuditEntry,
    ConnectorType,
    InboundConnector,
    SendConnector,
    Tenant,
)
from gatepost.tenancy.token import Token


def _now() -> datetime:
    return datetime.now(UTC)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

_LEAST_ENTRY = 200
"""Octets of an entry of the audit besides what was and what is, with its places in the indexes."""

_FROM = " from "
"""Between who and where, in one column."""

PUT_TENANT = "INSERT INTO tenant VALUES (?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition"
PUT_DOMAIN = (
    "INSERT INTO accepted_domain VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain, tenant) DO UPDATE SET"
    " verified = excluded.verified, last_check = excluded.last_check, claimed_at = excluded.claimed_at,"
    " definition = excluded.definition"
)


OWNED = {
    Owned.DOMAINS: "accepted_domain WHERE tenant = ?1",
    Owned.UNVERIFIED_DOMAINS: "accepted_domain WHERE tenant = ?1 AND NOT verified",
    Owned.INBOUND_CONNECTORS: "inbound_connector WHERE tenant = ?1",
    Owned.SEND_CONNECTORS: "send_connector WHERE tenant = ?1",
}


class SqliteDirectoryEditor(DirectoryQueries):
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
        self._who = f"{who}{_FROM}{address}" if address else who
        self._clock = clock

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

    def all_tenants(self, after: str = "") -> Iterator[Tenant]:
        return map(tenant_from, self._each("SELECT definition FROM tenant WHERE name > ? ORDER BY name", after))

    def all_domains(self, tenant: str | None = None, after: str = "") -> Iterator[AcceptedDomain]:
        if tenant is None:
            every = "SELECT definition FROM accepted_domain WHERE (domain, tenant) > (?, ?) ORDER BY domain, tenant"
            domain, _, owner = after.partition("/")
            return map(domain_from, self._each(every, domain, owner))
        of_tenant = "SELECT definition FROM accepted_domain WHERE tenant = ? AND domain > ? ORDER BY domain"
        return map(domain_from, self._each(of_tenant, tenant, after))

    def all_inbound_connectors(self, tenant: str | None = None, after: str = "") -> Iterator[InboundConnector]:
        if tenant is None:
            every = "SELECT definition FROM inbound_connector WHERE (tenant, name) > (?, ?) ORDER BY tenant, name"
            owner, _, name = after.partition("/")
            return map(self._connector_from, self._each(every, owner, name))
        of_tenant = "SELECT definition FROM inbound_connector WHERE tenant = ? AND name > ? ORDER BY name"
        return map(self._connector_from, self._each(of_tenant, tenant, after))

    def all_send_connectors(self, tenant: str | None = None, after: str = "") -> Iterator[SendConnector]:
        if tenant is None:
            every = "SELECT definition FROM send_connector WHERE name > ? ORDER BY name"
            return map(send_connector_from, self._each(every, after))
        of_tenant = "SELECT definition FROM send_connector WHERE tenant = ? AND name > ? ORDER BY name"
        return map(send_connector_from, self._each(of_tenant, tenant, after))

    def inbound_connector(self, tenant: str, name: str) -> InboundConnector | None:
        rows = self._rows("SELECT definition FROM inbound_connector WHERE tenant = ? AND name = ?", tenant, name)
        return self._connector_from(json.loads(rows[0][0])) if rows else None

    def send_connector(self, name: str) -> SendConnector | None:
        rows = self._rows("SELECT definition FROM send_connector WHERE name = ?", name)
        return send_connector_from(json.loads(rows[0][0])) if rows else None

    def domains_last_checked_before(self, at: datetime) -> Iterator[AcceptedDomain]:
        due = "SELECT definition FROM accepted_domain WHERE last_check < ? ORDER BY last_check"
        return map(domain_from, self._each(due, at.timestamp()))

    def count(self, tenant: str, owned: Owned, most: int) -> int:
        return int(self._rows(f"SELECT count(*) FROM (SELECT 1 FROM {OWNED[owned]} LIMIT ?2)", tenant, most)[0][0])

    def claims(self, domain: str) -> list[AcceptedDomain]:
        every = "SELECT definition FROM accepted_domain WHERE domain = ? ORDER BY verified DESC, tenant"
        return [domain_from(json.loads(definition)) for (definition,) in self._rows(every, domain)]

    def claims_made_before(self, at: datetime) -> Iterator[AcceptedDomain]:
        due = "SELECT definition FROM accepted_domain WHERE claimed_at < ? ORDER BY claimed_at"
        return map(domain_from, self._each(due, at.timestamp()))

    def tenant_names(self, like: str, limit: int) -> list[str]:
        """Up to `limit` names, those that begin as `like` does first: candidates for "did you mean"."""
        ordered = "SELECT name FROM tenant ORDER BY substr(name, 1, 1) = substr(?, 1, 1) DESC, name LIMIT ?"
        return [row[0] for row in self._rows(ordered, like, limit)]

    def token(self, id: str) -> Token | None:
        rows = self._rows("SELECT definition, secret_sha256 FROM token WHERE id = ?", id)
        return token_from(json.loads(rows[0][0]), rows[0][1]) if rows else None

    def all_tokens(self, tenant: str | None = None) -> Iterator[Token]:
        of_tenant = "SELECT definition, secret_sha256 FROM token WHERE ? IS NULL OR tenant = ? ORDER BY tenant, id"
        for definition, secret_sha256 in self._rows(of_tenant, tenant, tenant):
            yield token_from(json.loads(definition), secret_sha256)

    def audit(
        self,
        *,
        subject: str | None = None,
        tenant: str | None = None,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
    ) -> list[AuditEntry]:
        """Entries with a version above `after` and below `before`, newest first; `subject` may be the beginning of one;
        with `tenant`, those about it and what is its own."""
        rows = self._rows(
            "SELECT version, at, who, action, subject, before, after FROM audit"
            " WHERE version > ? AND (? IS NULL OR version < ?) AND (? IS NULL OR tenant = ?)"
            " AND (? IS NULL OR substr(subject, 1, length(?)) = ?) ORDER BY version DESC LIMIT ?",
            after,
            before,
            before,
            tenant,
            tenant,
            subject,
            subject,
            subject,
            limit,
        )
        return [_audit_entry(*row) for row in rows]

    def audit_entry(self, version: int) -> AuditEntry | None:
        row = "SELECT version, at, who, action, subject, before, after FROM audit WHERE version = ?"
        return next((_audit_entry(*each) for each in self._rows(row, version)), None)

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

    def appointment(self, id: str) -> Appointment | None:
        rows = self._rows("SELECT definition FROM appointment WHERE id = ?", id)
        return appointment_from(json.loads(rows[0][0])) if rows else None

    def appointments(self, tenant: str, purpose: Purpose) -> list[Appointment]:
        """The newest first."""
        of_tenant = "SELECT definition FROM appointment WHERE tenant = ? AND purpose = ? ORDER BY expires_at DESC"
        return [appointment_from(json.loads(row[0])) for row in self._rows(of_tenant, tenant, purpose)]

    def note(self, action: str, subject: str, said: Record) -> None:
        """Audit what was done elsewhere; `said` names the tenant that it concerns, if any."""
        with self.change():
            self._record_change(action, subject, None, said)

    def make_appointment(self, appointment: Appointment) -> None:
        """Audited without the secret that its address is."""
        with self.change():
            self._rows(
                "INSERT INTO appointment VALUES (?, ?, ?, ?, ?, ?, ?)",
                appointment.id,
                appointment.local_part,
                appointment.tenant,
                appointment.purpose.value,
                appointment.expires_at.timestamp(),
                appointment.seen is not None,
                text_of(appointment_record(appointment)),
            )
            made: Record = {"tenant": appointment.tenant, "expires_at": time_text(appointment.expires_at)}
            self._record_change("add", f"{appointment.purpose} {appointment.tenant}/{appointment.id}", None, made)

    def keep_appointment(self, appointment: Appointment) -> bool:
        """Store what was seen; False when somebody has been seen there already."""
        with self.change():
            return bool(
                self._rows(
                    "UPDATE appointment SET seen = 1, definition = ? WHERE id = ? AND NOT seen RETURNING 1",
                    text_of(appointment_record(appointment)),
                    appointment.id,
                )
            )

    def note_refused(self, appointment: Appointment) -> None:
        """Remember a session that proved nothing, as long as none has been seen that did; no change."""
        with self.change():
            noted = "UPDATE appointment SET definition = ? WHERE id = ? AND NOT seen"
            self._rows(noted, text_of(appointment_record(appointment)), appointment.id)

    def unseen_enrolments(self, tenant: str | None = None) -> list[Appointment]:
        unseen = (
            "SELECT definition FROM appointment WHERE purpose = ? AND NOT seen AND (? IS NULL OR tenant = ?)"
            " ORDER BY id"
        )
        rows = self._rows(unseen, Purpose.ENROLMENT.value, tenant, tenant)
        return [appointment_from(json.loads(definition)) for (definition,) in rows]

    def forget_appointments(self, before: datetime) -> None:
        """Those that expired before."""
        with self.change():
            self._rows("DELETE FROM appointment WHERE expires_at < ?", before.timestamp())

    def proven(self, tenant: str, pins: Sequence[str]) -> frozenset[str]:
        """Those of `pins` that the tenant has proven, in a way that counts."""
        at = self._clock()
        return frozenset(pin for pin in pins if (proof := self.proof(tenant, pin)) and proof.counts(at))

    def all_proofs(self, tenant: str | None = None) -> Iterator[tuple[str, Proof]]:
        every = "SELECT sha256, definition FROM proof WHERE ? IS NULL OR tenant = ? ORDER BY tenant, sha256"
        for pin, definition in self._rows(every, tenant, tenant):
            yield pin, proof_from(json.loads(definition))

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

    def _each(self, statement: str, *values: object) -> Iterator[Record]:
        with reporting(self._path):
            for (definition,) in self._connection.execute(statement, values):
                yield json.loads(definition)


def _audit_entry(
    version: int, at: float, who: str, action: str, subject: str, before: str | None, after: str | None
) -> AuditEntry:
    # A person's name has no blanks, and what else is written there no "from".
    name, _, address = who.partition(_FROM)
    return AuditEntry(
        version=version,
        at=datetime.fromtimestamp(at, UTC),
        who=name,
        address=address or None,
        action=action,
        subject=subject,
        before=json.loads(before) if before else None,
        after=json.loads(after) if after else None,
    )


def concerned(subject: str, record: Record) -> str | None:
    """The tenant whose object was changed; None where it is the server's own."""
    tenant = record["name"] if subject.startswith("tenant ") else record.get("tenant")
    return str(tenant) if tenant else None


def domain_row(domain: AcceptedDomain) -> tuple[object, ...]:
    """Of table `accepted_domain`."""
    under_check = domain.verified and not domain.verified_by_operator and domain.checked_at
    waits_since = not domain.verified and domain.claimed_at
    return (
        domain.domain,
        domain.tenant,
        top_down(domain.domain),
        domain.verified,
        under_check.timestamp() if under_check else None,
        waits_since.timestamp() if waits_since else None,
        text_of(domain_record(domain)),
    )


def is_live_partner(connector: InboundConnector) -> bool:
    return connector.enabled and connector.type is ConnectorType.PARTNER


INDEXES = {"certificate_name": 5, "pin": 4, "address": 6}
"""The tables that sessions are recognised by, and how many columns each has."""


def insert_into(index: str) -> str:
    return f"INSERT INTO {index} VALUES ({','.join('?' * INDEXES[index])})"


def index_rows(connector: InboundConnector, row_id: int) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """What is written of a connector into each of `INDEXES`. Partner connectors are found by their tenant."""
    if connector.type is ConnectorType.PARTNER:
        return
    whose = (not connector.enabled, connector.tenant, row_id)
    yield "certificate_name", [(name, *whose, _parent(name)) for name in connector.certificate_names]
    yield "pin", [(bytes.fromhex(pin), *whose) for pin in sorted(set(connector.pins))]
    yield "address", [(*network_key(network), *whose) for network in connector.addresses]


def _parent(name: str) -> str | None:
    return None if name.startswith("*.") else name.partition(".")[2] or None


def stored_connector_record(connector: InboundConnector) -> Record:
    """Without the lists that are empty, which are most: the directory has many connectors. Proofs are kept apart."""
    record = inbound_connector_record(connector)
    return {key: value for key, value in record.items() if value != [] and key != "proven_pins"}


def text_of(record: Record) -> str:
    return _ENCODER.encode(record)
