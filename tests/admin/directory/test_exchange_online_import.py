"""Moving from Exchange Online: exports become domains and connectors, and nothing is lost in silence."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gatepost.admin.directory import domains, exchange_online_export, exchange_online_import, inbound_connectors
from gatepost.admin.directory.exchange_online import Translation, translated
from gatepost.admin.directory.send_connectors import CredentialVerdict
from gatepost.doctor.reading import read_files, read_text
from gatepost.exchange.translate import CutShort
from gatepost.store.directory.editor import SqliteDirectoryEditor as Editor
from gatepost.tenancy.tenant import AddressSpace, ConnectorType, SmartHost, TlsLevel

INBOUND = [
    {
        "Name": "Inbound from 5c2f",
        "ConnectorType": "OnPremises",
        "Enabled": True,
        "TlsSenderCertificateName": "*.litware.com",
        "SenderIPAddresses": ["192.0.2.9/24", "198.51.100.7"],
        "SenderDomains": ["smtp:*;1"],
        "RequireTls": True,
        "CloudServicesMailEnabled": True,
        "AssociatedAcceptedDomains": [],
        "Guid": "8f0a1f3e-1111-4222-8333-944455556666",
    },
    {
        "Name": "From the bank",
        "ConnectorType": "Partner",
        "Enabled": True,
        "TlsSenderCertificateName": "mail.litware.com",
        "SenderDomains": ["smtp:bank.example;1", "smtp:*.bank.example;1"],
        "RequireTls": True,
        "RestrictDomainsToCertificate": True,
        "RestrictDomainsToIPAddresses": False,
        "EFSkipLastIP": True,
    },
]
OUTBOUND = [
    {
        "Name": "To the office",
        "ConnectorType": "OnPremises",
        "Enabled": True,
        "RecipientDomains": ["partner.example", "*.partner.example"],
        "UseMXRecord": False,
        "SmartHosts": ["[192.0.2.25]", "hub.litware.com"],
        "TlsSettings": "DomainValidation",
        "TlsDomain": "*.litware.com",
    },
    {
        "Name": "By rule",
        "Enabled": True,
        "AllAcceptedDomains": True,
        "IsTransportRuleScoped": True,
        "UseMXRecord": True,
        "TlsSettings": "CertificateValidation",
    },
]
DOMAINS = [
    {"DomainName": "litware.com", "DomainType": "Authoritative", "MatchSubDomains": False, "Default": True},
    {"DomainName": "branch.example", "DomainType": "InternalRelay", "MatchSubDomains": True, "Default": False},
    {"DomainName": "litware.onmicrosoft.com", "DomainType": "Authoritative", "MatchSubDomains": False},
]


def fine(certificate: Path, key: Path) -> CredentialVerdict:
    return CredentialVerdict()


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, objects in (("inbound", INBOUND), ("outbound", OUTBOUND), ("domains", DOMAINS)):
        (folder / f"{name}.json").write_text(json.dumps(objects, indent=2))
    return folder


@pytest.fixture
def wanted(exports: Path) -> Translation:
    return translated(read_files([exports]).exports, "litware")


def imported(editor: Editor, wanted: Translation, at: datetime, verified: bool = True) -> Any:
    return exchange_online_import.apply(editor, "litware", wanted, fine, verified=verified, at=at)


def state(editor: Editor) -> tuple[object, ...]:
    return (
        tuple(editor.all_tenants()),
        tuple(editor.all_domains()),
        tuple(editor.all_inbound_connectors()),
        tuple(editor.all_send_connectors()),
    )


def test_connectors_and_domains_mean_what_they_meant(editor: Editor, wanted: Translation, at: datetime) -> None:
    outcome = imported(editor, wanted, at)
    assert not outcome.not_taken and not outcome.not_enabled
    assert [each.domain for each in editor.all_domains("litware")] == ["branch.example", "litware.com"]
    branch = editor.accepted_domain("branch.example", "litware")
    assert branch and branch.match_subdomains
    own = editor.inbound_connector("litware", "Inbound from 5c2f")
    assert own and own.enabled and own.type is ConnectorType.ON_PREMISES
    assert own.certificate_names == ("*.litware.com",)
    assert [str(each) for each in own.addresses] == ["192.0.2.0/24", "198.51.100.7/32"]
    assert not own.require_tls, "on an on-premises connector it refuses nothing there, and would here"
    bank = editor.inbound_connector("litware", "From the bank")
    assert bank and bank.type is ConnectorType.PARTNER and bank.require_tls and bank.restrict_to_certificate
    assert bank.sender_domains == ("bank.example", "*.bank.example")
    office = editor.send_connector("litware/To the office")
    assert office and office.tenant == "litware" and office.tls is TlsLevel.VERIFY
    assert office.tls_domain == "*.litware.com"
    assert office.smart_hosts == (SmartHost(host="192.0.2.25"), SmartHost(host="hub.litware.com"))
    by_rule = editor.send_connector("litware/By rule")
    assert by_rule and not by_rule.enabled
    assert by_rule.address_spaces == (AddressSpace(space="litware.com"), AddressSpace(space="*.branch.example"))


def test_every_property_without_an_equal_is_named(wanted: Translation) -> None:
    named = {(each.object, each.property) for each in wanted.no_equal}
    assert named == {
        ("inbound connector Inbound from 5c2f", "CloudServicesMailEnabled"),
        ("inbound connector Inbound from 5c2f", "RequireTls"),
        ("inbound connector From the bank", "EFSkipLastIP"),
        ("send connector By rule", "IsTransportRuleScoped"),
        ("send connector By rule", "TlsSettings"),
        ("domain litware.com", "DomainType"),
        ("domain branch.example", "DomainType"),
        ("domain litware.onmicrosoft.com", "DomainName"),
    }


def test_a_property_nobody_knows_is_named_too() -> None:
    exported = read_text(json.dumps([INBOUND[0] | {"BrandNewSwitch": "On"}])).exports
    assert ("BrandNewSwitch", "On") in {(each.property, each.value) for each in translated(exported, "x").no_equal}


def test_a_plan_changes_nothing_and_says_what_the_import_will(
    editor: Editor, wanted: Translation, at: datetime
) -> None:
    before = state(editor)
    planned = exchange_online_import.plan(editor, "litware", wanted, fine, verified=True, at=at)
    assert state(editor) == before
    done = imported(editor, wanted, at)
    assert [(each.action, each.subject) for each in planned.changes] == [
        (each.action, each.subject) for each in done.changes
    ]
    assert planned.changes[0].subject == "tenant litware"


def test_a_plan_tells_no_record_that_the_import_will_not_ask_for(
    editor: Editor, wanted: Translation, at: datetime
) -> None:
    planned = exchange_online_import.plan(editor, "litware", wanted, fine, verified=False, at=at)
    assert [each.object for each in planned.not_enabled] == ["inbound connector Inbound from 5c2f"]
    assert "gatepost-verification=" not in planned.not_enabled[0].because


def test_importing_twice_changes_nothing_the_second_time(editor: Editor, wanted: Translation, at: datetime) -> None:
    imported(editor, wanted, at)
    assert not imported(editor, wanted, at).changes


def test_what_is_exported_again_and_imported_changes_nothing(
    editor: Editor, wanted: Translation, at: datetime, tmp_path: Path
) -> None:
    imported(editor, wanted, at)
    exported = exchange_online_export.export(editor, "litware", tmp_path / "back")
    assert not exported.no_equal
    again = translated(read_files([tmp_path / "back"]).exports, "litware")
    assert not imported(editor, again, at).changes


def test_what_exchange_online_cannot_say_is_named_by_the_export(
    editor: Editor, wanted: Translation, at: datetime, tmp_path: Path
) -> None:
    imported(editor, wanted, at)
    more = {
        "certificate_names": ["mail.litware.com", "mx.litware.com"],
        "certificate_sha256": ["ab" * 32],
        "addresses": ["2001:db8::/64", "192.0.0.0/20"],
    }
    inbound_connectors.add(editor, "litware", "richer", more)
    exported = exchange_online_export.export(editor, "litware", tmp_path / "back")
    assert {(each.property, each.value) for each in exported.no_equal} == {
        ("certificate name", "mx.litware.com"),
        ("pin", "ab" * 32),
        ("address", "2001:db8::/64"),
        ("address", "192.0.0.0/20"),
    }


def test_a_connector_waits_disabled_until_its_name_is_owned(editor: Editor, wanted: Translation, at: datetime) -> None:
    outcome = imported(editor, wanted, at, verified=False)
    assert [each.object for each in outcome.not_enabled] == ["inbound connector Inbound from 5c2f"]
    assert "TXT record" in outcome.not_enabled[0].because
    own = editor.inbound_connector("litware", "Inbound from 5c2f")
    assert own and not own.enabled
    assert not imported(editor, wanted, at, verified=True).not_enabled, "vouched for, it is enabled"


def test_an_object_that_cannot_be_taken_leaves_the_others_alone(editor: Editor, exports: Path, at: datetime) -> None:
    (exports / "domains.json").write_text(json.dumps([*DOMAINS, {"DomainName": "contoso.com"}]))
    (exports / "inbound.json").write_text(
        json.dumps([{**INBOUND[0], "TlsSenderCertificateName": "no name"}, INBOUND[1]])
    )
    domains.add(editor, "contoso", "contoso.com", match_subdomains=False, verified=True, at=at)
    outcome = imported(editor, translated(read_files([exports]).exports, "litware"), at)
    assert [each.object for each in outcome.not_taken] == ["domain contoso.com", "inbound connector Inbound from 5c2f"]
    assert editor.inbound_connector("litware", "From the bank")
    owner = editor.nearest_owner("contoso.com")
    assert owner and owner.tenant == "contoso", "another tenant's domain stays theirs"


def test_what_an_administrator_added_here_stays(editor: Editor, wanted: Translation, at: datetime) -> None:
    imported(editor, wanted, at)
    pin = {"public_key_sha256": ["cd" * 32]}
    inbound_connectors.change(editor, "litware", "Inbound from 5c2f", pin)
    assert not imported(editor, wanted, at).changes
    own = editor.inbound_connector("litware", "Inbound from 5c2f")
    assert own and own.public_key_sha256 == ("cd" * 32,)


def test_a_list_that_was_cut_short_is_not_taken_for_the_whole() -> None:
    exported = read_text(
        "Name : Office\nConnectorType : OnPremises\nSenderIPAddresses : {192.0.2.1, 192.0.2.2, 192.0.2.3...}\n"
    )
    with pytest.raises(CutShort, match=r"SenderIPAddresses of 'Office' is cut short.*ConvertTo-Json"):
        translated(exported.exports, "litware")
