"""Exchange Server and Exchange Online: from exports to scripts, and from the next export to "nothing to do"."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Parser

from gatepost.app.exports import read_exports
from gatepost.app.hybrid import certificate_files
from gatepost.hybrid.errors import NotPossible, UnusableFile
from gatepost.hybrid.exchange import CLOUD_HOST, CREATED
from gatepost.hybrid.plan import document
from gatepost.hybrid.sides.exchange import ExchangeRequest, Rendered, plan_exchange
from pki import Issued, Pki

POWERSHELL = Parser(Language(tree_sitter_powershell.language()))

DOMAINS = [
    {"DomainName": "contoso.com", "DomainType": "Authoritative", "Name": "contoso.com"},
    {
        "DomainName": "contoso.mail.onmicrosoft.com",
        "DomainType": "Authoritative",
        "Name": "contoso.mail.onmicrosoft.com",
    },
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return Pki(tmp_path_factory.mktemp("pki"), organisation="Known Authority").leaf("mail.contoso.com")


def planned(
    folder: Path,
    certificate: Issued,
    exports: dict[str, list[dict[str, Any]]],
    *overwrite: str,
    earlier: Path | None = None,
    none: tuple[str, ...] | None = None,
    smart_host: str = "mail.contoso.com",
) -> Rendered:
    folder.mkdir(exist_ok=True)
    if none is None:
        none = tuple(kind for kind in CREATED if kind not in exports)
    for name, objects in exports.items():
        (folder / f"{name}.json").write_text(json.dumps(objects))
    request = ExchangeRequest(
        exports=(folder,),
        domains=("contoso.com",),
        smart_host=smart_host,
        certificate=certificate.chain_file,
        none=none,
        earlier=earlier,
    )
    return plan_exchange(request, overwrite, certificate_files(None), read_exports, datetime.now(UTC))


def receive(certificate_name: str = "") -> dict[str, Any]:
    return {
        "Name": "Default Frontend EX1",
        "Bindings": ["0.0.0.0:25"],
        "RemoteIPRanges": ["0.0.0.0-255.255.255.255"],
        "PermissionGroups": "AnonymousUsers",
        "TransportRole": "FrontendTransport",
        "TlsDomainCapabilities": [],
        "TlsCertificateName": certificate_name,
    }


def as_exported(found: Rendered, before: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What the cmdlets would print once the scripts have run."""
    after = {kind: [dict(each) for each in objects] for kind, objects in before.items()}
    for change in found.plan.changes:
        kind, _, name = change.object.partition(" ")
        objects = after.setdefault(kind, [])
        target = next((each for each in objects if each["Name"] == name), None)
        if target is None:
            target = {"Name": name}
            objects.append(target)
        target.update(change.after or {})
    return after


def test_from_nothing_both_sides_get_what_the_table_says(tmp_path: Path, certificate: Issued) -> None:
    before = {"AcceptedDomain": DOMAINS, "ReceiveConnector": [receive()]}
    found = planned(tmp_path / "exports", certificate, before)
    wanted = {change.object: change.after or {} for change in found.plan.changes}
    sent = wanted["SendConnector Outbound to Office 365"]
    assert sent["AddressSpaces"] == ["smtp:contoso.mail.onmicrosoft.com;1"]
    assert (sent["TlsAuthLevel"], sent["TlsDomain"]) == ("DomainValidation", CLOUD_HOST)
    assert all(sent[flag] for flag in ("CloudServicesMailEnabled", "DNSRoutingEnabled", "RequireTLS"))
    inbound = wanted["InboundConnector Inbound from on-premises"]
    assert (inbound["ConnectorType"], inbound["SenderDomains"]) == ("OnPremises", ["smtp:*;1"])
    assert inbound["TlsSenderCertificateName"] == "*.contoso.com"
    outbound = wanted["OutboundConnector Outbound to on-premises"]
    assert outbound["SmartHosts"] == ["mail.contoso.com"]
    assert not outbound["UseMXRecord"]
    assert not outbound["RouteAllMessagesViaOnPremises"]
    received = wanted["ReceiveConnector Default Frontend EX1"]
    assert received["TlsDomainCapabilities"] == [f"{CLOUD_HOST}:AcceptCloudServicesMail"]


