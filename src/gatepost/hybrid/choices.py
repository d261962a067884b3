"""Certificates side by side: which of a server's certificates would do, and what speaks against each.

Law: a pure function of what the files say and what the relay would accept; nothing here reads a file.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatepost.mail.domain import is_at_or_below
from gatepost.tenancy.evidence import CertificateFacts, ClientCertificate, PresentedCertificate, VerifiedCertificate
from gatepost.tenancy.names import certificate_name_key, name_matches, without_wildcard

_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One file, as it was read."""

    file: str
    chain: tuple[CertificateFacts, ...]
    """Leaf first, as it would be presented."""
    judged: ClientCertificate
    key_file: str | None
    """The file of its private key; None: not found."""
    key_problem: str | None = None
    """Why the key that was named does not serve."""

    @property
    def leaf(self) -> CertificateFacts:
        return self.chain[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One row of the comparison."""

    file: str
    names: tuple[str, ...]
    subject: str
    issuer: str
    not_before: datetime | None
    not_after: datetime | None
    days_left: int | None
    purposes: tuple[str, ...] | None
    key: str
    key_file: str | None
    chain_length: int
    chain_complete: bool
    sha256: str
    satisfies: tuple[str, ...]
    """Connectors that would recognise it."""
    warnings: tuple[str, ...]
    usable: bool


def compared(
    candidates: Sequence[Candidate],
    connectors: Mapping[str, Sequence[str]],
    domains: Sequence[str],
    at: datetime,
) -> tuple[Choice, ...]:
    """The best first. `connectors`: their certificate names by name; `domains`: those verified at the relay."""
    shared = Counter(frozenset(each.leaf.names) for each in candidates if each.leaf.names)
    rows = [_choice(each, shared, connectors, domains, at) for each in candidates]
    return tuple(sorted(rows, key=lambda row: (not row.usable, not row.satisfies, len(row.warnings), row.file)))


def _choice(
    candidate: Candidate,
    shared: Mapping[frozenset[str], int],
    connectors: Mapping[str, Sequence[str]],
    domains: Sequence[str],
    at: datetime,
) -> Choice:
    leaf, judged = candidate.leaf, candidate.judged
    fatal = [*_fatal(candidate, at)]
    return Choice(
        file=candidate.file,
        names=leaf.names,
        subject=leaf.subject,
        issuer=leaf.issuer,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        days_left=(leaf.not_after - at).days if leaf.not_after else None,
        purposes=leaf.purposes,
        key=leaf.key,
        key_file=candidate.key_file,
        chain_length=len(candidate.chain),
        chain_complete=isinstance(judged, VerifiedCertificate),
        sha256=leaf.sha256,
        satisfies=_satisfied(judged, connectors),
        warnings=(*fatal, *_advice(candidate, shared, domains, at)),
        usable=not fatal,
    )


def _satisfied(judged: ClientCertificate, connectors: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    if not isinstance(judged, VerifiedCertificate):
        return ()
    return tuple(sorted(name for name, patterns in connectors.items() if name_matches(judged, patterns)))


def _fatal(candidate: Candidate, at: datetime) -> Iterable[str]:
    leaf, judged = candidate.leaf, candidate.judged
    if candidate.key_problem:
        yield candidate.key_problem
    elif candidate.key_file is None:
        yield "its private key was not found: name it with --key, or keep it beside the certificate"
    if isinstance(judged, PresentedCertificate):
        if judged.missing_intermediate:
            yield f"the intermediate {candidate.chain[-1].issuer} is not in the file: put it behind the certificate"
        else:
            yield f"it would not verify: {judged.errors[0].text}"
    if not leaf.names:
        yield "it carries no name at all, so no connector can require it"


def _advice(
    candidate: Candidate, shared: Mapping[frozenset[str], int], domains: Sequence[str], at: datetime
) -> Iterable[str]:
    leaf = candidate.leaf
    if not leaf.subject:
        yield "its subject is empty: Exchange cannot choose it by <I>…<S>…; Gatepost and Postfix can"
    if shared.get(frozenset(leaf.names), 0) > 1:
        yield "another certificate here has the same names: say by its file which is meant, not by its name"
    if leaf.purposes is not None and not {"clientAuth", "anyExtendedKeyUsage"} & set(leaf.purposes):
        yield "it is for serverAuth only: a relay that demands clientAuth (require_client_auth) refuses it"
    if domains and (foreign := _foreign(leaf.names, domains)):
        yield f"no verified domain of yours covers {', '.join(foreign)}: a connector cannot require it"
    if leaf.not_after and at < leaf.not_after < at + _SOON:
        yield f"it ends in {(leaf.not_after - at).days} days"


def _foreign(names: Iterable[str], domains: Sequence[str]) -> list[str]:
    keys = filter(None, map(certificate_name_key, names))
    return [key for key in keys if not any(is_at_or_below(without_wildcard(key), domain) for domain in domains)]
