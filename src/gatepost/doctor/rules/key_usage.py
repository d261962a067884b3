"""Family D: the certificate may not be used as a client's, by what it says itself."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from gatepost.doctor.certificates_told import shown
from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle, PostfixDelivery
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule, ruled_out
from gatepost.doctor.sentences import sentence, speaks_of

_UNSUPPORTED_CERTIFICATE = 43


def _without_client(certificate: CertificateSeen) -> bool:
    if certificate.purposes is None:
        return False
    purposes = {each.casefold().replace(" ", "") for each in certificate.purposes}
    return not any(
        "client" in each or "any" in each or each.startswith("1.3.6.1.5.5.7.3.2") for each in purposes
    ) and any("server" in each or each == "1.3.6.1.5.5.7.3.1" for each in purposes)


def _with_client(certificate: CertificateSeen) -> bool:
    return certificate.purposes is not None and any("client" in each.casefold() for each in certificate.purposes)


def _late_loss(bundle: EvidenceBundle) -> PostfixDelivery | None:
    """A session established with a client certificate and lost at EHLO: TLS 1.3's refusal that comes afterwards."""
    established = {
        each.process
        for each in bundle.postfix_tls
        if each.kind == "established" and each.client_certificate_sent is not False and each.protocol in ("TLSv1.3", "")
    }
    return next(
        (
            each
            for each in bundle.postfix_deliveries
            if speaks_of(each.response, "key-usage-late-loss.shown") and each.process in established
        ),
        None,
    )


def _peer_is_microsoft(bundle: EvidenceBundle) -> bool:
    names = (
        [each.relay for each in bundle.postfix_deliveries]
        + [each.said_by + each.trailer_host for each in bundle.replies]
        + [each.remote_name for each in bundle.sessions]
    )
    names += [each.peer for each in bundle.tls]
    return any("outlook.com" in each.casefold() or "office365" in each.casefold() for each in names)


def _said_by_verifier(bundle: EvidenceBundle, depths: tuple[int | None, ...]) -> list[Cited]:
    return [
        cite(each)
        for each in bundle.verifications
        if (each.code == 26 or speaks_of(each.text, "key-usage.purpose")) and each.depth in depths
    ]