def test_the_next_export_shows_that_nothing_is_left_to_do(tmp_path: Path, certificate: Issued) -> None:
    before = {"AcceptedDomain": DOMAINS, "ReceiveConnector": [receive()]}
    found = planned(tmp_path / "exports", certificate, before)
    again = planned(tmp_path / "again", certificate, as_exported(found, before))
    assert again.plan.changes == ()
    assert again.scripts == {}


def test_address_spaces_and_a_gateway_that_somebody_added_stay(tmp_path: Path, certificate: Issued) -> None:
    before = {"AcceptedDomain": DOMAINS, "ReceiveConnector": [receive()]}
    after = as_exported(planned(tmp_path / "exports", certificate, before), before)
    sent = after["SendConnector"][0]
    sent["AddressSpaces"] = [*sent["AddressSpaces"], "smtp:groups.contoso.com;1"]
    sent.update(SmartHosts=["gateway.contoso.com"], DNSRoutingEnabled=False, RequireTLS=False)
    found = planned(tmp_path / "again", certificate, after)
    (change,) = found.plan.changes
    assert change.before is not None
    assert change.after is not None
    changed = {field for field in change.after if change.before.get(field) != change.after[field]}
    assert changed == {"RequireTLS"}
    script = found.scripts["exchange-server.ps1"]
    assert "-RequireTLS $true" in script
    assert "-AddressSpaces" not in script
    assert "-SmartHosts" not in script


def test_a_value_changed_since_the_last_plan_is_kept_until_it_is_named(tmp_path: Path, certificate: Issued) -> None:
    before = {"AcceptedDomain": DOMAINS, "ReceiveConnector": [receive()]}
    first = planned(tmp_path / "exports", certificate, before)
    remembered = tmp_path / "plan.json"
    remembered.write_text(json.dumps(document(first.plan)))
    not_run = planned(tmp_path / "exports", certificate, before, earlier=tmp_path)
    assert not_run.plan.changes == first.plan.changes
    after = as_exported(first, before)
    run = planned(tmp_path / "exports", certificate, after, earlier=tmp_path)
    assert (run.plan.changes, run.plan.kept) == ((), ())
    remembered.write_text(json.dumps(document(run.plan)))
    after["OutboundConnector"][0]["TlsSettings"] = "EncryptionOnly"
    kept = planned(tmp_path / "again", certificate, after, earlier=tmp_path)
    assert kept.plan.changes == ()
    (name,) = [each.name for each in kept.plan.kept]
    assert name == "OutboundConnector Outbound to on-premises.TlsSettings"
    named = planned(tmp_path / "again", certificate, after, name, earlier=tmp_path)
    assert "-TlsSettings 'DomainValidation'" in named.scripts["exchange-online.ps1"]


def test_scripts_parse_preview_first_and_back_up(tmp_path: Path, certificate: Issued) -> None:
    odd = {**receive(), "Name": 'Default Frontend O\'Neill\u2019s "EX" $(1) `n'}
    found = planned(tmp_path / "exports", certificate, {"AcceptedDomain": DOMAINS, "ReceiveConnector": [odd]})
    assert set(found.scripts) == {"exchange-server.ps1", "exchange-online.ps1"}
    for script in found.scripts.values():
        assert not POWERSHELL.parse(script.encode()).root_node.has_error, script
        changing = re.findall(r"^(?:Set|New)-\w+ (?:[^\n]*`\n)*[^\n]*", script, re.MULTILINE)
        assert changing
        assert all(command.endswith("-WhatIf:$preview") for command in changing)
        assert script.index("Export-Clixml") < script.index(changing[0])
    assert "'Default Frontend O''Neill\u2019\u2019s \"EX\" $(1) `n'" in found.scripts["exchange-server.ps1"]


def test_a_receive_connector_is_named_with_its_server(tmp_path: Path, certificate: Issued) -> None:
    both = [{**receive(), "Identity": f"{server}\\Default Frontend {server}"} for server in ("EX1", "EX2")]
    found = planned(tmp_path / "exports", certificate, {"AcceptedDomain": DOMAINS, "ReceiveConnector": both})
    script = found.scripts["exchange-server.ps1"]
    assert "Set-ReceiveConnector -Identity 'EX1\\Default Frontend EX1'" in script
    assert "Set-ReceiveConnector -Identity 'EX2\\Default Frontend EX2'" in script


