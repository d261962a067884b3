"""`gatepost init`: a first configuration that serves as it stands, and overwrites nothing."""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gatepost.app import DirectoryEditor, open_editor
from gatepost.config import ConfigError, read
from gatepost.errors import GatepostError
from gatepost.hybrid import edge_defaults
from gatepost.mail.domain import DomainError, domain_key
from gatepost.net.self_signed import write_self_signed
from gatepost.tenancy.tenant import (
    AcceptedDomain,
    AddressSpace,
    InboundConnector,
    SendConnector,
    SmartHost,
    Tenant,
    TlsLevel,
)

_RELAY = """\
# Gatepost: what this process needs. Tenants, domains and connectors are managed with commands: gatepost --help
# Every setting: gatepost help settings
hostname = "{hostname}"
data = "{data}"
{postmaster}
# user = "gatepost"           # whom serve becomes when root starts it

[tls]
certificate = "server.pem"
key = "server.key"
# client_roots = "roots.pem"   # what client certificates are judged against; default: the system's roots

[[listener]]
address = "{address}"
"""

RELAY_LISTENER = "127.0.0.1:2525"
EDGE_LISTENER = "127.0.0.1:2526"

MAILBOXES = "mailboxes"
"""The send connector to an organisation's own server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What makes a relay the edge beside an on-premises server."""

    smart_host: SmartHost
    domains: tuple[str, ...]
    certificate: Path | None
    key: Path | None
    mailboxes: SmartHost | None = None
    """The organisation's own server: notices to its people go there, whatever the relay says. None: nobody named it."""


class SetupError(GatepostError):
    """Why nothing, or no more, was written; one line."""


def initialise(config_file: Path, data: Path, hostname: str | None, edge: Edge | None) -> list[Path]:
    """Write configuration, data folder, server certificate and the first objects. Returns what was made."""
    name = _hostname(hostname)
    folder = config_file.absolute().parent
    certificate, key = folder / "server.pem", folder / "server.key"
    for file in (config_file, certificate, key):
        if file.exists():
            raise SetupError(f"{file} exists already; nothing was changed. Move it away, or work in another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_self_signed(name, certificate, key)
    address = EDGE_LISTENER if edge else RELAY_LISTENER
    text = _RELAY.format(hostname=name, data=data, address=address, postmaster=_postmaster(edge))
    _write(config_file, text)
    try:
        config = read(config_file)
    except ConfigError as error:
        raise SetupError(str(error)) from None
    for each in config.folders:
        each.mkdir(mode=0o750, parents=True, exist_ok=True)
    _first_objects(config_file, edge, certificate, key)
    return [config_file, config.data, certificate, key]


def _first_objects(config_file: Path, edge: Edge | None, certificate: Path, key: Path) -> None:
    editor = open_editor(read(config_file))
    try:
        if edge is None:
            _add_internet(editor)
        else:
            _add_edge(editor, edge, certificate, key)
    finally:
        editor.close()


def _add_internet(editor: DirectoryEditor) -> None:
    """Mail that nobody routes otherwise leaves by MX. Any `*` connector an operator adds costs less and wins."""
    editor.put_send_connector(
        SendConnector(name="internet", address_spaces=(AddressSpace(space="*", cost=100),)), "add"
    )


def _add_edge(editor: DirectoryEditor, edge: Edge, certificate: Path, key: Path) -> None:
    """One tenant, its domains, its server by local address, and everything outward through the smart host."""
    now = datetime.now(UTC)
    editor.put_tenant(Tenant(name=edge_defaults.TENANT, created_at=now, limits=edge_defaults.LIMITS), "add")
    for domain in edge.domains:
        editor.put_domain(
            AcceptedDomain(
                domain=domain,
                tenant=edge_defaults.TENANT,
                token=secrets.token_hex(16),
                verified=True,
                verified_at=now,
                verified_by_operator=True,
            ),
            "add",
        )
    editor.put_inbound_connector(
        InboundConnector(
            tenant=edge_defaults.TENANT,
            name="local-networks",
            addresses=edge_defaults.LOCAL_NETWORKS,
        ),
        "add",
    )
    editor.put_send_connector(
        SendConnector(
            name="smart-host",
            address_spaces=(AddressSpace(space="*"),),
            smart_hosts=(edge.smart_host,),
            certificate=str((edge.certificate or certificate).absolute()),
            key=str((edge.key or key).absolute()),
            # The relay tells whose server this is by the certificate, which is shown under TLS only.
            tls=TlsLevel.ENCRYPT,
        ),
        "add",
    )
    if edge.mailboxes:
        editor.put_send_connector(
            SendConnector(
                name=MAILBOXES,
                address_spaces=tuple(AddressSpace(space=domain) for domain in edge.domains),
                smart_hosts=(edge.mailboxes,),
            ),
            "add",
        )


def _postmaster(edge: Edge | None) -> str:
    """Who gets alarms. An edge's are for its own organisation, if it knows a way there."""
    if edge and edge.mailboxes:
        return f'postmaster = "postmaster@{edge.domains[0]}"   # gets alarms, and mail to <Postmaster>'
    return '# postmaster = "postmaster@example.net"   # gets alarms, and mail to <Postmaster>'


def _hostname(wanted: str | None) -> str:
    name = wanted or socket.getfqdn()
    try:
        return domain_key(name)
    except DomainError as error:
        raise SetupError(f"{error}; name this server with --hostname relay.example.net") from None


def _write(file: Path, text: str) -> None:
    """Whole or not at all; never over an existing file."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise SetupError(f"{file} cannot be written: {error.strerror}") from None
