"""Family A: the certificate is presented and trusted, but its names are not what the connector says."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from collections.abc import Iterable
from shlex import quote as shell_quoted

from gatepost.doctor.certificates_told import (
    is_appliance_default,
    is_internal_name,
    is_public,
    is_self_signed,
    matches,
    names_of,
    normalized_name,
    of_one_organisation,
    parent,
    satisfies,
    shown,
)
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle, ProseFact
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.senders import told_in_other_tenant
from gatepost.doctor.sentences import all_of, speaks_of
from gatepost.exchange.objects import InboundConnector
from gatepost.exchange.powershell import argument, quoted
from gatepost.tenancy.names import lies_deeper

_VERIFY = (
    "Send one message to an outside address: the session's log shows the certificate and RCPT TO is answered 250 2.1.5."
)


def _set_name(connector: InboundConnector, name: str) -> tuple[Fix, ...]:
    own = connector.name
    return (
        Fix(
            "Exchange Online",
            f"Set-InboundConnector -Identity {argument(own or '<connector>')} -TlsSenderCertificateName {argument(name)}",
        ),
        Fix(
            "Gatepost",
            f"gatepost inbound-connector set TENANT {shell_quoted(own or 'NAME')} --add-certificate-name {shell_quoted(name)}",
        ),
    )


def _says_name(connector: InboundConnector) -> Cited:
    return cite(
        connector.where("TlsSenderCertificateName"),
        f"connector {connector.label} expects the certificate name '{connector.certificate_name}'",
    )


def _shows(certificate: CertificateSeen) -> Cited:
    names = ", ".join(names_of(certificate)[:4])
    return cite(
        certificate.source,
        f"{'the session presents' if certificate.role == 'sent' else 'the certificate carries'} {names or 'no name'}",
    )


def _refusal(facts: Derived) -> list[Cited]:
    return [cite(each) for each in facts.no_tenant_found[:1]]


def _failing(
    facts: Derived, connectors: Iterable[InboundConnector], certificate: CertificateSeen
) -> list[InboundConnector]:
    """The connectors whose name, read as it was meant, the certificate does not satisfy; empty when any is satisfied."""
    all_of_them = list(connectors)
    if any(satisfies(certificate, normalized_name(each.certificate_name)) for each in all_of_them):
        return []
    return all_of_them


def _the_one(facts: Derived, failing: list[InboundConnector], certificate: CertificateSeen) -> InboundConnector:
    """The connector that is meant: the one the old certificate satisfied, else one of the same organisation."""
    if facts.renewal:
        for each in failing:
            if satisfies(facts.renewal.old, normalized_name(each.certificate_name)):
                return each
    for each in failing:
        expected = normalized_name(each.certificate_name)
        if any(of_one_organisation(name, expected) for name in names_of(certificate)):
            return each
    return failing[0]


def _deep(certificate: CertificateSeen, connectors: Iterable[InboundConnector]) -> bool:
    names = names_of(certificate)
    patterns = [normalized_name(each.certificate_name) for each in connectors]
    return any(lies_deeper(name, pattern) for name in names for pattern in patterns)


def _new_name(certificate: CertificateSeen) -> str:
    """The name to put into the connector: the common name where it is public, else the first alternate name."""
    names = names_of(certificate)
    common = certificate.subject.common_name.casefold() if certificate.subject else ""
    return common or (names[0] if names else "")


def _is_wrong_kind(certificate: CertificateSeen) -> bool:
    """Not the certificate anybody means to present: self-signed, an inside name, a device's default."""
    names = names_of(certificate)
    return bool(names) and (
        is_appliance_default(certificate)
        or is_self_signed(certificate)
        or all(is_internal_name(name) for name in names)
    )


