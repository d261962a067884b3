"""A leaf whose issuer nobody knows: is its root unknown, or did the peer only forget to send an intermediate?

The chain itself looks the same in both cases. `intermediate_is_missing` weighs what the last presented certificate says
about its issuer; `KnownIntermediates` remembers the intermediates that chains which verified have held. A wrong "you
forgot the intermediate" sends an administrator after the wrong file: in doubt the answer is no.

Laws: this words a reason and never makes a chain verify. Only a chain that verified teaches anything: against the
shared roots for everybody, against a tenant's own anchors for that tenant alone. What is remembered is bounded in
number and size, and the oldest goes first.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from gatepost.net.certificates import lineage
from gatepost.net.roots import TrustStore
from gatepost.tenancy.evidence import CertificateFacts

_INTERMEDIATE_WORD = re.compile(r"(?<![a-z])(intermed|issuing|subord|sub-?ca|sub(?![a-z])|int(?![a-z])|ica(?![a-z]))")
_ROOT_WORD = re.compile(r"(?<![a-z])root|root(?![a-z])")

SHARED: Final = ""
"""The scope of what verified against the shared roots; any other scope is a tenant's name."""

MOST_SHARED: Final = 4096
MOST_OF_A_TENANT: Final = 16
MOST_OF_TENANTS: Final = 4096
_LONGEST_NAME: Final = 512
_LONGEST_KEY_ID: Final = 64
_LONGEST_CLIMB: Final = 8


def intermediate_is_missing(top: CertificateFacts, trust: TrustStore) -> bool:
    """Whether `top`, the last certificate that was presented, shows by itself that its issuer is an intermediate under
    `trust`. A name alone shows nothing: whoever makes a certificate writes it."""
    if trust.has_anchor_named(top.issuer):
        # An authority of the same name with another key: no intermediate leads there.
        return False
    origin = lineage(top.der)
    if origin.authority_issuers:
        return any(trust.has_anchor_named(above) for above in origin.authority_issuers)
    issuer = " ".join(origin.issuer_common_names).lower()
    if _ROOT_WORD.search(issuer):
        return False
    same_house = trust.has_anchor_of(origin.issuer_organisations)
    if origin.publicly_issued:
        # Public authorities never issue from a root directly (CA/Browser Forum Baseline Requirements 6.1.7).
        return trust.public or same_house
    return same_house and bool(origin.issuer_urls or _INTERMEDIATE_WORD.search(issuer))


class Authority(NamedTuple):
    """An authority, as the certificates below it name it."""

    name: str
    """RFC 4514, case folded."""
    key_id: bytes
    """Empty: not said."""

    def may_be(self, other: "Authority") -> bool:
        return self.name == other.name and (not self.key_id or not other.key_id or self.key_id == other.key_id)


class Intermediate(NamedTuple):
    """One that a chain held which verified."""

    scope: str
    itself: Authority
    issuer: Authority


class Stored(Protocol):
    """What all workers remember, on disk."""

    def changed(self) -> Sequence[Intermediate] | None:
        """Everything, the oldest first, if it changed since this was last asked; else None."""


class KnownIntermediates:
    """In one process; each looks up what the others stored when it is refreshed."""

    def __init__(self, stored: Stored, keep: Callable[[Intermediate], None] | None = None) -> None:
        """`keep` stores what is new, in the background; None: this process only looks things up."""
        self._stored = stored
        self._keep = keep
        self._known: OrderedDict[Intermediate, None] = OrderedDict()
        self._by_name: dict[tuple[str, str], list[Intermediate]] = {}
        self.refresh()

    def refresh(self) -> None:
        stored = self._stored.changed()
        if stored is not None:
            self._known = OrderedDict.fromkeys(bounded(stored))
            self._index()

    def learn(self, path: Sequence[CertificateFacts], scope: str) -> None:
        """From a chain that verified: leaf first, the trust anchor last."""
        if self._keep is None:
            return
        for certificate in path[1:-1]:
            found = Intermediate(scope, _subject(certificate), _issuer(certificate))
            if found not in self._known and _is_small(found):
                self._known = OrderedDict.fromkeys(bounded([*self._known, found]))
                self._index()
                self._keep(found)

    def lead_from(self, top: CertificateFacts, trust: TrustStore, scope: str) -> bool:
        """Whether the issuer of `top` is a known intermediate, from which known ones lead to an anchor of `trust`."""
        if trust.has_anchor_named(top.issuer):
            return False
        wanted = _issuer(top)
        for _ in range(_LONGEST_CLIMB):
            above = next(
                (each for each in self._by_name.get((scope, wanted.name), ()) if each.itself.may_be(wanted)), None
            )
            if above is None:
                return False
            if trust.has_anchor_named(above.issuer.name):
                return True
            wanted = above.issuer
        return False

    def _index(self) -> None:
        self._by_name = {}
        for each in self._known:
            self._by_name.setdefault((each.scope, each.itself.name), []).append(each)


def bounded(known: Iterable[Intermediate]) -> list[Intermediate]:
    """The newest of them; `known` has the oldest first."""
    kept: list[Intermediate] = []
    of_scope: dict[str, int] = {}
    of_tenants = 0
    for each in reversed(list(known)):
        count = of_scope.get(each.scope, 0)
        is_shared = each.scope == SHARED
        if count >= (MOST_SHARED if is_shared else MOST_OF_A_TENANT) or (
            not is_shared and of_tenants >= MOST_OF_TENANTS
        ):
            continue
        of_scope[each.scope] = count + 1
        of_tenants += not is_shared
        kept.append(each)
    kept.reverse()
    return kept


def _subject(certificate: CertificateFacts) -> Authority:
    return Authority(certificate.subject.casefold(), lineage(certificate.der).subject_key_id)


def _issuer(certificate: CertificateFacts) -> Authority:
    return Authority(certificate.issuer.casefold(), lineage(certificate.der).authority_key_id)


def _is_small(found: Intermediate) -> bool:
    return all(
        0 < len(each.name) <= _LONGEST_NAME and len(each.key_id) <= _LONGEST_KEY_ID
        for each in (found.itself, found.issuer)
    )
