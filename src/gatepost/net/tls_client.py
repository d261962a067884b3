"""The client's side of TLS: handshakes with next hops, with the certificate of a send connector held ready.

Laws: the handshake judges nothing; the peer's chain is judged afterwards, against the level of the send connector. A
certificate that cannot be loaded is the session's `failure`, not an exception. New certificate files are taken up
without a restart.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address

from cryptography import x509
from OpenSSL import SSL

from gatepost.mail.domain import domain_key, pattern_covers
from gatepost.net.certificates import CredentialError
from gatepost.net.credentials import load_credentials
from gatepost.net.files import FileSignature, signature
from gatepost.net.tls_session import Judge, TlsSession, new_context, present
from gatepost.net.tlsa_match import anchor_match, leaf_match
from gatepost.tenancy.evidence import CertificateFacts, PresentedCertificate
from gatepost.tenancy.names import MOST_NAMES, WILDCARD, certificate_name_key, without_wildcard
from gatepost.tenancy.tlsa import TlsaMatch, TlsaRecord

_CONTEXTS_KEPT = 256

# The next hop chooses the texts of its certificate; what is said of them goes into the queue and to the sender.
_LONGEST_SUBJECT = 256
_MOST_NAMES_SAID = 5

_CERTIFICATE_REQUESTED = b"read server certificate request"
# "write client certificate" is no proof: it also stands for an empty message, where our key does not suit the server.
_CERTIFICATE_PROVEN = b"write certificate verify"


class _Handshake:
    """What the library tells while it shakes hands."""

    __slots__ = ("certificate_requested", "certificate_sent")

    def __init__(self) -> None:
        self.certificate_requested = False
        self.certificate_sent = False


class ClientTlsSession(TlsSession):
    """A connection to a next hop. Right after `connect`, `take_ciphertext` gives the ClientHello."""

    __slots__ = ("_handshake", "_judge", "_own", "_peer_chain")

    def __init__(self, connection: SSL.Connection, judge: Judge, own: "_Kept | None") -> None:
        super().__init__(connection)
        self._judge = judge
        self._own = own
        self._handshake = _Handshake()
        self._peer_chain: tuple[CertificateFacts, ...] | None = None
        connection.set_app_data(self._handshake)

    def begin(self, server_name: str) -> None:
        connection = self._connection
        connection.set_connect_state()
        if name := _indication(server_name):
            connection.set_tlsext_host_name(name)
        self._shake_hands()

    @property
    def protocol(self) -> str:
        return self._connection.get_protocol_version_name() if self.established else ""

    @property
    def cipher(self) -> str:
        return self._connection.get_cipher_name() or ""

    @property
    def cipher_bits(self) -> int:
        return self._connection.get_cipher_bits() or 0

    @property
    def own_certificate(self) -> CertificateFacts | None:
        """The leaf that is held ready for the peer, whether it asks or not."""
        return self._own.leaf if self._own else None

    @property
    def superseded(self) -> bool:
        """A newer certificate has been loaded in place of ours: a new session would present that."""
        return self._own is not None and self._own.superseded

    @property
    def certificate_requested(self) -> bool:
        """The peer asked for a client certificate."""
        return self._handshake.certificate_requested

    @property
    def certificate_sent(self) -> bool:
        """Ours was really sent, with proof of its key."""
        return self._handshake.certificate_sent

    @property
    def peer_chain(self) -> tuple[CertificateFacts, ...]:
        """As presented, leaf first."""
        if self._peer_chain is None:
            self._peer_chain, _ = self._chain(with_leaf=True)
        return self._peer_chain

    def problem_with_host(self, names: Sequence[str], at: datetime) -> str | None:
        """Why the peer's chain does not prove that it is one of `names`; None: it does."""
        chain = self.peer_chain
        if not chain:
            return "the server presented no certificate"
        judged = self._judge(chain, (), at)
        if isinstance(judged, PresentedCertificate):
            subject = chain[0].subject[:_LONGEST_SUBJECT]
            return f"the server's certificate {subject} did not verify: {judged.errors[0].text}"
        return self._name_problem(names)

    def match_tlsa(self, records: Sequence[TlsaRecord], names: Sequence[str], at: datetime) -> TlsaMatch:
        """Which of `records` the peer's chain matches; with usage 2 it must also carry one of `names`."""
        chain = self.peer_chain
        if not chain:
            return TlsaMatch(None, "the server presented no certificate")
        if record := leaf_match(chain, records):
            return TlsaMatch(record)
        found = anchor_match(chain, records, self._judge, at)
        if found.record is None:
            none = f"the server's certificate matches none of the TLSA records ({_kinds(records)})"
            return TlsaMatch(None, found.problem or none)
        why = self._name_problem(names)
        return TlsaMatch(None, why) if why else found

    def _name_problem(self, names: Sequence[str]) -> str | None:
        leaf = self.peer_chain[0]
        if any(_proves(leaf, name) for name in names):
            return None
        covered = _few(leaf.dns_names) or "no DNS name"
        return f"the server's certificate is for {covered}, not for {' or '.join(map(_in_words, names))}"


