"""The stations of the mail for a picture: sender, server, what stands between, relay, recipient; what each is known by.

What flows: a path and its first finding; the stations in the order of the mail, each with what is known of it, the link
where the mail stops, and the station where the repair belongs. Laws: fewer than two known stations are no picture; what
nothing shows is assumed and says so; what a log or an export quotes is seen, what only a person's sentence holds is
claimed, what is put together from others is inferred.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from gatepost.doctor.addresses import egress_addresses, is_private, parsed_address, refused_by_attribution, without_port
from gatepost.doctor.certificates_told import at, names_of
from gatepost.doctor.evidence import CertificateSeen, EventLogEntry, EvidenceBundle, ReplySeen
from gatepost.doctor.finding import Finding
from gatepost.doctor.path import values
from gatepost.doctor.path.objects import MailPath, Symptom, Way
from gatepost.doctor.path.software import programs_of
from gatepost.doctor.path.told import How, Told, assumed, claimed, inferred, seen
from gatepost.doctor.senders import endpoint_names
from gatepost.exchange.source import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    role: str
    known: tuple[Told[str], ...]
    """Who it is, then what it shows."""
    side: str
    """As a finding names whose it is to fix; empty: nobody who is asked to."""
    repair: str = ""
    """That it is to be fixed here, as surely as the finding says it."""
    stops_after: str = ""
    """Why the mail does not reach the next station; empty: nothing shows that it does not."""


def stations(path: MailPath, finding: Finding | None) -> tuple[Station, ...]:
    """Empty where too little is known to draw."""
    found = list(_incoming(path) if _way(path) == "in" else _outgoing(path))
    if sum(each.known[0].how > How.ASSUMED for each in found) < 2:
        return ()
    if finding is not None and _REPAIR[finding.confidence]:
        found = _with_repair(found, finding)
    return tuple(_with_break(found, path))


def _way(path: MailPath) -> Way:
    """What was observed decides, else the only side whose log or connectors are there."""
    observed = {each.way for each in path.symptoms if each.way}
    ways = observed or {each.way for each in path.sessions} | {each.way for each in path.ends}
    return "in" if ways == {"in"} else "out"


# --- the stations of each way -----------------------------------------------------------------------------------------


def _outgoing(path: MailPath) -> Iterator[Station]:
    sender = values.sender(path) or values.own_domain(path)
    yield Station(role="Sender", side="", known=(_named(path, sender, "a sender of your organisation"),))
    yield Station(role="Your mail server", side="sender", known=(_server(path), *_shown_by_server(path, "out")))
    yield from _between(path)
    yield Station(role="Relay", side="tenant", known=(_relay(path), *_connectors(path)))
    recipient = _named(path, values.recipient(path), "a recipient outside")
    behind = values.next_hop(path) if _quoted_by_the_service(path) else ""
    exchanger = (_named(path, behind, ""),) if behind else ()
    yield Station(role="Recipient", side="", known=(recipient, *exchanger))


def _incoming(path: MailPath) -> Iterator[Station]:
    yield Station(role="Sender", side="", known=(assumed("a sender outside"),))
    outbound = tuple(seen(f"outbound connector '{each.name}'", each) for each in path.bundle.outbound_connectors[:2])
    yield Station(role="Relay", side="tenant", known=(_service(path), *outbound))
    yield Station(role="Your mail server", side="sender", known=(_server(path), *_shown_by_server(path, "in")))
    mailbox = values.recipient(path) or values.own_domain(path)
    yield Station(role="Recipient", side="", known=(_named(path, mailbox, "a mailbox of your organisation"),))


def _server(path: MailPath) -> Told[str]:
    programs = sorted(programs_of(path.bundle))
    name = values.server(path) or values.server_name(path)
    if not name or name == _quoted_by_the_service(path).partition(".")[0]:
        return Told(value=" and ".join(programs), how=How.INFERRED) if programs else assumed("not shown")
    named = _named(path, name, "")
    return replace(named, value=f"{name} ({', '.join(programs)})") if programs else named


def _shown_by_server(path: MailPath, way: Way) -> Iterator[Told[str]]:
    for end in path.ends_now(way)[:2]:
        kind = "send" if way == "out" else "receive"
        yield seen(f"{kind} connector {end.label}" if end.name else f"a {kind} connector", end.fact)
    presented = [each.ours for each in path.sessions if each.way == way and each.ours is not None]
    presented += [each.certificate for each in path.presented] if way == "in" else []
    for certificate in presented[-1:]:
        yield seen(f"presents {_certificate(certificate)}", certificate)
    if way == "out":
        for egress in egress_addresses(path.bundle)[:2]:
            known = How.INFERRED if egress.elsewhere else How.SEEN
            yield Told(value=f"comes from {egress.text}", how=known, source=egress.source, says=egress.quote)


def _certificate(certificate: CertificateSeen) -> str:
    end = at(certificate.not_after)
    until = f", valid until {datetime.fromtimestamp(end, UTC):%Y-%m-%d}" if end else ""
    return f"certificate {', '.join(names_of(certificate)[:1]) or 'without a name'}{until}"


def _relay(path: MailPath) -> Told[str]:
    signed = [each.trailer_host for each in path.bundle.replies if each.trailer_host]
    if host := _quoted_by_the_service(path) or values.next_hop(path) or values.only(signed):
        return _named(path, host, "")
    refusal = next(filter(refused_by_attribution, path.bundle.replies), None)
    return inferred("a relay that must know the tenant", refusal) if refusal else assumed("not shown")


def _service(path: MailPath) -> Told[str]:
    """The relay that hands mail to the listener: by its name, else by its report of what the listener answered."""
    if host := _quoted_by_the_service(path):
        return _named(path, host, "")
    report = next((each.fact for each in path.symptoms if isinstance(each.fact, ReplySeen)), None)
    return inferred("the service that could not deliver to you", report) if report else assumed("not shown")


def _quoted_by_the_service(path: MailPath) -> str:
    """The service's own machine that tells what the next server answered: the service was the client then."""
    quoting = (each.quoted_by for each in path.bundle.replies)
    return next((each for each in quoting if each.casefold().endswith(_SERVICE)), "")


