"""Lists of the directory, which go on after the last name that was read, and the audit of whose they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.directory_contract import AT, connector, domain, send_connector
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.tenancy.allowance import Owned
from gatepost.tenancy.tenant import Tenant


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[SqliteDirectoryEditor]:
    editor = SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="tester", address="192.0.2.1", clock=lambda: AT)
    for tenant in ("contoso", "fabrikam"):
        editor.put_tenant(Tenant(name=tenant, created_at=AT), "add")
        editor.put_domain(domain(f"{tenant}.com", tenant), "add")
        for name in ("a", "b"):
            editor.put_inbound_connector(connector(name, tenant), "add")
    editor.put_domain(domain("shared.example", "fabrikam", verified=False), "add")
    editor.put_domain(domain("shared.example", "contoso", verified=False), "add")
    editor.put_send_connector(send_connector("out", "*"), "add")
    yield editor
    editor.close()


def test_a_list_goes_on_where_it_was_left(editor: SqliteDirectoryEditor) -> None:
    every = [each.label for each in editor.all_inbound_connectors()]
    assert every == ["contoso/a", "contoso/b", "fabrikam/a", "fabrikam/b"]
    assert [each.label for each in editor.all_inbound_connectors(after="contoso/b")] == every[2:]
    assert [each.name for each in editor.all_inbound_connectors("fabrikam", "a")] == ["b"]
    assert [each.name for each in editor.all_tenants("contoso")] == ["fabrikam"]
    claims = [(each.domain, each.tenant) for each in editor.all_domains(after="fabrikam.com/fabrikam")]
    assert claims == [("shared.example", "contoso"), ("shared.example", "fabrikam")]


def test_counts_stop_at_what_is_asked(editor: SqliteDirectoryEditor) -> None:
    assert editor.count("fabrikam", Owned.DOMAINS, 10) == 2 and editor.count("fabrikam", Owned.DOMAINS, 1) == 1
    assert editor.count("contoso", Owned.UNVERIFIED_DOMAINS, 10) == 1
    assert editor.count("contoso", Owned.SEND_CONNECTORS, 10) == 0


def test_the_audit_of_a_tenant_holds_nothing_of_another(editor: SqliteDirectoryEditor) -> None:
    subjects = [each.subject for each in editor.audit(tenant="contoso")]
    assert subjects[0] == "domain shared.example" and subjects[-1] == "tenant contoso"
    assert len(subjects) == 5 and not any("fabrikam" in each for each in subjects)
    newest = editor.audit(limit=1)[0]
    assert (newest.who, newest.address, newest.subject) == ("tester", "192.0.2.1", "send-connector out")
    assert editor.audit_entry(newest.version) == newest and editor.audit_entry(newest.version + 1) is None
