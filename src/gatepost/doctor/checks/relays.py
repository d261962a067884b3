"""Relays of one's own that are not Postfix, relays behind a bridge or balancer, and a port that nobody answers."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from gatepost.doctor.addresses import is_private, parsed_address
from gatepost.doctor.checks.check import Check, Need
from gatepost.doctor.checks.handshake import signs
from gatepost.doctor.evidence import ShellCommand, SmtpSession
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import Told, inferred, seen
from gatepost.doctor.repairs import Advice, Edit
from gatepost.exchange.source import Fact

# --- the relay sees its clients -------------------------------------------------------------------------------------

_BRIDGE: Final = re.compile(
    r"[\[=](?P<address>1(?:72\.(?:1[6-9]|2\d|3[01])|0\.(?:88|89|42|244|0))\.\d{1,3}\.\d{1,3}|192\.168\.127\.1)\b"
)


def relay_sees_its_clients(path: MailPath) -> Iterator[Check]:
    """A container's bridge or a balancer puts its own address in the clients' place: a list of them is worth nothing."""
    told = signs(path, "clients-come-from-the-bridge")
    if told and (found := _BRIDGE.search(told[0].quote)):
        yield _hidden(path, found["address"], (inferred(told[0], told[0]),), _past_the_bridge(path, found["address"]))
        return
    balancer = _balancer(path)
    if balancer is not None:
        address, premises = balancer
        yield _hidden(path, address, premises, _past_the_balancer(path, address))


def _hidden(path: MailPath, address: str, premises: tuple[Told[object], ...], edits: Iterator[Edit]) -> Check:
    listed = _lists_it(path, address)
    return Check(
        cause="relay-list-sees-the-bridge",
        standing="broken",
        subject=address,
        says=f"Every client reaches the relay with the address {address}, that of the bridge or balancer before it, so a list of clients' addresses admits "
        + ("everybody." if listed else "all of them or none."),
        premises=premises,
        explains=frozenset(("relay-refused", "local-relay-refused", "nothing-goes", "clients-come-from-the-bridge")),
        edits=tuple(edits),
        verify="The relay's log shows the clients' own addresses; one that is not listed is refused.",
        alone=True,
        place=12,
    )


def _lists_it(path: MailPath, address: str) -> bool:
    networks = path.bundle.postfix_setting("mynetworks")
    ranges = [text for each in path.bundle.receive_connectors for text in each.values("RemoteIPRanges")]
    return address in " ".join(ranges) or bool(
        networks and address.rpartition(".")[0].rpartition(".")[0] in networks.value
    )


def _past_the_bridge(path: MailPath, address: str) -> Iterator[Edit]:
    yield Advice(
        "network",
        'Let the container see the clients: network_mode: host for the relay (docker run --network host), or "userland-proxy": false in /etc/docker/daemon.json and IPv6 either off or enabled on the bridge (ip6tables); Kubernetes: externalTrafficPolicy: Local; rootless: port driver slirp4netns',
    )
    yield Advice(
        "Postfix",
        f"postconf -e 'mynetworks = 127.0.0.0/8 CLIENTS' && postfix reload   # the clients' own networks; never {address} or the bridge's network, which is everybody",
    )
    yield Advice("network", "Until then limit port 25 of the host to the clients by its firewall (chain DOCKER-USER)")


def _balancer(path: MailPath) -> tuple[str, tuple[Told[object], ...]] | None:
    """HAProxy hands over in its own name, and all sessions that the relay saw come from one private address."""
    binds = [each for each in path.bundle.settings if each.software == "haproxy" and each.name == "bind"]
    keeps = any(
        each.software == "haproxy" and each.name == "source" and "usesrc" in each.value for each in path.bundle.settings
    )
    if keeps:
        return None
    clients: Counter[str] = Counter()
    named: dict[str, Fact] = {}
    for each in path.sessions:
        if each.way == "in" and (found := parsed_address(each.log.remote_endpoint)) is not None:
            clients[str(found)] += 1
            named.setdefault(str(found), each.log)
    greetings = {each.log.ehlo_name for each in path.sessions if each.way == "in" and each.log.ehlo_name}
    for reject in path.bundle.relay_rejects:
        if (found := parsed_address(reject.client_address)) is not None:
            clients[str(found)] += 1
            named.setdefault(str(found), reject)
            greetings.add(reject.helo)
    if not clients or len(greetings) < 2:
        return None
    address, count = clients.most_common(1)[0]
    bound = next((each for each in binds if each.value.startswith(f"{address}:")), None)
    first = parsed_address(address)
    if bound is None or count < 2 or first is None or not is_private(first):
        return None
    return address, (
        seen(bound, bound),
        seen(named[address], named[address], f"sessions of different clients from {address}"),
    )


def _past_the_balancer(path: MailPath, address: str) -> Iterator[Edit]:
    yield Advice(
        "network",
        "HAProxy: source 0.0.0.0 usesrc clientip in the backend (transparent mode, the balancer as the servers' gateway), or limit the clients on the balancer: acl allowed src CLIENTS, tcp-request connection reject unless allowed; Postfix understands send-proxy (smtpd_upstream_proxy_protocol = haproxy), Exchange does not",
    )
    for connector in path.bundle.receive_connectors:
        if address in " ".join(connector.values("RemoteIPRanges")):
            rest = ",".join(each for each in connector.values("RemoteIPRanges") if each.strip() != address)
            name = connector.text("Identity") or connector.name
            yield Advice(
                "Exchange",
                f"Set-ReceiveConnector -Identity '{name}' -RemoteIPRanges {rest or 'CLIENTS'}   # without {address}",
            )


# --- port 25 --------------------------------------------------------------------------------------------------------


_BY_HAND: Final = re.compile(r"\b(?:telnet|nc|ncat|tnc|Test-NetConnection)\b.{1,200}\b25\b", re.IGNORECASE)
_SILENCE: Final = ("timed out", "timeout", "no route to host", "tcptestsucceeded : false", "connection refused")


def _tried_by_hand(path: MailPath) -> Iterator[ShellCommand]:
    """`telnet HOST 25` and the like, which nothing answered."""
    for each in path.bundle.shell:
        output = each.output.casefold()
        inside = "127.0.0.1" in each.command or "localhost" in each.command
        if _BY_HAND.search(each.command) and not inside and any(words in output for words in _SILENCE):
            yield each


def _was_answered(log: SmtpSession) -> bool:
    return bool(log.banner or log.starttls_sent or log.replies)


def port_25_answers(path: MailPath) -> Iterator[Check]:
    by_hand = list(_tried_by_hand(path))
    silent: list[Fact] = [*signs(path, "port-25-silent"), *by_hand]
    if not silent:
        return
    greeted = next((each for each in path.sessions if each.way == "out" and _was_answered(each.log)), None)
    premises = tuple(inferred(each, each) for each in silent[:2])  # a silence does not say who keeps it
    if greeted is not None:
        yield Check(
            cause="port-25-blocked",
            standing="holds",
            subject="port 25",
            says="a session on port 25 got its greeting",
            premises=(seen(greeted.log, greeted.log),),
            explains=frozenset(("port-25-silent",)),
        )
        return
    yield Check(
        cause="port-25-blocked",
        standing="broken",
        subject="port 25",
        says="Nothing answers on port 25: the provider, the cloud or a firewall blocks it on the way out. No connector is involved yet.",
        premises=premises,
        explains=frozenset(("port-25-silent", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "network",
                "Have outgoing port 25 (TCP) unblocked: ask the firewall's administrator to open it, or the provider's support to lift the block (clouds block it by default: Azure opens it for some subscriptions only, AWS by a request form, Google Cloud never)",
            ),
            Advice(
                "network",
                "Or relay over a host that has it, or over submission on port 587 with a login, which is seldom blocked",
            ),
        ),
        verify="nc -vz HOST 25 from the sending server itself connects, and a 220 banner appears.",
        alone=bool(by_hand),
        needs=(Need("nc -vz HOST 25 from the sending server, and the same from another network", 1),),
        place=45,
    )
