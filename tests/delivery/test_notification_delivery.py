"""Who is told what, when: notifications as they arrive at the sender's server."""

from collections.abc import Coroutine
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

import pytest
import uvloop

from delivery.post_office import CONTENT, RETRY, post_office, to_smart_host
from gatepost.delivery.destination import Destination
from gatepost.mail.envelope import DsnRequest
from gatepost.mail.reply import RemoteReply
from gatepost.queue.outcome import Deferred, DeliveryOutcome, Failed
from gatepost.queue.retry import RetrySettings
from gatepost.tenancy.tenant import AddressSpace, SendConnector
from sink import KEYWORDS, Sink

WITHOUT_DSN = tuple(word for word in KEYWORDS if word != "DSN")


def run(test: Coroutine[None, None, None]) -> None:
    uvloop.run(test)


def home(port: int):  # type: ignore[no-untyped-def]
    """Where the sender's own mail goes."""
    return to_smart_host(port, "home", address_spaces=(AddressSpace(space="contoso.example"),))


def test_a_refusal_comes_back_to_the_sender_with_the_words_of_the_next_hop(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as out,
            Sink() as back,
            post_office(
                tmp_path, to_smart_host(out.port), home(back.port), retry=RetrySettings(hold_refused_s=0.0)
            ) as office,
        ):
            out.answer(
                "RCPT",
                b"550 5.7.64 TenantAttribution; Relay Access Denied; certificate-name-unknown "
                b"you presented CN=mail2.contoso.example [relay.example 2026-11-23T10:00:00.123Z 08DE2A3B4C5D6E40]\r\n",
            )
            await office.send()
            await office.until(lambda: back.messages)
            (told,) = back.messages
            assert told.reverse_path == ""
            assert told.recipients == ("ann@contoso.example",)
            report = message_from_bytes(told.content)
            words = report.get_payload(0).get_payload(decode=True).decode()
            assert "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-name-unknown" in words
            assert "did not recognise the server by its certificate" in words
            assert "The relay's reason: certificate-name-unknown" in words
            assert "gatepost why 08DE2A3B4C5D6E40" in words
            assert "gatepost protocol-log show 08DE2A3B4C5D6E40" in words
            await office.until_empty()
            assert len(office.told.delivered) == 1

    run(story())


NOT_RECOGNISED = b"550 5.7.64 TenantAttribution; Relay Access Denied; certificate-name-unknown\r\n"


def test_mail_that_our_own_relay_does_not_recognise_is_kept_and_others_mail_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as out,
            Sink() as back,
            post_office(tmp_path, to_smart_host(out.port), home(back.port), retry=RETRY) as office,
        ):
            out.always("RCPT", NOT_RECOGNISED)
            await office.send("bob@fabrikam.example")
            await office.until(lambda: len(office.told.not_recognised) >= 2)
            out.behave()
            await office.send("eve@litware.example", tenant="tailspin", sender="tom@tailspin.example")
            await office.until_empty()
            assert {each.recipients[0] for each in out.messages} == {"bob@fabrikam.example", "eve@litware.example"}
            assert not office.told.failed
            assert not back.messages
            (_, outcome), *_ = office.told.not_recognised
            assert outcome.status == "4.7.0"
            assert "does not recognise this server" in outcome.why

    run(story())


def test_a_recipients_own_host_that_does_not_recognise_this_server_is_no_relay_of_ours(tmp_path: Path) -> None:
    kept = _kept_if_not_recognised_by(to_smart_host(25))
    returned = _kept_if_not_recognised_by(replace(to_smart_host(25), smart_hosts=()))
    assert isinstance(kept, Deferred)
    assert isinstance(returned, Failed)


def _kept_if_not_recognised_by(connector: SendConnector) -> DeliveryOutcome:
    destination = Destination(connector, "fabrikam.example", None, None)  # type: ignore[arg-type]
    reply = RemoteReply(550, "5.7.64", (NOT_RECOGNISED.decode().strip(),))
    refused = Failed(recipient=None, why="refused", status="5.7.64", reply=reply, host="mx")  # type: ignore[arg-type]
    (outcome,) = destination._kept_if_not_recognised([refused])
    return outcome


