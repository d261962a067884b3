"""One tenant's mail reaches a next hop that another tenant configured, or is taken for another's.

Random directories (names, wildcards, pins, proofs, anchors, addresses, partners, send connectors, enrolments, a
sub-domain that is another tenant's) and random sessions (own servers, forwards that keep the envelope sender, providers
whose servers share one certificate, a certificate with two tenants' names, strangers). What may be is written here from
the rules in docs/reference/attribution.md, not from the code that decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.queue.routing import choose
from gatepost.tenancy.attribution import GATEPOST, Attribution, Outcome, attribute
from gatepost.tenancy.candidates import gather
from gatepost.tenancy.enrolment import objection
from gatepost.tenancy.evidence import ClientCertificate, Evidence, VerifiedCertificate
from gatepost.tenancy.one_time_address import OneTimeAddress, Purpose
from gatepost.tenancy.proof import Proof
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    AddressSpace,
    ConnectorType,
    InboundConnector,
    SendConnector,
    SmartHost,
)
from soak import rounds
from tenancy.attribution_cases import AT, PUBLIC_CA, FixtureJudge, client_certificate, domain, tenant, tls
from tenancy.memory_directory import MemoryDirectory

TENANTS = ("contoso", "fabrikam", "evil")
DOMAIN_OF = {"contoso": "contoso.com", "fabrikam": "fabrikam.com", "evil": "evil.example"}
BRANCH = "branch.contoso.com"
"""Fabrikam's domain, below contoso's."""
OWNER_OF = {own: name for name, own in DOMAIN_OF.items()} | {BRANCH: "fabrikam"}
FOREIGN = ("outside.example", "woodgrove.example")
ADDRESS_OF = {"contoso": "192.0.2.1", "fabrikam": "198.51.100.1", "evil": "203.0.113.1", "provider": "192.0.2.77"}
ADDRESS_OF["host"] = "192.0.2.88"
OWN_CA = {name: f"CN={name} CA" for name in TENANTS}
TOKEN = "t" * 32


@dataclass(frozen=True)
class Server:
    """Somebody's mail server, as it shows itself."""

    owner: str
    """A tenant; `provider`, whose servers serve everybody; `host`, whose certificate has two tenants' names."""
    address: str
    certificate: ClientCertificate | None
    issuer: str

    @property
    def is_public(self) -> bool:
        return self.issuer == PUBLIC_CA


def servers() -> tuple[Server, ...]:
    found = []
    for owner in TENANTS:
        host = f"mail.{DOMAIN_OF[owner]}"
        for number, issuer in enumerate((PUBLIC_CA, OWN_CA[owner], "self")):
            state = {PUBLIC_CA: "verified", "self": "self-signed"}.get(issuer, "issuer-unknown")
            said = {"names": [host], "state": state, "issuer": issuer, "sha256": f"{owner}{number}"}
            found.append(Server(owner, ADDRESS_OF[owner], client_certificate({**said, "key_sha256": ""}), issuer))
        found.append(Server(owner, ADDRESS_OF[owner], None, ""))
    shared = (
        ("provider", ["out.provider.example"], PUBLIC_CA, "verified"),
        ("provider", ["out.provider.example"], "self", "self-signed"),
        ("host", ["mail.contoso.com", "mail.fabrikam.com"], PUBLIC_CA, "verified"),
        ("host", ["mail.fabrikam.com", f"mail.{BRANCH}"], OWN_CA["fabrikam"], "issuer-unknown"),
        ("fabrikam", [f"mail.{BRANCH}"], PUBLIC_CA, "verified"),
        ("contoso", ["*.contoso.com"], PUBLIC_CA, "verified"),
    )
    for number, (owner, names, issuer, state) in enumerate(shared):
        said = {"names": names, "state": state, "issuer": issuer, "sha256": f"shared{number}", "key_sha256": ""}
        found.append(Server(owner, ADDRESS_OF[owner], client_certificate(said), issuer))
    return tuple(found)


