"""What the relay would decide, asked of attribution itself, and the smallest edit that turns its verdict.

What flows: connectors and domains that exports show become a tenant, the refused session evidence; what neither shows is
taken for normal and marked so; `tenancy.attribution` judges under rule set `eop`. Where it refuses, every single edit is
tried, and those that turn the verdict are the repairs. Law 5: nothing here decides whose mail it is.
"""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Final

from gatepost.doctor.addresses import (
    egress_addresses,
    is_private,
    left_behind,
    parsed_networks,
    refused_by_attribution,
)
from gatepost.doctor.certificates_told import at as seconds
from gatepost.doctor.certificates_told import names_of, of_one_organisation, on_the_refused_host, shown
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.logged_session import facts_of
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath, Session
from gatepost.doctor.path.told import How, Told, assumed, inferred, seen
from gatepost.doctor.senders import domain_of, is_application_mailbox, is_local_name
from gatepost.exchange import objects
from gatepost.exchange.exported_tenant import ExportedDirectory, accepted_domains, judge_as_told
from gatepost.exchange.powershell import argument
from gatepost.exchange.source import Fact
from gatepost.exchange.translate import connector_of
from gatepost.mail.address import NULL_REVERSE_PATH, ForwardPath, Mailbox, ReversePath
from gatepost.mail.domain import DomainError, domain_key
from gatepost.tenancy.attribution import EOP, Attribution, Outcome, RuleSet, attribute
from gatepost.tenancy.candidates import gather
from gatepost.tenancy.evidence import (
    Address,
    Evidence,
    TlsEvidence,
)
from gatepost.tenancy.names import lies_deeper, without_wildcard
from gatepost.tenancy.reasons import ReasonCode
from gatepost.tenancy.tenant import AcceptedDomain, ConnectorType, InboundConnector, Tenant

_TENANT: Final = "the tenant"
_OUTSIDE: Final = Mailbox("recipient", "outside.invalid", "recipient@outside.invalid")
"""A recipient of no tenant: what relaying is about."""
_NOBODYS: Final = ip_address("192.0.2.255")
"""Where no address was shown: one that no connector lists (RFC 5737)."""
_TAKEN: Final = (Outcome.RELAY, Outcome.DELIVER)
_ONE_LABEL: Final = replace(EOP, wildcard_of_one_label=True)
_OTHER_READINGS: Final = (
    replace(EOP, wildcard_certificate_for_exact_name=True),
    replace(EOP, name_below_domain_is_owned=True),
    replace(EOP, null_reverse_path_is_in_every_domain=False),
)
_BY_NAME_ALONE: Final = replace(EOP, unowned_name_with_reverse_path=False, name_below_domain_is_owned=True)
_WIDEST: Final = 24
"""Exchange Online takes single addresses and /24 to /32."""
_SOMETIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A tenant and a session, each value as it is known."""

    connectors: tuple[InboundConnector, ...]
    exported: tuple[objects.InboundConnector, ...]
    domains: tuple[AcceptedDomain, ...]
    domains_seen: bool
    address: Told[Address]
    leaf: Told[CertificateSeen | None]
    reverse_path: Told[ReversePath]
    listing: tuple[Told[object], ...] = ()
    """The command that listed no connector."""
    others_pass: bool = False
    """Sessions from another address were accepted."""
    several_refused: bool = False
    """Sessions from more than one address were refused, or it came from another before: it has none of its own, or several."""
    range_refused: bool = False
    """The service refused to save a range of addresses."""
    forward_path: ForwardPath = _OUTSIDE
    at: datetime = _SOMETIME
    """When the session was; not told: before any certificate ended."""

    def verdict(self, rules: RuleSet = EOP) -> Attribution:
        tenant = Tenant(name=_TENANT, created_at=_SOMETIME)
        directory = ExportedDirectory(tenant, self.domains, self.connectors)
        evidence = Evidence(
            address=self.address.value,
            listener="",
            tls=self._tls(),
            ehlo="",
            reverse_path=self.reverse_path.value,
            forward_paths=(self.forward_path,),
        )
        return attribute(evidence, gather(directory, evidence, judge_as_told, self.at), self.at, rules)

    def _tls(self) -> TlsEvidence | None:
        if self.leaf.value is None:
            return None
        certificate = judge_as_told((facts_of(self.leaf.value),), (), self.at)
        return TlsEvidence(protocol="TLSv1.2", cipher="", cipher_bits=0, server_name=None, certificate=certificate)

    @property
    def relays(self) -> bool:
        return self.verdict().outcome in _TAKEN

    @property
    def is_shown_whole(self) -> bool:
        """Whether nothing that the verdict rests on is assumed, cut short, or another session's."""
        cut = any(each.truncated("SenderIPAddresses", "TlsSenderCertificateName") for each in self.exported)
        weakest_known = min(self.address.how, self.leaf.how, self.reverse_path.how)
        return self.domains_seen and weakest_known is How.SEEN and not (cut or self.several_refused)

    @property
    def is_in_no_accepted_domain(self) -> bool:
        """Whether the certificate's name counts for the sender's sake only."""
        return self.domains_seen and self.relays and self.verdict(_BY_NAME_ALONE).outcome not in _TAKEN

    @property
    def is_doubtful(self) -> bool:
        """Whether a reading of Microsoft's texts exists under which the session is relayed all the same."""
        return any(self.verdict(rules).outcome in _TAKEN for rules in _OTHER_READINGS)


