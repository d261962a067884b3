"""A change of an inbound connector, taken back: the connector becomes what it was before.

Laws: only the latest change of a connector is taken back, so that nothing of a later one is lost unseen; what was
allowed then must be allowed now; taking back is a change like any other, and can be taken back itself.
"""

from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.inbound_connectors import must_be_storable
from gatepost.admin.directory.lookups import tenant_named
from gatepost.errors import NotAllowed
from gatepost.tenancy.fields import Record
from gatepost.tenancy.record import inbound_connector_from, inbound_connector_record
from gatepost.tenancy.tenant import AuditEntry, InboundConnector

_KIND: Final = "inbound-connector "
ACTION: Final = "take-back"


def can_be_taken_back(editor: DirectoryEditor, entry: AuditEntry) -> bool:
    return _is_of_connector(entry) and _stored(editor, entry) == entry.after


def take_back(editor: DirectoryEditor, entry: AuditEntry) -> InboundConnector | None:
    """The connector as it is now; None: there is none any more. Raises `Refused`."""
    if not _is_of_connector(entry):
        raise NotAllowed(f"change {entry.version} is not of an inbound connector", next_step="change it by hand")
    with editor.change():
        if _stored(editor, entry) != entry.after:
            raise NotAllowed(
                f"{entry.subject} was changed again after change {entry.version}",
                next_step="take back the later change first",
            )
        if entry.before is None:
            assert entry.after is not None, "a change has something before or after it"
            editor.remove_inbound_connector(inbound_connector_from(entry.after))
            return None
        connector = inbound_connector_from(entry.before)
        must_be_storable(editor, tenant_named(editor, connector.tenant), connector)
        editor.put_inbound_connector(connector, ACTION)
        return connector


def _is_of_connector(entry: AuditEntry) -> bool:
    return entry.subject.startswith(_KIND) and bool(entry.before or entry.after)


def _stored(editor: DirectoryEditor, entry: AuditEntry) -> Record | None:
    record = entry.after or entry.before or {}
    found = editor.inbound_connector(str(record.get("tenant")), str(record.get("name")))
    return inbound_connector_record(found) if found else None
