from gatepost.receiving.capacity import Capacity

MIB = 1024 * 1024


class Events(list[str]):
    def emit(self, event: str, **fields: object) -> None:
        self.append(" ".join([event, *map(str, fields.values())]))


def room(events: Events, least_free_disk: int = 0, most_recipients: int = 0) -> Capacity:
    return Capacity(least_free_disk=least_free_disk, most_recipients=most_recipients, emit=events.emit)


def test_too_little_free_disk_is_full_until_there_is_more() -> None:
    events = Events()
    watched = room(events, least_free_disk=64 * MIB)
    assert not watched.is_full
    for free in (65, 63, 62):
        watched.free_disk_is(free * MIB)
    assert watched.is_full
    watched.free_disk_is(64 * MIB)
    assert not watched.is_full
    assert [event.partition(" ")[0] for event in events] == ["queue-full", "queue-has-room"]
    assert "63 MiB are free" in events[0] and "queue.least_free_disk is 64 MiB" in events[0]


def test_too_many_recipients_are_full_whoever_they_belong_to() -> None:
    events = Events()
    watched = room(events, most_recipients=10)
    assert watched.needs_counts
    watched.counted({"contoso": 6, None: 3})
    assert not watched.is_full
    watched.counted({"contoso": 6, "tailspin": 4})
    assert watched.is_full
    assert "10 recipients are queued" in events[0]


def test_nothing_is_counted_before_somebody_asks() -> None:
    watched = room(Events())
    assert not watched.needs_counts
    assert watched.queued("contoso") == 0
    assert watched.needs_counts
    watched.counted({"contoso": 7})
    assert watched.queued("contoso") == 7
    assert not watched.is_full
