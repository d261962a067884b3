"""What should be on both sides so that an edge's mail is relayed: a pure function of what is asked for and of what
is there.

Laws: an object that already does the work is used as it is; a new one is made only where none does; nothing of
anybody's is replaced where adding to it is enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gatepost.hybrid.errors import NotPossible
from gatepost.hybrid.merge import Fields
from gatepost.hybrid.plan import DesiredObject, Objects
from gatepost.mail.domain import is_at_or_below, pattern_covers
from gatepost.queue import routing
from gatepost.tenancy.names import covers, without_wildcard
from gatepost.tenancy.record import inbound_connector_record, send_connector_from, send_connector_record
from gatepost.tenancy.tenant import AddressSpace, InboundConnector, Network, SendConnector, SmartHost, TlsLevel

OVERLAP = timedelta(days=7)
"""How long the relay goes on accepting a certificate name that a renewal replaced."""

RELAY, EDGE, POSTFIX = "relay", "edge", "postfix"

DOMAIN, INBOUND, SEND, TENANT = "accepted-domain", "inbound-connector", "send-connector", "tenant"

_SOMEWHERE = "somewhere-else.invalid"
"""A domain that nobody has (RFC 6761 6.4): how mail to the outside is routed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the administrator asked for, with what the files say that were named."""

    smart_host: SmartHost
    domains: tuple[str, ...]
    certificate: str
    key: str
    names: tuple[str, ...]
    """Of the certificate, as domain keys."""
    hostname: str
    """Of the server that sends."""
    trust_anchors: tuple[str, ...] = ()
    """PEM texts of the organisation's own authority."""
    local_tenant: str = ""
    """What an edge calls its own organisation, where it has to be made."""
    local_networks: tuple[Network, ...] = ()
    """From where an edge takes mail, where nothing says so yet."""
    mailboxes: SmartHost | None = None
    """The organisation's own mail server, to which an edge hands notices to its people."""


def kind_and_name(name: str) -> tuple[str, str]:
    kind, _, rest = name.partition(" ")
    return kind, rest


def connector_names(desired: Desired) -> tuple[str, ...]:
    """The name the connector is to ask for: the first of the certificate that lies in one of the domains. Raises
    `NotPossible`."""
    for name in desired.names:
        if any(is_at_or_below(without_wildcard(name), domain) for domain in desired.domains):
            return (name,)
    carried = ", ".join(desired.names) or "no name"
    raise NotPossible(
        f"certificate {desired.certificate} carries {carried}, nothing at or below {', '.join(desired.domains)}: a "
        "name counts only in a domain that is verified; choose another certificate, or name its domain too "
        "with --domain"
    )


def desired_at_relay(
    desired: Desired,
    relay: Objects,
    last: Mapping[str, Mapping[str, Fields]],
    last_at: datetime | None,
    at: datetime,
) -> tuple[DesiredObject, ...]:
    """The relay's side, in the order in which it is prepared. Raises `NotPossible`."""
    names = connector_names(desired)
    overlapping = last_at is not None and at - last_at < OVERLAP
    return (
        *(_domain_at_relay(domain) for domain in desired.domains),
        _inbound_at_relay(desired, names, relay, last.get(RELAY, {}), overlapping),
    )


def desired_at_edge(
    desired: Desired, edge: Objects, last: Mapping[str, Mapping[str, Fields]]
) -> tuple[DesiredObject, ...]:
    """The edge's side; what mail goes by comes last. Raises `NotPossible`."""
    to_relay = _send_connector(desired, edge, last.get(EDGE, {}))
    return (*_reception_at_edge(desired, edge), *_to_mailboxes(desired, edge, to_relay.object), to_relay)


def domains_without_mailboxes(desired: Desired, edge: Objects, to_relay: str) -> tuple[str, ...]:
    """Mail for these would leave by the connector to the relay, and a notice that the relay refused a message with it.
    `to_relay`: that connector, as an object."""
    ways = [each for each in _all_send_connectors(edge) if each.enabled and f"{SEND} {each.name}" != to_relay]
    return tuple(domain for domain in desired.domains if not any(_leads_to(each, domain) for each in ways))


def _leads_to(connector: SendConnector, domain: str) -> bool:
    spaces = (each.space for each in connector.address_spaces)
    return any(space != routing.EVERY_DOMAIN and pattern_covers(space, domain) for space in spaces)


