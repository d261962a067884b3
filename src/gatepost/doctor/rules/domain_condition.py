"""Family F: address or certificate belong to the tenant's connector, but no domain in the mail is the tenant's."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from shlex import quote as shell_quoted

from gatepost.doctor.addresses import (
    egress_addresses,
    identity_connectors,
    joined,
    lists_address,
    refused_by_attribution,
)
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, ReplySeen
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.senders import (
    SenderSeen,
    accepted_domain_keys,
    accepted_parent,
    covered_by_accepted,
    domain_of,
    domains_told,
    is_application_mailbox,
    is_local_name,
    is_own,
    is_public_mailbox_domain,
    senders,
    told_in_other_tenant,
)
from gatepost.doctor.sentences import all_of, sentence, speaks_of
from gatepost.exchange.powershell import argument, quoted
from gatepost.mail.domain import is_at_or_below


def _attr36(bundle: EvidenceBundle) -> ReplySeen | None:
    return next(
        (each for each in bundle.replies if each.attr.upper() == "ATTR36" or "ATTR36" in each.text.upper()), None
    )


def _refusal(bundle: EvidenceBundle) -> ReplySeen | None:
    return _attr36(bundle) or next((each for each in bundle.replies if refused_by_attribution(each)), None)


def _refused(bundle: EvidenceBundle) -> tuple[SenderSeen, ...]:
    return tuple(each for each in senders(bundle) if each.refused)


def _passed(bundle: EvidenceBundle) -> tuple[SenderSeen, ...]:
    return tuple(each for each in senders(bundle) if each.accepted and not each.refused)


def _address_unlisted(bundle: EvidenceBundle) -> bool:
    """The address itself explains the refusal: family E."""
    connectors = [each for each in identity_connectors(bundle.inbound_connectors) if each.addresses]
    refused = [each for each in egress_addresses(bundle) if each.refused]
    return bool(connectors and refused) and not any(
        lists_address(c, each.address) for c in connectors for each in refused
    )


def _address_listed(bundle: EvidenceBundle) -> bool:
    return any(
        lists_address(connector, each.address)
        for connector in identity_connectors(bundle.inbound_connectors)
        for each in egress_addresses(bundle)
        if each.refused
    )


def _certificate_names(bundle: EvidenceBundle) -> list[str]:
    """Names of the certificate last sent, else of one in a file."""
    for roles in (("sent",), ("file", "new", "stored", "unknown")):
        names = [name for each in bundle.certificates if each.role in roles for name in each.all_names if "." in name]
        if names:
            return list(dict.fromkeys(names))
    return []


def _uncovered_certificate_names(bundle: EvidenceBundle) -> list[str]:
    """Connector names that matched (or could) and are no accepted domain; empty while the domains are not known."""
    if not bundle.accepted_domains:
        return []
    names = [
        each.certificate_name.strip().casefold()
        for each in identity_connectors(bundle.inbound_connectors)
        if each.certificate_name.strip()
    ]
    names = names or _certificate_names(bundle)
    return [name for name in names if not name_is_accepted(bundle, name)]


def name_is_accepted(bundle: EvidenceBundle, name: str) -> bool:
    """Exchange Online's test: `*.X` needs an accepted domain at or below X, a plain name itself or its parent."""
    keys = accepted_domain_keys(bundle)
    if name.startswith("*."):
        return any(is_at_or_below(key, name[2:]) for key in keys)
    return name in keys or name.partition(".")[2] in keys or covered_by_accepted(bundle, name)


def _owner_of(name: str) -> str:
    """The domain that has to be accepted for a certificate's name to count."""
    if name.startswith("*."):
        return name[2:]
    return name.partition(".")[2] if name.count(".") > 1 else name


def _add_domain(domain: str) -> tuple[Fix, ...]:
    return (
        Fix(
            "Exchange Online",
            f"New-MgDomain -Id {argument(domain)}   # then add the TXT record it shows and verify: it is an accepted domain from then on (Get-AcceptedDomain)",
        ),
        Fix("Gatepost", f"gatepost domain add TENANT {shell_quoted(domain)}"),
    )


_CERTIFICATE_CONNECTOR = (
    Fix(
        "Exchange Online",
        "Set-InboundConnector -Identity '<connector>' -TlsSenderCertificateName '<name that is an accepted domain>' -RequireTls $true   # identify by certificate",
    ),
)


