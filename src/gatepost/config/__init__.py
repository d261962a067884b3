"""`gatepost.toml`: what a process needs. Tenants, domains and connectors live in the store, not here.

A file becomes a `Config` or one `ConfigError` of one line: where, what, and what to do. An unknown key is an error
that names the nearest known one. Relative paths count from the folder of the file.
"""

from gatepost.config.toml_reader import ConfigError, parse, read
from gatepost.config.values import (
    AlarmConfig,
    CertificateFiles,
    Config,
    ConsoleConfig,
    DeliveryConfig,
    HttpsConfig,
    HttpsLimits,
    HybridConfig,
    ListenerConfig,
    ListenerLimits,
    MetricsConfig,
    ProtocolLogConfig,
    QueueConfig,
    SessionsConfig,
    TlsConfig,
    TraceConfig,
    server_settings,
)

__all__ = [
    "AlarmConfig",
    "CertificateFiles",
    "Config",
    "ConfigError",
    "ConsoleConfig",
    "DeliveryConfig",
    "HttpsConfig",
    "HttpsLimits",
    "HybridConfig",
    "ListenerConfig",
    "ListenerLimits",
    "MetricsConfig",
    "ProtocolLogConfig",
    "QueueConfig",
    "SessionsConfig",
    "TlsConfig",
    "TraceConfig",
    "parse",
    "read",
    "server_settings",
]
