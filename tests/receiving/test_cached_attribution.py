"""Verdicts with a memory: as cheap as it makes them, and never a refusal that the directory no longer holds."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

from contracts.directory_contract import connector, domain
from gatepost.mail.address import ForwardPath, Mailbox
from gatepost.receiving.cached_attribution import CachedAttribution
from gatepost.store.directory.editor import SqliteDirectoryEditor
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.tenant import Tenant

AT = datetime(2026, 3, 1, tzinfo=UTC)
EVIDENCE = Evidence(
    address=ip_address("192.0.2.1"),
    listener="main",
    tls=None,
    ehlo="mail.contoso.com",
    reverse_path=Mailbox("ann", "contoso.com", "ann@contoso.com"),
    forward_paths=(ForwardPath("bob", "outside.example", "bob@outside.example"),),
)
AT_CONTOSO = connector("mail", addresses=(ip_network("192.0.2.0/24"),))


def _no_judge(*question: object) -> None:
    raise AssertionError("no certificate is presented here")


def test_a_refusal_takes_a_repair_of_the_moment_before_into_account(tmp_path: Path) -> None:
    path = tmp_path / "directory.sqlite"
    editor = SqliteDirectoryEditor(path, who="tester", clock=lambda: AT)
    editor.put_tenant(Tenant(name="contoso", created_at=AT), "add")
    editor.put_domain(domain("contoso.com"), "add")
    directory = SqliteDirectory(path)
    attribution = CachedAttribution(directory, _no_judge)  # type: ignore[arg-type]
    assert attribution(EVIDENCE, AT).refusal
    editor.put_inbound_connector(AT_CONTOSO, "add")
    assert attribution(EVIDENCE, AT).tenant == "contoso"
    directory.close()
    editor.close()


def test_the_recipients_of_a_domain_have_one_verdict_however_many_came_before(tmp_path: Path) -> None:
    path = tmp_path / "directory.sqlite"
    editor = SqliteDirectoryEditor(path, who="tester", clock=lambda: AT)
    editor.put_tenant(Tenant(name="contoso", created_at=AT), "add")
    editor.put_domain(domain("contoso.com"), "add")
    editor.put_inbound_connector(AT_CONTOSO, "add")
    directory = SqliteDirectory(path)
    attribution = CachedAttribution(directory, _no_judge)  # type: ignore[arg-type]
    asked: list[ForwardPath] = []
    verdicts = set()
    for number in range(20):
        asked.append(ForwardPath(f"bob{number}", "outside.example", f"bob{number}@outside.example"))
        verdicts.add(id(attribution(replace(EVIDENCE, forward_paths=tuple(asked)), AT)))
    assert len(verdicts) == 1
    directory.close()
    editor.close()
