"""What every trace store must do, whatever it is made of. A test module gives `stores` and inherits the rest."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from itertools import count
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.trace.search import BadPosition, OwnDomain, Scope, TraceReader, TraceWriter, Wanted
from gatepost.trace.story import Certificate, Event, Item, LaterEvent, Outcome, QueuePlace, Received, What

NOON = 1_796_126_400.0
"""2026-12-01 12:00 UTC"""
CERTIFICATE = Certificate("ab" * 32, "cd" * 32, True, ("mail.contoso.com", "*.mx.contoso.com"))

_NUMBERS = count(1)


class Stores(Protocol):
    """One trace, whoever writes it."""

    now: float

    def writer(self, worker: int = 0) -> TraceWriter: ...

    def reader(self) -> TraceReader: ...


def received(at: float = NOON, *, refused: bool = False, **said: Any) -> Received:
    number = next(_NUMBERS)
    made = Received(
        at=at,
        session_id=f"{0x08DF4F93C5973841 + 64 * number:016X}",
        within="0.0",
        place=None if refused else QueuePlace(f"0-{number}", 0),
        tenant=None if refused else "contoso",
        connector=None if refused else "mail",
        basis=None if refused else "certificate",
        by_stranger=False,
        address="192.0.2.1",
        listener="0.0.0.0:25",
        tls="TLSv1.3",
        certificate=CERTIFICATE,
        mail_from="Ann@contoso.com",
        rcpt_to=f"bob{number}@outside.example",
        from_domain="contoso.com",
        to_domain="outside.example",
        message_id=f"{number}@contoso.com",
        subject=None,
        size=1234,
        reason="certificate-expired" if refused else None,
        reply="550 5.7.64 TenantAttribution; certificate-expired" if refused else None,
    )
    return made._replace(**said)


def event(what: What, at: float = NOON + 1, **said: Any) -> Event:
    made = Event(at, what, "mx.example[192.0.2.9]:25", "TLSv1.3", 0.25, "250 2.0.0 ok")
    return made._replace(**said)


def later(of: Received, what: What, at: float = NOON + 1, **said: Any) -> LaterEvent:
    assert of.place is not None
    return LaterEvent(of.place, of.tenant, event(what, at, **said))


def ids(items: Sequence[Item]) -> list[str]:
    return [each.id for each in items]


class TraceStoreContract:
    def write(self, stores: Stores, *rows: Received, later: Sequence[LaterEvent] = (), worker: int = 0) -> None:
        writer = stores.writer(worker)
        for share in ("tenants", "strangers"):
            of_share = [each for each in rows if (each.tenant is None) is (share == "strangers")]
            writer.write(share, of_share, later if share == "tenants" else ())
        writer.close()

    def found(self, stores: Stores, **wanted: Any) -> list[Item]:
        return list(stores.reader().search(Wanted(**wanted), 500).items)

    def test_what_was_written_is_read_as_it_was(self, stores: Stores) -> None:
        plain, refused = received(), received(NOON + 1, refused=True)
        delivered = received(NOON + 2, first=event(What.DELIVERED, NOON + 2.25))
        made_here = received(NOON + 3, within="0-9.0", address=None, listener=None, tls=None, certificate=None)
        self.write(stores, plain, refused, delivered, made_here)
        assert [each.received for each in self.found(stores)] == [made_here, delivered, refused, plain]
        assert [each.outcome for each in self.found(stores)] == ["queued", "delivered", "refused", "queued"]

    def test_rows_of_many_workers_and_days_come_newest_first(self, stores: Stores) -> None:
        rows = [received(NOON + hours * 3600.0) for hours in (-50, -30, -26, -3, -2, 0, 1)]
        for worker, each in enumerate(rows):
            self.write(stores, each, worker=worker % 2)
        assert ids(self.found(stores)) == [each.id for each in reversed(rows)]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_pages_are_the_whole_in_order_and_hold_nothing_twice(self, stores: Stores, limit: int) -> None:
        for worker in range(2):
            # Many have the same time.
            self.write(stores, *(received(NOON + number // 3) for number in range(6)), worker=worker)
        whole, paged, place = ids(self.found(stores)), [], None
        while True:
            page = stores.reader().search(Wanted(), limit, place)
            paged += ids(page.items)
            place = page.next
            if place is None:
                break
            assert len(page.items) == limit
        assert paged == whole and len(set(paged)) == 12

    def test_a_place_that_is_none_is_refused(self, stores: Stores) -> None:
        for place in ("", "x", "20261301.1.x", "...", "\0"):
            if place:
                with pytest.raises(BadPosition):
                    stores.reader().search(Wanted(), 10, place)

    def test_what_is_fresh_is_found_and_becomes_one_row_with_its_first_event(self, stores: Stores) -> None:
        writer, row = stores.writer(), received()
        writer.write("tenants", [], fresh=[row])
        assert [each.outcome for each in self.found(stores, rcpt_to=row.rcpt_to)] == [Outcome.QUEUED]
        writer.write("tenants", [row._replace(first=event(What.DELIVERED))])
        assert [each.outcome for each in self.found(stores, rcpt_to=row.rcpt_to)] == [Outcome.DELIVERED]
        writer.close()

    def test_what_was_fresh_when_its_writer_died_stays(self, stores: Stores) -> None:
        row = received()
        writer = stores.writer()
        writer.write("tenants", [], fresh=[row])
        writer.close()
        self.write(stores, received(NOON + 1))
        assert ids(self.found(stores, rcpt_to=row.rcpt_to)) == [row.id]

    def test_later_events_decide_where_it_stands_from_whatever_day_and_worker(self, stores: Stores) -> None:
        rows = [received(first=event(What.DEFERRED)) for _ in range(5)]
        self.write(stores, *rows)
        self.write(stores, later=[later(rows[0], What.DELIVERED)])
        self.write(stores, later=[later(rows[1], What.FAILED, NOON + 2 * 86400)])
        self.write(stores, later=[later(rows[2], What.REMOVED, by="olga")], worker=1)
        self.write(stores, later=[later(rows[3], What.HELD)])
        outcomes = {each.id: each.outcome for each in self.found(stores)}
        assert [outcomes[each.id] for each in rows] == ["delivered", "bounced", "removed", "delayed", "delayed"]
        for outcome, wanted in (
            (Outcome.DELIVERED, rows[:1]),
            (Outcome.BOUNCED, rows[1:2]),
            (Outcome.REMOVED, rows[2:3]),
            (Outcome.DELAYED, rows[3:]),
            (Outcome.QUEUED, []),
        ):
            assert set(ids(self.found(stores, outcomes=frozenset({outcome})))) == {each.id for each in wanted}, outcome

    def test_a_story_has_every_event_in_order(self, stores: Stores) -> None:
        row = received(first=event(What.DEFERRED))
        self.write(stores, row)
        self.write(stores, later=[later(row, What.DELIVERED, NOON + 90_000), later(row, What.DEFERRED, NOON + 600)])
        (item,) = stores.reader().with_events(self.found(stores))
        assert [each.what for each in item.events] == ["accepted", "deferred", "deferred", "delivered"]
        assert (item.outcome, item.last and item.last.at) == (Outcome.DELIVERED, NOON + 90_000)

    def test_every_filter_chooses_what_it_names_and_nothing_else(self, stores: Stores) -> None:
        one = received(subject="Your Invoice", first=event(What.DELIVERED))
        other = received(
            NOON + 60,
            tenant="fabrikam",
            address="2001:db8::1",
            certificate=None,
            mail_from="",
            from_domain="",
            to_domain="elsewhere.example",
        )
        refused = received(NOON + 120, refused=True, mail_from="eve@x.example", from_domain="x.example")
        self.write(stores, one, other, refused)
        assert one.place is not None
        for wanted, chosen in (
            ({"mail_from": "ann@CONTOSO.com"}, [one]),
            ({"mail_from": ""}, [other]),
            ({"rcpt_to": one.rcpt_to.upper()}, [one]),
            ({"domain": "contoso.com"}, [one]),
            ({"domain": "elsewhere.example"}, [other]),
            ({"message_id": one.message_id}, [one]),
            ({"subject": "invoice"}, [one]),
            ({"tenant": "fabrikam"}, [other]),
            ({"address": "2001:db8::1"}, [other]),
            ({"certificate": "mail.contoso.com"}, [refused, one]),
            ({"certificate": CERTIFICATE.sha256}, [refused, one]),
            ({"certificate": CERTIFICATE.public_key_sha256}, [refused, one]),
            ({"certificate": "contoso.com"}, []),
            ({"outcomes": frozenset({Outcome.REFUSED})}, [refused]),
            ({"outcomes": frozenset(Outcome) - {Outcome.REFUSED}}, [other, one]),
            ({"reason": "certificate-expired"}, [refused]),
            ({"since": NOON + 60}, [refused, other]),
            ({"until": NOON + 60}, [other, one]),
            ({"session_id": one.session_id}, [one]),
            ({"session_id": one.session_id, "id": one.id}, [one]),
            ({"queue_id": one.place.message}, [one]),
            ({"queue_id": "7-1"}, []),
            ({"tenant": "nobody"}, []),
            ({"tenant": "contoso", "outcomes": frozenset({Outcome.BOUNCED})}, []),
        ):
            assert ids(self.found(stores, **wanted)) == [each.id for each in chosen], wanted

    def test_a_tenants_scope_holds_its_own_and_what_may_have_been_refused_of_it(self, stores: Stores) -> None:
        own = received()
        of_another = received(tenant="fabrikam")
        by_path = received(refused=True, address="192.0.2.77", certificate=None)
        by_address = received(refused=True, address="198.51.100.7", certificate=None, from_domain="x.example")
        by_pin = received(refused=True, address="192.0.2.77", from_domain="x.example")
        strange = received(refused=True, address="192.0.2.77", certificate=None, from_domain="x.example")
        self.write(stores, own, of_another, by_path, by_address, by_pin, strange)
        scope = Scope(
            tenant="contoso",
            since=0.0,
            domains=[OwnDomain("contoso.com", 0.0, False)],
            networks=[ip_network("198.51.100.0/24")],
            pins=frozenset({CERTIFICATE.public_key_sha256}),
        )
        assert set(ids(self.found(stores, scope=scope))) == {own.id, by_path.id, by_address.id, by_pin.id}
        nobody = replace(scope, tenant="nobody", domains=[], networks=[], pins=frozenset())
        assert self.found(stores, scope=nobody) == []

    # The same in each class that inherits it.
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(
        choices=st.lists(
            st.tuples(
                st.integers(0, 3),
                st.sampled_from(["contoso", "fabrikam", None]),
                st.sampled_from([None, What.DELIVERED, What.DEFERRED, What.FAILED]),
                st.integers(0, 40),
            ),
            max_size=40,
        ),
        wanted=st.fixed_dictionaries(
            {},
            optional={
                "tenant": st.sampled_from(["contoso", "fabrikam"]),
                "rcpt_to": st.sampled_from(["user0@outside.example", "user2@outside.example"]),
                "outcomes": st.sets(st.sampled_from(list(Outcome)), min_size=1).map(frozenset),
                "since": st.integers(0, 40).map(lambda hours: NOON - hours * 3600.0),
                "until": st.integers(0, 40).map(lambda hours: NOON - hours * 3600.0),
            },
        ),
        limit=st.integers(1, 12),
    )
    def test_any_filter_finds_what_reading_every_row_would(
        self, fresh_stores: Any, choices: list[Any], wanted: dict[str, Any], limit: int
    ) -> None:
        stores: Stores = fresh_stores()
        rows = []
        for user, tenant, what, hours in choices:
            at = NOON - hours * 3600.0
            first = event(what, at + 1) if what and tenant else None
            row = received(at, refused=tenant is None, rcpt_to=f"user{user}@outside.example", first=first)
            rows.append(row._replace(tenant=tenant))
        for each in sorted(rows, key=lambda row: row.at):
            self.write(stores, each)
        expected = {
            each.id
            for each in rows
            if wanted.get("tenant") in (None, each.tenant)
            and wanted.get("rcpt_to") in (None, each.rcpt_to)
            and ("outcomes" not in wanted or each.outcome in wanted["outcomes"])
            and wanted.get("since", 0.0) <= each.at <= wanted.get("until", NOON)
        }
        found: list[Item] = []
        place = None
        while True:
            page = stores.reader().search(Wanted(**wanted), limit, place)
            found += page.items
            place = page.next
            if place is None:
                break
        assert len(found) == len(expected) and set(ids(found)) == expected
        assert [each.received.at for each in found] == sorted([each.received.at for each in found], reverse=True)
