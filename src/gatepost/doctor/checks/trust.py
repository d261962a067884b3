"""Our own verdict about the peer's certificate, and the chain that this side builds."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from gatepost.doctor.addresses import parsed_address
from gatepost.doctor.certificates_told import at, shown
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.checks.handshake import signs
from gatepost.doctor.evidence import CertificateSeen, OpensslVerify, QueueError
from gatepost.doctor.path.objects import MailPath, Session
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import RESTART_BOTH, RESTART_FRONT_END, Advice, Edit
from gatepost.exchange.powershell import argument

_CLOUD: Final = ("protection.outlook", "mx.microsoft", "office365.us", "outlook.office365.com", "smtp.office365.com")
_UNTRUSTED: Final = ("untrustedroot", "untrusted root", "partialchain")


def we_trust_the_peer(path: MailPath) -> Iterator[Check]:
    """4.7.5 in our queue, or the chain status in our log, is our verdict on the peer's certificate, never its on ours."""
    for error in path.bundle.queue_errors:
        text = f"{error.last_error} {error.message}".casefold()
        if (
            "4.7.5" not in text
            or "certificate validation fail" not in text
            or not _is_cloud(error.fqdn or error.next_hop)
        ):
            continue
        if _expects_another_cloud(path, error.fqdn):
            continue
        if "subjectmismatch" in text.replace(" ", ""):
            yield from _expects_another_name(path, error)
            return
        peer = next((each for each in path.sessions if each.way == "out" and _is_microsofts(each.theirs)), None)
        yield _stale_roots(
            "trust-store-frozen",
            f"This server does not trust the certificate of {error.fqdn or 'Exchange Online'}: 4.7.5 with a reason in its own queue is its own verdict on the peer. Its root store lacks the authority that Microsoft uses now.",
            (inferred(error, error), *_peer(peer)),
            RESTART_BOTH,
            "out",
        )
        return
    for session in path.sessions:
        if (
            session.way == "in"
            and session.verdict_on_theirs.casefold() in _UNTRUSTED
            and (_is_microsofts(session.theirs) or (session.theirs is None and _comes_from_the_service(session)))
        ):
            yield _stale_roots(
                "listener-root-store-too-old",
                "This server does not trust the certificate that Exchange Online presents: its root store lacks the authority that Microsoft uses now.",
                (
                    seen(session.log, session.log, f"chain validation status: {session.verdict_on_theirs}"),
                    *_peer(session),
                ),
                RESTART_FRONT_END,
                "in",
            )
            return


_SERVICE: Final = tuple(map(ip_network, ("40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17")))
"""Where Exchange Online dials from, as it publishes."""


def _comes_from_the_service(session: Session) -> bool:
    if "outbound.protection.outlook.com" in session.log.ehlo_name.casefold():
        return True
    address = parsed_address(session.log.remote_endpoint.rpartition(":")[0])
    return address is not None and address.version == 4 and any(address in network for network in _SERVICE)


def _expects_another_name(path: MailPath, error: QueueError) -> Iterator[Check]:
    """SubjectMismatch in our queue: the connector's TlsDomain is not on the service's certificate."""
    for end in path.ends_now("out"):
        connector = next((each for each in path.bundle.send_connectors if each.name == end.name), None)
        if connector is None or not end.to_cloud or not (domain := connector.text("TlsDomain")):
            continue
        right = "mail.protection.office365.us" if error.fqdn.endswith(".us") else "mail.protection.outlook.com"
        if domain.casefold() == right:
            continue
        yield Check(
            cause="other-cloud-tls-domain",
            standing="broken",
            subject=end.name,
            says=f"{end.label} demands {domain} on the peer's certificate (TlsDomain); the service presents {right}.",
            premises=(
                seen(domain, connector, f"{end.name}: TlsDomain {domain}"),
                seen(error, error, error.last_error[:200]),
            ),
            explains=frozenset(("peer-untrusted", "nothing-goes")),
            way="out",
            edits=(Advice("Exchange", f"Set-SendConnector -Identity {argument(end.name)} -TlsDomain {right}"),),
            verify="The queue drains, and the log shows no further SubjectMismatch.",
            alone=True,
            place=30,
        )
        return


