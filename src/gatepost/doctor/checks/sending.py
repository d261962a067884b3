"""How an Exchange server's send connector presents itself: by which certificate, still within its time, with TLS at all."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.doctor.certificates_told import at, is_internal_name, is_self_signed, names_of, same_certificate, shown
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.evidence import CertificateSeen, SmtpSession
from gatepost.doctor.path.objects import End, MailPath, Session, Store, carries
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit, EnableForSmtp, RestartTransport, SetPin
from gatepost.exchange.objects import SendConnector
from gatepost.exchange.powershell import argument, quoted

_OUT: Final = frozenset(
    ("not-attributed", "no-certificate-found", "nothing-goes", "we-are-untrusted", "wrong-region", "partner-lock")
)
_LISTING: Final = "Get-ExchangeCertificate | Format-List Thumbprint,Services,Status,NotAfter,Issuer,Subject"


# --- a connector that names no certificate --------------------------------------------------------------------------


def sender_goes_by_a_name_on_its_certificate(path: MailPath) -> Iterator[Check]:
    """Without TlsCertificateName Exchange looks for a certificate with the connector's FQDN, and takes the machine's own."""
    if _goes_by_address(path):
        return
    for end in path.ends_now("out"):
        if end.pin_is_empty and end.enabled and end.to_cloud:
            yield from _by_fqdn(path, end)


def _goes_by_address(path: MailPath) -> bool:
    """Whether the tenant's connectors ask for no certificate."""
    enabled = [each for each in path.bundle.inbound_connectors if each.enabled is not False]
    return bool(enabled) and not any(each.certificate_name for each in enabled)


def _by_fqdn(path: MailPath, end: End) -> Iterator[Check]:
    told_fqdn = end.fqdn is not None
    for server, store in path.stores_of(end):
        subject = f"{end.name}@{server} by name"
        if store is None or not store.whole:
            need = Need(f"the certificates of {server or 'the server'}: {_LISTING}", 1)
            yield Check(
                cause=_MACHINES, standing="unknown", subject=subject, says="", way="out", needs=(need,), place=12
            )
            continue
        usable = _usable(store)
        if end.fqdn and any(carries(each, end.fqdn) is not False for each in usable):
            continue
        if not usable or not told_fqdn:
            continue
        meant = usable[0]
        yield Check(
            cause=_MACHINES,
            standing="broken",
            subject=subject,
            says=f"{end.label} names no certificate, and its Fqdn ({end.fqdn or 'empty'}) is on none of the server's public ones: it presents the machine's own instead of {shown(meant)}.",
            premises=(
                seen("", end.fact, f"{end.name}: TlsCertificateName is empty, Fqdn is {end.fqdn or 'empty'}"),
                seen(meant, meant, f"in the store: {shown(meant)}"),
            ),
            explains=_OUT,
            way="out",
            servers=end.servers,
            edits=(*((EnableForSmtp(store, meant),) if meant.smtp_bound is False else ()), SetPin(end, meant)),
            verify="The next session's log shows that certificate after 'Sending certificate', and RCPT TO is answered 250.",
            alone=True,
            place=12,
        )


_MACHINES: Final = "connector-selects-by-machine-name"


def _usable(store: Store) -> list[CertificateSeen]:
    """Certificates for a public name: those enabled for SMTP first, then those of longest life."""
    found = [each for each in store.held if _has_public_name(each)]
    return sorted(found, key=lambda each: (each.smtp_bound is False, -(at(each.not_after) or 0.0)))


def _has_public_name(certificate: CertificateSeen) -> bool:
    return not is_self_signed(certificate) and any(not is_internal_name(each) for each in names_of(certificate))


# --- the certificate that the tenant expects ------------------------------------------------------------------------


def connector_names_what_the_tenant_expects(path: MailPath) -> Iterator[Check]:
    """The send connector names one certificate, the tenant's connector expects the name of another that is stored."""
    expecting = [
        each
        for each in path.bundle.inbound_connectors
        if each.connector_type != "partner" and each.enabled is not False and each.certificate_name.strip()
    ]
    expected = {each.certificate_name.strip().casefold(): each for each in expecting}
    if len(expected) != 1 or any(each.addresses for each in expecting):
        return
    ((name, connector),) = expected.items()
    for end in path.ends_now("out"):
        if end.pin is None or not end.enabled or _goes_elsewhere(end) or name.startswith("*."):
            continue
        for server, store in path.stores_of(end):
            named = store.find(end.pin) if store else None
            meant = store.bound(name) if store else None
            if store is None or named is None or meant is None or carries(named, name) is not False:
                continue
            how = seen if named.names_told or named.smtp_bound is False else inferred
            yield Check(
                cause="wrong-certificate-presented",
                standing="broken",
                subject=f"{end.name}@{server}",
                says=f"{end.label} names {shown(named)}, and the tenant's connector {connector.label} expects {name}: mail comes with a certificate that no connector of the tenant knows. The store has {shown(meant)}, enabled for SMTP.",
                premises=(
                    how(named, end.fact, f"{end.label} names {end.pin.text}"),
                    seen(
                        connector,
                        connector.attribute("TlsSenderCertificateName") or connector,
                        f"{connector.label} expects {name}",
                    ),
                    seen(meant, meant, f"stored, enabled for SMTP: {meant.thumbprint or shown(meant)}"),
                ),
                explains=_OUT,
                way="out",
                servers=end.servers,
                edits=(SetPin(end, meant),),
                verify="The next session's log shows that certificate after 'Sending certificate', and RCPT TO is answered 250.",
                alone=True,
                place=11,
            )