# --- the world that the evidence shows ------------------------------------------------------------------------------


def world_of(path: MailPath) -> World | None:
    """None where no connector of the tenant was shown."""
    bundle = path.bundle
    empty = [each for each in bundle.cmdlets_empty if "inboundconnector" in each.command.casefold()]
    if not bundle.inbound_connectors and not empty:
        return None
    latest = {each.name.casefold() or str(each.source): each for each in bundle.inbound_connectors}
    exported = tuple(latest.values())
    connectors = tuple(connector_of(each, _TENANT, _key(each)) for each in exported)
    session = _session(path)
    reverse_path = _reverse_path(bundle, session)
    domains = accepted_domains(bundle.exports, _TENANT)
    return World(
        connectors=connectors,
        exported=exported,
        domains=domains or _domains_taken_for_granted(connectors, reverse_path),
        domains_seen=bool(domains),
        address=_address(bundle, session, exported),
        leaf=_leaf(session, bundle),
        reverse_path=reverse_path,
        at=_when(session),
        listing=tuple(seen(each.command, each, f"{each.command}: nothing listed") for each in empty),
        several_refused=len([each for each in egress_addresses(bundle) if each.refused]) > 1
        or bool(left_behind(bundle)),
        range_refused=any("senderipaddresses" in each.message.casefold() for each in bundle.powershell_errors),
        others_pass=any(
            each.accepted and not each.refused and each.address not in left_behind(bundle)
            for each in egress_addresses(bundle)
        ),
    )


def _key(connector: objects.InboundConnector) -> str:
    return connector.name or str(connector.source)


def _session(path: MailPath) -> Session | None:
    """The refused one, else one of which no answer is shown."""
    out = [each for each in path.sessions if each.way == "out"]
    refused = [each for each in out if any(refused_by_attribution(reply) for reply in each.log.replies)]
    open_ended = (each for each in out if each.log.log == "send" and each.log.accepted is None)
    return refused[0] if refused else next(open_ended, None)


def _when(session: Session | None) -> datetime:
    moment = seconds(session.log.at) if session is not None else None
    return datetime.fromtimestamp(moment, UTC) if moment else _SOMETIME


def _domain_key(text: str) -> str:
    try:
        return domain_key(text.strip())
    except DomainError:
        return ""


def _domains_taken_for_granted(
    connectors: Sequence[InboundConnector], path: Told[ReversePath]
) -> tuple[AcceptedDomain, ...]:
    """No export of domains: the connector's names and the sender's domain are taken for the tenant's."""
    names = {without_wildcard(name) for each in connectors for name in each.certificate_names}
    parents = {name.partition(".")[2] for name in names if name.count(".") > 1}
    sender = path.value.domain if isinstance(path.value, Mailbox) else ""
    return tuple(
        AcceptedDomain(domain=each, tenant=_TENANT, token="", verified=True, match_subdomains=False)
        for each in sorted({*names, *parents, sender} - {""})
    )


