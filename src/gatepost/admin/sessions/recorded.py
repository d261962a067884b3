"""Session records, read by the operator whole, and by a tenant as far as they concern it.

Law: what a tenant may not see is to it as if it did not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatepost.admin.directory import audit
from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.sessions.tenant_view import own_record
from gatepost.admin.sessions.why import NoSessionId, SessionNotFound, Sessions, document, session_id_in
from gatepost.errors import NotFound, Said
from gatepost.mail.domain import DomainError, domain_key


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSessions:
    sessions: Sessions
    directory: DirectoryEditor
    tenant: str | None = None
    """Whose the question is; None: the operator's."""

    def document(self, text: str) -> dict[str, Any]:
        """Of the session whose id is in `text`; see `why.document`. Raises `NotFound`."""
        session_id = session_id_in(text)
        if isinstance(session_id, NoSessionId):
            raise NotFound(str(session_id))
        record = self.sessions.find(session_id)
        if record is not None and self.tenant is not None:
            record = self._own(record, self.tenant)
        if record is None:
            raise self._not_found(session_id)
        return document(record)

    def _own(self, record: Mapping[str, Any], tenant: str) -> dict[str, Any] | None:
        at = datetime.fromisoformat(record["at"])
        began = audit.began(self.directory, tenant)
        if began and at < began:
            return None
        return own_record(record, tenant, lambda path: self._is_of(tenant, path, at))

    def _is_of(self, tenant: str, path: str, at: datetime) -> bool:
        """Whether the domain is the tenant's and was when the session was held: before, it may have been another's."""
        try:
            owner = self.directory.covering_domain(domain_key(path.rpartition("@")[2]))
        except DomainError:
            return False
        return owner is not None and owner.tenant == tenant and not (owner.verified_at and at < owner.verified_at)

    def _not_found(self, session_id: str) -> NotFound:
        oldest = self.sessions.oldest() if self.tenant is None else None
        missing = SessionNotFound(session_id=session_id, what="session records", oldest=oldest)
        return NotFound(
            missing.message,
            next_step=missing.next_step,
            to_tenant=Said(message=f"there is no session {session_id} of yours"),
        )