def test_an_export_that_was_cut_is_not_built_upon(tmp_path: Path, certificate: Issued) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "domains.json").write_text(json.dumps(DOMAINS))
    (folder / "send.txt").write_text(
        "Name          : Outbound to Office 365\n"
        "AddressSpaces : {SMTP:a.example;1, SMTP:b.example;1, SMTP:c.example;1...}\n"
        "DNSRoutingEnabled : True\nSmartHosts : {}\nTlsAuthLevel : DomainValidation\n"
    )
    with pytest.raises(NotPossible, match=r"cut at AddressSpaces.*Export-Clixml"):
        planned(folder, certificate, {}, none=())


def test_a_certificate_of_no_accepted_domain_is_told(tmp_path: Path, certificate: Issued) -> None:
    other = [{**DOMAINS[0], "DomainName": "fabrikam.com", "Name": "fabrikam.com"}, DOMAINS[1]]
    with pytest.raises(NotPossible, match=r"neither that nor its parent is an accepted domain"):
        planned(tmp_path / "exports", certificate, {"AcceptedDomain": other})


def test_of_what_no_export_shows_nothing_is_planned(tmp_path: Path, certificate: Issued) -> None:
    before = {"AcceptedDomain": DOMAINS, "ReceiveConnector": [receive()]}
    found = planned(tmp_path / "exports", certificate, before, none=("InboundConnector",))
    kinds = {change.object.partition(" ")[0] for change in found.plan.changes}
    assert kinds == {"ReceiveConnector", "InboundConnector"}
    assert [note.partition(":")[0] for note in found.plan.notes] == [
        "no export of SendConnector",
        "no export of OutboundConnector",
    ]
    assert all("--none" in note for note in found.plan.notes)
    without = planned(tmp_path / "others", certificate, {"AcceptedDomain": DOMAINS}, none=())
    assert without.plan.changes == ()
    assert "--none ReceiveConnector" not in "".join(without.plan.notes)


def test_there_is_none_of_what_an_export_shows_is_refused(tmp_path: Path, certificate: Issued) -> None:
    with pytest.raises(UnusableFile, match=r"--none ReceiveConnector: must be one of"):
        planned(tmp_path / "exports", certificate, {"AcceptedDomain": DOMAINS}, none=("ReceiveConnector",))
    sent = {"Name": "to the cloud", "AddressSpaces": ["smtp:x.example;1"], "DNSRoutingEnabled": True, "SmartHosts": []}
    with pytest.raises(UnusableFile, match=r"--none SendConnector: the exports show one"):
        planned(
            tmp_path / "more",
            certificate,
            {"AcceptedDomain": DOMAINS, "SendConnector": [{**sent, "TlsAuthLevel": ""}]},
            none=("SendConnector",),
        )


@pytest.mark.parametrize(
    ("names", "present", "demanded"),
    [
        (("smtp.contoso.com", "autodiscover.contoso.com"), None, "smtp.contoso.com"),
        (("smtp.contoso.com", "mail.contoso.com"), None, "mail.contoso.com"),
        (("*.contoso.com",), None, "mail.contoso.com"),
        (("smtp.contoso.com", "mail.contoso.com"), "smtp.contoso.com", "smtp.contoso.com"),
        (("smtp.contoso.com",), "old.contoso.com", "smtp.contoso.com"),
        (("*.eu.contoso.com", "contoso.com"), None, "*.eu.contoso.com"),
    ],
)
def test_only_a_name_that_the_certificate_has_is_demanded_of_it(
    tmp_path: Path, names: tuple[str, ...], present: str | None, demanded: str
) -> None:
    issued = Pki(tmp_path / "pki", organisation="Known Authority").leaf(names[0].removeprefix("*."), names=names)
    before: dict[str, list[dict[str, Any]]] = {"AcceptedDomain": DOMAINS}
    if present:
        before["OutboundConnector"] = [
            {"Name": "Outbound to on-premises", "TlsDomain": present, "RecipientDomains": ["contoso.com"]}
            | {"SmartHosts": ["mail.contoso.com"], "TlsSettings": "DomainValidation", "ConnectorType": "OnPremises"}
        ]
    changes = {change.object: change.after for change in planned(tmp_path / "exports", issued, before).plan.changes}
    outbound = changes["OutboundConnector Outbound to on-premises"]
    assert outbound is not None
    assert outbound["TlsDomain"] == demanded