def _goes_elsewhere(end: End) -> bool:
    """Whether its smart hosts were shown and none is the service's."""
    return isinstance(end.fact, SendConnector) and bool(end.fact.smart_hosts) and not end.to_cloud


# --- what is presented is in its time -------------------------------------------------------------------------------


def sender_presents_the_newest(path: MailPath) -> Iterator[Check]:
    """The log still shows a certificate that the store has a newer one of: transport reads the store when it starts."""
    for session in path.sessions:
        if session.way != "out" or session.ours is None or session.log.log != "send":
            continue
        for store in path.stores:
            newer = _newer(store, session) if store.when == "now" else None
            if newer is None or _pinned_elsewhere(path, newer):
                continue
            yield Check(
                cause="old-certificate-in-memory",
                standing="broken",
                subject=f"sent@{store.server}",
                says=f"The log still shows the certificate that ends {_end(session.ours)}, although the store has {newer.thumbprint or 'a newer one'} with the same name, enabled for SMTP: transport keeps the old one until it is restarted.",
                premises=(
                    seen(session.ours, session.ours, f"sent: {session.ours.thumbprint or shown(session.ours)}"),
                    seen(newer, newer, f"stored and enabled: {newer.thumbprint or shown(newer)}, ends {_end(newer)}"),
                ),
                explains=_OUT,
                way="out",
                servers=(store.server,) if store.server else (),
                edits=(RestartTransport(store.server),),
                verify="The next session's log shows the new thumbprint.",
                alone=session.log.refusal is not None,
                place=12,
            )
            return


def presented_certificate_is_enabled(path: MailPath) -> Iterator[Check]:
    """Of two certificates with one issuer and subject Exchange takes the one that ends last, enabled for SMTP or not."""
    for session in path.sessions:
        if session.way != "out" or session.ours is None or session.log.log != "send":
            continue
        for store in path.stores:
            taken = store.holding(session.ours) if store.when == "now" else None
            if taken is None or taken.smtp_bound is not False or not taken.thumbprint:
                continue
            meant = next((each for each in store.held if each.smtp_bound and _is_twin(each, taken)), None)
            if meant is None:
                continue
            yield Check(
                cause="two-certificates-of-one-name",
                standing="broken",
                subject=f"sent@{store.server}",
                says=f"Two stored certificates have the subject {shown(taken)} and one issuer; transport takes the one that ends last, {taken.thumbprint}, and that one is not enabled for SMTP.",
                premises=(
                    seen(taken, taken, f"{taken.thumbprint}: Services {taken.services}, ends {_end(taken)}"),
                    seen(meant, meant, f"{meant.thumbprint}: Services {meant.services}, ends {_end(meant)}"),
                    seen(session.ours, session.ours, f"sent: {session.ours.thumbprint}"),
                ),
                explains=_OUT | {"key-unusable"},
                way="out",
                servers=(store.server,) if store.server else (),
                edits=(
                    EnableForSmtp(store, taken),
                    Advice(
                        "Exchange",
                        f"Remove-ExchangeCertificate -Thumbprint {taken.thumbprint}   # or this, the quickest way back: until it is needed {meant.thumbprint} is presented again",
                    ),
                    RestartTransport(store.server),
                ),
                verify="The next session's log shows the certificate that is enabled for SMTP, and the handshake succeeds.",
                alone=True,
                place=4,
            )
            return


def _is_twin(one: CertificateSeen, other: CertificateSeen) -> bool:
    if one is other or one.subject is None or other.subject is None or one.subject.key != other.subject.key:
        return False
    return one.issuer is None or other.issuer is None or one.issuer.key == other.issuer.key