def _domain_at_relay(domain: str) -> DesiredObject:
    return DesiredObject(
        side=RELAY,
        object=f"{DOMAIN} {domain}",
        fields={"verified": True},
        fresh={"match_subdomains": False, "verified": False},
        why="a certificate name and a reverse-path count only in a domain whose TXT record proves that it is yours",
        last=("verified",),
        facts=("verified",),
    )


# --- the relay -------------------------------------------------------------------------------------------------------


def _inbound_at_relay(
    desired: Desired, names: Sequence[str], relay: Objects, last: Mapping[str, Fields], overlapping: bool
) -> DesiredObject:
    object_ = _inbound_to_use(desired, names, relay, last)
    now = relay.get(object_)
    earlier = _superseded(last.get(object_, {}).get("certificate_names", []), names, overlapping)
    wanted_names = [*names, *earlier]
    if now is not None and object_ not in last and _covers_all(now["certificate_names"], names):
        wanted_names = list(now["certificate_names"])
    why = f"the relay recognises this server by the certificate name {', '.join(names)}"
    if earlier:
        why += (
            f"; {', '.join(earlier)} stays accepted for {OVERLAP.days} days after the renewal, until the next plan "
            "removes it, or this edge does ([hybrid] follow)"
        )
    fields: dict[str, Any] = {"certificate_names": wanted_names, "enabled": True}
    if desired.trust_anchors:
        fields["trust_anchors"] = list(desired.trust_anchors)
    return DesiredObject(
        side=RELAY,
        object=object_,
        fields=fields,
        fresh={**fresh_inbound(), "enabled": False},
        why=why,
        risk="whoever holds a certificate with this name may relay as your organisation",
        last=("enabled",),
    )


def _superseded(applied: Sequence[str], names: Sequence[str], overlapping: bool) -> list[str]:
    """Names that are accepted beside the certificate's own. The first that was applied is the one in use until now; the
    others were replaced before the last apply, and go once that is long enough ago."""
    staying = [*applied[:1], *(applied[1:] if overlapping else [])]
    return [name for name in staying if name not in names]


def fresh_inbound() -> dict[str, Any]:
    """A connector that says nothing yet, as the relay's interface shows it."""
    record = inbound_connector_record(InboundConnector(tenant="", name=""))
    return {field: value for field, value in record.items() if field not in ("tenant", "name", "proven_pins")}


def _inbound_to_use(desired: Desired, names: Sequence[str], relay: Objects, last: Mapping[str, Fields]) -> str:
    """The connector of the last apply, else one that accepts the name already, else one of our own."""
    for object_ in last:
        if object_.startswith(f"{INBOUND} "):
            return object_
    accepting = [
        (not fields["enabled"], object_)
        for object_, fields in relay.items()
        if object_.startswith(f"{INBOUND} ") and fields and fields["type"] == "on-premises"
        if _covers_all(fields["certificate_names"], names)
    ]
    return min(accepting)[1] if accepting else f"{INBOUND} {desired.hostname}"