class ClientTlsContexts:
    """One context per certificate that send connectors present, the newest loaded, and one that presents none."""

    def __init__(
        self,
        judge: Judge,
        renewed: Callable[[CertificateFacts], None] | None = None,
        in_place_of: Callable[[str, str], tuple[str, str]] | None = None,
    ) -> None:
        """`judge` is about servers: the roots for level `verify`, purpose serverAuth. `renewed` is told of each leaf
        that takes the place of another. `in_place_of` says for certificate and key file which files are presented."""
        self._judge = judge
        self._renewed = renewed
        self._in_place_of = in_place_of
        self._anonymous = _new_client_context()
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._problems: list[str] = []

    def connect(self, server_name: str, certificate: str | None, key: str | None) -> ClientTlsSession:
        """Begin a handshake with `server_name`, holding the PEM files `certificate` and `key` ready. Without `key`, it
        is in the file of the certificate."""
        if certificate is None:
            return self._begin(None, server_name)
        key = key or certificate
        if self._in_place_of:
            certificate, key = self._in_place_of(certificate, key)
        try:
            kept = self._context(certificate, key)
        except CredentialError as error:
            session = ClientTlsSession(SSL.Connection(self._anonymous, None), self._judge, None)
            session.failure = str(error)
            return session
        return self._begin(kept, server_name)

    def refresh(self) -> str | None:
        """Take up certificate files that changed; `connect` does so too. Returns in one line what was wrong with files
        since the last call; the certificates loaded before are in use."""
        for certificate, key in tuple(self._kept):
            self._context(certificate, key)
        problems = "; ".join(self._problems)
        self._problems.clear()
        return problems or None

    def _begin(self, kept: "_Kept | None", server_name: str) -> ClientTlsSession:
        context = kept.context if kept else self._anonymous
        session = ClientTlsSession(SSL.Connection(context, None), self._judge, kept)
        session.begin(server_name)
        return session

    def _context(self, certificate: str, key: str) -> "_Kept":
        files = (signature(certificate), signature(key))
        kept = self._kept.get((certificate, key))
        if kept and kept.files == files:
            self._kept.move_to_end((certificate, key))
            return kept
        try:
            credentials = load_credentials(certificate, key)
        except CredentialError as error:
            if kept is None:
                raise
            self._problems.append(f"{error}; the certificate loaded before stays in use")
            kept.files = files
            return kept
        context = _new_client_context()
        present(context, credentials)
        if kept and kept.leaf.sha256 == credentials.leaf.sha256:
            # The files were only touched, or another intermediate was added.
            kept.files, kept.context = files, context
            return kept
        if kept:
            kept.superseded = True
            if self._renewed:
                self._renewed(credentials.leaf)
        fresh = self._kept[certificate, key] = _Kept(files, context, credentials.leaf)
        if len(self._kept) > _CONTEXTS_KEPT:
            self._kept.popitem(last=False)
        return fresh


@dataclass(slots=True)
class _Kept:
    """A context, and the state of the files it was loaded from."""

    files: tuple[FileSignature | None, FileSignature | None]
    context: SSL.Context
    leaf: CertificateFacts
    superseded: bool = False


def _new_client_context() -> SSL.Context:
    context = new_context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_info_callback(_observe)
    return context


def _observe(connection: SSL.Connection, where: int, _result: int) -> None:
    if where != SSL.SSL_CB_CONNECT_LOOP:
        return
    state = connection.get_state_string()
    if state.endswith(_CERTIFICATE_REQUESTED):
        connection.get_app_data().certificate_requested = True
    elif state.endswith(_CERTIFICATE_PROVEN):
        connection.get_app_data().certificate_sent = True


def _kinds(records: Sequence[TlsaRecord]) -> str:
    return ", ".join(list(dict.fromkeys(record.kind for record in records))[:_MOST_NAMES_SAID])


def _few(names: Sequence[str]) -> str:
    left_out = len(names) - _MOST_NAMES_SAID
    return ", ".join(names[:_MOST_NAMES_SAID]) + (f" and {left_out:,} more" if left_out > 0 else "")


def _indication(server_name: str) -> bytes | None:
    """What SNI may carry (RFC 6066 3): a host name, neither an address nor with a trailing dot."""
    name = server_name.rstrip(".")
    if not name or not name.isascii() or _is_address(name):
        return None
    return name.encode()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _in_words(name: str) -> str:
    return f"a name that {name} covers" if name.startswith(WILDCARD) else name


def _proves(leaf: CertificateFacts, name: str) -> bool:
    """`name` is a host, an address, or what a send connector asks for: `*.contoso.com` and all that it covers."""
    if not name.startswith(WILDCARD):
        return _proves_host(leaf.der, name)
    asked = certificate_name_key(name)
    keys = map(certificate_name_key, leaf.dns_names[:MOST_NAMES])
    return asked is not None and any(key and pattern_covers(asked, without_wildcard(key)) for key in keys)


@lru_cache(maxsize=1024)
def _proves_host(der: bytes, name: str) -> bool:
    # Only level `verify` needs it, and few deliveries have that.
    from service_identity import CertificateError, VerificationError
    from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

    certificate = x509.load_der_x509_certificate(der)
    host = name.rstrip(".").removeprefix("[").removesuffix("]")
    try:
        if _is_address(host):
            verify_certificate_ip_address(certificate, host)
        else:
            verify_certificate_hostname(certificate, domain_key(host))
    except (VerificationError, CertificateError, ValueError):
        # service-identity says ValueError of a name that no certificate can carry.
        return False
    return True