def _address(
    bundle: EvidenceBundle, session: Session | None, exported: Sequence[objects.InboundConnector]
) -> Told[Address]:
    """Where the refused session came from; not shown: the address that a connector lists, for that is normal."""
    egress = egress_addresses(bundle)
    for each in [one for one in egress if one.refused] or [one for one in egress if not one.accepted]:
        how = How.INFERRED if each.elsewhere else How.SEEN
        return Told(value=each.address, how=how, source=each.source, says=each.quote)
    for connector in exported:
        for text in connector.addresses:
            try:
                address = ip_address(text.strip().partition("/")[0])
            except ValueError:
                continue
            if not is_private(address):
                return assumed(address, f"mail leaves from {address}, as '{connector.name}' lists")
    return assumed(_NOBODYS)


def _leaf(session: Session | None, bundle: EvidenceBundle) -> Told[CertificateSeen | None]:
    """What the session presents; where no log tells it, the one that the program's settings name or that was handed in."""
    if session is not None and session.ours is not None:
        return seen(session.ours, session.ours, f"the session presents {shown(session.ours)}")
    if session is not None and session.log.log == "send":
        return Told(value=None, how=How.SEEN, source=session.log.source, says="the session shows no certificate sent")
    here = on_the_refused_host(bundle, values.own_leaves(bundle))
    if len(here) == 1 and any(each.client_certificate_sent for each in bundle.tls):
        return inferred(here[0], here[0], f"the certificate of the host that was refused: {shown(here[0])}")
    names = {names_of(each)[:1] for each in values.own_leaves(bundle) if names_of(each)}
    if len(names) != 1 or not values.client_certificate_file(bundle):
        return assumed(None)
    leaf = max(values.own_leaves(bundle), key=lambda each: len(each.names))
    return inferred(leaf, leaf, f"the certificate that is set for sending: {shown(leaf)}")


def _reverse_path(bundle: EvidenceBundle, session: Session | None) -> Told[ReversePath]:
    if session is not None and session.log.reverse_path is not None:
        return seen(_path(session.log.reverse_path), session.log, f"MAIL FROM:<{session.log.reverse_path}>")
    for reply in bundle.replies:
        if reply.reverse_path is not None and refused_by_attribution(reply):
            return seen(_path(reply.reverse_path), reply, f"MAIL FROM:<{reply.reverse_path}>")
    own = next((key for each in bundle.accepted_domains if (key := _domain_key(each.domain))), "sender.invalid")
    return assumed(Mailbox("sender", own, f"sender@{own}"))


def _path(text: str) -> ReversePath:
    if not text:
        return NULL_REVERSE_PATH
    domain = domain_of(text) or text.rpartition("@")[2].casefold() or "local.invalid"
    return Mailbox(text.rpartition("@")[0], domain, text)


# --- the same tenant with another certificate ---------------------------------------------------------------------------


def by_certificate(world: World, leaf: CertificateSeen) -> World:
    """A session of the tenant's own sender that nothing but this certificate could identify, whole and trusted."""
    own = next((each.domain for each in world.domains), "sender.invalid")
    return replace(
        world,
        address=assumed(_NOBODYS),
        leaf=assumed(leaf),
        reverse_path=assumed(_sender_in(own)),
        at=_SOMETIME,
    )


def alone(world: World, connector: objects.InboundConnector) -> World:
    """The tenant with that connector only."""
    index = world.exported.index(connector)
    return replace(world, exported=(connector,), connectors=(world.connectors[index],))


# --- what the verdict speaks against ----------------------------------------------------------------------------------

