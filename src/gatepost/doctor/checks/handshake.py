"""What breaks a handshake on the sender's side: how it begins, what it offers, who stands between."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from functools import partial
from typing import Final

from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.evidence import (
    CertificateSeen,
    PacketSeen,
    PostfixSetting,
    SettingSeen,
    SignSeen,
    SubmissionSettings,
)
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit

_STARTTLS_PORTS: Final = (25, 587, 2525)
_IMPLICIT_PORT: Final = 465


def signs(path: MailPath, *kinds: str) -> tuple[SignSeen, ...]:
    return tuple(each for each in path.bundle.signs if each.kind in kinds)


# --- TLS at once, or STARTTLS ---------------------------------------------------------------------------------------


def begins_as_the_other_side_does(path: MailPath) -> Iterator[Check]:
    """RFC 8314 3: port 465 begins with TLS; RFC 3207: ports 25 and 587 begin in plain text and change by STARTTLS."""
    if _refused_over_its_version(path):
        return
    told = signs(path, "wrong-version-number", "greeting-never-came")
    settings = next((each for each in path.bundle.submissions if each.port and each.tls), None)
    wrapper = path.bundle.postfix_setting("smtp_tls_wrappermode")
    relay = path.bundle.postfix_setting("relayhost")
    answer = partial(
        Check,
        cause="implicit-tls-mismatch",
        subject="begin",
        explains=frozenset(("wrong-version-number", "handshake-broke", "greeting-never-came")),
        way="out",
        place=40,
    )
    if (
        settings is not None and told and _contradict(settings)
    ):  # dialogs call any TLS "SSL": the words alone are no fault
        yield answer(
            standing="broken",
            says=f"{settings.host or 'The host'} is spoken to on port {settings.port} {_how(settings)}, but that port begins {_begins(settings.port)}.",
            premises=(seen(settings, settings), *(seen(each, each) for each in told[:1])),
            edits=tuple(_begin_rightly(settings)),
            verify="The session shows the greeting 220 and then STARTTLS."
            if settings.port != _IMPLICIT_PORT
            else "The session shows the greeting after TLS.",
            alone=True,
        )
    elif relay is not None and (found := _postfix(wrapper, relay)):
        yield answer(
            standing="broken",
            says=found,
            premises=(
                *((seen(wrapper, wrapper),) if wrapper else ()),
                (seen if wrapper or told else inferred)(relay, relay),
            ),
            edits=(_postfix_edit(relay),),
            alone=True,
        )
    elif (transport := _exim(path)) is not None:
        yield answer(
            standing="broken",
            says="Exim's transport begins in plain text on port 465, and that port begins with TLS: both sides wait for the other's first word.",
            premises=(inferred(transport, transport, f"port = {transport.value}, and no protocol = smtps"),),
            edits=(
                Advice(
                    "Exim",
                    "# smtp transport: protocol = smtps   # or port = 587, where the session begins in plain text and changes by STARTTLS; then: systemctl reload exim4",
                ),
            ),
            alone=True,
        )
    elif signs(path, "wrong-version-number"):
        yield answer(
            standing="broken",
            says="The client begins with TLS at once, and the port answers in plain text, for it waits for STARTTLS: ports 25 and 587 begin in plain text, port 465 with TLS.",
            premises=(inferred(told[0], told[0]),),
            edits=(
                Advice(
                    "application",
                    f"Switch from SSL (TLS from the first byte) to STARTTLS{_switch(path)} on port 587 or 25; the session is encrypted all the same",
                ),
            ),
            needs=(Need("the program's settings: host, port, and whether it says SSL, TLS or STARTTLS", 2),),
        )


def _exim(path: MailPath) -> SettingSeen | None:
    """Exim's port 465 without `protocol = smtps`."""
    of_exim = [each for each in path.bundle.settings if each.software == "exim"]
    if any(each.name == "protocol" and each.value.strip() == "smtps" for each in of_exim):
        return None
    return next((each for each in of_exim if each.name == "port" and each.value.strip() == str(_IMPLICIT_PORT)), None)


def _refused_over_its_version(path: MailPath) -> bool:
    """A server that refuses the version of a TLS hello says "wrong version number" as well, but it answers an alert."""
    return any(map(_says_protocol_version, path.bundle.packets))


_IS_ON: Final = ("true", "yes", "1", "on", "ssl")


def _switch(path: MailPath) -> str:
    """The setting that says SSL, as the program calls it."""
    for each in path.bundle.settings:
        name = each.name.casefold()
        if name.endswith(("secure", "ssl", "use_ssl", "smtp_ssl")) and each.value.strip("'\" ").casefold() in _IS_ON:
            return f" ({each.name}=false; in code secure: false, requireTLS: true)"
    return " ('secure: false' and 'requireTLS: true' in code, 'Start TLS' in a dialog)"


