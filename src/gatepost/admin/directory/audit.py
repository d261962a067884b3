"""Who changed what in the directory, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gatepost.admin.directory.editor import DirectoryEditor
from gatepost.errors import NotFound
from gatepost.tenancy.tenant import AuditEntry, AuditFilter

ALL: Final = AuditFilter()


def changes(editor: DirectoryEditor, *, subject: str | None, after: int, limit: int) -> Sequence[AuditEntry]:
    """Newest first; `subject` may be the beginning of one; a `limit` of 0 is none."""
    return editor.audit(subject=subject, after=after, limit=limit or -1)


def changes_of(
    editor: DirectoryEditor, tenant: str, *, before: int | None, limit: int, wanted: AuditFilter = ALL
) -> Sequence[AuditEntry]:
    """What was done to one tenant and what is its own, newest first. What an object was while it was somebody else's is
    left out, and from where others changed it."""
    found = editor.audit(tenant=tenant, after=_removed_last(editor, tenant), before=before, limit=limit, wanted=wanted)
    own = {f"token {each.id}" for each in editor.all_tokens(tenant)}
    own |= {f"person {each.name}" for each in editor.people.every(tenant)}
    return [
        replace(
            entry,
            before=None if _was_elsewhere(entry) else entry.before,
            address=entry.address if entry.who in own else None,
        )
        for entry in found
    ]


def _removed_last(editor: DirectoryEditor, tenant: str) -> int:
    """The version at which an earlier tenant of the name was removed: what is older is nobody's any more; 0: never."""
    of_itself = editor.audit(tenant=tenant, subject="tenant ")
    return next((entry.version for entry in of_itself if entry.action == "remove"), 0)


def began(editor: DirectoryEditor, tenant: str) -> datetime | None:
    """When an earlier tenant of the name was removed: what was before is not this one's."""
    version = _removed_last(editor, tenant)
    entry = editor.audit_entry(version) if version else None
    return entry.at if entry else None


def _was_elsewhere(entry: AuditEntry) -> bool:
    before, after = entry.before or {}, entry.after or {}
    return bool(before and after) and before.get("tenant") != after.get("tenant")


def change(editor: DirectoryEditor, version: int) -> AuditEntry:
    entry = editor.audit_entry(version)
    if entry is None:
        raise NotFound(
            f"there is no change {version}", next_step=f"the newest is {editor.version}, see: gatepost audit list"
        )
    return entry


def differences(entry: AuditEntry) -> Iterator[tuple[str, object, object]]:
    """What the change is about: (field, before, after), the unchanged fields left out."""
    before, after = entry.before or {}, entry.after or {}
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)
