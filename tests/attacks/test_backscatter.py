"""A stranger sends as ann@contoso.com to evil's domain, which refuses: contoso gets the attack as a notification."""

from collections.abc import Coroutine
from email import message_from_bytes
from pathlib import Path

import pytest
import uvloop

from delivery.post_office import PostOffice, post_office, to_smart_host
from gatepost.mail.envelope import DsnRequest
from gatepost.queue.store import QueueFilter
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.tenancy.tenant import AddressSpace, ConnectorType, InboundConnector
from sink import Sink

ATTACK = (
    b"From: Boss <boss@contoso.example>\r\nX-Lure: click-here\r\nSubject: "
    + b"long " * 100
    + b"\r\n\x1b[31m click-here\r\nMessage-ID: <1@evil.example>\r\n\r\nclick-here\r\n"
)
LOCK = InboundConnector(
    tenant="contoso",
    name="lock",
    type=ConnectorType.PARTNER,
    sender_domains=("*",),
    certificate_names=("mail.filter.example",),
    restrict_to_certificate=True,
)


def run(test: Coroutine[None, None, None]) -> None:
    uvloop.run(test)


def _scene(tmp_path: Path, hop: Sink, back: Sink, **how: object):  # type: ignore[no-untyped-def]
    home = to_smart_host(back.port, "home", address_spaces=(AddressSpace(space="contoso.example"),))
    return post_office(tmp_path, to_smart_host(hop.port), home, **how)


def _host(office: PostOffice) -> None:
    office.directory.hosted |= {"contoso.example": "contoso", "evil.example": "evil"}


@pytest.mark.parametrize("ret", ["FULL", "HDRS", None])
def test_a_notification_does_not_carry_what_a_forger_wrote(tmp_path: Path, ret: str | None) -> None:
    async def story() -> None:
        async with Sink() as hop, Sink() as back, _scene(tmp_path, hop, back) as office:
            _host(office)
            hop.answer("RCPT", b"550 5.1.1 click-here\r\n")
            dsn = DsnRequest(orcpt="rfc822;click-here@evil.example")
            await office.send("nobody@evil.example", tenant="evil", content=ATTACK, ret=ret, dsn=dsn)
            await office.until(lambda: back.messages)
            (told,) = back.messages
            assert b"click-here" not in told.content
            assert b"\x1b" not in told.content
            report = message_from_bytes(told.content)
            header = report.get_payload(2)
            assert header.get_content_type() == "text/rfc822-headers"
            assert len(header.get_payload()) < 600
            assert "Message-Id: <1@evil.example>" in header.get_payload()
            assert "nobody@evil.example" in report.get_payload(0).get_payload()

    run(story())


def test_a_lock_down_holds_for_notifications(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as hop, Sink() as back, _scene(tmp_path, hop, back) as office:
            _host(office)
            office.directory.partners.append(LOCK)
            hop.answer("RCPT", b"550 5.1.1 no such user\r\n")
            await office.send("nobody@evil.example", tenant="evil", content=ATTACK)
            await office.until(lambda: office.told.failed)
            await office.until_empty()
            assert [claim.tenant for claim in office.told.withheld] == ["evil"]
            assert not back.messages
            hop.answer("RCPT", b"550 5.1.1 no such user\r\n")
            await office.send("nobody@evil.example", tenant="contoso")
            await office.until(lambda: back.messages)
            assert b"550 5.1.1 no such user" in back.messages[0].content
            assert len(office.told.withheld) == 1

    run(story())


def test_a_success_report_carries_no_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink(keywords=()) as hop, Sink() as back, _scene(tmp_path, hop, back) as office:
            _host(office)
            dsn = DsnRequest(notify=frozenset({"SUCCESS"}))
            await office.send("nobody@evil.example", tenant="evil", content=ATTACK, dsn=dsn)
            await office.until(lambda: back.messages)
            assert b"click-here" not in back.messages[0].content

    run(story())


def test_what_a_tenant_returns_is_not_this_servers_word(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as hop, Sink() as back, _scene(tmp_path, hop, back) as office:
            _host(office)
            hop.answer("RCPT", b"451 4.3.0 later\r\n")
            await office.send("nobody@evil.example", tenant="evil", sender="x@outside.example")
            await office.until(lambda: office.told.deferred)
            SqliteQueueAdmin(tmp_path).bounce(QueueFilter(tenant="evil"), office.now())
            assert office.store.changed_by_others()
            office.scheduler.wake()
            await office.until(lambda: office.told.failed)
            assert office.told.failed[0][1].why == "the recipient's organisation returned the message"

    run(story())


RECIPIENTS = 60


def test_many_failing_domains_of_one_message_are_few_notifications(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as hop, Sink() as back, _scene(tmp_path, hop, back, gather_s=0.5) as office:
            hop.always("RCPT", b"550 5.1.1 no such user\r\n")
            await office.send(*(f"x@d{number}.example" for number in range(RECIPIENTS)), tenant="evil")
            await office.send("x@other.example", tenant="fabrikam", sender="tom@contoso.example")
            await office.until_empty()
            of_ann = [each.content for each in back.messages if each.recipients == ("ann@contoso.example",)]
            assert len(of_ann) <= 10
            assert len(back.messages) == len(of_ann) + 1
            told = b"".join(of_ann)
            assert all(told.count(b"Final-Recipient: rfc822; x@d%d.example" % n) == 1 for n in range(RECIPIENTS))
            assert len(office.told.failed) == RECIPIENTS + 1

    run(story())


def test_what_is_held_is_settled_when_the_server_stops(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as hop, Sink() as back, _scene(tmp_path, hop, back, gather_s=600.0) as office:
            hop.always("RCPT", b"550 5.1.1 no such user\r\n")
            await office.send("x@a.example", "x@b.example", "x@c.example", tenant="evil")
            await office.until(lambda: len(office.scheduler._settling._gathering) == 2 and office.told.failed)
            assert len(office.told.failed) == 1
            await office.scheduler.stop(grace_s=0.1)
            assert len(office.told.failed) == 3

    run(story())


def test_no_more_is_held_than_may_wait(tmp_path: Path) -> None:
    async def story() -> None:
        how = {"gather_s": 600.0, "most_waiting": 5}
        async with Sink() as hop, Sink() as back, _scene(tmp_path, hop, back, **how) as office:
            hop.always("RCPT", b"550 5.1.1 no such user\r\n")
            await office.send(*(f"x@d{number}.example" for number in range(20)), tenant="evil")
            await office.until(lambda: len(office.told.failed) >= 13)
            assert len(office.scheduler._settling._gathering) <= 5

    run(story())
