"""Family I: no TLS version, cipher suite or hello in common."""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut, cite, found, rule
from gatepost.doctor.sentences import sentence, speaks_of

_HANDSHAKE_FAILURE, _PROTOCOL_VERSION, _INSUFFICIENT_SECURITY = 40, 70, 71


def _socket_errors(bundle: EvidenceBundle) -> list[Cited]:
    said = [cite(each) for each in bundle.tls if speaks_of(each.failure, "tls-version-socket-errors.said")]
    said += [cite(each) for each in bundle.queue_errors if "SocketError" in each.last_error]
    said += [cite(each) for each in bundle.replies if "SocketError" in each.text]
    return list(dict.fromkeys(said))


@rule("only-old-tls-versions", "I01", title="The sender only speaks TLS 1.0 or 1.1", side="sender")
def only_old_tls_versions(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    old = next(
        (
            each
            for each in bundle.tls
            if each.log_owner_is != "server"
            and (
                speaks_of(each.protocol, "tls-version.old-protocol")
                or speaks_of(each.quote, "only-old-tls-versions.old")
            )
        ),
        None,
    )
    modern = next(
        (each for each in bundle.tls if speaks_of(each.protocol, "only-old-tls-versions.modern") and each.established),
        None,
    )
    alert = [
        cite(each)
        for each in bundle.tls
        if each.alert == _PROTOCOL_VERSION or speaks_of(each.failure, "only-old-tls-versions.alert")
    ]
    told = sentence(bundle, "only-old-tls-versions.told")
    only_old = next(
        (
            each
            for each in bundle.prose
            if speaks_of(each.quote, "only-old-tls-versions.only-old")
            and not speaks_of(each.quote, "only-old-tls-versions.only-old-2")
        ),
        None,
    )
    alert += [cite(told)] if told and only_old else []
    sockets = _socket_errors(bundle)
    system = next((each for each in bundle.prose if speaks_of(each.quote, "tls-version.old-system")), None)
    schannel = next(
        (
            each
            for each in bundle.events
            if each.event_id in (36871, 36874, 36887, 36888)
            and speaks_of(each.message, "only-old-tls-versions.schannel")
        ),
        None,
    )
    settings = next(
        (
            each
            for each in bundle.postfix_settings
            if each.name in ("smtp_tls_protocols", "smtp_tls_mandatory_protocols")
            and speaks_of(each.value, "only-old-tls-versions.settings")
        ),
        None,
    )
    registry = next(
        (
            each
            for each in (*bundle.commands, *bundle.health)
            if speaks_of(each.quote, "only-old-tls-versions.registry")
            and speaks_of(each.quote, "only-old-tls-versions.registry-2")
        ),
        None,
    )
    proofs = [cite(each, each.quote[:300]) for each in (old, system, schannel, settings, registry, only_old) if each]
    if facts.sent_when_refused and facts.attribution_refusals and not sockets and not alert:
        return None
    if any("timedout" in each.failure.casefold() for each in bundle.tls) and not sockets:
        return None
    seen_offered = (old and facts.failed_relay and not facts.attribution_refusals) or (registry and facts.failed_relay)
    if not (sockets or alert or seen_offered or settings):
        return None
    if modern and not old and not alert:
        return None
    certificate_after = bool(facts.sent) and not alert and not proofs
    if certificate_after:
        return None
    return found(
        "high" if (sockets or alert) and (old or settings or registry) else "medium",
        94 if (sockets or alert) and proofs else 90 if alert else 80,
        "The handshake is cut because the sender offers TLS 1.0 or 1.1 only; the service has taken 1.2 and later since older versions were disabled.",
        [*alert[:1], *sockets[:2], *proofs[:3]],
        fix=[
            Fix(
                "Windows",
                "New-Item 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client' -Force | New-ItemProperty -Name Enabled -Value 1 -PropertyType DWord",
            ),
            Fix(
                "Windows",
                "New-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\.NETFramework\\v4.0.30319' -Name SystemDefaultTlsVersions -Value 1 -PropertyType DWord -Force   # the same for Wow6432Node and for Server; DisabledByDefault = 0; then restart the machine",
            ),
            Fix(
                "Postfix",
                "postconf -e 'smtp_tls_protocols = >=TLSv1.2' 'smtp_tls_mandatory_protocols = >=TLSv1.2' && postfix reload",
            ),
        ],
        verify="The log shows TLS 1.2 (SP_PROT_TLS1_2_CLIENT) or TLSv1.3 and no SocketError.",
        missing=()
        if proofs
        else ("the versions the sender offers: its SChannel settings, operating system and build",),
    )


@rule("hello-too-large-for-middlebox", "I03", title="A box on the way drops the new, larger TLS hello", side="network")
def hello_too_large_for_middlebox(bundle: EvidenceBundle, facts: Derived) -> Finding | RuledOut | None:
    said = sentence(bundle, "hello-too-large-for-middlebox.said")
    seen = next(
        (
            each
            for each in (*bundle.tls, *bundle.commands, *bundle.postfix_settings, *bundle.verifications)
            if speaks_of(each.quote, "hello-too-large-for-middlebox.seen")
        ),
        None,
    )
    failing = [cite(each) for each in facts.tls_failures if each.alert is None]
    failing += [
        cite(each)
        for each in bundle.postfix_tls
        if each.kind in ("lost-connection", "connect-failed", "cannot-start-tls")
    ]
    hanging = sentence(bundle, "hello-too-large-for-middlebox.hanging")
    if not (said or seen) or not (failing or facts.failed_relay or hanging):
        return None
    return found(
        "medium",
        91,
        "Only clients with the newest TLS library fail: their hello, with a post-quantum key share, is larger than one packet, and a box on the way drops it.",
        [*([cite(said)] if said else []), *([cite(seen)] if seen else []), *failing[:1]],
        fix=[
            Fix(
                "network",
                "update the firewall's or IPS's firmware, or except port 25 to the service from TLS inspection",
            ),
            Fix(
                "Postfix",
                "postconf -e 'tls_eecdh_auto_curves = X25519, prime256v1, secp384r1' && postfix reload   # leave the large group out meanwhile",
            ),
        ],
        verify="openssl s_client -starttls smtp -groups X25519 -connect HOST:25 works where the default does not.",
    )
