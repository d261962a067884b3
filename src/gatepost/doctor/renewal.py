"""A renewal rehearsed on paper: what breaks when the next certificate goes in, and the commands before and after.

Nothing is refused yet, so each finding is about what will be: the next certificate held against every object in the
evidence that names, expects or describes the present one. `now` is an argument.
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from collections.abc import Iterator, Sequence
from dataclasses import replace
from shlex import quote as shell_quoted

from gatepost.doctor.addresses import joined
from gatepost.doctor.causes import all_causes
from gatepost.doctor.diagnosis import Diagnosis
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle
from gatepost.doctor.finding import Cited, Finding, Fix, cite, found
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.path.objects import carries
from gatepost.doctor.relay_side import World, alone, by_certificate, world_of
from gatepost.errors import GatepostError
from gatepost.exchange.objects import InboundConnector, ReceiveConnector, SendConnector
from gatepost.exchange.powershell import argument
from gatepost.tenancy.names import WILDCARD, covers


class NoCertificate(GatepostError, ValueError):
    """The file given as next holds no certificate; the message says what it holds."""


def rehearsed(following: EvidenceBundle, bundle: EvidenceBundle, now: float) -> Diagnosis:
    """What the certificate in `following` does to the objects in `bundle`."""
    leaf, chain = _leaf_and_chain(following)
    old = _present(bundle, leaf)
    findings = sorted(_findings(leaf, chain, old, bundle, now), key=lambda each: -each.specificity)
    if not findings:
        findings = [_nothing_breaks(leaf, bundle)]
    return Diagnosis(
        findings=tuple(findings),
        missing=tuple(_not_shown(old, bundle)),
        read=following.read + bundle.read,
        unread=following.unread + bundle.unread,
    )


def _leaf_and_chain(following: EvidenceBundle) -> tuple[CertificateSeen, Sequence[CertificateSeen]]:
    certificates = following.certificates
    if not certificates:
        if not following.read and following.unread:
            raise NoCertificate(following.unread[0].because)
        kinds = joined([each.kind for each in following.read]) or "nothing that can be read"
        raise NoCertificate(f"it holds {kinds}, not a certificate; give the new one as PEM")
    leaf = next((each for each in certificates if not each.is_authority), certificates[0])
    return leaf, [each for each in certificates if each is not leaf]


def _present(bundle: EvidenceBundle, leaf: CertificateSeen) -> CertificateSeen | None:
    """The certificate in use: the one last sent, else one in a file or store."""
    for roles in (("sent",), ("old", "file"), ("stored", "unknown")):
        for each in reversed(bundle.certificates):
            if each.role in roles and not each.is_authority and not _same(each, leaf):
                return each
    return None


def _same(one: CertificateSeen, other: CertificateSeen) -> bool:
    return bool(one.thumbprint) and one.thumbprint == other.thumbprint


def _findings(
    leaf: CertificateSeen,
    chain: Sequence[CertificateSeen],
    old: CertificateSeen | None,
    bundle: EvidenceBundle,
    now: float,
) -> Iterator[Finding]:
    world = world_of(mail_path(bundle, ()))
    for connector in world.exported if world else ():
        yield from _name(leaf, old, connector, world) if world else ()
    on_premises: tuple[SendConnector | ReceiveConnector, ...] = (*bundle.send_connectors, *bundle.receive_connectors)
    for local in on_premises:
        yield from _issuer_and_subject(leaf, old, local)
    yield from _from_the_cloud(leaf, bundle)
    yield from _subject(leaf)
    yield from _purpose(leaf, old)
    yield from _chain(leaf, chain)
    yield from _key(leaf)
    yield from _lifetime(leaf, old, now)


def _breaks(
    catalogue: str, specificity: int, summary: str, evidence: Sequence[Cited], fix: Sequence[Fix] = (), **more: str
) -> Finding:
    finding = found(
        "high" if specificity >= 80 else "medium",
        specificity,
        summary,
        evidence,
        fix=fix,
        verify=more.get(
            "verify",
            "Rehearse with one server first; keep the old certificate until a session with the new one passed.",
        ),
    )
    side = more.get("side", "sender")
    return replace(
        finding,
        rule=next(each.id for each in all_causes().values() if each.catalogue[:1] == (catalogue,)),
        title="What the next certificate changes",
        catalogue=(catalogue,),
        side="tenant" if side == "tenant" else "pki" if side == "pki" else "sender",
    )


def _shown(leaf: CertificateSeen) -> Cited:
    return cite(leaf.source, f"next certificate: {joined(leaf.all_names) or 'no name'}")


def _name(
    leaf: CertificateSeen, old: CertificateSeen | None, connector: InboundConnector, world: World
) -> Iterator[Finding]:
    """Asked of attribution: whether the connector recognises a session by the one, and by the other."""
    pattern, itself = connector.certificate_name.strip(), alone(world, connector)
    if not pattern or connector.enabled is False or connector.connector_type == "partner":
        return
    following = by_certificate(itself, leaf)
    if following.relays:
        if following.is_in_no_accepted_domain:
            yield _breaks(
                "F01", 70, f"'{connector.name}' goes by {pattern}, which is in no accepted domain of the tenant.",
                [cite(connector.where("TlsSenderCertificateName"), pattern)], side="tenant",
            )  # fmt: skip
        return
    if leaf.self_signed or (old is not None and not by_certificate(itself, old).relays):
        return  # another fault; not the connector of this certificate
    taken_by = by_certificate(world, leaf).verdict().connector
    then = (
        f"connector '{taken_by}' takes its sessions"
        if taken_by
        else "every relayed message will be refused (550 5.7.64)"
    )
    name = leaf.all_names[0] if leaf.all_names else ""
    fix = []
    if name:
        fix = [
            Fix(
                "Exchange Online",
                f"New-InboundConnector -Name {argument(connector.name + ' next')} -ConnectorType OnPremises -SenderDomains * -RequireTls $true -TlsSenderCertificateName {argument(name)}   # before the new certificate goes in",
            ),
            Fix(
                "Exchange Online",
                f"Set-InboundConnector -Identity {argument(connector.name)} -Enabled $false   # after sessions with the new certificate passed; remove it later",
            ),
            Fix(
                "Gatepost",
                f"gatepost inbound-connector set TENANT {shell_quoted(connector.name)} --add-certificate-name {shell_quoted(name)}   # before",
            ),
        ]
    yield _breaks(
        "A01",
        70 if taken_by else 95,
        f"Connector {connector.label} goes by {pattern}; the next certificate has {joined(leaf.all_names) or 'no name'}, so {then}.",
        [cite(connector.where("TlsSenderCertificateName"), f"TlsSenderCertificateName {pattern}"), _shown(leaf)],
        fix,
        side="tenant",
    )


def _issuer_and_subject(
    leaf: CertificateSeen, old: CertificateSeen | None, connector: SendConnector | ReceiveConnector
) -> Iterator[Finding]:
    wanted = connector.certificate_issuer_and_subject
    if wanted is None or leaf.issuer is None or leaf.subject is None:
        return
    cmdlet = "Set-SendConnector" if isinstance(connector, SendConnector) else "Set-ReceiveConnector"
    name = connector.text("Identity") or connector.name
    thumbprint = leaf.thumbprint or "'THUMBPRINT OF THE NEW ONE'"
    if wanted[0].key != leaf.issuer.key or wanted[1].key != leaf.subject.key:
        if old is not None and old.subject is not None and wanted[1].key != old.subject.key:
            return  # not the connector of this certificate
        part = "issuer" if wanted[0].key != leaf.issuer.key else "subject"
        yield _breaks(
            "B01",
            90,
            f"'{name}' names its certificate by issuer and subject, and the {part} changes: it will go on with the old certificate, and find none (454 4.7.5) once that is removed or expired.",
            [cite(connector.where("TlsCertificateName"), connector.certificate_name), cite(leaf.source, f"next: issuer {leaf.issuer.text}, subject {leaf.subject.text or 'empty'}")],
            [
                Fix("Exchange", f"Enable-ExchangeCertificate -Thumbprint {thumbprint} -Services SMTP   # on every source server, after importing it with its key; answer No to replacing the default certificate"),
                Fix("Exchange", f"$cert = Get-ExchangeCertificate -Thumbprint {thumbprint}; {cmdlet} -Identity {argument(name)} -TlsCertificateName \"<I>$($cert.Issuer)<S>$($cert.Subject)\""),
                Fix("Exchange", "Restart-Service MSExchangeTransport; Restart-Service MSExchangeFrontEndTransport"),
            ],
        )  # fmt: skip
    elif old is not None and old.subject is not None and old.subject.key == leaf.subject.key:
        yield _breaks(
            "B04",
            60,
            f"'{name}' names issuer and subject, which stay the same: as soon as the new certificate is imported, Exchange takes the one that expires last, enabled for SMTP or not.",
            [cite(connector.where("TlsCertificateName"), connector.certificate_name)],
            [Fix("Exchange", f"Enable-ExchangeCertificate -Thumbprint {thumbprint} -Services SMTP   # at once after the import, on every server; then restart transport")],
        )  # fmt: skip


def _from_the_cloud(leaf: CertificateSeen, bundle: EvidenceBundle) -> Iterator[Finding]:
    for connector in bundle.outbound_connectors:
        wanted = connector.text("TlsDomain").strip()
        if connector.enabled is False or not wanted or _is_for(leaf, wanted):
            continue
        name = leaf.all_names[0] if leaf.all_names else ""
        yield _breaks(
            "K02",
            88,
            f"Exchange Online's outbound connector {connector.label} expects {wanted}; with the next certificate mail from the cloud stops (450 4.4.317 SubjectMismatch).",
            [cite(connector.where("TlsDomain"), f"TlsDomain {wanted}"), _shown(leaf)],
            [Fix("Exchange Online", f"Set-OutboundConnector -Identity {argument(connector.name)} -TlsDomain {argument(name)}   # when the new certificate is bound")] if name else (),
            side="tenant",
        )  # fmt: skip


def _is_for(leaf: CertificateSeen, wanted: str) -> bool:
    """Exchange Online's TlsDomain is a host, or a wildcard for the hosts of a domain."""
    host = wanted.casefold()
    if host.startswith(WILDCARD):
        return any(covers(host, each) for each in leaf.all_names)
    return carries(leaf, host) is True


