"""Family C: the name would match, but the certificate is not trusted: chain, root, validity, revocation."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from shlex import quote as shell_quoted

from gatepost.doctor.certificates_told import (
    at,
    is_internal_name,
    is_public,
    is_self_signed,
    names_of,
    shown,
)
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle, ProseFact, TlsSeen
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.sentences import sentence, speaks_of
from gatepost.exchange.source import Fact

_EXPIRED, _UNKNOWN_CA, _REVOKED = 45, 48, 44


_EXPIRED_ROOTS = "trust-chain.expired-roots"

_RESTART = Fix("Exchange", "Restart-Service MSExchangeTransport; Restart-Service MSExchangeFrontEndTransport")


def _told(bundle: EvidenceBundle, name: str) -> list[Cited]:
    """Where a reply, an event, a tool or a log says it."""
    facts: list[Fact] = [each for each in bundle.replies if speaks_of(each.text, name) or speaks_of(each.attr, name)]
    facts += [each for each in bundle.queue_errors if speaks_of(each.last_error, name)]
    facts += [
        each
        for each in bundle.tls
        if speaks_of(each.failure, name) or (speaks_of(each.chain_status, name) and not _of_the_service(bundle, each))
    ]
    facts += [each for each in bundle.events if speaks_of(f"{each.message} {each.result}", name)]
    facts += [each for each in bundle.verifications if speaks_of(each.text, name)]
    facts += [each for each in bundle.certificates if each.status and speaks_of(each.status, name)]
    seen: dict[tuple[str, int], Cited] = {}
    for each in facts:
        seen.setdefault((each.source.file, each.source.line), cite(each, each.quote[:300]))
    return list(seen.values())


def _of_the_service(bundle: EvidenceBundle, tls: TlsSeen) -> bool:
    """Whether the judged certificate is the service's own: this side received it."""
    remote = (each for each in bundle.certificates if each.role == "remote" and each.session_id == tls.session_id)
    return any("outlook.com" in name for each in remote for name in each.all_names)


def _alert(bundle: EvidenceBundle, number: int) -> list[Cited]:
    return [cite(each) for each in bundle.tls if each.alert == number and each.log_owner_is != "server"]


def _peers_certificate_rejected(bundle: EvidenceBundle) -> bool:
    """Whether it is the sender's side that did not trust the server: C05, K, not the client certificate."""
    return any(
        speaks_of(each.text, "trust-chain-peers-certificate-rejected.shown") or each.enhanced in ("4.4.317", "4.7.320")
        for each in bundle.replies
    )


def _judged_here(bundle: EvidenceBundle) -> bool:
    """Whether the verdict is this side's own about the peer: 4.7.5 in its own queue."""
    return any(each.enhanced == "4.7.5" and each.kind == "queue" and not each.inner for each in bundle.replies)


def _shows(certificate: CertificateSeen) -> Cited:
    return cite(
        certificate.source,
        f"{shown(certificate)}, issued by {certificate.issuer.text if certificate.issuer else 'an issuer not shown'}",
    )


def _chain_lengths(bundle: EvidenceBundle) -> list[Cited]:
    """Evidence that only the leaf is sent."""
    said = [cite(each) for each in bundle.prose if speaks_of(each.quote, "trust-chain-chain-lengths.said")]
    for each in bundle.postfix_settings:
        if each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files") and speaks_of(
            each.value, "trust-chain-chain-lengths.shown"
        ):
            said.append(cite(each, f"{each.quote}: by its name, the leaf alone"))
    return said


