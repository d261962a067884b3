"""Where mail leaves from, and what the connectors say about it: joins over addresses, computed from a bundle.

An address counts as the sender's own where the server greeted it (`Hello [203.0.113.7]`), where a receiving server's
log or verdict names it, or where a trace header of a refusing server does. What a colleague wrote in a mail is no proof.
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.doctor.evidence import EvidenceBundle, ReplySeen
from gatepost.exchange.objects import ExportedObject, InboundConnector
from gatepost.exchange.source import Source

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SHARED_ADDRESS_SPACE = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598: carrier-grade NAT
_NOT_PUBLIC = (
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("172.16.0.0/12"),
    ipaddress.ip_network("192.168.0.0/16"),
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("0.0.0.0/8"),
    ipaddress.ip_network("224.0.0.0/3"),  # multicast, reserved, and what is a netmask
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fc00::/7"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("::1/128"),
    SHARED_ADDRESS_SPACE,
)

ATTRIBUTION_CODES = ("5.7.64", "4.4.62", "5.7.51", "5.7.68")


def refused_by_attribution(reply: ReplySeen) -> bool:
    """Whether the reply says that the session was tied to no tenant or connector that may relay."""
    if reply.code < 400:
        return False
    return (
        reply.enhanced in ATTRIBUTION_CODES
        or "tenantattribution" in reply.text.casefold().replace(" ", "")
        or (reply.enhanced == "5.4.1" and "relay access denied" in reply.text.casefold())
    )


def weighed(bundle: EvidenceBundle, reply: ReplySeen, specificity: int) -> int:
    """A look-alike's reply that is no majority beside refusals by attribution is a herring."""
    attributed = sum(each.count for each in bundle.replies if refused_by_attribution(each))
    alike = sum(each.count for each in bundle.replies if (each.code, each.enhanced) == (reply.code, reply.enhanced))
    return specificity if attributed < max(alike, 1) else min(specificity, 40)


def parsed_address(text: str) -> Address | None:
    cleaned = text.strip().strip("[]").removeprefix("IPv6:").partition("%")[0]
    if re.fullmatch(r"[\d.]+:\d+", cleaned):
        cleaned = cleaned.partition(":")[0]
    try:
        return ipaddress.ip_address(cleaned)
    except ValueError:
        return None


def without_port(endpoint: str) -> str:
    host, _, port = endpoint.rpartition(":")
    return host if host and port.isdecimal() else endpoint


def parsed_networks(text: str) -> tuple[Network, ...]:
    """A single address, a prefix or a dash range; empty for what is none of them."""
    cleaned = text.strip().strip("[]{}\"'")
    first, dash, last = cleaned.partition("-")
    try:
        if dash and "." in last:
            start, end = ipaddress.IPv4Address(first.strip()), ipaddress.IPv4Address(last.strip())
            return tuple(ipaddress.summarize_address_range(start, end)) if start <= end else ()
        return (ipaddress.ip_network(cleaned, strict=False),)
    except ValueError:
        return ()


_OF_EXCHANGE_ONLINE: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "40.92.0.0/15",
            "40.107.0.0/16",
            "52.100.0.0/14",
            "104.47.0.0/17",
            "2a01:111:f400::/48",
            "2a01:111:f403::/48",
        ),
    )
)
"""The published ranges that Exchange Online's mail comes from and goes to."""


def is_of_exchange_online(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in network for network in _OF_EXCHANGE_ONLINE if network.version == address.version)


def is_private(address: Address) -> bool:
    """An address nobody outside can see (RFC 1918, 4193, 6598, loopback, link-local, netmasks)."""
    return any(address in network for network in _NOT_PUBLIC if network.version == address.version)


def listed_networks(connector: ExportedObject) -> tuple[Network, ...]:
    values = connector.values("SenderIPAddresses", "Addresses", "Address")
    return tuple(network for value in values for network in parsed_networks(value))


def list_is_complete(connector: ExportedObject) -> bool:
    return not connector.truncated("SenderIPAddresses", "Addresses", "Address")


