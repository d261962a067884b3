"""Laws of attribution, held over directories and sessions nobody thought of."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox, ReversePath
from gatepost.tenancy.attribution import EOP, GATEPOST, Attribution, Basis, Outcome, RuleSet, attribute
from gatepost.tenancy.candidates import gather
from gatepost.tenancy.evidence import Evidence, VerifiedCertificate
from gatepost.tenancy.tenant import ConnectorType
from soak import rounds
from tenancy.attribution_cases import (
    AT,
    STATES,
    FixtureJudge,
    client_certificate,
    domain,
    inbound_connector,
    send_connector,
    tenant,
    tls,
)
from tenancy.memory_directory import MemoryDirectory

TENANTS = ["t1", "t2", "t3"]
DOMAINS = ["contoso.com", "east.contoso.com", "fabrikam.com", "mail.fabrikam.com", "outside.example"]
NAMES = [*DOMAINS, "mail.contoso.com", "*.contoso.com", "*.east.contoso.com", "*.fabrikam.com"]
ADDRESSES = ["192.0.2.1", "192.0.2.9", "2001:db8::1"]
NETWORKS = ["192.0.2.0/24", "192.0.2.1/32", "2001:db8::/32"]
PINS = ["aa", "bb"]

some = st.lists


@st.composite
def connectors(draw: st.DrawFn):
    pins = draw(some(st.sampled_from(PINS), max_size=1))
    return {
        "tenant": draw(st.sampled_from(TENANTS)),
        "type": draw(st.sampled_from(list(ConnectorType))),
        "certificate_names": draw(some(st.sampled_from(NAMES), max_size=2, unique=True)),
        "certificate_sha256": pins,
        "proven_pins": draw(st.sampled_from([(), tuple(pins)])),
        "addresses": draw(some(st.sampled_from(NETWORKS), max_size=2, unique=True)),
        "sender_domains": draw(some(st.sampled_from(["*", "contoso.com", "*.fabrikam.com"]), max_size=1)),
        "require_tls": draw(st.booleans()),
        "restrict_to_certificate": draw(st.booleans()),
        "restrict_to_address": draw(st.booleans()),
        "trust_anchors": draw(some(st.just("CN=Own CA"), max_size=1)),
        "enabled": draw(st.booleans()),
    }


@st.composite
def directories(draw: st.DrawFn) -> tuple[MemoryDirectory, MemoryDirectory]:
    """The same directory, built in two orders."""
    domains = [
        domain(name, draw(st.sampled_from(TENANTS)), draw(st.booleans()), draw(st.booleans()))
        for name in draw(some(st.sampled_from(DOMAINS), unique=True))
    ]
    inbound = [
        inbound_connector({**fields, "name": f"c{at}"})
        for at, fields in enumerate(draw(some(connectors(), max_size=5)))
    ]
    send = [
        send_connector("internet", ["*"]),
        send_connector("hosted", draw(some(st.sampled_from(DOMAINS), max_size=3))),
    ]
    shuffled = list(inbound)
    Random(draw(st.integers(0, 99))).shuffle(shuffled)
    tenants = [tenant(name, reject_direct_send=draw(st.booleans())) for name in TENANTS]
    return MemoryDirectory(tenants, domains, inbound, send), MemoryDirectory(tenants, domains, shuffled, send)


@st.composite
def paths(draw: st.DrawFn) -> Mailbox:
    name = draw(st.sampled_from([*DOMAINS, "deep.contoso.com", "[192.0.2.1]"]))
    local_part = draw(st.sampled_from(["a", "b", "postmaster"]))
    return Mailbox(local_part, name, f"{local_part}@{name}")


@st.composite
def sessions(draw: st.DrawFn) -> Evidence:
    certificate = client_certificate(
        draw(
            st.none()
            | st.fixed_dictionaries(
                {
                    "names": some(st.sampled_from(NAMES), max_size=3, unique=True),
                    "state": st.sampled_from([*STATES, "verified", "verified"]),
                    "issuer": st.sampled_from(["CN=Own CA", "CN=Other CA"]),
                    "sha256": st.sampled_from([*PINS, "cc"]),
                }
            )
        )
    )
    sender: ReversePath = draw(st.just(NULL_REVERSE_PATH) | paths())
    return Evidence(
        address=inbound_connector({"tenant": "", "name": "", "addresses": [draw(st.sampled_from(ADDRESSES))]})
        .addresses[0]
        .network_address,
        listener="l",
        tls=tls(certificate) if certificate or draw(st.booleans()) else None,
        ehlo="e",
        reverse_path=sender,
        forward_paths=tuple(draw(some(paths(), min_size=1, max_size=2))),
    )


RULES = st.sampled_from([GATEPOST, EOP, replace(GATEPOST, wildcard_certificate_for_exact_name=True)])


def verdict(directory: MemoryDirectory, evidence: Evidence, rules: RuleSet) -> Attribution:
    return attribute(evidence, gather(directory, evidence, FixtureJudge("verified"), AT), AT, rules)


@given(pair=directories(), evidence=sessions(), rules=RULES)
def test_the_verdict_does_not_depend_on_the_order_of_connectors(
    pair: tuple[MemoryDirectory, MemoryDirectory], evidence: Evidence, rules: RuleSet
) -> None:
    assert verdict(pair[0], evidence, rules) == verdict(pair[1], evidence, rules)


@given(pair=directories(), evidence=sessions(), rules=RULES, local_part=st.sampled_from(["x", "y.z", "admin"]))
def test_the_verdict_depends_on_paths_through_their_domains_only(
    pair: tuple[MemoryDirectory, MemoryDirectory], evidence: Evidence, rules: RuleSet, local_part: str
) -> None:
    def other(path: Mailbox) -> Mailbox:
        return Mailbox(local_part, path.domain, f"{local_part}@{path.domain.upper()}")

    sender = evidence.reverse_path
    changed = replace(
        evidence,
        reverse_path=other(sender) if isinstance(sender, Mailbox) else sender,
        forward_paths=tuple(other(path) for path in evidence.forward_paths),
        ehlo="something.else",
        listener="another",
    )
    assert verdict(pair[0], evidence, rules) == verdict(pair[0], changed, rules)


@given(pair=directories(), evidence=sessions(), rules=RULES)
def test_only_a_verified_certificate_is_the_basis_certificate(
    pair: tuple[MemoryDirectory, MemoryDirectory], evidence: Evidence, rules: RuleSet
) -> None:
    attribution = verdict(pair[0], evidence, rules)
    if attribution.basis is Basis.CERTIFICATE:
        certificate = evidence.certificate
        assert certificate is not None
        anchored = "Own CA" in certificate.leaf.issuer
        assert isinstance(certificate, VerifiedCertificate) or anchored


@given(pair=directories(), evidence=sessions(), rules=RULES)
def test_a_session_that_no_enabled_connector_recognises_never_relays(
    pair: tuple[MemoryDirectory, MemoryDirectory], evidence: Evidence, rules: RuleSet
) -> None:
    directory, _ = pair
    attribution = verdict(directory, evidence, rules)
    if attribution.outcome in (Outcome.RELAY, Outcome.DELIVER):
        assert attribution.tenant is not None
        (connector,) = [
            each for each in directory.connectors_of(attribution.tenant) if each.name == attribution.connector
        ]
        assert connector.enabled
        assert connector.type is ConnectorType.ON_PREMISES


@given(pair=directories(), evidence=sessions(), rules=RULES)
def test_by_address_or_unproven_pin_nothing_is_relayed_without_the_tenants_reverse_path(
    pair: tuple[MemoryDirectory, MemoryDirectory], evidence: Evidence, rules: RuleSet
) -> None:
    directory, _ = pair
    attribution = verdict(directory, evidence, rules)
    if attribution.outcome is not Outcome.RELAY or attribution.basis is Basis.CERTIFICATE:
        return
    sender = evidence.reverse_path
    owner = directory.covering_domain(sender.domain) if isinstance(sender, Mailbox) else None
    connectors_of = directory.connectors_of(attribution.tenant or "")
    proven = any(each.name == attribution.connector and each.proven_pins for each in connectors_of)
    assert (owner and owner.tenant == attribution.tenant) or (attribution.basis is Basis.PIN and proven)


@given(pair=directories(), evidence=sessions(), rules=RULES)
def test_every_verdict_has_a_reason_and_only_a_refusal_has_a_reply(
    pair: tuple[MemoryDirectory, MemoryDirectory], evidence: Evidence, rules: RuleSet
) -> None:
    attribution = verdict(pair[0], evidence, rules)
    assert attribution.reasons
    assert (attribution.refusal is not None) == (attribution.outcome is Outcome.REFUSED)
    assert (attribution.tenant is None) == (attribution.outcome is Outcome.REFUSED)


@pytest.mark.soak
@settings(max_examples=rounds(25, large=1000))
@given(pair=directories(), evidence=sessions())
def test_a_tenant_nobody_speaks_of_changes_nothing(
    pair: tuple[MemoryDirectory, MemoryDirectory], evidence: Evidence
) -> None:
    """Law: one tenant's connectors are nothing to sessions that do not concern it."""
    directory, _ = pair
    crowded = MemoryDirectory(
        directory._tenants.values(),
        [*directory._claims.values(), domain("elsewhere.example", "t9")],
        [
            *directory._inbound,
            inbound_connector(
                {
                    "tenant": "t9",
                    "name": "c",
                    "certificate_names": ["*.elsewhere.example"],
                    "addresses": ["198.51.100.0/24"],
                }
            ),
        ],
        directory._send,
    )
    assert verdict(directory, evidence, GATEPOST) == verdict(crowded, evidence, GATEPOST)


def test_an_address_listed_by_very_many_tenants_is_told_about_in_bounded_length() -> None:
    listing = [
        inbound_connector({"tenant": f"t{at:03}", "name": "c", "addresses": ["192.0.2.1/32"]}) for at in range(200)
    ]
    evidence = Evidence(
        address=listing[0].addresses[0].network_address,
        listener="l",
        tls=None,
        ehlo="e",
        reverse_path=NULL_REVERSE_PATH,
        forward_paths=(Mailbox("x", "outside.example", "x@outside.example"),),
    )
    attribution = verdict(MemoryDirectory(inbound_connectors=listing), evidence, GATEPOST)
    assert attribution.outcome is Outcome.REFUSED
    assert len(attribution.reasons) <= 52
