"""The certificates that chains are judged against.

Law: nothing is remembered here of the chains that were judged. Equal evidence verifies, or does not, in every worker
and in `explain` alike, whatever came before it.
"""

import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from OpenSSL import crypto

from gatepost.net.certificates import certificates_in, facts, lineage, read_file
from gatepost.net.files import FileSignature
from gatepost.tenancy.evidence import CertificateFacts

_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def system_roots_file() -> Path | None:
    """The bundle of public roots of this machine. The TLS library that is built into `cryptography` looks where it
    was built, which is right on no other machine."""
    places = filter(None, (ssl.get_default_verify_paths().cafile, *_SYSTEM_ROOTS))
    return next((path for path in map(Path, places) if path.is_file()), None)


def is_system_roots_file(path: Path) -> bool:
    return path.exists() and any(Path(each).exists() and path.samefile(each) for each in _SYSTEM_ROOTS)


UNSPECIFIED = 1
"""X509_V_ERR_UNSPECIFIED."""


class Refusal(NamedTuple):
    """What OpenSSL found first, and at which depth."""

    code: int
    depth: int
    text: str


class TrustStore:
    """A set of trust anchors. Any certificate can be one; an intermediate or a leaf then needs nothing above it."""

    def __init__(self, ders: Iterable[bytes], *, public: bool = False) -> None:
        self.public = public
        """These are the public authorities that the operating system trusts."""
        self._ders = tuple(ders)
        self._anchors = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in self._ders]

    def verify(self, chain: Sequence[CertificateFacts], at: datetime) -> tuple[CertificateFacts, ...] | Refusal:
        """The path from the leaf to a trust anchor, both included, or why there is none."""
        try:
            leaf, *others = [crypto.load_certificate(crypto.FILETYPE_ASN1, each.der) for each in chain]
            found = crypto.X509StoreContext(self._store(at), leaf, others).get_verified_chain()
        except crypto.X509StoreContextError as error:
            code, depth, text = error.errors
            return Refusal(code, depth, text)
        except crypto.Error:
            return Refusal(UNSPECIFIED, 0, "it cannot be decoded")
        return tuple(facts(crypto.dump_certificate(crypto.FILETYPE_ASN1, each)) for each in found)

    def _store(self, at: datetime) -> crypto.X509Store:
        """A store keeps the first time it is given, so every moment needs its own. The certificates are shared."""
        store = crypto.X509Store()
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        store.set_time(at.astimezone(UTC))
        for anchor in self._anchors:
            store.add_cert(anchor)
        return store

    def has_anchor_named(self, subject: str) -> bool:
        return subject.casefold() in self._subjects

    def has_anchor_of(self, organisations: frozenset[str]) -> bool:
        return not self._organisations.isdisjoint(organisations)

    @cached_property
    def _subjects(self) -> frozenset[str]:
        return frozenset(facts(der).subject.casefold() for der in self._ders)

    @cached_property
    def _organisations(self) -> frozenset[str]:
        return frozenset().union(*(lineage(der).organisations for der in self._ders))


@lru_cache(maxsize=4)
def load_roots(path: Path, _signature: FileSignature | None, public: bool) -> TrustStore:
    """Judges of several listeners share what they load from one file; another signature is another content."""
    return TrustStore(certificates_in(read_file(path, "roots"), f"roots file {path}"), public=public)
