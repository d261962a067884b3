"""Judging a certificate chain: facts in, `VerifiedCertificate` or `PresentedCertificate` with everything wrong out.

Laws: the handshake is over, so nothing here can end it. OpenSSL says whether the chain leads to a trust anchor; then
dates, purpose, key and signature of each certificate on the way are looked at separately, so that the peer learns of
all its problems at once. The decisive one comes first: who vouches, then when, then what for, then how strongly.
Whether a chain verifies depends on nothing that was judged before; why its issuer is not known may be told better for
it (`net.intermediates`).
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from gatepost.net.certificates import (
    NAMES_EXTENSION,
    PURPOSES_EXTENSION,
    CredentialError,
    certificates_in,
    lineage,
)
from gatepost.net.files import signature
from gatepost.net.intermediates import SHARED, KnownIntermediates, intermediate_is_missing
from gatepost.net.roots import Refusal, TrustStore, is_system_roots_file, load_roots, system_roots_file
from gatepost.tenancy.evidence import (
    CertificateFacts,
    ClientCertificate,
    PresentedCertificate,
    VerificationError,
    VerifiedCertificate,
)

# X509_V_ERR numbers of OpenSSL.
BAD_SIGNATURE = 7
NOT_YET_VALID = 9
EXPIRED = 10
BAD_NOT_BEFORE = 13
BAD_NOT_AFTER = 14
SELF_SIGNED = 18
ROOT_UNKNOWN = 19
ISSUER_UNKNOWN = 20
INVALID_PURPOSE = 26
INVALID_EXTENSION = 41
WEAK_KEY = 66
WEAK_AUTHORITY_KEY = 67
WEAK_SIGNATURE = 68

_ISSUER_NOT_FOUND = frozenset({2, 20, 21, 27})
_DATE_ERRORS = frozenset({NOT_YET_VALID, EXPIRED, BAD_NOT_BEFORE, BAD_NOT_AFTER})
_DECISIVENESS = {
    INVALID_EXTENSION: 1,
    **dict.fromkeys(_DATE_ERRORS, 2),
    INVALID_PURPOSE: 3,
    WEAK_KEY: 4,
    WEAK_AUTHORITY_KEY: 4,
    WEAK_SIGNATURE: 5,
}
"""Lower decides; whatever is not listed is about who vouches, and decides over all."""

_BROKEN_DIGESTS = ("md2", "md4", "md5", "sha1", "sha-1")
_LEAST_BITS = {"RSA": 2048, "DSA": 2048}
_TLS_PURPOSES = frozenset({"serverAuth", "clientAuth"})
_ANY_PURPOSE = "anyExtendedKeyUsage"

_TELLING_PARTS = (NAMES_EXTENSION, PURPOSES_EXTENSION, "certificate", "extensions")

_VERDICTS_REMEMBERED = 2048
_WORTH_REMEMBERING = 16_384
"""Octets. Larger chains are judged again each time, so that strangers cannot fill the memory with them."""
_ANCHOR_SETS_REMEMBERED = 256


Key = TypeVar("Key")
Value = TypeVar("Value")


class _Verdict(NamedTuple):
    certificate: ClientCertificate
    since: datetime | None
    until: datetime | None
    """Dates of the path between which the verdict does not change."""
    top: CertificateFacts | None = None
    """Of a chain whose issuer was not found and shows no sign of being an intermediate: the last certificate."""


class Judge:
    """Judges against one file of roots, or the system's, or in their place against a tenant's own trust anchors."""

    def __init__(
        self,
        roots: str | Path | None = None,
        *,
        required_purpose: str | None = None,
        intermediates: KnownIntermediates | None = None,
    ) -> None:
        """`required_purpose`: `clientAuth` or `serverAuth`; None: either will do, because public authorities have
        stopped issuing clientAuth. `intermediates`: what verified chains have shown. Raises CredentialError when
        `roots` cannot be used."""
        self._intermediates = intermediates
        self._asked = Path(roots) if roots else None
        self._required_purpose = required_purpose
        self._path = self._asked or system_roots_file()
        self._signature = signature(self._path) if self._path else None
        self._roots = self._load()
        self._told_of_no_roots = False
        self._anchors: OrderedDict[tuple[str, ...], TrustStore] = OrderedDict()
        self._verdicts: OrderedDict[tuple[object, ...], _Verdict] = OrderedDict()

    def refresh(self) -> str | None:
        """Load the roots again if their file changed. A file that cannot be used is returned as one line, and the
        roots stay as they were."""
        if self._intermediates:
            self._intermediates.refresh()
        path = self._asked or system_roots_file()
        if path is None:
            return self._no_roots()
        now = signature(path)
        if (path, now) == (self._path, self._signature):
            return None
        self._path, self._signature = path, now
        try:
            self._roots = self._load()
        except CredentialError as error:
            return f"{error}; the roots loaded before stay in force"
        self._verdicts.clear()
        return None

    def _load(self) -> TrustStore:
        if self._path is None:
            return TrustStore(())
        return load_roots(self._path, self._signature, is_system_roots_file(self._path))

    def _no_roots(self) -> str | None:
        if self._told_of_no_roots:
            return None
        self._told_of_no_roots = True
        return (
            "this machine has no bundle of public root certificates, so none of their certificates verifies: "
            "install ca-certificates, or name a file of roots in [tls]"
        )

    def __call__(
        self, chain: tuple[CertificateFacts, ...], trust_anchors: tuple[str, ...], at: datetime, tenant: str = ""
    ) -> ClientCertificate:
        """`chain` as presented, leaf first; `trust_anchors` are PEM texts, none means the roots; `tenant` is whose
        anchors they are."""
        verdict = self._verdict(chain, trust_anchors, at, tenant)
        if verdict.top and self._is_known_intermediate(verdict.top, trust_anchors, tenant):
            assert isinstance(verdict.certificate, PresentedCertificate)
            return replace(verdict.certificate, missing_issuer=verdict.top.issuer)
        return verdict.certificate

    def _is_known_intermediate(self, top: CertificateFacts, trust_anchors: tuple[str, ...], tenant: str) -> bool:
        scope = tenant if trust_anchors else SHARED
        if self._intermediates is None or (trust_anchors and not tenant):
            return False
        return self._intermediates.lead_from(top, self._trust(trust_anchors), scope)

    def _verdict(
        self, chain: tuple[CertificateFacts, ...], trust_anchors: tuple[str, ...], at: datetime, tenant: str
    ) -> _Verdict:
        # The hour bounds what the dates of the path do not: an anchor that ends.
        key = (tuple(each.sha256 for each in chain), trust_anchors, int(at.timestamp()) // 3600)
        known = self._verdicts.get(key)
        if known and (not known.since or known.since <= at) and (not known.until or at < known.until):
            self._verdicts.move_to_end(key)
            return known
        verdict, path = self._judge(chain, self._trust(trust_anchors), at)
        if path and self._intermediates and (tenant or not trust_anchors):
            self._intermediates.learn(path, tenant if trust_anchors else SHARED)
        if sum(len(each.der) for each in chain) <= _WORTH_REMEMBERING:
            _remember(self._verdicts, key, verdict, _VERDICTS_REMEMBERED)
        return verdict

    def _trust(self, anchors: tuple[str, ...]) -> TrustStore:
        if not anchors:
            return self._roots
        store = self._anchors.get(anchors)
        if store is None:
            store = TrustStore(_readable(anchors))
            _remember(self._anchors, anchors, store, _ANCHOR_SETS_REMEMBERED)
        return store

    def _judge(
        self, chain: tuple[CertificateFacts, ...], trust: TrustStore, at: datetime
    ) -> tuple[_Verdict, tuple[CertificateFacts, ...]]:
        """With the path from the leaf to the anchor, where the chain verified."""
        found = trust.verify(chain, at)
        if isinstance(found, Refusal):
            path = presented_path(chain)
            presented = self._presented(chain, path, found, trust, at)
            is_open = found.code in _ISSUER_NOT_FOUND and not presented.missing_intermediate
            return _Verdict(presented, *_steady(path, at), path[-1] if is_open else None), ()
        # The anchor is trusted as it is; OpenSSL has looked at its dates.
        errors = self._problems(found[:-1] or found, at)
        if errors:
            return _Verdict(_presented(chain, errors), *_steady(found, at)), ()
        verified = VerifiedCertificate(leaf=chain[0], chain=chain, anchor=found[-1].subject)
        return _Verdict(verified, *_steady(found, at)), found

    def _presented(
        self,
        chain: tuple[CertificateFacts, ...],
        path: tuple[CertificateFacts, ...],
        refusal: Refusal,
        trust: TrustStore,
        at: datetime,
    ) -> PresentedCertificate:
        errors = self._problems(path, at)
        if not any((each.code, each.depth) == (refusal.code, refusal.depth) for each in errors):
            errors.append(_explained(refusal, path, trust))
        if refusal.code not in _ISSUER_NOT_FOUND or not intermediate_is_missing(path[-1], trust):
            return _presented(chain, errors)
        return _presented(chain, errors, missing_issuer=path[-1].issuer)

    def _problems(self, path: Sequence[CertificateFacts], at: datetime) -> list[VerificationError]:
        """What the certificates say against themselves, whoever vouches for them."""
        return [
            VerificationError(code=code, depth=depth, text=text)
            for depth, certificate in enumerate(path)
            for code, text in (
                *_unreadable(certificate),
                *_out_of_time(certificate, at),
                *self._unfit(certificate),
                *_weak(certificate, depth),
            )
        ]

    def _unfit(self, certificate: CertificateFacts) -> Iterator[tuple[int, str]]:
        purposes = certificate.purposes
        wanted = frozenset((self._required_purpose,)) if self._required_purpose else _TLS_PURPOSES
        if purposes is not None and _ANY_PURPOSE not in purposes and wanted.isdisjoint(purposes):
            yield (
                INVALID_PURPOSE,
                f"it is for {', '.join(purposes) or 'no purpose'}, not for {' or '.join(sorted(wanted))}",
            )


def presented_path(chain: tuple[CertificateFacts, ...]) -> tuple[CertificateFacts, ...]:
    """The leaf and those of the others that lead upward from it, as far as they were presented."""
    path = [chain[0]]
    others = list(chain[1:])
    while path[-1].subject != path[-1].issuer:
        above = next((each for each in others if _may_have_issued(each, path[-1])), None)
        if above is None:
            break
        others.remove(above)
        path.append(above)
    return tuple(path)


def _may_have_issued(above: CertificateFacts, below: CertificateFacts) -> bool:
    if above.subject.casefold() != below.issuer.casefold():
        return False
    named, own = lineage(below.der).authority_key_id, lineage(above.der).subject_key_id
    return not named or not own or named == own


def _presented(
    chain: tuple[CertificateFacts, ...], errors: list[VerificationError], *, missing_issuer: str = ""
) -> PresentedCertificate:
    errors.sort(key=lambda error: (_DECISIVENESS.get(error.code, 0), error.depth))
    return PresentedCertificate(leaf=chain[0], chain=chain, errors=tuple(errors), missing_issuer=missing_issuer)


def _explained(refusal: Refusal, path: tuple[CertificateFacts, ...], trust: TrustStore) -> VerificationError:
    code, depth, text = refusal
    top = path[-1]
    if code == BAD_SIGNATURE and depth == len(path) - 1 and trust.has_anchor_named(top.issuer):
        # What signed it only has the name of the anchor: it is the issuer that is unknown, not the certificate broken.
        code, text = ISSUER_UNKNOWN, f"its issuer {top.issuer} has the name of a trusted root but another key"
    elif code in _ISSUER_NOT_FOUND:
        text = f"its issuer {top.issuer} is neither trusted here nor was it sent"
    elif code == ROOT_UNKNOWN:
        text = f"it leads to {top.subject}, which is not trusted here"
    elif code == SELF_SIGNED:
        text = "it is self-signed"
    return VerificationError(code=code, depth=depth, text=text)


def _unreadable(certificate: CertificateFacts) -> Iterator[tuple[int, str]]:
    """Names or purposes that cannot be read cannot be relied on either."""
    for error in certificate.parse_errors:
        if error.startswith(_TELLING_PARTS):
            yield INVALID_EXTENSION, f"it cannot be read ({error})"


def _out_of_time(certificate: CertificateFacts, at: datetime) -> Iterator[tuple[int, str]]:
    if certificate.not_before is None:
        yield BAD_NOT_BEFORE, "its first day cannot be read"
    elif at < certificate.not_before:
        yield NOT_YET_VALID, f"it is not valid before {certificate.not_before:%Y-%m-%d %H:%M:%S}Z"
    if certificate.not_after is None:
        yield BAD_NOT_AFTER, "its last day cannot be read"
    elif at >= certificate.not_after:
        yield EXPIRED, f"it expired on {certificate.not_after:%Y-%m-%d %H:%M:%S}Z"


def _weak(certificate: CertificateFacts, depth: int) -> Iterator[tuple[int, str]]:
    kind, _, bits = certificate.key.partition(" ")
    if kind in _LEAST_BITS and int(bits) < _LEAST_BITS[kind]:
        yield WEAK_AUTHORITY_KEY if depth else WEAK_KEY, f"its key {certificate.key} is too short"
    self_issued = certificate.subject == certificate.issuer
    if not self_issued and any(digest in certificate.signature_algorithm.lower() for digest in _BROKEN_DIGESTS):
        yield WEAK_SIGNATURE, f"it is signed with {certificate.signature_algorithm}, which can be forged"


def _steady(path: tuple[CertificateFacts, ...], at: datetime) -> tuple[datetime | None, datetime | None]:
    """The nearest dates of the path before and after `at`: between them nothing begins and nothing ends."""
    dates = [date for each in path for date in (each.not_before, each.not_after) if date]
    since = max((date for date in dates if date <= at), default=None)
    until = min((date for date in dates if date > at), default=None)
    return since, until


def _readable(anchors: Iterable[str]) -> Iterator[bytes]:
    """Anchors were checked when they were set; one that has become unreadable vouches for nobody."""
    for pem in anchors:
        try:
            yield from certificates_in(pem.encode(), "trust anchor")
        except CredentialError:
            continue


def _remember(memory: "OrderedDict[Key, Value]", key: Key, value: Value, most: int) -> None:
    memory[key] = value
    if len(memory) > most:
        memory.popitem(last=False)