def lists_address(connector: ExportedObject, address: Address) -> bool:
    return any(address in network for network in listed_networks(connector) if network.version == address.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """One address the sender was seen from, with what became of its sessions."""

    address: Address
    accepted: int = 0
    refused: int = 0
    """Refused by attribution."""
    source: Source
    quote: str = ""
    refusal: ReplySeen | None = None
    elsewhere: bool = False
    """Not the mail's own session showed it, but a service that somebody asked: likely the same address."""

    @property
    def text(self) -> str:
        return str(self.address)


def egress_addresses(bundle: EvidenceBundle) -> tuple[Egress, ...]:
    """Every address the sender was seen from, those that were refused first."""
    found: dict[Address, Egress] = {}
    for each in _sightings(bundle):
        before = found.get(each.address)
        if before is None:
            found[each.address] = each
            continue
        found[each.address] = Egress(
            address=each.address,
            accepted=before.accepted + each.accepted,
            refused=before.refused + each.refused,
            source=before.source,
            quote=before.quote,
            refusal=before.refusal or each.refusal,
        )
    return tuple(sorted(found.values(), key=lambda each: (-each.refused, each.source.file, each.source.line)))


def left_behind(bundle: EvidenceBundle) -> frozenset[Address]:
    """Addresses that mail left from before the first refusal, and never since: it has moved, and is not spread."""
    seen = [
        (each.at.at, address, any(map(refused_by_attribution, each.replies)))
        for each in bundle.sessions
        if each.log != "receive"
        and each.at is not None
        and each.at.at is not None
        and (address := parsed_address(each.hello_address)) is not None
    ]
    first = min((at for at, _, refused in seen if refused), default=None)
    if first is None:
        return frozenset()
    return frozenset(one for _, one, _ in seen) - {one for at, one, _ in seen if at >= first}


def _sightings(bundle: EvidenceBundle) -> Iterator[Egress]:
    counted = {
        (population.hello_address, population.outcome): population.sessions
        for population in bundle.populations
        if population.hello_address
    }
    seen: set[str] = set()
    for session in bundle.sessions:
        if session.log == "receive" or (address := parsed_address(session.hello_address)) is None:
            continue
        refusal = next((reply for reply in session.replies if refused_by_attribution(reply)), None)
        accepted = session.accepted is True and refusal is None
        seen.add(session.hello_address)
        yield Egress(
            address=address,
            accepted=int(accepted),
            refused=int(refusal is not None),
            source=session.source,
            quote=f"Hello [{session.hello_address}]",
            refusal=refusal,
        )
    for population in bundle.populations:
        if population.hello_address not in seen and (address := parsed_address(population.hello_address)) is not None:
            total = counted[(population.hello_address, population.outcome)]
            yield Egress(
                address=address,
                accepted=total if population.outcome == "accepted" else 0,
                refused=total if any(code in population.outcome for code in ATTRIBUTION_CODES) else 0,
                source=population.source,
                quote=f"Hello [{population.hello_address}]",
            )
    for own in bundle.own_addresses:
        if (address := parsed_address(own.address)) is not None and not is_private(address):
            yield Egress(address=address, source=own.source, quote=f"a service outside sees {address}", elsewhere=True)
    yield from _in_trace_headers(bundle)
    yield from _in_logs(bundle)
    for verdict in bundle.verdicts:
        if (address := parsed_address(verdict.address)) is not None:
            yield Egress(
                address=address,
                accepted=int(verdict.outcome in ("relay", "deliver")),
                refused=int(verdict.outcome == "refused"),
                source=verdict.source,
                quote=verdict.quote,
            )


_INTERFACE = re.compile(r"\bI=\[(?P<address>[0-9A-Fa-f.:]{3,45})\]")


def _in_logs(bundle: EvidenceBundle) -> Iterator[Egress]:
    """OpenSMTPD's `source=` and Exim's `I=[address]`: the own end of a delivery, where no translation can hide it."""
    for session in bundle.sessions:
        address = parsed_address(session.local_endpoint)
        if not session.session_id.startswith("opensmtpd-log:") or address is None or is_private(address):
            continue
        refusal = next((reply for reply in session.replies if refused_by_attribution(reply)), None)
        accepted = session.accepted is True and refusal is None
        yield Egress(
            address=address,
            accepted=int(accepted),
            refused=int(refusal is not None),
            source=session.source,
            quote=f"sent from {address}",
            refusal=refusal,
        )
    for line in bundle.exim:
        told = _INTERFACE.search(line.quote)
        address = parsed_address(told["address"]) if told else None
        if address is None or is_private(address) or line.mark not in ("**", "==", "=>", "->"):
            continue
        refused = line.mark in ("**", "==") and any(code in line.quote for code in ATTRIBUTION_CODES)
        yield Egress(
            address=address,
            accepted=int(line.mark in ("=>", "->")),
            refused=int(refused),
            source=line.source,
            quote=f"sent from {address}",
        )


_HANDED_OVER = re.compile(
    r"from\s+(?P<name>\S+)\s+\((?P<seen>[^)]{0,150}?)\[?(?P<address>\d+\.\d+\.\d+\.\d+|[0-9A-Fa-f:]{0,40}:[0-9A-Fa-f:]{1,40})\]?\)"
    r"\s+by\s+\S*(?:protection\.outlook\.com|mx\.microsoft)",
    re.IGNORECASE,
)


def _in_trace_headers(bundle: EvidenceBundle) -> Iterator[Egress]:
    """RFC 5321 4.4: the service's own trace field names who handed the message over, so that one was let in."""
    for header in bundle.headers:
        if header.name.casefold() != "received" or (found := _HANDED_OVER.search(header.value)) is None:
            continue
        if "outlook.com" not in found["name"] and (address := parsed_address(found["address"])) is not None:
            yield Egress(address=address, source=header.source, quote=f"from {found['name']} [{found['address']}]")


_OWN_ADDRESS = re.compile(
    r"(?:new|neue|nueva|nouvelle|nuovo|current|now)\s(?:(?:one|ip|address|adresse|it)\s)?(?:is|ist|es|est|are|=|:)\s{0,3}(?P<now>\d+\.\d+\.\d+\.\d+)|"
    r"(?:public|external|egress|outgoing|outbound|outside|wan|nat|new|sending|öffentliche\w*|externe\w{0,255}|neue\w{0,255}|ausgehende\w{0,255})\W+"
    r"(?:\w+\W+){0,4}?(?:\w*ip|address|adresse)\b[^.\n]{0,60}?(?P<address>\d+\.\d+\.\d+\.\d+)|"
    r"(?:leaves?|goes out|go out|comes? from|appears?|nat(?:ted)?|geht raus)\s+(?:\w+\s+){0,3}(?:as|with|from|over|to|mit|über)\s+(?P<other>\d+\.\d+\.\d+\.\d+)",
    re.IGNORECASE,
)


def addresses_told(bundle: EvidenceBundle) -> tuple[Egress, ...]:
    """Public addresses that people say are theirs: weak, never to be mixed with those that were seen."""
    told: dict[Address, Egress] = {}
    for each in bundle.prose:
        for found in _OWN_ADDRESS.finditer(each.quote):
            address = parsed_address(found["address"] or found["other"] or found["now"])
            if address is not None and not is_private(address):
                told.setdefault(address, Egress(address=address, source=each.source, quote=each.quote))
    return tuple(told.values()) or _only_one_named(bundle)


def _only_one_named(bundle: EvidenceBundle) -> tuple[Egress, ...]:
    """The one public address in people's words, in whatever language, that is no peer's and stands in no export."""
    peers = {each.relay_address for each in bundle.postfix_deliveries} | {
        each.said_by_address for each in bundle.replies
    }
    peers |= {value for each in bundle.dns for value in each.values}
    peers |= {each.remote_endpoint.rpartition(":")[0] for each in bundle.sessions}
    listed = [network for each in bundle.inbound_connectors for network in listed_networks(each)]
    named: dict[Address, Egress] = {}
    for each in bundle.prose:
        for text in re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?!\.?\d)", each.quote):
            address = parsed_address(text)
            if (
                address is None
                or is_private(address)
                or address.is_reserved
                or text in peers
                or any(address in one for one in listed)
            ):
                continue
            named.setdefault(address, Egress(address=address, source=each.source, quote=each.quote))
    return tuple(named.values()) if len(named) == 1 else ()


