"""`gatepost.toml`: what a process needs. Tenants, domains and connectors live in the store, not here.

A file becomes a `Config` or one `ConfigError` of one line: where, what, and what to do. An unknown key is an error
that names the nearest known one. Relative paths count from the folder of the file.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal

from gatepost.errors import GatepostError
from gatepost.mail.domain import DomainError, domain_key
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.queue.retry import RetrySettings
from gatepost.smtp.client_settings import RFC_TIMEOUTS, ClientTimeouts
from gatepost.smtp.server_settings import ServerSettings
from gatepost.tenancy.tenant import DEFAULT_LIMITS, TenantLimits


class ConfigError(GatepostError):
    """One line for the administrator."""


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
    transactions_per_session: int = 1_000
    recipients: int = 1_000
    message_size: int = 157_286_400
    errors: int = 10
    command_timeout_s: float = 300.0
    """RFC 5321 4.5.3.2.7"""
    content_timeout_s: float = 180.0
    """Silence within the content."""
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
        return _address_text(self.host, self.port)


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
class ApiLimits:
    """What the Management API gives to whom. A network is a /24 of IPv4, a /64 of IPv6."""

    connections: int = 512
    connections_per_network: int = 64
    operator_connections: int = 32
    """Beside `connections`."""
    requests: int = 64
    """Under way at once."""
    requests_per_tenant: int = 16
    requests_per_token: int = 8
    hello_timeout_s: float = 5.0
    """From the connection to the first octet, and again to the end of the TLS handshake."""
    request_timeout_s: float = 10.0
    """For the head of a request."""
    idle_timeout_s: float = 10.0
    """Between two requests."""
    body_rate: int = 16 * 1024
    """Octets a second, at least, of a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """The Management API. It presents the first certificate of [tls]."""

    host: str
    port: int
    requests_per_minute: int = 600
    """Of one token, and of one address without a token that is good."""
    operators: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where operators come from: they have connections reserved."""
    limits: ApiLimits = ApiLimits()

    @property
    def name(self) -> str:
        return _address_text(self.host, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridConfig:
    follow: bool = False
    """Whether this edge may teach its own connector at the relay the name of a renewed certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    file: Path
    text: str = field(repr=False)
    """What the file said: a worker is given that, and not what may stand there later."""
    hostname: str
    data: Path
    listeners: tuple[ListenerConfig, ...]
    tls: TlsConfig | None
    workers: int
    user: str | None = None
    """Whom `serve`, started as root, becomes once its ports are bound; None: nobody else."""
    group: str | None = None
    """None: the user's own."""
    api: ApiConfig | None = None
    log: Literal["text", "json"] = "text"
    help_link: str | None = None
    """Added to refusals when set."""
    postmaster: str | None = None
    """Where mail for the domainless `<Postmaster>` goes (RFC 5321 4.5.1)."""
    retry: RetrySettings = field(default_factory=RetrySettings)
    protocol_log: ProtocolLogConfig = ProtocolLogConfig()
    sessions: SessionsConfig = SessionsConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    tenant_limits: TenantLimits = DEFAULT_LIMITS
    queue: QueueConfig = QueueConfig()
    hybrid: HybridConfig = HybridConfig()
    nameservers: tuple[str, ...] = ()
    """`address` or `address:port`; none: the system's."""
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
    def intermediates_file(self) -> Path:
        return self.data / "intermediates.sqlite"

    @property
    def sightings_folder(self) -> Path:
        return self.data / "sightings"

    @property
    def sessions_folder(self) -> Path:
        return self.data / "sessions"

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
            self.sightings_folder,
            self.receive_log_folder.parent,
            self.receive_log_folder,
            self.send_log_folder,
        )


def read(file: Path) -> Config:
    """The configuration in `file`. Raises `ConfigError`."""
    file = file.absolute()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist; write it with: gatepost init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    return parse(file, text)


def parse(file: Path, text: str) -> Config:
    """The configuration that `text`, which stood in `file`, is. Raises `ConfigError`."""
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from None
    return _config(file, text, _Table(file, "", settings))


