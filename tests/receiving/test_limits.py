"""Limits are kept by tenant: one's excess is never another's refusal (law 6)."""

import mmap
from datetime import UTC, datetime

from gatepost.app.shared_counts.tenants import TenantCounts, octets
from gatepost.receiving.limits import OverLimit, TenantGate
from gatepost.tenancy.tenant import NO_LIMITS, Tenant, TenantLimits


class Tenants:
    """The part of the directory the gate asks, and a place for its events."""

    def __init__(self, **limits: TenantLimits) -> None:
        self.version = 1
        self.limits = limits
        self.subjects: set[str] = set()
        self.events: list[dict[str, object]] = []

    def tenant(self, name: str) -> Tenant | None:
        return Tenant(
            name=name,
            created_at=datetime.now(UTC),
            limits=self.limits.get(name, NO_LIMITS),
            trace_subject=name in self.subjects,
        )

    def emit(self, event: str, **fields: object) -> None:
        assert event == "tenant-over-limit"
        self.events.append(fields)


def gates(tenants: Tenants, waiting: dict[str, int] | None = None, **defaults: int) -> list[TenantGate]:
    """Of two workers of one relay."""
    memory = mmap.mmap(-1, octets(2))
    return [
        TenantGate(
            TenantLimits(**defaults),
            tenants,  # type: ignore[arg-type]
            TenantCounts(memory, worker, 2),
            lambda tenant: (waiting or {}).get(tenant, 0),
            tenants.emit,
        )
        for worker in range(2)
    ]


def test_messages_are_counted_by_tenant_and_minute_over_all_workers() -> None:
    tenants = Tenants()
    first, second = gates(tenants, messages_per_minute=2)
    for gate in (first, second):
        assert gate.over("contoso", 30.0, 0) is None
        gate.count_message("contoso", 30.0, 1)
    for gate in (first, second):
        over = gate.over("contoso", 45.0, 0)
        assert over is not None and over.after == 60.0
        assert gate.over("fabrikam", 45.0, 0) is None
        assert gate.over("contoso", 60.0, 0) is None


def test_sessions_of_a_tenant_are_counted_while_open_over_all_workers() -> None:
    first, second = gates(Tenants(), sessions=1)
    assert first.enter("contoso", 0.0) is True
    assert isinstance(second.enter("contoso", 1.0), OverLimit)
    assert second.enter("fabrikam", 1.0) is True
    first.leave("contoso", 200.0)
    assert second.enter("contoso", 201.0) is True


def test_subjects_are_kept_of_tenants_that_asked_for_it_and_a_change_counts() -> None:
    tenants = Tenants()
    gate, _ = gates(tenants)
    asked = ["contoso", "fabrikam", None, "contoso"]
    assert list(gate.keep_subjects(asked)) == []
    tenants.subjects.add("contoso")
    assert list(gate.keep_subjects(asked)) == []
    tenants.version += 1
    assert list(gate.keep_subjects(asked)) == ["contoso"]


def test_recipients_count_those_of_the_transaction_too() -> None:
    first, second = gates(Tenants(), recipients_per_minute=10)
    first.count_message("contoso", 0.0, 6)
    assert second.over("contoso", 1.0, 3) is None
    assert second.over("contoso", 1.0, 4) is not None


def test_what_is_queued_counts_against_its_tenant_alone() -> None:
    gate, _ = gates(Tenants(), {"contoso": 99}, queued=100)
    assert gate.over("contoso", 0.0, 0) is None
    assert gate.over("contoso", 0.0, 1) is not None
    assert gate.over("fabrikam", 0.0, 1) is None


def test_a_tenants_own_limits_come_before_those_of_the_server_and_change_at_run_time() -> None:
    tenants = Tenants(contoso=TenantLimits(messages_per_minute=0), fabrikam=TenantLimits(messages_per_minute=1))
    gate, _ = gates(tenants, messages_per_minute=5, message_size=1000)
    for name in ("contoso", "fabrikam"):
        for _ in range(4):
            gate.count_message(name, 0.0, 1)
    assert gate.over("contoso", 0.0, 0) is None
    assert gate.over("fabrikam", 0.0, 0) is not None
    limits = gate.limits_of("contoso")
    assert limits is not None and limits.message_size == 1000
    tenants.limits["fabrikam"] = TenantLimits(messages_per_minute=9, message_size=0)
    tenants.version += 1
    assert gate.over("fabrikam", 0.0, 0) is None
    limits = gate.limits_of("fabrikam")
    assert limits is not None and limits.message_size == 0


def test_limits_of_what_is_stored_bound_no_mail() -> None:
    gate, _ = gates(Tenants(), domains=5, inbound_connectors=7)
    assert gate.enter("contoso", 0.0) is False


def test_without_limits_nothing_is_counted() -> None:
    gate, _ = gates(Tenants())
    assert gate.enter("contoso", 0.0) is False
    gate.count_message("contoso", 0.0, 1)
    assert gate.over("contoso", 0.0, 1_000_000) is None


def test_the_operator_is_told_once_a_minute_and_how_often() -> None:
    tenants = Tenants()
    gate, _ = gates(tenants, messages_per_minute=1)
    for minute in range(2):
        gate.count_message("contoso", minute * 60.0, 1)
        for _ in range(5):
            assert gate.over("contoso", minute * 60.0 + 1, 0)
    assert [(each["tenant"], each["limit"], each["refused"]) for each in tenants.events] == [
        ("contoso", "messages_per_minute", 1),
        ("contoso", "messages_per_minute", 5),
    ]
