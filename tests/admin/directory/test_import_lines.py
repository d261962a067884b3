"""A directory from lines and back: the rules of the one-by-one commands, all or nothing, and nothing twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin.conftest import AT
from gatepost.admin.directory import domains, inbound_connectors, send_connectors, tenants
from gatepost.admin.directory.import_lines import (
    MOST_ERRORS,
    Imported,
    ImportRefused,
    export_directory,
    import_directory,
)
from gatepost.admin.directory.lines import Kind
from gatepost.admin.directory.send_connectors import CredentialVerdict
from gatepost.store.directory.bulk import SqliteBulkEditor
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.tenancy.tenant import AcceptedDomain
from pki import Pki
from soak import rounds

LATER = AT + timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.sqlite"


@pytest.fixture
def bulk(path: Path) -> Iterator[SqliteBulkEditor]:
    """A directory with a neighbour whom no import here is about."""
    editor = SqliteBulkEditor(path, who="tester")
    tenants.add(editor, "fabrikam", AT)
    domains.add(editor, "fabrikam", "fabrikam.com", match_subdomains=False, verified=True, at=AT)
    names = {"certificate_names": ["mail.fabrikam.com"]}
    inbound_connectors.add(editor, "fabrikam", "mail", names)
    yield editor
    editor.close()


def usable(certificate: Path, key: Path) -> CredentialVerdict:
    return CredentialVerdict()


def imported(editor: SqliteBulkEditor, *lines: Any) -> Imported:
    octets = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
    return import_directory(editor, octets, source="new.jsonl", check=usable, at=LATER, told=lambda done: None)


def refusal(editor: SqliteBulkEditor, *lines: Any) -> str:
    before = list(export_directory(editor)), editor.version
    with pytest.raises(ImportRefused) as refused:
        imported(editor, *lines)
    assert (list(export_directory(editor)), editor.version) == before, "something was half written"
    return str(refused.value)


def tenant(name: str = "contoso", **said: Any) -> dict[str, Any]:
    return {"kind": "tenant", "name": name, **said}


def domain(name: str = "contoso.com", of: str = "contoso", **said: Any) -> dict[str, Any]:
    return {"kind": "domain", "domain": name, "tenant": of, "verified": True, **said}


def connector(name: str = "mail", of: str = "contoso", **said: Any) -> dict[str, Any]:
    return {"kind": "inbound-connector", "tenant": of, "name": name, "certificate_names": ["mail.contoso.com"], **said}


def send(name: str = "out", **said: Any) -> dict[str, Any]:
    return {"kind": "send-connector", "name": name, "address_spaces": [{"space": "*", "cost": 5}], **said}


# --- what is written -------------------------------------------------------------------------------------------------


def test_lines_become_objects_as_the_commands_would_make_them(bulk: SqliteBulkEditor, path: Path) -> None:
    imported(bulk, tenant(), domain("CONTOSO.com."), connector(addresses=["192.0.2.0/24"]), send(tenant="contoso"))
    directory = SqliteDirectory(path)
    (found,) = directory.connectors_naming(["mail.contoso.com"], ["contoso"])
    assert (found.label, found.enabled, [str(each) for each in found.addresses]) == (
        "contoso/mail",
        True,
        ["192.0.2.0/24"],
    )
    owner = directory.nearest_owner("mail.contoso.com")
    assert owner is not None and owner.verified_by_operator and owner.verified_at == LATER and len(owner.token) == 32
    (out,) = directory.send_connectors("contoso", "outside.example")
    assert [str(each) for each in out.address_spaces] == ["*;5"]
    directory.close()


def test_every_change_has_its_version_and_its_audit_entry(bulk: SqliteBulkEditor) -> None:
    before = bulk.version
    imported(bulk, tenant(), domain(), connector())
    entries = bulk.audit(after=before)
    assert [(each.version, each.who, each.action, each.subject) for each in entries] == [
        (before + 3, "tester", "import", "inbound-connector contoso/mail"),
        (before + 2, "tester", "import", "domain contoso.com"),
        (before + 1, "tester", "import", "tenant contoso"),
    ]
    imported(bulk, connector(require_tls=True))
    changed = bulk.audit(after=before + 3)[0]
    assert changed.before is not None and changed.before["require_tls"] is False
    assert changed.after is not None and changed.after["require_tls"] is True


def test_the_second_import_changes_nothing(bulk: SqliteBulkEditor) -> None:
    lines = [tenant(), domain(), connector(), send()]
    imported(bulk, *lines)
    version = bulk.version
    done = imported(bulk, *lines)
    assert bulk.version == version
    assert {kind: (each.added, each.changed, each.unchanged) for kind, each in done.counts.items()} == dict.fromkeys(
        Kind, (0, 0, 1)
    )


def test_what_gatepost_found_out_stays_and_the_rest_is_as_the_line_says(bulk: SqliteBulkEditor) -> None:
    imported(bulk, tenant(created_at="2020-01-01T00:00:00Z"), domain(match_subdomains=True), connector())
    before = bulk.accepted_domain("contoso.com", "contoso")
    imported(bulk, tenant(), {"kind": "domain", "domain": "contoso.com", "tenant": "contoso"}, connector())
    after = bulk.accepted_domain("contoso.com", "contoso")
    assert before is not None and after == replace(before, match_subdomains=False)
    stored = bulk.tenant("contoso")
    assert stored is not None and stored.created_at.year == 2020


def test_a_new_connector_with_an_unowned_name_is_stored_disabled_and_says_why(bulk: SqliteBulkEditor) -> None:
    done = imported(bulk, tenant(), domain(verified=False), connector())
    stored = bulk.inbound_connector("contoso", "mail")
    assert stored is not None and not stored.enabled
    assert done.warned == 1
    assert done.warnings[0].startswith(
        "new.jsonl:3: contoso/mail is stored disabled: certificate name mail.contoso.com"
    )
    assert "gatepost domain verify contoso.com" in done.warnings[0]


def test_a_domain_that_takes_names_from_another_tenant_is_warned_of(bulk: SqliteBulkEditor) -> None:
    done = imported(bulk, tenant(), domain("mail.fabrikam.com"))
    assert done.warnings == [
        "new.jsonl:2: these connectors no longer count, because their certificate name is no longer owned: "
        "fabrikam/mail: mail.fabrikam.com"
    ]


def test_a_tenants_own_authority_comes_with_its_certificate(bulk: SqliteBulkEditor, tmp_path: Path) -> None:
    root = Pki(tmp_path / "pki").roots_file.read_text()
    imported(bulk, tenant(), domain(), connector(trust_anchors=[root]))
    stored = bulk.inbound_connector("contoso", "mail")
    assert stored is not None and len(stored.trust_anchors) >= 1
    assert "contains no readable certificate" in refusal(bulk, connector(trust_anchors=["nothing"]))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{\n", "invalid JSON: "),
        (b"\xff\xfe\n", "invalid JSON: "),
        (b"[]\n", "must be a JSON object"),
        ({"name": "contoso"}, "'kind' is null, and must be one of tenant, domain, inbound-connector, send-connector"),
        (tenant(created="x"), "a tenant has no 'created'; did you mean 'created_at'?"),
        (tenant(created_at="yesterday"), "'created_at' must be a time such as 2026-01-02T03:04:05Z, not \"yesterday\""),
        (tenant("a/b"), "'a/b' cannot be the name of a tenant"),
        ({"kind": "tenant"}, "'name' is missing: a tenant has one"),
        (domain("com"), "'com' is a top-level domain"),
        (domain("fabrikam.com"), "fabrikam.com is verified for tenant fabrikam, and a domain has one owner"),
        (
            domain(of="contoos"),
            "there is no tenant 'contoos': put its line above this one, or run: gatepost tenant add",
        ),
        (domain(verified=False, verified_by_operator=True), "'verified_by_operator' needs 'verified'"),
        (connector(certificate_names=["mail"]), "'mail' is not a full name"),
        (connector(certificate_names="mail.contoso.com"), "'certificate_names' must be a list of texts"),
        (connector(certificate_names=[]), "nothing identifies the server"),
        (connector(enabled="yes"), "'enabled' must be true or false, not \"yes\""),
        (connector(type="partners"), "type partners: must be on-premises or partner"),
        (connector(addresses=["192.0.2.1/24"]), "'192.0.2.1/24' has bits set behind its prefix"),
        (send(tls="always"), "tls always: must be one of none, opportunistic, encrypt, verify"),
        (send(address_spaces=[{"space": "*"}]), "'address_spaces' must be a list such as"),
        (send(smart_hosts=[{"host": "mx.contoso.com", "port": 99999}]), "the port behind ':'"),
        (send(certificate="a.pem"), "key is missing"),
        (send(tenant="nobody"), "there is no tenant 'nobody'"),
    ],
    ids=str,
)
def test_a_bad_line_is_told_with_its_number_and_nothing_is_written(
    bulk: SqliteBulkEditor, line: Any, says: str
) -> None:
    imported(bulk, tenant(), domain())
    told = refusal(bulk, tenant("tailspin"), b"\n", line, tenant("adatum"))
    assert told.startswith("new.jsonl:3: ")
    assert says in told
    assert "\n" not in told


def test_a_stored_connector_keeps_its_form_rather_than_take_an_unowned_name(bulk: SqliteBulkEditor) -> None:
    imported(bulk, tenant(), domain(), connector())
    told = refusal(bulk, connector(certificate_names=["mail.fabrikam.com"]))
    assert told.startswith("new.jsonl:1: contoso/mail cannot be changed so: certificate name mail.fabrikam.com")


def test_a_file_of_another_kind_is_told_once(bulk: SqliteBulkEditor) -> None:
    for line in (b"name,domain\n", b"1\n"):
        said = refusal(bulk, *[line] * 30)
        assert said.startswith("new.jsonl:1: ") and "must be JSON Lines, as gatepost export directory writes it" in said
        assert "\n" not in said


def test_bad_lines_are_told_together_up_to_a_number(bulk: SqliteBulkEditor) -> None:
    told = refusal(bulk, *[domain(f"d{number}.com", of=f"nobody{number}") for number in range(50)])
    assert len(told.splitlines()) == MOST_ERRORS
    assert len(refusal(bulk, tenant("a/b"), tenant("fine"), tenant("-c")).splitlines()) == 2


def test_the_same_object_twice_in_a_file_is_the_later_line(bulk: SqliteBulkEditor) -> None:
    done = imported(bulk, tenant(), domain(), connector(require_tls=True), connector("MAIL"))
    stored = bulk.inbound_connector("contoso", "mail")
    assert stored is not None and not stored.require_tls
    assert (done.counts[Kind.INBOUND_CONNECTOR].added, done.counts[Kind.INBOUND_CONNECTOR].changed) == (1, 1)


# --- round trip ------------------------------------------------------------------------------------------------------

_labels = st.text("abcdefgh", min_size=1, max_size=6)
_flags = st.booleans()


@st.composite
def directories(draw: st.DrawFn) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 3))):
        of = f"tenant{number}"
        contact = draw(st.sampled_from([None, "post@contoso.com"]))
        lines.append(tenant(of, reject_direct_send=draw(_flags), contact=contact))
        base = f"{draw(_labels)}.t{number}.example"
        lines.append(domain(base, of, verified=draw(_flags), match_subdomains=draw(_flags)))
        for each in range(draw(st.integers(0, 3))):
            said: dict[str, Any] = {"certificate_names": draw(st.sampled_from([[base], [f"*.{base}"], []]))}
            said["addresses"] = draw(st.sampled_from([["192.0.2.0/24"], ["2001:db8::/48", "192.0.2.7"]]))
            said["public_key_sha256"] = draw(st.sampled_from([[], ["a" * 64]]))
            said |= draw(
                st.sampled_from(
                    [{}, {"type": "partner", "restrict_to_address": True, "sender_domains": ["*"]}, {"enabled": False}]
                )
            )
            lines.append(connector(f"c{each}", of, **said))
        if draw(_flags):
            hosts = [{"host": "2001:db8::1", "port": 26}, {"host": "mx.example", "port": 25}]
            lines.append(send(f"out{number}", tenant=of, smart_hosts=hosts, fqdn="me.example", tls="verify"))
    return lines


@pytest.mark.soak
@settings(
    max_examples=rounds(25, large=500), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(directories())
def test_a_round_trip_changes_nothing(tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.mktemp("round-trip")
    first, second = (SqliteBulkEditor(folder / f"{name}.sqlite", who="tester") for name in ("first", "second"))
    imported(first, *lines)
    exported = list(export_directory(first))
    version = first.version
    imported(first, *(line.encode() for line in exported))
    assert first.version == version
    imported(second, *(line.encode() for line in exported))
    assert list(export_directory(second)) == exported
    first.close()
    second.close()


def test_what_no_import_could_have_made_is_exported_whole(bulk: SqliteBulkEditor, tmp_path: Path) -> None:
    """A domain proved by DNS and then lost, a send connector with its own certificate, one that the tenant made."""
    tenants.add(bulk, "contoso", AT)
    lost = AcceptedDomain(
        domain="contoso.com",
        tenant="contoso",
        token="t" * 32,
        verified=True,
        verified_at=AT,
        checked_at=LATER,
        lost_at=LATER,
    )
    bulk.put_domain(lost, "verify")
    wish = {"address_spaces": ["*"], "certificate": str(tmp_path / "a.pem"), "key": str(tmp_path / "a.key")}
    send_connectors.add(bulk, "out", wish, usable)
    own = {"tenant": "contoso", "address_spaces": ["*"]}
    send_connectors.put(bulk, send_connectors.stored_name(bulk, "contoso", "mine"), own, usable, enabled=None)
    exported = list(export_directory(bulk))
    other = SqliteBulkEditor(tmp_path / "other.sqlite", who="tester")
    imported(other, *(line.encode() for line in exported))
    assert other.accepted_domain("contoso.com", "contoso") == lost
    assert list(export_directory(other)) == exported
    other.close()
