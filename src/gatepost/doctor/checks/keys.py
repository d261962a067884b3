"""Key and certificate outside Windows: whether they belong together, and what a client trusts the peer by."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections.abc import Iterator
from shlex import quote as shell_quoted
from typing import Final

from gatepost.doctor.certificates_told import at, is_self_signed, names_of, shown
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.checks.handshake import signs
from gatepost.doctor.evidence import CertificateSeen, PostfixSetting, ShellCommand
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.software import programs_of
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit

_EXPLAINS: Final = frozenset(
    ("key-of-another-certificate", "key-unusable", "not-attributed", "handshake-broke", "nothing-goes", "no-starttls")
)

# --- the key is the certificate's -----------------------------------------------------------------------------------

_DIGEST: Final = re.compile(r"\b(?P<digits>[0-9a-fA-F]{32,128})\b|Modulus=(?P<modulus>[0-9A-Fa-f]{64,4096})")
_OF_CERTIFICATE: Final = re.compile(r"\bopenssl x509\b.{0,200}-(?:modulus|pubkey)\b")
_OF_KEY: Final = re.compile(r"\bopenssl (?:rsa|pkey|ec)\b.{0,200}-(?:modulus|pubout)\b")
_KEY_FILE: Final = re.compile(r"private key from file:? \"?(?P<file>/[^\s\":;]{3,200})", re.IGNORECASE)
_FILE: Final = re.compile(r"(?:-in\s{1,10}|<\s{0,3})(?P<file>[^\s|;<>]{1,200})")


def own_certificate_stands_first(path: MailPath) -> Iterator[Check]:
    """RFC 8446 4.4.2: the own certificate comes first. OpenSSL compares the key with the first one in the file."""
    found = _not_first(path)
    if found is None:
        return
    first, own = found
    file = values.client_certificate_file(path.bundle) or own.source.file
    name = next(iter(names_of(own)), "the own certificate")
    yield Check(
        cause="key-store-incomplete",
        standing="broken",
        subject=own.source.file,
        says=f"In {own.source.file} the authority's certificate stands first and {name} after it: the program compares its key with the first one, finds that they differ, and goes without.",
        premises=(
            seen(first, first, f"first: {shown(first)}"),
            seen(own, own, f"after it: {shown(own)}"),
        ),
        explains=_EXPLAINS | {"not-client-trusted"},
        edits=(
            Advice(
                "Postfix",
                f"openssl pkcs12 -in FILE.pfx -clcerts -nokeys -out leaf.pem; openssl pkcs12 -in FILE.pfx -cacerts -nokeys -out chain.pem; cat leaf.pem chain.pem > {shell_quoted(file)}; postfix reload   # the own certificate {name} first, then the intermediates; key and certificate stay as they are",
            ),
        ),
        verify=f"openssl x509 -noout -subject -in {file} prints {name}: it reads the first one.",
        alone=True,
        place=3,
    )


def _not_first(path: MailPath) -> tuple[CertificateSeen, CertificateSeen] | None:
    """An authority's certificate at the head of a file, and the one that it issued further down."""
    files: dict[str, list[CertificateSeen]] = {}
    for each in path.bundle.certificates:
        if each.role in ("file", "new", "intermediate") and each.public_key_sha256:
            files.setdefault(each.source.file, []).append(each)
    for held in files.values():
        held.sort(key=lambda each: each.source.line)
        issued = [each for each in held[1:] if not each.is_authority and _is_issued_by(each, held[0])]
        if held[0].is_authority and issued:
            return held[0], issued[0]
    return None


def _is_issued_by(each: CertificateSeen, issuer: CertificateSeen) -> bool:
    return each.issuer is not None and issuer.subject is not None and each.issuer.key == issuer.subject.key


_STRONG_ENOUGH: Final = 2048


