"""What a worker asks the network about the TLS of its next hops, put together from the configuration."""

from collections.abc import Callable
from pathlib import Path

from gatepost.config import Config
from gatepost.delivery.tls_demands import TlsDemands
from gatepost.logs.event_log import EventLog
from gatepost.net.dane import Dane, not_trusted
from gatepost.net.dns import Resolver
from gatepost.net.mta_sts import HttpsFetch, MtaSts
from gatepost.net.roots import system_roots_file
from gatepost.tenancy.reach import Reach


def resolver_of(config: Config) -> Resolver:
    """The one of a worker. It asks name servers to say what they validated only where that would be relied on: an old
    forwarder may answer such questions with an error."""
    plain = Resolver(config.dns.nameservers)
    if not_trusted(plain.servers, config.dns.trusted):
        return plain
    return Resolver(config.dns.nameservers, validated=True)


def dane_of(config: Config, resolver: Resolver, changed: Callable[[str | None], None]) -> Dane:
    return Dane(resolver, trusted=config.dns.trusted, signed_name=config.dns.signed_name, changed=changed)


def mta_sts_of(config: Config, resolver: Resolver, reach: Reach) -> MtaSts:
    return MtaSts(resolver, config.mta_sts_folder, HttpsFetch(resolver, reach.kind_of, _roots(config)))


def tls_demands_of(config: Config, resolver: Resolver, reach: Reach, events: EventLog) -> TlsDemands:
    def say(problem: str | None) -> None:
        if problem:
            events.emit("dane-disabled", problem=problem)
        else:
            events.emit("dane-enabled")

    return TlsDemands(dane_of(config, resolver, say), mta_sts_of(config, resolver, reach))


def _roots(config: Config) -> Path | None:
    asked = config.tls.server_roots if config.tls else None
    return asked or system_roots_file()
