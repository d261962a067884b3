"""Family B: the sender selects the wrong certificate, or none, or cannot use the one it selects."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from shlex import quote as shell_quoted

from gatepost.doctor.certificates_told import (
    at,
    is_internal_name,
    is_public,
    is_self_signed,
    names_of,
    same_certificate,
    satisfies,
    shown,
)
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import CertificateSeen, EventLogEntry, EvidenceBundle, TlsSeen
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.path.software import programs_of
from gatepost.doctor.sentences import all_of, sentence, speaks_of
from gatepost.exchange.objects import SendConnector
from gatepost.exchange.powershell import argument, quoted

_RESTART = Fix("Exchange", "Restart-Service MSExchangeTransport; Restart-Service MSExchangeFrontEndTransport")
_VERIFY_SENT = (
    "The next session's log shows the intended thumbprint after 'Sending certificate', and RCPT TO is answered 250."
)


def _connector_name(bundle: EvidenceBundle) -> str:
    """The send connector the evidence is about."""
    relaying = [each for each in bundle.send_connectors if _is_to_cloud(each)]
    if relaying:
        return relaying[0].name
    if bundle.send_connectors and bundle.send_connectors[0].name:
        return bundle.send_connectors[0].name
    for event in bundle.events:
        if event.event_id == 12014 and (told := speaks_of(event.message, "certificate-selection.connector-in-event")):
            return told[1].strip()
    named = [each.connector for each in bundle.tls if each.connector]
    named += [each.connector for each in bundle.sessions if each.connector]
    return named[0] if named else "<connector>"


def _is_to_cloud(connector: SendConnector) -> bool:
    texts = (*connector.smart_hosts, connector.text("TlsDomain"))
    return bool(connector.flag("CloudServicesMailEnabled")) or any(
        "protection.outlook" in each.casefold() for each in texts
    )


def _set_name(bundle: EvidenceBundle, certificate: CertificateSeen | None) -> Fix:
    nameless = next(
        (each for each in bundle.certificates if each.subject is not None and not each.subject.attributes), None
    )
    if certificate is None and nameless is not None and nameless.all_names:
        return Fix(
            "certificate authority",
            f"Order {nameless.all_names[0]} with a profile that sets the common name (Let's Encrypt: classic): TlsCertificateName "
            f"cannot name a certificate with an empty subject; then set the connector's Fqdn to {nameless.all_names[0]}",
        )
    thumbprint = (
        certificate.thumbprint if certificate and certificate.thumbprint else "<thumbprint of the new certificate>"
    )
    return Fix(
        "Exchange",
        f"$cert = Get-ExchangeCertificate -Thumbprint {argument(thumbprint)}; Set-SendConnector -Identity {argument(_connector_name(bundle))} "
        '-TlsCertificateName "<I>$($cert.Issuer)<S>$($cert.Subject)"',
    )


def _shows(certificate: CertificateSeen) -> Cited:
    if certificate.role == "sent":
        return cite(
            certificate.source,
            f"the session presents {shown(certificate)}"
            + (f", {certificate.thumbprint}" if certificate.thumbprint else ""),
        )
    return cite(
        certificate.source,
        f"{certificate.role}: {shown(certificate)}" + (f", {certificate.thumbprint}" if certificate.thumbprint else ""),
    )


# --- B01: the connector names a certificate that is gone --------------------------------------------------------


def _not_found(bundle: EvidenceBundle) -> list[Cited]:
    said = [cite(each) for each in bundle.replies if speaks_of(each.text, "certificate-selection.not-found")]
    said += [
        cite(each) for each in bundle.queue_errors if speaks_of(each.last_error, "certificate-selection.not-found")
    ]
    said += [
        cite(each, each.message[:300])
        for each in bundle.events
        if each.event_id == 12014 and not speaks_of(each.message, "certificate-selection.unrelated-to-client")
    ]
    said += [
        cite(each)
        for each in bundle.health
        if "notfound" in each.value.replace(" ", "").casefold()
        or (speaks_of(each.label, "certificate-selection-not-found.shown") and each.value.strip().casefold() == "false")
    ]
    return list(dict.fromkeys(said))


def _names_no_stored(bundle: EvidenceBundle, facts: Derived) -> tuple[SendConnector, CertificateSeen | None] | None:
    """A connector whose `<I><S>` no stored certificate has; with the stored one that was meant."""
    stored = [each for each in facts.stored if each.subject is not None and each.issuer is not None]
    for connector in bundle.send_connectors:
        wanted = connector.certificate_issuer_and_subject
        if wanted is None or not stored or connector.enabled is False:
            continue
        if any(
            each.issuer and each.subject and (each.issuer.key, each.subject.key) == (wanted[0].key, wanted[1].key)
            for each in stored
        ):
            continue
        meant = [each for each in stored if each.subject and each.subject.key == wanted[1].key]
        meant = meant or [
            each for each in stored if wanted[1].common_name and satisfies(each, wanted[1].common_name.casefold())
        ]
        return connector, max(meant, key=lambda each: at(each.not_after) or 0.0, default=None)
    return None


def _replacement(bundle: EvidenceBundle, facts: Derived) -> CertificateSeen | None:
    """The stored certificate the connector ought to name."""
    if pair := _names_no_stored(bundle, facts):
        return pair[1]
    if facts.renewal and facts.renewal.new.thumbprint:
        return facts.renewal.new
    public = [each for each in facts.stored if is_public(each)]
    return max(public, key=lambda each: at(each.not_after) or 0.0, default=None)


@rule(
    "connector-names-missing-certificate",
    "B01",
    title="The send connector names a certificate that is no longer there",
    side="sender",
)
def connector_names_missing_certificate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said, pair = _not_found(bundle), _names_no_stored(bundle, facts)
    if not said and not (pair and pair[1]):
        return None
    if any(each.status.casefold() == "revocationcheckfailure" for each in facts.stored):
        return None  # C04: it is there, and counts as unusable
    if not said and (facts.sent or not facts.failed_relay):
        return None
    evidence = list(said[:3])
    if pair:
        evidence.append(
            cite(
                pair[0].where("TlsCertificateName"),
                f"TlsCertificateName of '{pair[0].name}' is {pair[0].certificate_name}",
            )
        )
        evidence += [_shows(pair[1])] if pair[1] else []
    only_told_by_checker = bool(said) and {each.source for each in said} <= {each.source for each in bundle.health}
    replacement = _replacement(bundle, facts)
    rotated = bool(pair and pair[1] and pair[1].issuer and (wanted := pair[0].certificate_issuer_and_subject)
                   and wanted[0].organization == pair[1].issuer.organization != "")  # fmt: skip
    idle = only_told_by_checker and not facts.failed_relay
    return found(
        "high" if said and not idle else "medium",
        70 if idle else 95 if said and pair else 91 if said else 80,
        "The send connector's TlsCertificateName (issuer and subject) fits no certificate in the server's store, so Exchange does not even connect.",
        evidence,
        fix=[
            _set_name(bundle, replacement),
            Fix(
                "Exchange",
                "Get-ReceiveConnector | Where-Object TlsCertificateName | Format-List 'Identity','TlsCertificateName'   # the same value is there too",
            ),
            _RESTART,
        ],
        verify="Get-Queue drains; HealthChecker reports TlsCertificateMatch.",
        catalogue=("B01", "B02") if rotated else (),
    )


# --- B03: implicit selection -----------------------------------------------------------------------------------------


@rule(
    "connector-selects-by-machine-name",
    "B03",
    "A06",
    title="No certificate is set, so the machine's own is presented",
    side="sender",
)
def connector_selects_by_machine_name(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    if facts.goes_by_address:
        return None
    sent = facts.sent_when_refused
    unset = [
        each
        for each in bundle.send_connectors
        if each.has("TlsCertificateName")
        and not each.certificate_name.strip()
        and (not each.fqdn or is_internal_name(each.fqdn.casefold()))
    ]
    if sent is None:
        if (
            unset
            and facts.no_tenant_found
            and not facts.certificate_withheld
            and len(bundle.send_connectors) == len(unset)
        ):
            public = next((each for each in facts.stored if is_public(each)), None)
            return found(
                "medium",
                72,
                f"Send connector {unset[0].label} has neither TlsCertificateName nor a public Fqdn: Exchange picks the certificate of the machine's name.",
                [
                    cite(unset[0], "TlsCertificateName and Fqdn are empty or internal"),
                    *[cite(each) for each in facts.no_tenant_found[:1]],
                ],
                fix=[_set_name(bundle, public)],
                verify=_VERIFY_SENT,
            )
        return None
    names = names_of(sent)
    own = (
        is_self_signed(sent)
        or (bool(names) and all(is_internal_name(name) for name in names))
        or is_public(sent) is False
    )
    if not own or any(satisfies(sent, name) for name in facts.expected_names):
        return None
    by_exchange = bool(bundle.send_connectors) or any(each.log == "send" for each in bundle.sessions)
    if not by_exchange:
        return None
    explicit = [each for each in bundle.send_connectors if each.certificate_name.strip()]
    if explicit and not unset:
        return None
    told_organization = bool(
        sent.subject and sent.subject.organization
    )  # Exchange's own certificate is CN=SERVER and no more
    machine = not told_organization and (
        (bool(names) and all(is_internal_name(name) for name in names)) or is_self_signed(sent)
    )
    if not unset and not machine:
        return None
    wanted = (each for each in facts.stored if any(satisfies(each, name) for name in facts.expected_names))
    public = next(wanted, None) or next((each for each in facts.stored if is_public(each)), None)
    fqdn = next((name for name in names_of(public) if not name.startswith("*.")), "") if public else ""
    fixes = [_set_name(bundle, public)]
    if fqdn:
        fixes.append(
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity {argument(_connector_name(bundle))} -Fqdn {argument(fqdn)}   # or select by name",
            )
        )
    return found(
        "high" if unset and facts.attribution_refusals else "medium",
        93 if unset else 83,
        f"The session presents {shown(sent)}, the machine's own certificate: the send connector names none.",
        [_shows(sent)]
        + [
            cite(each, f"'{each.name}': TlsCertificateName is empty, Fqdn is {each.fqdn or 'empty'}")
            for each in unset[:1]
        ]
        + [cite(each) for each in facts.attribution_refusals[:1]],
        fix=fixes,
        verify=_VERIFY_SENT,
    )


# --- B04, B05, B06, B09, B10, B12: the store -------------------------------------------------------------------------


def _twins(facts: Derived) -> tuple[CertificateSeen, CertificateSeen] | None:
    """Two stored certificates with the same issuer and subject, the later one second."""
    stored = [
        each
        for each in facts.leaves
        if each.role in ("stored", "old", "new", "sent") and each.issuer and each.subject and each.subject.attributes
    ]
    for index, one in enumerate(stored):
        for other in stored[index + 1 :]:
            if not one.issuer or not other.issuer or not one.subject or not other.subject:
                continue
            if one.server and other.server and one.server != other.server:
                continue
            alike = one.subject.key == other.subject.key and one.issuer.key == other.issuer.key
            if alike and one.thumbprint and other.thumbprint and one.thumbprint != other.thumbprint:
                return (one, other) if (at(one.not_after) or 0.0) <= (at(other.not_after) or 0.0) else (other, one)
    return None


@rule(
    "two-certificates-of-one-name",
    "B04",
    title="Two certificates share issuer and subject; Exchange takes the one that lasts longer",
    side="sender",
)
def two_certificates_of_one_name(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused_removal = next(
        (
            each
            for each in (*bundle.powershell_errors, *bundle.replies, *bundle.prose, *bundle.events)
            if speaks_of(each.quote, "two-certificates-of-one-name.refused-removal")
        ),
        None,
    )
    twins = _twins(facts)
    two_printed = [
        each
        for each in bundle.health
        if speaks_of(each.label, "two-certificates-of-one-name.two-printed")
        and len(all_of(each.value, "certificate-selection.thumbprint")) > 1
    ]
    if not refused_removal and not two_printed:
        if not twins:
            return None
        sent = facts.sent_when_refused or next(iter(facts.sent), None)
        if sent is None or sent.thumbprint != twins[1].thumbprint or not facts.failed_relay:
            return None
        if twins[1].smtp_bound is not False and not facts.renewal_told is not None:
            return None
    evidence = [cite(refused_removal)] if refused_removal else []
    evidence += [cite(each) for each in two_printed[:1]]
    evidence += [_shows(each) for each in twins or ()]
    old = twins[0].thumbprint if twins else "<old thumbprint>"
    connector = quoted(_connector_name(bundle))
    return found(
        "high" if refused_removal else "medium",
        95 if refused_removal else 88 if two_printed else 86,
        "Two certificates in the store have the same issuer and subject: TlsCertificateName fits both, and Exchange presents the one that expires last.",
        evidence,
        fix=[
            Fix(
                "Exchange",
                f"$v = (Get-SendConnector -Identity {connector}).TlsCertificateName; Set-SendConnector -Identity {connector} -TlsCertificateName $null",
            ),
            Fix(
                "Exchange",
                f"Stop-Service MSExchangeTransport; Remove-ExchangeCertificate -Thumbprint {argument(old)}   # on every source server",
            ),
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity {connector} -TlsCertificateName $v; Start-Service MSExchangeTransport",
            ),
        ],
        verify="Get-ExchangeCertificate lists one thumbprint of that subject; the log shows the same.",
    )


@rule(
    "private-certificate-bound-to-smtp",
    "B05",
    title="A private certificate is bound to SMTP beside the public one",
    side="sender",
)
def private_certificate_bound_to_smtp(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    bound = [each for each in facts.stored if each.smtp_bound]
    private = [each for each in bound if is_public(each) is False and names_of(each)]
    public = [each for each in bound if is_public(each) and names_of(each)]
    pairs = [
        (one, other)
        for one in private
        for other in public
        if set(names_of(one)) & set(names_of(other))
        or any(satisfies(other, name) or satisfies(one, name) for name in (*names_of(one), *names_of(other)))
    ]
    untrusted = [cite(each) for each in bundle.replies if "untrustedroot" in each.text.replace(" ", "").casefold()]
    untrusted += [
        cite(each, each.message[:200])
        for each in bundle.events
        if each.event_id == 2004 and "untrustedroot" in each.message.casefold()
    ]
    sent_private = (
        facts.sent_when_refused if facts.sent_when_refused and is_public(facts.sent_when_refused) is False else None
    )
    if not pairs or not (untrusted or sent_private):
        return None
    one, other = pairs[0]
    return found(
        "high" if untrusted else "medium",
        94,
        f"Two certificates for {names_of(other)[0]} are bound to SMTP, one of them from a private authority; Exchange sometimes presents that one.",
        [_shows(one), _shows(other), *untrusted[:2]],
        fix=[
            Fix(
                "Exchange",
                f"Enable-ExchangeCertificate -Thumbprint {argument(one.thumbprint or '<private>')} -Services 'IIS','POP','IMAP'   # leaves SMTP to the other",
            )
        ],
        verify="Get-ExchangeCertificate shows S in Services of one certificate of that name only.",
    )


@rule(
    "certificate-not-bound-to-smtp", "B06", title="The certificate is installed but not enabled for SMTP", side="sender"
)
def certificate_not_bound_to_smtp(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = next(
        (each for each in (*bundle.powershell_errors, *bundle.hcw, *bundle.health, *bundle.prose, *bundle.events)
         if speaks_of(each.quote, "certificate-not-bound-to-smtp.said")),
        None,
    )  # fmt: skip
    unbound = [
        each
        for each in facts.stored
        if each.smtp_bound is False
        and is_public(each) is not False
        and not is_self_signed(each)
        and not all(map(is_internal_name, names_of(each)))
    ]
    wanted = [each.certificate_issuer_and_subject for each in bundle.send_connectors]
    meant = [
        each for each in unbound if any(pair and each.subject and pair[1].key == each.subject.key for pair in wanted)
    ]
    # A connector that names a stored certificate presents that one, whatever else would fit.
    selected = any(
        pair and each.subject and pair[1].key == each.subject.key for pair in wanted for each in facts.stored
    )
    if not selected:
        meant = meant or [each for each in unbound if any(satisfies(each, name) for name in facts.expected_names)]
    newest = max(unbound, key=lambda each: at(each.not_after) or 0.0, default=None)
    if (
        not meant
        and not selected
        and newest
        and (facts.renewed_lately or said)
        and not any(
            each.smtp_bound and is_public(each) and (at(each.not_after) or 0) > (at(newest.not_after) or 0)
            for each in facts.stored
        )
    ):
        meant = [newest]
    if not said and (not meant or not facts.failed_relay):
        return None
    if not said and facts.sent_when_refused and meant and same_certificate(facts.sent_when_refused, meant[0]):
        return None
    certificate = meant[0] if meant else None
    return found(
        "high" if said and certificate else "medium",
        93 if said else 82,
        f"{shown(certificate) if certificate else 'The new certificate'} is in the store but not enabled for SMTP, so transport does not present it.",
        [
            *([cite(said)] if said else []),
            *(
                [
                    cite(
                        certificate.source,
                        f"{certificate.thumbprint or shown(certificate)}: Services is '{certificate.services}'",
                    )
                ]
                if certificate
                else []
            ),
        ],
        fix=[
            Fix(
                "Exchange",
                f"Enable-ExchangeCertificate -Thumbprint {argument(certificate.thumbprint if certificate and certificate.thumbprint else '<thumbprint>')} -Services SMTP   "
                "# answer No to overwriting the default certificate",
            )
        ],
        verify="Get-ExchangeCertificate shows S in its Services.",
    )


def _credentials_failure(bundle: EvidenceBundle, word: str) -> TlsSeen | None:
    return next((each for each in bundle.tls if word in each.failure.casefold().replace(" ", "")), None)


def _quoted_failure(bundle: EvidenceBundle, word: str) -> Cited | None:
    failure = _credentials_failure(bundle, word)
    if failure:
        return cite(failure)
    for each in (*bundle.replies, *bundle.queue_errors, *bundle.events, *bundle.prose, *bundle.sessions):
        if word in each.quote.casefold():
            return cite(each)
    return None


@rule("private-key-missing", "B07", "B08", title="The certificate's private key is not on this server", side="sender")
def private_key_missing(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    failure = _quoted_failure(bundle, "nocredentials")
    unknown = _quoted_failure(bundle, "unknowncredentials")
    without = next((each for each in facts.stored if each.has_private_key is False), None)
    imported = next(bundle.prose_of("imported-without-key"), None)
    keyed = [each for each in facts.stored if each.has_private_key]
    if not failure and not (unknown and without) and not (without and facts.failed_relay):
        return None
    if failure and keyed and not without and not imported:
        return ruled_out("the store says that the private key is there", cite(keyed[0]))
    sent = facts.sent_when_refused or next(iter(facts.sent), None)
    thumbprint = (without or sent).thumbprint if (without or sent) else ""  # type: ignore[union-attr]
    sure = bool((failure or unknown) and (without or imported))
    return found(
        "high" if sure and without else "medium",
        95 if sure else 88 if failure else 74,
        "Transport cannot use the selected certificate: its private key is missing on this server. The queue's timeout is only what that looks like from outside.",
        [each for each in (failure, unknown) if each]
        + ([cite(without, "HasPrivateKey is False")] if without else [])
        + ([cite(imported)] if imported else [])
        + ([_shows(sent)] if sent else []),
        fix=[
            Fix(
                "Exchange",
                f"Get-ChildItem Cert:\\LocalMachine\\My | Where-Object Thumbprint -eq {quoted(thumbprint or '<thumbprint>')} | Format-List 'Subject','HasPrivateKey'",
            ),
            Fix(
                "Exchange",
                "Import-ExchangeCertificate -FileData ([IO.File]::ReadAllBytes('C:\\certificate.pfx')) -Password (Read-Host -AsSecureString)   # the PFX with its key",
            ),
            _RESTART,
        ],
        verify="HasPrivateKey is True, and the queue drains.",
        missing=()
        if sure
        else ("whether HasPrivateKey is True for that thumbprint on this server, and who may read the key",),
    )


@rule(
    "private-key-unreadable", "B08", "B07", title="Transport may not read the certificate's private key", side="sender"
)
def private_key_unreadable(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    unknown = _quoted_failure(bundle, "unknowncredentials")
    none = _quoted_failure(bundle, "nocredentials") if not unknown else None
    edge = next(
        (
            each
            for each in bundle.events
            if each.event_id == 1035 and speaks_of(each.message + each.provider, "private-key-unreadable.edge")
        ),
        None,
    )
    schannel = next(
        (
            each
            for each in bundle.events
            if each.event_id in (36870, 36871) or speaks_of(each.message, "private-key-unreadable.schannel")
        ),
        None,
    )
    keyed = next((each for each in facts.stored if each.has_private_key), None)
    if any(each.has_private_key is False for each in facts.stored):
        return None
    sent = facts.sent_when_refused or next(iter(facts.sent), None)
    if sent is not None and any(each.smtp_bound is False and same_certificate(each, sent) for each in facts.stored):
        return None  # transport takes no certificate that is not enabled for it
    provider = next(
        (each for each in facts.leaves if speaks_of(each.provider, "private-key-unreadable.provider")),
        None,
    )
    acl = next(
        (each for each in bundle.prose if speaks_of(each.quote, "private-key-unreadable.acl")
         and speaks_of(each.quote, "private-key-unreadable.acl-2")), None
    )  # fmt: skip
    if not unknown and not edge and not schannel and not (none and (keyed or provider or acl)):
        return None
    proofs = [each for each in (edge, schannel, provider, acl, keyed) if each]
    serial = next((each.serial for each in (provider, keyed, sent) if each and each.serial), "<serial>")
    return found(
        "high" if unknown and (provider or acl or schannel) else "medium",
        94 if (unknown or none) and (provider or acl or schannel or keyed) else 89 if unknown else 84,
        "The private key is there, but the transport service cannot use it: NETWORK SERVICE may not read it, or it is in a key storage provider that transport does not take.",
        [each for each in (unknown, none) if each] + [cite(each, each.quote[:300]) for each in proofs[:3]],
        fix=[
            *_default_again(bundle, edge),
            Fix(
                "Exchange",
                f"certutil -store my {quoted(serial)}   # see Provider; then, in certlm.msc, All Tasks, Manage Private Keys: NETWORK SERVICE may read",
            ),
            Fix(
                "Exchange",
                "certutil -csp 'Microsoft RSA SChannel Cryptographic Provider' -importpfx C:\\certificate.pfx   # if it is in a key storage provider",
            ),
            _RESTART,
        ],
        verify="The queue drains; the log shows the session going on after the certificate.",
        missing=("the key's provider and permissions: certutil -store my <serial>",) if not proofs else (),
    )


def _default_again(bundle: EvidenceBundle, edge: EventLogEntry | None) -> tuple[Fix, ...]:
    """EdgeSync takes keys of a CSP (CAPI) only: the server's other SMTP certificate becomes the default one again."""
    if edge is None:
        return ()
    others = [
        each.thumbprint
        for each in bundle.certificates
        if each.role == "stored" and each.smtp_bound and each.thumbprint.casefold() not in edge.message.casefold()
    ]
    which = others[0] if len(set(others)) == 1 else "'<thumbprint of a certificate with a CAPI key>'"
    command = f"Enable-ExchangeCertificate -Thumbprint {which} -Services SMTP"
    server = f"{edge.server.partition('.')[0]}: " if edge.server else ""
    return (
        Fix("Exchange", f"{command}   # on {server}answer Yes: a certificate with a CAPI key is the default again"),
    )