SERVERS = servers()
PINS = tuple(each.certificate.leaf.sha256 for each in SERVERS if each.certificate)
NAMES = tuple(name for own in OWNER_OF for name in (f"mail.{own}", f"*.{own}"))

some = st.lists


@st.composite
def connectors(draw: st.DrawFn, number: int) -> InboundConnector:
    owner = draw(st.sampled_from(TENANTS))
    # Anybody writes down anything; only a name of its own keeps a connector enabled.
    own_names = [name for name in NAMES if owner_by_design(base(name)) == owner]
    names = tuple(draw(some(st.sampled_from(own_names) | st.sampled_from(NAMES), max_size=2, unique=True)))
    own = all(name in own_names for name in names)
    restricts = draw(st.booleans())
    partner = draw(st.sampled_from([False, False, True]))
    return InboundConnector(
        tenant=owner,
        name=f"c{number}",
        type=ConnectorType.PARTNER if partner else ConnectorType.ON_PREMISES,
        certificate_names=names,
        certificate_sha256=tuple(draw(some(st.sampled_from(PINS), max_size=2, unique=True))),
        addresses=tuple(
            ip_network(draw(st.sampled_from([f"{each}/32", "192.0.2.0/24"])), strict=False)
            for each in draw(some(st.sampled_from(tuple(ADDRESS_OF.values())), max_size=2, unique=True))
        ),
        trust_anchors=tuple(draw(some(st.sampled_from(tuple(OWN_CA.values())), max_size=1))) if names else (),
        restrict_to_certificate=partner and restricts and bool(names),
        enabled=draw(st.sampled_from([True, True, False])) and (own or partner),
    )


@dataclass(frozen=True)
class World:
    directory: MemoryDirectory
    connectors: tuple[InboundConnector, ...]
    proofs: tuple[Proof, ...]
    hops: tuple[SendConnector, ...]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    domains = [
        domain(own, owner, draw(st.sampled_from([True] * 7 + [False])), draw(st.booleans()))
        for own, owner in OWNER_OF.items()
    ]
    inbound = tuple(draw(connectors(number)) for number in range(draw(st.integers(0, 6))))
    hops = [hop("internet", None, "*")]
    for owner in TENANTS:
        for space in draw(some(st.sampled_from(["*", *OWNER_OF]), max_size=2, unique=True)):
            hops.append(hop(f"{owner}-{space}", owner, space))
    for space in draw(some(st.sampled_from(tuple(OWNER_OF)), max_size=2, unique=True)):
        hops.append(hop(f"server-{space}", None, space))
    world = World(furnished(domains, inbound, hops, ()), inbound, (), tuple(hops))
    for _ in range(draw(st.integers(0, 4))):
        attempt = draw(enrolments())
        if proof := enrolled(world, attempt):
            proofs = (*world.proofs, proof)
            # The connector that the enrolment proposes.
            pinned = (proof.certificate_sha256,)
            inbound += (
                InboundConnector(tenant=proof.tenant, name=f"enrolled{len(proofs)}", certificate_sha256=pinned),
            )
            world = World(furnished(domains, inbound, hops, proofs), inbound, proofs, tuple(hops))
    return world


def hop(name: str, owner: str | None, space: str) -> SendConnector:
    spaces = (AddressSpace(space=space),)
    return SendConnector(name=name, tenant=owner, address_spaces=spaces, smart_hosts=(SmartHost(host=name),))


def furnished(domains: object, inbound: object, hops: object, proofs: object) -> MemoryDirectory:
    return MemoryDirectory([tenant(name) for name in TENANTS], domains, inbound, hops, proofs=proofs)  # type: ignore[arg-type]


# --- enrolments: also those that a forward or a provider brings about -------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    tenant: str
    server: Server
    has_token: bool
    """Only who configures the server can bring that about: its owner."""


@st.composite
def enrolments(draw: st.DrawFn) -> Attempt:
    who = draw(st.sampled_from(TENANTS))
    own = [each for each in SERVERS if each.owner == who and each.certificate and not each.is_public]
    others = [each for each in SERVERS if each.certificate]
    server = draw(st.sampled_from(own) | st.sampled_from(others))
    return Attempt(who, server, has_token=who == server.owner or draw(st.just(False)))