def test_a_null_reverse_path_gets_no_notification(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as out, post_office(tmp_path, to_smart_host(out.port)) as office:
            await office.send("refuse@fabrikam.example", sender=None)
            await office.until(lambda: office.told.failed)
            await office.until_empty()
            assert out.count == 0

    run(story())


@pytest.mark.parametrize(
    ("to", "notify", "told"),
    [
        ("refuse@fabrikam.example", None, 1),
        ("refuse@fabrikam.example", {"NEVER"}, 0),
        ("refuse@fabrikam.example", {"SUCCESS", "DELAY"}, 0),
        ("refuse@fabrikam.example", {"FAILURE"}, 1),
        ("bob@fabrikam.example", None, 0),
        ("bob@fabrikam.example", {"FAILURE"}, 0),
        ("bob@fabrikam.example", {"SUCCESS"}, 1),
    ],
)
def test_notify_decides_who_is_told(tmp_path: Path, to: str, notify: set[str] | None, told: int) -> None:
    async def story() -> None:
        async with (
            Sink(keywords=WITHOUT_DSN) as out,
            Sink() as back,
            post_office(tmp_path, to_smart_host(out.port), home(back.port)) as office,
        ):
            await office.send(to, dsn=DsnRequest(notify=frozenset(notify) if notify else None))  # type: ignore[arg-type]
            await office.until(lambda: office.told.delivered or office.told.failed)
            await office.until_empty()
            assert back.count == told
            if told and to.startswith("bob"):
                assert b"Action: relayed" in back.content[0]

    run(story())


def test_a_success_report_is_left_to_a_next_hop_that_knows_dsn(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as out,
            Sink() as back,
            post_office(tmp_path, to_smart_host(out.port), home(back.port)) as office,
        ):
            await office.send(dsn=DsnRequest(notify=frozenset({"SUCCESS"})))
            await office.until(lambda: office.told.delivered)
            await office.until_empty()
            assert back.count == 0

    run(story())


def test_a_delay_is_told_once_and_the_end_too(tmp_path: Path) -> None:
    retry = RetrySettings(transient_interval_s=0.05, interval_s=0.05, delay_notice_s=100.0, expiry_s=1000.0)

    async def story() -> None:
        async with (
            Sink() as out,
            Sink() as back,
            post_office(tmp_path, to_smart_host(out.port), home(back.port), retry=retry) as office,
        ):
            await office.send("defer@fabrikam.example")
            await office.until(lambda: office.told.deferred)
            assert back.count == 0
            office.offset += 200
            await office.until(lambda: back.count == 1)
            tries = len(office.told.deferred)
            await office.until(lambda: len(office.told.deferred) > tries + 2)
            assert back.count == 1
            assert b"Action: delayed" in back.content[0]
            assert b"Will-Retry-Until: " in back.content[0]
            office.offset += 1000
            await office.until(lambda: back.count == 2)
            assert b"Action: failed" in back.content[1]
            assert b"Status: 4.4.7" in back.content[1]
            assert b"451 4.2.1 not now" in back.content[1]
            await office.until_empty()

    run(story())


def test_the_whole_message_comes_back_octet_for_octet(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as out,
            Sink() as back,
            post_office(tmp_path, to_smart_host(out.port), home(back.port)) as office,
        ):
            await office.send("refuse@fabrikam.example", content=CONTENT + b"\xe4\xf6\xfc odd octets\r\n", ret="FULL")
            await office.until(lambda: back.messages)
            assert CONTENT + b"\xe4\xf6\xfc odd octets\r\n" in back.content[0]
            assert "BODY=8BITMIME" in back.messages[0].mail_parameters

    run(story())


@pytest.mark.parametrize(("sent_by", "names"), [("fabrikam", False), ("contoso", True)])
def test_a_notification_names_a_tenants_own_server_to_that_tenant_alone(
    tmp_path: Path, sent_by: str, names: bool
) -> None:
    async def story() -> None:
        everything = (AddressSpace(space="contoso.example"),)
        async with (
            Sink() as back,
            post_office(
                tmp_path,
                to_smart_host(9, "mailboxes", "contoso", address_spaces=everything),
                to_smart_host(back.port),
                retry=RetrySettings(expiry_s=0.0),
            ) as office,
        ):
            office.directory.hosted["contoso.example"] = "contoso"
            await office.send("bob@contoso.example", sender="ben@fabrikam.example", tenant=sent_by)
            await office.until(lambda: back.messages)
            told = back.messages[0].content.decode().partition("Received: from x")[0]
            assert "gave up after" in told
            assert ("127.0.0.1" in told) is names
            (failed,) = [each for _, each in office.told.failed]
            assert "127.0.0.1" in failed.why

    run(story())
