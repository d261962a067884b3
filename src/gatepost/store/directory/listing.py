"""What administrators read of the directory beside what sessions ask: whole lists in order, one object by its name, who
changed what.

A list can be continued `after` the last name that was read.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from gatepost.store.directory.file import reporting
from gatepost.store.directory.queries import DirectoryQueries
from gatepost.tenancy.allowance import Owned
from gatepost.tenancy.fields import Record
from gatepost.tenancy.one_time_address import OneTimeAddress, Purpose, one_time_address_from
from gatepost.tenancy.proof import Proof, proof_from
from gatepost.tenancy.record import domain_from, send_connector_from, tenant_from, token_from
from gatepost.tenancy.tenant import AcceptedDomain, AuditEntry, AuditFilter, InboundConnector, SendConnector, Tenant
from gatepost.tenancy.token import Token

OWNED = {
    Owned.DOMAINS: "accepted_domain WHERE tenant = ?1",
    Owned.UNVERIFIED_DOMAINS: "accepted_domain WHERE tenant = ?1 AND NOT verified",
    Owned.INBOUND_CONNECTORS: "inbound_connector WHERE tenant = ?1",
    Owned.SEND_CONNECTORS: "send_connector WHERE tenant = ?1",
}

FROM = " from "
_ALL = AuditFilter()
"""Between who and where, in one column of the audit."""


class DirectoryListing(DirectoryQueries):
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
        wanted: AuditFilter = _ALL,
    ) -> list[AuditEntry]:
        """Entries with a version above `after` and below `before`, newest first; `subject` may be the beginning of one;
        with `tenant`, those about it and what is its own."""
        conditions: list[tuple[str, str | float | None]] = [
            ("version > ?", after),
            ("version < ?", before),
            ("tenant = ?", tenant),
            ("instr(subject, ?) = 1", subject),
            # From where it was done is not searched: a tenant does not see that of others.
            (f"instr(lower(substr(who, 1, instr(who || '{FROM}', '{FROM}') - 1)), lower(?))", wanted.who),
            ("instr(lower(action || ' ' || subject), lower(?))", wanted.what),
            ("at >= ?", wanted.since.timestamp() if wanted.since else None),
            ("at < ?", wanted.until.timestamp() if wanted.until else None),
        ]
        said = [(condition, value) for condition, value in conditions if value is not None]
        rows = self._rows(
            "SELECT version, at, who, action, subject, before, after FROM audit"
            f" WHERE {' AND '.join(condition for condition, _ in said)} ORDER BY version DESC LIMIT ?",
            *(value for _, value in said),
            limit,
        )
        return [_audit_entry(*row) for row in rows]

    def audit_entry(self, version: int) -> AuditEntry | None:
        row = "SELECT version, at, who, action, subject, before, after FROM audit WHERE version = ?"
        return next((_audit_entry(*each) for each in self._rows(row, version)), None)

    def one_time_address(self, id: str) -> OneTimeAddress | None:
        rows = self._rows("SELECT definition FROM appointment WHERE id = ?", id)
        return one_time_address_from(json.loads(rows[0][0])) if rows else None

    def one_time_addresses(self, tenant: str, purpose: Purpose) -> list[OneTimeAddress]:
        """The newest first."""
        of_tenant = "SELECT definition FROM appointment WHERE tenant = ? AND purpose = ? ORDER BY expires_at DESC"
        return [one_time_address_from(json.loads(row[0])) for row in self._rows(of_tenant, tenant, purpose)]

    def unseen_enrolments(self, tenant: str | None = None) -> list[OneTimeAddress]:
        unseen = (
            "SELECT definition FROM appointment WHERE purpose = ? AND NOT seen AND (? IS NULL OR tenant = ?)"
            " ORDER BY id"
        )
        rows = self._rows(unseen, Purpose.ENROLMENT.value, tenant, tenant)
        return [one_time_address_from(json.loads(definition)) for (definition,) in rows]

    def all_proofs(self, tenant: str | None = None) -> Iterator[tuple[str, Proof]]:
        every = "SELECT sha256, definition FROM proof WHERE ? IS NULL OR tenant = ? ORDER BY tenant, sha256"
        for pin, definition in self._rows(every, tenant, tenant):
            yield pin, proof_from(json.loads(definition))

    def _each(self, statement: str, *values: object) -> Iterator[Record]:
        with reporting(self._path):
            for (definition,) in self._connection.execute(statement, values):
                yield json.loads(definition)


def _audit_entry(
    version: int, at: float, who: str, action: str, subject: str, before: str | None, after: str | None
) -> AuditEntry:
    # A person's name has no blanks, and what else is written there no "from".
    name, _, address = who.partition(FROM)
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
