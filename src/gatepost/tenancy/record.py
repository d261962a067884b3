"""Directory objects as JSON objects, both ways: what the store keeps, the audit shows and `--json` prints.

Which fields there are stands in `definitions`.
"""

from datetime import datetime

from gatepost.tenancy.definitions import DOMAIN, INBOUND_CONNECTOR, PERSON, SEND_CONNECTOR, SIGNING_KEY, TENANT, TOKEN
from gatepost.tenancy.fields import ReadRecord, Record, object_from, record_of, time_text
from gatepost.tenancy.person import Person
from gatepost.tenancy.signing_key import SigningKey, zone_line
from gatepost.tenancy.tenant import AcceptedDomain, AuditEntry, InboundConnector, SendConnector, Tenant
from gatepost.tenancy.token import Token


def tenant_record(tenant: Tenant) -> Record:
    return record_of(tenant, TENANT)


def tenant_from(record: ReadRecord) -> Tenant:
    return object_from(Tenant, TENANT, record)


def domain_record(domain: AcceptedDomain) -> Record:
    return record_of(domain, DOMAIN)


def domain_from(record: ReadRecord) -> AcceptedDomain:
    return object_from(AcceptedDomain, DOMAIN, record)


def inbound_connector_record(connector: InboundConnector) -> Record:
    return record_of(connector, INBOUND_CONNECTOR)


def inbound_connector_from(record: ReadRecord) -> InboundConnector:
    return object_from(InboundConnector, INBOUND_CONNECTOR, record)


def send_connector_record(connector: SendConnector) -> Record:
    return record_of(connector, SEND_CONNECTOR)


def send_connector_from(record: ReadRecord) -> SendConnector:
    return object_from(SendConnector, SEND_CONNECTOR, {"allow_internal": _allowed_before(record), **record})


def _allowed_before(record: ReadRecord) -> bool | None:
    """Records from before the field: what the operator made for a tenant, under a name of its own, goes on."""
    tenant = record["tenant"]
    if tenant and record["smart_hosts"] and not record["name"].startswith(f"{tenant}/"):
        return True
    return None


def token_record(token: Token) -> Record:
    return record_of(token, TOKEN)


def token_from(record: ReadRecord, secret_sha256: str) -> Token:
    return object_from(Token, TOKEN, record, secret_sha256=secret_sha256)


def person_record(person: Person) -> Record:
    return record_of(person, PERSON)


def person_from(record: ReadRecord, password: str | None, link_sha256: str | None) -> Person:
    return object_from(Person, PERSON, record, password=password, link_sha256=link_sha256)


def signing_key_record(key: SigningKey) -> Record:
    return record_of(key, SIGNING_KEY)


def signing_key_shown(key: SigningKey) -> Record:
    """With the record that DNS must show."""
    record = {"name": key.record_name, "type": "TXT", "value": key.record_value, "zone": zone_line(key)}
    return {**signing_key_record(key), "record": record}


def signing_key_from(record: ReadRecord) -> SigningKey:
    return object_from(SigningKey, SIGNING_KEY, record)


def audit_record(entry: AuditEntry) -> Record:
    return {
        "version": entry.version,
        "at": time_text(entry.at),
        "who": entry.who,
        "address": entry.address,
        "action": entry.action,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
    }


def audit_from(record: ReadRecord) -> AuditEntry:
    return AuditEntry(
        version=record["version"],
        at=datetime.fromisoformat(record["at"]),
        who=record["who"],
        address=record.get("address"),
        action=record["action"],
        subject=record["subject"],
        before=record["before"],
        after=record["after"],
    )
