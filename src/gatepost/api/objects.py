"""Directory objects as the API shows them, and bodies as the wishes that use cases take."""

from collections.abc import Collection, Sequence
from typing import Any

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.inbound_connectors import InboundConnectorChanges
from gatepost.admin.directory.inbound_connectors import warnings_of as inbound_warnings
from gatepost.admin.directory.ownership import record_name, record_value, what_is_missing
from gatepost.admin.directory.send_connectors import SendConnectorChanges, name_for_tenant
from gatepost.api.bodies import InboundConnectorBody, SendConnectorBody
from gatepost.api.caller import Caller
from gatepost.tenancy.record import Record, domain_record, inbound_connector_record, send_connector_record
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, SmartHost


def domain_shown(domain: AcceptedDomain, warnings: Sequence[str] = ()) -> Record:
    record = {"name": record_name(domain.domain), "type": "TXT", "value": record_value(domain)}
    return {**domain_record(domain), "record": record, "warnings": list(warnings)}


def inbound_connector_shown(caller: Caller, editor: DirectoryEditor, connector: InboundConnector) -> Record:
    missing = what_is_missing(editor, connector)
    return {
        **inbound_connector_record(connector),
        "missing": missing and (missing.to_operator if caller.is_operator else missing.to_tenant),
        "warnings": list(inbound_warnings(editor, connector)),
    }


def send_connector_shown(connector: SendConnector, warnings: Sequence[str] = ()) -> Record:
    return {
        **send_connector_record(connector),
        "name": name_for_tenant(connector),
        "warnings": list(warnings),
    }


def inbound_changes(body: InboundConnectorBody, mentioned: Collection[str]) -> InboundConnectorChanges:
    fields = InboundConnectorChanges.__dataclass_fields__
    return InboundConnectorChanges(**{name: getattr(body, name) for name in fields if name in mentioned})


def send_changes(body: SendConnectorBody, mentioned: Collection[str], tenant: str | None) -> SendConnectorChanges:
    written: dict[str, Any] = {
        "address_spaces": [f"{each.space};{each.cost}" for each in body.address_spaces],
        "smart_hosts": [str(SmartHost(host=each.host, port=each.port)) for each in body.smart_hosts],
        "certificate": body.certificate or "",
        "key": body.key or "",
        "tls": body.tls,
        "tls_domain": body.tls_domain or "",
        "fqdn": body.fqdn or "",
        "protocol_log": "on" if body.protocol_log else "off",
        "allow_internal": None if body.allow_internal is None else "on" if body.allow_internal else "off",
    }
    return SendConnectorChanges(tenant=tenant, **{name: each for name, each in written.items() if name in mentioned})
