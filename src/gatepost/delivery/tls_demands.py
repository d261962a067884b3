"""What is demanded of the TLS of each next hop, found out before it is dialled.

What flows through: a send connector, the recipients' domain and a target; the facts are asked for, and
`tenancy.tls_policy` decides. Law: levels that name what they demand ask nobody; only `auto` and `dane` look things up.
"""

from typing import Final, Protocol

from gatepost.delivery.next_hops import Target
from gatepost.tenancy.mta_sts import NO_POLICY, StsAnswer
from gatepost.tenancy.tenant import SendConnector, TlsLevel
from gatepost.tenancy.tls_policy import Demand, Facts, demand_of
from gatepost.tenancy.tlsa import NOT_ASKED, Dnssec, TlsaAnswer

_ASKING: Final = frozenset({TlsLevel.AUTO, TlsLevel.DANE})


class TlsaLookUp(Protocol):
    async def why_disabled(self) -> str | None:
        """None: DANE is enabled."""

    async def look_up(self, domain: str | None, host: str, port: int) -> TlsaAnswer:
        """`domain`: whose MX record led to `host`; None: it is a smart host."""


class StsPolicies(Protocol):
    async def policy(self, domain: str) -> StsAnswer: ...


class TlsDemands:
    """One per worker."""

    def __init__(self, dane: TlsaLookUp, sts: StsPolicies) -> None:
        self._dane = dane
        self._sts = sts

    async def begin(self) -> None:
        """Find out whether DANE can be used, before the first message needs it; it is said if not."""
        await self._dane.why_disabled()

    async def of(self, connector: SendConnector, domain: str | None, target: Target) -> Demand:
        """`domain`: of the recipients; None: by smart host."""
        level, tlsa, sts = connector.tls, NOT_ASKED, NO_POLICY
        if level in _ASKING:
            tlsa = await self._dane.look_up(domain, target.host, target.port)
        if level is TlsLevel.AUTO and domain is not None and tlsa.state is not Dnssec.FAILED:
            sts = await self._sts.policy(domain)
        return demand_of(
            Facts(level=level, host=target.host, domain=domain, tls_domain=connector.tls_domain, tlsa=tlsa, sts=sts)
        )
