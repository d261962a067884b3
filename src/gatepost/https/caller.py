"""Who asks, and what they may see: the operator all, a tenant its own; the directory, the trace, sessions, the queue.

Law: what is another tenant's is answered exactly as what does not exist, before anything is looked up.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.admin.directory.lookups import tenant_named
from gatepost.admin.queue.tenants_mail import MailOf
from gatepost.admin.sessions.recorded import RecordedSessions
from gatepost.admin.trace.tracing import LocalTraces
from gatepost.app import open_editor, open_queue_admin, open_sessions, open_trace
from gatepost.app.admin_wiring import Judging
from gatepost.config import Config
from gatepost.errors import NotFound
from gatepost.https.problem import Problem
from gatepost.https.rates import Allotment


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyCaller:
    config: Config
    judging: Judging
    who: str
    """As the audit names them: `token 0a1b…`, `person ann`."""
    of_tenant: str | None
    """None: the operator."""
    address: str
    audit: Allotment
    """What each tenant may add to the audit."""
    sees_subjects: bool = True
    """Of traced mail."""

    @property
    def is_operator(self) -> bool:
        return self.of_tenant is None

    @contextmanager
    def directory(self, *, beyond_limits: bool = False) -> Iterator[DirectoryEditor]:
        """The directory for one request; changes are audited under `who`, and held to what they may."""
        if beyond_limits:
            self.must_be_operator("beyond_limits")
        editor = open_editor(
            self.config, self.who, self.address, by_tenant=not self.is_operator, beyond_limits=beyond_limits
        )
        try:
            yield editor
        finally:
            if self.of_tenant is not None and editor.audited_octets:
                self.audit.use(self.of_tenant, editor.audited_octets, time.monotonic())
            editor.close()

    @contextmanager
    def traces(self) -> Iterator[LocalTraces]:
        with self.directory() as editor:
            reader = open_trace(self.config)
            yield LocalTraces(
                reader=reader,
                directory=editor,
                now=time.time(),
                tenant=self.of_tenant,
                with_subject=self.sees_subjects,
            )

    def recorded_in(self, editor: DirectoryEditor) -> RecordedSessions:
        return RecordedSessions(sessions=open_sessions(self.config), directory=editor, tenant=self.of_tenant)

    @contextmanager
    def mail_of(self, tenant: str | None) -> Iterator[MailOf]:
        """The queued mail of `tenant`; None: everybody's, which is for the operator alone."""
        with self.directory() as editor:
            owner = None if tenant is None else tenant_named(editor, self.tenant(editor, tenant))
            queue = open_queue_admin(self.config, who=self.who)
            yield MailOf(queue=queue, directory=editor, owner=owner, to_tenant=not self.is_operator)

    def tenant(self, editor: DirectoryEditor, name: str) -> str:
        """The tenant called `name`, as it is written; `NotFound` where it is not the caller's."""
        own = self.of_tenant
        if own is None:
            return tenant_named(editor, name).name
        if name.casefold() != own.casefold():
            raise NotFound(f"there is no tenant '{name}'")
        return own

    def must_be_operator(self, field: str | None = None) -> None:
        if not self.is_operator:
            what = f"only the operator may set {field}" if field else "only the operator may do this"
            raise Problem(403, "operator-only", what, field=field, do="ask the relay's operator")
