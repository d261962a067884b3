"""Exports of Exchange, for the wizard."""

import json
from pathlib import Path

import pytest

from gatepost.app.exports import read_exports
from gatepost.hybrid.errors import UnusableFile

OURS = "<I>CN=Authority, O=Known<S>CN=mail.contoso.com"


def test_objects_and_domains_are_found_and_the_certificate_has_one_spelling(tmp_path: Path) -> None:
    send = {
        "Name": "Outbound to Office 365",
        "AddressSpaces": ["smtp:contoso.mail.onmicrosoft.com;1"],
        "SmartHosts": [],
        "DNSRoutingEnabled": True,
        "TlsCertificateName": "<I>cn=Authority,o=Known<S>cn=mail.contoso.com",
    }
    domain = {"DomainName": "contoso.com", "DomainType": "Authoritative", "Name": "contoso.com"}
    (tmp_path / "Get-SendConnector.json").write_text(json.dumps([send]))
    (tmp_path / "Get-AcceptedDomain.json").write_text(json.dumps([domain]))
    found = read_exports([tmp_path], OURS)
    (connector,) = found.objects
    assert (connector.kind, connector.name) == ("SendConnector", "Outbound to Office 365")
    assert connector.values["TlsCertificateName"] == OURS
    assert found.accepted_domains == ("contoso.com",)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"exports: .*no such file"):
        read_exports([tmp_path / "none"], OURS)
