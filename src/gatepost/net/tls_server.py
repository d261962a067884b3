"""The server's side of TLS: a listener's certificates, and sessions that ask the client for its own.

Laws: the handshake never fails because of the client's certificate. One is asked for, without naming authorities, so
that a client which chooses by issuer still sends its own; whatever comes is kept and judged afterwards. Every
connection is a full handshake: a resumed one would not carry the chain. New certificate files are taken up without a
restart; files that cannot be used leave the old certificates in force.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from OpenSSL import SSL, crypto

from gatepost.net.certificates import CredentialError
from gatepost.net.credentials import Credentials, load_credentials
from gatepost.net.files import FileSignature, signature
from gatepost.net.tls_session import Judge, TlsSession, new_context, present
from gatepost.tenancy.evidence import (
    CertificateFacts,
    ClientCertificate,
    PresentedCertificate,
    TlsEvidence,
    VerificationError,
)

Files = tuple[str | Path, str | Path]
"""Certificate and key."""

CHAIN_TOO_LONG = 22
"""X509_V_ERR_CERT_CHAIN_TOO_LONG."""

_SESSION_ID = b"gatepost"

# The library's own groups, and the brainpool curves besides: a TLS 1.2 client certificate on a curve that the server
# does not list would end the handshake.
_GROUPS = b"DEFAULT:brainpoolP256r1:brainpoolP384r1:brainpoolP512r1"


class ServerTlsSession(TlsSession):
    """A client's connection."""

    __slots__ = ("_judge", "_presented")

    def __init__(self, connection: SSL.Connection, judge: Judge) -> None:
        super().__init__(connection)
        self._judge = judge
        self._presented: tuple[tuple[CertificateFacts, ...], int] | None = None

    def evidence(self, at: datetime) -> TlsEvidence:
        """Once established: protocol, cipher, and the client's chain as judged against the listener's roots."""
        connection = self._connection
        name = connection.get_servername()
        return TlsEvidence(
            protocol=connection.get_protocol_version_name(),
            cipher=connection.get_cipher_name() or "",
            cipher_bits=connection.get_cipher_bits() or 0,
            server_name=name.decode("ascii", "backslashreplace") if name else None,
            certificate=self._certificate(at),
        )

    def _certificate(self, at: datetime) -> ClientCertificate | None:
        if self._presented is None:
            self._presented = self._chain(with_leaf=False)
        chain, presented = self._presented
        if not chain:
            return None
        certificate = self._judge(chain, (), at)
        if len(chain) < presented and isinstance(certificate, PresentedCertificate):
            return _cut(certificate, presented)
        return certificate


def _cut(certificate: PresentedCertificate, presented: int) -> PresentedCertificate:
    kept = len(certificate.chain)
    text = f"only the first {kept} of {presented} certificates were looked at"
    error = VerificationError(code=CHAIN_TOO_LONG, depth=kept, text=text)
    return replace(certificate, errors=(*certificate.errors, error))


class ServerTlsContexts:
    """The certificates of a listener, the newest loaded. The first serves clients that ask for no name or an unknown
    one; SNI chooses among all."""

    def __init__(
        self, files: Sequence[Files], judge: Judge, renewed: Callable[[CertificateFacts], None] | None = None
    ) -> None:
        """Raises CredentialError when a file cannot be used. `renewed` is told of each leaf that takes the place of
        another."""
        if not files:
            raise ValueError("a TLS server needs a certificate")
        self._files = tuple(files)
        self._judge = judge
        self._renewed = renewed
        self._leaves: list[CertificateFacts] = []
        self._signatures = self._sign()
        self._default, self._by_name = self._load()

    def accept(self) -> ServerTlsSession:
        connection = SSL.Connection(self._default, None)
        connection.set_accept_state()
        return ServerTlsSession(connection, self._judge)

    def refresh(self) -> str | None:
        """Take up certificate files that changed. A file that cannot be used is returned as one line, once per change,
        and the certificates stay as they were; connections that are open keep theirs in any case."""
        now = self._sign()
        if now == self._signatures:
            return None
        self._signatures = now
        try:
            self._default, self._by_name = self._load()
        except CredentialError as error:
            return f"{error}; the certificates loaded before stay in use"
        return None

    def _sign(self) -> tuple[FileSignature | None, ...]:
        return tuple(signature(path) for pair in self._files for path in pair)

    def _load(self) -> tuple[SSL.Context, dict[str, SSL.Context]]:
        loaded = [load_credentials(certificate, key) for certificate, key in self._files]
        contexts = [self._context(credentials) for credentials in loaded]
        by_name: dict[str, SSL.Context] = {}
        for credentials, context in zip(loaded, contexts, strict=True):
            for name in credentials.leaf.names:
                by_name.setdefault(name.lower(), context)
        self._tell_renewed([credentials.leaf for credentials in loaded])
        return contexts[0], by_name

    def _tell_renewed(self, leaves: list[CertificateFacts]) -> None:
        if self._renewed:
            for before, leaf in zip(self._leaves, leaves, strict=False):
                if leaf.sha256 != before.sha256:
                    self._renewed(leaf)
        self._leaves = leaves

    def _context(self, credentials: Credentials) -> SSL.Context:
        context = new_context(SSL.TLS_SERVER_METHOD)
        # The order of the suites is ours: forward secrecy for old clients too, and the cheapest of TLS 1.3.
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        _offer_groups(context)
        present(context, credentials)
        _ask_for_certificate(context)
        # A client that offers a session gets a full handshake; without an id of ours it would get a fatal alert.
        context.set_session_id(_SESSION_ID)
        if len(self._files) > 1:
            context.set_tlsext_servername_callback(self._choose)
        return context

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        wildcard = "*." + name.partition(".")[2]
        context = self._by_name.get(name) or self._by_name.get(wildcard)
        if context is not None and context is not connection.get_context():
            connection.set_context(context)


def _ask_for_certificate(context: SSL.Context) -> None:
    """Asked for, never required; with no roots loaded every chain is "wrong", and the callback says so be it."""
    context.set_verify(SSL.VERIFY_PEER, _accept_any)
    # The chain is judged when the handshake is over, so the library need not look for a path: below -1 it takes the
    # leaf alone, and checks no signature of an authority. That is an eighth of the server's part of a handshake.
    context.set_verify_depth(-2)
    library = getattr(SSL, "_lib", None)
    if library and _ACCEPT:
        # pyOpenSSL makes objects of everything before it calls `_accept_any`, several times a handshake.
        library.SSL_CTX_set_verify(context._context, SSL.VERIFY_PEER, _ACCEPT)


def _accept_any(connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int) -> bool:
    return True


def _accepting() -> object | None:
    """The library's own kind of callback that accepts whatever comes; None where pyOpenSSL has no way to make one."""
    interface = getattr(SSL, "_ffi", None)
    if interface is None:
        return None
    callback: object = interface.callback("int (*)(int, X509_STORE_CTX *)", lambda ok, store: 1)
    return callback


_ACCEPT = _accepting()


def _offer_groups(context: SSL.Context) -> None:
    """pyOpenSSL has no public call for this; where the private one is not to be had, the library's groups stay."""
    library = getattr(SSL, "_lib", None)
    if library and library.SSL_CTX_set1_curves_list(context._context, _GROUPS) != 1:
        library.ERR_clear_error()
