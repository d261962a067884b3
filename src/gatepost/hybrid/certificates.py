"""`hybrid certificates`: a server's files, joined with their keys, and held against what the relay accepts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gatepost.hybrid.choices import Candidate, Choice, compared
from gatepost.hybrid.desire import DOMAIN, INBOUND, kind_and_name
from gatepost.hybrid.errors import HybridError, NothingApplied, UnusableFile
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.ports import CertificateFiles
from gatepost.hybrid.sides import tenant_of
from gatepost.hybrid.sides.relay import RelaySide
from gatepost.hybrid.usable import read_anchor
from gatepost.tenancy.evidence import CertificateFacts

_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".key", ".der"})
_MOST_FILES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    choices: tuple[Choice, ...]
    notes: tuple[str, ...]
    """What could not be looked at."""


def compare(
    certificates: CertificateFiles,
    here: Installation | None,
    paths: Sequence[Path],
    keys: Sequence[Path],
    now: datetime,
    trust_anchors: Sequence[Path] = (),
) -> Comparison:
    """`here`: None where nothing is configured. `trust_anchors`: whom the relay trusts, where that is no public
    authority; without any, those of the last apply. Raises `UnusableFile` when there is no certificate to look at."""
    files = list(dict.fromkeys(_files(paths)))
    chains = {file: chain for file in files if (chain := _chain(certificates, file)) is not None}
    if not chains:
        raise UnusableFile(
            f"no certificate in {', '.join(map(str, paths))}; name PEM files, or a folder that holds some"
        )
    anchors = tuple(map(read_anchor, trust_anchors or _applied_anchors(here)))
    candidates = [
        _candidate(certificates, file, chain, [*keys, *files], now, anchors) for file, chain in chains.items()
    ]
    relay, notes = _at_relay(here)
    connectors = {
        kind_and_name(name)[1]: fields["certificate_names"]
        for name, fields in relay.items()
        if name.startswith(f"{INBOUND} ")
    }
    domains = [
        kind_and_name(name)[1] for name, fields in relay.items() if name.startswith(DOMAIN) and fields["verified"]
    ]
    return Comparison(choices=compared(candidates, connectors, domains, now), notes=notes)


def _applied_anchors(here: Installation | None) -> Sequence[Path]:
    try:
        return here.last_request().trust_anchors if here else ()
    except NothingApplied:
        return ()


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)[:_MOST_FILES]
        elif path.exists():
            yield path
        else:
            raise UnusableFile(f"{path} does not exist")


def _chain(certificates: CertificateFiles, file: Path) -> tuple[CertificateFacts, ...] | None:
    """None: it holds no certificate, or that of an authority alone."""
    try:
        chain = certificates.chain(file)
    except UnusableFile:
        return None
    return None if _is_authority(chain[0]) else chain


def _is_authority(certificate: CertificateFacts) -> bool:
    from cryptography import x509

    try:
        extensions = x509.load_der_x509_certificate(certificate.der).extensions
        return extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound):
        return False


def _candidate(
    certificates: CertificateFiles,
    file: Path,
    chain: tuple[CertificateFacts, ...],
    keys: Iterable[Path],
    now: datetime,
    trust_anchors: tuple[str, ...],
) -> Candidate:
    """With the key that belongs to it, wherever it lies among the files; a namesake that does not belong is told."""
    key = next((each for each in keys if _fits(certificates, file, each)), None)
    beside = file.with_suffix(".key")
    problem = None
    if key is None and beside.exists():
        problem = f"{beside} does not belong to it: the key of another certificate, or of the one before"
    return Candidate(
        file=str(file),
        chain=chain,
        judged=certificates.judge(chain, now, trust_anchors),
        key_file=str(key) if key else None,
        key_problem=problem,
    )


def _fits(certificates: CertificateFiles, certificate: Path, key: Path) -> bool:
    try:
        certificates.credentials(certificate, key)
    except UnusableFile:
        return False
    return True


def _at_relay(here: Installation | None) -> tuple[Mapping[str, Fields], tuple[str, ...]]:
    """What the relay would recognise, where the wizard has set one up."""
    if here is None:
        return {}, ()
    try:
        request = here.last_request()
        with closing(here.ports.relay(request)) as api:
            return RelaySide(api, tenant_of(api, request), here.ports.clock).everything(), ()
    except NothingApplied:
        return {}, ("no relay was set up from here, so its connectors were not looked at",)
    except HybridError as error:
        return {}, (f"the relay's connectors were not looked at: {error}",)