def certificate_is_strong_enough(path: MailPath) -> Iterator[Check]:
    """A key below 2048 bits, or a signature by MD5 or SHA-1, in what the sender presents."""
    refused = path.symptoms_of(("not-attributed", "handshake-broke", "we-are-untrusted", "no-secure-channel"))
    weak = next((each for each in path.bundle.certificates if _is_weak(each)), None)
    if weak is None or not refused:
        return
    what = weak.signature_algorithm or f"a key of {weak.key_bits} bits"
    yield Check(
        cause="weak-signature-or-key",
        standing="broken",
        subject=shown(weak),
        says=f"{shown(weak)} has {what}: peers with TLS 1.2 and later refuse it.",
        premises=(inferred(weak, weak, f"{shown(weak)}: {what}"),),
        explains=frozenset(each.kind for each in refused),
        edits=(
            Advice(
                "PKI",
                "Have the certificate issued anew with SHA-256 and an RSA key of 2048 or 3072 bits, or ECDSA P-256; then install it and reload the mail program",
            ),
        ),
        verify="openssl x509 -noout -text shows sha256WithRSAEncryption and Public-Key: (2048 bit) or more.",
        alone=True,
        place=7,
    )


def _is_weak(certificate: CertificateSeen) -> bool:
    if certificate.role in ("root", "remote", "old") or certificate.smtp_bound is False or is_self_signed(certificate):
        return False
    signature = certificate.signature_algorithm.casefold()
    by_digest = "md5" in signature or re.search(r"sha-?1(?!\d)", signature) is not None
    bits = certificate.key_bits
    return by_digest or (bits is not None and "ec" not in signature and 512 <= bits < _STRONG_ENOUGH)


def key_is_the_certificates(path: MailPath) -> Iterator[Check]:
    """A program says that they differ, or the digests of both public keys were printed and differ."""
    told = signs(path, "key-of-another-certificate")
    if _not_first(path) is not None:
        return
    compared = _compared(path)
    if compared is not None and compared[0][1] == compared[1][1]:
        yield Check(
            cause="key-of-another-certificate",
            standing="holds",
            subject="key",
            says="the key's and the certificate's digests are equal",
            premises=tuple(seen(each[1], each[0]) for each in compared),
            explains=_EXPLAINS,
        )
        return
    if not told and compared is None:
        return
    files = tuple(_file_of(each[0]) for each in compared) if compared else _files_set(path)
    premises: list[Told[object]] = [seen(each, each) for each in told[:1]]
    premises += [seen(digits, command, f"{command.command}: {digits[:16]}…") for command, digits in compared or ()]
    yield Check(
        cause="key-of-another-certificate",
        standing="broken",
        subject="key",
        says=f"The private key {files[1] or 'in the configuration'} is not that of the certificate {files[0] or 'beside it'}: usually the certificate was renewed with a new key and only one of the two files was replaced.",
        premises=tuple(premises),
        explains=_EXPLAINS,
        edits=tuple(_pair(path, *files)),
        verify="Both commands print the same digest, the program starts without a complaint, and TLS is offered again.",
        alone=True,
        place=3,
    )


def _compared(path: MailPath) -> tuple[tuple[ShellCommand, str], tuple[ShellCommand, str]] | None:
    """The last digest of a certificate's public key and of a private key, printed by openssl in the same way."""
    certificate = [found for each in path.bundle.shell if (found := _printed(each, _OF_CERTIFICATE))]
    key = [found for each in path.bundle.shell if (found := _printed(each, _OF_KEY))]
    if not certificate or not key or len(certificate[-1][1]) != len(key[-1][1]):
        return None
    return certificate[-1], key[-1]


def _printed(command: ShellCommand, kind: re.Pattern[str]) -> tuple[ShellCommand, str] | None:
    found = _DIGEST.search(command.output) if kind.search(command.command) else None
    return (command, (found["digits"] or found["modulus"]).casefold()) if found else None


def _file_of(command: ShellCommand) -> str:
    found = _FILE.search(command.command)
    return found["file"] if found else ""


