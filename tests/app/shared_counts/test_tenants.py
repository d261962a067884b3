import mmap

from hypothesis import given
from hypothesis import strategies as st

from gatepost.app.shared_counts import table
from gatepost.app.shared_counts.tenants import Counts, TenantCounts, octets

WORKERS = 3
DEEDS = st.lists(
    st.tuples(
        st.integers(0, WORKERS - 1), st.sampled_from(["contoso", "tailspin", "fabrikam"]), st.integers(0, 2),
        st.integers(0, 2), st.integers(0, 3),
    )
)  # fmt: skip


def workers() -> list[TenantCounts]:
    memory = mmap.mmap(-1, octets(WORKERS))
    return [TenantCounts(memory, number, WORKERS) for number in range(WORKERS)]


@given(DEEDS)
def test_every_worker_sees_the_sum_of_all(deeds: list[tuple[int, str, int, int, int]]) -> None:
    all_workers = workers()
    minute = 0
    model: dict[str, list[int]] = {}
    for worker, tenant, later, messages, recipients in deeds:
        if later:
            minute += later
            model = {name: [0, 0, counts[2]] for name, counts in model.items()}
        all_workers[worker].add(tenant, minute, messages=messages, recipients=recipients, sessions=1)
        counts = model.setdefault(tenant, [0, 0, 0])
        counts[0] += messages
        counts[1] += recipients
        counts[2] += 1
        for each in all_workers:
            for name in ("contoso", "tailspin", "fabrikam"):
                assert each.of(name, minute) == Counts(*model.get(name, [0, 0, 0]))


def test_a_worker_that_starts_again_takes_its_own_part_away_and_no_other() -> None:
    memory = mmap.mmap(-1, octets(2))
    first, second = TenantCounts(memory, 0, 2), TenantCounts(memory, 1, 2)
    first.add("contoso", 7, messages=2, sessions=1)
    second.add("contoso", 7, messages=3, sessions=1)
    first = TenantCounts(memory, 0, 2)
    assert first.of("contoso", 7) == second.of("contoso", 7) == Counts(3, 0, 1)


def test_a_name_is_one_tenant_in_any_case() -> None:
    first, second, _ = workers()
    first.add("Contoso", 1, messages=1)
    assert second.of("contoso", 1).messages == 1


def test_more_tenants_than_a_region_holds_push_out_only_what_counts_no_more() -> None:
    first, second, _ = workers()
    first.add("stays", 0, sessions=1)
    number = table.FULL + 10
    for n in range(number):
        first.add(f"tenant {n}", n // 100, messages=1)
    assert second.of("stays", 0).sessions == 1
    last_minute = (number - 1) // 100
    assert second.of(f"tenant {number - 1}", last_minute).messages == 1
    assert second.of("tenant 0", last_minute).messages == 0
