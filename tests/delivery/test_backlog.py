"""What waits in memory is bounded, and a tenant's share of it is never all."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.queue_messages import RECEIVED_AT, mailbox
from gatepost.delivery.backlog import Backlog
from gatepost.mail.envelope import Envelope
from gatepost.queue.message import Claim, MemoryContent, QueuedMessage

CONTENT = MemoryContent(b"x" * 100)


def claim(tenant: str | None, content: MemoryContent | None = CONTENT) -> Claim:
    message = QueuedMessage(
        id="0-1",
        session_id="",
        received_at=RECEIVED_AT,
        envelope=Envelope(reverse_path=mailbox("a@a.example")),
        size=100,
    )
    return Claim(message=message, domain="x.example", tenant=tenant, recipients=(), content=content)


def test_one_tenant_takes_half_and_some_is_left_for_another() -> None:
    backlog = Backlog(10, 10_000)
    while backlog.has_room_for("tailspin"):
        backlog.kept(claim("tailspin"))
    assert len(backlog) == 5
    assert list(backlog.without_room()) == ["tailspin"]
    assert backlog.has_room_for("contoso") and backlog.has_room


def test_beyond_the_octets_a_claim_waits_without_its_content() -> None:
    backlog = Backlog(10, 250)
    kept = [backlog.kept(claim("contoso")) for _ in range(3)]
    assert [each.content is not None for each in kept] == [True, True, False]
    backlog.taken(kept[0])
    assert backlog.kept(claim("fabrikam")).content is not None


@given(st.lists(st.sampled_from(["contoso", "fabrikam", None]), max_size=20))
def test_what_is_taken_leaves_nothing_behind(tenants: list[str | None]) -> None:
    backlog = Backlog(10, 500)
    for each in [backlog.kept(claim(tenant)) for tenant in tenants]:
        backlog.taken(each)
    assert (len(backlog), list(backlog.without_room())) == (0, [])
    assert backlog.kept(claim("contoso")).content is not None