_LINE = re.compile(
    r"\b(?:uplinks?|lines?|wan\d?|isp|provider|fib(?:re|er)|lte|5g|dsl|backup|failover|firewalls?|sd-?wan|leitung\w*|anschluss|"
    r"nat|pool|gateways?)\b",
    re.IGNORECASE,
)
_LISTED = re.compile(
    r"(?:SenderIPAddresses|connector|konnektor)\b[^.;]{0,60}?(?P<after>\d+\.\d+\.\d+\.\d+)|(?P<before>\d{1,20}\.\d+\.\d+\.\d+)\s+(?:is )?(?:in|on) "
    r"(?:the )?(?:SenderIPAddresses|connector)",
    re.IGNORECASE,
)


def lines_told(bundle: EvidenceBundle) -> tuple[Egress, ...]:
    """Public addresses that people call one of their lines."""
    told: dict[Address, Egress] = {}
    for each in bundle.prose:
        if _LINE.search(each.quote) and not _LISTED.search(each.quote):
            for text in re.findall(r"\d{1,20}\.\d+\.\d+\.\d+", each.quote):
                if (address := parsed_address(text)) is not None and not is_private(address):
                    told.setdefault(address, Egress(address=address, source=each.source, quote=each.quote))
    return tuple(told.values())


def listed_told(bundle: EvidenceBundle) -> tuple[Egress, ...]:
    """Addresses that people say the connector lists."""
    told: dict[Address, Egress] = {}
    for each in bundle.prose:
        for found in _LISTED.finditer(each.quote):
            if (address := parsed_address(found["after"] or found["before"])) is not None:
                told.setdefault(address, Egress(address=address, source=each.source, quote=each.quote))
    return tuple(told.values())


def identity_connectors(connectors: Iterable[InboundConnector]) -> tuple[InboundConnector, ...]:
    """Those that may give relay rights: enabled (or not told) and of type OnPremises (or not told)."""
    return tuple(each for each in connectors if each.enabled is not False and each.connector_type in ("onpremises", ""))


def joined(texts: Sequence[str], most: int = 4) -> str:
    """`a, b and c`; the rest of a long list as a number."""
    shown = list(texts[:most])
    if len(texts) > most:
        return ", ".join(shown) + f" and {len(texts) - most} more"
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1] if shown else ""