def _contradict(settings: SubmissionSettings) -> bool:
    if settings.tls == "implicit":
        return settings.port in _STARTTLS_PORTS
    return settings.tls == "starttls" and settings.port == _IMPLICIT_PORT


def _how(settings: SubmissionSettings) -> str:
    return "with TLS from the first byte" if settings.tls == "implicit" else "with STARTTLS"


def _begins(port: int | None) -> str:
    return "with TLS at once" if port == _IMPLICIT_PORT else "in plain text and changes by STARTTLS"


def _begin_rightly(settings: SubmissionSettings) -> Iterator[Edit]:
    if settings.port == _IMPLICIT_PORT:
        yield Advice(
            "application",
            "Use TLS from the first byte (SSL, SMTPS, 'secure: true') on port 465, or STARTTLS on port 587",
        )
        return
    name = settings.quote.partition("=")[0].strip() if "=" in settings.quote else ""
    setting = f" ({name.partition('_')[0]}_SECURE=false, secure: false)" if name.isupper() else " (secure: false)"
    yield Advice(
        "application",
        f"Choose STARTTLS, not SSL, for port {settings.port}{setting}; the session is encrypted all the same",
    )


def _postfix(wrapper: PostfixSetting | None, relay: PostfixSetting) -> str:
    at_once = wrapper is not None and wrapper.value.strip().casefold() == "yes"
    implicit = relay.value.rstrip().endswith((":465", ":smtps", ":submissions"))
    if at_once and not implicit:
        return f"smtp_tls_wrappermode begins with TLS at once, and relayhost {relay.value} is a port that waits for STARTTLS."
    if implicit and not at_once:
        return f"relayhost {relay.value} begins with TLS at once, and smtp_tls_wrappermode is not set."
    return ""


def _postfix_edit(relay: PostfixSetting) -> Edit:
    value = "yes" if relay.value.rstrip().endswith((":465", ":smtps", ":submissions")) else "no"
    return Advice(
        "Postfix", f"postconf -e smtp_tls_wrappermode={value} smtp_tls_security_level=encrypt && postfix reload"
    )


# --- suites, versions, algorithms -----------------------------------------------------------------------------------


def has_a_suite_in_common(path: MailPath) -> Iterator[Check]:
    """A client hello with suites of RSA key exchange only meets a service that takes ECDHE only."""
    rsa, modern, failed = (
        signs(path, "only-rsa-key-exchange"),
        signs(path, "modern-key-exchange"),
        signs(path, "handshake-failure"),
    )
    if not rsa or modern:
        return
    yield Check(
        cause="no-common-cipher",
        standing="broken",
        subject="hello",
        says="The client hello offers cipher suites with RSA key exchange only; services of today take ECDHE, which needs elliptic curves, whatever the TLS version.",
        premises=tuple(seen(each, each) for each in (*rsa[:2], *failed[:1])),
        explains=frozenset(("handshake-failure", "handshake-broke")),
        way="out",
        edits=(
            Advice(
                "application",
                "New firmware or controller that offers ECDHE suites; until then send through a local relay that speaks TLS 1.2 with ECDHE outwards",
            ),
        ),
        verify="The client hello lists TLS_ECDHE_ suites, and the handshake ends without alert 40.",
        place=40,
    )


def client_speaks_a_version_of_today(path: MailPath) -> Iterator[Check]:
    """SCHANNEL's registry: TLS 1.2 switched off for the client side."""
    off = signs(path, "tls-1.2-client-off")
    if not off:
        return
    key = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client"
    yield Check(
        cause="only-old-tls-versions",
        standing="broken",
        subject="schannel",
        says="TLS 1.2 is disabled for the client side in SCHANNEL's registry, so this server only offers versions that the service no longer accepts.",
        premises=(seen(off[0], off[0]),),
        explains=frozenset(("socket-error", "handshake-broke", "nothing-goes", "old-tls-only")),
        way="out",
        edits=(
            Advice(
                "Windows",
                f"New-Item -Path '{key}' -Force; Set-ItemProperty -Path '{key}' -Name Enabled -Value 1 -Type DWord; Set-ItemProperty -Path '{key}' -Name DisabledByDefault -Value 0 -Type DWord",
            ),
            Advice(
                "Windows",
                "Set-ItemProperty -Path 'HKLM:\\SOFTWARE\\Microsoft\\.NETFramework\\v4.0.30319' -Name SystemDefaultTlsVersions -Value 1 -Type DWord; Restart-Computer",
            ),
        ),
        verify="After the restart the send log shows SP_PROT_TLS1_2_CLIENT.",
        alone=True,
        place=40,
    )


