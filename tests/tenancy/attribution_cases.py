"""Attribution cases are data: `tests/attribution/*.toml`. A file holds one directory and the sessions put to it.

A case says what is presented (`certificate`, `address`, `tls`, `from`, `to`) and what is expected. Keys of
`certificate`: `names`, `common_name`, `state` (one of STATES), `issuer`, `sha256`, `key_sha256`, `expires`. Without
`tls`, a session with a certificate is a TLS session and any other is plain text. `without_domains`, `disabled` and
`reject_direct_send` change the file's directory for one case. `expect` holds for rule set gatepost; where Exchange
Online differs, `expect_eop` holds for rule set eop and `differs` says why.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, ReversePath
from gatepost.tenancy.attribution import Attribution, RuleSet, attribute, refusal_reply
from gatepost.tenancy.candidates import gather
from gatepost.tenancy.evidence import (
    CertificateFacts,
    ClientCertificate,
    Evidence,
    PresentedCertificate,
    TlsEvidence,
    VerificationError,
    VerifiedCertificate,
)
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    AddressSpace,
    ConnectorType,
    InboundConnector,
    SendConnector,
    Tenant,
)
from tenancy.memory_directory import MemoryDirectory

FOLDER = Path(__file__).parent.parent / "attribution"
AT = datetime(2026, 11, 23, 21, 0, 0, 123000, tzinfo=UTC)
HOST = "relay.example.net"
SESSION = "08DE2AD1B7C4E001"
PUBLIC_CA = "CN=Example Public CA,O=Example Trust"

STATES = {
    "verified": (),
    "expired": ((10, 0, "certificate has expired"),),
    "intermediate-expired": ((10, 1, "certificate has expired"),),
    "not-yet-valid": ((9, 0, "certificate is not yet valid"),),
    "self-signed": ((18, 0, "self-signed certificate"),),
    "unknown-root": ((19, 1, "self-signed certificate in certificate chain"),),
    "issuer-unknown": (
        (20, 0, "unable to get local issuer certificate"),
        (21, 0, "unable to verify the first certificate"),
    ),
    "intermediate-missing": ((20, 0, "unable to get local issuer certificate"),),
    "purpose": ((26, 0, "unsuitable certificate purpose"),),
    "weak-key": ((66, 0, "EE certificate key too weak"),),
    "critical-extension": ((34, 0, "unhandled critical extension"),),
}


@dataclass(frozen=True)
class Case:
    file: str
    name: str
    directory: MemoryDirectory
    exports: MemoryDirectory
    """The same, as rule set eop is asked about it: by somebody who has the exports."""
    evidence: Evidence
    expect: dict[str, Any]
    expect_eop: dict[str, Any]
    differs: str | None
    secrets: tuple[str, ...]
    """Words of the directory that the peer did not say itself."""
    judge: "FixtureJudge"

    def attribution(self, rules: RuleSet) -> Attribution:
        directory = self.directory if rules.name == "gatepost" else self.exports
        return attribute(self.evidence, gather(directory, self.evidence, self.judge, AT), AT, rules)

    def reply(self, rules: RuleSet) -> str:
        refusal = self.attribution(rules).refusal
        return str(refusal_reply(refusal, HOST, AT, SESSION)) if refusal else "250 2.1.5 Recipient OK"


class FixtureJudge:
    """Trusts the anchors it is told, by the issuer's name; what else was wrong with the certificate stays wrong."""

    def __init__(self, state: str) -> None:
        self._state = state

    def __call__(
        self, chain: tuple[CertificateFacts, ...], trust_anchors: tuple[str, ...], at: datetime, tenant: str = ""
    ) -> ClientCertificate:
        leaf = chain[0]
        if leaf.issuer not in trust_anchors:
            return presented(leaf, "issuer-unknown")
        if leaf.not_after and leaf.not_after < at:
            return presented(leaf, "expired")
        return VerifiedCertificate(leaf=leaf, chain=chain, anchor=leaf.issuer)


def all_cases() -> Iterator[Case]:
    for file in sorted(FOLDER.glob("*.toml")):
        data = tomllib.loads(file.read_text("utf-8"))
        for case in data["case"]:
            yield _case(file.stem, data, case)


def _case(file: str, data: dict[str, Any], case: dict[str, Any]) -> Case:
    certificate = case.get("certificate")
    state = certificate.get("state", "verified") if certificate else ""
    reverse_path = path(case["from"]) if case["from"] else NULL_REVERSE_PATH
    evidence = Evidence(
        address=ip_address(case.get("address", "203.0.113.5")),
        listener="0.0.0.0:25",
        tls=tls(client_certificate(certificate)) if case.get("tls", bool(certificate)) else None,
        ehlo="client.example",
        reverse_path=reverse_path,
        forward_paths=tuple(path(each) for each in case["to"]),
    )
    return Case(
        file=file,
        name=case["name"],
        directory=directory(data, case),
        exports=directory(data, case, is_export=True),
        evidence=evidence,
        expect=case["expect"],
        expect_eop=case.get("expect_eop", case["expect"]),
        differs=case.get("differs"),
        secrets=tuple(secrets(data, case)),
        judge=FixtureJudge(state),
    )


def directory(data: dict[str, Any], case: dict[str, Any], is_export: bool = False) -> MemoryDirectory:
    without, disabled = case.get("without_domains", ()), case.get("disabled", ())
    rejecting = case.get("reject_direct_send", ())
    connectors = [inbound_connector(each) for each in data.get("inbound_connector", ())]
    return MemoryDirectory(
        tenants=[tenant(name, reject_direct_send=name in rejecting) for name in data["tenants"]],
        domains=[domain(**each) for each in data["domain"] if each["domain"] not in without],
        inbound_connectors=[replace(each, enabled=False) if each.label in disabled else each for each in connectors],
        send_connectors=[send_connector(**each) for each in data.get("send_connector", ())],
        version=7,
        proofs=[each for fields in data.get("inbound_connector", ()) for each in proofs(fields)],
        is_export=is_export,
    )


