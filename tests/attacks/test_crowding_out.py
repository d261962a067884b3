"""evil writes down another's server so often that its owner's own connector is no longer looked at.

What worked: evil adds a domain that is nobody's (`freemail.example`) and lists contoso's address on 100 connectors.
Mail that contoso's server forwards with such a reverse-path was no longer contoso's: 550, or past its connectors.
"""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.store.directory.bulk import SqliteBulkEditor
from gatepost.store.directory.sqlite_directory import SqliteDirectory
from gatepost.tenancy.attribution import Attribution, attribute
from gatepost.tenancy.candidates import gather
from gatepost.tenancy.evidence import CertificateFacts, Evidence, VerifiedCertificate
from gatepost.tenancy.tenant import AddressSpace, InboundConnector, SendConnector, Tenant
from tenancy.attribution_cases import client_certificate, domain, path, presented, tls

NOW = datetime.now(UTC)
PIN = "aa" * 32
CONTOSOS = {
    "an owned name": {"certificate_names": ("mail.contoso.com",)},
    "an owned name and its own authority": {
        "certificate_names": ("mail.contoso.com",),
        "trust_anchors": ("Contoso CA",),
    },
    "an address": {"addresses": (ip_network("192.0.2.1/32"),)},
    "a pin": {"certificate_sha256": (PIN,)},
}
EVILS = {
    "names": {"certificate_names": ("mail.contoso.com", "*.contoso.com", "*.example")},
    "names and authorities": {"certificate_names": ("*.com", "*.contoso.com")},
    "addresses": {},
    "pins": {"certificate_sha256": (PIN,), "public_key_sha256": ("bb" * 32,)},
}
CLAIMED_BY_EVIL = "freemail.example"


def stored_by(tenant: str, what: str, at: int) -> InboundConnector:
    """Each network, and each set of authorities, is looked at by itself."""
    said = dict(EVILS[what])
    if what == "addresses":
        said["addresses"] = (ip_network("192.0.2.1/32").supernet(at % 8),)  # type: ignore[assignment]
    if what == "names and authorities":
        said["trust_anchors"] = (f"{tenant} CA {at}",)
    return InboundConnector(tenant=tenant, name=f"c{at}", **said)  # type: ignore[arg-type]


def directory(folder: Path, known_by: str, what: str, times: int) -> SqliteDirectory:
    folder.mkdir()
    editor = SqliteBulkEditor(folder / "directory.sqlite", who="test")
    with editor.change():
        for tenant in ("contoso", "evil", "abettor"):
            editor.put_tenant(Tenant(name=tenant, created_at=NOW), "add")
            editor.put_domain(domain(f"{tenant}.com", tenant), "add")
            if tenant != "contoso":
                editor.put_domain(replace(domain(CLAIMED_BY_EVIL, tenant), verified=False), "add")
                editor.write_inbound_connectors([(None, stored_by(tenant, what, at)) for at in range(times)])
        own = InboundConnector(tenant="contoso", name="own", **CONTOSOS[known_by])  # type: ignore[arg-type]
        editor.put_inbound_connector(own, "add")
        home = SendConnector(name="home", tenant="contoso", address_spaces=(AddressSpace(space="contoso.com"),))
        editor.put_send_connector(home, "add")
    editor.close()
    return SqliteDirectory(folder / "directory.sqlite")


def judge(chain: tuple[CertificateFacts, ...], anchors: tuple[str, ...], at: datetime, tenant: str = "") -> Any:
    if anchors == ("Contoso CA",):
        return VerifiedCertificate(leaf=chain[0], chain=chain, anchor="CN=Contoso CA")
    return presented(chain[0], "issuer-unknown")


def verdict(directory: SqliteDirectory, sender: str, to: str, known_by: str) -> Attribution:
    state = "verified" if known_by == "an owned name" else "issuer-unknown"
    certificate = client_certificate({"names": ["mail.contoso.com"], "state": state, "sha256": PIN})
    evidence = Evidence(
        address=ip_address("192.0.2.1"),
        listener="l",
        tls=tls(certificate),
        ehlo="e",
        reverse_path=path(sender) if sender else NULL_REVERSE_PATH,
        forward_paths=(path(to),),
    )
    return attribute(evidence, gather(directory, evidence, judge, NOW), NOW)


@pytest.mark.parametrize("known_by", CONTOSOS)
@pytest.mark.parametrize("what", EVILS)
def test_how_often_others_write_a_server_down_changes_nothing(tmp_path: Path, known_by: str, what: str) -> None:
    once, often = directory(tmp_path / "once", known_by, what, 1), directory(tmp_path / "often", known_by, what, 200)
    changed = []
    for sender in ("a@contoso.com", "", f"a@{CLAIMED_BY_EVIL}", "a@evil.com"):
        for to in ("x@outside.example", "x@contoso.com", "x@abettor.com"):
            before, after = (verdict(each, sender, to, known_by) for each in (once, often))
            if (before.outcome, before.tenant, before.basis) != (after.outcome, after.tenant, after.basis):
                changed.append(
                    f"{sender} to {to}: {before.outcome} {before.tenant} became {after.outcome} {after.tenant}"
                )
    assert not changed
