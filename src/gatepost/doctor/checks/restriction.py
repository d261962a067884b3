"""Inbound connectors by what they say: one that names nobody, one that restricts whom it was not meant for."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator

from gatepost.doctor.checks.check import Check
from gatepost.doctor.evidence import NameSeen
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, claimed, inferred, seen
from gatepost.doctor.repairs import Advice, Edit
from gatepost.doctor.senders import domain_of
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.powershell import argument
from gatepost.mail.domain import is_below

_INITIAL = ".onmicrosoft.com"


def connector_names_somebody(path: MailPath) -> Iterator[Check]:
    """An on-premises connector with neither name nor address recognises no session."""
    for connector in path.bundle.inbound_connectors:
        name, addresses = connector.attribute("TlsSenderCertificateName"), connector.attribute("SenderIPAddresses")
        if connector.connector_type != "onpremises" or connector.enabled is False or name is None or addresses is None:
            continue
        lost = any(each.truncated or each.type_name_only for each in (name, addresses))
        if lost or name.value.strip() or addresses.values:
            continue
        sent = next((each.ours for each in path.sessions if each.way == "out" and each.ours is not None), None)
        presented = sent.all_names[0] if sent is not None and sent.all_names else values.server_name(path)
        known = argument(connector.name or "<name of the connector>")
        yield Check(
            cause="connector-without-identity",
            standing="broken",
            subject=connector.name,
            says=f"Connector {connector.label} has neither a certificate name nor an address, so it recognises nobody.",
            premises=(
                seen("", name, f"{connector.label}: TlsSenderCertificateName is empty"),
                seen((), addresses, f"{connector.label}: SenderIPAddresses is empty"),
            ),
            explains=frozenset(("not-attributed", "wrong-region")),
            way="out",
            edits=tuple(_identities(known, presented)),
            verify="A message to an outside recipient is answered 250; a connector's change takes up to an hour.",
            place=60,
        )


def _identities(connector: str, presented: str) -> Iterator[Edit]:
    """The name of the certificate that is presented; without one, the address, which must be the sender's alone."""
    name = argument(presented or "<name in the certificate that the server presents>")
    by_name = Advice("Exchange Online", f"Set-InboundConnector -Identity {connector} -TlsSenderCertificateName {name}")
    if not presented:
        yield Advice(
            "Exchange Online",
            f"Set-InboundConnector -Identity {connector} -SenderIPAddresses '<public address>'   # at once, if that address is this sender's alone; better by certificate, as follows",
        )
    yield by_name


def _restricting(path: MailPath) -> Iterator[InboundConnector]:
    for each in path.bundle.inbound_connectors:
        restricts = each.flag("RestrictDomainsToIPAddresses") or each.flag("RestrictDomainsToCertificate")
        if each.connector_type == "partner" and restricts and each.enabled is not False:
            yield each


def restriction_covers_what_the_filter_does(path: MailPath) -> Iterator[Check]:
    """A filter stands before the domains whose MX it is; the initial domain's mail never comes through it."""
    if not path.symptoms_of(("partner-lock",)):
        return
    recipient = _initial_recipient(path)
    for connector in _restricting(path):
        told = connector.attribute("AssociatedAcceptedDomains")
        if recipient is None or told is None or told.values:
            continue
        domain = domain_of(recipient.value)
        filtered = _filtered_domain(path, domain)
        if not filtered:
            continue
        yield Check(
            cause="associated-domains-limit-connector",
            catalogue=("G05", "G04"),
            standing="broken",
            subject=connector.name,
            says=f"Connector {connector.label} restricts every domain of the tenant, also {domain}, whose MX is Microsoft's own and never the filter.",
            premises=(
                seen((), told, f"{connector.label}: AssociatedAcceptedDomains is empty, SenderDomains *"),
                seen(domain, recipient, f"the refused recipient is in {domain}"),
            ),
            explains=frozenset(("partner-lock",)),
            way="in",
            edits=(
                Advice(
                    "Exchange Online",
                    f"Set-InboundConnector -Identity {argument(connector.name)} -AssociatedAcceptedDomains {argument(filtered)}   # the domains whose MX is the filter; {domain} then stays reachable past it",
                ),
            ),
            verify="The sender's next message to that recipient passes; mail past the filter to the other domains is refused still.",
            place=65,
        )


def _initial_recipient(path: MailPath) -> NameSeen | None:
    """The mailbox in the initial domain that the evidence names as recipient."""
    found = [each for each in path.bundle.names if each.kind == "mailbox" and domain_of(each.value).endswith(_INITIAL)]
    return found[0] if found else None


def _filtered_domain(path: MailPath, initial: str) -> str:
    """Another domain of the same tenant: an accepted one, else one named in the evidence that begins alike."""
    label = initial.partition(".")[0]
    accepted = [each.domain for each in path.bundle.accepted_domains if not each.domain.endswith(_INITIAL)]
    named = [
        each.value for each in path.bundle.names if each.kind == "domain" and each.value.partition(".")[0] == label
    ]
    return next((each for each in (*accepted, *named) if not each.endswith(_INITIAL)), "")


