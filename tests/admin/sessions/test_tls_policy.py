"""What is shown of several mail hosts."""

import asyncio

from gatepost.admin.sessions.tls_policy import Seen, TlsPolicyShown, tls_policy
from gatepost.delivery.next_hops import Target
from gatepost.queue.next_hop import DnsProblem
from gatepost.tenancy.mta_sts import StsAnswer, StsMode, StsPolicy
from gatepost.tenancy.tenant import AddressSpace, SendConnector, TlsLevel
from gatepost.tenancy.tls_policy import Demand, Facts, demand_of

OUT = SendConnector(name="out", tenant="contoso", address_spaces=(AddressSpace(space="*"),), tls=TlsLevel.AUTO)
ONE, SAME, OTHER = (
    Target("stray.example", "192.0.2.1", 25),
    Target("stray.example", "192.0.2.2", 25),
    Target("mx.fabrikam.example", "192.0.2.3", 25),
)
STS = StsAnswer(StsPolicy("1", StsMode.ENFORCE, 86_400, ("mx.fabrikam.example",)))


def shown(targets: list[Target] | DnsProblem, refuses: bool | None = None) -> TlsPolicyShown:
    async def demand(target: Target) -> Demand:
        return demand_of(Facts(level=TlsLevel.AUTO, host=target.host, domain="fabrikam.example", sts=STS))

    async def attempt(target: Target, demand: Demand) -> Seen:
        return Seen(takes_mail=not refuses, tls=None, code=None, says="seen")

    return asyncio.run(tls_policy("fabrikam.example", OUT, targets, demand, None if refuses is None else attempt))


def test_each_host_is_shown_once_and_the_first_that_may_get_mail_decides() -> None:
    found = shown([ONE, SAME, OTHER])
    assert [(hop.host, hop.blocked) for hop in found.next_hops] == [(ONE.host, True), (OTHER.host, False)]
    assert (found.level, found.source, found.connector) == ("verify", "mta-sts", "contoso/out")
    assert found.takes_mail


def test_where_no_host_may_get_mail_that_is_the_answer() -> None:
    assert not shown([ONE]).takes_mail
    assert not shown([OTHER], refuses=True).takes_mail
    assert shown([OTHER], refuses=False).takes_mail


def test_without_mail_hosts_the_reason_is_that_of_dns() -> None:
    found = shown(DnsProblem(permanent=True, status="5.1.2", why="fabrikam.example does not exist in DNS"))
    assert not found.takes_mail
    assert [step.code for step in found.because] == ["no-next-hop"]
