"""Directory objects as JSON objects, both ways: what the store keeps, the audit shows and `--json` prints.

Law: reading what was written gives an equal object, so that replaying the audit gives the directory.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from gatepost.tenancy.tenant import (
    LIMIT_NAMES,
    NO_LIMITS,
    AcceptedDomain,
    AddressSpace,
    AuditEntry,
    ConnectorType,
    InboundConnector,
    SendConnector,
    SmartHost,
    Tenant,
    TenantLimits,
    TlsLevel,
)
from gatepost.tenancy.token import Scope, Token

Record = dict[str, object]
ReadRecord = Mapping[str, Any]


def time_text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def time_from(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def tenant_record(tenant: Tenant) -> Record:
    return {
        "name": tenant.name,
        "created_at": time_text(tenant.created_at),
        "reject_direct_send": tenant.reject_direct_send,
        "contact": tenant.contact,
        "limits": _limits_record(tenant.limits),
    }


def _limits_record(limits: TenantLimits) -> Record:
    if limits == NO_LIMITS:
        return {}
    return {name: limit for name in LIMIT_NAMES if (limit := getattr(limits, name)) is not None}


def tenant_from(record: ReadRecord) -> Tenant:
    return Tenant(
        name=record["name"],
        created_at=datetime.fromisoformat(record["created_at"]),
        reject_direct_send=record["reject_direct_send"],
        contact=record.get("contact"),
        limits=TenantLimits(**record.get("limits", {})),
    )


def domain_record(domain: AcceptedDomain) -> Record:
    return {
        "domain": domain.domain,
        "tenant": domain.tenant,
        "token": domain.token,
        "verified": domain.verified,
        "match_subdomains": domain.match_subdomains,
        "verified_at": time_text(domain.verified_at),
        "verified_by_operator": domain.verified_by_operator,
        "checked_at": time_text(domain.checked_at),
        "lost_at": time_text(domain.lost_at),
        "claimed_at": time_text(domain.claimed_at),
    }


def domain_from(record: ReadRecord) -> AcceptedDomain:
    return AcceptedDomain(
        domain=record["domain"],
        tenant=record["tenant"],
        token=record["token"],
        verified=record["verified"],
        match_subdomains=record["match_subdomains"],
        verified_at=time_from(record["verified_at"]),
        verified_by_operator=record["verified_by_operator"],
        checked_at=time_from(record["checked_at"]),
        lost_at=time_from(record["lost_at"]),
        claimed_at=time_from(record.get("claimed_at")),
    )


def inbound_connector_record(connector: InboundConnector) -> Record:
    return {
        "tenant": connector.tenant,
        "name": connector.name,
        "type": connector.type.value,
        "certificate_names": list(connector.certificate_names),
        "certificate_sha256": list(connector.certificate_sha256),
        "public_key_sha256": list(connector.public_key_sha256),
        "proven_pins": sorted(connector.proven_pins),
        "addresses": [str(network) for network in connector.addresses],
        "sender_domains": list(connector.sender_domains),
        "require_tls": connector.require_tls,
        "restrict_to_certificate": connector.restrict_to_certificate,
        "restrict_to_address": connector.restrict_to_address,
        "trust_anchors": list(connector.trust_anchors),
        "enabled": connector.enabled,
    }


def inbound_connector_from(record: ReadRecord) -> InboundConnector:
    """Lists that are absent are empty: the store leaves them out."""
    return InboundConnector(
        tenant=record["tenant"],
        name=record["name"],
        type=ConnectorType(record["type"]),
        certificate_names=tuple(record.get("certificate_names", ())),
        certificate_sha256=tuple(record.get("certificate_sha256", ())),
        public_key_sha256=tuple(record.get("public_key_sha256", ())),
        proven_pins=frozenset(record.get("proven_pins", ())),
        addresses=tuple(ip_network(network) for network in record.get("addresses", ())),
        sender_domains=tuple(record.get("sender_domains", ())),
        require_tls=record["require_tls"],
        restrict_to_certificate=record["restrict_to_certificate"],
        restrict_to_address=record["restrict_to_address"],
        trust_anchors=tuple(record.get("trust_anchors", ())),
        enabled=record["enabled"],
    )


def send_connector_record(connector: SendConnector) -> Record:
    return {
        "name": connector.name,
        "tenant": connector.tenant,
        "address_spaces": [{"space": each.space, "cost": each.cost} for each in connector.address_spaces],
        "smart_hosts": [{"host": each.host, "port": each.port} for each in connector.smart_hosts],
        "certificate": connector.certificate,
        "key": connector.key,
        "tls": connector.tls.value,
        "tls_domain": connector.tls_domain,
        "fqdn": connector.fqdn,
        "protocol_log": connector.protocol_log,
        "allow_internal": connector.allow_internal,
        "enabled": connector.enabled,
    }


def send_connector_from(record: ReadRecord) -> SendConnector:
    return SendConnector(
        name=record["name"],
        tenant=record["tenant"],
        address_spaces=tuple(AddressSpace(**each) for each in record["address_spaces"]),
        smart_hosts=tuple(SmartHost(**each) for each in record["smart_hosts"]),
        certificate=record["certificate"],
        key=record["key"],
        tls=TlsLevel(record["tls"]),
        tls_domain=record["tls_domain"],
        fqdn=record["fqdn"],
        protocol_log=record["protocol_log"],
        allow_internal=record.get("allow_internal", _allowed_before(record)),
        enabled=record["enabled"],
    )


def _allowed_before(record: ReadRecord) -> bool | None:
    """Records from before the field: what the operator made for a tenant, under a name of its own, goes on."""
    tenant = record["tenant"]
    if tenant and record["smart_hosts"] and not record["name"].startswith(f"{tenant}/"):
        return True
    return None


def token_record(token: Token) -> Record:
    """Everything but the secret's hash: whoever may list tokens need not hold what one could guess against."""
    return {
        "id": token.id,
        "tenant": token.tenant,
        "scopes": sorted(token.scopes),
        "created_at": time_text(token.created_at),
        "expires_at": time_text(token.expires_at),
        "revoked_at": time_text(token.revoked_at),
        "used_at": time_text(token.used_at),
    }


def token_from(record: ReadRecord, secret_sha256: str) -> Token:
    return Token(
        id=record["id"],
        tenant=record["tenant"],
        scopes=frozenset(map(Scope, record["scopes"])),
        secret_sha256=secret_sha256,
        created_at=datetime.fromisoformat(record["created_at"]),
        expires_at=time_from(record["expires_at"]),
        revoked_at=time_from(record["revoked_at"]),
        used_at=time_from(record["used_at"]),
    )


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