class _Table:
    """One table of the file. Every key is taken once; what is left over at `close` is unknown."""

    def __init__(self, file: Path, name: str, settings: Mapping[str, Any]) -> None:
        self.file = file
        self._name = name
        self._left = dict(settings)
        self._known: list[str] = []

    def take(self, key: str, convert: Callable[[Any], Any], default: Any = None) -> Any:
        self._known.append(key)
        if key not in self._left:
            return default
        value = self._left.pop(key)
        try:
            return convert(value)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self.file}: {self._name}{key} = {_shown(value)}: {error}") from None

    def need(self, key: str, convert: Callable[[Any], Any], example: str) -> Any:
        if key not in self._left:
            near = difflib.get_close_matches(key, self._left, n=1)
            hint = f"is '{near[0]}' meant to be it?" if near else f"for example: {key} = {example}"
            raise ConfigError(f"{self.file}: {self._name}{key} is missing; {hint}")
        return self.take(key, convert)

    def table(self, key: str) -> "_Table":
        return _Table(self.file, f"{self._name}{key}.", self.take(key, _mapping, {}))

    def optional_table(self, key: str) -> "_Table | None":
        """None where the file has no such table: what it would configure is not wanted."""
        return self.table(key) if key in self._left else self.take(key, _mapping)

    def tables(self, key: str) -> list["_Table"]:
        return [_Table(self.file, f"{key}.", each) for each in self.take(key, _mappings, [])]

    def close(self) -> None:
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(self._known))}"
            raise ConfigError(f"{self.file}: there is no setting '{self._name}{key}'; {hint}")


def _config(file: Path, text: str, top: _Table) -> Config:
    def path(value: Any) -> Path:
        return file.parent / Path(_text(value)).expanduser()

    config = Config(
        file=file,
        text=text,
        hostname=top.need("hostname", _domain, '"relay.example.net"'),
        data=top.take("data", path, file.parent / "data"),
        tls=_tls(top, path),
        listeners=tuple(_listener(each) for each in top.tables("listener")),
        workers=top.take("workers", _whole(1, 64), min(os.cpu_count() or 1, 64)),
        user=top.take("user", _text),
        group=top.take("group", _text),
        api=_api(top),
        log=top.take("log", _one_of("text", "json"), "text"),
        help_link=top.take("help_link", _text),
        postmaster=top.take("postmaster", _mailbox),
        retry=_retry(top.table("retry"), top.table("edge")),
        protocol_log=_protocol_log(top.table("protocol_log")),
        sessions=_sessions(top.table("sessions")),
        delivery=_delivery(top.table("delivery")),
        tenant_limits=_tenant_limits(top.table("tenant_limits")),
        queue=_queue(top.table("queue")),
        hybrid=_hybrid(top.table("hybrid")),
        nameservers=_nameservers(top.table("dns")),
        verification_grace_days=top.take("verification_grace", _duration, 7 * 86400.0) / 86400,
        claim_days=top.take("claim_lapses_after", _duration, 30 * 86400.0) / 86400,
    )
    top.close()
    if config.group is not None and config.user is None:
        raise ConfigError(f'{file}: group = "{config.group}" goes with user; add: user = "gatepost"')
    if not config.listeners:
        raise ConfigError(f'{file}: no listener; add: [[listener]] and below it address = "127.0.0.1:2525"')
    if config.tls is None and any(each.require_tls for each in config.listeners):
        raise ConfigError(f"{file}: a listener has require_tls = true, but there is no [tls] with certificate and key")
    if config.tls is None and config.api is not None:
        raise ConfigError(f"{file}: [api] is served over TLS only, but there is no [tls] with certificate and key")
    return config


def _tls(top: _Table, path: Callable[[Any], Path]) -> TlsConfig | None:
    table = top.table("tls")
    certificate = table.take("certificate", path)
    key = table.take("key", path)
    roots = table.take("client_roots", path)
    server_roots = table.take("server_roots", path)
    more = []
    for each in table.tables("more"):
        more.append(
            CertificateFiles(
                certificate=each.need("certificate", path, '"other.pem"'), key=each.need("key", path, '"other.key"')
            )
        )
        each.close()
    table.close()
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = "certificate" if certificate is None else "key"
        raise ConfigError(f"{top.file}: tls.{missing} is missing; certificate and key go together")
    return TlsConfig(
        certificates=(CertificateFiles(certificate=certificate, key=key), *more),
        client_roots=roots,
        server_roots=server_roots,
    )


