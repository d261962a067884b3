"""`hybrid certificates`: a server's files, joined with their keys, and held against what the relay accepts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gatepost.app import hybrid
from gatepost.app.relay_api import RelayApi, UnusableFile
from gatepost.config import Config
from gatepost.hybrid.apply import Trouble
from gatepost.hybrid.certificates import Candidate, Choice, compared
from gatepost.hybrid.desire import DOMAIN, INBOUND, NotPossible, kind_and_name
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.relay_side import RelaySide
from gatepost.net.certificates import CredentialError, read_chain
from gatepost.net.credentials import load_credentials
from gatepost.net.judgement import Judge
from gatepost.tenancy.evidence import CertificateFacts

_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".key", ".der"})
_MOST_FILES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    choices: tuple[Choice, ...]
    notes: tuple[str, ...]
    """What could not be looked at."""


def compare(config: Config | None, paths: Sequence[Path], keys: Sequence[Path]) -> Comparison:
    """Raises `UnusableFile` when there is no certificate to look at."""
    files = list(dict.fromkeys(_files(paths)))
    now = datetime.now(UTC)
    judge = Judge(config.tls.client_roots if config and config.tls else None)
    chains = {file: chain for file in files if (chain := _chain(file)) is not None}
    if not chains:
        raise UnusableFile(
            f"no certificate in {', '.join(map(str, paths))}; name PEM files, or a folder that holds some"
        )
    candidates = [_candidate(file, chain, [*keys, *files], judge, now) for file, chain in chains.items()]
    relay, notes = _at_relay(config)
    connectors = {
        kind_and_name(name)[1]: fields["certificate_names"]
        for name, fields in relay.items()
        if name.startswith(f"{INBOUND} ")
    }
    domains = [
        kind_and_name(name)[1] for name, fields in relay.items() if name.startswith(DOMAIN) and fields["verified"]
    ]
    return Comparison(choices=compared(candidates, connectors, domains, now), notes=notes)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)[:_MOST_FILES]
        elif path.exists():
            yield path
        else:
            raise UnusableFile(f"{path} does not exist")


def _chain(file: Path) -> tuple[CertificateFacts, ...] | None:
    """None: it holds no certificate, or that of an authority alone."""
    try:
        chain = read_chain(file)
    except CredentialError:
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
    file: Path, chain: tuple[CertificateFacts, ...], keys: Iterable[Path], judge: Judge, now: datetime
) -> Candidate:
    """With the key that belongs to it, wherever it lies among the files; a namesake that does not belong is told."""
    key = next((each for each in keys if _fits(file, each)), None)
    beside = file.with_suffix(".key")
    problem = None
    if key is None and beside.exists():
        problem = f"{beside} does not belong to it: the key of another certificate, or of the one before"
    return Candidate(
        file=str(file),
        chain=chain,
        judged=judge(chain, (), now),
        key_file=str(key) if key else None,
        key_problem=problem,
    )


def _fits(certificate: Path, key: Path) -> bool:
    try:
        load_credentials(certificate, key)
    except CredentialError:
        return False
    return True


def _at_relay(config: Config | None) -> tuple[Mapping[str, Fields], tuple[str, ...]]:
    """What the relay would recognise, where the wizard has set one up."""
    if config is None:
        return {}, ()
    try:
        ask = hybrid.last_ask(config)
    except hybrid.NothingApplied:
        return {}, ("no relay was set up from here, so its connectors were not looked at",)
    try:
        api = RelayApi(ask.relay, ask.token_file, ask.relay_ca)
        try:
            return RelaySide(api, hybrid.tenant_of(api, ask)).everything(), ()
        finally:
            api.close()
    except (Trouble, UnusableFile, NotPossible) as error:
        return {}, (f"the relay's connectors were not looked at: {error}",)