_OTHER_NAME: Final = {ReasonCode.CERTIFICATE_NAME_DOES_NOT_MATCH, ReasonCode.CERTIFICATE_NAME_MATCHES_NO_CONNECTOR}
_OTHER_ADDRESS: Final = {ReasonCode.ADDRESS_NOT_IN_RANGE, ReasonCode.ADDRESS_MATCHES_NO_CONNECTOR}
_REASONS: Final = {
    "connector-disabled": {ReasonCode.CONNECTOR_DISABLED},
    "renewed-certificate-other-name": _OTHER_NAME,
    "connector-name-not-in-certificate": _OTHER_NAME,
    "connector-without-identity": _OTHER_NAME | _OTHER_ADDRESS,
    "egress-address-changed": _OTHER_ADDRESS,
    "sender-domain-not-accepted": {
        ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED,
        ReasonCode.ADDRESS_NEEDS_OWNED_REVERSE_PATH,
    },
    "certificate-and-sender-domain-not-accepted": {
        ReasonCode.CERTIFICATE_NAME_NOT_OWNED,
        ReasonCode.REVERSE_PATH_DOMAIN_NOT_VERIFIED,
    },
    "null-sender-by-address": {ReasonCode.NULL_REVERSE_PATH_BY_ADDRESS_ONLY},
}
"""Causes that the relay decides, and the reasons of attribution that are the same in its words."""


