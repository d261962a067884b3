"""Family G: the inbound connector object itself, or a tenant-wide setting, is what refuses."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from collections.abc import Sequence
from shlex import quote as shell_quoted

from gatepost.doctor.addresses import (
    egress_addresses,
    is_private,
    joined,
    listed_networks,
    lists_address,
    parsed_address,
    refused_by_attribution,
)
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, ReplySeen
from gatepost.doctor.finding import Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.senders import domain_of, domains_told, senders, told_in_other_tenant
from gatepost.doctor.sentences import every, parts_of, sentence, speaks_of
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.powershell import argument, object_of, quoted
from gatepost.mail.domain import is_below
from gatepost.tenancy.names import covers


def _refusal(bundle: EvidenceBundle) -> ReplySeen | None:
    return next((each for each in bundle.replies if refused_by_attribution(each)), None)


def _sent_names(bundle: EvidenceBundle) -> list[str]:
    names = [
        name
        for each in bundle.certificates
        if each.role in ("sent", "file", "new", "stored")
        for name in each.all_names
    ]
    return list(dict.fromkeys(names))


def name_matches(pattern: str, name: str) -> bool:
    """Exchange Online's test of a certificate's name, `*.X` covering everything below X and X."""
    return covers(pattern.strip().casefold(), name.casefold())


def _would_match(connector: InboundConnector, bundle: EvidenceBundle) -> bool | None:
    """Whether the session would match by address or name; None where that cannot be seen."""
    seen = [each for each in egress_addresses(bundle) if each.refused] or egress_addresses(bundle)
    names = _sent_names(bundle)
    told: list[bool] = []
    if listed_networks(connector) and seen:
        told.append(any(lists_address(connector, each.address) for each in seen))
    if connector.certificate_name.strip() and names:
        told.append(any(name_matches(connector.certificate_name, each) for each in names))
    return any(told) if told else None


@rule("connector-disabled", "G02", title="The connector that would match is disabled", side="tenant")
def connector_disabled(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    disabled = [
        each
        for each in bundle.inbound_connectors
        if each.enabled is False and each.connector_type in ("onpremises", "")
    ]
    active = [
        each for each in bundle.inbound_connectors if each.enabled is not False and each.connector_type == "onpremises"
    ]
    if not disabled:
        verdict = next(
            (each for each in bundle.verdicts if any(code == "connector-disabled" for code, _, _ in each.reasons)), None
        )
        if verdict is None:
            return _disabled_by_words(bundle)
        name = next(connector for code, connector, _ in verdict.reasons if code == "connector-disabled")
        return found(
            "high",
            92,
            f"Inbound connector '{name}' would match but is disabled.",
            [cite(verdict.source, verdict.quote)],
            fix=(
                Fix(
                    "Gatepost",
                    f"gatepost inbound-connector enable {shell_quoted(verdict.tenant or 'TENANT')} {shell_quoted(name)}",
                ),
            ),
            verify="gatepost explain ... says relay.",
        )
    reply = _refusal(bundle)
    matching = [each for each in disabled if _would_match(each, bundle)]
    elsewhere = [each for each in active if _would_match(each, bundle)]
    if elsewhere:
        return ruled_out(f"'{elsewhere[0].name}' is enabled and matches as well")
    mismatching = [each for each in disabled if _would_match(each, bundle) is False]
    if mismatching and not matching:
        return ruled_out(f"disabled '{mismatching[0].name}' would not match either")
    one = (matching or disabled)[0]
    sure = bool(reply) and (bool(matching) or not active)
    return found(
        "high" if sure else "medium",
        93 if matching and reply else 87 if sure else 44,
        f"Inbound connector {one.label} is disabled"
        + (
            ", and it is the one that would match."
            if matching
            else "; no other connector may give relay rights."
            if not active
            else "."
        ),
        [cite(one.where("Enabled"), f"'{one.name}' Enabled False")]
        + ([cite(reply.source, reply.quote or reply.text)] if reply else []),
        fix=(
            Fix("Exchange Online", f"Set-InboundConnector -Identity {argument(one.name)} -Enabled $true"),
            Fix("Gatepost", f"gatepost inbound-connector enable TENANT {shell_quoted(one.name)}"),
        )
        if sure and one.name
        else (),
        verify="Get-InboundConnector shows Enabled True; a message to an outside recipient passes.",
    )


def _disabled_by_words(bundle: EvidenceBundle) -> Finding | None:
    """Somebody's word that a connector is off; nothing exported says otherwise."""
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "connector-object-disabled-by-words.said")
            and not speaks_of(each.quote, "connector-object-disabled-by-words.said-2")
            and not speaks_of(each.quote, "connector-object.supposed")
        ),
        None,
    )
    reply = _refusal(bundle)
    if said is None or reply is None or bundle.inbound_connectors or reply.enhanced == "5.7.51":
        return None
    quoted_names = [
        each[1] for each in every(" ".join(each.quote for each in bundle.prose), "connector-object.quoted-name")
    ]
    name = quoted_names[0] if len(quoted_names) == 1 else "<connector>"
    return found(
        "medium",
        74,
        "By what is said, the inbound connector was disabled, and mail is refused since.",
        [cite(said), cite(reply.source, reply.quote or reply.text)],
        fix=(Fix("Exchange Online", f"Set-InboundConnector -Identity {argument(name)} -Enabled $true"),),
        verify="Get-InboundConnector shows Enabled True; a message to an outside recipient passes.",
        missing=("Get-InboundConnector | ConvertTo-Json",),
    )