@rule(
    "renewal-hook-misses-smtp",
    "B10",
    "B06",
    title="The renewal automation leaves SMTP out, or touches too much",
    side="sender",
)
def renewal_hook_misses_smtp(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    tool = next((each for each in bundle.certbot), None)
    said = sentence(bundle, "renewal-hook-misses-smtp.said")
    if tool is None and said is None:
        return None
    stripped = [
        each
        for each in facts.stored
        if each.smtp_bound is False and is_public(each) is not False and not is_self_signed(each)
    ]
    only_iis = next(
        (
            each
            for each in (*bundle.certbot, *bundle.prose)
            if speaks_of(each.quote, "renewal-hook-misses-smtp.only-iis")
            and speaks_of(each.quote, "renewal-hook-misses-smtp.only-iis-2")
        ),
        None,
    )
    other_servers = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "renewal-hook-misses-smtp.other-servers")
            and speaks_of(each.quote, "renewal-hook-misses-smtp.other-servers-2")
        ),
        None,
    )
    if not (only_iis or other_servers) or not (stripped or facts.failed_relay):
        return None
    citing = [each for each in (only_iis, other_servers, tool or said) if each]
    return found(
        "medium",
        90 if stripped else 80,
        "The renewal job binds the new certificate to IIS and leaves SMTP as it was (or changes more servers than it should).",
        [
            *[cite(each) for each in citing[:2]],
            *[
                cite(each.source, f"{each.thumbprint or shown(each)}: Services is '{each.services}'")
                for each in stripped[:1]
            ],
        ],
        fix=[
            Fix(
                "Exchange",
                f"Enable-ExchangeCertificate -Thumbprint {argument(stripped[0].thumbprint if stripped else '<thumbprint>')} -Services SMTP",
            ),
            Fix("Exchange", "# add that line and the connector's TlsCertificateName to the job, for this server only"),
        ],
        verify="Run the job once by hand and compare Get-ExchangeCertificate before and after.",
    )


