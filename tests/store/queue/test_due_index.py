from hypothesis import given
from hypothesis import strategies as st

from gatepost.store.queue.due_index import Bounds

DOMAINS = st.sampled_from("abcd")
TIMES = st.floats(0, 10)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), DOMAINS, TIMES),
        st.tuples(st.just("put"), DOMAINS, st.none() | TIMES),
        st.tuples(st.just("take"), DOMAINS, TIMES),
    )
)


@given(st.dictionaries(DOMAINS, TIMES), OPERATIONS)
def test_bounds_are_those_of_a_plain_mapping(
    start: dict[str, float], operations: list[tuple[str, str, float | None]]
) -> None:
    due, model = Bounds(start.items()), dict(start)
    for operation, domain, time in operations:
        if operation == "note":
            assert time is not None
            due.note(domain, time)
            model[domain] = min(time, model.get(domain, time))
        elif operation == "put":
            due.put(domain, time)
            model.pop(domain, None)
            if time is not None:
                model[domain] = time
        else:
            assert time is not None
            ready = {(at, name) for name, at in model.items() if at <= time}
            taken = due.take(time)
            assert taken == min(ready, default=None)
            if taken:
                del model[taken[1]]
        assert due.earliest() == min(model.values(), default=None)
