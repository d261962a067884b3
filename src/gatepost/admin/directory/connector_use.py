"""How connectors are used: the last session of each and its mail, for `list` and `show`.

Law: what an earlier tenant of the same name did is nobody's to see.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.tenancy.fields import ReadRecord, Record, time_from, time_text
from gatepost.tenancy.seen_server import ConnectorUse, SeenCertificate

Uses = Mapping[tuple[str, str], ConnectorUse]
"""By tenant and connector; one that is not there was not used in 90 days."""


class SeenUse(Protocol):
    def use(self, at: datetime, tenant: str | None = None) -> list[ConnectorUse]: ...


def uses(editor: DirectoryEditor, seen: SeenUse, at: datetime, tenant: str | None) -> list[ConnectorUse]:
    """Ordered by tenant and connector."""
    return [each for each in seen.use(at, tenant) if not _is_of_an_earlier_tenant(editor, each)]


def by_connector(found: Iterable[ConnectorUse]) -> Uses:
    return {(each.tenant, each.connector): each for each in found}


def _is_of_an_earlier_tenant(editor: DirectoryEditor, use: ConnectorUse) -> bool:
    tenant = editor.tenant(use.tenant)
    return tenant is None or use.last_at < tenant.created_at


def use_record(use: ConnectorUse) -> Record:
    certificate = use.certificate
    return {
        "tenant": use.tenant,
        "connector": use.connector,
        "last_session_at": time_text(use.last_at),
        "address": use.address,
        "certificate": certificate
        and {
            "sha256": certificate.sha256,
            "subject": certificate.subject,
            "names": list(certificate.names),
            "issuer": certificate.issuer,
            "not_after": time_text(certificate.not_after),
        },
        "messages_24h": use.messages_24h,
        "messages_30d": use.messages_30d,
    }


def use_from(record: ReadRecord) -> ConnectorUse:
    last_at = time_from(record["last_session_at"])
    assert last_at is not None, "a use has a last session"
    return ConnectorUse(
        tenant=record["tenant"],
        connector=record["connector"],
        last_at=last_at,
        address=record["address"],
        certificate=_certificate_from(record["certificate"]),
        messages_24h=record["messages_24h"],
        messages_30d=record["messages_30d"],
    )


def _certificate_from(record: Mapping[str, Any] | None) -> SeenCertificate | None:
    if record is None:
        return None
    return SeenCertificate(
        sha256=record["sha256"],
        subject=record["subject"],
        names=tuple(record["names"]),
        issuer=record["issuer"],
        not_before=None,
        not_after=time_from(record["not_after"]),
        anchor="",
    )
