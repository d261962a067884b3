"""The wizard's ports, connected: relay, directory, certificates, sessions, programs and clock of this machine."""

import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gatepost.app import open_editor
from gatepost.config import Config
from gatepost.hybrid.errors import ApplyError, UnusableFile
from gatepost.hybrid.installation import Installation
from gatepost.hybrid.ports import Credentials, Done, Ports, ProbedSession, RelayApi
from gatepost.hybrid.request import SetupRequest
from gatepost.net.certificates import CredentialError, read_chain
from gatepost.net.credentials import load_credentials
from gatepost.net.files import signature
from gatepost.net.judgement import Judge
from gatepost.net.roots import system_roots_file
from gatepost.tenancy.evidence import CertificateFacts, ClientCertificate
from gatepost.tenancy.tenant import SmartHost

_STEP_TIMEOUT_S = 30.0
_PROGRAM_TIMEOUT_S = 30.0


def installation(config: Config) -> Installation:
    ports = Ports(
        relay=_relay,
        directory=lambda: open_editor(config),
        certificates=certificate_files(config),
        probe=partial(_probe, config),
        run=run_program,
        clock=SystemClock(),
    )
    return Installation(hostname=config.hostname, folder=wizard_folder(config), ports=ports)


def certificate_files(config: Config | None) -> "Certificates":
    """Also where nothing is configured."""
    return Certificates(config.tls.client_roots if config and config.tls else None)


def wizard_folder(config: Config) -> Path:
    return config.data / "hybrid"


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Certificates:
    """`CertificateFiles`, judged by `roots`; None: by the system's."""

    def __init__(self, roots: Path | None) -> None:
        self._roots = roots
        self._judge: Judge | None = None

    def chain(self, certificate: Path) -> tuple[CertificateFacts, ...]:
        try:
            return read_chain(certificate)
        except CredentialError as error:
            raise UnusableFile(str(error)) from None

    def credentials(self, certificate: Path, key: Path) -> Credentials:
        try:
            return load_credentials(certificate, key)
        except CredentialError as error:
            raise UnusableFile(str(error)) from None

    def judge(
        self, chain: Sequence[CertificateFacts], at: datetime, trust_anchors: tuple[str, ...] = ()
    ) -> ClientCertificate:
        self._judge = self._judge or Judge(self._roots)
        return self._judge(tuple(chain), trust_anchors, at)

    def system_roots(self) -> str | None:
        found = system_roots_file()
        return str(found) if found else None

    def state(self, file: str) -> object:
        return signature(file)


def run_program(*command: str) -> Done:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROGRAM_TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise ApplyError(
            f"there is no {command[0]} on this machine: run this where Postfix is, with its programs in PATH"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ApplyError(f"{command[0]} does not answer: {error}") from None
    return Done(exit_code=done.returncode, output=done.stdout, errors=done.stderr)


def _relay(request: SetupRequest) -> RelayApi:
    # A worker has the other ports, and never asks the relay: what this needs is imported where it is asked.
    from gatepost.app.relay_client import RelayClient

    return RelayClient(request.relay, request.token_file, request.relay_ca)


def _probe(
    config: Config,
    host: SmartHost,
    credentials: Credentials | None,
    files: tuple[Path, Path] | None,
    rcpt_to: str,
    source_address: str | None,
) -> ProbedSession:
    from gatepost.admin.sessions.probe import Question
    from gatepost.app.probing import run_probe

    chain = credentials.chain if credentials else ()
    question = Question(host=host, ehlo=config.hostname, chain=chain, mail_from="", rcpt_to=(rcpt_to,))
    certificate, key = files or (None, None)
    result = run_probe(question, certificate, key, _STEP_TIMEOUT_S, config, source_address)
    return ProbedSession(
        reached=result.banner is not None,
        starttls=result.starttls,
        ehlo=next((each.sent.split()[-1] for each in result.stages if each.sent and each.stage == "ehlo"), None),
        replies_to_rcpt=tuple(each.reply for each in result.stages if each.stage == "rcpt-to"),
        problems=result.problems,
    )