def _files_set(path: MailPath) -> tuple[str, str]:
    """Certificate's and key's file as a configuration names them."""
    for kind in ("smtp_tls", "smtpd_tls"):
        certificate = path.bundle.postfix_setting(f"{kind}_cert_file")
        key = path.bundle.postfix_setting(f"{kind}_key_file")
        if certificate is not None and key is not None:
            return certificate.value, key.value
    set_elsewhere = {each.name.casefold(): each.value for each in path.bundle.settings}
    for one, other in (("tls_certificate", "tls_privatekey"), ("confclient_cert", "confclient_key")):
        if one in set_elsewhere and other in set_elsewhere:
            return set_elsewhere[one], set_elsewhere[other]
    said = " ".join(each.quote for each in (*path.bundle.postfix_tls, *path.bundle.signs))
    named = _KEY_FILE.search(said)
    return values.client_certificate_file(path.bundle), named["file"] if named else ""


def _pair(path: MailPath, certificate: str, key: str) -> Iterator[Edit]:
    shown_certificate, shown_key = certificate or "CERTIFICATE", key or "KEY"
    yield Advice(
        "application",
        f"openssl x509 -noout -pubkey -in {shown_certificate} | sha256sum; openssl pkey -pubout -in {shown_key} | sha256sum   # must print the same digest twice; look through the keys that are there for the one that does",
    )
    folder = certificate.rpartition("/")[0]
    sibling = f"{folder}/privkey.pem" if "/live/" in certificate and not key.startswith(folder) else ""
    there = programs_of(path.bundle)
    if "Postfix" in there or not there:
        yield Advice(
            "Postfix",
            f"postconf -e smtp_tls_cert_file={shell_quoted(shown_certificate)} smtp_tls_key_file={shell_quoted(sibling or 'KEY-OF-THAT-CERTIFICATE')} && postfix reload   # both from one renewal; or key and chain in one file: smtp_tls_chain_files, the key first; smtpd_tls_ the same for receiving",
        )
    if "Exim" in there:
        yield Advice(
            "Exim",
            f"# tls_certificate = {shown_certificate} and tls_privatekey = {sibling or 'the key of that certificate'}; then: systemctl reload exim4",
        )
    yield Advice(
        "certificate authority",
        f"Where the key is lost: openssl req -new -newkey rsa:2048 -nodes -keyout {shown_key}.new -out request.csr, and have the certificate issued anew for that request; keep both files together",
    )


# --- what the peer's certificate is verified by ---------------------------------------------------------------------

_ANCHORS: Final = ("smtp_tls_CAfile", "smtp_tls_CApath", "tls_append_default_CA")
_BUNDLE: Final = "/etc/ssl/certs/ca-certificates.crt"
_VERIFYING: Final = ("verify", "secure", "fingerprint")


def own_chain_is_no_list_of_authorities(path: MailPath) -> Iterator[Check]:
    """smtp_tls_CAfile lists whom to trust; the chain of the server's own certificate is none of that."""
    anchors = path.bundle.postfix_setting("smtp_tls_CAfile")
    if anchors is None or not _is_own_chain(path, anchors):
        return
    distrusted = [
        each
        for each in path.bundle.postfix_tls
        if each.kind == "verify-problem" or each.trust in ("Untrusted", "Anonymous")
    ]
    level = path.bundle.postfix_setting("smtp_tls_security_level")
    demands = level is not None and level.value.strip() in _VERIFYING
    if not (distrusted or demands or path.symptoms_of(("peer-untrusted", "issuer-not-found"))):
        return
    yield Check(
        cause="own-chain-as-trust-anchors",
        standing="broken",
        subject="smtp_tls_CAfile",
        says=f"smtp_tls_CAfile = {anchors.value} is the chain of this server's own certificate, so Postfix trusts nobody but its own authority; the list of public authorities belongs there.",
        premises=(
            seen(anchors, anchors, f"smtp_tls_CAfile = {anchors.value}"),
            *((seen(level, level, f"smtp_tls_security_level = {level.value}"),) if level and demands else ()),
            *(seen(each, each) for each in distrusted[:1]),
        ),
        explains=frozenset(("peer-untrusted", "issuer-not-found", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "Postfix",
                f"postconf -e smtp_tls_CAfile={_BUNDLE} && postfix reload   # Debian, Ubuntu; Red Hat: /etc/pki/tls/certs/ca-bundle.crt",
            ),
        ),
        verify="The log says 'Trusted TLS connection established' or 'Verified', no longer 'untrusted issuer'.",
        alone=demands or bool(distrusted),
        place=30,
    )