_OF_LONG_AGO: Final = ("TLS 1.0", "TLS 1.1", "SSL 3.0")


def client_offers_a_version_of_today(path: MailPath) -> Iterator[Check]:
    """A captured hello says which version is the highest that the client has; the alert says that it is too old."""
    alert = next((each for each in path.bundle.packets if _says_protocol_version(each)), None)
    hello = next(
        (each for each in path.bundle.packets if each.kind == "client-hello" and each.version in _OF_LONG_AGO), None
    )
    if alert is None or hello is None or "supported_versions" in hello.extensions:
        return
    client = hello.sender.rpartition(".")[0] if hello.sender.count(".") == _WITH_PORT else hello.sender or "the client"
    yield Check(
        cause="only-old-tls-versions",
        standing="broken",
        subject=client,
        says=f"The client hello of {client} offers {hello.version} at most, and the server answers protocol_version: its library no longer has that version, whatever its settings allow.",
        premises=(seen(hello, hello, f"client hello: {hello.version}"), seen(alert, alert)),
        explains=frozenset(("wrong-version-number", "old-tls-only", "handshake-broke", "nothing-goes")),
        edits=(
            Advice(
                "device",
                f"New firmware for {client} with TLS 1.2, or a new device (a firmware without it cannot be set to it)",
            ),
            Advice(
                "network",
                f"Until then a listener of its own for {client} alone, inside the house and without TLS, that hands the mail on with TLS: OpenSMTPD 'listen on <inside address> port 25' and 'match from src {client} for any action <relay>'; Postfix: an smtpd in master.cf with -o smtpd_tls_security_level=none -o mynetworks={client}; Exim: tls_advertise_hosts = !{client}",
            ),
        ),
        verify=f"The log shows a session of {client} that ends in a delivery.",
        alone=True,
        place=40,
    )


_WITH_PORT: Final = 4
"""Dots in tcpdump's `10.0.0.44.49210`."""


def _says_protocol_version(packet: PacketSeen) -> bool:
    return packet.kind == "alert" and "protocol version" in packet.description.casefold()


def signature_algorithm_is_known(path: MailPath) -> Iterator[Check]:
    told = signs(path, "signature-algorithm")
    if not told:
        return
    odd = next((each for each in path.bundle.certificates if _is_odd(each)), None)
    premises: list[Told[object]] = [seen(told[0], told[0])]
    if odd is not None:
        premises.append(seen(odd, odd, f"signed with {odd.signature_algorithm}"))
    yield Check(
        cause="signature-algorithm-unknown",
        standing="broken",
        subject="signature",
        says="One side has no signature algorithm in common with the other's certificate"
        + (f", which is signed with {odd.signature_algorithm}." if odd else "."),
        premises=tuple(premises),
        explains=frozenset(("signature-algorithm", "handshake-broke")),
        edits=(
            Advice(
                "certificate authority",
                "Order the certificate with an RSA key of 2048 bits and SHA-256 (PKCS #1), or an ECDSA key signed with SHA-256 (SHA-384 for P-384), and a chain signed likewise; an own authority: set its default_md (openssl.cnf) or hash to sha256, sign the same request again, and install the result in the mail server",
            ),
        ),
        verify="openssl x509 -noout -text shows sha256WithRSAEncryption or ecdsa-with-SHA256 in every certificate of the chain.",
        needs=() if odd else (Need("the certificate with its chain: openssl x509 -noout -text -in FILE", 2),),
        place=30,
    )


def _is_odd(certificate: CertificateSeen) -> bool:
    algorithm = certificate.signature_algorithm.casefold()
    return any(each in algorithm for each in ("pss", "ed25519", "ed448", "sha1", "md5", "sha3", "ecdsa-with-sha512"))


# --- who stands between ---------------------------------------------------------------------------------------------


def nothing_goes_in_plain_text(path: MailPath) -> Iterator[Check]:
    """Exim tries again without TLS where it is not demanded, and then shows no certificate."""
    plain = next((each for each in path.bundle.tls if "unencrypted" in each.quote.casefold()), None)
    refused = path.symptoms_of(("not-attributed", "wrong-region", "no-starttls"))
    if plain is None or not refused:
        return
    yield Check(
        cause="fell-back-to-plain-text",
        standing="broken",
        subject=plain.peer or "relay",
        says="The handshake failed first; the program tried again in plain text, without a certificate, and only then came the refusal.",
        premises=(seen(plain, plain), seen(refused[0].says, refused[0].fact, refused[0].says)),
        explains=frozenset(each.kind for each in refused),
        way="out",
        verify="A handshake that fails now defers instead of bouncing; what broke it stands in the first lines.",
        needs=(
            Need("openssl s_client -starttls smtp -connect HOST:25 -cert FILE -key FILE from the sending server", 1),
        ),
        place=30,
    )


