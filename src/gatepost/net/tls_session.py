"""One TLS connection over memory buffers, either side: ciphertext in, plaintext out, and the other way round.

Law: whatever the peer sends is a value. A broken handshake or record sets `failure`; the alert that tells the peer is
still in `take_ciphertext`.
"""

from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from OpenSSL import SSL, crypto

from gatepost.net.certificates import facts
from gatepost.net.credentials import Credentials
from gatepost.tenancy.evidence import CertificateFacts, ClientCertificate

Judge = Callable[[tuple[CertificateFacts, ...], tuple[str, ...], datetime], ClientCertificate]
"""A chain, trust anchors in place of the usual roots, and the time."""

MOST_CERTIFICATES = 20
MOST_CHAIN_OCTETS = 65_536
"""What is kept of a chain besides the leaf. Longer chains lead nowhere that a shorter one does not."""

_RECORD = 16_384
"""TLS hands out at most one record at a time (RFC 8446 5.1)."""

_CIPHERTEXT_AT_ONCE = 32_768
"""A buffer of this size is taken and given back each time; from 64 KiB on that makes the C library tidy its heap."""

# Forward secrecy first; plain RSA key exchange remains for old on-premises servers, whose mail would else go in clear.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AESGCM:AESGCM:AES:!aNULL:!eNULL:!PSK:!SRP:!DSS@SECLEVEL=1"

# In this order: every TLS 1.3 peer knows the first (RFC 8446 9.1), and a handshake with SHA-256 takes an eighth less.
CIPHERSUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"


def new_context(method: int) -> SSL.Context:
    """What both sides share. A context is frozen by its first connection: to change anything, build another."""
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_tls13_ciphersuites(CIPHERSUITES)
    # No renegotiation: a certificate must not change within a session.
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


def present(context: SSL.Context, credentials: Credentials) -> None:
    """Show this chain and hold this key."""
    leaf, *others = [x509.load_der_x509_certificate(each.der) for each in credentials.chain]
    context.use_certificate(leaf)
    for other in others:
        context.add_extra_chain_cert(other)
    context.use_privatekey(credentials.key)


class TlsSession:
    """A connection over memory buffers. After `feed` or `write`, send what `take_ciphertext` gives."""

    __slots__ = ("_closing", "_connection", "_uncut", "ended", "established", "failure")

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self._closing = False
        self._uncut = True
        """Each feed so far ended with the end of a record."""
        self.established = False
        self.ended = False
        self.failure: str | None = None

    def feed(self, ciphertext: bytes) -> bytes:
        if self.failure is not None or not ciphertext:
            return b""
        self._connection.bio_write(ciphertext)
        records = _whole_records(ciphertext) if self._uncut else 0
        self._uncut = records > 0
        if not self.established:
            return self._decrypt() if self._shake_hands() else b""
        return self._decrypt_one() if records == 1 else self._decrypt()

    def write(self, plaintext: bytes) -> None:
        if not plaintext or self._closing or self.failure is not None:
            return
        try:
            self._connection.sendall(plaintext)
        except SSL.Error as error:
            self.failure = _says(error)

    def take_ciphertext(self) -> bytes:
        read = self._connection.bio_read
        try:
            first = read(_CIPHERTEXT_AT_ONCE)
        except SSL.WantReadError:
            return b""
        if len(first) < _CIPHERTEXT_AT_ONCE:
            return first
        parts = [first]
        try:
            while True:
                parts.append(read(_CIPHERTEXT_AT_ONCE))
        except SSL.WantReadError:
            return b"".join(parts)

    def close(self) -> None:
        if self._closing or not self.established or self.failure is not None:
            return
        self._closing = True
        try:
            self._connection.shutdown()
        except SSL.Error as error:
            self.failure = _says(error)

    def _shake_hands(self) -> bool:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            self.failure = _says(error)
            return False
        self.established = True
        return True

    def _decrypt_one(self) -> bytes:
        """One record gives its plaintext at once: asking for more would cost as much again, to hear that there is
        none."""
        try:
            return self._connection.recv(_RECORD)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            self.failure = _says(error)
        return b""

    def _decrypt(self) -> bytes:
        receive = self._connection.recv
        plaintext = b""
        parts: list[bytes] | None = None
        try:
            plaintext = receive(_RECORD)
            while True:
                more = receive(_RECORD)
                if parts is None:
                    parts = [plaintext]
                parts.append(more)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            self.failure = _says(error)
        return plaintext if parts is None else b"".join(parts)

    def _chain(self, *, with_leaf: bool) -> tuple[tuple[CertificateFacts, ...], int]:
        """What the peer presented, leaf first and cut to what is worth keeping, and how many there were.

        `with_leaf`: the library's chain begins with the leaf, as it does on the client's side only.
        """
        leaf = self._connection.get_peer_certificate()
        if leaf is None:
            return (), 0
        others = (self._connection.get_peer_cert_chain() or [])[1 if with_leaf else 0 :]
        kept = [facts(crypto.dump_certificate(crypto.FILETYPE_ASN1, leaf))]
        octets = 0
        for other in others[: MOST_CERTIFICATES - 1]:
            der = crypto.dump_certificate(crypto.FILETYPE_ASN1, other)
            octets += len(der)
            if octets > MOST_CHAIN_OCTETS:
                break
            kept.append(facts(der))
        return tuple(kept), 1 + len(others)


def _whole_records(ciphertext: bytes) -> int:
    """How many records it is; 0 where the last one is cut. RFC 8446 5.1: a record begins with its type, two octets of
    version, and two of length."""
    count = at = 0
    while at < len(ciphertext):
        at += 5 + int.from_bytes(ciphertext[at + 3 : at + 5], "big")
        count += 1
    return count if at == len(ciphertext) else 0


def _says(error: SSL.Error) -> str:
    """The library's reasons: a list of (library, function, reason)."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else ()
    return "; ".join(dict.fromkeys(reason for *_, reason in reasons)) or "the TLS connection broke"
