from collections import defaultdict, deque

from hypothesis import given
from hypothesis import strategies as st

from contracts.queue_messages import RECEIVED_AT, mailbox
from gatepost.delivery.fair_queue import FairQueue
from gatepost.mail.envelope import Envelope
from gatepost.queue.message import Claim, QueuedMessage

TENANTS = st.sampled_from([None, "contoso", "tailspin"])


def claim(tenant: str | None) -> Claim:
    message = QueuedMessage(
        id="0-1",
        session_id="",
        received_at=RECEIVED_AT,
        envelope=Envelope(reverse_path=mailbox("a@a.example")),
        size=1,
    )
    return Claim(message=message, domain="x.example", tenant=tenant, recipients=())


@given(st.lists(TENANTS))
def test_a_claim_waits_for_at_most_one_of_every_other_tenant_for_each_of_its_own(tenants: list[str | None]) -> None:
    turns = FairQueue()
    for tenant in tenants:
        turns.append(claim(tenant))
    before: dict[str | None, int] = defaultdict(int)
    for _ in range(len(turns)):
        taken = turns.popleft()
        before[taken.tenant] += 1
        for tenant in set(tenants):
            if turns.of(tenant):
                assert before[taken.tenant] <= before[tenant] + 1
    assert not turns


@given(st.lists(TENANTS))
def test_each_tenants_own_keep_their_order(tenants: list[str | None]) -> None:
    turns = FairQueue()
    own: dict[str | None, deque[Claim]] = defaultdict(deque)
    for tenant in tenants:
        own[tenant].append(claim(tenant))
        turns.append(own[tenant][-1])
    while turns:
        whose = turns.tenant
        taken = turns.popleft()
        assert taken.tenant == whose
        assert taken is own[taken.tenant].popleft()


def test_what_was_put_back_comes_before_all_others() -> None:
    turns = FairQueue()
    back = claim("tailspin")
    for tenant in ("contoso", "tailspin", "contoso"):
        turns.append(claim(tenant))
    turns.appendleft(back)
    assert turns.popleft() is back
    assert len(turns) == 3
