"""What tools print of TLS sessions and key stores: s_client, gnutls-cli, testssl, keytool, pkcs12, certbot.

What flows: each line's handler says what the line tells; what a command above names (the listener, the store) goes with
it. Law: a verdict is the tool's about what it saw, never about what stands in a file.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.evidence import CertificateSeen, KeyStoreEntry, OpensslVerify, TlsSeen
from gatepost.doctor.moments import ANY_MOMENT, moment
from gatepost.doctor.page import Page
from gatepost.exchange.distinguished_names import distinguished_name
from gatepost.exchange.source import Fact

# --- s_client --------------------------------------------------------------------------------------------------------

_CONNECT: Final = re.compile(
    r"\b(?:s_client\b[^\n]{0,200}?-connect|gnutls-cli\b[^\n]{0,200}?)\s(?P<peer>\[?\w[\w.:-]{2,150}\]?)"
)
_PROMPT: Final = re.compile(r"\S{0,60}(?:[$#] |>\s{0,3}\w)")
_PROTOCOL: Final = re.compile(
    r"^\s*(?:Protocol version:|Protocol\s*:|New, )\s*(?P<protocol>TLSv1(?:\.\d)?|SSLv3)(?:,|\s*$)"
)
_PEER: Final = re.compile(r"^\s*Peer certificate:\s*(?P<name>\S.*)$")
_VERIFICATION: Final = re.compile(r"^\s*Verification(?P<error> error)?:\s*(?P<text>\S.*)$")
_NOTHING: Final = re.compile(
    r"^\s*(?:CONNECTION ESTABLISHED|CONNECTED\(|Ciphersuite:|Certificate chain|Server certificate|No client certificate CA names sent|Client Certificate CA names|Peer signing digest|Peer signature type|Hash used:|Signature type:|(?:Server|Peer) Temp Key|SSL handshake has read|Secure Renegotiation|Compression:|Expansion:|No ALPN|SSL-Session:|Session-ID|Master-Key|PSK |SRP |Start Time|Timeout   |Early data|Extended master|Max Early|---$|Cipher    :|DONE$|closed$|Server public key is|Verify this certificate|This TLS version forbids renegotiation|Post-Handshake)"
)
_FROM_MTA: Final = re.compile(r"^\s*250[ -](?:CHUNKING|SMTPUTF8|DSN|HELP|8BITMIME)\s*$")


def read_sessions(page: Page) -> Iterator[Fact]:
    peer = ""
    told = False
    for index, line in page.free():
        if command := _CONNECT.search(line[:600]):
            peer, told = command["peer"], False
        elif _PROMPT.match(line[:200]):
            peer = ""
        elif (protocol := _PROTOCOL.match(line)) and not told:
            told = True
            page.take(index)
            yield TlsSeen(
                source=page.source(index),
                quote=line.strip(),
                established=True,
                protocol=protocol["protocol"],
                log_owner_is="client",
                peer=peer.rpartition(":")[0],
                kind="tool",
            )
        elif subject := _PEER.match(line):
            page.take(index)
            yield CertificateSeen(
                source=page.source(index),
                quote=line.strip()[:500],
                role="remote",
                subject=distinguished_name(subject["name"]),
                presented_by=peer,
                depth=0,
            )
        elif verified := _VERIFICATION.match(line):
            page.take(index)
            code = 0 if not verified["error"] and verified["text"].strip().casefold() == "ok" else None
            yield OpensslVerify(
                source=page.source(index), quote=line.strip(), code=code, text=verified["text"].strip().casefold()
            )
        elif _NOTHING.match(line) or (peer and _FROM_MTA.match(line)):
            page.take(index)


# --- keytool, openssl pkcs12 ----------------------------------------------------------------------------------------

_LISTED: Final = re.compile(
    r"^(?P<alias>[^,:\n]{1,120}), (?P<at>[^\n]{6,30}?), (?P<kind>PrivateKeyEntry|trustedCertEntry|SecretKeyEntry|keyEntry),?\s*$"
)
_ALIAS: Final = re.compile(
    r"^\s*(?:Alias name|Aliasname|Nombre de Alias|Nom d'alias|Nome alias|別名)\s?[:\uff1a]\s*(?P<alias>\S.{0,200})$"
)
_ENTRY: Final = re.compile(
    r"^\s*(?:Entry type|Eintragstyp|Tipo de Entrada|Type d'entrée|Tipo di entrada|エントリ・タイプ)\s?[:\uff1a]\s*(?P<kind>PrivateKeyEntry|trustedCertEntry|SecretKeyEntry|keyEntry)\s*$",
    re.I,
)
_BAG: Final = re.compile(r"^\s*(?P<kind>Certificate bag|Shrouded Keybag|Key bag)\b")
_FINGERPRINT: Final = re.compile(r"fingerprint \(SHA-?256\):\s*(?P<digits>[0-9A-Fa-f:]{40,100})", re.I)
_STORE: Final = re.compile(
    r"\b(?:keytool|pkcs12)\b[^\n]{0,300}?-(?:keystore|in)\s+(?P<store>[^\s'\"]{1,200}|\"[^\"]{1,200}\")|\bkeytool\b[^\n]{0,200}?-(?P<cacerts>cacerts)\b"
)
_ABOUT: Final = re.compile(
    r"^\s*(?:Keystore (?:type|provider):|Your keystore contains|MAC:|MAC length|PKCS7 (?:Encrypted )?[Dd]ata)"
)


def read_key_stores(page: Page) -> Iterator[Fact]:
    store = alias = ""
    for index, line in page.free():
        if command := _STORE.search(line[:600]):
            store = command["cacerts"] or command["store"].strip('"')
        if listed := _LISTED.match(line):
            below = page.lines[index + 1] if index + 1 < len(page.lines) else ""
            digits = _FINGERPRINT.search(below[:300])
            page.take(index, index + 1 if digits else index)
            yield _entry_of(
                page, index, listed["kind"], listed["alias"], store, digits["digits"] if digits else "", listed["at"]
            )
        elif named := _ALIAS.match(line):
            alias = named["alias"].strip()
            page.take(index)
        elif entry := _ENTRY.match(line) or _BAG.match(line):
            page.take(index)
            yield _entry_of(page, index, entry["kind"], alias, store)
        elif _ABOUT.match(line):
            page.take(index)


def _entry_of(
    page: Page, index: int, kind: str, alias: str, store: str, digits: str = "", at: str = ""
) -> KeyStoreEntry:
    return KeyStoreEntry(
        source=page.source(index),
        quote=page.lines[index].strip()[:300],
        alias=alias,
        has_private_key=kind.casefold() in ("privatekeyentry", "keyentry", "shrouded keybag", "key bag"),
        kind=kind,
        sha256=re.sub(r"[^0-9A-F]", "", digits.upper()),
        store=store,
        at=moment(at),
    )


# --- gnutls-cli, testssl, certbot certificates -----------------------------------------------------------------------

_GNUTLS: Final = re.compile(
    r"subject [`'](?P<subject>[^`'\n]{1,500})'.{0,60}issuer [`'](?P<issuer>[^`'\n]{1,500})'.{0,20}serial 0x(?P<serial>[0-9a-f]{2,64}).{0,200}?"
    r"activated [`'](?P<begins>[^`'\n]{8,40})', expires [`'](?P<ends>[^`'\n]{8,40})'"
)
_GNUTLS_STATUS: Final = re.compile(r"^-\s*Status:\s*(?P<text>The certificate is .{3,300})$")
_GNUTLS_DEPTH: Final = re.compile(r"^-\s*Certificate\[(?P<depth>\d{1,2})\] info:")
_TESTSSL: Final = re.compile(
    r"^\s*(?P<name>Common Name \(CN\)|subjectAltName \(SAN\)|Issuer|Chain of trust|Certificate Validity \(UTC\)|Trust \(hostname\))\s{2,}(?P<value>\S.*)$"
)
_CERTBOT: Final = re.compile(
    r"^\s{2,8}(?P<name>Certificate Name|Serial Number|Key Type|Domains|Identifiers|Expiry Date|Certificate Path|Private Key Path):\s*(?P<value>\S.*)$"
)


def read_other_tools(page: Page) -> Iterator[Fact]:
    depth, peer = 0, ""
    scanned: dict[str, tuple[int, str]] = {}
    kept: dict[str, tuple[int, str]] = {}
    for index, line in page.free():
        if command := _CONNECT.search(line[:600]):
            peer = command["peer"]
        if at := _GNUTLS_DEPTH.match(line):
            depth = int(at["depth"])
            page.take(index)
        elif shown := _GNUTLS.search(line[:2500]):
            page.take(index)
            yield _of_gnutls(page, index, shown, depth, peer)
        elif status := _GNUTLS_STATUS.match(line):
            page.take(index)
            yield OpensslVerify(
                source=page.source(index), quote=line.strip()[:400], text=status["text"].strip(), tool="gnutls"
            )
        elif row := _TESTSSL.match(line):
            scanned[row["name"]] = (index, row["value"].strip())
        elif row := _CERTBOT.match(line):
            if row["name"] == "Certificate Name" and kept:
                yield from _of_certbot(page, kept)
                kept = {}
            kept[row["name"]] = (index, row["value"].strip())
    yield from _of_certbot(page, kept)
    yield from _of_testssl(page, scanned)


def _of_gnutls(page: Page, index: int, shown: re.Match[str], depth: int, peer: str) -> CertificateSeen:
    return CertificateSeen(
        source=page.source(index),
        quote=page.lines[index].strip()[:500],
        role="remote" if depth == 0 else "intermediate",
        subject=distinguished_name(shown["subject"]),
        issuer=distinguished_name(shown["issuer"]),
        serial=shown["serial"].upper(),
        not_before=moment(shown["begins"]),
        not_after=moment(shown["ends"]),
        depth=depth,
        presented_by=peer,
    )


def _of_certbot(page: Page, kept: dict[str, tuple[int, str]]) -> Iterator[Fact]:
    """`certbot certificates`: a certificate on disk."""
    names = kept.get("Domains") or kept.get("Identifiers")
    if names is None or "Expiry Date" not in kept:
        return
    for index, _ in kept.values():
        page.take(index)
    ends = ANY_MOMENT.search(kept["Expiry Date"][1])
    yield CertificateSeen(
        source=page.source(names[0]),
        quote=" ".join(f"{name}: {value}" for name, (_, value) in kept.items())[:500],
        role="file",
        names=tuple(each.casefold() for each in names[1].split()),
        names_told=True,
        serial=kept["Serial Number"][1].upper() if "Serial Number" in kept else "",
        not_after=moment(ends[0]) if ends else None,
        status=_status(kept["Expiry Date"][1]),
    )


def _status(text: str) -> str:
    found = re.search(r"\((VALID|INVALID)(?:: ([^)]{1,40}))?\)", text)
    return (found[2] or found[1]) if found and found[1] == "INVALID" else found[1].capitalize() if found else ""


def _of_testssl(page: Page, scanned: dict[str, tuple[int, str]]) -> Iterator[Fact]:
    if "Common Name (CN)" not in scanned or len(scanned) < 3:
        return
    index, name = scanned["Common Name (CN)"]
    for line, _ in scanned.values():
        page.take(line)
    alternate = scanned.get("subjectAltName (SAN)", (index, ""))[1]
    found = [*ANY_MOMENT.finditer(scanned.get("Certificate Validity (UTC)", (0, ""))[1])]
    yield CertificateSeen(
        source=page.source(index),
        quote=page.lines[index].strip()[:500],
        role="remote",
        subject=distinguished_name(f"CN={name.split()[0]}"),
        names=tuple(each.casefold() for each in alternate.split() if "." in each),
        names_told=bool(alternate),
        not_before=moment(found[0][0]) if len(found) > 1 else None,
        not_after=moment(found[-1][0]) if found else None,
        depth=0,
    )
    if "Chain of trust" in scanned:
        line, verdict = scanned["Chain of trust"]
        yield OpensslVerify(
            source=page.source(line),
            quote=page.lines[line].strip()[:300],
            code=0 if verdict.startswith("Ok") else None,
            text=verdict,
            tool="testssl",
        )