# --- B11, B12: Edge --------------------------------------------------------------------------------------------------


@rule(
    "certificate-name-too-long-for-edge",
    "B11",
    title="TlsCertificateName is longer than EdgeSync can carry",
    side="sender",
)
def certificate_name_too_long_for_edge(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    long = next((each for each in bundle.send_connectors if len(each.certificate_name) > 256), None)
    edge = next(
        (each for each in (*bundle.events, *bundle.powershell_errors, *bundle.prose, *bundle.health, *bundle.commands, *bundle.transport_services, *bundle.replies)
         if speaks_of(each.quote, "certificate-name-too-long-for-edge.edge")),
        None,
    )  # fmt: skip
    incomplete = next(
        (
            each
            for each in (*bundle.events, *bundle.powershell_errors, *bundle.prose, *bundle.transport_services)
            if speaks_of(each.quote, "certificate-name-too-long-for-edge.incomplete")
        ),
        None,
    )
    if not (long and edge) and not (
        incomplete and speaks_of(incomplete.quote, "certificate-name-too-long-for-edge.shown")
    ):
        return None
    evidence = (
        [
            cite(
                long.where("TlsCertificateName"),
                f"TlsCertificateName of '{long.name}' has {len(long.certificate_name)} characters",
            )
        ]
        if long
        else []
    )
    evidence += [cite(each) for each in (incomplete or edge,) if each]
    return found(
        "high" if long and incomplete else "medium",
        94 if long else 86,
        "The connector's TlsCertificateName exceeds the 256 characters AD LDS allows on the Edge server, so EdgeSync does not replicate the connector.",
        evidence,
        fix=[
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity {argument(long.name if long else _connector_name(bundle))} -TlsCertificateName $null -Fqdn '<name on the certificate>'",
            ),
            Fix(
                "Exchange",
                "# or raise rangeUpper of ms-Exch-Smtp-TLS-Certificate to 1024 in the Edge server's AD LDS schema",
            ),
            Fix("Exchange", "Start-EdgeSynchronization"),
        ],
        verify="Test-EdgeSynchronization reports Normal; Get-SendConnector on the Edge shows the value.",
    )