def nobody_replaces_certificates(path: MailPath) -> Iterator[Check]:
    found = signs(path, "anti-virus-issuer")
    if not found:
        return
    yield Check(
        cause="antivirus-replaces-certificates",
        standing="broken",
        subject="anti-virus",
        says="The certificate that the client meets is issued by the anti-virus on the sending host, which opens every mail session; the relay's own certificate never arrives, nor does a client certificate.",
        premises=(seen(found[0], found[0]),),
        explains=frozenset(
            ("issuer-not-found", "anti-virus-issuer", "handshake-broke", "not-attributed", "peer-untrusted")
        ),
        edits=(
            Advice(
                "application",
                "Disable the anti-virus's mail scanning (Mail Shield, SSL scanning) for outgoing mail, or exclude the mail program and ports 25, 465 and 587 from it",
            ),
        ),
        verify="openssl s_client -starttls smtp shows the service's own authority as issuer.",
        place=35,
    )


# --- the client presents what it was given --------------------------------------------------------------------------


def client_presents_what_it_has(path: MailPath) -> Iterator[Check]:
    """The library found no eligible certificate: none with a key, or none for clients."""
    withheld = signs(path, "no-client-certificate-eligible")
    keyless = signs(path, "key-store-without-key")
    server_only = [each for each in path.bundle.certificates if _for_servers_only(each)]
    explains = frozenset(("no-client-certificate-eligible", "key-store-without-key", "not-attributed", "key-unusable"))
    if keyless and (withheld or path.symptoms_of(("not-attributed", "handshake-broke"))):
        yield Check(
            cause="key-store-incomplete",
            standing="broken",
            subject="key store",
            says="The key store holds the certificate without its private key, so the client has nothing to present.",
            premises=tuple(seen(each, each) for each in (*keyless[:2], *withheld[:1])),
            explains=explains,
            way="out",
            edits=(
                Advice(
                    "Postfix",
                    "openssl pkcs12 -export -inkey relay.key -in leaf.pem -certfile chain.pem -name relay -out relay-client.p12   # with the private key of that certificate; keytool -list then says PrivateKeyEntry",
                ),
            ),
            verify="keytool -list shows PrivateKeyEntry, and the session presents the certificate.",
            place=3,
        )
    elif withheld:
        yield Check(
            cause="client-withholds-certificate",
            standing="broken" if server_only else "unknown",
            subject="client library",
            says="The library passes over a certificate whose extended key usage lacks client authentication, and presents none.",
            premises=(
                seen(withheld[0], withheld[0]),
                *(seen(each, each, f"purposes: {', '.join(each.purposes or ())}") for each in server_only[:1]),
            ),
            explains=explains,
            way="out",
            edits=(
                Advice(
                    "certificate authority",
                    "A certificate with client authentication (1.3.6.1.5.5.7.3.2) beside server authentication: of a private authority or a product for clients",
                ),
                Advice(
                    "application",
                    "Or hand the library the certificate so that it does not choose: SslStreamCertificateContext or LocalCertificateSelectionCallback in .NET",
                ),
            ),
            verify="The relay's log shows the client certificate.",
            needs=(
                Need(
                    "the extended key usage of the client certificate: openssl x509 -noout -ext extendedKeyUsage -in FILE",
                    2,
                ),
            ),
            place=4,
        )


def _for_servers_only(certificate: CertificateSeen) -> bool:
    return bool(certificate.purposes) and "clientAuth" not in (certificate.purposes or ()) and certificate.role != "old"


def key_was_not_installed(path: MailPath) -> Iterator[Check]:
    """A tool or cmdlet says so in whatever language."""
    told = signs(path, "private-key-missing")
    if not told:
        return
    exchange = next((each for each in told if "exchange" in each.quote.casefold()), told[0])
    yield Check(
        cause="private-key-missing",
        standing="broken",
        subject="key",
        says="The certificate is on this server without its private key: it was installed from a file that has none.",
        premises=tuple(dict.fromkeys((seen(exchange, exchange), seen(told[0], told[0])))),
        explains=frozenset(("private-key-missing", "key-unusable", "nothing-goes")),
        edits=(
            Advice(
                "Exchange",
                "Import-ExchangeCertificate -FileData ([System.IO.File]::ReadAllBytes('C:\\certificate.pfx')) -Password (Read-Host -AsSecureString)   # a PFX exported with the private key from the computer that made the request",
            ),
            Advice(
                "Windows",
                "certutil -repairstore my SERIAL   # only where the request was made on this computer: it finds the key again",
            ),
        ),
        verify="HasPrivateKey is True, and Enable-ExchangeCertificate ends without an error.",
        place=3,
    )