@rule(
    "certificate-and-sender-domain-not-accepted",
    "F01",
    title="Neither the certificate's domain nor the sender's is an accepted domain",
    side="tenant",
)
def certificate_and_sender_domain_not_accepted(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = _attr36(bundle)
    uncovered = _uncovered_certificate_names(bundle)
    refused = _refused(bundle)
    sent = [each for each in bundle.certificates if each.role == "sent"]
    named = [each for each in identity_connectors(bundle.inbound_connectors) if each.certificate_name.strip()]
    if bundle.accepted_domains and (sent or named) and not uncovered and _certificate_names(bundle):
        return ruled_out("the certificate's domain is an accepted domain")
    if _address_unlisted(bundle) and not (sent or named) and reply is None:
        return None
    if reply is None and not (uncovered and (sent or named) and _refusal(bundle)):
        return None
    evidence: list[Cited] = [cite(reply.source, reply.quote or reply.text)] if reply else []
    foreign = [
        each
        for each in refused
        if each.domain and bundle.accepted_domains and not covered_by_accepted(bundle, each.domain)
    ]
    own = [
        each for each in refused if each.domain and bundle.accepted_domains and covered_by_accepted(bundle, each.domain)
    ]
    if own and not reply:
        return ruled_out(f"{own[0].shown} is in an accepted domain and is refused all the same")
    names = uncovered or _certificate_names(bundle)
    evidence += [cite(each.source, f"presented {joined(each.all_names)}") for each in sent[:1]]
    evidence += [
        cite(each.where("TlsSenderCertificateName"), f"connector {each.label} goes by {each.certificate_name}")
        for each in named[:1]
    ]
    evidence += [cite(each.source, f"envelope sender {each.shown}") for each in foreign[:2]]
    if bundle.accepted_domains:
        evidence.append(
            cite(
                bundle.accepted_domains[0].source,
                f"accepted domains: {joined(sorted(accepted_domain_keys(bundle)), 6)}",
            )
        )
    if not sent and not named and not uncovered and reply and any(each.is_null or each.domain for each in refused):
        return None
    told = any(each.topic not in ("other", "since") for each in bundle.prose)
    bare = not (sent or named or uncovered or refused or bundle.accepted_domains or told)
    parent = _owner_of(names[0]) if names else ""
    proved = bool(
        uncovered and (foreign or any(each.is_null for each in refused)) and (reply or _address_listed(bundle) or sent)
    )
    return found(
        "high" if proved and reply else "low" if bare else "medium",
        90 if proved else 78 if uncovered and reply else 57 if uncovered else 46,
        f"{'The name ' + names[0] if names else 'The certificate'} is in no accepted domain of the tenant and neither is the sender: nothing in the session belongs to the tenant.",
        evidence,
        fix=_add_domain(parent)
        if uncovered and parent
        else _add_domain(foreign[0].domain)
        if foreign and not own
        else (),
        verify=f"{parent or 'The domain'} shows in Get-AcceptedDomain; after a while one test message passes.",
        missing=() if bundle.accepted_domains else ("the accepted domains: Get-AcceptedDomain",),
    )


@rule(
    "null-sender-by-address",
    "F02",
    title="Mail with a null reverse-path cannot be attributed by address",
    side="tenant",
)
def null_sender_by_address(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused, passed = _refused(bundle), _passed(bundle)
    null = next((each for each in refused if each.is_null), None)
    said = next(bundle.prose_of("only-null-sender"), None)
    others = [each for each in refused if not each.is_null]
    if null and others:
        return ruled_out(f"{others[0].shown} is refused as well as the null reverse-path")
    if said and others and not null:
        return None
    if null is None and (said is None or _refusal(bundle) is None):
        return None
    if null and any(each.is_null and each.accepted for each in passed):
        return None
    if _address_unlisted(bundle):
        return None
    connectors = identity_connectors(bundle.inbound_connectors)
    by_name = [each for each in connectors if each.certificate_name.strip()]
    uncovered = _uncovered_certificate_names(bundle)
    if by_name and bundle.accepted_domains and not uncovered and not any(each.addresses for each in connectors):
        return None
    by_address = [each for each in connectors if each.addresses]
    evidence: list[Cited] = []
    if null:
        evidence.append(cite(null.source, "MAIL FROM:<> refused"))
    evidence += [cite(each.source, f"{each.shown} from the same server passes") for each in passed if not each.is_null][
        :2
    ]
    evidence += [cite(said.source, said.quote)] if said else []
    evidence += [
        cite(each.where("SenderIPAddresses"), f"connector {each.label} identifies by address only")
        for each in by_address[:1]
        if not each.certificate_name.strip()
    ]
    evidence += [
        cite(
            each.where("TlsSenderCertificateName"),
            f"{each.certificate_name} is no accepted domain, so the sender's domain has to do",
        )
        for each in by_name[:1]
        if uncovered
    ]
    only_null = bool(null) and any(not each.is_null for each in passed)
    high = bool(null) and (bool(by_address) or bool(uncovered)) and (only_null or _address_listed(bundle))
    name = by_address[0].name if by_address else "<connector>"
    if by_name and not by_address:
        fix = _add_domain(_owner_of(by_name[0].certificate_name.strip().casefold()))
    else:
        fix = (
            Fix(
                "Exchange Online",
                f"New-InboundConnector -Name {argument(name + ' by certificate')} -ConnectorType OnPremises -SenderDomains * -TlsSenderCertificateName '<certificate name that is an accepted domain>' -RequireTls $true   # beside {quoted(name)}, which stays until the new one is seen to work",
            ),
            Fix("Gatepost", "gatepost inbound-connector add TENANT NAME --certificate-name '<name>'"),
        )
    return found(
        "high" if high else "medium",
        (93 if high else 82 if only_null else 66) if null else 45 if told_in_other_tenant(bundle) else 68,
        "Only mail with a null reverse-path (NDR, out of office, receipts, journal) is refused: it has no sender domain, so that the certificate's own domain has to be an accepted one."
        if by_name and not by_address
        else "Only mail with a null reverse-path (NDR, out of office, receipts, journal) is refused: it has no sender domain, and an address alone identifies nobody.",
        evidence,
        fix=fix if high or by_address or by_name else (),
        verify="A message with MAIL FROM:<> to an outside recipient is answered 250.",
    )


@rule("forwarded-foreign-sender", "F03", title="Forwarded mail keeps a stranger's sender", side="tenant")
def forwarded_foreign_sender(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused = [each for each in _refused(bundle) if not each.is_null]
    said = next(bundle.prose_of("only-forwarded"), None)
    foreign = [each for each in refused if each.domain and _is_foreign(bundle, each)]
    own = [each for each in refused if each.domain and not _is_foreign(bundle, each)]
    if _address_unlisted(bundle) or (_refusal(bundle) is None and not foreign):
        return None
    if refused and own:
        return (
            ruled_out(f"{own[0].shown}, a sender of the organisation's own, is refused too")
            if foreign or said
            else None
        )
    forwarded = [each for each in foreign if each.forwarded]
    if not foreign and not said:
        return None
    if foreign and not forwarded and not said and all(is_local_name(each.domain) for each in foreign):
        return None
    evidence = [
        cite(each.source, f"envelope sender {each.shown}{', recipient rewritten (orig_to)' if each.forwarded else ''}")
        for each in foreign[:3]
    ]
    evidence += [cite(said.source, said.quote)] if said else []
    passed = [each for each in _passed(bundle) if each.domain]
    evidence += [cite(each.source, f"{each.shown} passes") for each in passed[:1]]
    strong = bool(foreign and (forwarded or said))
    one_unknown = not (strong or said or _passed(bundle) or bundle.accepted_domains)
    public = any(is_public_mailbox_domain(each.domain) for each in foreign)
    return found(
        "high"
        if strong and (passed or bundle.accepted_domains)
        else "low"
        if one_unknown and not public and len({each.domain for each in foreign}) == 1
        else "medium",
        91 if strong else 72 if said else 70 if public or len({each.domain for each in foreign}) > 1 else 52,
        f"The refused mail is forwarded with its original sender ({foreign[0].shown if foreign else 'a stranger'}), whose domain is not the tenant's."
        if strong or said
        else f"The refused mail carries a stranger's envelope sender ({foreign[0].shown}), as forwarding does.",
        evidence,
        fix=(
            *_CERTIFICATE_CONNECTOR,
            Fix(
                "Exchange Online",
                "# or forward from the cloud mailbox instead of the server (Set-Mailbox -ForwardingSmtpAddress)",
            ),
            Fix(
                "Postfix",
                "# or rewrite the sender of forwarded mail (SRS, for example postsrsd) to a domain of the tenant",
            ),
        )
        if strong
        else (),
        verify="A message from outside, forwarded to outside, passes.",
    )


def _is_foreign(bundle: EvidenceBundle, sender: SenderSeen) -> bool:
    if bundle.accepted_domains:
        return (
            not covered_by_accepted(bundle, sender.domain)
            and not is_own(bundle, sender.domain)
            and not is_local_name(sender.domain)
        )
    return not is_own(bundle, sender.domain) and not is_local_name(sender.domain)


@rule(
    "application-envelope-domain",
    "F04",
    title="An application's envelope sender is in no registered domain",
    side="sender",
)
def application_envelope_domain(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused = [each for each in _refused(bundle) if not each.is_null]
    local = [each for each in refused if is_local_name(each.domain)]
    said = next(bundle.prose_of("one-application"), None)
    if not local and bundle.accepted_domains:
        local = [
            each
            for each in refused
            if is_application_mailbox(each.reverse_path)
            and not covered_by_accepted(bundle, each.domain)
            and not accepted_parent(bundle, each.domain)
        ]
    if not local or _address_unlisted(bundle):
        return None
    healthy = [
        each
        for each in refused
        if each not in local and (not bundle.accepted_domains or covered_by_accepted(bundle, each.domain))
    ]
    if healthy:
        return ruled_out(f"{healthy[0].shown} is refused as well")
    passed = [each for each in _passed(bundle) if each.domain]
    header = next(
        (
            each
            for each in bundle.headers
            if each.name.casefold() == "from" and not is_local_name(domain_of(_mailbox(each.value)))
        ),
        None,
    )
    evidence = [
        cite(each.source, f"envelope sender {each.shown}: no tenant can own {each.domain}") for each in local[:3]
    ]
    evidence += [cite(each.source, f"{each.shown} passes") for each in passed[:1]]
    evidence += (
        [cite(header.source, f"header From: {header.value} is fine, but does not count since November 2023")]
        if header
        else []
    )
    evidence += [cite(said.source, said.quote)] if said else []
    high = bool(passed or header or bundle.accepted_domains or _attr36(bundle) or _address_listed(bundle))
    target = next(
        (each.domain for each in passed),
        next(iter(sorted(key for key in accepted_domain_keys(bundle) if "onmicrosoft" not in key)), ""),
    )
    target = target or (domain_of(_mailbox(header.value)) if header else "")
    fix: tuple[Fix, ...] = (
        Fix("application", "set the envelope sender (Return-Path, sendmail -f) to an address in <accepted domain>"),
    )
    if target:
        old = local[0].domain
        pattern = old.replace(".", r"\.")
        fix = (
            Fix(
                "Postfix",
                f"echo {shell_quoted(f'/^(.*)@{pattern}$/ $1@{target}')} >> /etc/postfix/sender_canonical && postconf -e sender_canonical_maps=regexp:/etc/postfix/sender_canonical sender_canonical_classes=envelope_sender && postfix reload",
            ),
            Fix("Exim", f"# in the rewrite section: *@{old}  $1@{target}  F"),
            Fix("application", f"set the envelope sender (Return-Path, sendmail -f) to an address @{target}"),
        )
    return found(
        "high" if high else "medium",
        92 if high and is_local_name(local[0].domain) else 80 if high else 76,
        f"The application sends with the envelope sender {local[0].shown}; {local[0].domain} is not the tenant's and never can be."
        if is_local_name(local[0].domain)
        else f"The application sends with the envelope sender {local[0].shown}, whose domain is not the tenant's.",
        evidence,
        fix=fix,
        verify="The next MAIL FROM in the log carries an accepted domain and passes.",
    )


def _mailbox(value: str) -> str:
    match = speaks_of(value, "domain-condition-mailbox.match")
    return match[0] if match else ""


@rule("sender-domain-not-accepted", "F05", title="The sender's domain was never added to the tenant", side="tenant")
def sender_domain_not_accepted(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused = [each for each in _refused(bundle) if each.domain]
    said = next(bundle.prose_of("only-one-domain"), None)
    if _address_unlisted(bundle) or _refusal(bundle) is None:
        return None
    if bundle.accepted_domains:
        missing = [
            each for each in refused if not covered_by_accepted(bundle, each.domain) and not is_local_name(each.domain)
        ]
        covered = [each for each in refused if covered_by_accepted(bundle, each.domain)]
        if covered:
            return ruled_out(f"{covered[0].shown} is in an accepted domain and refused all the same")
    else:
        passing = {each.domain for each in _passed(bundle)}
        missing = (
            [each for each in refused if not is_local_name(each.domain) and each.domain not in passing]
            if passing or said
            else []
        )
    missing = [each for each in missing if not is_public_mailbox_domain(each.domain) and not each.forwarded]
    domains = list(dict.fromkeys(each.domain for each in missing))
    if not domains and not refused:
        return _domain_told(bundle)
    if not domains and not bundle.accepted_domains and _address_listed(bundle) and not _passed(bundle):
        return found(
            "low",
            53,
            f"The address is listed and the session was refused all the same; then the sender's domain ({refused[0].domain}) has to be an accepted domain.",
            [cite(refused[0].source, f"envelope sender {refused[0].shown} refused")],
            verify=f"Get-AcceptedDomain lists {refused[0].domain}.",
            missing=("the accepted domains: Get-AcceptedDomain",),
        )
    if not domains or (len(domains) > 3 and not any(accepted_parent(bundle, each) for each in domains)):
        return None
    if next(bundle.prose_of("only-forwarded", "removed-domain"), None):
        return None
    parent = accepted_parent(bundle, domains[0])
    passed = [each for each in _passed(bundle) if each.domain]
    evidence = [cite(each.source, f"envelope sender {each.shown} refused") for each in missing[:3]]
    evidence += [cite(each.source, f"{each.shown} passes") for each in passed[:1]]
    if bundle.accepted_domains:
        evidence.append(
            cite(
                bundle.accepted_domains[0].source,
                f"accepted domains: {joined(sorted(accepted_domain_keys(bundle)), 6)}",
            )
        )
    evidence += [cite(said.source, said.quote)] if said else []
    listed = _address_listed(bundle) or bool(passed)
    high = bool(bundle.accepted_domains) and listed and bool(parent or said)
    related = bool(parent or said or passed)
    summary = f"{domains[0]} is not an accepted domain of the tenant" + (
        f"; {parent} is, but without its sub-domains." if parent else ", so mail from it is not recognised."
    )
    fix = list(_add_domain(domains[0]))
    if parent:
        fix.append(
            Fix(
                "Exchange Online",
                f"Set-AcceptedDomain -Identity {argument(parent)} -DomainType InternalRelay; Set-AcceptedDomain -Identity {argument(parent)} -MatchSubDomains $true   # or, if every sub-domain is yours",
            )
        )
    return found(
        "high" if high and related else "medium",
        90
        if high and related
        else 74
        if bundle.accepted_domains and related
        else 62
        if bundle.accepted_domains
        else 55,
        summary,
        evidence,
        fix=tuple(fix) if bundle.accepted_domains and related else (),
        verify=f"{domains[0]} shows in Get-AcceptedDomain and a message from it passes.",
        missing=() if bundle.accepted_domains else ("the accepted domains: Get-AcceptedDomain",),
    )


def _domain_told(bundle: EvidenceBundle) -> Finding | None:
    """By people's words, one sender domain is refused, and the list of accepted domains does not have it."""
    told = domains_told(bundle)
    missing = [each for each in told if bundle.accepted_domains and not covered_by_accepted(bundle, each)]
    if not missing or any(covered_by_accepted(bundle, each) for each in told):
        return None
    domain = missing[0]
    listed = joined(sorted(accepted_domain_keys(bundle)), 6)
    return found(
        "medium",
        79,
        f"{domain} is not an accepted domain of the tenant, and its mail is what is refused.",
        [cite(told[domain]), cite(bundle.accepted_domains[0].source, f"accepted domains: {listed}")],
        fix=_add_domain(domain),
        verify=f"{domain} shows in Get-AcceptedDomain and a message from it passes.",
        missing=("a log of one refused message: MAIL FROM",),
    )


@rule(
    "accepted-domain-removed", "F06", title="An accepted domain was removed or moved to another tenant", side="tenant"
)
def accepted_domain_removed(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = next(bundle.prose_of("removed-domain"), None)
    command = next(
        (each for each in bundle.commands if speaks_of(each.command, "accepted-domain-removed.command")),
        None,
    )
    if not (said or command) or _refusal(bundle) is None:
        return None
    text = f"{said.quote if said else ''} {command.command if command else ''}"
    removed = [name for name in all_of(text.casefold(), "domain-condition.name") if not name.endswith((".exe", ".log"))]
    still = [name for name in removed if covered_by_accepted(bundle, name)]
    gone = [name for name in removed if name not in still]
    if removed and not gone and bundle.accepted_domains:
        return ruled_out(f"{still[0]} is an accepted domain (again)")
    used = [
        each
        for each in gone
        if any(
            is_at_or_below(name.removeprefix("*."), each)
            for name in (
                *_certificate_names(bundle),
                *(c.certificate_name.casefold() for c in bundle.inbound_connectors),
                *(s.domain for s in senders(bundle)),
                *(n.value.casefold() for n in bundle.names if n.kind == "domain"),
            )
            if name
        )
    ]
    reply = _refusal(bundle)
    evidence = [cite(each.source, each.quote or getattr(each, "command", "")) for each in (said, command) if each]
    evidence += [cite(reply.source, reply.quote or reply.text)] if reply else []
    if bundle.accepted_domains and gone:
        evidence.append(cite(bundle.accepted_domains[0].source, f"{gone[0]} is not among the accepted domains"))
    proved = bool(used and (bundle.accepted_domains or command))
    return found(
        "high" if proved and bundle.accepted_domains and command and _attr36(bundle) and senders(bundle) else "medium",
        92 if proved else 78,
        f"{gone[0] if gone else 'The domain'} was taken out of the tenant, and the sender still identifies by it.",
        evidence,
        fix=(
            *_add_domain(gone[0]),
            Fix("Exchange", "# or present a certificate with a name in a remaining domain and set the connector to it"),
        )
        if proved
        else (),
        verify="Get-AcceptedDomain lists the domain again; the audit log shows when it was removed (Search-UnifiedAuditLog -Operations 'Remove-AcceptedDomain').",
    )


@rule(
    "foreign-domain-expected-to-relay",
    "F07",
    title="A certificate does not make another organisation's domain yours",
    side="none",
)
def foreign_domain_expected_to_relay(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    expectation = sentence(bundle, "foreign-domain-expected-to-relay.expectation")
    not_ours = sentence(bundle, "foreign-domain-expected-to-relay.not-ours")
    reply = _refusal(bundle)
    if expectation is None or not_ours is None or reply is None:
        return None
    return found(
        "medium",
        88,
        "A certificate covers mail of your own tenant; mail from a domain of no tenant or another tenant is not relayed for a certificate bought for it unless the certificate's own domain is accepted.",
        [cite(expectation.source, expectation.quote)]
        + ([cite(not_ours.source, not_ours.quote)] if not_ours is not expectation else [])
        + [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "Exchange Online",
                "# use a certificate whose name is an accepted domain of your own tenant; or have the domain's owner relay (or authenticate) that mail",
            ),
        ),
        verify="The certificate's parent domain shows in Get-AcceptedDomain.",
    )


@rule(
    "recipients-of-several-tenants",
    "F08",
    title="Recipients of several domains in one unattributed session",
    side="tenant",
)
def recipients_of_several_tenants(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    reply = next(
        (
            each
            for each in bundle.replies
            if "ATTR46" in (each.attr + each.text).upper()
            or "recipients must be on the same domain" in each.text.casefold()
        ),
        None,
    )
    if reply is None:
        return None
    return found(
        "high",
        96,
        "The session was tied to no connector, and its recipients are in several domains: without attribution the service takes one domain a transaction.",
        [cite(reply.source, reply.quote or reply.text)],
        fix=(
            Fix(
                "Exchange Online",
                "# make the connector match again (certificate name or address); that lifts the limit",
            ),
            Fix(
                "Postfix",
                "postconf -e default_destination_recipient_limit=1 && postfix reload   # a stopgap; better for this transport only",
            ),
        ),
        verify="A message to recipients of two domains passes.",
    )
