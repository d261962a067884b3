"""The session that a sending server's own log tells of, as attribution reads it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from gatepost.doctor.certificates_told import is_self_signed
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle, Moment
from gatepost.exchange.exported_tenant import NotEnoughExported
from gatepost.tenancy.evidence import Address, CertificateFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedSession:
    """How a sending server appears, by its own log."""

    address: Address | None
    certificate: CertificateFacts | None
    sources: tuple[str, ...]


def logged_session(bundle: EvidenceBundle) -> LoggedSession | None:
    """None where no log was handed in. Raises `NotEnoughExported` where sessions differ: then one must be chosen."""
    outgoing = [each for each in bundle.sessions if each.log in ("send", "postfix", "transcript")]
    addresses = {each.hello_address: str(each.source) for each in outgoing if each.hello_address}
    sent = {
        each.sent_certificate.thumbprint: each.sent_certificate
        for each in outgoing
        if each.sent_certificate is not None
    }
    if len(addresses) > 1:
        raise NotEnoughExported(
            f"the logs show sessions from {', '.join(sorted(addresses))}: choose one with --address"
        )
    if len(sent) > 1:
        raise NotEnoughExported("the logs show several certificates: choose one with --certificate PEM")
    if not addresses and not sent:
        return None
    certificate = next(iter(sent.values()), None)
    sources = [*addresses.values(), *([str(certificate.source)] if certificate else [])]
    return LoggedSession(
        address=_address(next(iter(addresses), "")),
        certificate=facts_of(certificate) if certificate else None,
        sources=tuple(dict.fromkeys(sources)),
    )


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def facts_of(told: CertificateSeen) -> CertificateFacts:
    """What is told of a certificate, as attribution reads it."""
    common = told.subject.common_name if told.subject else ""
    return CertificateFacts(
        der=b"",
        sha256=told.sha256.lower(),
        public_key_sha256="",
        subject=told.subject.text if told.subject else "",
        issuer=_issuer(told),
        serial=told.serial.lower(),
        not_before=_time(told.not_before),
        not_after=_time(told.not_after),
        common_names=(common,) if common else (),
        dns_names=told.names,
        purposes=told.purposes,
        key="",
        signature_algorithm=told.signature_algorithm,
    )


def _issuer(told: CertificateSeen) -> str:
    """That of a self-signed one is written as its subject is, however the log writes it."""
    name = told.subject if is_self_signed(told) and told.subject else told.issuer
    return name.text if name else ""


def _time(moment: Moment | None) -> datetime | None:
    return datetime.fromtimestamp(moment.at, UTC) if moment is not None and moment.at is not None else None