@rule("edge-servers-differ", "B12", title="The Edge servers hold different certificates", side="sender")
def edge_servers_differ(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    edges: dict[str, CertificateSeen] = {}
    for each in (*facts.stored, *facts.sent):
        if each.server and (each.smtp_bound is not False) and is_public(each) is not False:
            edges.setdefault(each.server.casefold(), each)
    said = sentence(bundle, "edge-servers-differ.said")
    is_edge = said or any("edge" in name for name in edges)
    if not is_edge or any(each.has("SyncStatus") for each in bundle.transport_services):
        return None
    values = list(edges.values())
    differing = next(
        ((one, other) for one in values for other in values if one is not other and same_certificate(one, other) is False
         and (not one.subject or not other.subject or one.subject.key != other.subject.key
              or bool(one.issuer and other.issuer and one.issuer.key != other.issuer.key))), None
    )  # fmt: skip
    told = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "edge-servers-differ.told") and speaks_of(each.quote, "edge-servers-differ.told-2")
        ),
        None,
    )
    if not differing and not told:
        return None
    return found(
        "high" if differing and facts.failed_relay else "medium",
        90 if differing else 82,
        "The Edge servers present different certificates; hybrid mail needs the same authority and subject on all of them.",
        [*([_shows(differing[0]), _shows(differing[1])] if differing else []), *([cite(told)] if told else [])],
        fix=[
            Fix(
                "Exchange",
                "Import-ExchangeCertificate -FileData ([IO.File]::ReadAllBytes('C:\\certificate.pfx')) -Password (Read-Host -AsSecureString)   # the same one on every Edge",
            ),
            Fix(
                "Exchange",
                "New-EdgeSubscription -FileName C:\\edge.xml   # subscribe again after the certificate was replaced",
            ),
        ],
        verify="Get-ExchangeCertificate on every Edge shows the same thumbprint for SMTP.",
    )


