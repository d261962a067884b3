"""One organisation's exports of Exchange Online as what a tenant is to have.

Laws: what has no equal here is named with the reason (`exchange.translate`); an export that cuts a value short is not
imported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gatepost.admin.directory.changes import Changes
from gatepost.exchange import objects
from gatepost.exchange.objects import Exports
from gatepost.exchange.translate import (
    NoEqual,
    comment_of,
    domains_without_equal,
    elements,
    inbound_without_equal,
    is_microsofts,
    outbound_without_equal,
    pattern,
    read_inbound,
    tls_level,
)
from gatepost.tenancy.tenant import ConnectorType


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDomain:
    domain: str
    match_subdomains: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInbound:
    name: str
    changes: Changes
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSend:
    name: str
    changes: Changes
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    domains: tuple[WantedDomain, ...]
    inbound_connectors: tuple[WantedInbound, ...]
    send_connectors: tuple[WantedSend, ...]
    no_equal: tuple[NoEqual, ...]


def translated(exported: Exports, tenant: str) -> Translation:
    """What one organisation's exports come to for `tenant`. Raises CutShort."""
    domains = tuple(_domains(exported.accepted_domains))
    spaces = tuple(f"*.{each.domain}" if each.match_subdomains else each.domain for each in domains)
    return Translation(
        domains=domains,
        inbound_connectors=tuple(map(_inbound, exported.inbound_connectors)),
        send_connectors=tuple(_send(each, tenant, spaces) for each in exported.outbound_connectors),
        no_equal=(
            *inbound_without_equal(exported.inbound_connectors),
            *outbound_without_equal(exported.outbound_connectors),
            *domains_without_equal(exported.accepted_domains),
        ),
    )


def _domains(domains: Sequence[objects.AcceptedDomain]) -> Iterator[WantedDomain]:
    for each in domains:
        if not is_microsofts(each.domain):
            yield WantedDomain(domain=each.domain, match_subdomains=bool(each.match_subdomains))


def _inbound(connector: objects.InboundConnector) -> WantedInbound:
    read = read_inbound(connector, strict=True)
    partner = read.type is ConnectorType.PARTNER
    changes: Changes = {
        "type": read.type.value,
        "certificate_names": [read.certificate_name] if read.certificate_name else [],
        "addresses": list(read.addresses),
        "sender_domains": list(read.sender_domains) if partner else None,
        # On-premises connectors take no notice of these there; here they would refuse mail that was taken.
        "require_tls": read.require_tls if partner else None,
        "restrict_to_certificate": read.restrict_to_certificate if partner else None,
        "restrict_to_address": read.restrict_to_address if partner else None,
        "comment": read.comment,
    }
    return WantedInbound(name=read.name, changes=changes, enabled=read.enabled)


def _send(connector: objects.OutboundConnector, tenant: str, domains: Sequence[str]) -> WantedSend:
    level, _ = tls_level(connector)
    routes_by_mx = connector.flag("UseMXRecord") is not False
    changes: Changes = {
        "tenant": tenant,
        "address_spaces": _address_spaces(connector, domains),
        "smart_hosts": [] if routes_by_mx else [each.strip("[]") for each in _whole(connector, "SmartHosts")],
        "tls": level.value,
        "tls_domain": connector.text("TlsDomain").strip(),
        "comment": comment_of(connector),
    }
    enabled = connector.enabled is not False and not connector.flag("IsTransportRuleScoped")
    return WantedSend(name=connector.name, changes=changes, enabled=enabled)


def _address_spaces(connector: objects.OutboundConnector, domains: Sequence[str]) -> list[str]:
    if connector.flag("RouteAllMessagesViaOnPremises"):
        return ["*"]
    of_its_own = domains if connector.flag("AllAcceptedDomains") else ()
    return list(dict.fromkeys((*(pattern(each) for each in _whole(connector, "RecipientDomains")), *of_its_own)))


def _whole(connector: objects.OutboundConnector, name: str) -> list[str]:
    return elements(connector, name, strict=True)