def _is_own_chain(path: MailPath, anchors: PostfixSetting) -> bool:
    value = anchors.value.strip()
    own = {
        each.value.strip()
        for each in path.bundle.postfix_settings
        if each.name.endswith(("tls_cert_file", "tls_chain_files"))
    }
    name = value.rpartition("/")[2].casefold()
    host = path.bundle.postfix_setting("myhostname")
    of_host = bool(host and host.value.strip() and host.value.strip().casefold() in value.casefold())
    return value in own or "/live/" in value or name in ("fullchain.pem", "chain.pem", "cert.pem") or of_host


def client_trusts_the_peer(path: MailPath) -> Iterator[Check]:
    """The client's own verdict on the peer's chain: the peer sends too little, or the client's list lacks the root."""
    failed = [each for each in signs(path, "issuer-not-found") if "postfix/smtpd[" not in each.quote]
    if not failed or signs(path, "anti-virus-issuer", "trust-store-updated"):
        return
    if path.symptoms_of(("we-are-untrusted",)):
        return  # the service says so of the own chain: it is no matter of the client's list
    chain = [
        each for each in path.bundle.certificates if each.role in ("remote", "presented") or each.depth is not None
    ]
    leaf_only = _sends_the_leaf_only(path, [each.depth for each in chain if each.depth is not None])
    if leaf_only is not None:
        yield _peer_sends_the_leaf_only(path, leaf_only)
        return
    root = _last_issuer(path)
    yield Check(
        cause="trust-store-frozen",
        catalogue=("C05", "K06", "C01"),
        standing="broken",
        subject="trust store of the program",
        says="The program does not trust the certificate that the mail server presents: its own list of authorities lacks the root"
        + (f", {root}" if root else "")
        + ". The certificate of the server need not be changed, if other clients accept its chain.",
        premises=tuple(inferred(each, each) for each in failed[:2]),
        explains=frozenset(("issuer-not-found", "peer-untrusted", "handshake-broke")),
        way="out",
        edits=tuple(_trusted_in(path, root)),
        verify="The program's next session gets past STARTTLS; openssl s_client -starttls smtp -connect HOST:25 ends with Verify return code: 0 (ok).",
        needs=(Need("openssl s_client -starttls smtp -connect HOST:25 -showcerts </dev/null, from the same host", 1),),
        place=55,
    )


def _last_issuer(path: MailPath) -> str:
    for line in signs(path, "issuer-not-found"):
        if found := re.search(r"untrusted issuer .{0,200}CN ?= ?(?P<name>[^/,\n]{3,80})", line.quote):
            return found["name"].strip()
    shown = [each for each in path.bundle.certificates if each.issuer and each.depth is not None]
    top = max(shown, key=lambda each: each.depth or 0, default=None)
    return top.issuer.common_name if top and top.issuer else ""


def _sends_the_leaf_only(path: MailPath, depths: list[int]) -> Told[object] | None:
    """OpenSSL's errors 20 and 21 together, at depth 0."""
    first = next(
        (each for each in path.bundle.verifications if each.code == 21 or "verify the first certificate" in each.text),
        None,
    )
    if first is None or max(depths, default=0) > 0:
        return None
    return inferred(first, first)


def _peer_sends_the_leaf_only(path: MailPath, told: Told[object]) -> Check:
    return Check(
        cause="intermediates-not-sent",
        standing="broken",
        subject="chain",
        says="The server presents its own certificate alone; the intermediate that leads to a public root is missing, so clients that do not fetch it refuse the chain.",
        premises=(told, *(seen(each, each) for each in signs(path, "issuer-not-found")[:1])),
        explains=frozenset(("issuer-not-found", "peer-untrusted", "handshake-broke", "listener-refused")),
        edits=(
            Advice(
                "Postfix",
                "postconf -e smtpd_tls_cert_file=/etc/letsencrypt/live/HOST/fullchain.pem smtpd_tls_key_file=/etc/letsencrypt/live/HOST/privkey.pem && postfix reload   # leaf and intermediate in one file (fullchain.pem, not cert.pem); for sending the same in smtp_tls_cert_file",
            ),
            Advice(
                "application",
                "Any other server: put the authority's intermediate certificate behind the leaf in its certificate file (cat leaf.pem intermediate.pem > fullchain.pem) and reload it",
            ),
        ),
        verify="openssl s_client -starttls smtp -connect HOST:25 shows two certificates (0 and 1) and Verify return code: 0 (ok).",
        place=25,
    )


