"""What a probe saw, as evidence for the doctor: a transcript that its reader reads, and the certificates of both sides.

Law: a probe is one session of this machine, just now; the evidence says so by its source, `probe of HOST`.
"""

import re
from dataclasses import replace
from datetime import datetime

from gatepost.admin.sessions.probe import ProbeResult, ShownCertificate, Stage
from gatepost.doctor.evidence import (
    CertificateRole,
    CertificateSeen,
    EvidenceBundle,
    Moment,
    ReadItem,
    SmtpSession,
    TlsSeen,
)
from gatepost.doctor.reading import read_text
from gatepost.exchange.distinguished_names import distinguished_name
from gatepost.exchange.source import Source

_KIND = "probe"
_ALERTS = {
    "certificate required": 116,
    "unknown ca": 48,
    "unsupported certificate": 43,
    "certificate expired": 45,
    "certificate revoked": 44,
    "certificate unknown": 46,
    "bad certificate": 42,
    "handshake failure": 40,
    "protocol version": 70,
}
"""Of TLS (RFC 8446 6.2)."""
_AFTER_TLS = ("ehlo-after-tls", "mail-from", "rcpt-to", "rset", "quit")
_NOT_SAID = ("connect", "tls")
"""Stages that are no SMTP: their words are ours."""


def evidence_of(result: ProbeResult) -> EvidenceBundle:
    """The bundle, to be joined to that of the files."""
    name = f"probe of {result.host}"
    source = Source(name, 1)
    bundle = read_text(transcript(result), name)
    certificates = (*_own(result, source), *_remote(result, source))
    tls = _tls(result, source)
    return replace(
        bundle,
        sessions=tuple(_with(each, certificates, tls) for each in bundle.sessions),
        certificates=certificates,
        tls=(*bundle.tls, *([tls] if tls else ())),
        read=(ReadItem(source=name, kind=_KIND, items=len(result.stages)),),
        unread=(),
        prose=(),
    )


def transcript(result: ProbeResult) -> str:
    """The dialogue as swaks would print it."""
    lines = [f"=== Trying {result.host}...", f"=== Connected to {result.host}."]
    for stage in result.stages:
        lines += _lines(stage, result)
    return "\n".join(lines) + "\n"


def _lines(stage: Stage, result: ProbeResult) -> list[str]:
    if stage.stage == "tls" and result.tls and result.tls.established:
        return [f"=== TLS started with cipher {result.tls.protocol}:{result.tls.cipher}"]
    if stage.stage in _NOT_SAID:
        return []
    said, heard = (" ~> ", "<~  ") if stage.stage in _AFTER_TLS and result.tls else (" -> ", "<-  ")
    sent = [f"{said}{stage.sent}"] if stage.sent else []
    replied = stage.reply.splitlines() if re.match(r"\d{3}[ -]|\d{3}$", stage.reply) else []
    return [*sent, *(f"{heard if stage.accepted else heard[0] + '** '}{line}" for line in replied)]


def _with(session: SmtpSession, certificates: tuple[CertificateSeen, ...], tls: TlsSeen | None) -> SmtpSession:
    return replace(session, certificates=certificates, tls=tls or session.tls)


def _own(result: ProbeResult, source: Source) -> list[CertificateSeen]:
    role: CertificateRole = "sent" if result.certificate.sent else "file"
    return [
        _seen(each, source, role if depth == 0 else "intermediate", depth)
        for depth, each in enumerate(result.certificate.chain)
    ]


def _remote(result: ProbeResult, source: Source) -> list[CertificateSeen]:
    chain = result.tls.chain if result.tls else ()
    return [_seen(each, source, "remote", depth) for depth, each in enumerate(chain)]


def _seen(shown: ShownCertificate, source: Source, role: CertificateRole, depth: int) -> CertificateSeen:
    subject, issuer = distinguished_name(shown.subject), distinguished_name(shown.issuer)
    bits = re.search(r"\b(\d{3,5})\b", shown.key) if shown.key.startswith("RSA") else None
    return CertificateSeen(
        source=source,
        quote=f"certificate {shown.subject} from {shown.issuer}",
        role=role,
        subject=subject,
        issuer=issuer,
        names=tuple(each.casefold() for each in shown.names),
        names_told=True,
        sha256=shown.sha256.upper(),
        not_before=_moment(shown.not_before),
        not_after=_moment(shown.not_after),
        purposes=shown.purposes,
        self_signed=subject.key == issuer.key,
        key_bits=int(bits[1]) if bits else None,
        depth=depth,
    )


def _moment(at: datetime | None) -> Moment | None:
    return None if at is None else Moment(at.isoformat().replace("+00:00", "Z"), at.timestamp())


def _tls(result: ProbeResult, source: Source) -> TlsSeen | None:
    tls = result.tls
    if tls is None:
        return None
    failure = tls.late_alert or tls.failure or ""
    return TlsSeen(
        source=source,
        quote=failure or f"TLS with {tls.protocol} {tls.cipher}",
        established=tls.established and tls.late_alert is None,
        protocol=tls.protocol,
        client_certificate_sent=result.certificate.sent,
        failure=failure,
        alert=next((number for words, number in _ALERTS.items() if words in failure.casefold()), None),
        log_owner_is="client",
        peer=result.host,
        peer_address=result.address or "",
        kind=_KIND,
    )
