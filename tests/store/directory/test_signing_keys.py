"""Signing keys in the directory file: sealed, audited without the secret, found by what signs."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.admin.directory import domains, tenants
from gatepost.queue.store import StoreDamaged, StoreUnavailable
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.directory.signing_keys import Seal, seal_beside
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.tenancy.signing_key import Algorithm, KeyState, SigningKey

AT = datetime(2026, 1, 2, tzinfo=UTC)
PRIVATE = b"a private key, which nobody is to see"
KEY = SigningKey(
    tenant="contoso",
    domain="contoso.com",
    selector="s1",
    algorithm=Algorithm.RSA_2048,
    public_key="AAAA",
    state=KeyState.PENDING,
    created_at=AT,
)
OWN = replace(KEY, tenant=None, domain="example.net")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "directory.sqlite"


@pytest.fixture
def editor(file: Path) -> SqliteDirectoryEditor:
    editor = SqliteDirectoryEditor(file, who="tester")
    for tenant in ("contoso", "fabrikam"):
        tenants.add(editor, tenant, AT)
        domains.add(editor, tenant, f"{tenant}.com", match_subdomains=False, verified=True, at=AT)
    return editor


def test_keys_are_read_back_by_tenant_and_domain(editor: SqliteDirectoryEditor) -> None:
    other = replace(KEY, tenant="fabrikam", domain="fabrikam.com")
    for key in (KEY, other, OWN):
        editor.signing_keys.add(key, PRIVATE)
    assert editor.signing_keys.every() == [OWN, KEY, other]
    assert editor.signing_keys.every("Contoso") == [KEY] and editor.signing_keys.every("") == [OWN]
    assert editor.signing_keys.every("contoso", "fabrikam.com") == []


def test_only_active_keys_are_there_to_sign(editor: SqliteDirectoryEditor, file: Path) -> None:
    editor.signing_keys.add(KEY, PRIVATE)
    directory = SqliteDirectory(file)
    assert (
        directory.signing_domains("contoso") == frozenset() and directory.signing_keys("contoso", "contoso.com") == ()
    )
    active = replace(KEY, state=KeyState.ACTIVE)
    editor.signing_keys.put(active, "activate")
    assert directory.refresh()
    assert directory.signing_domains("contoso") == {"contoso.com"} and directory.signing_domains("fabrikam") == set()
    ((found, sealed),) = directory.signing_keys("contoso", "contoso.com")
    assert found == active and Seal(seal_beside(file)).open(found, sealed) == PRIVATE


def test_neither_the_file_nor_the_audit_shows_the_secret(editor: SqliteDirectoryEditor, file: Path) -> None:
    editor.signing_keys.add(KEY, PRIVATE)
    editor.close()
    for each in file.parent.iterdir():
        assert PRIVATE not in each.read_bytes()
    assert seal_beside(file).stat().st_mode & 0o777 == 0o600


def test_a_look_at_dns_is_no_change(editor: SqliteDirectoryEditor) -> None:
    editor.signing_keys.add(KEY, PRIVATE)
    version = editor.version
    editor.signing_keys.note(replace(KEY, seen_at=AT))
    assert editor.version == version and editor.signing_keys.every("contoso") == [replace(KEY, seen_at=AT)]


def test_a_domain_and_a_tenant_take_their_keys_along(editor: SqliteDirectoryEditor) -> None:
    editor.signing_keys.add(KEY, PRIVATE)
    editor.signing_keys.add(replace(KEY, tenant="fabrikam", domain="fabrikam.com"), PRIVATE)
    domains.remove(editor, "contoso.com")
    assert [each.tenant for each in editor.signing_keys.every()] == ["fabrikam"]
    tenants.remove(editor, "fabrikam", with_contents=True)
    assert editor.signing_keys.every() == []
    assert [each.action for each in editor.audit(tenant="contoso", subject="signing-key ")] == ["remove", "add"]


def test_a_sealed_key_opens_as_no_other(editor: SqliteDirectoryEditor, file: Path) -> None:
    seal = Seal(seal_beside(file))
    sealed = seal.close(KEY, PRIVATE)
    assert seal.open(replace(KEY, state=KeyState.ACTIVE), sealed) == PRIVATE
    for other in (replace(KEY, tenant="fabrikam"), replace(KEY, selector="s2"), replace(KEY, domain="a.contoso.com")):
        with pytest.raises(StoreDamaged, match="does not open"):
            seal.open(other, sealed)


def test_a_key_file_that_is_lost_or_another_is_said_in_one_line(tmp_path: Path) -> None:
    seal = Seal(tmp_path / "dkim.key")
    sealed = seal.close(KEY, PRIVATE)
    (tmp_path / "dkim.key").unlink()
    with pytest.raises(StoreUnavailable, match="opens signing keys"):
        seal.open(KEY, sealed)
    (tmp_path / "dkim.key").write_text("short")
    with pytest.raises(StoreDamaged, match="is damaged"):
        seal.open(KEY, sealed)
    (tmp_path / "dkim.key").write_text("00" * 32)
    with pytest.raises(StoreDamaged, match="restore it from the same backup"):
        seal.open(KEY, sealed)
    assert seal.open(KEY, seal.close(KEY, PRIVATE)) == PRIVATE
    assert [each.name for each in tmp_path.iterdir()] == ["dkim.key"]