@rule("renewed-certificate-other-name", "A01", title="The renewed certificate carries another name", side="tenant")
def renewed_certificate_other_name(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    certificate = facts.presented
    if facts.certificate_withheld:
        return None
    said = facts.renewal_told
    if bundle.inbound_connectors and not facts.naming_connectors:
        by_address = next((each for each in bundle.inbound_connectors if each.addresses), None)
        return ruled_out("the connector goes by address, not by a certificate's name") if by_address else None
    if certificate is None:
        if facts.no_tenant_found and (mismatch := _told_mismatch(bundle)):
            return found(
                "medium",
                79,
                f"By what is said, the certificate carries {mismatch[0]} and the connector expects {mismatch[1]}: the names do not match.",
                [*mismatch[2], *_refusal(facts)],
                fix=[
                    Fix(
                        "Exchange Online",
                        f"Get-InboundConnector | Where-Object TlsSenderCertificateName -eq {quoted(mismatch[1])} | "
                        f"Set-InboundConnector -TlsSenderCertificateName {argument(mismatch[0])}",
                    )
                ],
                verify=_VERIFY,
                missing=("one refused session's log: which certificate is presented",),
                catalogue=() if said else ("A02", "A01"),
            )
        network = any(bundle.prose_of("changed-network"))
        if facts.no_tenant_found and said and not facts.tls_failures and not network:
            return found(
                "low",
                42,
                "It began with a certificate renewal: most often the new one carries a name the connector does not have.",
                [*_refusal(facts), cite(said)],
                missing=("the new certificate's names and the connector's TlsSenderCertificateName",),
            )
        return None
    if facts.naming_connectors:
        return _against_connector(bundle, facts, certificate)
    if facts.sent_when_refused and facts.matching_connector:
        return ruled_out("the presented name is the one the connector has", _shows(certificate))
    return _without_connector(bundle, facts, certificate)


def _against_connector(
    bundle: EvidenceBundle, facts: Derived, certificate: CertificateSeen
) -> Finding | RuledOut | None:
    failing = _failing(facts, facts.naming_connectors, certificate)
    if not failing:
        return ruled_out("the certificate's names satisfy the connector's name", _shows(certificate))
    if not names_of(certificate) or _deep(certificate, failing) or _is_wrong_kind(certificate):
        return None
    connector = _the_one(facts, failing, certificate)
    expected = normalized_name(connector.certificate_name)
    renewed_from = facts.renewal.old if facts.renewal and satisfies(facts.renewal.old, expected) else None
    said = facts.renewal_told
    if not (renewed_from or said or facts.fresh or facts.renewed_lately):
        return None
    evidence = [_shows(certificate), _says_name(connector), *_refusal(facts)]
    if renewed_from:
        evidence.append(
            cite(renewed_from.source, f"the certificate before it carried {', '.join(names_of(renewed_from)[:3])}")
        )
    if said:
        evidence.append(cite(said))
    logged = certificate.role == "sent" and bool(facts.attribution_refusals)
    sure = (logged and not certificate.names_truncated) or (
        renewed_from is not None and bool(facts.attribution_refusals)
    )
    name = _new_name(certificate)
    return found(
        "high" if sure else "medium",
        92 if renewed_from and logged else 88 if sure else 74,
        f"The certificate presented now carries {name}, but connector {connector.label} still expects {connector.certificate_name.strip()}.",
        evidence,
        fix=[
            *_set_name(connector, name),
            Fix("PKI", f"or have the certificate reissued with {expected} among its names"),
        ],
        verify=_VERIFY,
        missing=() if sure else ("one refused session's log: which certificate is presented",),
        catalogue=()
        if renewed_from
        else ("A01", "A02"),  # without the old certificate the two look alike, and are mended alike
    )


def _without_connector(
    bundle: EvidenceBundle, facts: Derived, certificate: CertificateSeen
) -> Finding | RuledOut | None:
    if facts.renewal and set(names_of(facts.renewal.old)) == set(names_of(facts.renewal.new)) != set():
        return ruled_out("the old and the new certificate carry the same names", _shows(facts.renewal.new))
    if not facts.no_tenant_found or _is_wrong_kind(certificate) or not names_of(certificate):
        return None
    if facts.renewal and certificate in (facts.renewal.new, facts.sent_when_refused):
        before, after = set(names_of(facts.renewal.old)), set(names_of(facts.renewal.new))
        other_subject = (
            facts.renewal.old.subject
            and facts.renewal.new.subject
            and (facts.renewal.old.subject.common_name.casefold() != facts.renewal.new.subject.common_name.casefold())
        )
        if before - after or other_subject:
            return found(
                "medium",
                78,
                f"The certificate was replaced and its name changed from {shown(facts.renewal.old)} to {shown(facts.renewal.new)}; "
                "a connector that goes by the old name no longer recognises you.",
                [_shows(facts.renewal.old), _shows(facts.renewal.new), *_refusal(facts)],
                fix=[
                    Fix(
                        "Exchange Online",
                        f"Get-InboundConnector | Where-Object TlsSenderCertificateName -eq {quoted(shown(facts.renewal.old))} | "
                        f"Set-InboundConnector -TlsSenderCertificateName {argument(shown(facts.renewal.new))}",
                    )
                ],
                verify=_VERIFY,
                missing=("the tenant's connector: Get-InboundConnector | Format-List Name,TlsSenderCertificateName",),
            )
        return ruled_out("the old and the new certificate carry the same names", _shows(facts.renewal.new))
    told = _told_name(bundle, names_of(certificate))
    said = facts.renewal_told
    if told and said:
        return found(
            "medium",
            76,
            f"The certificate presented carries {shown(certificate)}; by what is said, the connector expects {told[0]}.",
            [_shows(certificate), told[1], cite(said), *_refusal(facts)],
            fix=[
                Fix(
                    "Exchange Online",
                    f"Set-InboundConnector -Identity '<connector>' -TlsSenderCertificateName {argument(_new_name(certificate))}",
                )
            ],
            verify=_VERIFY,
        )
    if said or facts.fresh:
        evidence = [_shows(certificate), *_refusal(facts), *([cite(said)] if said else [])]
        return found(
            "medium" if certificate.role == "sent" else "low",
            56,
            f"Since a renewal the certificate presented is {shown(certificate)}; if its name differs from the connector's, that is the cause.",
            evidence,
            missing=(
                "the tenant's connector: Get-InboundConnector | Format-List Name,Enabled,TlsSenderCertificateName",
            ),
        )
    return None


def _told_mismatch(bundle: EvidenceBundle) -> tuple[str, str, tuple[Cited, ...]] | None:
    """In one person's words: the certificate's name, the connector's, and the sentences, where they do not match."""
    expected = presented = None
    for each in bundle.prose:
        here = speaks_of(each.quote, "certificate-identity.connector-said")
        there = speaks_of(each.quote, "certificate-identity.certificate-said")
        if here and expected is None:
            expected = ((here[1] or here[2]).casefold(), each)
        if there and presented is None:
            presented = (there[1].casefold(), each)
    if not expected or not presented or matches(presented[0], expected[0]) or presented[0] == expected[0]:
        return None
    return presented[0], expected[0], (cite(presented[1]), cite(expected[1]))


def _told_name(bundle: EvidenceBundle, names: tuple[str, ...]) -> tuple[str, Cited] | None:
    """A name that people's words give the connector and the certificate does not carry."""
    for each in bundle.prose:
        if speaks_of(each.quote, "certificate-identity-told-name.shown"):
            for name in all_of(each.quote, "certificate-identity.name"):
                if "@" not in name and not any(matches(own, name.casefold()) for own in names):
                    return name.casefold(), cite(each)
    return None


@rule(
    "connector-name-not-in-certificate",
    "A02",
    "A01",
    title="The connector has a name the certificate never carried",
    side="tenant",
)
def connector_name_not_in_certificate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    certificate = facts.presented
    if certificate is None or facts.certificate_withheld or not names_of(certificate):
        return None
    failing = _failing(facts, facts.naming_connectors, certificate)
    if not failing or _deep(certificate, failing) or _is_wrong_kind(certificate):
        return None
    connector = _the_one(facts, failing, certificate)
    expected = normalized_name(connector.certificate_name)
    if not any(of_one_organisation(name, expected) for name in names_of(certificate)):
        return None
    if facts.renewal and satisfies(facts.renewal.old, expected):
        return None
    logged = certificate.role == "sent" and bool(facts.attribution_refusals)
    wildcard = any(matches(expected, name) for name in names_of(certificate) if name.startswith("*."))
    complete = not certificate.names_truncated
    renewed = facts.renewal_told is not None or facts.fresh is not None
    name = _new_name(certificate)
    return found(
        "high" if logged and complete and not wildcard and not renewed else "medium",
        86 if logged and not renewed else 68,
        f"Connector {connector.label} expects {connector.certificate_name.strip()}, which is not among the certificate's names "
        f"({', '.join(names_of(certificate)[:4])})."
        + (" A wildcard certificate does not surely satisfy an exact name." if wildcard else ""),
        [_shows(certificate), _says_name(connector), *_refusal(facts)],
        fix=[
            *_set_name(connector, f"*.{parent(expected)}" if wildcard else name),
            Fix("PKI", f"or a certificate that has {expected} among its names"),
        ],
        verify=_VERIFY,
    )


@rule("name-deeper-than-wildcard", "A03", title="The name lies two labels below the wildcard", side="tenant")
def name_deeper_than_wildcard(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    certificate = facts.presented
    if certificate is None or facts.certificate_withheld:
        return None
    failing = _failing(facts, facts.naming_connectors, certificate)
    for connector in failing:
        pattern = normalized_name(connector.certificate_name)
        for name in names_of(certificate):
            if lies_deeper(name, pattern):
                domain = name.partition(".")[2]
                return found(
                    "medium",
                    89,
                    f"The certificate's {name} lies more than one label below {connector.certificate_name.strip()}; a wildcard is only sure to "
                    "cover one label.",
                    [_shows(certificate), _says_name(connector), *_refusal(facts)],
                    fix=[
                        *_set_name(connector, f"*.{domain}"),
                        Fix(
                            "Exchange Online",
                            f"New-MgDomain -Id {argument(domain)}   # then add the TXT record it shows and verify: it is an accepted domain from then on",
                        ),
                    ],
                    verify=f"Get-AcceptedDomain lists {domain}; a test message is relayed.",
                )
    return None


@rule("connector-name-misspelt", "A04", title="The connector's name has a stray character", side="tenant")
def connector_name_misspelt(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    certificate = facts.presented
    for connector in facts.naming_connectors:
        written = connector.certificate_name_as_written
        meant = normalized_name(written)
        if not meant or written.casefold() == meant or meant.startswith("<i>"):
            continue
        if connector.truncated("TlsSenderCertificateName") or written.rstrip().endswith(("...", "\u2026")):
            continue  # the console cut it
        if certificate is not None and not satisfies(certificate, meant):
            continue
        sure = certificate is not None and bool(facts.attribution_refusals)
        return found(
            "high" if sure else "medium",
            93 if sure else 80,
            f"Connector {connector.label} has {written!r} as certificate name; what is meant is {meant}, and the two are not the same text.",
            [
                cite(
                    connector.where("TlsSenderCertificateName"),
                    f"TlsSenderCertificateName is {written!r}, {_stray(written)}",
                )
            ]
            + ([_shows(certificate)] if certificate else [])
            + _refusal(facts),
            fix=_set_name(connector, meant),
            verify="Get-InboundConnector | ForEach-Object { '[' + $_.TlsSenderCertificateName + ']' } shows the name alone between the brackets.",
        )
    return None


def _stray(written: str) -> str:
    if not written.isascii():
        return "with characters outside ASCII: the certificate has the A-label form"
    if written != written.strip():
        return "with a blank at its edge"
    if written.strip().endswith("."):
        return "with a dot at its end"
    if "=" in written:
        return "with CN= before it"
    return (
        "with quotation marks"
        if speaks_of(written, "certificate-identity-stray.shown")
        else "with a character too many"
    )


def _request_with_common_name(certificate: CertificateSeen) -> str:
    name = next(iter(names_of(certificate)), "<name on the certificate>")
    subject, alternative = shell_quoted(f"/CN={name}"), shell_quoted(f"subjectAltName=DNS:{name}")
    request = f"openssl req -new -key relay.key -subj {subject} -addext {alternative} -out relay.csr"
    return f"{request} && certbot certonly --csr relay.csr"


@rule("certificate-without-subject", "A05", title="The certificate has an empty subject", side="pki")
def certificate_without_subject(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    for each in (facts.presented, *(facts.leaves)):
        if each is None or each.subject is None or each.subject.common_name or each.role in ("old", "remote"):
            continue
        if each.subject.attributes or not (each.names or "subject" in each.quote.casefold()):
            continue
        empty_tag = next(
            (
                c
                for c in bundle.send_connectors
                if speaks_of(c.certificate_name, "certificate-without-subject.empty-tag")
            ),
            None,
        )
        refused = bool(facts.attribution_refusals or facts.failed_relay)
        renewed_with_subject = facts.renewal is not None and bool(
            facts.renewal.old.subject and facts.renewal.old.subject.common_name
        )
        evidence = [cite(each, "subject is empty, names only as alternate names: " + ", ".join(each.names[:3]))]
        evidence += (
            [cite(empty_tag.where("TlsCertificateName"), "TlsCertificateName ends with an empty <S>")]
            if empty_tag
            else []
        )
        evidence += _refusal(facts)
        return found(
            "medium",
            87 if renewed_with_subject or empty_tag else 82 if refused else 70,
            "The certificate has no subject, only alternate names: software that compares the common name finds nothing to compare.",
            evidence,
            fix=[
                Fix(
                    "PKI",
                    "certbot renew --force-renewal --preferred-profile classic   # a profile that sets the common name",
                ),
                Fix(
                    "PKI",
                    f"{_request_with_common_name(each)}   # of an own authority: a request with the CN (and O, where the other side compares the whole subject), or its template set to put the first name into the CN; then reload the mail program",
                ),
                Fix("Gatepost", "# nothing to do: Gatepost matches alternate names first"),
            ],
            verify="openssl x509 -noout -subject -ext subjectAltName -in CERT prints a CN after subject=.",
        )
    return None


@rule("wrong-certificate-presented", "A06", "B03", title="A default or foreign certificate is presented", side="sender")
def wrong_certificate_presented(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    certificate = facts.sent_when_refused or (facts.presented if facts.attribution_refusals else None)
    if facts.goes_by_address or certificate is None or not (names_of(certificate) or certificate.subject):
        return None
    if certificate.role == "stored" and not bundle.send_connectors:
        return None  # that it is stored somewhere does not show that it was presented
    names = names_of(certificate)
    expected = facts.expected_names
    if any(satisfies(certificate, each) for each in expected):
        return None
    default = is_appliance_default(certificate)
    foreign = (
        bool(expected) and names and not any(of_one_organisation(name, each) for name in names for each in expected)
    )
    inside = bool(names) and all(is_internal_name(name) for name in names)
    if not (default or (foreign and not facts.renewed_lately) or inside):
        return None
    other = next(
        (each for each in facts.stored if is_public(each) and any(satisfies(each, pattern) for pattern in expected)),
        None,
    )
    evidence = [_shows(certificate), *[_says_name(each) for each in facts.naming_connectors[:1]], *_refusal(facts)]
    fixes = []
    if other and other.thumbprint:
        fixes.append(
            Fix(
                "Exchange",
                f"$cert = Get-ExchangeCertificate -Thumbprint {argument(other.thumbprint)}; Get-SendConnector | Where-Object CloudServicesMailEnabled | "
                'Set-SendConnector -TlsCertificateName "<I>$($cert.Issuer)<S>$($cert.Subject)"',
            )
        )
    fixes.append(
        Fix(
            "Postfix",
            "postconf -e 'smtp_tls_chain_files = /etc/ssl/relay/key-and-chain.pem' && postfix reload   # key, public certificate, intermediates; better with -o on this transport only",
        )
    )
    return found(
        "high" if default and expected and certificate.role == "sent" else "medium",
        86 if default else 78,
        f"The session presents {shown(certificate)}, "
        + (
            "a device's or program's default certificate"
            if default
            else "a certificate that is not the one the connector knows"
        )
        + ".",
        evidence,
        fix=fixes,
        verify="The next session's log shows the intended certificate.",
    )


@rule(
    "provider-shares-one-certificate",
    "A07",
    "G07",
    title="A provider presents one certificate for all its customers",
    side="tenant",
)
def provider_shares_one_certificate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = next((each for each in bundle.prose if speaks_of(each.quote, "certificate-identity.provider")), None)
    certificate = facts.presented
    organizations = {each.text("OrganizationId", "Tenant", "Organization") for each in facts.naming_connectors}
    names: dict[str, list[InboundConnector]] = {}
    for each in facts.naming_connectors:
        names.setdefault(normalized_name(each.certificate_name), []).append(each)
    shared = next(
        ((name, those) for name, those in names.items() if len(those) > 1 and len(organizations - {""}) > 1), None
    )
    if shared:
        return found(
            "medium",
            90,
            f"The connectors of several tenants all expect {shared[0]}: one certificate cannot tell one customer from another.",
            [_says_name(each) for each in shared[1][:3]],
            fix=[
                Fix(
                    "Gatepost",
                    f"gatepost inbound-connector add TENANT NAME --certificate-name {shell_quoted('<tenant>.' + parent(shared[0]))}",
                )
            ],
            verify="Each tenant's connector has a name of its own, which is an accepted domain there.",
        )
    if said and certificate is None:
        return _shared_by_words(bundle, facts, said)
    if not said or certificate is None or not names_of(certificate):
        return None
    tenants_expected = [each for each in facts.expected_names if not satisfies(certificate, each)]
    foreign = tenants_expected and not any(
        of_one_organisation(name, tenants_expected[0]) for name in names_of(certificate)
    )
    if not foreign and not speaks_of(said.quote, "provider-shares-one-certificate.shown"):
        return None
    return found(
        "medium",
        84,
        f"A provider sends for several customers with one certificate ({shown(certificate)}); a customer's connector needs a name of its own.",
        [
            _shows(certificate),
            cite(said),
            *[_says_name(each) for each in facts.naming_connectors[:1]],
            *_refusal(facts),
        ],
        fix=[
            Fix(
                "PKI",
                f"the provider: one name per customer, as <tenant-id>.{parent(names_of(certificate)[0])}; the customer adds it as accepted domain",
            )
        ],
        verify="The customer's connector expects the name made for it, and a test message is relayed.",
    )


def _shared_by_words(bundle: EvidenceBundle, facts: Derived, said: ProseFact) -> Finding | None:
    """Somebody's word that several customers' tenants go by one certificate, and mail lands in the wrong one."""
    everybody = speaks_of(said.quote, "certificate-identity-shared-by-words.everybody")
    other = told_in_other_tenant(bundle)
    if not everybody or not (other or facts.attribution_refusals):
        return None
    return found(
        "medium",
        84 if other else 62,
        "By what is said, one certificate is presented for several customers: it cannot tell one tenant from another.",
        [cite(said), *([cite(other)] if other else []), *_refusal(facts)],
        fix=[
            Fix("PKI", "the provider: one certificate name per customer, which the customer adds as accepted domain"),
            Fix(
                "Exchange Online",
                "# then, in each tenant: Set-InboundConnector -Identity '<connector>' -TlsSenderCertificateName '<name of this tenant>'",
            ),
        ],
        verify="Each tenant's connector has a name of its own, and its message trace shows its own mail only.",
        missing=("Get-InboundConnector of both tenants",),
    )


@rule(
    "provider-changed-its-certificate-name",
    "A08",
    "A01",
    title="The provider changed the name of its certificate unannounced",
    side="sender",
)
def provider_changed_its_certificate_name(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "provider-changed-its-certificate-name.said")
            and speaks_of(each.quote, "provider-changed-its-certificate-name.said-2")
        ),
        None,
    )
    if said is None:
        return None
    certificate = facts.presented
    return found(
        "medium",
        85,
        "The provider changed, or does not publish, the name its outgoing sessions present, so no connector can be kept right.",
        [cite(said), *([_shows(certificate)] if certificate else []), *_refusal(facts)],
        fix=[
            Fix(
                "network",
                "ask the provider for the published certificate name and its rotation dates; until then identify it by its addresses",
            )
        ],
        verify="The provider's page names the subject; the connector expects it.",
    )
