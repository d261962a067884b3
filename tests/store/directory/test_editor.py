"""A change and its entry in the audit are one: both, or neither."""

from pathlib import Path

import pytest

from contracts.directory_contract import AT, connector
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.tenant import Tenant


def test_a_change_that_fails_leaves_neither_object_nor_entry_nor_version(tmp_path: Path) -> None:
    editor = SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="tester", clock=lambda: AT)
    editor.put_tenant(Tenant(name="fabrikam", created_at=AT), "add")
    version = editor.version
    with pytest.raises(RuntimeError), editor.change():
        editor.put_tenant(Tenant(name="contoso", created_at=AT), "add")
        with editor.change():
            editor.put_inbound_connector(connector("mail"), "add")
        raise RuntimeError
    assert [each.name for each in editor.all_tenants()] == ["fabrikam"]
    assert (editor.version, [each.subject for each in editor.audit()]) == (version, ["tenant fabrikam"])
    editor.close()


def test_what_changes_nothing_is_no_change(tmp_path: Path) -> None:
    editor = SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="tester", clock=lambda: AT)
    tenant = Tenant(name="contoso", created_at=AT)
    editor.put_tenant(tenant, "add")
    version, octets = editor.version, editor.audited_octets
    editor.put_tenant(tenant, "set")
    assert (editor.version, editor.audited_octets) == (version, octets)
    editor.close()