def _expects_another_cloud(path: MailPath, host: str) -> bool:
    """TlsDomain of one cloud, the smart host of another: then the name is what does not fit, not the root."""
    expected = [each.text("TlsDomain").casefold() for each in path.bundle.send_connectors if each.text("TlsDomain")]
    return any(each.rpartition(".")[2] != host.casefold().rpartition(".")[2] for each in expected if host)


def _is_cloud(host: str) -> bool:
    return any(each in host.casefold() for each in _CLOUD) or "onmicrosoft.com" in host.casefold()


def _is_microsofts(certificate: CertificateSeen | None) -> bool:
    subject = certificate.subject if certificate else None
    return subject is not None and ("microsoft" in subject.text.casefold() or "outlook.com" in subject.text.casefold())


def _peer(session: Session | None) -> tuple[Told[object], ...]:
    theirs = session.theirs if session else None
    if theirs is None:
        return ()
    issuer = f", issued by {theirs.issuer.common_name or theirs.issuer.text}" if theirs.issuer else ""
    return (seen(theirs, theirs, f"the peer presents {shown(theirs)}{issuer}"),)


def _stale_roots(cause: str, says: str, premises: tuple[Told[object], ...], restart: str, way: str) -> Check:
    return Check(
        cause=cause,
        catalogue=("C05", "K06") if way == "out" else ("K06", "C05"),
        standing="broken",
        subject="trust store",
        says=says,
        premises=premises,
        explains=frozenset(("peer-untrusted", "nothing-goes" if way == "out" else "nothing-comes", "listener-refused")),
        way="out" if way == "out" else "in",
        edits=tuple(_trust(restart)),
        verify="The log row of the chain says Valid, and the queue drains; nothing in the tenant was touched.",
        place=35,
    )


def _trust(restart: str) -> Iterator[Edit]:
    yield Advice(
        "Windows",
        "certutil -generateSSTFromWU roots.sst; Import-Certificate -FilePath roots.sst -CertStoreLocation Cert:\\LocalMachine\\Root   # on every hybrid server; without Internet access make the file elsewhere, or import DigiCert Global Root G2 (SHA-1 DF3C24F9BFD666761B268073FE06D1CC8D4F82A4), which Exchange Online's certificates lead to",
    )
    yield Advice(
        "Windows",
        "Set-ItemProperty -Path HKLM:\\SOFTWARE\\Policies\\Microsoft\\SystemCertificates\\AuthRoot -Name DisableRootAutoUpdate -Value 0   # so that it stays current",
    )
    yield Advice("Exchange", restart)


# --- revocation -----------------------------------------------------------------------------------------------------


def revocation_can_be_checked(path: MailPath) -> Iterator[Check]:
    """Exchange takes no certificate of which it cannot ask whether it was revoked."""
    for store in path.stores:
        for held in store.held if store.when == "now" else ():
            if held.status.casefold() != "revocationcheckfailure" or held.smtp_bound is False:
                continue
            yield Check(
                cause="certificate-revoked-or-uncheckable",
                standing="broken",
                subject=held.thumbprint or shown(held),
                says=f"The server cannot check whether {shown(held)} is revoked (Status RevocationCheckFailure), so Exchange treats it as unusable.",
                premises=(seen(held, held, f"{held.thumbprint or shown(held)}: Status {held.status}"),),
                explains=frozenset(
                    ("no-certificate-found", "peer-untrusted", "nothing-goes", "no-starttls", "we-are-untrusted")
                ),
                servers=(store.server,) if store.server else (),
                edits=tuple(_reach_the_lists(path)),
                verify="Get-ExchangeCertificate says Status Valid; certutil -verify -urlfetch retrieves the CRL.",
                alone=True,
                place=7,
            )
            return


