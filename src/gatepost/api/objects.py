"""Directory objects as the API shows them, and bodies as the changes that use cases take."""

from collections.abc import Collection, Sequence

from gatepost.admin.directory.changes import Written, changes_from
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.inbound_connectors import warnings_of as inbound_warnings
from gatepost.admin.directory.ownership import record_name, record_value, what_is_missing
from gatepost.admin.directory.send_connectors import name_for_tenant
from gatepost.api.bodies import Sent
from gatepost.api.caller import Caller
from gatepost.errors import with_keys
from gatepost.tenancy.fields import Fields, Record
from gatepost.tenancy.record import domain_record, inbound_connector_record, send_connector_record
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector


def domain_shown(domain: AcceptedDomain, warnings: Sequence[str] = ()) -> Record:
    record = {"name": record_name(domain.domain), "type": "TXT", "value": record_value(domain)}
    return {**domain_record(domain), "record": record, "warnings": list(warnings)}


def inbound_connector_shown(caller: Caller, editor: DirectoryEditor, connector: InboundConnector) -> Record:
    missing = what_is_missing(editor, connector)
    return {
        **inbound_connector_record(connector),
        "missing": missing and (str(missing) if caller.is_operator else missing.line_for_tenant),
        "warnings": list(map(with_keys, inbound_warnings(editor, connector))),
    }


def send_connector_shown(connector: SendConnector, warnings: Sequence[str] = ()) -> Record:
    return {
        **send_connector_record(connector),
        "name": name_for_tenant(connector),
        "warnings": list(warnings),
    }


def changes_of(body: Sent, definition: Fields, mentioned: Collection[str]) -> dict[str, Written]:
    return changes_from(body.model_dump(include=set(mentioned)), definition)
