"""Who changed what in the directory, and when."""

from collections.abc import Iterator, Sequence

from gatepost.admin.declined import No
from gatepost.admin.directory_editor import DirectoryEditor
from gatepost.tenancy.tenant import AuditEntry


def changes(editor: DirectoryEditor, *, subject: str | None, after: int, limit: int) -> Sequence[AuditEntry]:
    """Newest first; `subject` may be the beginning of one; a `limit` of 0 is none."""
    return editor.audit(subject=subject, after=after, limit=limit or -1)


def change(editor: DirectoryEditor, version: int) -> AuditEntry:
    entry = editor.audit_entry(version)
    if entry is None:
        raise No(f"there is no change {version}; the newest is {editor.version}, see: gatepost audit list")
    return entry


def differences(entry: AuditEntry) -> Iterator[tuple[str, object, object]]:
    """What the change is about: (field, before, after), the unchanged fields left out."""
    before, after = entry.before or {}, entry.after or {}
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)
