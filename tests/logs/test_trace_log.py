"""Rows are found within a second, and each is written for good once, with what happened to it first."""

from collections.abc import Sequence

from contracts.trace_store_contract import NOON, event, received
from gatepost.logs.log_writer import LogWriter
from gatepost.logs.trace_log import Settled, TraceLog
from gatepost.trace.search import Share
from gatepost.trace.story import LaterEvent, Outcome, Received, What


class Store:
    def __init__(self) -> None:
        self.received: list[Received] = []
        self.later: list[LaterEvent] = []
        self.fresh: list[Received] = []
        self.shares: list[Share] = []
        self.closed = False
        self.full = False

    def write(
        self,
        share: Share,
        received: Sequence[Received],
        later: Sequence[LaterEvent] = (),
        fresh: Sequence[Received] = (),
    ) -> None:
        if self.full:
            raise OSError("no space left")
        self.shares.append(share)
        self.received += received
        self.later += later
        self.fresh += fresh

    def close(self) -> None:
        self.closed = True


class Scene:
    def __init__(self, most_octets: int = 0) -> None:
        self.now = NOON
        self.store = Store()
        self.reports: list[str] = []
        self.log: TraceLog[tuple[Received, ...]] = TraceLog(
            self.store, lambda rows: rows, LogWriter(self.reports.append), most_octets, clock=lambda: self.now
        )

    def at(self, seconds: float, *entries: Received | Settled) -> None:
        self.now = NOON + seconds
        for each in entries:
            self.log.add(each if isinstance(each, Settled) else (each,))
        self.log.flush()


def settled(of: Received, what: What, at: float, *, first: bool = True) -> Settled:
    assert of.place is not None
    return Settled(of.place, of.tenant, event(what, NOON + at), first)


def test_what_is_delivered_at_once_is_one_row_and_was_never_fresh() -> None:
    scene, row = Scene(), received()
    scene.at(0.1, row)
    assert scene.store.received == []
    scene.at(0.2, settled(row, What.DELIVERED, 0.2))
    assert [each.outcome for each in scene.store.received] == [Outcome.DELIVERED]
    assert (scene.store.fresh, scene.store.later, scene.log.waiting) == ([], [], 0)


def test_what_is_delivered_before_its_session_tells_of_it_is_one_row_too() -> None:
    scene, row = Scene(), received()
    scene.at(0.1, settled(row, What.DELIVERED, 0.1))
    scene.at(0.6, row)
    assert [each.outcome for each in scene.store.received] == [Outcome.DELIVERED]
    assert scene.store.later == []


def test_slower_mail_is_found_as_fresh_within_a_second_and_then_as_delivered() -> None:
    scene, row = Scene(), received()
    scene.at(0.1, row)
    scene.at(0.5)
    assert (scene.store.fresh, scene.store.received) == ([row], [])
    scene.at(4.0, settled(row, What.DELIVERED, 4.0))
    assert [each.outcome for each in scene.store.received] == [Outcome.DELIVERED]


def test_what_takes_longer_than_a_minute_is_kept_as_queued_and_what_follows_is_an_event() -> None:
    scene, row = Scene(), received()
    scene.at(0.5, row)
    scene.at(61)
    assert scene.store.received == [row]
    scene.at(90, settled(row, What.DEFERRED, 90))
    scene.at(93)
    assert [each.event.what for each in scene.store.later] == [What.DEFERRED]


def test_a_second_event_is_a_row_of_its_own() -> None:
    scene, row = Scene(), received()
    scene.at(0.1, row, settled(row, What.DEFERRED, 0.1), settled(row, What.DELIVERED, 60.0, first=False))
    assert [each.outcome for each in scene.store.received] == [Outcome.DELAYED]
    assert [each.event.what for each in scene.store.later] == [What.DELIVERED]


def test_an_order_about_fresh_mail_is_an_event_and_the_row_waits_for_its_attempt() -> None:
    scene, row = Scene(), received()
    scene.at(0.1, row, settled(row, What.HELD, 0.2, first=False))
    assert [each.event.what for each in scene.store.later] == [What.HELD]
    scene.at(0.3, settled(row, What.DELIVERED, 0.3))
    assert [each.outcome for each in scene.store.received] == [Outcome.DELIVERED]


def test_a_refusal_waits_for_nothing() -> None:
    scene, row = Scene(), received(refused=True)
    scene.at(0.1, row)
    assert scene.store.received == [row]


def test_the_end_writes_what_waits_and_a_clock_that_went_back_does_not_hold_it() -> None:
    scene, row, other = Scene(), received(), received()
    scene.at(0.1, row)
    scene.at(-3600, other)
    assert row in scene.store.fresh
    scene.log.finish()
    assert {each.id for each in scene.store.received} == {row.id, other.id} and scene.store.closed


def test_a_store_that_cannot_write_loses_rows_and_says_so() -> None:
    scene = Scene()
    scene.store.full = True
    scene.at(0.1, received(refused=True))
    assert scene.log.lost == 1 and "trace cannot be written: no space left; mail continues" in scene.reports[0]
    scene.store.full = False
    scene.at(10, received(refused=True))
    assert len(scene.store.received) == 1 and "1 entries are missing" in scene.reports[-1]


def test_a_share_that_cannot_be_written_costs_the_others_nothing() -> None:
    scene = Scene()
    write = scene.store.write

    def not_strangers(share: Share, *rows: Sequence[Received] | Sequence[LaterEvent]) -> None:
        if share == "strangers":
            raise OSError("no space left")
        write(share, *rows)  # type: ignore[arg-type]

    scene.store.write = not_strangers  # type: ignore[method-assign]
    scene.at(0.1, received(refused=True, by_stranger=True), row := received(refused=True, tenant="contoso"))
    assert scene.store.received == [row] and "trace cannot be written" in scene.reports[0]


def test_whoever_writes_much_goes_into_a_share_of_their_own() -> None:
    scene = Scene(most_octets=1)
    flood = [received(refused=True, by_stranger=True, address="192.0.2.7") for _ in range(4000)]
    scene.at(0.1, *flood)
    assert set(scene.store.shares) == {"strangers", "busy-strangers"}
    scene.store.shares.clear()
    scene.at(0.2, received(refused=True, by_stranger=True, address="198.51.100.7"), received(refused=True))
    scene.at(0.3, received(tenant="contoso"), received(tenant="fabrikam"))
    scene.at(1.0)
    assert set(scene.store.shares) == {"strangers", "tenants"}