def enrolled(world: World, attempt: Attempt) -> Proof | None:
    one_time_address = OneTimeAddress(
        id="1",
        purpose=Purpose.ENROLMENT,
        tenant=attempt.tenant,
        local_part=f"enrolment-{TOKEN}",
        made_at=AT,
        expires_at=AT + timedelta(days=1),
    )
    sender = Mailbox("me", DOMAIN_OF[attempt.tenant], f"me@{DOMAIN_OF[attempt.tenant]}")
    ehlo = f"{TOKEN}.any.name" if attempt.has_token else "mail.any.name"
    evidence = presented(attempt.server, sender, "x@relay.example.net", ehlo)
    objected = objection(world.directory, one_time_address, evidence, FixtureJudge("verified"), AT)
    if objected:
        return None
    assert attempt.has_token, "nothing but the token makes a proof"
    assert not attempt.server.is_public, "of a public certificate the names count"
    claimed = [each for each in world.connectors if could_claim(world, each, attempt.server)]
    assert not [each for each in claimed if each.tenant != attempt.tenant], "another tenant's connector could claim it"
    certificate = attempt.server.certificate
    assert certificate is not None
    return Proof(
        tenant=attempt.tenant,
        certificate_sha256=certificate.leaf.sha256,
        public_key_sha256="",
        at=AT - timedelta(days=9 - len(world.proofs)),
        session_id="",
        address=attempt.server.address,
        ends_at=certificate.leaf.not_after,
    )


def could_claim(world: World, connector: InboundConnector, server: Server) -> bool:
    """A connector with a verified domain behind it, enabled or not, that names, pins or lists what the server shows."""
    if connector.type is ConnectorType.PARTNER or not world.directory.has_verified_domain(connector.tenant):
        return False
    return bool(
        server.certificate
        and (server.certificate.leaf.sha256 in connector.certificate_sha256 or vouched_name(world, connector, server))
    ) or any(ip_address(server.address) in network for network in connector.addresses)


def vouched_name(world: World, connector: InboundConnector, server: Server) -> bool:
    """It names, by a name that its tenant owns, what the server shows under a public authority or its own."""
    return any(True for _ in vouched_names(world, connector, server))


def vouched_names(world: World, connector: InboundConnector, server: Server) -> Iterator[str]:
    if server.certificate is None or not (server.is_public or server.issuer in connector.trust_anchors):
        return
    for host in server.certificate.leaf.dns_names:
        for pattern in connector.certificate_names:
            if covers(pattern, host) and owner_of_name(world, base(pattern)) == connector.tenant:
                yield host


def speaks_for(world: World, connector: InboundConnector, server: Server) -> bool:
    """A vouched name that is not in a domain which another tenant has verified: it needs nothing beside it."""
    return any(owner_of_name(world, base(host)) == connector.tenant for host in vouched_names(world, connector, server))


def base(name: str) -> str:
    return name.removeprefix("*.")


def covers(pattern: str, host: str) -> bool:
    """A wildcard certificate answers to the same wildcard alone, or a wider one."""
    return pattern == host or (pattern[:2] == "*." and (base(host) == base(pattern) or host.endswith(pattern[1:])))


def owner_by_design(name: str) -> str | None:
    """Whose it is once every domain is verified."""
    return next((OWNER_OF[own] for own in above(name)), None)


def owner_of_name(world: World, name: str) -> str | None:
    """The nearest verified owner."""
    return next((found.tenant for own in above(name) if (found := claimed(world, own)) and found.verified), None)


def above(name: str) -> list[str]:
    """The tenants' domains that the name is or lies below, the nearest first."""
    return sorted((own for own in OWNER_OF if f".{name}".endswith(f".{own}")), key=len, reverse=True)


def claimed(world: World, own: str) -> AcceptedDomain | None:
    return world.directory._claims.get((own, OWNER_OF[own]))


