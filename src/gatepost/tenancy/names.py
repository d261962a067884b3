"""Does a certificate's name match a connector's?

Law: only a `VerifiedCertificate` can be matched; there is no function here that compares the names of any other.
Connector names are domain keys; `*.contoso.com` covers contoso.com and every name below it.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from gatepost.mail.domain import DomainError, domain_key, is_at_or_below, parents, pattern_covers
from gatepost.tenancy.evidence import CertificateFacts, VerifiedCertificate

WILDCARD = "*."

MOST_NAMES = 256
"""Names of one certificate that are looked at: a peer writes its certificate as it likes and we pay for each."""


class PresentedName(NamedTuple):
    """A name in a certificate, as a domain key, perhaps with a leading `*.`."""

    key: str
    beside_san: bool = False
    """A common name in a certificate that has a subjectAltName of any kind; RFC 6125 6.4.4 ignores those."""


class MatchKind(IntEnum):
    """How a presented name answers to a connector's, the better the higher."""

    WILDCARD_CERTIFICATE = 0
    """The certificate says `*.contoso.com`, the connector `mail.contoso.com`."""
    WILDCARD = 1
    EXACT = 2


class NameMatch(NamedTuple):
    presented: str
    pattern: str
    """The connector's name."""
    kind: MatchKind
    beside_san: bool

    @property
    def specificity(self) -> tuple[int, int]:
        """Exact before wildcard, then the wildcard with more labels. Unrelated names with as many labels are equal."""
        if self.kind is MatchKind.EXACT:
            return (1, 0)
        wildcard = self.pattern if self.kind is MatchKind.WILDCARD else self.presented
        return (0, wildcard.count("."))


def presented_names(leaf: CertificateFacts) -> tuple[PresentedName, ...]:
    """What the certificate calls itself, verified or not: for look-ups and for people, never an identity."""
    return _presented_names(leaf.dns_names, leaf.plain_common_name, leaf.has_san)


@lru_cache(maxsize=4096)
def _presented_names(dns_names: tuple[str, ...], common_name: str | None, has_san: bool) -> tuple[PresentedName, ...]:
    # A dNSName is ASCII (RFC 5280 4.2.1.6): what is not is never mapped to a name that somebody owns.
    written = (name for name in dns_names[:MOST_NAMES] if name.isascii())
    names = {key: PresentedName(key) for name in written if (key := certificate_name_key(name))}
    key = certificate_name_key(common_name) if common_name else None
    if key and key not in names:
        names[key] = PresentedName(key, beside_san=has_san)
    return tuple(names.values())


def certificate_name_key(name: str) -> str | None:
    """The domain key of a name in a certificate; None where it is no domain name (`CN=Exchange Server`)."""
    try:
        if name.startswith(WILDCARD):
            return WILDCARD + domain_key(name[2:])
        return domain_key(name)
    except DomainError:
        return None


def name_matches(certificate: VerifiedCertificate, patterns: Sequence[str]) -> tuple[NameMatch, ...]:
    """Every way in which a name of `certificate` answers to one of the connector names `patterns`."""
    return tuple(
        NameMatch(presented, pattern, kind, beside_san)
        for presented, beside_san in presented_names(certificate.leaf)
        for pattern in patterns
        if (kind := _match_kind(presented, pattern)) is not None
    )


def covers(pattern: str, name: str) -> bool:
    """Whether a connector that names `pattern` is content with a certificate's `name`; a wildcard reaches any depth."""
    if pattern.startswith(WILDCARD):
        return is_at_or_below(without_wildcard(name), pattern[2:])
    return name == pattern


def _match_kind(presented: str, pattern: str) -> MatchKind | None:
    if covers(pattern, presented):
        return MatchKind.WILDCARD if pattern.startswith(WILDCARD) else MatchKind.EXACT
    # RFC 6125 6.4.3: the wildcard of a certificate stands for one label, the left-most.
    if presented.startswith(WILDCARD) and pattern.partition(".")[2] == presented[2:]:
        return MatchKind.WILDCARD_CERTIFICATE
    return None


def covering_patterns(name: str) -> Iterator[str]:
    """The connector names that cover a certificate's `name`, the most specific first."""
    yield name
    base = without_wildcard(name)
    if base is name:
        yield WILDCARD + name
    for parent in parents(base):
        yield WILDCARD + parent


class Answering:
    """Which connector names can answer to a certificate, known at a glance: a certificate may have hundreds of names,
    and so may a connector."""

    __slots__ = ("_covering", "_hosts_below")

    def __init__(self, names: Sequence[PresentedName]) -> None:
        self._covering = {pattern for name in names for pattern in covering_patterns(name.key)}
        self._hosts_below = {without_wildcard(name.key) for name in names if name.key.startswith(WILDCARD)}

    def of(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Those of `patterns` that answer to a name, also by halves (`WILDCARD_CERTIFICATE`)."""
        return tuple(each for each in patterns if each in self._covering or each.partition(".")[2] in self._hosts_below)


@lru_cache(maxsize=1024)
def answering(names: tuple[PresentedName, ...]) -> Answering:
    return Answering(names)


def without_wildcard(name: str) -> str:
    """`contoso.com` for `*.contoso.com`, any other name as it is."""
    return name[2:] if name.startswith(WILDCARD) else name


def lies_deeper(name: str, pattern: str) -> bool:
    """Whether the wildcard `pattern` covers `name` more than one label below: RFC 6125 6.4.3 gives a certificate's
    wildcard one label, and how deep a connector's reaches is each relay's own rule."""
    if not pattern.startswith(WILDCARD) or not pattern_covers(pattern, without_wildcard(name)):
        return False
    return name.count(".") > pattern.count(".")
