"""Connections are shared among tenants: whose hosts never answer takes half from its neighbours at most."""

import asyncio
from dataclasses import dataclass, field

from delivery.test_backlog import claim
from gatepost.delivery.connection_shares import ConnectionShares
from gatepost.delivery.fair_queue import FairQueue


@dataclass(frozen=True)
class Idle:
    tenant: str | None


@dataclass(eq=False)
class Destination:
    """Mail of one tenant waits; `pumped` counts how often it was told to go on."""

    tenant: str | None
    idle: list[Idle] = field(default_factory=list)
    waiting: FairQueue = field(default_factory=FairQueue)
    pumped: int = 0
    quit: int = 0

    def __post_init__(self) -> None:
        self.waiting.append(claim(self.tenant))

    def pump(self) -> None:
        self.pumped += 1

    def quit_idle(self, most: int) -> None:
        self.quit += most


def test_who_holds_as_many_as_are_free_gets_no_more_and_another_does() -> None:
    slow, other = Destination("tailspin"), Destination("contoso")
    shares = ConnectionShares(6, lambda: [slow, other])
    assert [shares.take(slow) for _ in range(5)] == [True, True, True, False, False]
    assert shares.take(other)


def test_who_was_refused_goes_on_when_one_is_given_back() -> None:
    async def story() -> None:
        first, second = Destination("contoso"), Destination("fabrikam")
        shares = ConnectionShares(1, lambda: [first, second])
        assert shares.take(first) and not shares.take(second)
        shares.give_back("contoso")
        await asyncio.sleep(0)
        assert (first.pumped, second.pumped) == (0, 1)
        assert shares.take(second)

    asyncio.run(story())


def test_an_idle_connection_makes_room_where_somebody_has_none() -> None:
    async def story() -> None:
        idle, starved = Destination("contoso", [Idle("contoso")]), Destination("fabrikam")
        shares = ConnectionShares(1, lambda: [idle, starved])
        shares.take(idle)
        shares.one_is_idle()
        await asyncio.sleep(0)
        assert idle.quit == 0, "nobody waits for one"
        assert not shares.take(starved)
        assert idle.quit == 1

    asyncio.run(story())