# --- B13-B18: other software and the session ------------------------------------------------------------------------


def _client_certificate_settings(bundle: EvidenceBundle) -> list[Cited]:
    return [
        cite(each)
        for each in bundle.postfix_settings
        if each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files", "smtp_tls_eccert_file") and each.value.strip()
    ]


@rule(
    "postfix-has-no-client-certificate",
    "B13",
    title="No client certificate is set for what sends to the relay",
    side="sender",
)
def postfix_has_no_client_certificate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    settings = bundle.postfix_settings
    not_sent = next(
        (
            each
            for each in bundle.tls
            if each.established and each.client_certificate_sent is False and each.log_owner_is != "server"
        ),
        None,
    )
    ours = _client_certificate_settings(bundle)
    server_only = next(
        (
            each
            for each in settings
            if each.name in ("smtpd_tls_cert_file", "smtpd_tls_chain_files", "smtpd_tls_key_file")
            and each.value.strip()
        ),
        None,
    )
    has_main = any(
        each.name
        in (
            "relayhost",
            "smtp_tls_security_level",
            "smtpd_tls_cert_file",
            "myhostname",
            "mydestination",
            "inet_interfaces",
            "transport_maps",
            "default_transport",
        )
        for each in settings
    )
    exim = next((each for each in bundle.exim if each.client_certificate_sent is False), None)
    if ours:
        overridden = next(
            (
                each
                for each in settings
                if each.service
                and each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files")
                and not each.value.strip()
            ),
            None,
        )
        used = {each.service for each in bundle.postfix_deliveries if each.service}
        for_other = [
            each for each in settings if each.service and each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files")
        ]
        in_main = [
            each
            for each in settings
            if not each.service and each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files") and each.value.strip()
        ]
        elsewhere = (
            bool(for_other)
            and not in_main
            and bool(used)
            and not any(each.service.split("/")[0] in name for each in for_other for name in used)
        )
        if not overridden and not elsewhere:
            return ruled_out("a client certificate is configured", *ours[:1])
        return found(
            "medium",
            82,
            "The client certificate is set on another transport than the one that delivered this mail.",
            [*ours[:1], *[cite(each) for each in bundle.postfix_deliveries[:1]]],
            fix=[
                Fix(
                    "Postfix",
                    "# set smtp_tls_chain_files with -o on the transport that delivers to the relay (master.cf), and route to it with transport_maps",
                )
            ],
            verify="'TLS connection established' ends with client-signature ... client-digest.",
        )
    if not facts.attribution_refusals or facts.sent:
        return None
    if not has_main and not not_sent:
        return None
    if has_main and not any(each.name.startswith(("smtp_tls", "smtpd_tls")) for each in settings) and not not_sent:
        return None
    goes_by_address = (
        any(each.addresses and not each.certificate_name for each in bundle.inbound_connectors)
        and not facts.naming_connectors
    )
    if goes_by_address:
        return None
    protocol = not_sent.protocol if not_sent else ""
    sure = bool(not_sent and has_main and protocol == "TLSv1.3")
    key = "/etc/ssl/relay/key-and-chain.pem"
    return found(
        "high" if sure and (server_only or facts.naming_connectors) else "medium",
        91 if server_only and not_sent else 87 if has_main else 66,
        "Postfix presents no certificate as a client: smtpd_tls_* is for its own listener, and smtp_tls_chain_files (or smtp_tls_cert_file) is not set.",
        [*([cite(server_only)] if server_only else []), *([cite(not_sent, "TLS established, and no client-signature at the end of the line: no certificate was presented")] if not_sent else []), *([cite(exim)] if exim else []),
         *[cite(each) for each in facts.attribution_refusals[:1]]],
        fix=[
            Fix("Postfix", f"postconf -e {shell_quoted('smtp_tls_chain_files = ' + key)} 'smtp_tls_security_level = encrypt'   # better with -o on the transport to this relay only"),
            Fix("Postfix", "postfix reload"),
        ],
        verify="'TLS connection established' ends with client-signature ... client-digest (TLS 1.3), and RCPT TO is answered 250.",
    )  # fmt: skip


