"""`gatepost.toml` read: from text to a `Config`, or to one `ConfigError`.

Law: a default is taken from `values`; only what the file says is converted.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from gatepost.config import conversions
from gatepost.config.conversions import (
    addresses,
    boolean,
    days,
    domain,
    duration,
    endpoint,
    https_url,
    issuer,
    label,
    mailbox,
    name_servers,
    networks,
    octets,
    one_of,
    or_auto,
    shown,
    text,
    web_origin,
    whole,
)
from gatepost.config.values import (
    AlarmConfig,
    CertificateFiles,
    Config,
    ConsoleConfig,
    DeliveryConfig,
    DnsConfig,
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
    address_text,
)
from gatepost.errors import GatepostError
from gatepost.queue.retry import RetrySettings
from gatepost.smtp.client_settings import ClientTimeouts
from gatepost.tenancy.person import Role
from gatepost.tenancy.provider import GroupRole, Provider
from gatepost.tenancy.tenant import DEFAULT_LIMITS, TenantLimits

Convert = Callable[[Any], Any]
Values = TypeVar("Values")

_WILDCARDS = ("0.0.0.0", "::")
"""Addresses that no browser can go to."""

_UNITS = ("_s", "_days")
"""A field that counts in these is a setting without them: it is written with its unit."""

_KEYS = {
    "claim_days": "claim_lapses_after",
    "expiry_s": "expire_after",
    "delay_notice_s": "delay_notice_after",
    "tls_s": "tls_handshake",
    "block_s": "content_block",
    "end_of_data_s": "content_reply",
}
"""Where a setting is called otherwise than its field."""

_SECRET = frozenset({"webhook"})
"""Keys whose value may hold a secret, and is in no message."""


class ConfigError(GatepostError):
    """One line for the administrator."""


def read(file: Path) -> Config:
    """The configuration in `file`. Raises `ConfigError`."""
    file = file.absolute()
    try:
        found = file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist; write it with: gatepost init") from None
    except IsADirectoryError:
        raise ConfigError(f"{file} is a folder; name the file in it: {file / 'gatepost.toml'}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    return parse(file, found)


def parse(file: Path, content: str) -> Config:
    """The configuration that `content`, which stood in `file`, is. Raises `ConfigError`."""
    try:
        settings = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        # tomllib names the place where it gave up, which is the end of the line.
        hint = "; is a quotation mark missing there?" if "Illegal character '\\n'" in str(error) else ""
        raise ConfigError(f"{file}: {error}{hint}") from None
    config = _config(file, content, _Table(file, "", settings))
    _check(config)
    return config


class _Table:
    """One table of the file. Every key is taken once; what is left over at `close` is unknown."""

    def __init__(self, file: Path, name: str, settings: Mapping[str, Any]) -> None:
        self.file = file
        self._name = name
        self._left = dict(settings)
        self._known: list[str] = []

    def filled(self, values: Values, /, **converters: Convert) -> Values:
        """`values` with what the table says of these fields; it may say no more."""
        found = self.said(**converters)
        self.close()
        return replace(values, **found)  # type: ignore[type-var]

    def said(self, **converters: Convert) -> dict[str, Any]:
        """By field, what the table says."""
        keys = {field: _KEYS.get(field) or _without_unit(field) for field in converters}
        present = [field for field, key in keys.items() if key in self._left]
        found = {field: self.take(key, converters[field]) for field, key in keys.items()}
        return {field: found[field] for field in present}

    def take(self, key: str, convert: Convert, default: Any = None) -> Any:
        self._known.append(key)
        if key not in self._left:
            return default
        value = self._left.pop(key)
        try:
            return convert(value)
        except (ValueError, TypeError) as error:
            said = "(hidden)" if key in _SECRET else shown(value)
            raise ConfigError(f"{self.file}: {self._name}{key} = {said}: {error}") from None

    def need(self, key: str, convert: Convert, example: str) -> Any:
        if key not in self._left:
            near = difflib.get_close_matches(key, self._left, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"for example: {key} = {example}"
            raise ConfigError(f"{self.file}: {self._name}{key} is missing; {hint}")
        return self.take(key, convert)

    def table(self, key: str) -> "_Table":
        return _Table(self.file, f"{self._name}{key}.", self.take(key, conversions.mapping, {}))

    def optional_table(self, key: str) -> "_Table | None":
        """None where the file has no such table: what it would configure is not wanted."""
        return self.table(key) if key in self._left else self.take(key, conversions.mapping)

    def tables(self, key: str) -> list["_Table"]:
        return [_Table(self.file, f"{self._name}{key}.", each) for each in self.take(key, conversions.mappings, [])]

    def close(self) -> None:
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(self._known))}"
            raise ConfigError(f"{self.file}: unknown setting '{self._name}{key}'; {hint}")


def _without_unit(field: str) -> str:
    return next((field.removesuffix(unit) for unit in _UNITS if field.endswith(unit)), field)


def _config(file: Path, content: str, top: _Table) -> Config:
    def path(value: Any) -> Path:
        return file.parent / Path(text(value)).expanduser()

    hostname = top.need("hostname", domain, '"relay.example.net"')
    config = Config(
        file=file,
        text=content,
        hostname=hostname,
        data=top.take("data", path, file.parent / "data"),
        tls=_tls(top, path),
        listeners=tuple(_listener(each) for each in top.tables("listener")),
        workers=top.take("workers", whole(1, 64), min(os.cpu_count() or 1, 64)),
        api=_api(top),
        console=_console(top, hostname, path),
        metrics=_metrics(top),
        alarm=_alarm(top, path),
        retry=_retry(top.table("retry"), top.table("edge")),
        protocol_log=_protocol_log(top.table("protocol_log")),
        sessions=_sessions(top.table("sessions")),
        trace=top.table("trace").filled(TraceConfig(), max_age_days=days, max_folder_size=octets(16 * 1024 * 1024)),
        delivery=_delivery(top.table("delivery")),
        tenant_limits=_tenant_limits(top.table("tenant_limits")),
        queue=_queue(top.table("queue")),
        hybrid=top.table("hybrid").filled(HybridConfig(), follow=boolean),
        dns=_dns(top.table("dns")),
    )
    return top.filled(
        config,
        user=text,
        group=text,
        log=one_of("text", "json", "journal"),
        help_link=text,
        postmaster=mailbox,
        verification_grace_days=days,
        claim_days=days,
    )


def _check(config: Config) -> None:
    file = config.file
    if config.group is not None and config.user is None:
        raise ConfigError(f'{file}: group = "{config.group}" goes with user; add: user = "gatepost"')
    if not config.listeners:
        raise ConfigError(f'{file}: no listener; add: [[listener]] and below it address = "127.0.0.1:2525"')
    if config.tls is None and any(each.require_tls for each in config.listeners):
        raise ConfigError(f"{file}: a listener has require_tls = true, but there is no [tls] with certificate and key")
    for face, settings in (("api", config.api), ("console", config.console)):
        if config.tls is None and settings is not None:
            raise ConfigError(
                f"{file}: [{face}] is served over TLS only, but there is no [tls] with certificate and key"
            )


def _tls(top: _Table, path: Convert) -> TlsConfig | None:
    table = top.table("tls")
    certificate, key = table.take("certificate", path), table.take("key", path)
    roots, server_roots = table.take("client_roots", path), table.take("server_roots", path)
    more = [_certificate_files(each, path) for each in table.tables("more")]
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


def _certificate_files(table: _Table, path: Convert) -> CertificateFiles:
    certificate, key = table.need("certificate", path, '"other.pem"'), table.need("key", path, '"other.key"')
    table.close()
    return CertificateFiles(certificate=certificate, key=key)


def _listener(table: _Table) -> ListenerConfig:
    host, port = table.need("address", endpoint, '"127.0.0.1:2525"')
    return table.filled(
        ListenerConfig(host=host, port=port, limits=_limits(table.table("limits"))),
        refuse_at=one_of("rcpt-to", "end-of-data"),
        require_tls=boolean,
        require_client_auth=boolean,
        wildcard_certificates=boolean,
        starttls=boolean,
        irregular_paths=one_of("tenants", "all", "none"),
        proxy_from=networks,
    )


def _limits(table: _Table) -> ListenerLimits:
    return table.filled(
        ListenerLimits(),
        sessions=whole(1, 1_000_000),
        sessions_per_address=whole(1, 1_000_000),
        sessions_per_network=or_auto(whole(1, 1_000_000)),
        sessions_per_minute=whole(1, 1_000_000),
        reserved_sessions=or_auto(whole(0, 1_000_000)),
        refusals=whole(1, 1_000_000),
        refusals_per_minute=whole(1, 1_000_000),
        transactions_per_session=whole(1, 1_000_000),
        # RFC 5321 4.5.3.1.8: a server takes at least 100 recipients.
        recipients=whole(100, 100_000),
        # RFC 5321 4.5.3.1.7: a message of 64 KiB must be taken.
        message_size=octets(64 * 1024),
        errors=whole(1, 1_000),
        command_timeout_s=duration,
        content_timeout_s=duration,
        content_rate=octets(0),
    )


def _api(top: _Table) -> HttpsConfig | None:
    table = top.optional_table("api")
    if table is None:
        return None
    host, port = table.need("address", endpoint, '"127.0.0.1:8443"')
    return table.filled(
        HttpsConfig(host=host, port=port, limits=_https_limits(table.table("limits"))),
        requests_per_minute=whole(1, 1_000_000),
        operators=networks,
    )


def _console(top: _Table, hostname: str, path: Convert) -> ConsoleConfig | None:
    table = top.optional_table("console")
    if table is None:
        return None
    host, port = table.need("address", endpoint, '"127.0.0.1:8444"')
    known_as = hostname if host in _WILDCARDS else host
    return table.filled(
        ConsoleConfig(
            host=host,
            port=port,
            url=web_origin(f"https://{address_text(known_as, port)}"),
            limits=_https_limits(table.table("limits")),
            providers=_providers(table, path),
        ),
        url=web_origin,
        requests_per_minute=whole(1, 1_000_000),
        operators=networks,
    )


def _providers(console: _Table, path: Convert) -> tuple[Provider, ...]:
    providers = tuple(_provider(each, path) for each in console.tables("provider"))
    for key, found in (("name", [each.name for each in providers]), ("issuer", [each.issuer for each in providers])):
        if twice := next((each for each in found if found.count(each) > 1), None):
            raise ConfigError(f'{console.file}: two console.provider have {key} = "{twice}"; leave one out')
    return providers


def _provider(table: _Table, path: Convert) -> Provider:
    provider = Provider(
        name=table.need("name", label, '"acme"'),
        issuer=table.need("issuer", issuer, '"https://login.example.com"'),
        client_id=table.need("client_id", text, '"gatepost"'),
        groups=tuple(map(_group_role, table.tables("group"))),
    )
    provider = table.filled(provider, client_secret_file=path, groups_claim=text)
    if provider.groups and provider.groups_claim is None:
        raise ConfigError(
            f"{table.file}: console.provider {provider.name} has groups; add the claim that names them: "
            'groups_claim = "groups"'
        )
    return provider


def _group_role(table: _Table) -> GroupRole:
    group, role = table.need("name", text, '"mail-operators"'), Role(table.need("role", one_of(*Role), '"operator"'))
    given = table.filled(GroupRole(group=group, role=role), tenant=text)
    if not role.fits(given.tenant):
        do = "add a tenant" if given.tenant is None else "leave tenant out"
        raise ConfigError(f'{table.file}: console.provider.group "{group}": role = "{role}" does not fit; {do}')
    return given


def _metrics(top: _Table) -> MetricsConfig | None:
    table = top.optional_table("metrics")
    if table is None:
        return None
    host, port = table.need("address", endpoint, '"127.0.0.1:9925"')
    table.close()
    return MetricsConfig(host=host, port=port)


def _alarm(top: _Table, path: Convert) -> AlarmConfig | None:
    table = top.optional_table("alarm")
    if table is None:
        return None
    alarm = table.filled(AlarmConfig(), webhook=https_url, secret_file=path, roots=path, mail=mailbox)
    if alarm.webhook is None and alarm.mail is None:
        raise ConfigError(f"{top.file}: [alarm] has neither webhook nor mail; set one of them, or remove the table")
    return alarm


def _https_limits(table: _Table) -> HttpsLimits:
    return table.filled(
        HttpsLimits(),
        connections=whole(16, 10_000),
        connections_per_network=whole(4, 10_000),
        operator_connections=whole(4, 1_000),
        requests=whole(4, 1_000),
        requests_per_tenant=whole(1, 1_000),
        requests_per_token=whole(1, 1_000),
        hello_timeout_s=duration,
        request_timeout_s=duration,
        idle_timeout_s=duration,
        body_rate=octets(1),
    )


def _retry(table: _Table, edge: _Table) -> RetrySettings:
    settings = table.filled(
        RetrySettings(),
        glitch_interval_s=duration,
        glitch_count=whole(0, 1_000),
        transient_interval_s=duration,
        transient_count=whole(0, 1_000),
        interval_s=duration,
        expiry_s=duration,
        delay_notice_s=duration,
    )
    return edge.filled(settings, hold_refused_s=duration)


def _protocol_log(table: _Table) -> ProtocolLogConfig:
    return table.filled(
        ProtocolLogConfig(),
        receive=boolean,
        max_file_size=octets(4096),
        max_folder_size=octets(4096),
        max_age_days=days,
    )


def _sessions(table: _Table) -> SessionsConfig:
    return table.filled(SessionsConfig(), max_age_days=days, max_folder_size=octets(1024 * 1024))


def _delivery(table: _Table) -> DeliveryConfig:
    return table.filled(
        _delivery_timeouts(table.table("timeouts")),
        per_destination=whole(1, 10_000),
        connections=whole(1, 100_000),
        allow_internal=networks,
        internal_networks=networks,
    )


def _delivery_timeouts(table: _Table) -> DeliveryConfig:
    """Those of the SMTP dialogue, and those before it."""
    dialogue = table.said(
        greeting_s=duration,
        command_s=duration,
        data_s=duration,
        block_s=duration,
        end_of_data_s=duration,
        quit_s=duration,
    )
    settings = DeliveryConfig(timeouts=ClientTimeouts(**dialogue))
    return table.filled(settings, connect_s=duration, tls_s=duration)


def _tenant_limits(table: _Table) -> TenantLimits:
    count = whole(0, 1_000_000_000)
    return table.filled(
        DEFAULT_LIMITS,
        messages_per_minute=whole(0, 10_000_000),
        recipients_per_minute=whole(0, 10_000_000),
        message_size=octets(0),
        sessions=whole(0, 1_000_000),
        queued=count,
        domains=count,
        unverified_domains=count,
        inbound_connectors=count,
        send_connectors=count,
        tokens=count,
        rehearsals=count,
        enrolments=count,
        certificate_names=count,
        pins=count,
        addresses=count,
        sender_domains=count,
        trust_anchors=count,
        address_spaces=count,
        smart_hosts=count,
        ipv4_prefix=whole(0, 32),
        ipv6_prefix=whole(0, 128),
    )


def _queue(table: _Table) -> QueueConfig:
    return table.filled(
        QueueConfig(),
        least_free_disk=octets(0),
        reserved_disk=or_auto(octets(0)),
        unfinished=or_auto(octets(64 * 1024)),
        unfinished_per_network=or_auto(octets(64 * 1024)),
        unfinished_per_tenant=or_auto(octets(64 * 1024)),
        most_recipients=whole(0, 1_000_000_000),
    )


def _dns(table: _Table) -> DnsConfig:
    return table.filled(DnsConfig(), nameservers=name_servers, trusted=addresses, signed_name=text)
