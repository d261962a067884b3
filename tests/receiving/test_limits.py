"""Limits are kept by address and by tenant: one's excess is never another's refusal (law 6)."""

from gatepost.receiving.limits import SessionGate, TenantGate


def test_one_address_at_its_limit_leaves_others_their_place() -> None:
    gate = SessionGate(most=10, most_per_address=2)
    gate.enter("192.0.2.1")
    gate.enter("192.0.2.1")
    refusal = gate.refusal("192.0.2.1")
    assert refusal is not None and refusal.code == 421
    assert gate.refusal("192.0.2.2") is None


def test_a_full_listener_takes_nobody_until_one_leaves() -> None:
    gate = SessionGate(most=1, most_per_address=5)
    gate.enter("192.0.2.1")
    assert gate.refusal("192.0.2.2") is not None
    gate.leave("192.0.2.1")
    assert gate.refusal("192.0.2.2") is None


def test_messages_are_counted_by_tenant_and_minute() -> None:
    gate = TenantGate(messages_per_minute=2, sessions=0)
    for _ in range(2):
        assert gate.come_back_s("contoso", 30.0) is None
        gate.count_message("contoso", 30.0)
    assert gate.come_back_s("contoso", 45.0) == 15
    assert gate.come_back_s("fabrikam", 45.0) is None
    assert gate.come_back_s("contoso", 60.0) is None


def test_sessions_of_a_tenant_are_counted_while_open() -> None:
    gate = TenantGate(messages_per_minute=0, sessions=1)
    assert gate.enter("contoso")
    assert not gate.enter("contoso")
    assert gate.enter("fabrikam")
    gate.leave("contoso")
    assert gate.enter("contoso")