def _newer(store: Store, session: Session) -> CertificateSeen | None:
    """A stored twin that ends later, was valid at the time of the session, and is enabled for SMTP."""
    sent, when = session.ours, at(session.log.at)
    if sent is None or (ends := at(sent.not_after)) is None:
        return None
    for each in store.held:
        later, begins = at(each.not_after), at(each.not_before)
        if not each.smtp_bound or later is None or later <= ends or same_certificate(each, sent) is not False:
            continue
        if begins is not None and when is not None and when < begins:
            continue
        if set(names_of(each)) & set(names_of(sent)):
            return each
    return None


def _pinned_elsewhere(path: MailPath, newer: CertificateSeen) -> bool:
    """Whether the connector names another certificate than the newer one: then no restart helps."""
    return any(end.pin and end.pin.names(newer) is False for end in path.ends_now("out"))


def _end(certificate: CertificateSeen) -> str:
    return certificate.not_after.text if certificate.not_after else "at a time not shown"


def certificate_in_use_is_in_its_time(path: MailPath) -> Iterator[Check]:
    """A certificate that connectors name, or that is enabled for SMTP under their name, and that nothing replaces."""
    for store in path.stores:
        if store.when == "now":
            yield from _expired_in(path, store)


def _expired_in(path: MailPath, store: Store) -> Iterator[Check]:
    for each in store.held:
        if (early := _too_early(path, store, each)) is not None:
            yield early
            continue
        why = _over(path, each)
        if why is None or not _has_public_name(each) or not _is_used(path, store, each):
            continue
        host = names_of(each)[0]
        if any(_over(path, other) is None and same_certificate(each, other) is False for other in store.covering(host)):
            continue
        yield Check(
            cause="certificate-expired",
            standing="broken",
            subject=f"{each.thumbprint or host}@{store.server}",
            says=f"The certificate in use, {shown(each)}, ended {_end(each)}, and the store has no other for that name.",
            premises=(
                seen(each, each, f"{each.thumbprint or shown(each)}: {each.status or 'ended ' + _end(each)}"),
                why,
            ),
            explains=_OUT | {"nothing-comes", "listener-refused", "no-starttls", "peer-sees-expired"},
            servers=(store.server,) if store.server else (),
            edits=tuple(_renewed(each, host)),
            verify="Get-ExchangeCertificate lists the new one with S in its Services and Status Valid; the queue drains.",
            alone=True,
            place=6,
        )


def _too_early(path: MailPath, store: Store, certificate: CertificateSeen) -> Check | None:
    """A certificate in use that begins later than the server's clock says."""
    begins = at(certificate.not_before)
    if begins is None or path.now is None or begins <= (path.now.value.at or begins) or not certificate.smtp_bound:
        return None
    return Check(
        cause="clock-or-not-yet-valid",
        standing="broken",
        subject=f"{certificate.thumbprint or shown(certificate)}@{store.server}",
        says=f"{shown(certificate)} is valid from {certificate.not_before.text if certificate.not_before else 'later'}, and the server's clock says {path.now.value.text}: either the clock is wrong, or the certificate was enabled too early.",
        premises=(seen(certificate, certificate, f"{shown(certificate)} begins later"), path.now),
        explains=_OUT | {"no-secure-channel", "nothing-comes", "listener-refused"},
        servers=(store.server,) if store.server else (),
        edits=(
            Advice(
                "Windows",
                "w32tm /resync; w32tm /query /status   # set the clock; if it is right, enable the previous certificate again until the new one begins",
            ),
        ),
        verify="Get-ExchangeCertificate says Status Valid.",
        alone=True,
        place=6,
    )


def _over(path: MailPath, certificate: CertificateSeen) -> Told[object] | None:
    ends = at(certificate.not_after)
    if certificate.status.casefold() == "dateinvalid" and not _is_later(path, ends):
        return seen(certificate.status, certificate, f"Status {certificate.status}")
    if ends is None:
        return None
    if path.now is not None:
        return path.now if path.now.value.at is not None and ends < path.now.value.at else None
    latest = max((each for each in path.symptoms if at(each.at)), key=lambda each: at(each.at) or 0.0, default=None)
    if latest is not None and ends < (at(latest.at) or 0.0):
        return inferred(latest.at, latest.fact, f"later than that: {latest.says[:120]}")
    return None


def _is_later(path: MailPath, ends: float | None) -> bool:
    """Whether the leaf itself is in its time, so that it is another element of its chain which is not."""
    now = path.now.value.at if path.now is not None else None
    return ends is not None and now is not None and ends > now


def _is_used(path: MailPath, store: Store, certificate: CertificateSeen) -> bool:
    ends = [end for end in path.ends_now() if any(held is store for _, held in path.stores_of(end))]
    if any(end.pin and end.pin.names(certificate) is not False for end in ends):
        return True
    return bool(certificate.smtp_bound)