def _subject(leaf: CertificateSeen) -> Iterator[Finding]:
    if leaf.subject is not None and not leaf.subject.attributes:
        yield _breaks("A05", 82, "The next certificate has an empty subject: Exchange's <S> part becomes empty and software that reads the common name sees no name.",
                      [_shown(leaf)], [Fix("certificate authority", "order a profile that sets the common name (Let's Encrypt: classic), name no longer than 64 characters")], side="pki")  # fmt: skip


def _purpose(leaf: CertificateSeen, old: CertificateSeen | None) -> Iterator[Finding]:
    if (
        leaf.purposes is None
        or "clientAuth" in leaf.purposes
        or "anyExtendedKeyUsage" in leaf.purposes
        or not leaf.purposes
    ):
        return
    had = old is not None and old.purposes is not None and "clientAuth" in old.purposes
    yield _breaks(
        "D01",
        78 if had else 62,
        "The next certificate is for servers only (no clientAuth): relays that check the purpose of client certificates will refuse it. What Exchange Online does is not published.",
        [cite(leaf.source, f"extended key usage: {joined(leaf.purposes)}")] + ([cite(old.source, "the present one has clientAuth")] if had and old else []),
        [
            Fix("Gatepost", "# Gatepost accepts serverAuth-only certificates unless the listener demands clientAuth"),
            Fix("Postfix", "postconf -e 'tls_trust_server_ccerts = yes' && postfix reload   # on the receiving relay, Postfix 3.12; or pin the public key in relay_clientcerts"),
        ],
        side="pki",
    )  # fmt: skip


