"""The settings of a process, as values; their defaults are here and nowhere else."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from gatepost.queue.retry import RetrySettings
from gatepost.smtp.client_settings import RFC_TIMEOUTS, ClientTimeouts
from gatepost.smtp.server_settings import ServerSettings
from gatepost.tenancy.provider import Provider
from gatepost.tenancy.tenant import DEFAULT_LIMITS, TenantLimits

_MACHINE: Final = ServerSettings(hostname="")
"""What the SMTP server machine does by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    certificates: tuple[CertificateFiles, ...]
    """The first serves clients that ask for no name; SNI chooses among all."""
    client_roots: Path | None
    """What client certificates are judged against; None: the system's roots."""
    server_roots: Path | None
    """What the next hop's certificate is judged against at level `verify`; None: the system's roots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """Per listener and worker."""

    sessions: int = 10_000
    sessions_per_address: int = 200
    sessions_per_network: int | None = None
    """Of strangers, from one /24 or /64; None: twice `sessions_per_address`."""
    sessions_per_minute: int = 1_200
    """Begun by strangers from one network."""
    reserved_sessions: int | None = None
    """Of `sessions`, for tenants' own servers; None: a quarter."""
    refusals: int = 50
    """In one session, before the answers come slowly and then it ends."""
    refusals_per_minute: int = 300
    """Of one stranger's network, or of one own server."""
    transactions_per_session: int = _MACHINE.most_transactions
    recipients: int = _MACHINE.most_recipients
    message_size: int = _MACHINE.largest_message
    errors: int = _MACHINE.most_errors
    command_timeout_s: float = _MACHINE.command_timeout_s
    content_timeout_s: float = _MACHINE.content_timeout_s
    content_rate: int = 1_000
    """Octets a second that content must bring at least; 0: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerConfig:
    host: str
    port: int
    refuse_at: Literal["rcpt-to", "end-of-data"] = "rcpt-to"
    require_tls: bool = False
    require_client_auth: bool = False
    """Demand the clientAuth purpose of client certificates."""
    wildcard_certificates: bool = False
    """Whether certificate `*.contoso.com` satisfies the connector name `mail.contoso.com`."""
    starttls: bool = True
    irregular_paths: Literal["tenants", "all", "none"] = "tenants"
    """Of whom paths are taken that the grammar does not know and other servers take."""
    proxy_from: tuple[IPv4Network | IPv6Network, ...] = ()
    """Balancers that speak the PROXY protocol to this listener; from them it is required."""
    limits: ListenerLimits = ListenerLimits()

    @property
    def name(self) -> str:
        return address_text(self.host, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolLogConfig:
    """Exchange's defaults (eop: Set-TransportService)."""

    receive: bool = True
    max_file_size: int = 10 * 1024 * 1024
    max_folder_size: int = 250 * 1024 * 1024
    max_age_days: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsConfig:
    max_age_days: float = 30.0
    max_folder_size: int = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceConfig:
    """Of whole days: the oldest goes first."""

    max_age_days: float = 90.0
    max_folder_size: int = 8 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConfig:
    per_destination: int = 20
    """Connections to one destination, per worker."""
    connections: int = 1_000
    """Connections in all, per worker (Exchange: MaxOutboundConnections)."""
    allow_internal: tuple[IPv4Network | IPv6Network, ...] = ()
    """Internal networks that MX hosts and tenants' smart hosts may lead to."""
    internal_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that count as internal besides those that are for everybody."""
    connect_s: float = 30.0
    tls_s: float = 60.0
    timeouts: ClientTimeouts = RFC_TIMEOUTS


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """Beyond these no mail is taken: `452`, so that nothing is lost."""

    least_free_disk: int = 64 * 1024 * 1024
    reserved_disk: int | None = None
    """Beyond that, for tenants' own servers; None: a quarter of the disk, 1 GiB at most."""
    unfinished: int | None = None
    """Octets of content that has not ended, of all strangers; None: a quarter of the disk, 8 GiB at most."""
    unfinished_per_network: int | None = None
    """None: an eighth of the disk, 2 GiB at most."""
    unfinished_per_tenant: int | None = None
    """None: a quarter of the disk, 8 GiB at most."""
    most_recipients: int = 0
    """In the queues of all workers; 0: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsLimits:
    """What the Management API or the console gives to whom. A network is a /24 of IPv4, a /64 of IPv6."""

    connections: int = 512
    connections_per_network: int = 64
    operator_connections: int = 32
    """Beside `connections`."""
    requests: int = 64
    """Under way at once."""
    requests_per_tenant: int = 16
    requests_per_token: int = 8
    """Or of one person."""
    hello_timeout_s: float = 5.0
    """From the connection to the first octet, and again to the end of the TLS handshake."""
    request_timeout_s: float = 10.0
    """For the head of a request."""
    idle_timeout_s: float = 10.0
    """Between two requests."""
    body_rate: int = 16 * 1024
    """Octets a second, at least, of a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsConfig:
    """The Management API, or the console. It presents the first certificate of [tls]."""

    host: str
    port: int
    requests_per_minute: int = 600
    """Of one token or person, and of one address that has shown neither."""
    operators: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where operators come from: they have connections reserved."""
    limits: HttpsLimits = HttpsLimits()

    @property
    def name(self) -> str:
        return address_text(self.host, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig(HttpsConfig):
    url: str
    """As people's browsers call it: scheme, host and port."""
    providers: tuple[Provider, ...] = ()
    """Where people may sign in besides here."""

    @property
    def host_name(self) -> str:
        """In `url`; passkeys are for it."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """Where `/metrics`, `/healthz` and `/readyz` are, without TLS and without a token."""

    host: str
    port: int

    @property
    def name(self) -> str:
        return address_text(self.host, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmConfig:
    """Who is told what needs a person now: by webhook, by mail, or by both."""

    webhook: str | None = field(default=None, repr=False)
    """Its path may be a secret."""
    secret_file: Path | None = None
    """None: the secret is in the environment."""
    roots: Path | None = None
    """What the receiver's certificate is judged against; None: the system's roots."""
    mail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridConfig:
    follow: bool = False
    """Whether this edge may teach its own connector at the relay the name of a renewed certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsConfig:
    nameservers: tuple[str, ...] = ()
    """`address` or `address:port`; none: the system's."""
    trusted: tuple[str, ...] = ()
    """Addresses of name servers on other machines whose word on DNSSEC counts, as it does of those on this one."""
    signed_name: str = "."
    """What is asked for to see whether the name servers validate DNSSEC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    file: Path
    text: str = field(repr=False)
    """What the file said: a worker is given that, and not what may stand there later."""
    hostname: str
    data: Path
    listeners: tuple[ListenerConfig, ...]
    tls: TlsConfig | None
    workers: int = 1
    user: str | None = None
    """Whom `serve`, started as root, becomes once its ports are bound; None: nobody else."""
    group: str | None = None
    """None: the user's own."""
    api: HttpsConfig | None = None
    console: ConsoleConfig | None = None
    metrics: MetricsConfig | None = None
    alarm: AlarmConfig | None = None
    log: Literal["text", "json", "journal"] = "text"
    help_link: str | None = None
    """Added to refusals when set."""
    postmaster: str | None = None
    """Where mail for the domainless `<Postmaster>` goes (RFC 5321 4.5.1)."""
    retry: RetrySettings = field(default_factory=RetrySettings)
    protocol_log: ProtocolLogConfig = ProtocolLogConfig()
    sessions: SessionsConfig = SessionsConfig()
    trace: TraceConfig = TraceConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    tenant_limits: TenantLimits = DEFAULT_LIMITS
    queue: QueueConfig = QueueConfig()
    hybrid: HybridConfig = HybridConfig()
    dns: DnsConfig = DnsConfig()
    verification_grace_days: float = 7.0
    claim_days: float = 30.0
    """How long a domain that is not verified stays with its tenant."""

    @property
    def directory_file(self) -> Path:
        return self.data / "directory.sqlite"

    @property
    def queue_folder(self) -> Path:
        return self.data / "queue"

    @property
    def notices_file(self) -> Path:
        return self.data / "notices.sqlite"

    @property
    def alarms_file(self) -> Path:
        return self.data / "alarms.sqlite"

    @property
    def intermediates_file(self) -> Path:
        return self.data / "intermediates.sqlite"

    @property
    def seen_servers_folder(self) -> Path:
        # It keeps the name that it has in installations.
        return self.data / "sightings"

    @property
    def sessions_folder(self) -> Path:
        return self.data / "sessions"

    @property
    def trace_folder(self) -> Path:
        return self.data / "trace"

    @property
    def mta_sts_folder(self) -> Path:
        return self.data / "mta-sts"

    @property
    def status_folder(self) -> Path:
        return self.data / "status"

    @property
    def receive_log_folder(self) -> Path:
        return self.data / "protocol-log" / "receive"

    @property
    def send_log_folder(self) -> Path:
        return self.data / "protocol-log" / "send"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Everything below the data folder."""
        return (
            self.data,
            self.queue_folder,
            self.sessions_folder,
            self.seen_servers_folder,
            self.trace_folder,
            self.mta_sts_folder,
            self.status_folder,
            self.receive_log_folder.parent,
            self.receive_log_folder,
            self.send_log_folder,
        )


_COMMANDS_PER_TURN = 10
"""More than a client sends that pipelines a message to a few recipients."""


def server_settings(config: Config, listener: ListenerConfig) -> ServerSettings:
    """What the SMTP server machine of `listener` needs to know."""
    return ServerSettings(
        hostname=config.hostname,
        offers_starttls=listener.starttls and config.tls is not None,
        largest_message=listener.limits.message_size,
        most_recipients=listener.limits.recipients,
        most_transactions=listener.limits.transactions_per_session,
        most_errors=listener.limits.errors,
        command_timeout_s=listener.limits.command_timeout_s,
        content_timeout_s=listener.limits.content_timeout_s,
        irregular_paths=listener.irregular_paths != "none",
        most_commands_per_turn=_COMMANDS_PER_TURN,
    )


def address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