# --- sessions ---------------------------------------------------------------------------------------------------------


@st.composite
def sessions(draw: st.DrawFn, world: World) -> tuple[Server, Evidence]:
    """Of servers that somebody recognises more often than of others."""
    recognised = [
        each
        for each in SERVERS
        if any(could_claim(world, connector, each) for connector in world.connectors)
        or any(each.certificate and each.certificate.leaf.sha256 in proof.pins for proof in world.proofs)
    ]
    server = draw(st.sampled_from(recognised or SERVERS) | st.sampled_from(SERVERS))
    # A server's own mail, its bounces, and what it forwards with the envelope sender kept; a provider's customers'.
    sender = draw(st.sampled_from(["", *OWNER_OF, *FOREIGN]))
    recipient = draw(st.sampled_from([*OWNER_OF, *FOREIGN]))
    path = Mailbox("a", sender, f"a@{sender}") if sender else NULL_REVERSE_PATH
    return server, presented(server, path, f"x@{recipient}", "mail.any.name")


def presented(server: Server, sender: object, to: str, ehlo: str) -> Evidence:
    local_part, _, name = to.rpartition("@")
    return Evidence(
        address=ip_address(server.address),
        listener="l",
        tls=tls(server.certificate) if server.certificate else None,
        ehlo=ehlo,
        reverse_path=sender,  # type: ignore[arg-type]
        forward_paths=(Mailbox(local_part, name, to),),
    )


def verdict(world: World, evidence: Evidence) -> Attribution:
    found = gather(world.directory, evidence, FixtureJudge("verified"), AT)
    return attribute(evidence, found, AT, GATEPOST)


def owner_of(world: World, path: object) -> str | None:
    """The tenant that has verified the path's domain, or one above it with its sub-domains."""
    if not isinstance(path, Mailbox):
        return None
    for own in above(path.domain):
        found = claimed(world, own)
        if found and found.verified and (own == path.domain or found.match_subdomains):
            return found.tenant
    return None


# --- what may be ------------------------------------------------------------------------------------------------------


def may_be_taken_for(world: World, who: str, server: Server, evidence: Evidence) -> bool:
    """The grounds on which mail may be a tenant's: an owned name, a proof of the key, or its own domain in a path
    beside a pin or address that it stored."""
    sender, recipient = owner_of(world, evidence.reverse_path), owner_of(world, evidence.forward_paths[-1])
    if recipient == who:
        return True
    enabled = [each for each in world.connectors if each.enabled and each.type is not ConnectorType.PARTNER]
    own = [each for each in enabled if each.tenant == who]
    if sender == who and any(could_claim(world, each, server) for each in own):
        return True
    if any(each.tenant == sender != who and speaks_for(world, each, server) for each in enabled):
        return False  # A shared certificate: the reverse-path's owner recognises it too.
    if any(speaks_for(world, each, server) for each in own):
        return True
    certificate = server.certificate
    proven = [each for each in world.proofs if certificate and certificate.leaf.sha256 in each.pins]
    first = min(proven, key=lambda each: each.at, default=None)
    return first is not None and first.tenant == who and sender in (None, who) and recipient in (None, who)


def next_hop(world: World, verdict: Attribution, evidence: Evidence) -> SendConnector | None:
    """As the scheduler chooses it."""
    to = evidence.forward_paths[-1]
    assert isinstance(to, Mailbox)
    owner = world.directory.covering_domain(to.domain)
    whose = owner.tenant if owner else verdict.tenant
    return choose(world.directory.send_connectors(whose, to.domain), whose, to.domain)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[World, tuple[Server, Evidence]]:
    world = draw(worlds())
    return world, draw(sessions(world))


@pytest.mark.soak
@settings(max_examples=rounds(30, large=6000), deadline=None)
@given(scene=scenes())
def test_no_mail_is_taken_for_a_tenant_that_could_not_claim_it(scene: tuple[World, tuple[Server, Evidence]]) -> None:
    world, (server, evidence) = scene
    found = verdict(world, evidence)
    if found.tenant:
        assert may_be_taken_for(world, found.tenant, server, evidence), found


