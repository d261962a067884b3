"""The sockets of `gatepost serve`: each listener's for every worker, the Management API's, the console's, and that of
the metrics.

Law: nobody shares a port with another program. Workers share theirs by SO_REUSEPORT, which a second server of the same
user, or one started by root, could join without a word; so each address is first bound without it. Workers that a
killed supervisor left behind are no other program: they finish what they have, and go.
"""

import errno
import socket
from dataclasses import dataclass

from gatepost.app.port_holder import holders_files, port_holder
from gatepost.app.start_checks import StartError
from gatepost.config import Config, HttpsConfig, ListenerConfig, MetricsConfig

_Address = ListenerConfig | HttpsConfig | MetricsConfig

_BACKLOG = 4096
"""Connections that wait to be taken: after a pause all servers come back at once. The kernel may allow less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    listeners: list[list[socket.socket]]
    """For each worker, one socket a listener; the kernel spreads connections over the workers."""
    api: socket.socket | None
    metrics: socket.socket | None
    console: socket.socket | None


def bind(config: Config) -> Bound:
    """To be called by whoever holds the lock of the data folder. Raises `StartError`."""
    others: list[HttpsConfig | MetricsConfig | None] = [config.api, config.console, config.metrics]
    addresses: list[_Address] = [*config.listeners, *(each for each in others if each)]
    for each in addresses:
        if each.port and not _is_held_by_workers_left_behind(each, config):
            _bound(each, config, shared=False).close()
    shared = config.workers > 1
    return Bound(
        listeners=[
            [_listening(each, config, shared=shared) for each in config.listeners] for _ in range(config.workers)
        ],
        api=_alone(config.api, config),
        console=_alone(config.console, config),
        metrics=_alone(config.metrics, config),
    )


def _alone(listener: _Address | None, config: Config) -> socket.socket | None:
    return _listening(listener, config, shared=False) if listener else None


def _is_held_by_workers_left_behind(listener: _Address, config: Config) -> bool:
    """Whether all that listen there work in this very data folder; its lock says that their supervisor is gone."""
    held = holders_files(listener.port)
    return bool(held) and all(any(file.is_relative_to(config.data.resolve()) for file in files) for files in held)


def _listening(listener: _Address, config: Config, *, shared: bool) -> socket.socket:
    sock = _bound(listener, config, shared=shared)
    try:
        sock.listen(_BACKLOG)
    except OSError as error:
        raise _unusable(listener, config, error) from None
    return sock


def _bound(listener: _Address, config: Config, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    # Connections of an earlier server may still be closing; with a program that listens, nothing is shared by this.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        # [::]:25 beside 0.0.0.0:25 is two listeners, each with its own settings.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind((listener.host, listener.port))
    except OSError as error:
        sock.close()
        raise _unusable(listener, config, error) from None
    return sock


def _unusable(listener: _Address, config: Config, error: OSError) -> StartError:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            says = (
                f"no permission to use port {listener.port}; start as root, by the systemd unit, or with the "
                "capability CAP_NET_BIND_SERVICE"
            )
        case errno.EADDRINUSE:
            holder = port_holder(listener.port) or "another program"
            says = f"this address is in use by {holder}; stop that program, or choose another address in {config.file}"
        case errno.EADDRNOTAVAIL:
            says = f"this machine has no address {listener.host}; choose one that it has in {config.file}"
        case _:
            says = f"this address cannot be used: {error.strerror}; choose another in {config.file}"
    return StartError(f"listener {listener.name}: {says}")
