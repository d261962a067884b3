"""evil claims a domain that it does not own, and writes contoso's server down beside it: contoso hears the wrong cause.

What worked: evil adds `branch.contoso.com`, or any domain that is nobody's, without proving it, and pins or names
contoso's certificate. contoso's server, which had only forgotten its intermediate or changed its name, was no longer
told so: its certificate's "name is not owned", or the domain of its reverse-path "is not verified".
"""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.tenancy.attribution import attribute
from gatepost.tenancy.candidates import gather
from gatepost.tenancy.evidence import ClientCertificate, Evidence
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector
from tenancy.attribution_cases import client_certificate, domain, path, tls
from tenancy.memory_directory import MemoryDirectory

NOW = datetime.now(UTC)
PIN = "aa" * 32
HERE = ip_network("192.0.2.1/32")
NAMES = ("mail.contoso.com", "smtp2.contoso.com", "*.contoso.com")

CONTOSOS = (
    InboundConnector(tenant="contoso", name="mail", certificate_names=("mail.contoso.com",)),
    InboundConnector(tenant="contoso", name="box", certificate_sha256=(PIN,)),
)
EVILS = {
    "a pin": InboundConnector(tenant="evil", name="e", certificate_sha256=(PIN,)),
    "a pin, disabled": InboundConnector(tenant="evil", name="e", certificate_sha256=(PIN,), enabled=False),
    "names": InboundConnector(tenant="evil", name="e", certificate_names=NAMES, enabled=False),
    "names and authorities": InboundConnector(
        tenant="evil", name="e", certificate_names=NAMES, trust_anchors=("Evil CA",), enabled=False
    ),
    "everything": InboundConnector(
        tenant="evil", name="e", certificate_names=("mail.evil.com",), certificate_sha256=(PIN,), addresses=(HERE,)
    ),
}
PRESENTED: dict[str, dict[str, Any]] = {
    "without its intermediate": {"names": ["mail.contoso.com"], "state": "intermediate-missing"},
    "expired": {"names": ["mail.contoso.com"], "state": "expired"},
    "renewed under another name": {"names": ["smtp2.contoso.com"]},
    "a wildcard": {"names": ["*.contoso.com"]},
    "self-signed, pinned": {"names": ["box.contoso.com"], "state": "self-signed"},
}
CLAIMED_BY_EVIL = ("branch.contoso.com", "contoso.net", "freemail.example")
CLAIMED_BY_CONTOSO = ("contoso.net",)


def claim(name: str, tenant: str) -> AcceptedDomain:
    return replace(domain(name, tenant), verified=False)


def directory(*evils: InboundConnector, claims: bool) -> MemoryDirectory:
    domains = [domain(f"{tenant}.com", tenant) for tenant in ("contoso", "evil")]
    domains += [claim(name, "contoso") for name in CLAIMED_BY_CONTOSO]
    domains += [claim(name, "evil") for name in CLAIMED_BY_EVIL if claims]
    return MemoryDirectory(domains=domains, inbound_connectors=[*CONTOSOS, *evils])


def judge(chain: Any, anchors: Any, at: datetime, tenant: str = "") -> ClientCertificate:
    raise AssertionError("no name here is judged by a tenant's own authority")


def told(directory: MemoryDirectory, reverse_path: str, certificate: ClientCertificate | None) -> str:
    evidence = Evidence(
        address=ip_address("192.0.2.1"),
        listener="l",
        tls=tls(certificate),
        ehlo="e",
        reverse_path=path(reverse_path) if reverse_path else NULL_REVERSE_PATH,
        forward_paths=(path("x@outside.example"),),
    )
    verdict = attribute(evidence, gather(directory, evidence, judge, NOW), NOW)
    return f"{verdict.refusal.reason} {verdict.refusal.fact}" if verdict.refusal else str(verdict.outcome)


@pytest.mark.parametrize("presented", PRESENTED)
@pytest.mark.parametrize("stored", EVILS)
def test_what_others_claim_changes_nothing_that_a_tenants_server_is_told(stored: str, presented: str) -> None:
    certificate = client_certificate({"sha256": PIN, **PRESENTED[presented]})
    before, after = directory(claims=False), directory(EVILS[stored], claims=True)
    for sender in ("a@contoso.com", "a@branch.contoso.com", "a@contoso.net", "a@freemail.example", ""):
        assert told(after, sender, certificate) == told(before, sender, certificate), sender


def test_a_tenants_own_claim_still_says_what_is_missing() -> None:
    """Of its own sub-domain, of one beside it, and of its first, while nobody owns the name of the certificate."""
    pinned = client_certificate({"sha256": PIN, **PRESENTED["self-signed, pinned"]})
    assert told(directory(claims=True), "a@contoso.net", pinned).startswith("reverse-path-domain-not-verified")
    own = [domain("contoso.com", "contoso"), claim("branch.contoso.com", "contoso")]
    below = MemoryDirectory(domains=own, inbound_connectors=CONTOSOS)
    assert told(below, "a@branch.contoso.com", pinned).startswith("reverse-path-domain-not-verified")
    first = MemoryDirectory(
        domains=[claim("contoso.com", "contoso"), domain("fabrikam.com", "fabrikam")],
        inbound_connectors=[replace(CONTOSOS[0], enabled=False)],
    )
    named = client_certificate({"names": ["mail.contoso.com"]})
    assert told(first, "a@contoso.com", named).startswith("certificate-name-not-owned")