def _reach_the_lists(path: MailPath) -> Iterator[Edit]:
    hosts = [each.value for each in path.bundle.names if each.value.startswith(("crl", "ocsp"))]
    proxy = next((each.value for each in path.bundle.names if each.value.startswith(("proxy", "squid"))), "")
    yield Advice(
        "Windows",
        f"netsh winhttp set proxy 'proxy-server={proxy or '<proxy>'}:8080' 'bypass-list=<local>'   # where the server reaches the Internet by a proxy only: it reads WinHTTP's setting, not the browser's",
    )
    yield Advice(
        "network",
        f"Or allow HTTP from the Exchange servers to the CRL and OCSP hosts named in the certificate{f' ({chr(44).join(dict.fromkeys(hosts))})' if hosts else ''}",
    )
    yield Advice("Exchange", RESTART_BOTH)


# --- an update took the authority away ------------------------------------------------------------------------------


def update_kept_the_authority(path: MailPath) -> Iterator[Check]:
    """The peer's chain was trusted before an update of the store, and on a host without it still is."""
    failed, updated = signs(path, "issuer-not-found"), signs(path, "trust-store-updated")
    elsewhere = signs(path, "verified-elsewhere")
    if not failed or not updated or signs(path, "anti-virus-issuer"):
        return
    root = _top_issuer(path) or next((found for each in failed if (found := _issuer_said(each.quote))), "")
    named = root or "the root that the chain ends in"
    yield Check(
        cause="trust-store-too-new",
        standing="broken",
        subject="trust store",
        says=f"Since the update of the trust store the peer's chain ends in an authority that the store no longer holds{f': {root}' if root else ''}."
        + (" A host without the update still trusts it." if elsewhere else ""),
        premises=tuple(
            (seen if elsewhere else inferred)(each, each) for each in (*failed[:1], *updated[:1], *elsewhere[:1])
        ),
        explains=frozenset(("issuer-not-found", "peer-untrusted", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "network",
                f"Install {named} as a trust anchor of its own until the other side changes its chain: put its PEM into /etc/pki/trust/anchors (or /usr/local/share/ca-certificates), then run update-ca-certificates; or name that file for this destination in smtp_tls_CAfile",
            ),
            Advice("Postfix", "postfix reload"),
        ),
        verify="openssl s_client -starttls smtp -connect HOST:25 ends with Verify return code: 0 (ok).",
        place=35,
    )


_ISSUER_SAID: Final = re.compile(r"issuer[^\n]{0,200}/CN=(?P<name>[^/\n:,]{3,80})", re.IGNORECASE)


def _issuer_said(line: str) -> str:
    """`untrusted issuer /C=BE/O=GlobalSign nv-sa/CN=GlobalSign Root CA`."""
    found = _ISSUER_SAID.search(line)
    return found["name"].strip() if found else ""


def _top_issuer(path: MailPath) -> str:
    """The issuer above the highest element of the chain that was shown."""
    shown_chain = [
        each for each in path.bundle.certificates if each.role == "remote" and each.depth is not None and each.issuer
    ]
    highest = max(shown_chain, key=lambda each: each.depth or 0, default=None)
    return (highest.issuer.common_name or highest.issuer.text) if highest and highest.issuer else ""


# --- the chain that this side builds --------------------------------------------------------------------------------