def _chain(leaf: CertificateSeen, chain: Sequence[CertificateSeen]) -> Iterator[Finding]:
    if leaf.self_signed:
        yield _breaks("C02", 92, "The next certificate is self-signed: the service ignores it, and relays nothing for it.", [_shown(leaf)],
                      [Fix("certificate authority", "order one of a public authority")], side="pki")  # fmt: skip
    elif not chain and leaf.issuer is not None:
        yield _breaks("C01", 58, f"The file holds the leaf only; '{leaf.issuer.common_name or leaf.issuer.text}' has to be sent with it, since the service fetches no intermediates.",
                      [cite(leaf.source, f"issuer {leaf.issuer.text}")],
                      [Fix("Windows", "certutil -addstore CA intermediate.cer   # before, on every sending server"), Fix("Postfix", "postconf -e 'smtp_tls_chain_files = /etc/ssl/relay/key-and-chain.pem' && postfix reload   # key, leaf, intermediates, in this order")])  # fmt: skip


def _key(leaf: CertificateSeen) -> Iterator[Finding]:
    weak = leaf.signature_algorithm.casefold()
    if "sha1" in weak or "md5" in weak or (leaf.key_bits is not None and leaf.key_bits < 2048 and "ec" not in weak):
        yield _breaks("C08", 84, f"The next certificate is weak ({leaf.signature_algorithm or ''} {leaf.key_bits or ''} bits).", [_shown(leaf)], side="pki")  # fmt: skip
    if leaf.key_usage is not None and leaf.key_usage and "digitalSignature" not in leaf.key_usage:
        yield _breaks("D03", 83, "The next certificate may not sign (no digitalSignature): TLS 1.3 cannot use it.", [cite(leaf.source, f"key usage: {joined(leaf.key_usage)}")], side="pki")  # fmt: skip