def _covers_all(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return all(any(covers(pattern, name) for pattern in patterns) for name in names)


# --- the edge --------------------------------------------------------------------------------------------------------


def _reception_at_edge(desired: Desired, edge: Objects) -> list[DesiredObject]:
    """Whoever sends here must be known here: where nobody is, the servers of the local networks are."""
    objects = []
    tenants = {fields["tenant"] for domain in desired.domains if (fields := edge.get(f"{DOMAIN} {domain}"))}
    tenant = min(tenants) if tenants else desired.local_tenant
    if edge.get(f"{TENANT} {tenant}") is None:
        objects.append(
            DesiredObject(
                side=EDGE,
                object=f"{TENANT} {tenant}",
                fields={},
                fresh={},
                why="the edge keeps your organisation's servers and domains under this name",
            )
        )
    for domain in desired.domains:
        if edge.get(f"{DOMAIN} {domain}") is None:
            objects.append(
                DesiredObject(
                    side=EDGE,
                    object=f"{DOMAIN} {domain}",
                    fields={},
                    fresh={"tenant": tenant, "match_subdomains": False, "verified": True},
                    why="the edge accepts mail of this domain from your servers",
                )
            )
    if not any(object_.startswith(f"{INBOUND} {tenant}/") for object_, fields in edge.items() if fields):
        objects.append(_local_networks(desired, tenant))
    return objects


def _local_networks(desired: Desired, tenant: str) -> DesiredObject:
    record = inbound_connector_record(InboundConnector(tenant="", name="", addresses=desired.local_networks))
    return DesiredObject(
        side=EDGE,
        object=f"{INBOUND} {tenant}/local-networks",
        fields={},
        fresh={field: value for field, value in record.items() if field not in ("tenant", "name", "proven_pins")},
        why="the edge takes mail from the servers of the local networks",
        risk="every host in a private network may send as your domains; narrow it to your servers' addresses",
    )


def _to_mailboxes(desired: Desired, edge: Objects, to_relay: str) -> list[DesiredObject]:
    lacking = domains_without_mailboxes(desired, edge, to_relay)
    if desired.mailboxes is None or not lacking:
        return []
    name = f"{SEND} mailboxes"
    existing = edge.get(name)
    spaces = [*(existing["address_spaces"] if existing else ()), *({"space": each, "cost": 1} for each in lacking)]
    record = send_connector_record(SendConnector(name="", address_spaces=()))
    return [
        DesiredObject(
            side=EDGE,
            object=name,
            fields={
                "address_spaces": spaces,
                "smart_hosts": [{"host": desired.mailboxes.host, "port": desired.mailboxes.port}],
            },
            fresh={field: value for field, value in record.items() if field != "name"},
            why=f"a notice to a user of {', '.join(lacking)} goes to your own mail server, and not to the relay that "
            "refused the message",
        )
    ]


def _send_connector(desired: Desired, edge: Objects, last: Mapping[str, Fields]) -> DesiredObject:
    object_ = _send_connector_to_use(desired, edge, last)
    now = edge.get(object_)
    verified = now is not None and now["tls"] == TlsLevel.VERIFY
    fields: dict[str, Any] = {
        "smart_hosts": [{"host": desired.smart_host.host, "port": desired.smart_host.port}],
        "certificate": desired.certificate,
        "key": desired.key,
        "tls": str(TlsLevel.VERIFY if verified else TlsLevel.ENCRYPT),
    }
    if object_ in last or now is None or not now["enabled"]:
        fields["enabled"] = True
    record = send_connector_record(SendConnector(name="", address_spaces=(AddressSpace(space="*"),), enabled=False))
    return DesiredObject(
        side=EDGE,
        object=object_,
        fields=fields,
        fresh={field: value for field, value in record.items() if field != "name"},
        why=f"mail to the outside goes to {desired.smart_host} under TLS, with this certificate shown",
        risk="from then on all mail to the outside uses this route",
        last=("enabled",),
        presents=True,
    )


def _send_connector_to_use(desired: Desired, edge: Objects, last: Mapping[str, Fields]) -> str:
    """The connector of the last apply; else the one that carries mail to the outside, if it has a smart host; else a
    new one, provided that it would carry it."""
    for object_, fields in last.items():
        if object_.startswith(f"{SEND} ") and "certificate" in fields:
            return object_
    connectors = send_connectors(edge)
    same_host = [each for each in connectors if desired.smart_host in each.smart_hosts]
    carrying = routing.choose([each for each in connectors if each.enabled], None, _SOMEWHERE)
    if carrying and carrying.smart_hosts:
        return f"{SEND} {carrying.name}"
    if same_host:
        return f"{SEND} {same_host[0].name}"
    name = "to-relay"
    fresh = SendConnector(name=name, address_spaces=(AddressSpace(space="*"),))
    others = [each for each in connectors if each.enabled and each.name != name]
    chosen = routing.choose([*others, fresh], None, _SOMEWHERE)
    if chosen is not None and chosen.name != name:
        raise NotPossible(
            f"send connector {chosen.name} delivers mail to '*' by MX at the lowest cost, and would go on doing so: "
            f"raise its cost with: gatepost send-connector set {chosen.name} --address-space '*;100'"
        )
    return f"{SEND} {name}"


def send_connectors(edge: Objects) -> list[SendConnector]:
    """Those for everybody's mail."""
    return [each for each in _all_send_connectors(edge) if each.tenant is None]


def _all_send_connectors(edge: Objects) -> list[SendConnector]:
    return [
        send_connector_from({**fields, "name": kind_and_name(object_)[1]})
        for object_, fields in sorted(edge.items())
        if object_.startswith(f"{SEND} ") and fields
    ]