def proofs(fields: dict[str, Any]) -> Iterator[Proof]:
    """Each of its own day, in the order of the file."""
    for number, pin in enumerate(fields.get("proven_pins", ())):
        yield Proof(
            tenant=fields["tenant"],
            certificate_sha256=pin,
            public_key_sha256="",
            at=datetime.fromisoformat(fields.get("proven_at", f"2026-01-{number + 1:02}T00:00:00Z")),
            session_id="",
            address="",
            ends_at=datetime.fromisoformat(fields["proofs_end"]) if "proofs_end" in fields else None,
        )


def secrets(data: dict[str, Any], case: dict[str, Any]) -> Iterator[str]:
    said = repr([case.get(key) for key in ("certificate", "address", "from", "to")]).lower()
    configured = list(data["tenants"])
    for each in data.get("inbound_connector", ()):
        configured += [each["name"], *each.get("certificate_names", ()), *each.get("addresses", ())]
        configured += each.get("sender_domains", ())
    configured += [each["domain"] for each in data["domain"]]
    yield from {word for word in configured if len(word) > 1 and word.lower() not in said}


def tenant(name: str, reject_direct_send: bool = False) -> Tenant:
    return Tenant(name=name, created_at=datetime(2026, 1, 1, tzinfo=UTC), reject_direct_send=reject_direct_send)


def domain(domain: str, tenant: str, verified: bool = True, match_subdomains: bool = False) -> AcceptedDomain:
    return AcceptedDomain(
        domain=domain, tenant=tenant, token="t0ken", verified=verified, match_subdomains=match_subdomains
    )


def inbound_connector(fields: dict[str, Any]) -> InboundConnector:
    lists = ("certificate_names", "certificate_sha256", "public_key_sha256", "sender_domains", "trust_anchors")
    of_proofs = ("proofs_end", "proven_at")
    values: dict[str, Any] = {
        key: tuple(value) if key in lists else value for key, value in fields.items() if key not in of_proofs
    }
    values["type"] = ConnectorType(fields.get("type", "on-premises"))
    values["addresses"] = tuple(ip_network(each) for each in fields.get("addresses", ()))
    values["proven_pins"] = frozenset(fields.get("proven_pins", ()))
    return InboundConnector(**values)


def send_connector(name: str, spaces: list[str], tenant: str | None = None, enabled: bool = True) -> SendConnector:
    return SendConnector(
        name=name, tenant=tenant, address_spaces=tuple(AddressSpace(space=each) for each in spaces), enabled=enabled
    )


def path(text: str) -> Mailbox:
    local_part, _, name = text.rpartition("@")
    return Mailbox(local_part, name, text)


def reverse_path(text: str) -> ReversePath:
    return path(text) if text else NULL_REVERSE_PATH


def tls(certificate: ClientCertificate | None) -> TlsEvidence:
    return TlsEvidence(
        protocol="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        cipher_bits=256,
        server_name=None,
        certificate=certificate,
    )


def client_certificate(fields: dict[str, Any] | None) -> ClientCertificate | None:
    if fields is None:
        return None
    state = fields.get("state", "verified")
    leaf = facts(
        *fields.get("names", ()),
        common_names=tuple([fields["common_name"]] if "common_name" in fields else ()),
        issuer=fields.get("issuer", PUBLIC_CA),
        sha256_hex=fields.get("sha256"),
        key_sha256_hex=fields.get("key_sha256"),
        not_before=AT + timedelta(days=2) if state == "not-yet-valid" else AT - timedelta(days=60),
        not_after=fields.get("expires", AT - timedelta(days=3) if state == "expired" else AT + timedelta(days=90)),
    )
    if state == "verified":
        return VerifiedCertificate(leaf=leaf, chain=(leaf,), anchor=PUBLIC_CA)
    return presented(leaf, state)


def presented(leaf: CertificateFacts, state: str) -> PresentedCertificate:
    chain = (leaf,)
    if state == "intermediate-expired":
        chain += (facts(subject="CN=Example Intermediate 1", not_after=AT - timedelta(days=1)),)
    if state == "unknown-root":
        chain += (facts(subject=leaf.issuer, issuer=leaf.issuer),)
    return PresentedCertificate(
        leaf=leaf,
        chain=chain,
        errors=tuple(VerificationError(code=code, depth=depth, text=text) for code, depth, text in STATES[state]),
        missing_issuer=leaf.issuer if state == "intermediate-missing" else "",
    )


def facts(
    *names: str,
    common_names: tuple[str, ...] = (),
    subject: str | None = None,
    issuer: str = PUBLIC_CA,
    sha256_hex: str | None = None,
    key_sha256_hex: str | None = None,
    not_before: datetime | None = AT - timedelta(days=60),
    not_after: datetime | None = AT + timedelta(days=90),
) -> CertificateFacts:
    identity = repr((names, common_names, subject, issuer)).encode()
    return CertificateFacts(
        der=b"",
        sha256=sha256_hex or sha256(identity).hexdigest(),
        public_key_sha256=key_sha256_hex or sha256(b"key" + identity).hexdigest(),
        subject=subject or f"CN={next(iter((*common_names, *names)), 'server')}",
        issuer=issuer,
        serial="7f",
        not_before=not_before,
        not_after=not_after,
        common_names=common_names,
        dns_names=names,
        purposes=("serverAuth",),
        key="EC secp256r1",
        signature_algorithm="ecdsa-with-SHA256",
    )