def _lifetime(leaf: CertificateSeen, old: CertificateSeen | None, now: float) -> Iterator[Finding]:
    begins = leaf.not_before.at if leaf.not_before else None
    ends = leaf.not_after.at if leaf.not_after else None
    if ends is not None and ends <= now:
        yield _breaks("C03", 94, "The certificate given as next has expired already.", [cite(leaf.source, f"not after {leaf.not_after.text if leaf.not_after else ''}")], side="pki")  # fmt: skip
    elif begins is not None and begins > now:
        yield _breaks("C07", 76, f"The next certificate is not valid before {leaf.not_before.text if leaf.not_before else ''}: do not put it in earlier.", [_shown(leaf)])  # fmt: skip
    elif old is not None and old.not_after and old.not_after.at and ends is not None and ends < old.not_after.at:
        yield _breaks("B04", 66, "The next certificate expires before the present one: Exchange, choosing between equal names, will go on with the present one.",
                      [cite(leaf.source, f"not after {leaf.not_after.text if leaf.not_after else ''}"), cite(old.source, f"present: not after {old.not_after.text}")])  # fmt: skip


def _nothing_breaks(leaf: CertificateSeen, bundle: EvidenceBundle) -> Finding:
    objects = len(bundle.inbound_connectors) + len(bundle.send_connectors) + len(bundle.receive_connectors)
    return replace(
        found(
            "high" if objects else "low",
            10,
            f"Nothing in {objects} connectors breaks with the next certificate."
            if objects
            else "No connector was given to hold the next certificate against.",
            [_shown(leaf)],
            verify="Put it in on one server and read the first session's log.",
        ),
        rule="renewal-changes-nothing",
        title="What the next certificate changes",
    )


def _not_shown(old: CertificateSeen | None, bundle: EvidenceBundle) -> Iterator[str]:
    if not bundle.inbound_connectors:
        yield "the inbound connectors: Get-InboundConnector | ConvertTo-Json"
    if not bundle.send_connectors:
        yield "the send connectors of every server: Get-SendConnector | Export-Clixml send-connectors.xml"
    if old is None:
        yield "the certificate in use now, as PEM"
    if not bundle.accepted_domains:
        yield "the accepted domains: Get-AcceptedDomain"
