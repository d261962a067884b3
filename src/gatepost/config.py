"""`gatepost.toml`: what a process needs. Tenants, domains and connectors live in the store, not here.

A file becomes a `Config` or one `ConfigError` of one line: where, what, and what to do. An unknown key is an error
that names the nearest known one. Relative paths count from the folder of the file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import difflib
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
import os
from pathlib import Path
import re
import tomllib
from typing import Any, Literal

from gatepost.mail.domain import DomainError, domain_key
from gatepost.queue.retry import RetrySettings
from gatepost.smtp.server_settings import ServerSettings


class ConfigError(Exception):
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
    transactions_per_session: int = 1_000
    recipients: int = 1_000
    message_size: int = 157_286_400
    errors: int = 10


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
    proxy_from: tuple[IPv4Network | IPv6Network, ...] = ()
    """Balancers that speak the PROXY protocol to this listener; from them it is required."""
    limits: ListenerLimits = ListenerLimits()

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLimits:
    """What one tenant may do on one worker; 0 means no limit. Refused with 4.7.x, so that nothing is lost."""

    messages_per_minute: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    file: Path
    hostname: str
    data: Path
    listeners: tuple[ListenerConfig, ...]
    tls: TlsConfig | None
    workers: int
    log: Literal["text", "json"] = "text"
    help_link: str | None = None
    """Added to refusals when set."""
    postmaster: str | None = None
    """Where mail for the domainless `<Postmaster>` goes (RFC 5321 4.5.1)."""
    retry: RetrySettings = field(default_factory=RetrySettings)
    protocol_log: ProtocolLogConfig = ProtocolLogConfig()
    sessions: SessionsConfig = SessionsConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    tenant_limits: TenantLimits = TenantLimits()
    nameservers: tuple[str, ...] = ()
    """`address` or `address:port`; none: the system's."""
    verification_grace_days: float = 7.0
