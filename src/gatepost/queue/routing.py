"""Which send connector carries mail to a domain, of the tenant that owns the domain or else of the one that sends.

A tenant's own connectors that cover the domain come before the server's altogether. Then the most specific address
space wins, then the lowest cost, then the name, so that the choice never depends on the order of the directory
(Exchange chooses by the same steps).
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from gatepost.mail.domain import pattern_covers

EVERY_DOMAIN = "*"


class Space(Protocol):
    """`contoso.com`, `*.contoso.com` (contoso.com and all below it) or `*`, with a cost."""

    @property
    def space(self) -> str: ...

    @property
    def cost(self) -> int: ...


class Route(Protocol):
    """What routing needs to know of a send connector."""

    @property
    def name(self) -> str: ...

    @property
    def tenant(self) -> str | None: ...

    @property
    def address_spaces(self) -> Sequence[Space]: ...


R = TypeVar("R", bound=Route)


def choose(connectors: Iterable[R], tenant: str | None, domain: str) -> R | None:
    """The connector that carries mail of `tenant` to `domain`; None when none covers it."""
    ranked = [
        (connector.tenant is None, _specificity(space.space), space.cost, connector.name, connector)
        for connector in connectors
        if connector.tenant is None or connector.tenant == tenant
        for space in connector.address_spaces
        if pattern_covers(space.space, domain)
    ]
    return min(ranked, key=lambda rank: rank[:4])[4] if ranked else None


def _specificity(space: str) -> tuple[int, int]:
    """Sorts the more specific first: the domain itself, then the longer wildcard, then `*`."""
    if space == EVERY_DOMAIN:
        return (2, 0)
    if space.startswith("*."):
        return (1, -len(space))
    return (0, 0)