def _listener(table: _Table) -> ListenerConfig:
    host, port = table.need("address", _endpoint, '"127.0.0.1:2525"')
    listener = ListenerConfig(
        host=host,
        port=port,
        refuse_at=table.take("refuse_at", _one_of("rcpt-to", "end-of-data"), "rcpt-to"),
        require_tls=table.take("require_tls", _boolean, False),
        require_client_auth=table.take("require_client_auth", _boolean, False),
        wildcard_certificates=table.take("wildcard_certificates", _boolean, False),
        starttls=table.take("starttls", _boolean, True),
        irregular_paths=table.take("irregular_paths", _one_of("tenants", "all", "none"), "tenants"),
        proxy_from=table.take("proxy_from", _networks, ()),
        limits=_limits(table.table("limits")),
    )
    table.close()
    return listener


def _limits(table: _Table) -> ListenerLimits:
    defaults = ListenerLimits()
    limits = ListenerLimits(
        sessions=table.take("sessions", _whole(1, 1_000_000), defaults.sessions),
        sessions_per_address=table.take("sessions_per_address", _whole(1, 1_000_000), defaults.sessions_per_address),
        sessions_per_network=table.take("sessions_per_network", _or_auto(_whole(1, 1_000_000))),
        sessions_per_minute=table.take("sessions_per_minute", _whole(1, 1_000_000), defaults.sessions_per_minute),
        reserved_sessions=table.take("reserved_sessions", _or_auto(_whole(0, 1_000_000))),
        refusals=table.take("refusals", _whole(1, 1_000_000), defaults.refusals),
        refusals_per_minute=table.take("refusals_per_minute", _whole(1, 1_000_000), defaults.refusals_per_minute),
        transactions_per_session=table.take(
            "transactions_per_session", _whole(1, 1_000_000), defaults.transactions_per_session
        ),
        # RFC 5321 4.5.3.1.8: a server takes at least 100 recipients.
        recipients=table.take("recipients", _whole(100, 100_000), defaults.recipients),
        # RFC 5321 4.5.3.1.7: a message of 64 KiB must be taken.
        message_size=table.take("message_size", _octets(64 * 1024), defaults.message_size),
        errors=table.take("errors", _whole(1, 1_000), defaults.errors),
        command_timeout_s=table.take("command_timeout", _duration, defaults.command_timeout_s),
        content_timeout_s=table.take("content_timeout", _duration, defaults.content_timeout_s),
        content_rate=table.take("content_rate", _octets(0), defaults.content_rate),
    )
    table.close()
    return limits


def _api(top: _Table) -> ApiConfig | None:
    table = top.optional_table("api")
    if table is None:
        return None
    host, port = table.need("address", _endpoint, '"127.0.0.1:8443"')
    api = ApiConfig(
        host=host,
        port=port,
        requests_per_minute=table.take("requests_per_minute", _whole(1, 1_000_000), 600),
        operators=table.take("operators", _networks, ()),
        limits=_api_limits(table.table("limits")),
    )
    table.close()
    return api


def _api_limits(table: _Table) -> ApiLimits:
    defaults = ApiLimits()
    limits = ApiLimits(
        connections=table.take("connections", _whole(16, 10_000), defaults.connections),
        connections_per_network=table.take(
            "connections_per_network", _whole(4, 10_000), defaults.connections_per_network
        ),
        operator_connections=table.take("operator_connections", _whole(4, 1_000), defaults.operator_connections),
        requests=table.take("requests", _whole(4, 1_000), defaults.requests),
        requests_per_tenant=table.take("requests_per_tenant", _whole(1, 1_000), defaults.requests_per_tenant),
        requests_per_token=table.take("requests_per_token", _whole(1, 1_000), defaults.requests_per_token),
        hello_timeout_s=table.take("hello_timeout", _duration, defaults.hello_timeout_s),
        request_timeout_s=table.take("request_timeout", _duration, defaults.request_timeout_s),
        idle_timeout_s=table.take("idle_timeout", _duration, defaults.idle_timeout_s),
        body_rate=table.take("body_rate", _octets(1), defaults.body_rate),
    )
    table.close()
    return limits