def no_two_tenants_claim_one_address(path: MailPath) -> Iterator[Check]:
    """Exports of two tenants that list one address: the service has to guess whose mail it is."""
    owners: dict[str, dict[str, InboundConnector]] = {}
    for connector in path.bundle.inbound_connectors:
        tenant = (
            connector.text("OrganizationId", "OrganizationalUnitRoot", "Organization").rpartition("/")[2].casefold()
        )
        if connector.enabled is not False and tenant:
            for address in connector.addresses:
                owners.setdefault(address, {})[tenant] = connector
    for address, by_tenant in owners.items():
        if len(by_tenant) < 2:
            continue
        (one, first), (other, second) = list(by_tenant.items())[:2]
        own = f"relay.{other.removesuffix(_INITIAL)}.example"
        yield Check(
            cause="address-shared-with-other-tenants",
            standing="broken",
            subject=address,
            says=f"{address} is listed by connectors of {one} and of {other}: an address does not say which tenant sends the mail.",
            premises=(
                inferred(address, first, f"{one}: {first.label} lists {address}"),
                inferred(address, second, f"{other}: {second.label} lists {address}"),
            ),
            explains=frozenset(("not-attributed", "domain-condition")),
            way="out",
            edits=(
                Advice(
                    "Exchange Online",
                    f"New-InboundConnector -Name {argument(second.name + ' by certificate')} -ConnectorType OnPremises -SenderDomains * -TlsSenderCertificateName '<name of this tenant>' -RequireTls $true   # in each tenant, a name of that tenant only, such as {own}; one send connector with its own certificate for each",
                ),
            ),
            verify="The message trace of each tenant shows its own mail only.",
            alone=True,
            place=62,
        )
        return


def each_tenant_has_a_name_of_its_own(path: MailPath) -> Iterator[Check]:
    """Exports of several tenants, a file each: one certificate name in all of them, below none of their domains."""
    by_name: dict[str, dict[str, InboundConnector]] = {}
    for connector in path.bundle.inbound_connectors:
        name = connector.certificate_name.strip().casefold()
        if name and connector.enabled is not False and connector.connector_type == "onpremises":
            by_name.setdefault(name, {})[connector.source.file] = connector
    for name, by_file in by_name.items():
        domains = {file: domain for file in by_file if (domain := _domain_in(path, file))}
        if len(set(domains.values())) < 2 or any(is_below(name, each) for each in domains.values()):
            continue
        label = name.removeprefix("*.").partition(".")[0]
        yield Check(
            cause="claimed-by-another-tenant",
            standing="broken",
            subject=name,
            says=f"Connectors of several tenants ({', '.join(domains.values())}) all expect {name}, which lies below no accepted domain of any: the service cannot tell which tenant sends, and mail lands in another tenant or is refused.",
            premises=tuple(
                seen(name, by_file[file], f"{domain}: {by_file[file].label} expects {name}")
                for file, domain in domains.items()
            ),
            explains=frozenset(("not-attributed", "domain-condition")),
            way="out",
            edits=(
                Advice(
                    "network",
                    f"One certificate per tenant, not {name} for all: {', '.join(f'{label}.{each}' for each in domains.values())}; the gateway presents for each sender domain the certificate of that tenant (a transport or send connector for each)",
                ),
                *(
                    Advice(
                        "Exchange Online",
                        f"Set-InboundConnector -Identity {argument(by_file[file].name or '<connector>')} -TlsSenderCertificateName {argument(f'{label}.{domain}')}   # in the tenant of {domain}, once the gateway presents it",
                    )
                    for file, domain in domains.items()
                ),
            ),
            verify="The message trace of each tenant shows its own mail only.",
            alone=True,
            place=62,
        )
        return


def _domain_in(path: MailPath, file: str) -> str:
    found = [
        each.domain
        for each in path.bundle.accepted_domains
        if each.source.file == file and each.domain and not each.domain.endswith(_INITIAL)
    ]
    return found[0] if found else ""


def exception_is_an_identity(path: MailPath) -> Iterator[Check]:
    """A connector that only names a sender domain never outranks one that restricts by address or certificate."""
    if not path.symptoms_of(("partner-lock",)):
        return
    restricting = next(_restricting(path), None)
    if restricting is None:
        return
    for allowing in path.bundle.inbound_connectors:
        domain = next(
            (each.casefold().removeprefix("smtp:").partition(";")[0] for each in allowing.values("SenderDomains")), "*"
        )
        if allowing is restricting or domain == "*" or allowing.certificate_name or allowing.addresses:
            continue
        name = _certificate_below(path, domain)
        if name is None:
            continue
        yield Check(
            cause="restricting-partner-connector",
            standing="broken",
            subject=allowing.name,
            says=f"Connector {allowing.label} only names the sender domain {domain}; that never outranks {restricting.label}, which restricts by identity. The exception needs an identity: {name.value}.",
            premises=(
                seen(domain, allowing, f"{allowing.label}: SenderDomains {domain}, no address, no certificate"),
                name,
            ),
            explains=frozenset(("partner-lock",)),
            way="in",
            edits=(
                Advice(
                    "Exchange Online",
                    f"New-InboundConnector -Name {argument(domain + ' by certificate')} -ConnectorType Partner -SenderDomains {domain} -RequireTls $true -RestrictDomainsToCertificate $true -TlsSenderCertificateName {argument(name.value)}",
                ),
                *(
                    (Advice("Exchange Online", f"Remove-InboundConnector -Identity {argument(allowing.name)}"),)
                    if allowing.name
                    else ()
                ),
            ),
            verify="The sender's next message passes; mail from unlisted sources is refused still.",
            place=65,
            alone=False,
        )


def _certificate_below(path: MailPath, domain: str) -> Told[str] | None:
    """The name of the sender's certificate: one that was seen, else one that somebody names."""
    for certificate in path.bundle.certificates:
        for name in certificate.all_names:
            if is_below(name, domain):
                return seen(name, certificate)
    for each in path.bundle.names:
        if each.kind == "domain" and is_below(each.value, domain):
            return claimed(each.value, each)
    return None