@rule("intermediates-not-sent", "C01", title="The intermediate certificates are not sent", side="sender")
def intermediates_not_sent(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    capi = [
        cite(each, each.quote[:300])
        for each in bundle.events
        if speaks_of(f"{each.result} {each.message}", "trust-chain.no-issuer")
        and (each.event_id in (11, 30) or "CAPI" in each.provider.upper())
    ]
    tool = [
        cite(each)
        for each in bundle.verifications
        if each.code in (20, 21) or speaks_of(each.text, "trust-chain.no-issuer")
    ]
    client_side = [cite(each) for each in bundle.tls if each.alert == _UNKNOWN_CA and each.log_owner_is != "server"]
    statuses = [
        cite(each)
        for each in bundle.tls
        if each.log_owner_is == "server" and speaks_of(each.chain_status, "trust-chain.no-issuer")
    ]
    leaf_only = _chain_lengths(bundle)
    certificate = facts.presented
    if certificate is not None and (is_self_signed(certificate) or is_public(certificate) is False):
        return None
    files = {each.source.file for each in bundle.certificates if each.role == "intermediate" and not each.self_signed}
    own_files = [
        each for each in bundle.certificates if each.role in ("file", "new") and each.depth == 0 and each.thumbprint
    ]
    file_is_leaf_only = [each for each in own_files if each.source.file not in files and not is_self_signed(each)]
    if _peers_certificate_rejected(bundle) and not facts.attribution_refusals:
        return _listener_not_trusted(bundle, facts)
    if (
        facts.presented
        and at(facts.presented.not_after)
        and facts.failed_at
        and (at(facts.presented.not_after) or 0) < facts.failed_at
    ):
        return None
    evidence = [*capi[:2], *tool[:1], *statuses[:1], *leaf_only[:2], *client_side[:1]]
    match = facts.matching_connector
    if match and certificate and facts.no_tenant_found and not facts.certificate_withheld:
        evidence += [
            cite(certificate.source, f"the session presents {shown(certificate)}"),
            cite(
                match.where("TlsSenderCertificateName"),
                f"connector {match.label} has that very name, is enabled, and the session was refused all the same",
            ),
        ]
    untrusted = (
        _told(bundle, "trust-chain.untrusted-root")
        if certificate is not None and is_public(certificate) and not _peers_certificate_rejected(bundle)
        else []
    )
    untrusted = [each for each in untrusted if "4.7.5" not in each.says]  # the sender's own verdict on the peer
    evidence += untrusted[:1]
    hard = bool(capi or tool or statuses)
    # ATTR36 says that the connector did match, so the chain was good.
    inferred = bool(match and certificate and certificate.role == "sent" and facts.no_tenant_found)
    if not (hard or leaf_only or inferred or client_side or untrusted):
        return None
    if not (facts.attribution_refusals or client_side or facts.tls_failures or facts.failed_relay):
        return None
    if client_side and not (hard or leaf_only) and not file_is_leaf_only and not inferred:
        confidence, specificity = "medium", 72
    elif hard or (leaf_only and inferred):
        confidence, specificity = (
            ("high" if (facts.attribution_refusals or client_side) and (inferred or capi) else "medium"),
            92,
        )
    elif leaf_only:
        confidence, specificity = "medium", 84
    else:
        confidence, specificity = "medium", 71
    if file_is_leaf_only and not hard:
        evidence.append(cite(file_is_leaf_only[0], f"{file_is_leaf_only[0].source.file} holds the leaf alone"))
        specificity = max(specificity, 80)
    issuer = certificate.issuer.common_name if certificate and certificate.issuer else "the issuer"
    return found(
        confidence,  # type: ignore[arg-type]
        specificity,
        f"The certificate's name is right, but its intermediate ({issuer}) is not sent along, and the service does not fetch it: unverified, the certificate does not count.",
        [*evidence, *[cite(each) for each in facts.attribution_refusals[:1]]],
        fix=[
            Fix(
                "Exchange",
                "Import-Certificate -FilePath C:\\intermediate.cer -CertStoreLocation Cert:\\LocalMachine\\CA",
            ),
            _RESTART,
            Fix(
                "Postfix",
                "postconf -e 'smtp_tls_cert_file = /etc/ssl/relay/fullchain.pem' && postfix reload   # leaf first, then the intermediates",
            ),
        ],
        verify="The relay sees a chain of two or more: openssl s_client -starttls smtp -connect HOST:25 -cert leaf.pem -cert_chain chain.pem -key key.pem",
        missing=()
        if hard
        else ("CAPI2 log (event 30) of the sending server, or openssl verify of the file presented",),
    )


def _listener_not_trusted(bundle: EvidenceBundle, facts: Derived) -> Finding | None:
    """The other direction: the cloud does not trust what this server's listener presents."""
    said = [cite(each) for each in bundle.replies if speaks_of(each.text, "trust-chain.untrusted-root")]
    said = said or [
        cite(each) for each in bundle.queue_errors if speaks_of(each.last_error, "trust-chain.untrusted-root")
    ]
    if not said or any(is_self_signed(each) for each in facts.leaves):
        return None
    leaf_only = _chain_lengths(bundle)
    return found(
        "medium",
        90 if leaf_only else 82,
        "The cloud does not trust the certificate your server presents: its intermediates are not sent along, or its root is unknown there.",
        [*said[:2], *leaf_only[:2]],
        fix=[
            Fix(
                "Exchange",
                "Import-Certificate -FilePath C:\\intermediate.cer -CertStoreLocation Cert:\\LocalMachine\\CA",
            ),
            _RESTART,
        ],
        verify="openssl s_client -starttls smtp -showcerts -connect HOST:25 shows two certificates or more; the cloud's queue drains.",
        missing=("the chain the server presents: openssl s_client -starttls smtp -showcerts -connect HOST:25",),
        catalogue=("C01", "C02"),
    )


@rule(
    "private-or-self-signed-certificate",
    "C02",
    title="The certificate comes from no authority the service trusts",
    side="pki",
)
def private_or_self_signed_certificate(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    refused = _told(bundle, "trust-chain.untrusted-root")
    if _peers_certificate_rejected(bundle) or _judged_here(bundle):
        refused = []
    certificate = facts.presented
    private = certificate if certificate is not None and is_public(certificate) is False else None
    unknown = certificate if certificate is not None and certificate.issuer and is_public(certificate) is None else None
    if private is None:
        bound = [each for each in facts.leaves if each.smtp_bound and is_public(each) is False]
        private = (
            bound[0]
            if refused and len(bound) == 1 and not any(is_public(each) and each.smtp_bound for each in facts.leaves)
            else None
        )
    if private is None and (
        (certificate is not None and is_public(certificate))
        or any(each.smtp_bound and is_public(each) for each in facts.leaves)
    ):
        return None
    codes = [cite(each) for each in bundle.verifications if each.code in (18, 19)]
    verdict = refused or codes
    if not private and not refused:
        return None
    if private and not verdict and not facts.attribution_refusals and _UNKNOWN_CA not in facts.alerts:
        return None
    if private and all(is_internal_name(name) for name in names_of(private)) and not verdict:
        return None
    return found(
        "high" if private and refused else "medium",
        93 if private and verdict else 84 if private else 80,
        f"{shown(private) if private else 'The certificate presented'} is {'self-signed' if private and is_self_signed(private) else 'from an authority'}"
        + (
            ": no trusted root stands behind it."
            if private and is_self_signed(private)
            else " the receiving service does not trust."
        ),
        [*refused[:2], *codes[:1], *([_shows(one)] if (one := private or unknown) else [])],
        fix=[
            Fix("PKI", "get a certificate for the same name from a public authority: Exchange Online takes no other"),
            Fix(
                "Gatepost",
                "gatepost inbound-connector set TENANT NAME --add-trust-anchor your-root.pem   # Gatepost can trust your own authority, for you alone",
            ),
        ],
        verify="The new certificate's issuer is public; the session is accepted.",
        missing=() if private else ("the certificate presented, with its issuer",),
        symptom=private is None and unknown is None,
    )


def _renew_file(bundle: EvidenceBundle, name: str) -> Fix:
    """Renewal of the file Postfix is set to present."""
    in_use = next(
        (each.value for each in bundle.postfix_settings if each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files")),
        "",
    )
    path = in_use.split(",")[0].strip()
    if path and "/live/" not in path and "letsencrypt" not in path:
        return Fix(
            "Postfix",
            f"# put a renewed certificate for {name}, with its intermediates, into {path}; then: postfix reload",
        )
    kept = speaks_of(path, "trust-chain-renew-file.kept")
    return Fix("Postfix", f"certbot renew --cert-name {shell_quoted(kept[1] if kept else name)} && postfix reload")


@rule("certificate-expired", "C03", title="The certificate has expired", side="sender")
def certificate_expired(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    # A tool's word counts as the peer's only where it is about the leaf: above it, or at a depth not told, it may be C06.
    of_others = {each.source for each in bundle.verifications if each.depth != 0}
    said = [each for each in _told(bundle, "trust-chain.expired-words") if each.source not in of_others]
    if _peers_certificate_rejected(bundle):
        said = []
    alert = _alert(bundle, _EXPIRED)
    above = any(each.code == 10 and (each.depth or 0) > 0 for each in bundle.verifications)
    if above and not alert and not any(each.code == 10 and each.depth == 0 for each in bundle.verifications):
        return None  # C06: it is a certificate above the leaf that has expired
    codes = [
        cite(each)
        for each in bundle.verifications
        if each.code == 10
        and not speaks_of(each.subject + each.text, "certificate-expired.codes")
        and each.depth in (0, None)
    ]
    when = facts.failed_at
    expired = next(
        (each for each in facts.leaves if _had_expired(each, facts, told=bool(alert or said or codes))), None
    )
    if not (said or alert or codes) and not (expired and (facts.failed_relay or facts.lost_after_certificate)):
        still_good = facts.presented
        if still_good and when and (at(still_good.not_after) or 0) > when:
            return ruled_out(
                f"the certificate is valid until {still_good.not_after.text if still_good.not_after else 'later'}",
                cite(still_good),
            )
        return None
    if expired is None and any(
        each.depth and each.issuer and speaks_of(each.issuer.text, _EXPIRED_ROOTS) for each in bundle.certificates
    ):
        return None  # C06: the chain served ends in an expired root
    clock_wrong = any(bundle.prose_of("clock"))
    sure = bool((alert or said) and not clock_wrong and (expired or said))
    name = shown(expired) if expired else "The certificate presented"
    until = f" at {expired.not_after.text}" if expired and expired.not_after else ""
    return found(
        "high" if sure else "medium",
        95
        if (alert or said) and expired
        else 93
        if alert or said
        else 88
        if expired and (expired.role == "sent" or facts.lost_after_certificate)
        else 74,
        f"{name} expired{until}; the peer refuses it.",
        [
            *said[:2],
            *alert[:1],
            *codes[:1],
            *([cite(expired, f"valid until {expired.not_after.text if expired.not_after else ''}")] if expired else []),
        ],
        fix=[
            _renew_file(bundle, names_of(expired)[0] if expired and names_of(expired) else "NAME"),
            Fix(
                "Postfix",
                "postconf -e 'smtp_tls_security_level = encrypt' && postfix reload   # a TLS failure then defers instead of bouncing",
            ),
            Fix(
                "Exchange",
                "Get-ExchangeCertificate | Format-Table 'Thumbprint','NotAfter','Services','Subject'   # import the renewed one, enable SMTP, set TlsCertificateName, restart transport",
            ),
        ],
        verify="openssl x509 -noout -enddate of the file in use is in the future; the next session is accepted.",
    )


def _had_expired(certificate: CertificateSeen, facts: Derived, *, told: bool) -> bool:
    """Whether it is the sender's, in use, and was past its end when the failure happened."""
    ended, when = at(certificate.not_after), facts.failed_at
    if ended is None or certificate.not_after is None or (certificate.role == "old" and not told):
        return False
    if certificate.status == "Valid" and not told:  # the tool that listed it said so on the day
        return False
    until = ended - (0 if certificate.not_after.certainty != "day" else 86400)
    if (until > when) if when is not None else not told:
        return False
    if certificate.role == "stored":
        return certificate.smtp_bound is not False and not _newer_is_stored(facts, certificate)
    foreign = certificate.role == "file" and facts.sent
    return not foreign or any(set(names_of(certificate)) & set(names_of(sent)) for sent in facts.sent)


def _newer_is_stored(facts: Derived, old: CertificateSeen) -> bool:
    return any(
        (at(each.not_after) or 0) > (at(old.not_after) or 0) and set(names_of(each)) & set(names_of(old))
        for each in facts.stored
    )


@rule(
    "certificate-revoked-or-uncheckable",
    "C04",
    title="The certificate is revoked, or its revocation cannot be checked",
    side="network",
)
def certificate_revoked_or_uncheckable(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    uncheckable = _told(
        bundle,
        "certificate-revoked-or-uncheckable.uncheckable",
    )
    revoked = _told(bundle, "certificate-revoked-or-uncheckable.revoked") + _alert(bundle, _REVOKED)
    proxy = sentence(bundle, "certificate-revoked-or-uncheckable.proxy")
    if not uncheckable and not revoked:
        uncheckable = [
            cite(each)
            for each in bundle.prose
            if speaks_of(each.quote, "certificate-revoked-or-uncheckable.uncheckable-2")
        ]
    if not uncheckable and not revoked:
        return None
    return found(
        "high" if revoked and facts.failed_relay else "medium",
        92 if revoked else 87 if facts.failed_relay else 70,
        "The certificate is revoked." if revoked else "The server cannot check whether its certificate is revoked, so Exchange treats it as unusable.",
        [*revoked[:2], *uncheckable[:2], *([cite(proxy)] if proxy else [])],
        fix=[Fix("PKI", "have the certificate reissued")] if revoked else [
            Fix("Windows", "netsh winhttp set proxy 'proxy-server=proxy.example:8080' 'bypass-list=<local>'   # let the server reach the CRL and OCSP hosts"),
            Fix("network", "allow HTTP to the CRL and OCSP hosts named in the certificate"),
        ],
        verify="certutil -verify -urlfetch CERT.cer ends without an error; Status of Get-ExchangeCertificate is Valid.",
    )  # fmt: skip


@rule("trust-store-frozen", "C05", title="The local trust store lacks the peer's new root", side="sender")
def trust_store_frozen(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:

    root = next(
        (
            each
            for each in (
                *bundle.prose,
                *bundle.events,
                *bundle.verifications,
                *bundle.tls,
                *bundle.postfix_tls,
                *bundle.certificates,
            )
            if speaks_of(each.quote, "trust-store-frozen.pattern")
        ),
        None,
    )
    frozen = sentence(bundle, "trust-store-frozen.frozen")
    registry = next(
        (each for each in (*bundle.commands, *bundle.health) if speaks_of(each.quote, "trust-store-frozen.registry")),
        None,
    )
    server_untrusted = next(
        (
            each
            for each in bundle.postfix_tls
            if each.kind == "verify-problem" or speaks_of(each.text, "trust-store-frozen.server-untrusted")
        ),
        None,
    )
    outbound = next(
        (each for each in (*bundle.tls, *bundle.queue_errors, *bundle.replies)
         if speaks_of(each.quote, "trust-store-frozen.outbound")), None
    )  # fmt: skip
    pkix = next(
        (
            each
            for each in (*bundle.prose, *bundle.replies, *bundle.names)
            if speaks_of(each.quote, "trust-store-frozen.pkix")
        ),
        None,
    )
    remote = next((each for each in bundle.certificates if each.role == "remote"), None)
    says_server = server_untrusted or pkix or (outbound if (remote or root) and not facts.sent else None)
    if facts.attribution_refusals and not server_untrusted and not root:
        return None
    if not (root and (says_server or outbound or frozen)) and not (says_server and (frozen or registry)):
        return None
    evidence = [
        cite(each, each.quote[:300])
        for each in dict.fromkeys((root, says_server or outbound, frozen, registry))
        if each
    ]
    return found(
        "high" if root and (says_server or outbound) and (frozen or registry) else "medium",
        93 if root and (says_server or outbound) else 84,
        "This side does not trust the service's certificate: its root was rotated (to DigiCert Global Root G2) and the local trust store was not updated.",
        evidence,
        fix=[
            Fix(
                "Windows",
                "certutil -generateSSTFromWU roots.sst; Import-Certificate -FilePath DigiCertGlobalRootG2.crt -CertStoreLocation Cert:\\LocalMachine\\Root   # thumbprint DF3C24F9BFD666761B268073FE06D1CC8D4F82A4",
            ),
            Fix(
                "Windows",
                "Remove-ItemProperty -Path HKLM:\\SOFTWARE\\Policies\\Microsoft\\SystemCertificates\\AuthRoot -Name DisableRootAutoUpdate",
            ),
            Fix(
                "Postfix",
                "update-ca-certificates && postfix reload   # and smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt",
            ),
        ],
        verify="certutil -verifyctl AuthRoot shows a recent sync; the session's certificate verifies.",
    )


@rule("wrong-chain-served", "C06", title="A chain over an expired root is served", side="sender")
def wrong_chain_served(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    when = facts.failed_at
    cross = next(
        (each for each in bundle.certificates if each.role in ("root", "intermediate") or each.is_authority or each.depth if speaks_of(f"{each.subject.text if each.subject else ''} {each.issuer.text if each.issuer else ''}", _EXPIRED_ROOTS)), None
    )  # fmt: skip
    stale = next(
        (
            each
            for each in bundle.certificates
            if (each.role in ("root", "intermediate") or each.is_authority)
            and when
            and at(each.not_after)
            and (at(each.not_after) or 0) < when
        ),
        None,
    )
    tool = next(
        (
            each
            for each in bundle.verifications
            if each.code == 10 and ((each.depth or 0) > 0 or speaks_of(each.subject + each.text, _EXPIRED_ROOTS))
        ),
        None,
    )
    told = next((each for each in (*bundle.prose, *bundle.events) if speaks_of(each.quote, _EXPIRED_ROOTS)), None)
    proof = stale or tool or cross or told
    if not proof:
        return None
    if not (facts.failed_relay or tool):
        return None
    leaf = facts.presented
    if leaf is not None and when and at(leaf.not_after) and (at(leaf.not_after) or 0) < when:
        return None
    return found(
        "high" if (stale or tool) and facts.failed_relay else "medium",
        93 if stale or tool else 86,
        "The leaf is valid, but it is presented with a chain that ends in an expired root; a valid shorter one exists.",
        [cite(each, each.quote[:300]) for each in dict.fromkeys((stale, tool, cross, told)) if each][:3],
        fix=[
            Fix(
                "Windows",
                "Get-ChildItem 'Cert:\\LocalMachine\\CA','Cert:\\LocalMachine\\Root' | Where-Object { $_.NotAfter -lt (Get-Date) } | Format-List 'Subject','Issuer','NotAfter','Thumbprint'   # remove the expired cross-sign among them",
            ),
            _RESTART,
            Fix("Postfix", "certbot renew --force-renewal --preferred-chain 'ISRG Root X1' && postfix reload"),
        ],
        verify="The chain served ends in a root that is valid today.",
    )


@rule(
    "clock-or-not-yet-valid", "C07", "C03", title="The certificate is not valid yet, or a clock is wrong", side="sender"
)
def clock_or_not_yet_valid(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    # CERT_TRUST_IS_NOT_TIME_VALID says that some element is outside its time, and not on which side.
    said = _told(bundle, "clock-or-not-yet-valid.said")
    codes = [cite(each) for each in bundle.verifications if each.code == 9]
    clock = next(bundle.prose_of("clock"), None)
    when = facts.failed_at
    early = next(
        (each for each in facts.leaves if each.role != "old" and when and at(each.not_before) and (at(each.not_before) or 0) > when + 60 and (at(each.not_before) or 0) - when < 400 * 86400
         and (each.role in ("sent", "new", "file"))), None
    )  # fmt: skip
    if (
        not said
        and not codes
        and not (early and (clock or facts.tls_failures or early.role == "sent"))
        and not (clock and (facts.tls_failures or _EXPIRED in facts.alerts))
    ):
        return None
    return found(
        "high" if (said or codes) and (early or clock) else "medium",
        96 if clock and (early or said or codes) else 92 if said or codes or early else 82,
        "The certificate counts as not valid yet: its beginning lies after the time of the session, as a wrong clock makes it.",
        [
            *said[:1],
            *codes[:1],
            *([cite(early, f"valid from {early.not_before.text if early.not_before else ''}")] if early else []),
            *([cite(clock)] if clock else []),
        ],
        fix=[
            Fix("Windows", "w32tm /resync; w32tm /query /status"),
            Fix("Postfix", "chronyc makestep && timedatectl"),
        ],
        verify="date -u is right on the sender, and lies after the certificate's notBefore.",
    )


@rule(
    "root-not-yet-trusted",
    "C09",
    "C02",
    title="The authority's new root is not in the service's programme yet",
    side="pki",
)
def root_not_yet_trusted(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:

    chain = next(
        (
            each
            for each in bundle.certificates
            if each.role not in ("old", "remote")
            and each.issuer
            and speaks_of(each.issuer.text, "root-not-yet-trusted.new-root")
        ),
        None,
    )
    said = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "root-not-yet-trusted.new-root")
            or speaks_of(each.quote, "root-not-yet-trusted.said")
        ),
        None,
    )
    untrusted = [
        *_told(bundle, "trust-chain.untrusted-root"),
        *_alert(bundle, _UNKNOWN_CA),
        *[cite(each) for each in bundle.verifications if each.code in (19, 20, 2)],
    ]
    if not (chain or said) or not (untrusted or (facts.attribution_refusals and (said or facts.matching_connector))):
        return None
    return found(
        "medium",
        94 if untrusted and chain else 84,
        "The newest certificate hangs on a new root of its authority, which the receiving service may not have in its programme yet; the ones before it passed.",
        [*untrusted[:1], *([_shows(chain)] if chain else []), *([cite(said)] if said else [])],
        fix=[
            Fix(
                "PKI",
                "certbot renew --force-renewal --preferred-chain 'ISRG Root X1'   # the chain that is cross-signed by the old root",
            )
        ],
        verify="The chain presented ends in a root that the older certificate had.",
    )


def _issued_after_cut_off(bundle: EvidenceBundle) -> ProseFact | None:
    """Somebody's word that of one such authority's certificates the older passes and the newer does not."""
    named = next((each for each in bundle.prose if speaks_of(each.quote, "trust-chain.distrusted")), None)
    dated = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "trust-chain-issued-after-cut-off.dated")
            and speaks_of(each.quote, "trust-chain-issued-after-cut-off.dated-2")
        ),
        None,
    )
    return dated if named else None


@rule("authority-distrusted", "C10", "C02", title="The authority is distrusted from a date on", side="pki")
def authority_distrusted(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    certificate = facts.presented
    said = sentence(bundle, "authority-distrusted.said")
    entrust = (
        certificate
        if certificate and certificate.issuer and speaks_of(certificate.issuer.text, "authority-distrusted.entrust")
        else None
    )
    issued = at(entrust.not_before) if entrust else None
    after_cut = issued is not None and issued > 1731369600  # 2024-11-12: Entrust's cut-off in the large root programmes
    untrusted = [*_told(bundle, "authority-distrusted.untrusted"), *_alert(bundle, _UNKNOWN_CA)]
    if certificate is None and (told := _issued_after_cut_off(bundle)) and untrusted:
        return found(
            "medium",
            92,
            "The certificate's authority is distrusted for what it issued after a cut-off date; older certificates of it still pass.",
            [*untrusted[:1], cite(told)],
            fix=[Fix("PKI", "get the certificate from another authority, with the same name")],
            verify="The new certificate's issuer is another authority; the session is accepted.",
            missing=("both certificates as PEM",),
        )
    if not (entrust and (after_cut or said)) and not (said and speaks_of(said.quote, "authority-distrusted.shown")):
        return None
    if not (untrusted or said or facts.attribution_refusals):
        return None
    return found(
        "medium",
        93 if entrust and (untrusted or said) else 78,
        "The certificate's authority is distrusted for what it issued after a cut-off date; older certificates of it still pass.",
        [
            *untrusted[:1],
            *(
                [
                    cite(
                        entrust,
                        f"issued by {entrust.issuer.text if entrust.issuer else ''} at {entrust.not_before.text if entrust.not_before else ''}",
                    )
                ]
                if entrust
                else []
            ),
            *([cite(said)] if said else []),
        ],
        fix=[
            Fix("PKI", "get the certificate from another authority, with the same name"),
            Fix(
                "Exchange",
                "$cert = Get-ExchangeCertificate -Thumbprint '<new>'; Set-SendConnector -Identity '<connector>' -TlsCertificateName "
                + '"<I>$($cert.Issuer)<S>$($cert.Subject)"   # the issuer changes',
            ),
        ],
        verify="The new certificate's issuer is another authority; the session is accepted.",
    )