def _retry(table: _Table, edge: _Table) -> RetrySettings:
    defaults = RetrySettings()
    settings = RetrySettings(
        glitch_interval_s=table.take("glitch_interval", _duration, defaults.glitch_interval_s),
        glitch_count=table.take("glitch_count", _whole(0, 1_000), defaults.glitch_count),
        transient_interval_s=table.take("transient_interval", _duration, defaults.transient_interval_s),
        transient_count=table.take("transient_count", _whole(0, 1_000), defaults.transient_count),
        interval_s=table.take("interval", _duration, defaults.interval_s),
        expiry_s=table.take("expire_after", _duration, defaults.expiry_s),
        delay_notice_s=table.take("delay_notice_after", _duration, defaults.delay_notice_s),
        hold_refused_s=edge.take("hold_refused", _duration, defaults.hold_refused_s),
    )
    table.close()
    edge.close()
    return settings


def _protocol_log(table: _Table) -> ProtocolLogConfig:
    defaults = ProtocolLogConfig()
    settings = ProtocolLogConfig(
        receive=table.take("receive", _boolean, defaults.receive),
        max_file_size=table.take("max_file_size", _octets(4096), defaults.max_file_size),
        max_folder_size=table.take("max_folder_size", _octets(4096), defaults.max_folder_size),
        max_age_days=table.take("max_age", _duration, defaults.max_age_days * 86400) / 86400,
    )
    table.close()
    return settings


def _sessions(table: _Table) -> SessionsConfig:
    defaults = SessionsConfig()
    settings = SessionsConfig(
        max_age_days=table.take("max_age", _duration, defaults.max_age_days * 86400) / 86400,
        max_folder_size=table.take("max_folder_size", _octets(1024 * 1024), defaults.max_folder_size),
    )
    table.close()
    return settings


def _delivery(table: _Table) -> DeliveryConfig:
    defaults = DeliveryConfig()
    settings = DeliveryConfig(
        per_destination=table.take("per_destination", _whole(1, 10_000), defaults.per_destination),
        connections=table.take("connections", _whole(1, 100_000), defaults.connections),
        allow_internal=table.take("allow_internal", _networks, ()),
        internal_networks=table.take("internal_networks", _networks, ()),
        **_delivery_timeouts(table.table("timeouts"), defaults),
    )
    table.close()
    return settings


def _delivery_timeouts(table: _Table, defaults: DeliveryConfig) -> dict[str, Any]:
    rfc = defaults.timeouts
    timeouts = {
        "connect_s": table.take("connect", _duration, defaults.connect_s),
        "tls_s": table.take("tls_handshake", _duration, defaults.tls_s),
        "timeouts": ClientTimeouts(
            greeting_s=table.take("greeting", _duration, rfc.greeting_s),
            command_s=table.take("command", _duration, rfc.command_s),
            data_s=table.take("data", _duration, rfc.data_s),
            block_s=table.take("content_block", _duration, rfc.block_s),
            end_of_data_s=table.take("content_reply", _duration, rfc.end_of_data_s),
            quit_s=table.take("quit", _duration, rfc.quit_s),
        ),
    }
    table.close()
    return timeouts


def _tenant_limits(table: _Table) -> TenantLimits:
    count, default = _whole(0, 1_000_000_000), DEFAULT_LIMITS
    settings = TenantLimits(
        messages_per_minute=table.take("messages_per_minute", _whole(0, 10_000_000), 0),
        recipients_per_minute=table.take("recipients_per_minute", _whole(0, 10_000_000), 0),
        message_size=table.take("message_size", _octets(0), 0),
        sessions=table.take("sessions", _whole(0, 1_000_000), 0),
        queued=table.take("queued", count, 0),
        domains=table.take("domains", count, default.domains),
        unverified_domains=table.take("unverified_domains", count, default.unverified_domains),
        inbound_connectors=table.take("inbound_connectors", count, default.inbound_connectors),
        send_connectors=table.take("send_connectors", count, default.send_connectors),
        tokens=table.take("tokens", count, default.tokens),
        rehearsals=table.take("rehearsals", count, default.rehearsals),
        enrolments=table.take("enrolments", count, default.enrolments),
        certificate_names=table.take("certificate_names", count, default.certificate_names),
        pins=table.take("pins", count, default.pins),
        addresses=table.take("addresses", count, default.addresses),
        sender_domains=table.take("sender_domains", count, default.sender_domains),
        trust_anchors=table.take("trust_anchors", count, default.trust_anchors),
        address_spaces=table.take("address_spaces", count, default.address_spaces),
        smart_hosts=table.take("smart_hosts", count, default.smart_hosts),
        ipv4_prefix=table.take("ipv4_prefix", _whole(0, 32), default.ipv4_prefix),
        ipv6_prefix=table.take("ipv6_prefix", _whole(0, 128), default.ipv6_prefix),
    )
    table.close()
    return settings