_SHOWS_CERTIFICATES = frozenset(("Exchange", "Postfix", "Exim", "sendmail", "OpenSMTPD"))
"""Programs that can, whatever somebody believes."""


@rule(
    "software-cannot-present-certificate",
    "B14",
    title="The relaying software cannot present a client certificate",
    side="sender",
)
def software_cannot_present_certificate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = next(
        (each for each in (*bundle.prose, *bundle.headers, *bundle.replies)
         if speaks_of(each.quote, "software-cannot-present-certificate.said")
         and speaks_of(each.quote, "software-cannot-present-certificate.said-2")),
        None,
    )  # fmt: skip

    said = said or next(
        (each for each in bundle.prose if speaks_of(each.quote, "software-cannot-present-certificate.plainly")), None
    )

    if (
        said is None
        and facts.attribution_refusals
        and any(speaks_of(each.quote, "software-cannot-present-certificate.asked") for each in bundle.prose)
    ):
        said = next(
            (each for each in bundle.prose if speaks_of(each.quote, "software-cannot-present-certificate.without")),
            None,
        )
    if said is None or (
        programs_of(bundle) & _SHOWS_CERTIFICATES
        and not speaks_of(said.quote, "software-cannot-present-certificate.without")
    ):
        return None
    return found(
        "medium",
        86 if facts.attribution_refusals else 78,
        "The program that sends cannot present a client certificate, so a connector by certificate name can never match.",
        [cite(said), *[cite(each) for each in facts.attribution_refusals[:1]]],
        fix=[
            Fix(
                "Gatepost",
                "gatepost send-connector add cloud --address-space '*' --smart-host '<tenant>.mail.protection.outlook.com' --certificate CERT.pem --key KEY.pem --tls encrypt   # put it between",
            ),
            Fix(
                "Exchange Online",
                "New-InboundConnector -Name '<name>' -ConnectorType OnPremises -SenderDomains * -SenderIPAddresses '<its fixed public address>'   # or identify it by that",
            ),
        ],
        verify="The session shows a certificate (or the connector its address), and RCPT TO is answered 250.",
    )