def chain_is_in_its_time(path: MailPath) -> Iterator[Check]:
    """An element above the leaf is outside its time while the leaf is within: a stale cross-signature is chosen."""
    outside = [each for each in path.bundle.verifications if _is_outside(each) and (each.depth or 0) > 0]
    if not outside:
        return
    leaf = next(
        (
            each
            for each in path.bundle.certificates
            if each.depth in (0, None) and each.role in ("file", "stored", "sent")
        ),
        None,
    )
    now = path.now.value.at if path.now else None
    if leaf is not None and now is not None and (ends := at(leaf.not_after)) is not None and ends < now:
        return
    stale = outside[-1]
    name = (
        stale.subject.partition("CN=")[2].split(",")[0].strip()
        or stale.subject.rpartition("CN = ")[2].strip()
        or stale.subject
    )
    below = next((each for each in path.bundle.certificates if each.depth == (stale.depth or 0) - 1), None)
    own = below.subject.common_name if below and below.subject else ""
    premises: list[Told[object]] = [seen(stale, stale, f"element {stale.depth}, {name}: {stale.text}")]
    if leaf is not None:
        premises.append(
            seen(leaf, leaf, f"the leaf is valid until {leaf.not_after.text if leaf.not_after else 'later'}")
        )
    if path.now is not None:
        premises.append(path.now)
    yield Check(
        cause="wrong-chain-served",
        standing="broken",
        subject=name,
        says=f"The leaf is in its time, but the chain is built over {name}, which is not."
        + (f" {own} as a root of its own makes a shorter chain that is valid." if own else ""),
        premises=tuple(premises),
        explains=frozenset(("we-are-untrusted", "no-starttls", "listener-refused", "handshake-broke")),
        edits=tuple(_short_chain(name, own)),
        verify="Get-ExchangeCertificate says Status Valid; the chain served ends in a root that is valid today.",
        alone=True,
        place=25,
    )


def _is_outside(verification: OpensslVerify) -> bool:
    return verification.code == 10 or "NOT_TIME_VALID" in verification.text


def _short_chain(stale: str, own: str) -> Iterator[Edit]:
    if own:
        yield Advice(
            "Windows",
            f"Import-Certificate -FilePath C:\\root.cer -CertStoreLocation Cert:\\LocalMachine\\Root   # the self-signed {own}, from its authority's site",
        )
        cross = f"$_.Subject -like '*{own}*' -and $_.Issuer -like '*{stale}*' -or $_.Subject -like '*{stale}*'"
    else:
        cross = f"$_.Subject -like '*{stale}*'"
    yield Advice(
        "Windows",
        f"Get-ChildItem 'Cert:\\LocalMachine\\CA','Cert:\\LocalMachine\\Root' | Where-Object {{ {cross} }} | Remove-Item",
    )
    yield Advice("Exchange", RESTART_BOTH)


# --- a listener of long ago -----------------------------------------------------------------------------------------

_LONG_AGO: Final = {
    "5.0.2195": "Windows 2000",
    "6.0.2600": "Windows XP",
    "6.0.3790": "Windows Server 2003",
    "6.0.6001": "Windows Server 2008",
    "6.0.6002": "Windows Server 2008",
    "7.0.6002": "Windows Server 2008",
}
"""The version in the banner of the Microsoft ESMTP MAIL Service: SCHANNEL of these speaks TLS 1.0 at most."""


def listener_speaks_a_version_of_today(path: MailPath) -> Iterator[Check]:
    for session in path.sessions:
        banner = session.log.banner
        system = next((name for version, name in _LONG_AGO.items() if version in banner), "")
        if not system or session.log.starttls_offered is False:
            continue
        yield Check(
            cause="only-old-tls-versions",
            standing="broken",
            subject="listener",
            says=f"The receiving server's banner is that of {system}: it offers STARTTLS, but speaks TLS 1.0 and old cipher suites at most, which senders of today end abruptly.",
            premises=(inferred(session.log, session.log, banner),),
            explains=frozenset(("handshake-broke", "listener-refused", "socket-error", "old-tls-only")),
            edits=(
                Advice(
                    "application",
                    "Stop offering STARTTLS until the server is replaced: remove the certificate from the SMTP virtual server (System Manager, Access, Certificate); senders then deliver in plain text",
                ),
                Advice("network", "Or put a relay with TLS 1.2 in front of it, and retire the server"),
            ),
            verify="openssl s_client -starttls smtp -tls1_2 against what answers on port 25 ends with a handshake.",
            needs=(Need("openssl s_client -starttls smtp -tls1_2 -connect HOST:25, and the same with -tls1", 1),),
            place=70,
        )
        return
