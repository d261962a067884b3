"""The directory file: what a worker reads, what an editor writes, and that one sees the other."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.directory_contract import (
    AT,
    NEAR,
    Build,
    DirectoryContract,
    Holdings,
    connector,
    domain,
    labels,
    leaf,
    send_connector,
)
from gatepost.queue.store import StoreDamaged, StoreUnavailable
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.directory.file import APPLICATION_ID, open_to_read
from gatepost.store.directory.queries import DirectoryQueries
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.store.schema import step
from gatepost.tenancy.one_time_address import Purpose
from gatepost.tenancy.record import domain_record, inbound_connector_record, send_connector_record, tenant_record
from gatepost.tenancy.tenant import ConnectorType, InboundConnector, Tenant
from soak import rounds


def editor_of(path: Path, **settings: object) -> SqliteDirectoryEditor:
    return SqliteDirectoryEditor(path, who="tester", clock=lambda: AT, **settings)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.sqlite"


@pytest.fixture
def editor(path: Path) -> Iterator[SqliteDirectoryEditor]:
    editor = editor_of(path)
    editor.put_tenant(Tenant(name="contoso", created_at=AT), "add")
    yield editor
    editor.close()


def fill(editor: SqliteDirectoryEditor, holdings: Holdings) -> None:
    with editor.change():
        for tenant in holdings.tenant_objects:
            editor.put_tenant(tenant, "add")
        for each in holdings.domains:
            editor.put_domain(each, "add")
        for each in holdings.connectors:
            editor.put_inbound_connector(each, "add")
        for each in holdings.send_connectors:
            editor.put_send_connector(each, "add")


class TestWorkersView(DirectoryContract):
    @pytest.fixture
    def build(self, path: Path) -> Build:
        def build(holdings: Holdings) -> SqliteDirectory:
            fill(editor_of(path), holdings)
            return SqliteDirectory(path)

        return build


class TestEditorsView(DirectoryContract):
    @pytest.fixture
    def build(self, path: Path) -> Build:
        def build(holdings: Holdings) -> SqliteDirectoryEditor:
            editor = editor_of(path)
            fill(editor, holdings)
            return editor

        return build


def test_a_worker_sees_a_change_after_refresh_and_not_before(editor: SqliteDirectoryEditor, path: Path) -> None:
    worker = SqliteDirectory(path)
    assert not worker.connectors_naming(["mail.contoso.example"], NEAR)
    before = worker.version
    editor.put_inbound_connector(connector("mail", certificate_names=("mail.contoso.example",)), "add")
    assert not worker.connectors_naming(["mail.contoso.example"], NEAR)
    assert worker.refresh()
    assert labels(worker.connectors_naming(["mail.contoso.example"], NEAR)) == ["contoso/mail"]
    assert worker.version == before + 1
    assert not worker.refresh()


def test_a_worker_sees_what_another_process_changed(editor: SqliteDirectoryEditor, path: Path) -> None:
    worker = SqliteDirectory(path)
    assert worker.tenant("fabrikam") is None
    program = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from gatepost.store.directory.editor import SqliteDirectoryEditor\n"
        "from gatepost.tenancy.tenant import Tenant\n"
        "editor = SqliteDirectoryEditor(Path(sys.argv[1]), who='other process')\n"
        "editor.put_tenant(Tenant(name='fabrikam', created_at=datetime.now(UTC)), 'add')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=environment)
    assert worker.refresh()
    assert worker.tenant("fabrikam") is not None


def test_a_prefix_length_first_used_later_is_searched_too(editor: SqliteDirectoryEditor, path: Path) -> None:
    worker = SqliteDirectory(path)
    editor.put_inbound_connector(connector("a", addresses=(ip_network("192.0.2.0/24"),)), "add")
    worker.refresh()
    assert labels(worker.connectors_listing(ip_address("198.51.100.7"), NEAR)) == []
    editor.put_inbound_connector(connector("b", addresses=(ip_network("198.51.100.0/29"),)), "add")
    worker.refresh()
    assert labels(worker.connectors_listing(ip_address("198.51.100.7"), NEAR)) == ["contoso/b"]


def test_a_changed_connector_is_not_found_by_what_it_no_longer_says(editor: SqliteDirectoryEditor) -> None:
    first = connector(
        "mail",
        certificate_names=("mail.contoso.example",),
        addresses=(ip_network("192.0.2.1/32"),),
        certificate_sha256=("a" * 64,),
    )
    editor.put_inbound_connector(first, "add")
    editor.put_inbound_connector(connector("mail", certificate_names=("new.contoso.example",)), "set")
    assert not editor.connectors_naming(["mail.contoso.example"], NEAR)
    assert not editor.connectors_listing(ip_address("192.0.2.1"), NEAR)
    assert not editor.connectors_pinning_any(["a" * 64], NEAR)
    assert labels(editor.connectors_naming(["new.contoso.example"], NEAR)) == ["contoso/mail"]


def test_a_check_that_finds_nothing_new_is_no_change(editor: SqliteDirectoryEditor, path: Path) -> None:
    editor.put_domain(replace(domain("contoso.example"), checked_at=AT), "verify")
    worker = SqliteDirectory(path)
    entries = len(editor.audit())
    found = editor.accepted_domain("contoso.example", "contoso")
    assert found is not None
    editor.note_domain_checked(found, AT + timedelta(days=1))
    assert not worker.refresh()
    assert len(editor.audit()) == entries
    assert not list(editor.domains_last_checked_before(AT + timedelta(hours=1)))
    assert [each.domain for each in editor.domains_last_checked_before(AT + timedelta(days=2))] == ["contoso.example"]


def test_domains_an_operator_vouched_for_are_never_due_for_a_check(editor: SqliteDirectoryEditor) -> None:
    editor.put_domain(replace(domain("contoso.example"), verified_by_operator=True, checked_at=AT), "add")
    editor.put_domain(replace(domain("new.example", verified=False), checked_at=AT), "add")
    assert not list(editor.domains_last_checked_before(AT + timedelta(days=2)))


def test_no_look_up_of_a_worker_reads_through_a_table(editor: SqliteDirectoryEditor, path: Path) -> None:
    """Cost never depends on the number of tenants: SQLite plans a search in an index for every statement."""
    editor.put_inbound_connector(connector("a", addresses=(ip_network("192.0.2.0/24"),)), "add")
    connection = open_to_read(path)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    queries = DirectoryQueries(path, connection)
    queries.tenant("contoso")
    queries.connectors_naming(["mail.contoso.example", "*.contoso.example"], NEAR)
    queries.connectors_pinning(leaf("a" * 64, "b" * 64), NEAR)
    queries.connectors_listing(ip_address("192.0.2.1"), NEAR)
    queries.proofs_of("a" * 64)
    queries.has_verified_domain("contoso")
    queries.claimants("contoso.example")
    queries.accepted_domain("contoso.example", "contoso")
    queries.covering_domain("mail.contoso.example")
    queries.verified_below("contoso", "contoso.example")
    queries.partner_connectors("contoso")
    queries.connectors_of("contoso")
    queries.send_connectors("contoso", "mail.partner.example")
    connection.set_trace_callback(None)
    assert len(statements) >= 12
    for statement in statements:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [step for step in plan if step.startswith("SCAN")], f"{statement}: {plan}"
    connection.close()


def test_a_change_that_changes_nothing_leaves_no_entry(editor: SqliteDirectoryEditor) -> None:
    version = editor.version
    editor.put_tenant(Tenant(name="contoso", created_at=AT), "set")
    assert editor.version == version
    assert len(editor.audit()) == 1


def test_a_change_that_fails_half_way_leaves_nothing(editor: SqliteDirectoryEditor) -> None:
    version = editor.version
    with pytest.raises(ZeroDivisionError), editor.change():
        editor.put_tenant(Tenant(name="fabrikam", created_at=AT), "add")
        raise ZeroDivisionError
    assert editor.tenant("fabrikam") is None
    assert editor.version == version


def test_names_are_found_however_their_letters_are_cased(editor: SqliteDirectoryEditor) -> None:
    found = editor.tenant("CONTOSO")
    assert found is not None and found.name == "contoso"


def test_a_file_of_version_1_is_brought_up_to_date_and_its_audit_told_apart_by_tenant(path: Path) -> None:
    with closing(sqlite3.connect(path)) as old:
        old.executescript(step("gatepost.store.directory", 1))
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        tenant = json.dumps(tenant_record(Tenant(name="contoso", created_at=AT)))
        owned = json.dumps(domain_record(domain("contoso.example")))
        entries = [(1, "tenant contoso", None, tenant), (2, "domain contoso.example", owned, None)]
        for version, subject, before, after in entries:
            old.execute("INSERT INTO audit VALUES (?, 0, 'x', 'add', ?, ?, ?)", (version, subject, before, after))
        old.commit()
    with closing(editor_of(path)) as editor:
        assert [entry.version for entry in editor.audit(tenant="contoso")] == [2, 1]
        assert editor.audit(tenant="fabrikam") == []
        assert list(editor.all_tokens()) == [] and editor.one_time_addresses("contoso", Purpose.ENROLMENT) == []
    open_to_read(path).close()


def test_a_file_of_version_3_keeps_its_domains_and_what_waits_has_as_long_as_what_is_new(path: Path) -> None:
    with closing(sqlite3.connect(path)) as old:
        for number in (1, 2, 3):
            old.executescript(step("gatepost.store.directory", number))
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute("PRAGMA user_version = 3")
        old.execute(
            "INSERT INTO tenant VALUES ('contoso', ?)",
            (json.dumps(tenant_record(Tenant(name="contoso", created_at=AT))),),
        )
        for each in (domain("contoso.example"), domain("waiting.example", verified=False)):
            record = {key: value for key, value in domain_record(each).items() if key != "claimed_at"}
            top_down = ".".join(reversed(each.domain.split(".")))
            values = (each.domain, each.tenant, top_down, each.verified, json.dumps(record))
            old.execute("INSERT INTO accepted_domain VALUES (?, ?, ?, ?, NULL, ?)", values)
        old.commit()
    began = datetime.now(UTC) - timedelta(seconds=2)
    with closing(editor_of(path)) as editor:
        assert editor.nearest_owner("mail.contoso.example") == domain("contoso.example")
        waiting = editor.accepted_domain("waiting.example", "contoso")
        assert waiting and waiting.claimed_at and began <= waiting.claimed_at <= datetime.now(UTC)
        assert not list(editor.claims_made_before(began))
        assert list(editor.claims_made_before(datetime.now(UTC) + timedelta(seconds=1))) == [waiting]
        editor.put_tenant(Tenant(name="fabrikam", created_at=AT), "add")
        editor.put_domain(domain("contoso.example", "fabrikam", verified=False), "add")
        with pytest.raises(StoreUnavailable, match="UNIQUE"):
            editor.put_domain(domain("contoso.example", "fabrikam"), "set")
    open_to_read(path).close()


_connectors = st.builds(
    InboundConnector,
    tenant=st.just("contoso"),
    name=st.sampled_from(["a", "b"]),
    type=st.sampled_from(ConnectorType),
    certificate_names=st.lists(st.sampled_from(["mail.contoso.example", "*.contoso.example"]), unique=True).map(tuple),
    addresses=st.lists(st.sampled_from([ip_network("192.0.2.0/24"), ip_network("::1/128")]), unique=True).map(tuple),
    enabled=st.booleans(),
)
_domains = st.builds(
    domain,
    st.sampled_from(["contoso.example", "b.example"]),
    st.sampled_from(["contoso", "fabrikam"]),
    verified=st.booleans(),
)
_send_connectors = st.builds(send_connector, st.sampled_from(["x", "y"]), st.sampled_from(["*", "a.example"]))
_changes = st.one_of(
    st.tuples(st.just("inbound"), _connectors, st.booleans()),
    st.tuples(st.just("domain"), _domains, st.booleans()),
    st.tuples(st.just("send"), _send_connectors, st.booleans()),
)


@pytest.mark.soak
@settings(deadline=None, max_examples=rounds(20, large=800))
@given(st.lists(_changes, max_size=20))
def test_replaying_the_audit_gives_the_directory(changes: list[tuple[str, object, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        editor = editor_of(Path(folder) / "directory.sqlite")
        for tenant in ("contoso", "fabrikam"):
            editor.put_tenant(Tenant(name=tenant, created_at=AT), "add")
        for kind, thing, removes in changes:
            _carry_out(editor, kind, thing, removes)
        replayed: dict[object, object] = {}
        entries = list(reversed(editor.audit()))
        for entry in entries:
            key = _key(entry.subject, entry.after or entry.before)
            assert entry.before == replayed.get(key)
            if entry.after is None:
                del replayed[key]
            else:
                replayed[key] = entry.after
        assert replayed == _state(editor)
        assert [entry.version for entry in entries] == list(range(1, editor.version + 1))
        editor.close()


def _carry_out(editor: SqliteDirectoryEditor, kind: str, thing: object, removes: bool) -> None:
    if kind == "inbound":
        existing = editor.inbound_connector(thing.tenant, thing.name)
        put, remove = editor.put_inbound_connector, editor.remove_inbound_connector
    elif kind == "domain":
        existing = editor.accepted_domain(thing.domain, thing.tenant)
        put, remove = editor.put_domain, editor.remove_domain
    else:
        existing = editor.send_connector(thing.name)
        put, remove = editor.put_send_connector, editor.remove_send_connector
    if not removes:
        owner = kind == "domain" and thing.verified and editor.nearest_owner(thing.domain)
        if not owner or owner.tenant == thing.tenant:
            put(thing, "set")
    elif existing:
        remove(existing)


def _key(subject: str, record: dict[str, object]) -> object:
    """Several tenants may claim a domain; every other object is one whatever happens to it."""
    return (subject, record["tenant"]) if subject.startswith("domain ") else subject


def _state(editor: SqliteDirectoryEditor) -> dict[object, object]:
    inbound = editor.all_inbound_connectors()
    return (
        {f"tenant {each.name}": tenant_record(each) for each in editor.all_tenants()}
        | {(f"domain {each.domain}", each.tenant): domain_record(each) for each in editor.all_domains()}
        | {f"inbound-connector {each.label}": inbound_connector_record(each) for each in inbound}
        | {f"send-connector {each.name}": send_connector_record(each) for each in editor.all_send_connectors()}
    )


def test_the_audit_is_listed_newest_first_and_by_subject(editor: SqliteDirectoryEditor) -> None:
    editor.put_domain(domain("contoso.example"), "add")
    editor.put_tenant(Tenant(name="fabrikam", created_at=AT), "add")
    assert [entry.subject for entry in editor.audit(limit=2)] == ["tenant fabrikam", "domain contoso.example"]
    assert [entry.subject for entry in editor.audit(subject="domain ")] == ["domain contoso.example"]
    assert [entry.version for entry in editor.audit(after=2)] == [3]
    entry = editor.audit_entry(2)
    assert entry is not None and (entry.who, entry.at, entry.action) == ("tester", AT, "add")
    assert json.dumps(entry.after)


def test_processes_that_create_the_file_at_once_all_succeed(path: Path) -> None:
    def add(number: int) -> None:
        editor = editor_of(path)
        editor.put_tenant(Tenant(name=f"t{number}", created_at=AT), "add")
        editor.close()

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(add, range(24)))
    editor = editor_of(path)
    assert len(list(editor.all_tenants())) == editor.version == 24
    editor.close()


def test_a_missing_directory_file_says_what_to_do(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="gatepost init"):
        SqliteDirectory(path)
    with pytest.raises(StoreUnavailable, match="gatepost init"):
        editor_of(path / "nowhere" / "directory.sqlite")


def test_a_file_that_is_no_database_says_so(path: Path) -> None:
    path.write_bytes(b"this is no database, but it is long enough to look at" * 100)
    for use in (SqliteDirectory, editor_of):
        with pytest.raises(StoreDamaged, match=r"directory\.sqlite is damaged"):
            use(path)


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreDamaged, match="not a Gatepost directory file"):
        editor_of(path)


def test_a_file_of_a_newer_version_says_to_update(editor: SqliteDirectoryEditor, path: Path) -> None:
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    for use in (SqliteDirectory, editor_of):
        with pytest.raises(StoreDamaged, match=r"newer Gatepost .*update"):
            use(path)


def test_a_directory_that_is_being_changed_elsewhere_says_to_try_again(
    editor: SqliteDirectoryEditor, path: Path
) -> None:
    with editor.change():
        other = editor_of(path, patience_s=0.05)
        with pytest.raises(StoreUnavailable, match="being changed by another process"), other.change():
            pass
        assert SqliteDirectory(path).tenant("contoso") is not None