@rule(
    "no-client-purpose",
    "D01",
    title="The certificate is for servers only, and the relay demands the client purpose",
    side="tenant",
)
def no_client_purpose(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    alert = [
        cite(each)
        for each in bundle.tls
        if each.alert == _UNSUPPORTED_CERTIFICATE or speaks_of(each.failure, "no-client-purpose.alert")
    ]
    verifier = _said_by_verifier(bundle, (0, None))
    reasons = [
        cite(each, f"{code}: {says}")
        for each in bundle.verdicts
        for code, _, says in each.reasons
        if "purpose" in code or "client-auth" in code
    ]
    leaf = next(
        (
            each
            for each in (facts.presented, *(each for each in facts.leaves if each.role != "old"))
            if each is not None and _without_client(each)
        ),
        None,
    )
    if _said_by_verifier(bundle, (1, 2, 3)) and not verifier and not (leaf and alert):
        return None
    lost = _late_loss(bundle)
    had_it = facts.renewal is not None and leaf is not None and _with_client(facts.renewal.old)
    hard = alert or verifier or reasons
    if leaf is None and not hard:
        presented = facts.presented
        if presented is not None and _with_client(presented) and (facts.attribution_refusals or facts.tls_failures):
            return ruled_out(
                "the certificate has the client purpose",
                cite(presented.source, f"extended key usage: {', '.join(presented.purposes or ())}"),
            )
        return None
    if leaf is not None and not hard and not lost and not facts.tls_failures and not facts.attribution_refusals:
        return None
    microsoft = _peer_is_microsoft(bundle)
    if microsoft and not hard:
        return None  # nothing public says that Exchange Online demands the client purpose
    if facts.alerts and not alert and not lost:
        return None
    if leaf is not None and not hard and not lost and not had_it:
        return None
    sure = bool(hard and leaf and not microsoft)
    return found(
        "high" if sure else "medium",
        95 if (alert and leaf) or (verifier and leaf) else 92 if had_it and lost else 88 if hard else 80,
        (f"The new certificate of {shown(leaf)} is for servers only" if leaf else "The certificate is for servers only")
        + (", where the old one was for clients too" if had_it else "")
        + ": a relay that demands the client purpose refuses it"
        + (", in TLS 1.3 only after the session was established." if lost else "."),
        [
            *alert[:1],
            *verifier[:1],
            *reasons[:1],
            *([cite(leaf.source, f"extended key usage: {', '.join(leaf.purposes or ())}")] if leaf else []),
            *(
                [cite(facts.renewal.old.source, f"before: {', '.join(facts.renewal.old.purposes or ())}")]
                if had_it and facts.renewal
                else []
            ),
            *([cite(lost)] if lost else []),
        ],
        fix=[
            Fix(
                "Postfix",
                "postconf -e 'tls_trust_server_ccerts = yes' && postfix reload   # on the relay, Postfix 3.12; or pin the public key with check_ccert_access",
            ),
            Fix(
                "Gatepost",
                "# nothing to do: Gatepost as relay accepts a certificate for servers unless its listener demands the client purpose",
            ),
            Fix(
                "PKI",
                "on the sender: a certificate from a private authority the relay trusts, or a product that still has the client purpose",
            ),
        ],
        verify="openssl verify -purpose sslclient -untrusted chain.pem leaf.pem says OK, or the relay no longer asks for that purpose.",
        missing=() if sure else ("the relay's own log of that session: why it hung up",),
    )


@rule(
    "intermediate-without-client-purpose",
    "D02",
    "D01",
    title="The intermediate is limited to servers, though the leaf is not",
    side="pki",
)
def intermediate_without_client_purpose(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = _said_by_verifier(bundle, (1, 2, 3))
    said += [cite(each) for each in bundle.signs if each.kind == "authority-not-for-clients"]
    authority = next(
        (
            each
            for each in bundle.certificates
            if (each.role == "intermediate" or each.is_authority) and _without_client(each)
        ),
        None,
    )
    leaf = next((each for each in facts.leaves if each.role != "old" and _with_client(each)), None)
    if not said and not (authority and leaf):
        return None
    if not said and not facts.tls_failures and not facts.failed_relay:
        return None
    if authority is None and leaf is None and not said:
        return None
    return found(
        "high" if said and (leaf or authority) else "medium",
        96 if said else 90,
        "The leaf is for clients too, but the intermediate above it is limited to servers, and a chain may do no more than each of its members.",
        [
            *said[:2],
            *(
                [
                    cite(
                        authority.source,
                        f"{shown(authority)}: extended key usage {', '.join(authority.purposes or ())}",
                    )
                ]
                if authority
                else []
            ),
            *(
                [cite(leaf.source, f"{shown(leaf)}: extended key usage {', '.join(leaf.purposes or ())}")]
                if leaf
                else []
            ),
        ],
        fix=[
            Fix(
                "PKI",
                f"Reissue the certificate under another issuing authority than {shown(authority) if authority else 'that intermediate'}: an intermediate whose extended key usage holds clientAuth (TLS Web Client Authentication) or that has none, or a private authority; nothing that this one issues can be a client's",
            ),
            Fix(
                "Postfix",
                "postconf -e 'tls_trust_server_ccerts = yes' && postfix reload   # on the relay, Postfix 3.12; or pin the public key",
            ),
        ],
        verify="openssl verify -purpose sslclient -untrusted chain.pem leaf.pem says OK at every depth.",
    )


@rule("key-usage-without-signature", "D03", title="The key may not sign, and TLS 1.3 needs a signature", side="pki")
def key_usage_without_signature(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    leaf = next(
        (each for each in facts.leaves if each.role != "old" and each.key_usage and not any("digitalsignature" in usage.casefold().replace(" ", "") for usage in each.key_usage)
         and any("encipher" in usage.casefold() for usage in each.key_usage)), None
    )  # fmt: skip
    if leaf is None:
        return None
    only_13 = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "key-usage-without-signature.only-13")
            and speaks_of(each.quote, "key-usage-without-signature.only-13-2")
        ),
        None,
    )
    failed = [cite(each) for each in facts.tls_failures[:1]]
    if not (failed or only_13 or facts.failed_relay):
        return None
    return found(
        "high" if only_13 and failed else "medium",
        91 if only_13 else 84,
        "The certificate's key usage lacks digitalSignature; TLS 1.3 authenticates by signature only, so the handshake fails there and not with TLS 1.2.",
        [
            cite(leaf.source, f"key usage: {', '.join(leaf.key_usage or ())}"),
            *failed,
            *([cite(only_13)] if only_13 else []),
        ],
        fix=[Fix("PKI", "have the certificate reissued with key usage digitalSignature (and keyEncipherment for RSA)")],
        verify="openssl x509 -noout -ext keyUsage shows Digital Signature; a TLS 1.3 session is established.",
    )


@rule(
    "server-certificate-offered-to-everyone",
    "D04",
    "B15",
    title="The server certificate is offered as client certificate to everyone who asks",
    side="sender",
)
def server_certificate_offered_to_everyone(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    everywhere = next(
        (
            each
            for each in bundle.postfix_settings
            if not each.service and each.name in ("smtp_tls_cert_file", "smtp_tls_chain_files") and each.value.strip()
        ),
        None,
    )
    server_only = next((each for each in facts.leaves if each.role != "old" and _without_client(each)), None)
    relayhost = bundle.postfix_setting("relayhost")
    next_hop = relayhost.value.strip("[]").split("]")[0] if relayhost else ""
    failing = {
        each.relay
        for each in bundle.postfix_deliveries
        if speaks_of(each.response, "server-certificate-offered-to-everyone.failing")
    } - {"", next_hop}
    said = sentence(bundle, "server-certificate-offered-to-everyone.said")
    if facts.attribution_refusals or not everywhere or not server_only or not (failing or said):
        return None
    if _UNSUPPORTED_CERTIFICATE not in facts.alerts and not (failing and said):
        return None
    if next_hop and not failing:
        return None
    return found(
        "medium",
        97,
        "The server's certificate, which is for servers only now, is offered as client certificate to every destination that asks for one; some refuse it.",
        [
            cite(everywhere),
            cite(server_only.source, f"extended key usage: {', '.join(server_only.purposes or ())}"),
            *([cite(said)] if said else []),
        ],
        fix=[
            Fix(
                "Postfix",
                "postconf -X smtp_tls_cert_file smtp_tls_key_file smtp_tls_chain_files && postfix reload   # none by default; set it with -o on the relay's transport",
            )
        ],
        verify="Mail to the destinations that failed is delivered; the relay's own sessions still present the certificate.",
    )