@rule(
    "client-certificate-for-every-destination",
    "B15",
    "D04",
    title="The client certificate is offered to every destination, and some refuse it",
    side="sender",
)
def client_certificate_for_every_destination(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    everywhere = next(
        (
            each
            for each in bundle.postfix_settings
            if not each.service and each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files") and each.value.strip()
        ),
        None,
    )
    said = next((each for each in bundle.prose if speaks_of(each.quote, "client-certificate-for-every-destination.said")
                 and speaks_of(each.quote, "client-certificate-for-every-destination.said-2")), None)  # fmt: skip
    failing = {
        each.relay
        for each in bundle.postfix_deliveries
        if each.status == "deferred" and speaks_of(each.response, "client-certificate-for-every-destination.failing")
    }
    passing = {each.relay for each in bundle.postfix_deliveries if each.status == "sent"}
    relayhost = bundle.postfix_setting("relayhost")
    next_hop = relayhost.value.strip("[]").split("]")[0] if relayhost else ""
    others = {each for each in failing if each and each != next_hop}
    if (
        facts.attribution_refusals
        or not (everywhere or said)
        or not ((others and passing - failing) or (said and everywhere))
    ):
        return None
    bad = next((each for each in bundle.postfix_deliveries if each.relay in others), None)
    return found(
        "medium",
        86 if everywhere and others else 74,
        "The client certificate is set for all destinations; some servers break the handshake off when one is presented.",
        [*([cite(everywhere)] if everywhere else []), *([cite(bad)] if bad else []), *([cite(said)] if said else [])],
        fix=[
            Fix(
                "Postfix",
                "postconf -X smtp_tls_cert_file smtp_tls_key_file smtp_tls_chain_files && postfix reload   # then -o smtp_tls_chain_files=FILE on the relay's own transport in master.cf",
            ),
        ],
        verify="The other destinations deliver; the relay's sessions still end with client-signature.",
    )


@rule(
    "greets-with-peer-or-localhost",
    "B16",
    title="The client greets with the server's own name, or localhost",
    side="sender",
)
def greets_with_peer_or_localhost(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused = next(
        (
            each
            for each in bundle.replies
            if each.enhanced == "5.7.506" or speaks_of(each.text, "greets-with-peer-or-localhost.refused")
        ),
        None,
    )
    odd = next(
        (
            each
            for each in bundle.sessions
            if each.ehlo_name
            and (
                each.ehlo_name.casefold() in ("localhost", "localhost.localdomain")
                or each.ehlo_name.casefold() == each.remote_name.casefold()
                or "protection.outlook.com" in each.ehlo_name.casefold()
            )
        ),
        None,
    )
    setting = next(
        (
            each
            for each in bundle.postfix_settings
            if each.name in ("smtp_helo_name", "myhostname")
            and speaks_of(each.value, "greets-with-peer-or-localhost.setting")
        ),
        None,
    )
    if not refused:
        return None
    return found(
        "high",
        96,
        f"The client greets with {odd.ehlo_name if odd else 'a name that is not its own'}: the service refuses such a greeting whatever the connector says.",
        [cite(refused), *([cite(odd, f"EHLO {odd.ehlo_name}")] if odd else []), *([cite(setting)] if setting else [])],
        fix=[
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity {argument(_connector_name(bundle))} -Fqdn '<the server's public name>'".replace(
                    "server's", "servers"
                ),
            ),
            Fix("Postfix", "postconf -e 'smtp_helo_name = mail.<your domain>' && postfix reload"),
        ],
        verify="The log's EHLO row shows the server's public name.",
    )