@rule(
    "partner-type-connector",
    "G03",
    title="The connector is of type Partner, which never gives relay rights",
    side="tenant",
)
def partner_type_connector(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    partners = [
        each
        for each in bundle.inbound_connectors
        if each.connector_type == "partner"
        and each.enabled is not False
        # A connector for some sender domains is a partner's on purpose.
        and all(speaks_of(one.strip(), "connector-object.every-sender") for one in each.values("SenderDomains"))
    ]
    if not partners:
        return None
    reply = next(
        (each for each in bundle.replies if refused_by_attribution(each) and each.enhanced not in ("5.7.51", "5.7.68")),
        None,
    )
    own = [
        each for each in bundle.inbound_connectors if each.connector_type == "onpremises" and each.enabled is not False
    ]
    if reply is None:
        return None
    if any(_would_match(each, bundle) is not False for each in own):
        return ruled_out(f"'{own[0].name}' is of type OnPremises")
    matching = [each for each in partners if _would_match(each, bundle)]
    unknown = [each for each in partners if _would_match(each, bundle) is None]
    if own and not matching:
        return None
    if not matching and not unknown:
        return ruled_out(f"Partner connector {partners[0].label} would not match either")
    one = (matching or unknown)[0]
    identity = (
        [f"-TlsSenderCertificateName {argument(one.certificate_name)} -RequireTls $true"]
        if one.certificate_name.strip()
        else []
    )
    identity += (
        [f"-SenderIPAddresses {','.join(quoted(each) for each in one.addresses)}"]
        if one.addresses and not identity
        else []
    )
    # Meant for one's own server: it takes every sender, and nothing seen says that it is somebody else's.
    meant = bool(one.values("SenderDomains")) or len(bundle.inbound_connectors) == 1
    return found(
        "high" if matching or meant else "medium",
        92 if matching or meant else 60,
        f"Connector {one.label} is of type Partner: it can restrict mail coming to you, but never lets a server relay to others. That takes type OnPremises.",
        [
            cite(one.where("ConnectorType"), f"'{one.name}' ConnectorType Partner"),
            cite(reply.source, reply.quote or reply.text),
        ],
        fix=(
            Fix(
                "Exchange Online",
                f"New-InboundConnector -Name {argument(one.name + ' (on-premises)')} -ConnectorType OnPremises -SenderDomains * {' '.join(identity)}",
            ),
            Fix("Gatepost", f"gatepost inbound-connector set TENANT {shell_quoted(one.name)} --type on-premises"),
        )
        if identity
        else (),
        verify="Get-InboundConnector shows ConnectorType OnPremises; mail to an outside recipient passes.",
    )


def _partner_refusal(bundle: EvidenceBundle) -> ReplySeen | None:
    return next(
        (
            each
            for each in bundle.replies
            if each.enhanced == "5.7.51" or "partner connector configured" in each.text.casefold()
        ),
        None,
    )


@rule("restricting-partner-connector", "G04", title="A restricting Partner connector catches this mail", side="tenant")
def restricting_partner_connector(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _partner_refusal(bundle)
    if reply is None:
        return None
    restricting = [
        each
        for each in bundle.inbound_connectors
        if each.connector_type in ("partner", "")
        and each.enabled is not False
        and (each.flag("RestrictDomainsToIPAddresses") or each.flag("RestrictDomainsToCertificate"))
    ]
    hybrid = _is_own_server(bundle)
    sent = [each for each in bundle.certificates if each.role == "sent"]
    evidence = [cite(reply.source, reply.quote or reply.text)]
    cut = next((each for each in bundle.inbound_connectors if _is_cut(each)), None)
    if not restricting and cut is not None:
        return found(
            "low",
            58,
            f"Partner connector '{cut.name}' restricts who may send to the tenant, and this sender is not among those it takes; by what it restricts, the console cut.",
            evidence,
            missing=(
                f"Get-InboundConnector -Identity {argument(cut.name)} | Format-List   # RestrictDomainsToIPAddresses, SenderIPAddresses, RestrictDomainsToCertificate, TlsSenderCertificateName: the table cut them",
                "the address and the certificate that the refused sender comes with now: the Received line of a message that passed, or its provider's notice",
            ),
        )
    if not restricting:
        return found(
            "medium",
            58 if not (hybrid or sent) else 40,
            "A Partner connector with a restriction refuses whoever comes from elsewhere; in a hybrid set-up it shows that the OnPremises connector did not match.",
            evidence,
            verify="Look at Get-InboundConnector | where RestrictDomains*.",
            missing=("Get-InboundConnector of the refusing tenant",),
        )
    one = restricting[0]
    flags = [flag for flag in ("RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate") if one.flag(flag)]
    evidence.append(
        cite(
            one.where(*flags),
            f"'{one.name}' {joined(flags)} True, SenderDomains {joined(one.values('SenderDomains')) or 'not shown'}",
        )
    )
    allow = [
        each
        for each in bundle.inbound_connectors
        if each is not one
        and each.connector_type == "partner"
        and each.enabled is not False
        and not (each.flag("RestrictDomainsToIPAddresses") or each.flag("RestrictDomainsToCertificate"))
    ]
    evidence += [
        cite(each.source, f"'{each.name}' (by sender domain) never wins against the restriction") for each in allow[:1]
    ]
    address = next((each.text for each in egress_addresses(bundle) if each.refused), "") or _named_and_listed(
        bundle, allow
    )
    fix: tuple[Fix, ...] = ()
    if "RestrictDomainsToIPAddresses" in flags and not hybrid:
        fix = (
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity {argument(one.name)} -SenderIPAddresses @{{Add={quoted(address or '<address of the sender>')}}}   # once you know that you expect this sender's mail",
            ),
        )
    elif "RestrictDomainsToCertificate" in flags and not hybrid:
        other = address or _address_in_words(bundle)
        fix = (
            Fix(
                "Exchange Online",
                f"New-InboundConnector -Name {argument(one.name + ' (by address)')} -ConnectorType Partner -SenderDomains * -SenderIPAddresses {argument(other or '<address of the sender>')} -RestrictDomainsToIPAddresses $true   # beside {quoted(one.name)}, once you know that you expect this sender's mail",
            ),
        )
    own_match = hybrid or bool(sent and any(each.connector_type == "onpremises" for each in bundle.inbound_connectors))
    # The tenant's own server would come by the OnPremises connector; that this sender is not it has to be seen.
    could_be_own = any(
        each.connector_type == "onpremises" and each.enabled is not False for each in bundle.inbound_connectors
    )
    return found(
        "medium" if own_match or (could_be_own and not (address or reply.quoted_by)) else "high",
        50 if own_match else 91,
        f"'{one.name}' takes mail for {joined(one.values('SenderDomains')) or 'its domains'} from listed sources only; this sender is none of them.",
        evidence,
        fix=fix,
        verify="The sender's next message passes; mail from unlisted sources is refused still.",
    )


def _is_cut(connector: InboundConnector) -> bool:
    """A Partner connector of which a table shows dots for what it restricts by."""
    shown = (connector.text("RestrictDomainsToIPAddresses"), connector.text("RestrictDomainsToCertificate"))
    return connector.connector_type == "partner" and any(each.strip().endswith(("...", "\u2026")) for each in shown)


def _named_and_listed(bundle: EvidenceBundle, connectors: list[InboundConnector]) -> str:
    """An address that the evidence names outside the exports, and one of the connectors lists."""
    exports = {each.source.file for each in connectors}
    listed = {value for each in connectors for value in each.addresses}
    named = (each.value for each in bundle.names if each.kind == "address" and each.source.file not in exports)
    return next((each for each in named if each in listed), "")


def _address_in_words(bundle: EvidenceBundle) -> str:
    """The one public address that people name."""
    named = {each.value for each in bundle.names if each.kind == "address" and ":" not in each.value}
    public = [each for each in named if (address := parsed_address(each)) and not is_private(address)]
    return public[0] if len(public) == 1 else ""


def _is_own_server(bundle: EvidenceBundle) -> bool:
    """Whether the refused side is the tenant's own Exchange: then the OnPremises connector should have matched."""
    used = [each.connector for each in bundle.sessions] + [each.connector for each in bundle.replies]
    used += [each.name for each in bundle.send_connectors]
    if any("outbound to office 365" in each.casefold() for each in used):
        return True
    if any(
        "mail.onmicrosoft.com" in space.casefold()
        for each in bundle.send_connectors
        for space in each.values("AddressSpaces")
    ):
        return True
    return next(bundle.prose_of("ran-hcw"), None) is not None


@rule(
    "associated-domains-limit-connector", "G05", title="AssociatedAcceptedDomains leaves this domain out", side="tenant"
)
def associated_domains_limit_connector(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _refusal(bundle)
    for connector in bundle.inbound_connectors:
        listed = [each.casefold().rpartition("\\")[2] for each in connector.values("AssociatedAcceptedDomains")]
        if not listed or connector.enabled is False or reply is None:
            continue
        seen = senders(bundle)
        refused = {each.domain for each in seen if each.refused and each.domain}
        refused |= (
            {domain_of(each.forward_path or "") for each in bundle.replies if refused_by_attribution(each)} - {""}
            if not refused
            else set()
        )
        refused |= {each.detail.casefold() for each in bundle.prose_of("only-one-domain") if "." in each.detail}
        refused |= set(domains_told(bundle)) - set(listed)
        outside = sorted(each for each in refused if each not in listed)
        if refused and not outside:
            return ruled_out(f"{sorted(refused)[0]} is among AssociatedAcceptedDomains")
        passed = [each for each in seen if each.accepted and each.domain in listed]
        high = bool(outside and passed)
        values = ",".join(quoted(each) for each in outside)
        return found(
            "high" if high else "medium",
            91 if high else 84 if outside else 56,
            f"Connector {connector.label} serves {joined(listed)} only"
            + (f"; {outside[0]} is not among them." if outside else "."),
            [
                cite(connector.where("AssociatedAcceptedDomains"), f"AssociatedAcceptedDomains {joined(listed)}"),
                cite(reply.source, reply.quote or reply.text),
            ]
            + [cite(each.source, f"{each.shown} passes") for each in passed[:1]],
            fix=(
                Fix(
                    "Exchange Online",
                    f"Set-InboundConnector -Identity {argument(connector.name)} -AssociatedAcceptedDomains @{{Add={values}}}",
                ),
                Fix(
                    "Exchange Online",
                    f"Set-InboundConnector -Identity {argument(connector.name)} -AssociatedAcceptedDomains $null   # or for all domains",
                ),
            )
            if outside
            else (),
            verify="A message from each accepted domain passes.",
        )
    return None


@rule(
    "two-identities-one-connector",
    "G06",
    title="One connector asks for address and certificate, and only one of them matches",
    side="tenant",
)
def two_identities_one_connector(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _refusal(bundle)
    for connector in bundle.inbound_connectors:
        if (
            connector.enabled is False
            or not connector.addresses
            or not connector.certificate_name.strip()
            or reply is None
        ):
            continue
        names = [name for each in bundle.certificates if each.role == "sent" for name in each.all_names] or _sent_names(
            bundle
        )
        seen = [each for each in egress_addresses(bundle) if each.refused]
        if not names or not seen:
            continue
        by_name = any(name_matches(connector.certificate_name, each) for each in names)
        by_address = any(lists_address(connector, each.address) for each in seen)
        if by_name == by_address:
            return ruled_out("both identities match") if by_name else None
        wrong = (
            f"{seen[0].text} is not in {joined(connector.addresses)}"
            if by_name
            else f"{joined(names)} does not match {connector.certificate_name}"
        )
        drop = "-SenderIPAddresses $null" if by_name else "-TlsSenderCertificateName $null"
        return found(
            "medium",
            83,
            f"Connector {connector.label} holds both a certificate name and addresses; the {'certificate' if by_name else 'address'} matches, but {wrong}.",
            [
                cite(connector.where("TlsSenderCertificateName"), connector.certificate_name),
                cite(connector.where("SenderIPAddresses"), joined(connector.addresses)),
                cite(seen[0].source, seen[0].quote),
            ],
            fix=(
                Fix(
                    "Exchange Online",
                    f"Set-InboundConnector -Identity {argument(connector.name)} {drop}   # one identity a connector; keep the one that matches",
                ),
            ),
            verify="A message to an outside recipient passes.",
        )
    return None


@rule(
    "claimed-by-another-tenant",
    "G07",
    "E06",
    title="Another tenant's connector claims the same certificate name or address",
    side="tenant",
)
def claimed_by_another_tenant(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    owners: dict[str, dict[str, InboundConnector]] = {}
    for connector in bundle.inbound_connectors:
        tenant = (
            connector.text("OrganizationId", "Tenant", "Organization", "OrganizationalUnitRoot")
            or connector.source.file
        ).casefold()
        if name := connector.certificate_name.strip().casefold():
            owners.setdefault(name, {})[tenant] = connector
    shared = {
        name: each
        for name, each in owners.items()
        if len(each) > 1 and len({one.text("Guid") or one.name for one in each.values()}) > 1
    }
    other = told_in_other_tenant(bundle)
    header = next((each for each in bundle.headers if each.name.casefold() == "x-eoptenantattributedmessage"), None)
    if shared:
        name, by_tenant = next(iter(shared.items()))
        return found(
            "high" if other else "medium",
            90 if other else 70,
            f"{len(by_tenant)} tenants' connectors go by the certificate name {name}: each takes the other's mail.",
            [
                cite(each.where("TlsSenderCertificateName"), f"{tenant}: '{each.name}'")
                for tenant, each in by_tenant.items()
            ]
            + ([cite(other.source, other.quote)] if other else []),
            fix=(
                Fix(
                    "Exchange Online",
                    "# give each tenant its own certificate name, and set each tenant's connector to its own",
                ),
                Fix("Exchange", "# one send connector with its own TlsCertificateName for each tenant"),
            ),
            verify="Each tenant's message trace shows its own mail only.",
        )
    by_certificate = any(each.certificate_name.strip() for each in bundle.inbound_connectors) or any(
        each.role == "sent" for each in bundle.certificates
    )
    if other and (by_certificate or header or not bundle.inbound_connectors):
        return found(
            "medium",
            76 if by_certificate or header else 60,
            "The mail is attributed to another tenant: its connector claims the same certificate name or address, or a more specific one.",
            [cite(other.source, other.quote)]
            + ([cite(header.source, f"{header.name}: {header.value}")] if header else []),
            verify="Compare X-EOPTenantAttributedMessage with your tenant's id; compare both tenants' connectors.",
            missing=("Get-InboundConnector of both tenants",),
        )
    return None


@rule(
    "wildcard-name-catches-other-systems",
    "G08",
    title="A wildcard connector name catches other systems' sessions",
    side="tenant",
)
def wildcard_name_catches_other_systems(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    loop = next(
        (each for each in bundle.replies if speaks_of(f"{each.attr} {each.text}", "connector-object.loop")), None
    )
    for connector in bundle.inbound_connectors:
        name = connector.certificate_name.strip().casefold()
        if not name.startswith("*.") or connector.enabled is False:
            continue
        caught = sorted(
            {
                n
                for each in bundle.certificates
                if each.role in ("sent", "file", "remote")
                for n in each.all_names
                if not n.startswith("*.") and is_below(n, name[2:])
            }
            | {each.value for each in bundle.names if each.kind == "domain" and is_below(each.value, name[2:])}
        )
        symptom = next(
            (
                each
                for each in bundle.prose
                if each.topic in ("other-tenant", "marked-external")
                or speaks_of(each.quote, "wildcard-name-catches-other-systems.symptom")
            ),
            None,
        )
        if (symptom is None and loop is None) or len(caught) < 2:
            continue
        return found(
            "medium",
            80,
            f"Connector {connector.label} goes by {name}: it takes the sessions of {joined(caught)} alike.",
            [
                cite(connector.where("TlsSenderCertificateName"), name),
                *(cite(each) for each in (loop, symptom) if each is not None),
            ],
            fix=(
                Fix(
                    "Exchange Online",
                    f"Set-InboundConnector -Identity {argument(connector.name)} -TlsSenderCertificateName {argument(_own_server(bundle, caught))}   # the one server it is meant for; add that name as accepted domain first",
                ),
            ),
            verify="Message trace shows the other systems' mail without this connector.",
        )
    if loop is None:
        return None
    return found(
        "low",
        52,
        "The message goes round between connectors until its hops are used up: most often a connector takes a session that is another system's.",
        [cite(loop)],
        verify="The trace fields (Received) of one such message show which systems hand it on.",
        missing=(
            "the Received fields of one looping message",
            "Get-InboundConnector, Get-OutboundConnector and the transport rule that routes it",
        ),
        catalogue=("G08", "G07"),
    )


def _own_server(bundle: EvidenceBundle, names: Sequence[str]) -> str:
    """Of the names that a wildcard catches, the one that the tenant's own server has, by a connector, a file or a word
    close by; where nothing tells, a placeholder, for another server's name would keep the leak."""
    for each in bundle.send_connectors:
        if each.fqdn.casefold() in names:
            return each.fqdn.casefold()
    told = []
    for name in names:
        files = [c.source.file for c in bundle.certificates if name in c.all_names]
        words = [
            clause
            for p in bundle.prose
            for clause in parts_of(p.quote, "connector-object.clause-ends")
            if name in clause.casefold()
        ]
        words += [n.quote for n in bundle.names if n.value == name] if not words else []
        spoken = " ".join((*files, *words)).replace("_", " ").replace("-", " - ")
        if speaks_of(spoken, "connector-object.own") and not speaks_of(
            " ".join(files).replace("-", " "), "connector-object.shared"
        ):
            told.append(name)
    return told[0] if len(told) == 1 else "<name in the certificate of your own server>"


@rule("direct-send-rejected", "G09", title="The tenant rejects direct send and no connector matched", side="tenant")
def direct_send_rejected(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = next(
        (
            each
            for each in bundle.replies
            if each.enhanced == "5.7.68" or "direct send not allowed" in each.text.casefold()
        ),
        None,
    )
    if reply is None:
        return None
    address = next((each.text for each in egress_addresses(bundle) if each.refused), "")
    partners = [each for each in bundle.inbound_connectors if each.connector_type == "partner" and each.addresses]
    if not address and len(partners) == 1:
        address = partners[0].addresses[0]
    name = next((each for each in _sent_names(bundle) if "." in each), "")
    identity = (
        f"-TlsSenderCertificateName {argument(name)} -RequireTls $true"
        if name
        else f"-SenderIPAddresses {argument(address)}"
        if address
        else "-SenderIPAddresses '<address of the source>'"
    )
    return found(
        "high",
        95,
        "The tenant has RejectDirectSend on: mail in its own name from a source without connector is refused, whatever SPF and DKIM say. Message trace shows nothing of it.",
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "Exchange Online",
                f"New-InboundConnector -Name 'Direct sender' -ConnectorType OnPremises -SenderDomains * {identity}",
            ),
            Fix("application", "or authenticate (SMTP AUTH, HVE) instead of sending anonymously"),
        ),
        verify="The source's next message passes with RejectDirectSend still True (Get-OrganizationConfig).",
    )


@rule("hcw-rewrote-connector", "G10", title="The Hybrid Configuration Wizard rewrote connector values", side="tenant")
def hcw_rewrote_connector(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    changed = [
        each
        for each in bundle.hcw
        if each.equals is False and speaks_of(each.property_name, "connector-object.connector-properties")
    ]
    said = next(bundle.prose_of("ran-hcw"), None)
    if not changed:
        if bundle.hcw and said:
            return ruled_out("the wizard's comparison shows nothing changed")
        bare = not (bundle.inbound_connectors or bundle.certificates or bundle.cmdlets_empty)
        if said and bare and (reply := _refusal(bundle)):
            return found(
                "medium",
                41,
                "It began with a run of the Hybrid Configuration Wizard, which writes its own values over customised ones.",
                [cite(said.source, said.quote), cite(reply.source, reply.quote or reply.text)],
                verify="Search the wizard's log for 'actual': rows with Equals False were changed.",
                missing=("the Hybrid Configuration Wizard's log",),
            )
        return None
    trouble = _refusal(bundle) or next(iter(bundle.replies), None) or next(iter(bundle.queue_errors), None)
    evidence = [
        cite(
            each.source,
            f"{each.object_name} {each.property_name}: was {each.actual or 'empty'}, wizard wants {each.expected or 'empty'}".strip(),
        )
        for each in changed[:5]
    ]
    evidence += [cite(said.source, said.quote)] if said else []
    first = next((each for each in changed if speaks_of(each.property_name, "hcw-rewrote-connector.first")), changed[0])
    fix = tuple(
        _restored(each.object_name or _only_name(bundle, each.property_name), each.property_name, each.actual)
        for each in changed[:4]
        if each.actual
    )
    return found(
        "high" if trouble and said else "medium",
        94 if trouble else 75,
        f"The Hybrid Configuration Wizard changed {joined([each.property_name for each in changed])}: {first.property_name} was {first.actual or 'empty'} and is {first.expected or 'empty'} now.",
        evidence,
        fix=fix,
        verify="Get-InboundConnector and Get-SendConnector show the values again; keep Export-Clixml of all four connector kinds before the next run, and choose only 'Update Secure Mail Certificate for Connectors'.",
    )


def _only_name(bundle: EvidenceBundle, property_name: str) -> str:
    """The connector that has such a property, where the evidence shows one."""
    shown = [each for each in (*bundle.inbound_connectors, *bundle.send_connectors) if each.has(property_name)]
    return shown[0].name if len(shown) == 1 and shown[0].name else "<connector>"


def _restored(name: str, property_name: str, value: str) -> Fix:
    inbound = property_name in (
        "TlsSenderCertificateName",
        "SenderIPAddresses",
        "RestrictDomainsToCertificate",
    ) or name.casefold().startswith("inbound")
    cmdlet = "Set-InboundConnector" if inbound else "Set-SendConnector"
    return Fix(
        "Exchange Online" if inbound else "Exchange",
        f"{cmdlet} -Identity {argument(name)} -{property_name} {quoted(value)}   # the value before the run",
    )


@rule("cloud-services-mail-disabled", "G11", title="CloudServicesMailEnabled is off on one side", side="sender")
def cloud_services_mail_disabled(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    header = next(
        (each for each in bundle.headers if each.name.casefold().startswith("x-crosspremisesheadersfiltered")), None
    )
    off = [
        each
        for each in (*bundle.send_connectors, *bundle.inbound_connectors, *bundle.outbound_connectors)
        if each.flag("CloudServicesMailEnabled") is False
    ]
    external = next(bundle.prose_of("marked-external"), None)
    if not (header or external) or (external and not header and not off):
        return None
    if header is None and _refusal(bundle):
        return None
    evidence = [cite(header.source, f"{header.name}: {header.value}")] if header else []
    evidence += [cite(external.source, external.quote)] if external else []
    evidence += [
        cite(each.where("CloudServicesMailEnabled"), f"'{each.name}' CloudServicesMailEnabled False")
        for each in off[:2]
    ]
    cmdlets = {
        "SendConnector": ("Exchange", "Set-SendConnector"),
        "InboundConnector": ("Exchange Online", "Set-InboundConnector"),
        "OutboundConnector": ("Exchange Online", "Set-OutboundConnector"),
    }
    fix = tuple(
        Fix(where, f"{cmdlet} -Identity {argument(each.name)} -CloudServicesMailEnabled $true")
        for each in off
        for where, cmdlet in (cmdlets[type(each).__name__],)
    )
    return found(
        "high" if off and (header or external) else "medium",
        90 if off else 72,
        "Mail is delivered but loses its cross-premises headers, so it counts as external: CloudServicesMailEnabled is off on one side. Nothing is refused.",
        evidence,
        fix=fix,
        verify="The header X-CrossPremisesHeadersFilteredBySendConnector is gone and AuthAs is Internal.",
        missing=() if off else ("Get-SendConnector and Get-InboundConnector with CloudServicesMailEnabled",),
    )


@rule(
    "treat-as-internal-conflict",
    "G12",
    title="TreatMessagesAsInternal and CloudServicesMailEnabled exclude each other",
    side="tenant",
)
def treat_as_internal_conflict(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    error = next(
        (
            each
            for each in bundle.powershell_errors
            if "treatmessagesasinternal" in (each.message + each.quote).casefold()
        ),
        None,
    )
    both = next(
        (
            each
            for each in bundle.inbound_connectors
            if each.flag("TreatMessagesAsInternal") and each.flag("CloudServicesMailEnabled")
        ),
        None,
    )
    wrong_type = next(
        (
            each
            for each in bundle.inbound_connectors
            if each.flag("TreatMessagesAsInternal") and each.connector_type == "partner"
        ),
        None,
    )
    if not (error or both or wrong_type):
        return None
    one = both or wrong_type
    evidence = [cite(error.source, error.message or error.quote)] if error else []
    evidence += (
        [cite(one.where("TreatMessagesAsInternal"), f"'{one.name}' has TreatMessagesAsInternal True")] if one else []
    )
    named = (object_of(each.command) for each in bundle.commands if "InboundConnector" in each.command)
    name = (
        one.name
        if one
        else next((each.name for each in bundle.inbound_connectors), "")
        or next((each for each in named if each), "<connector>")
    )
    return found(
        "high" if error else "medium",
        93 if error else 55,
        "TreatMessagesAsInternal is valid on OnPremises connectors only and excludes CloudServicesMailEnabled: the change was not stored.",
        evidence,
        fix=(
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity {argument(name)} -TreatMessagesAsInternal $false -CloudServicesMailEnabled $true   # for hybrid keep",
            ),
        ),
        verify="Set-InboundConnector runs without error.",
    )


@rule("connector-creation-forbidden", "G13", title="The subscription does not allow inbound connectors", side="tenant")
def connector_creation_forbidden(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:

    error = next(
        (
            each
            for each in bundle.powershell_errors
            if speaks_of(each.message + " " + each.quote, "connector-creation-forbidden.pattern")
        ),
        None,
    )
    said = next((each for each in bundle.prose if speaks_of(each.quote, "connector-creation-forbidden.pattern")), None)
    if error is None and said is None:
        return None
    evidence = [cite(error.source, error.message or error.quote)] if error else []
    evidence += [cite(said.source, said.quote)] if said else []
    return found(
        "high" if error else "medium",
        95 if error else 82,
        "The service does not let this kind of subscription create or enable inbound connectors (developer and trial offers).",
        evidence,
        fix=(
            Fix(
                "Exchange Online",
                "# use a paid Exchange Online subscription, or ask Microsoft support to enable the connector",
            ),
        ),
        verify="New-InboundConnector succeeds and the connector shows Enabled True.",
    )


@rule("portal-offers-wrong-scenario", "G14", "G03", title="The admin centre guessed the wrong scenario", side="tenant")
def portal_offers_wrong_scenario(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = sentence(bundle, "portal-offers-wrong-scenario.said")
    error = next(
        (
            each
            for each in bundle.powershell_errors
            if speaks_of(each.message + each.quote, "portal-offers-wrong-scenario.error")
        ),
        None,
    )
    if not (said or error) or any(each.connector_type == "partner" for each in bundle.inbound_connectors):
        return None
    address = next((each.text for each in egress_addresses(bundle) if each.refused), "<address>")
    return found(
        "medium",
        78,
        "The admin centre takes the address for a partner's and offers a Partner connector; relaying takes one of type OnPremises.",
        [cite(said.source, said.quote)] if said else [cite(error.source, error.message)] if error else [],
        fix=(
            Fix(
                "Exchange Online",
                f"New-InboundConnector -Name 'From our mail server' -ConnectorType OnPremises -SenderDomains * -SenderIPAddresses {argument(address)}",
            ),
        )
        if address != "<address>"
        else (),
        verify="Get-InboundConnector shows ConnectorType OnPremises.",
    )