@pytest.mark.soak
@settings(max_examples=rounds(30, large=6000), deadline=None)
@given(scene=scenes())
def test_no_mail_reaches_a_next_hop_of_a_tenant_that_it_is_nothing_to(
    scene: tuple[World, tuple[Server, Evidence]],
) -> None:
    world, (server, evidence) = scene
    found = verdict(world, evidence)
    if found.outcome is Outcome.REFUSED or (hop := next_hop(world, found, evidence)) is None or hop.tenant is None:
        return
    recipient = owner_of(world, evidence.forward_paths[-1])
    # For a hosted domain: its own tenant's hop alone. Else the hop of the tenant whose mail it may be.
    assert hop.tenant == recipient if recipient else may_be_taken_for(world, hop.tenant, server, evidence)
    sender = owner_of(world, evidence.reverse_path)
    if server.owner in TENANTS and hop.tenant not in (recipient, sender, server.owner):
        raise AssertionError(f"{hop.tenant} gets what {server.owner}'s server sends: {found}")


@pytest.mark.soak
@settings(max_examples=rounds(40, large=3000), deadline=None)
@given(scene=scenes())
def test_a_lock_down_by_partner_connectors_holds_for_every_other_tenants_server(
    scene: tuple[World, tuple[Server, Evidence]],
) -> None:
    world, (server, evidence) = scene
    found, recipient = verdict(world, evidence), owner_of(world, evidence.forward_paths[-1])
    to = evidence.forward_paths[-1]
    routed = recipient and any(
        each.tenant == recipient or (each.tenant is None and each.address_spaces[0].space != "*")
        for each in world.directory.send_connectors(recipient, to.domain)
    )
    if (
        found.outcome is Outcome.REFUSED
        or not routed
        or (found.tenant == recipient and found.outcome is Outcome.DELIVER)
    ):
        return
    partners = [each for each in world.connectors if each.tenant == recipient and each.type is ConnectorType.PARTNER]
    restricting = [each for each in partners if each.enabled and each.restrict_to_certificate]
    certificate = server.certificate

    def satisfies(partner: InboundConnector) -> bool:
        if certificate is None:
            return False
        if certificate.leaf.sha256 in partner.certificate_sha256:
            return True
        if not isinstance(certificate, VerifiedCertificate) and server.issuer not in partner.trust_anchors:
            return False
        return any(covers(name, host) for name in partner.certificate_names for host in certificate.leaf.dns_names)

    assert not restricting or any(map(satisfies, restricting))


@pytest.mark.soak
@settings(max_examples=rounds(40, large=4000), deadline=None)
@given(scene=scenes(), more=st.data())
def test_what_a_stranger_stores_changes_no_reply_to_another(
    more: st.DataObject, scene: tuple[World, tuple[Server, Evidence]]
) -> None:
    """The stranger owns neither path nor any name presented."""
    world, (_, evidence) = scene
    certificate = evidence.certificate
    hosts = certificate.leaf.dns_names if certificate else ()
    concerned = {owner_of(world, evidence.reverse_path), owner_of(world, evidence.forward_paths[-1])}
    concerned |= {OWNER_OF[own] for host in hosts for own in above(base(host))}
    concerned |= {proof.tenant for proof in world.proofs}
    concerned |= {OWNER_OF[own] for own in above(getattr(evidence.reverse_path, "domain", ""))}
    strangers = [name for name in TENANTS if name not in concerned]
    if not strangers:
        return
    added = []
    for number in range(3):
        connector = more.draw(connectors(100 + number))
        if connector.tenant in strangers:
            added.append(connector)
    domains = world.directory._claims.values()
    crowded = furnished(domains, (*world.connectors, *added), world.hops, world.proofs)
    before, after = verdict(world, evidence), verdict(World(crowded, (), (), ()), evidence)
    assert (before.outcome, before.tenant, before.connector, before.refusal) == (
        after.outcome,
        after.tenant,
        after.connector,
        after.refusal,
    )