@rule("connector-does-not-use-tls", "B17", title="The send connector does not use TLS", side="sender")
def connector_does_not_use_tls(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    ignoring = next((each for each in bundle.send_connectors if each.flag("IgnoreSTARTTLS")), None)
    lax = next(
        (each for each in bundle.send_connectors if each.flag("RequireTLS") is False and each.enabled is not False),
        None,
    )
    none = bundle.postfix_setting("smtp_tls_security_level")
    off = none if none and none.value.strip() == "none" else None
    plain = next(
        (
            each
            for each in facts.refused_sessions
            if each.starttls_offered
            and each.starttls_sent is False
            and each.tls is None
            and each.reverse_path is not None
        ),
        None,
    )
    if not ignoring and not off and not (plain and lax) and not plain:
        return None
    if not facts.attribution_refusals and not plain:
        return None
    culprit = ignoring or (lax if plain else None)
    evidence = (
        [
            cite(
                culprit.where("IgnoreSTARTTLS" if ignoring else "RequireTLS"),
                f"'{culprit.name}': {'IgnoreSTARTTLS is True' if ignoring else 'RequireTLS is False'}",
            )
        ]
        if culprit
        else []
    )
    evidence += [cite(off)] if off else []
    evidence += (
        [cite(plain, "STARTTLS is offered and not used: the session is plain text, so no certificate can be seen")]
        if plain
        else []
    )
    evidence += [cite(each) for each in facts.attribution_refusals[:1]]
    sure = bool((culprit or off) and (plain or ignoring or off) and facts.attribution_refusals)
    return found(
        "high" if sure and (plain or facts.naming_connectors) else "medium",
        92 if sure else 80,
        "The session goes in plain text although the service offers STARTTLS, so there is no certificate to recognise you by.",
        evidence,
        fix=[
            Fix(
                "Exchange",
                f"Set-SendConnector -Identity {argument(culprit.name if culprit else _connector_name(bundle))} -IgnoreSTARTTLS $false -RequireTLS $true -TlsAuthLevel CertificateValidation",
            ),
            Fix("Postfix", "postconf -e 'smtp_tls_security_level = encrypt' && postfix reload"),
        ],
        verify="The log shows STARTTLS and 'Sending certificate'.",
    )


_INTERNAL_ERROR = 80


def _says_why(bundle: EvidenceBundle) -> bool:
    """An alert that names what it is about; internal_error (RFC 8446 6.2) says nothing."""
    alerts = {each.alert for each in bundle.postfix_tls if each.alert is not None}
    return alerts != {_INTERNAL_ERROR}


@rule(
    "fell-back-to-plain-text", "B18", title="After a failed handshake the mail went again in plain text", side="sender"
)
def fell_back_to_plain_text(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    failed = next(
        (each for each in bundle.postfix_deliveries if speaks_of(each.response, "fell-back-to-plain-text.failed")),
        None,
    )
    failed_tls = failed or next(
        (each for each in bundle.postfix_tls if each.kind in ("ssl-error", "cannot-start-tls", "library-problem")), None
    )
    later = next(
        (
            each
            for each in bundle.postfix_deliveries
            if each.enhanced == "5.7.64"
            and (failed is None or each.queue_id == failed.queue_id or each.relay == failed.relay)
        ),
        None,
    )
    level = bundle.postfix_setting("smtp_tls_security_level")
    if failed_tls is None or later is None or (level and level.value.strip() not in ("may", "")):
        return None
    established = any(each.kind == "established" and each.process == later.process for each in bundle.postfix_tls)
    if established:
        return None
    return found(
        "high" if level and failed and failed.queue_id == later.queue_id and _says_why(bundle) else "medium",
        88,
        "The handshake failed first; at level 'may' Postfix tried again in plain text, without a certificate, and only then came the refusal.",
        [cite(failed_tls), cite(later), *([cite(level)] if level else [])],
        fix=[
            Fix(
                "Postfix",
                "postconf -e 'smtp_tls_security_level = encrypt' && postfix reload   # or per next hop in smtp_tls_policy_maps",
            ),
            Fix("Postfix", "# then fix what broke the handshake: the alert in the first lines names it"),
        ],
        verify="A failed handshake now defers (4.7.5) instead of bouncing.",
    )