def _renewed(certificate: CertificateSeen, host: str) -> Iterator[Edit]:
    names = ",".join(map(quoted, names_of(certificate)[:6]))
    subject = certificate.subject.text if certificate.subject and certificate.subject.text else f"CN={host}"
    yield Advice(
        "Exchange",
        f"New-ExchangeCertificate -GenerateRequest -SubjectName {argument(subject)} -DomainName {names} -PrivateKeyExportable $true   # renew with the same subject, so that no connector has to change",
    )
    yield Advice(
        "Exchange",
        "Import-ExchangeCertificate -FileData ([System.IO.File]::ReadAllBytes('C:\\certificate.cer')) | Enable-ExchangeCertificate -Services SMTP   # on every server of the connector; answer No to overwriting the default certificate",
    )
    yield Advice(
        "Exchange",
        f'$cert = Get-ExchangeCertificate -DomainName {host} | Sort-Object NotAfter | Select-Object -Last 1; Get-SendConnector | Where-Object CloudServicesMailEnabled | Set-SendConnector -TlsCertificateName "<I>$($cert.Issuer)<S>$($cert.Subject)"   # where the issuer changed; the same for the receive connector',
    )


# --- TLS at all -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plain:
    """A session that was offered STARTTLS and went on without."""

    log: SmtpSession
    connector: SendConnector | None


def connector_asks_for_tls(path: MailPath) -> Iterator[Check]:
    """A connector that names a certificate and ignores STARTTLS never shows it."""
    for connector in path.bundle.send_connectors:
        if connector.flag("IgnoreSTARTTLS") is not True or connector.enabled is False:
            continue
        end = next((each for each in path.ends_now("out") if each.name == connector.name), None)
        if end is None or not end.to_cloud:
            continue
        name = connector.name or "<connector>"
        yield Check(
            cause="connector-does-not-use-tls",
            standing="broken",
            subject=name,
            says=f"Send connector {connector.label} has IgnoreSTARTTLS set, so it never begins TLS and shows no certificate.",
            premises=(seen(True, connector, _tls_of(connector)),),
            explains=_OUT,
            way="out",
            edits=(
                Advice(
                    "Exchange",
                    f"Set-SendConnector -Identity {argument(name)} -IgnoreSTARTTLS $false -RequireTLS $true -TlsAuthLevel CertificateValidation",
                ),
            ),
            verify="The log shows STARTTLS and 'Sending certificate', and RCPT TO is answered 250.",
            alone=True,
            place=14,
        )


def sender_uses_tls(path: MailPath) -> Iterator[Check]:
    """The peer offered STARTTLS, and the sender went on in plain text: no certificate can have been shown."""
    if _goes_by_address(path) or not (path.bundle.inbound_connectors or path.bundle.send_connectors):
        return
    for plain in _plain_sessions(path):
        connector, name = plain.connector, plain.connector.name if plain.connector else plain.log.connector
        yield Check(
            cause="connector-does-not-use-tls",
            standing="broken",
            subject=name,
            says=f"The peer offers STARTTLS, and send connector '{name}' does not use it: it shows no certificate, so nothing but its address identifies it.",
            premises=(
                (seen if connector else inferred)(
                    plain.log, plain.log, "EHLO is answered with STARTTLS, and MAIL FROM follows at once"
                ),
                *((seen(connector, connector, _tls_of(connector)),) if connector else ()),
            ),
            explains=_OUT,
            way="out",
            edits=(
                Advice(
                    "Exchange",
                    f"Set-SendConnector -Identity {argument(name)} -RequireTLS $true -IgnoreSTARTTLS $false -TlsAuthLevel CertificateValidation",
                ),
            ),
            verify="The log shows STARTTLS and 'Sending certificate', and RCPT TO is answered 250.",
            place=14,
        )
        return


def _plain_sessions(path: MailPath) -> Iterator[_Plain]:
    for session in path.sessions:
        log = session.log
        if session.way != "out" or log.log != "send" or not log.connector or log.starttls_offered is not True:
            continue
        if log.starttls_sent or log.refusal is None or session.ours is not None or _others_use_tls(path, log):
            continue
        named = (each for each in path.bundle.send_connectors if each.name.casefold() == log.connector.casefold())
        yield _Plain(log, next(named, None))


def _others_use_tls(path: MailPath, plain: SmtpSession) -> bool:
    return any(each.log.connector == plain.connector and each.log.starttls_sent for each in path.sessions)


def _tls_of(connector: SendConnector) -> str:
    told: Sequence[str] = [
        f"{name} {connector.text(name)}"
        for name in ("RequireTLS", "IgnoreSTARTTLS", "TlsAuthLevel")
        if connector.has(name)
    ]
    return f"{connector.label}: {', '.join(told)}" if told else connector.label
