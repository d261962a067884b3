"""What the wizard asks of the world, in its own words. `app.hybrid` connects each port with what answers it.

Law: whatever keeps an adapter from its answer is a `HybridError`; no exception of its own comes through.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from gatepost.hybrid.request import SetupRequest
from gatepost.tenancy.evidence import CertificateFacts, ClientCertificate
from gatepost.tenancy.tenant import AcceptedDomain, InboundConnector, SendConnector, SmartHost, Tenant


class Answer(Protocol):
    """Of the relay, when it does what it is asked."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> Any: ...

    @property
    def etag(self) -> str | None: ...


class RelayApi(Protocol):
    """The relay's management interface. Raises `RelayRefused` for its "no", `ApplyError` where it cannot be reached or
    trusted."""

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer: ...

    def close(self) -> None: ...


class Directory(Protocol):
    """The directory of this edge. Raises `StoreError`."""

    def close(self) -> None: ...

    def change(self) -> AbstractContextManager[None]:
        """What is read and written inside is one transaction."""

    def tenant(self, name: str) -> Tenant | None: ...

    def accepted_domain(self, domain: str, tenant: str) -> AcceptedDomain | None: ...

    def nearest_owner(self, domain: str) -> AcceptedDomain | None: ...

    def claims(self, domain: str) -> Sequence[AcceptedDomain]: ...

    def inbound_connector(self, tenant: str, name: str) -> InboundConnector | None: ...

    def send_connector(self, name: str) -> SendConnector | None: ...

    def all_tenants(self) -> Iterator[Tenant]: ...

    def all_domains(self) -> Iterator[AcceptedDomain]: ...

    def all_inbound_connectors(self) -> Iterator[InboundConnector]: ...

    def all_send_connectors(self) -> Iterator[SendConnector]: ...

    def put_tenant(self, tenant: Tenant, action: str) -> None: ...

    def remove_tenant(self, tenant: Tenant) -> None: ...

    def put_domain(self, domain: AcceptedDomain, action: str) -> None: ...

    def remove_domain(self, domain: AcceptedDomain) -> None: ...

    def put_inbound_connector(self, connector: InboundConnector, action: str) -> None: ...

    def remove_inbound_connector(self, connector: InboundConnector) -> None: ...

    def put_send_connector(self, connector: SendConnector, action: str) -> None: ...

    def remove_send_connector(self, connector: SendConnector) -> None: ...


class Credentials(Protocol):
    """A chain, leaf first, whose private key is there."""

    @property
    def chain(self) -> tuple[CertificateFacts, ...]: ...

    @property
    def leaf(self) -> CertificateFacts: ...

    @property
    def warnings(self) -> tuple[str, ...]: ...


class CertificateFiles(Protocol):
    """Certificates in files. Raises `UnusableFile`."""

    def chain(self, certificate: Path) -> tuple[CertificateFacts, ...]: ...

    def credentials(self, certificate: Path, key: Path) -> Credentials: ...

    def judge(
        self, chain: Sequence[CertificateFacts], at: datetime, trust_anchors: tuple[str, ...] = ()
    ) -> ClientCertificate:
        """As a relay would that trusts the anchors, which are PEM texts; without any, whom this installation trusts."""

    def system_roots(self) -> str | None:
        """The file of the authorities that this machine trusts."""

    def state(self, file: str) -> object:
        """Another one once the file was replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedSession:
    """A session that was held, as far as it got."""

    reached: bool
    """There was an SMTP greeting."""
    starttls: bool
    ehlo: str | None
    """What this side called itself."""
    replies_to_rcpt: tuple[str, ...]
    problems: tuple[str, ...]


class Prober(Protocol):
    """Holds a session with a server, up to RCPT and with the null reverse-path; no content is sent."""

    def __call__(
        self,
        host: SmartHost,
        credentials: Credentials | None,
        files: tuple[Path, Path] | None,
        rcpt_to: str,
        source_address: str | None,
    ) -> ProbedSession:
        """`files`: certificate and key to be presented, which hold `credentials`."""


class Clock(Protocol):
    def now(self) -> datetime: ...

    def elapsed(self) -> float:
        """Seconds, from whenever."""

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A program of this machine that was run."""

    exit_code: int
    output: str
    errors: str


class RunProgram(Protocol):
    """Raises `ApplyError` when there is no such program, or when it does not end."""

    def __call__(self, *command: str) -> Done: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One object of an export."""

    kind: str
    name: str
    values: Mapping[str, str | Sequence[str]]
    cut: frozenset[str] = frozenset()
    """Properties of which the export shows only the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """What exports of Exchange Server and Exchange Online show."""

    objects: tuple[Exported, ...]
    accepted_domains: tuple[str, ...]


class ReadExports(Protocol):
    """Raises `UnusableFile`."""

    def __call__(self, paths: Iterable[Path], tls_certificate_name: str) -> Exports:
        """Where an object names the certificate `tls_certificate_name` in another spelling, it is given in this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    relay: Callable[[SetupRequest], RelayApi]
    """Raises `UnusableFile`."""
    directory: Callable[[], Directory]
    certificates: CertificateFiles
    probe: Prober
    run: RunProgram
    clock: Clock