def held_to_the_verdict(path: MailPath, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Of a session that was shown whole: a cause that attribution gives no reason for is none, and one whose repair alone
    would not turn the verdict is not the whole story."""
    world = world_of(path)
    if world is None or not world.is_shown_whole:
        yield from findings
        return
    given = {reason.code for reason in world.verdict().reasons}
    edits = tuple(turning_edits(world))
    turning = {each.cause for each in edits}
    if any(each.cause == "renewed-certificate-other-name" and not each.and_the_sender for each in edits):
        turning.add("connector-name-not-in-certificate")
    for each in findings:
        reasons = _REASONS.get(each.rule)
        if reasons is None or each.rule in turning:
            yield each
        elif not world.relays and reasons & given:
            yield replace(each, confidence="medium") if each.confidence == "high" else each


# --- edits that turn the verdict ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """An edit after which the relay takes the mail."""

    cause: str
    subject: str
    says: str
    premises: tuple[Told[object], ...]
    fixes: tuple[Fix, ...]
    and_the_sender: bool = False
    """The sender must change as well."""


def turning_edits(world: World) -> Iterator[Turned]:
    """Every single edit after which the verdict is to relay, else every pair of one and another sender; nothing where it
    relays already."""
    if world.relays:
        yield from _doubt_about_depth(world)
        return
    single = [each for index, exported in enumerate(world.exported) for each in _edits_of(world, index, exported)]
    yield from single or _with_another_sender(world)
    if not world.exported:
        yield from _new_connector(world)


def _with_another_sender(world: World) -> Iterator[Turned]:
    """Edits of a connector that turn the verdict once the sender is in an accepted domain too."""
    if (own := _own_domain(world)) is None or world.reverse_path.how is not How.SEEN:
        return
    changed = replace(world, reverse_path=assumed(_sender_in(own)))
    for index, exported in enumerate(world.exported):
        for each in _edits_of(changed, index, exported):
            yield replace(
                each,
                says=f"{each.says} The envelope sender <{world.reverse_path.value}> is in no accepted domain: both must be repaired.",
                premises=(*each.premises, world.reverse_path),
                fixes=(*each.fixes, _other_sender(own)),
                and_the_sender=True,
            )


def _own_domain(world: World) -> str | None:
    names = sorted(each.domain for each in world.domains)
    return next((each for each in names if not each.endswith(".onmicrosoft.com")), None)


def _sender_in(domain: str) -> Mailbox:
    return Mailbox("sender", domain, f"sender@{domain}")


def _other_sender(domain: str) -> Fix:
    return Fix(
        "application", f"Set the envelope sender (MAIL FROM, not only the From header) to an address in {domain}"
    )


def _doubt_about_depth(world: World) -> Iterator[Turned]:
    """It relays, if the wildcard reaches as deep as it is taken to: one label is certain, deeper is not documented."""
    if world.leaf.value is None or world.verdict(_ONE_LABEL).outcome in _TAKEN:
        return
    for exported in world.exported:
        pattern = exported.certificate_name.strip().casefold()
        name = next((each for each in names_of(world.leaf.value) if lies_deeper(each, pattern)), "")
        if not name or not exported.name:
            continue
        told = exported.attribute("TlsSenderCertificateName") or exported
        beside = argument(f"{exported.name} {name.partition('.')[2]}")
        command = f"New-InboundConnector -Name {beside} -ConnectorType OnPremises -SenderDomains * -TlsSenderCertificateName {argument(name)} -RequireTls $true"
        yield Turned(
            cause="name-deeper-than-wildcard",
            subject=exported.name,
            says=f"{name} lies more than one label below {pattern}; one label is certain, deeper is not documented.",
            premises=(inferred(pattern, told, f"{exported.label}: {pattern}"), world.leaf),
            fixes=(
                Fix(
                    "Exchange Online",
                    f"{command}   # beside {exported.label}, whose other servers need {pattern}; add {name.partition('.')[2]} as accepted domain first",
                ),
            ),
        )


def _with(world: World, index: int, **changed: object) -> World:
    connectors = list(world.connectors)
    connectors[index] = replace(connectors[index], **changed)  # type: ignore[arg-type]
    return replace(world, connectors=tuple(connectors))


def _edits_of(world: World, index: int, exported: objects.InboundConnector) -> Iterator[Turned]:
    identity = argument(exported.name or "<connector>")
    if exported.enabled is False and _with(world, index, enabled=True).relays:
        yield Turned(
            cause="connector-disabled",
            subject=exported.name,
            says=f"Connector {exported.label} would recognise the session, but it is disabled.",
            premises=(_disabled(world, exported),),
            fixes=(Fix("Exchange Online", f"Set-InboundConnector -Identity {identity} -Enabled $true"),),
        )
    if (
        exported.connector_type == "partner"
        and _with(world, index, type=ConnectorType.ON_PREMISES, enabled=True).relays
    ):
        yield _of_other_type(world, exported)
    if exported.connector_type != "partner" and exported.enabled is not False:
        yield from _identity_edits(world, index, exported, identity)


def _disabled(world: World, exported: objects.InboundConnector) -> Told[bool]:
    """Beside an enabled connector for the same server it may be off on purpose."""
    others = any(each.enabled is not False and each.connector_type != "partner" for each in world.exported)
    told = exported.attribute("Enabled") or exported
    return (inferred if others else seen)(False, told, f"{exported.label}: Enabled False")


def _of_other_type(world: World, exported: objects.InboundConnector) -> Turned:
    """Beside a connector of the right type it may be meant for something else."""
    others = len(world.exported) > 1
    told = exported.attribute("ConnectorType") or exported
    name = f"{exported.name or 'Relay'} on-premises"
    by = _identity_arguments(exported)
    fixes = [
        Fix(
            "Exchange Online",
            f"New-InboundConnector -Name {argument(name)} -ConnectorType OnPremises -SenderDomains * {by} -RequireTls $true",
        )
    ]
    if exported.name:
        remove = f"Remove-InboundConnector -Identity {argument(exported.name)}   # when a message to an outside recipient passed"
        fixes.append(Fix("Exchange Online", remove))
    return Turned(
        cause="partner-type-connector",
        subject=exported.name,
        says=f"Connector {exported.label} is of type Partner: it labels or restricts incoming mail and never gives the right "
        "to relay. Mail for the tenant's own recipients passes without any connector, so that it passes proves nothing.",
        premises=((inferred if others else seen)("partner", told, f"{exported.label}: ConnectorType Partner"),),
        fixes=tuple(fixes),
    )


def _identity_arguments(exported: objects.InboundConnector) -> str:
    if name := exported.certificate_name.strip():
        return f"-TlsSenderCertificateName {argument(name)}"
    return f"-SenderIPAddresses {','.join(exported.addresses)}"


def _identity_edits(world: World, index: int, exported: objects.InboundConnector, identity: str) -> Iterator[Turned]:
    connector = world.connectors[index]
    leaf = world.leaf.value
    if leaf is not None and world.leaf.how >= How.INFERRED and connector.certificate_names:
        kin = [
            each
            for each in names_of(leaf)
            if any(of_one_organisation(each, own) for own in connector.certificate_names)
        ]
        for name in kin:
            if _with(world, index, certificate_names=(name,)).relays:
                told = exported.attribute("TlsSenderCertificateName") or exported
                yield Turned(
                    cause="renewed-certificate-other-name",
                    subject=exported.name,
                    says=f"Connector {exported.label} asks for {exported.certificate_name}; the session presents {name}.",
                    premises=(
                        _held(world, exported, told, exported.certificate_name),
                        world.leaf,
                    ),
                    fixes=(
                        Fix(
                            "Exchange Online",
                            f"Set-InboundConnector -Identity {identity} -TlsSenderCertificateName {argument(name)}",
                        ),
                    ),
                )
                break
    address = world.address
    if address.how >= How.INFERRED and connector.addresses and address.value.version == 4:
        listed = (*connector.addresses, ip_network(address.value))
        if (
            not any(address.value in each for each in connector.addresses)
            and _with(world, index, addresses=listed).relays
        ):
            told = exported.attribute("SenderIPAddresses") or exported
            yield Turned(
                cause=_cause_of_address(world, exported),
                subject=exported.name,
                says=f"Mail leaves from {address.value}, which connector {exported.label} does not list.",
                premises=(
                    address,
                    _held(world, exported, told, ", ".join(exported.addresses)),
                ),
                fixes=(
                    Fix(
                        "Exchange Online",
                        f"Set-InboundConnector -Identity {identity} -SenderIPAddresses @{{Add='{address.value}'}}",
                    ),
                ),
            )
    yield from _sender_edits(world)


def _held(world: World, exported: objects.InboundConnector, fact: Fact, value: str) -> Told[str]:
    """What the connector has: seen, unless the export cut it or Microsoft's texts leave open what it means."""
    cut = exported.truncated("SenderIPAddresses", "TlsSenderCertificateName")
    how = How.INFERRED if cut or world.is_doubtful or world.several_refused else How.SEEN
    return Told(value=value, how=how, source=fact.source, says=f"{exported.label}: {value}")


def _cause_of_address(world: World, exported: objects.InboundConnector) -> str:
    if any(is_private(network.network_address) for each in exported.addresses for network in parsed_networks(each)):
        return "private-address-listed"
    wide = any(network.prefixlen < _WIDEST for each in exported.addresses for network in parsed_networks(each))
    if wide or world.range_refused:
        return "address-range-too-wide"
    return "egress-address-partly-listed" if world.others_pass else "egress-address-changed"


def _sender_edits(world: World) -> Iterator[Turned]:
    """Another reverse-path: one in an accepted domain."""
    if world.reverse_path.how is not How.SEEN or not world.domains:
        return
    if (own := _own_domain(world)) is None:
        return
    changed = replace(world, reverse_path=assumed(_sender_in(own)))
    if not changed.relays:
        return
    text = str(world.reverse_path.value)
    reasons = {reason.code for reason in world.verdict().reasons}
    cause = _cause_of_sender(world.reverse_path.value, ReasonCode.CERTIFICATE_NAME_NOT_OWNED in reasons)
    path = world.reverse_path
    known = path.how if cause == "null-sender-by-address" else How.INFERRED  # to add the domain turns the verdict too
    yield Turned(
        cause=cause,
        subject=text,
        says=f"The envelope sender <{text}> is in no accepted domain; with one in {own} the same session is relayed.",
        premises=(replace(path, how=known),),
        fixes=(_other_sender(own),),
    )


def _cause_of_sender(path: ReversePath, by_certificate: bool) -> str:
    if by_certificate and not (isinstance(path, Mailbox) and is_local_name(path.domain)):
        return "certificate-and-sender-domain-not-accepted"
    if not isinstance(path, Mailbox):
        return "null-sender-by-address"
    if is_local_name(path.domain) or is_application_mailbox(path.text):
        return "application-envelope-domain"
    return "sender-domain-not-accepted"


def _new_connector(world: World) -> Iterator[Turned]:
    yield Turned(
        cause="no-inbound-connector",
        subject="",
        says="The tenant has no inbound connector, so no session can be recognised as its own.",
        premises=world.listing,
        fixes=(
            Fix(
                "Exchange Online",
                f"New-InboundConnector -Name 'On-premises' -ConnectorType OnPremises -SenderDomains * {_by_of(world)} -RequireTls $true",
            ),
        ),
    )


def _by_of(world: World) -> str:
    names = names_of(world.leaf.value) if world.leaf.value is not None else ()
    if names:
        return f"-TlsSenderCertificateName {argument(names[0])}"
    if world.address.how is How.SEEN:
        return f"-SenderIPAddresses {world.address.value}"
    return "-TlsSenderCertificateName '<name in the certificate that the server presents>'"