_IMPORTS: Final = {
    "Postfix": f"postconf -e smtp_tls_CAfile={_BUNDLE} && postfix reload   # Red Hat: /etc/pki/tls/certs/ca-bundle.crt; in a chroot tls_append_default_CA does not help; if {{root}} is missing there: update-ca-certificates",
    "Exim": "# remote_smtp transport: tls_verify_certificates = system (or "
    + _BUNDLE
    + "); apt install --only-upgrade ca-certificates, or put {root} into /usr/local/share/ca-certificates and run update-ca-certificates",
    "OpenSMTPD": '# update ca-certificates ({root} must be in /etc/ssl/cert.pem); a private authority: ca "peer" cert "/etc/ssl/peer-ca.pem" and relay ... ca "peer"',
    "sendmail": f"# sendmail.mc: define(`confCACERT', `{_BUNDLE}')dnl; then: make -C /etc/mail restart",
    "Java": "keytool -importcert -cacerts -alias mail-root -file root.pem -storepass changeit   # root.pem: {root}; or take a current JDK or image; then restart the program",
    "Python": "pip install --upgrade certifi; export SSL_CERT_FILE=$(python -m certifi)   # or apt install --only-upgrade ca-certificates; a private authority: context.load_verify_locations('root.pem')",
    "PHP": f"# php.ini: openssl.cafile={_BUNDLE}   # with a current ca-certificates package (on Windows a current cacert.pem); then restart PHP; do not set verify_peer to false",
    "Node.js": "NODE_EXTRA_CA_CERTS=/etc/ssl/root.pem   # root.pem: {root}; or a current Node.js",
    "Go": "apk add --no-cache ca-certificates   # in the image (Debian: apt install ca-certificates); a private authority: SSL_CERT_FILE",
    ".NET": "certutil -generateSSTFromWU roots.sst; Import-Certificate -FilePath roots.sst -CertStoreLocation Cert:\\LocalMachine\\Root   # on Linux: update-ca-certificates",
    "device": "Import {root} into the device's list of authorities (security, certificates, CA certificate), or update its firmware; until then set the certificate check of its mail client to off or 'encryption only'",
}


def _trusted_in(path: MailPath, root: str) -> Iterator[Edit]:
    there = [each for each in _IMPORTS if each in programs_of(path.bundle)] or ["device", "Java", "Python"]
    for program in there:
        yield Advice(program, _IMPORTS[program].replace("{root}", root or "the root that the peer's chain ends in"))


# --- what a renewal left on disk is what the listener presents ------------------------------------------------------

_RELOADS: Final = {
    "Postfix": "postfix reload",
    "Exim": "systemctl reload exim4",
    "OpenSMTPD": "systemctl restart opensmtpd",
    "sendmail": "systemctl restart sendmail",
}


