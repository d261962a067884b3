"""What `gatepost tls-policy` asks of DNS, policy hosts and mail hosts: the parts of delivery, without mail."""

import asyncio
from functools import partial
from typing import NoReturn

from gatepost.admin.sessions.tls_policy import Seen, TlsPolicyShown, tls_policy
from gatepost.app.parts import reach_of
from gatepost.app.tls_demands import dane_of, mta_sts_of, resolver_of
from gatepost.config import Config
from gatepost.delivery.connection import ConnectionSettings, Dial, OutboundConnection, open_connection
from gatepost.delivery.next_hops import Target, find_targets
from gatepost.delivery.tls_demands import TlsDemands
from gatepost.net.judgement import Judge
from gatepost.net.tls_client import ClientTlsContexts
from gatepost.queue.message import Claim, QueuedMessage
from gatepost.queue.outcome import DeliveryOutcome
from gatepost.tenancy.tenant import SendConnector
from gatepost.tenancy.tls_policy import Demand

_PATIENCE_S = 20.0


def run_tls_policy(config: Config, connector: SendConnector, domain: str, *, live: bool) -> TlsPolicyShown:
    return asyncio.run(_ask(config, connector, domain, live))


async def _ask(config: Config, connector: SendConnector, domain: str, live: bool) -> TlsPolicyShown:
    resolver, reach = resolver_of(config), reach_of(config)
    demands = TlsDemands(dane_of(config, resolver, lambda problem: None), mta_sts_of(config, resolver, reach))
    own_names = frozenset({config.hostname})
    targets = await find_targets(connector, domain, resolver, own_names, lambda hosts: None, reach)
    by_mx = None if connector.smart_hosts else domain
    attempt = partial(_attempt, config, connector, _contexts(config)) if live else None
    return await tls_policy(domain, connector, targets, lambda target: demands.of(connector, by_mx, target), attempt)


def _contexts(config: Config) -> ClientTlsContexts:
    return ClientTlsContexts(Judge(config.tls.server_roots if config.tls else None, required_purpose="serverAuth"))


async def _attempt(
    config: Config, connector: SendConnector, contexts: ClientTlsContexts, target: Target, demand: Demand
) -> Seen:
    """Open a session as delivery does, and leave it."""
    visitor = _Visitor()
    dial = Dial(
        target=target,
        connector=connector,
        demand=demand,
        tenant=None,
        settings=ConnectionSettings(hostname=config.hostname, connect_s=_PATIENCE_S, handshake_s=_PATIENCE_S),
        tls=contexts,
        log=None,
        owner=visitor,
        open_content=_no_mail,
    )
    try:
        async with asyncio.timeout(2 * _PATIENCE_S):
            opened = await open_connection(dial)
    except TimeoutError:
        says = f"{target} did not open a session within {2 * _PATIENCE_S:g} s"
        return Seen(takes_mail=False, tls=None, code=None, says=says)
    if not isinstance(opened, OutboundConnection):
        return Seen(takes_mail=False, tls=None, code=demand.blocked.code if demand.blocked else None, says=opened.why)
    verdict = opened.tls_verdict
    assert verdict is not None, "a session that is ready has one"
    opened.quit()
    await visitor.until_gone()
    return Seen(takes_mail=True, tls=opened.protocol, code=verdict.code, says=verdict.says)


class _Visitor:
    """Carries no mail."""

    def __init__(self) -> None:
        self._gone = asyncio.Event()

    def connected(self, connection: OutboundConnection) -> None:
        """It is closed again in any case."""

    def opened(self, connection: OutboundConnection) -> None:
        """`open_connection` says so too."""

    def next_claim(self, connection: OutboundConnection) -> Claim | None:
        return None

    def attempted(self, claim: Claim, outcomes: list[DeliveryOutcome]) -> None:
        """There was none."""

    def hand_back(self, claim: Claim) -> None:
        """There was none."""

    def closed(self, connection: OutboundConnection) -> None:
        self._gone.set()

    async def until_gone(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._gone.wait()
        except TimeoutError:
            return


def _no_mail(message: QueuedMessage) -> NoReturn:
    raise AssertionError("there is no mail")
