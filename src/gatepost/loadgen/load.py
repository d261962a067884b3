"""One run of the load generator: what is asked for, and what it measured.

Law: load goes to this machine only, unless whoever starts it names the other host twice.
"""

import json
import socket
import subprocess
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from gatepost.errors import GatepostError
from gatepost.loadgen.native import load_generator

# The generator is one thread; the rest of its time goes into waking up.
_FULL = 0.9


class LoadError(GatepostError):
    """Why nothing could be measured, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent, and how."""

    port: int
    host: str = "127.0.0.1"
    """An address: the generator asks no name server."""
    messages: int = 1000
    size: int = 10240
    connections: int = 20
    per_connection: int = 0
    """1: a connection for each message; 0: connections are kept."""
    recipients: int = 1
    sender: str = "load@contoso.com"
    recipient: str = "sink@example.net"
    pipelining: bool = False
    rate: float = 0
    """Messages a second; 0: as fast as the server answers."""
    starttls: bool = False
    certificate: Path | None = None
    key: Path | None = None
    tls: str = "1.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From the last octet of the content to the final reply, in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    messages: int
    accepted: int
    refused: int
    lost: int
    connections: int
    handshakes: int
    seconds: float
    """From the first connection to the last final reply."""
    per_second: float
    started_at: float
    """On the monotonic clock."""
    latency_ms: Latency
    cpu_s: float
    """Processor time that the load generator itself used."""
    handshake_cpu_s: float
    waited_for_cpu_s: float
    """How long it could have gone on, but others had the processors."""
    trouble: str
    """The first refusal or failure; empty when there was none."""

    @property
    def ok(self) -> bool:
        return self.accepted == self.messages

    @property
    def cores(self) -> float:
        """Processors that the load generator kept busy: at most one."""
        return self.cpu_s / self.seconds if self.seconds else 0.0

    @property
    def full(self) -> bool:
        """Whether the load generator, and not the server, set the pace."""
        return self.cores >= _FULL


def is_this_machine(host: str) -> bool:
    """Whether everything that `host` stands for is a loopback address. Raises `LoadError`."""
    return all(ip_address(address).is_loopback for address in _addresses(host))


def address_of(host: str) -> str:
    """The first address of `host`. Raises `LoadError`."""
    return _addresses(host)[0]


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise LoadError(
            f"{host} has no address: {getattr(error, 'strerror', error)}; name a host or an address"
        ) from None
    return [str(each[4][0]).partition("%")[0] for each in found]


def run(load: Load) -> LoadResult:
    """Send, and wait for the end. Raises `LoadError`, `CompileError`."""
    done = subprocess.run(command(load), capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        raise LoadError((done.stderr.splitlines() or ["the load generator said nothing"])[-1].removeprefix("load: "))
    found = json.loads(done.stdout)
    return LoadResult(**{**found, "latency_ms": Latency(**found["latency_ms"])})


def command(load: Load) -> list[str]:
    """The generator's command line. Raises `CompileError`."""
    words = [str(load_generator()), "--host", load.host, "--port", str(load.port), "--messages", str(load.messages)]
    words += ["--size", str(load.size), "--connections", str(load.connections), "--rate", str(load.rate)]
    words += ["--per-connection", str(load.per_connection), "--recipients", str(load.recipients)]
    words += ["--from", load.sender, "--to", load.recipient, "--tls", load.tls]
    words += ["--pipelining"] if load.pipelining else []
    words += ["--starttls"] if load.starttls else []
    words += ["--certificate", str(load.certificate)] if load.certificate else []
    words += ["--key", str(load.key)] if load.key else []
    return words
