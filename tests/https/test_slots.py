"""How many requests may be under way at once."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from gatepost.config import HttpsLimits
from gatepost.https.problem import Problem
from gatepost.https.slots import OPERATORS_RESERVE, Slots
from gatepost.tenancy.token import Scope, Token

MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = HttpsLimits(requests=6, requests_per_tenant=4, requests_per_token=2)


def token(id: str, tenant: str | None) -> Token:
    return Token(id=id, tenant=tenant, scopes=frozenset(Scope), secret_sha256="", created_at=MADE_AT, expires_at=None)


def taken(slots: Slots, stack: ExitStack, token: Token) -> int:
    """200, or the status of the refusal."""
    try:
        stack.enter_context(slots.known(token.id, token.tenant))
    except Problem as problem:
        assert problem.headers and int(problem.headers["Retry-After"]) >= 1
        return problem.status_code
    return 200


def test_a_token_and_a_tenant_have_a_share_and_operators_more_than_what_is_left() -> None:
    slots = Slots(LIMITS)
    with ExitStack() as stack:
        assert [taken(slots, stack, token("a", "contoso")) for _ in range(3)] == [200, 200, 429]
        assert [taken(slots, stack, token("b", "contoso")) for _ in range(3)] == [200, 200, 429]
        assert taken(slots, stack, token("c", "contoso")) == 429
        assert [taken(slots, stack, token("d", "fabrikam")) for _ in range(3)] == [200, 200, 429]
        assert taken(slots, stack, token("e", "fabrikam")) == 503
        operators = [taken(slots, stack, token(str(number), None)) for number in range(OPERATORS_RESERVE + 1)]
        assert operators == [200] * OPERATORS_RESERVE + [503]
    with ExitStack() as stack:
        assert taken(slots, stack, token("e", "fabrikam")) == 200


def test_of_whom_the_token_is_not_known_yet_one_network_has_a_share() -> None:
    slots = Slots(LIMITS)
    with ExitStack() as stack:
        with pytest.raises(Problem) as refused:
            for _ in range(100):
                stack.enter_context(slots.unknown("192.0.2.0/24", are_operators=False))
        assert refused.value.status_code == 503
        stack.enter_context(slots.unknown("203.0.113.0/24", are_operators=False))
        stack.enter_context(slots.unknown("192.0.2.0/24", are_operators=True))