_SERVICE: Final = (".outlook.com", ".office365.us")


def _connectors(path: MailPath) -> Iterator[Told[str]]:
    for each in path.bundle.inbound_connectors[:2]:
        yield seen(f"inbound connector '{each.name}'{' (disabled)' if each.enabled is False else ''}", each)


def _between(path: MailPath) -> Iterator[Station]:
    """What is seen to stand between the server and the relay: an Edge server, a translation, a smart host."""
    for edge in path.servers[1:] if any("edge" in each for each in path.servers) else ():
        if "edge" in edge:
            yield Station(role="Edge server", side="", known=(_named(path, edge, ""),))
    for log in (each.log for each in path.sessions if each.way == "out"):
        inside, outside = parsed_address(without_port(log.local_endpoint)), parsed_address(log.hello_address)
        if inside and outside and inside != outside and is_private(inside) and not is_private(outside):
            yield Station(role="NAT", side="", known=(inferred(f"{inside} becomes {outside}", log),))
            break
    for host in _smart_hosts(path):
        yield Station(role="Smart host", side="", known=(_named(path, host, ""),))


def _smart_hosts(path: MailPath) -> tuple[str, ...]:
    """Hosts that the server hands mail to, where another one relays it."""
    relay = values.next_hop(path)
    if not relay.endswith(values.ENDPOINT):
        return ()
    configured = [host for each in path.bundle.send_connectors for host in each.smart_hosts]
    configured += [each.value for each in path.bundle.postfix_settings if each.name == "relayhost"]
    named = {without_port(each).strip("[]").casefold() for each in configured}
    return tuple(each for each in endpoint_names(path.bundle) if each in named and not each.endswith(values.ENDPOINT))


# --- how a value is known ---------------------------------------------------------------------------------------------


def _named(path: MailPath, value: str, otherwise: str) -> Told[str]:
    if not value:
        return assumed(otherwise)
    bundle = path.bundle
    people = (*bundle.prose, *bundle.names, *(each for each in bundle.replies if each.kind == "prose"))
    words = {id(each) for each in people}
    spoken = next((each for each in people if _holds(each, value)), None)
    shown = next((each for each in _facts(bundle) if id(each) not in words and _holds(each, value)), None)
    if shown is not None:
        return seen(value, shown)
    return claimed(value, spoken) if spoken is not None else Told(value=value, how=How.INFERRED)


def _facts(bundle: EvidenceBundle) -> Iterator[Fact]:
    listed = (getattr(bundle, each.name) for each in fields(bundle) if each.name not in ("read", "unread"))
    return (each for each in chain.from_iterable(listed) if isinstance(each, Fact))


def _holds(fact: Fact, value: str) -> bool:
    written = (getattr(fact, each.name) for each in fields(fact))
    return any(value.casefold() in each.casefold() for each in written if isinstance(each, str))


# --- what is broken ---------------------------------------------------------------------------------------------------

_REPAIR: Final = {"high": "to be fixed here", "medium": "probably to be fixed here", "low": ""}


def _with_repair(found: list[Station], finding: Finding) -> list[Station]:
    """The finding's side; what stands in the network is a station of its own, before the relay or the server."""
    if finding.side == "network":
        cited = finding.evidence[0] if finding.evidence else None
        box = Told(value=finding.title, how=How.INFERRED, source=cited.source if cited else None)
        network = Station(role="Network between", side="network", known=(box,), repair=_REPAIR[finding.confidence])
        after = max(place for place, each in enumerate(found) if each.side in ("sender", "tenant"))
        return [*found[:after], network, *found[after:]]
    said = _REPAIR[finding.confidence]
    return [replace(each, repair=said) if each.side and each.side == finding.side else each for each in found]


def _with_break(found: list[Station], path: MailPath) -> list[Station]:
    stopped = next(iter(sorted(path.symptoms, key=lambda each: -each.how)), None)
    if stopped is None or (place := _place_of(stopped, found)) is None:
        return found
    event = f"event {stopped.fact.event_id} in the server's log" if isinstance(stopped.fact, EventLogEntry) else ""
    found[place] = replace(found[place], stops_after=event or stopped.says)
    return found


def _place_of(stopped: Symptom, found: list[Station]) -> int | None:
    """After which station the mail stops; None where it is not known who spoke."""
    roles = [each.role for each in found]
    server, relay = roles.index("Your mail server"), roles.index("Relay")
    if server > relay:
        return server - 1
    if stopped.speaker == "here":
        return server
    reply = stopped.fact if isinstance(stopped.fact, ReplySeen) else None
    if stopped.speaker == "peer" and reply is not None and reply.quoted_by.casefold().endswith(_SERVICE):
        return relay
    known = (
        stopped.speaker != "unknown" or stopped.way == "out" or (reply is not None and refused_by_attribution(reply))
    )
    return relay - 1 if known else None