def renewed_file_is_presented(path: MailPath) -> Iterator[Check]:
    """A file that ends later than what the listener presents, for the same name: the program was not reloaded."""
    for shown_outside in path.presented:
        newer = _newer_file(path, shown_outside.certificate)
        if newer is None or any(each.when == "now" for each in path.stores):
            continue
        there = [each for each in _RELOADS if each in programs_of(path.bundle)] or ["Postfix"]
        reload = _RELOADS[there[0]]
        yield Check(
            cause="old-certificate-in-memory",
            standing="broken",
            subject=f"presented@{shown_outside.host}",
            says=f"{shown_outside.host or 'The listener'} still presents the certificate that ends {_ends(shown_outside.certificate)}, although the file on disk ends {_ends(newer)}: the program was not reloaded after the renewal, or reads another file.",
            premises=(
                seen(
                    shown_outside.certificate, shown_outside.fact, f"presented: ends {_ends(shown_outside.certificate)}"
                ),
                seen(newer, newer, f"on disk: ends {_ends(newer)}"),
            ),
            explains=frozenset(
                ("listener-refused", "no-starttls", "peer-sees-expired", "issuer-not-found", "nothing-comes")
            ),
            way="in",
            edits=(
                Advice(there[0], f"{reload}   # at once"),
                Advice(
                    there[0],
                    f"certbot renew --deploy-hook '{reload}'   # or an executable file in /etc/letsencrypt/renewal-hooks/deploy/ that holds that command, so that every renewal does it",
                ),
            ),
            verify="openssl s_client -starttls smtp shows the new end.",
            alone=True,
            place=20,
        )
        return


_DAY: Final = 86400


def _newer_file(path: MailPath, presented: CertificateSeen) -> CertificateSeen | None:
    ends, names = at(presented.not_after), set(names_of(presented))
    for each in path.bundle.certificates:
        later = at(each.not_after)
        on_disk = each.role in ("file", "new") and not each.presented_by
        if on_disk and ends and later and later > ends + _DAY and names & set(names_of(each)):
            return each
    return None


def _ends(certificate: CertificateSeen) -> str:
    return certificate.not_after.text if certificate.not_after else "at a time not shown"


# --- the name by which the peer is called ---------------------------------------------------------------------------

_CALLED: Final = re.compile(
    r"(?:not valid for|matching|for host|host(?:name)?:?)\s['\"]?(?P<host>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})",
    re.IGNORECASE,
)
_HELD: Final = re.compile(
    r"(?:valid for|altnames:? |Peer certificate CN=|expected|DNS:)\s?['\"`]?(?P<host>\*?[\w-]{0,63}(?:\.[\w-]{1,63}){1,8})",
    re.IGNORECASE,
)


def peer_is_called_by_a_name_of_its_certificate(path: MailPath) -> Iterator[Check]:
    """RFC 6125: the name that the client asked for must be in the certificate; an alias in DNS does not count."""
    told = signs(path, "host-name-differs")
    if not told:
        return
    called = _CALLED.search(told[0].quote)
    host = called["host"].casefold() if called else ""
    alias = next(
        (each for each in path.bundle.dns if each.name == host and each.values and not each.values[0][:1].isdigit()),
        None,
    )
    target = alias.values[0].rstrip(".") if alias else ""
    names = [name for each in path.bundle.certificates if each.role in ("remote", "file") for name in names_of(each)]
    held = next((each for each in names if not each.startswith("*")), "")
    if not held and (found := _HELD.search(told[0].quote)) and found["host"].casefold() != host:
        held = found["host"].lstrip("*.").casefold()
    name = target or held or "THE-NAME-IN-THE-CERTIFICATE"
    yield Check(
        cause="host-name-not-in-peers-certificate",
        standing="broken",
        subject=host or "host",
        says=f"The program calls the server {host or 'by a name'} that the server's certificate does not hold"
        + (f"; that name leads to {target}." if target else f"; it holds {held}." if held else "."),
        premises=(seen(told[0], told[0]), *((seen(alias, alias),) if alias else ())),
        explains=frozenset(("host-name-differs", "handshake-broke", "issuer-not-found", "peer-untrusted")),
        way="out",
        edits=(
            Advice(
                "application",
                f"Set the mail host to {name} (a name that the certificate holds), not to an alias or an address; do not switch the check of the name off",
            ),
            Advice("Postfix", f"postconf -e 'relayhost = [{name}]:25' && postfix reload"),
            Advice(
                "certificate authority",
                f"Or, where the server is your own: a certificate that holds {host or 'the name that clients use'} as subject alternative name",
            ),
        ),
        verify=f"openssl s_client -starttls smtp -connect {name}:25 -verify_hostname {name} ends with Verify return code: 0 (ok).",
        place=52,
    )