def _queue(table: _Table) -> QueueConfig:
    defaults = QueueConfig()
    settings = QueueConfig(
        least_free_disk=table.take("least_free_disk", _octets(0), defaults.least_free_disk),
        reserved_disk=table.take("reserved_disk", _or_auto(_octets(0))),
        unfinished=table.take("unfinished", _or_auto(_octets(64 * 1024))),
        unfinished_per_network=table.take("unfinished_per_network", _or_auto(_octets(64 * 1024))),
        unfinished_per_tenant=table.take("unfinished_per_tenant", _or_auto(_octets(64 * 1024))),
        most_recipients=table.take("most_recipients", _whole(0, 1_000_000_000), defaults.most_recipients),
    )
    table.close()
    return settings


def _hybrid(table: _Table) -> HybridConfig:
    settings = HybridConfig(follow=table.take("follow", _boolean, False))
    table.close()
    return settings


def _nameservers(table: _Table) -> tuple[str, ...]:
    servers: tuple[str, ...] = table.take("nameservers", _name_servers, ())
    table.close()
    return servers


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


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?\Z")
_SIZES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text in quotes is wanted")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('a list is wanted, such as ["127.0.0.1:5353"]')
    return tuple(_text(each) for each in value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is wanted")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a table is wanted: [name] on a line of its own")
    return value


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("a list of tables is wanted: [[name]] on a line of its own")
    return [_mapping(each) for each in value]


def _domain(value: Any) -> str:
    try:
        return domain_key(_text(value))
    except DomainError as error:
        raise ValueError(str(error)) from None


def _mailbox(value: Any) -> str:
    read_as = read_mailbox(_text(value))
    if isinstance(read_as, BadPath):
        raise ValueError(f"{read_as.says}; write it like postmaster@example.net")
    return str(value)


def _name_servers(value: Any) -> tuple[str, ...]:
    return tuple(_name_server(each) for each in _texts(value))


def _name_server(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        _endpoint(text)
    return text


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most} is wanted")
        return value

    return convert


def _one_of(*words: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in words:
            near = difflib.get_close_matches(str(value), words, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"one of {', '.join(words)} is wanted{hint}")
        return str(value)

    return convert


def _duration(value: Any) -> float:
    """Seconds. Written `90s`, `15m`, `4h`, `2d`."""
    found = _DURATION.match(value) if isinstance(value, str) else None
    if not found:
        raise ValueError('a duration is wanted, such as "90s", "15m", "4h", "2d"')
    return float(found[1]) * _UNITS[found[2]]


def _octets(least: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        found = _SIZE.match(str(value)) if not isinstance(value, bool) else None
        if not found or int(found[1]) * _SIZES[found[2]] < least:
            raise ValueError(f'a size of at least {least} octets is wanted, such as "150MiB"')
        return int(found[1]) * _SIZES[found[2]]

    return convert


def _or_auto(convert: Callable[[Any], int]) -> Callable[[Any], int | None]:
    """`"auto"`, which is None: it follows from something else."""
    return lambda value: None if value == "auto" else convert(value)


def _endpoint(value: Any) -> tuple[str, int]:
    """`127.0.0.1:25`, `[::1]:25`; the address is an IP address, since a listener binds to one."""
    host, separator, port = _text(value).rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ip_address(bare)
    except ValueError:
        raise ValueError('an IP address and a port are wanted, such as "0.0.0.0:25" or "[::]:25"') from None
    if not separator or not port.isdigit() or not 0 <= int(port) <= 65535 or (address.version == 6 and bare == host):
        raise ValueError('an IP address and a port are wanted, such as "0.0.0.0:25" or "[::]:25"')
    return str(address), int(port)


def _address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(each) for each in _texts(value))
    except ValueError as error:
        raise ValueError(f'networks are wanted, such as ["192.0.2.0/24"]: {error}') from None


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
