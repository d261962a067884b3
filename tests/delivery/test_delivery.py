"""Delivery over real sockets, from a real queue file."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path

import pytest
import uvloop

from delivery.post_office import CONTENT, RETRY, NotSettled, post_office, to_smart_host
from gatepost.delivery import settling
from gatepost.mail.envelope import Body, DsnRequest
from gatepost.queue.message import Claim
from gatepost.queue.outcome import Settlement
from gatepost.queue.retry import RetrySettings
from gatepost.queue.store import Promise, QueueFilter
from gatepost.smtp.client_settings import ClientTimeouts
from gatepost.store.queue.admin import SqliteQueueAdmin
from gatepost.tenancy.tenant import AddressSpace, SendConnector, SmartHost
from sink import CLOSE, KEYWORDS, SILENCE, Action, Pause, Sink


def run(test: Coroutine[None, None, None]) -> None:
    uvloop.run(test)


def test_a_fresh_message_is_delivered_and_its_row_goes(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            await office.send("bob@fabrikam.example", "eve@fabrikam.example")
            await office.until(lambda: len(office.told.delivered) == 2)
            assert sink.messages[0].recipients == ("bob@fabrikam.example", "eve@fabrikam.example")
            assert sink.messages[0].reverse_path == "ann@contoso.example"
            assert sink.content == [CONTENT]
            (_, outcome), _ = office.told.delivered
            assert str(outcome.reply) == "250 2.6.0 sunk"
            assert outcome.host == f"127.0.0.1[127.0.0.1]:{sink.port}"
            await office.until_empty()

    run(story())


def test_mail_that_waited_in_the_queue_is_delivered_too(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            await office.send(fresh=False)
            await office.until(lambda: office.told.delivered)
            assert sink.content == [CONTENT]

    run(story())


@pytest.mark.parametrize("keywords", [KEYWORDS, ("PIPELINING",), ()])
def test_large_content_arrives_octet_for_octet(tmp_path: Path, keywords: tuple[str, ...]) -> None:
    content = CONTENT + b".dots\r\n..and more\r\n" * 40_000

    async def story() -> None:
        async with Sink(keywords=keywords) as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            await office.send(content=content)
            await office.send(content=CONTENT)
            await office.until(lambda: len(office.told.delivered) == 2)
            assert sorted(sink.content, key=len) == [CONTENT, content]

    run(story())


def test_many_messages_share_few_connections(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as sink,
            post_office(tmp_path, to_smart_host(sink.port), per_destination=3, most_transactions=50) as office,
        ):
            await asyncio.gather(*(office.send() for _ in range(300)))
            await office.until(lambda: len(office.told.delivered) == 300)
            assert sink.most_sessions <= 3
            assert 6 <= sink.sessions <= 9

    run(story())


def test_a_slow_destination_holds_up_no_other(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as slow, Sink() as quick:
            slow.always("MAIL", SILENCE)
            connectors = (
                to_smart_host(slow.port, "slow", address_spaces=(AddressSpace(space="slow.example"),)),
                to_smart_host(quick.port, "quick", tenant="fabrikam"),
            )
            async with post_office(tmp_path, *connectors, per_destination=2) as office:
                for _ in range(30):
                    await office.send("x@slow.example")
                await office.until(lambda: slow.open_sessions == 2)
                for _ in range(30):
                    await office.send("bob@adatum.example", tenant="fabrikam")
                await office.until(lambda: len(office.told.delivered) == 30)
                assert quick.count == 30
                assert slow.most_sessions == 2

    run(story())


def test_no_more_connections_than_allowed_are_open_and_idle_ones_make_room(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as one, Sink() as two:
            connectors = (
                to_smart_host(one.port, "one", address_spaces=(AddressSpace(space="one.example"),)),
                to_smart_host(two.port, "two", address_spaces=(AddressSpace(space="two.example"),)),
            )
            async with post_office(tmp_path, *connectors, connections=1) as office:
                for turn in range(3):
                    await office.send("x@one.example")
                    await office.send("x@two.example")
                    await office.until(lambda turn=turn: len(office.told.delivered) == 2 * turn + 2)
                assert one.open_sessions + two.open_sessions <= 1

    run(story())


def test_each_recipient_has_its_own_fate(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            await office.send("bob@fabrikam.example", "refuse@fabrikam.example", "defer@fabrikam.example", sender=None)
            await office.until(lambda: office.told.delivered and office.told.failed and office.told.deferred)
            assert str(office.told.failed[0][1].reply) == "550 5.1.1 no such recipient"
            assert str(office.told.deferred[0][1].reply) == "451 4.2.1 not now"
            assert office.told.deferred[0][2].reply == "451 4.2.1 not now"

    run(story())


def test_a_message_to_very_many_goes_in_transactions_of_a_hundred(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            await office.send(*(f"r{n}@fabrikam.example" for n in range(250)))
            await office.until(lambda: len(office.told.delivered) == 250)
            assert sorted(len(message.recipients) for message in sink.messages) == [50, 100, 100]
            assert sink.sessions == 1

    run(story())


def test_recipients_that_were_too_many_follow_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            sink.answer("RCPT", b"250 2.1.5 ok\r\n")
            sink.answer("RCPT", b"452 4.5.3 too many recipients\r\n")
            await office.send("a@fabrikam.example", "b@fabrikam.example")
            await office.until(lambda: len(office.told.delivered) == 2)
            assert [message.recipients for message in sink.messages] == [
                ("a@fabrikam.example",),
                ("b@fabrikam.example",),
            ]

    run(story())


@pytest.mark.parametrize(
    ("verb", "actions", "status"),
    [
        ("MAIL", (CLOSE,), "4.4.2"),
        ("RCPT", (CLOSE,), "4.4.2"),
        ("CONTENT", (CLOSE,), "4.4.2"),
        ("END", (CLOSE,), "4.4.2"),
        ("MAIL", (b"421 4.3.2 down\r\n", CLOSE), "4.3.2"),
        ("RCPT", (b"421 4.3.2 down\r\n", CLOSE), "4.3.2"),
        ("END", (b"421 4.3.2 down\r\n", CLOSE), "4.3.2"),
        ("END", (b"250-yes\r\n550 no\r\n",), "4.5.0"),
        ("END", (b"nonsense\r\n",), "4.5.0"),
        ("MAIL", (SILENCE,), "4.4.2"),
        ("GREETING", (b"554 5.7.1 never\r\n", CLOSE), "4.3.2"),
        ("GREETING", (CLOSE,), "4.4.2"),
        ("EHLO", (CLOSE,), "4.4.2"),
    ],
)
def test_whatever_breaks_defers_and_the_next_attempt_delivers(
    tmp_path: Path, verb: str, actions: tuple[Action, ...], status: str
) -> None:
    timeouts = ClientTimeouts(greeting_s=0.2, command_s=0.2, data_s=0.2, end_of_data_s=0.2, quit_s=0.2)

    async def story() -> None:
        async with Sink() as sink:
            sink.answer(verb, *actions)
            how = {"retry": RETRY, "timeouts": timeouts}
            async with post_office(tmp_path, to_smart_host(sink.port), **how) as office:
                await office.send()
                await office.until(lambda: office.told.delivered)
                assert office.told.deferred[0][1].status == status
                assert not office.told.failed

    run(story())


def test_a_reply_before_the_hang_up_counts(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            sink.answer("END", b"250 2.6.0 mine\r\n", CLOSE)
            await office.send()
            await office.until(lambda: office.told.delivered)
            assert not office.told.deferred

    run(story())


@pytest.mark.parametrize("actions", [(CLOSE,), (b"421 4.3.2 enough\r\n", CLOSE)])
def test_a_used_connection_that_ends_before_the_next_message_costs_no_attempt(
    tmp_path: Path, actions: tuple[Action, ...]
) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            await office.send()
            await office.until(lambda: office.told.delivered)
            sink.answer("MAIL", *actions)
            await office.send()
            await office.until(lambda: len(office.told.delivered) == 2)
            assert not office.told.deferred
            assert sink.sessions == 2

    run(story())


def test_a_dead_host_costs_one_attempt_however_much_mail_waits(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            sink.always("GREETING", b"421 4.3.2 full\r\n", CLOSE)
            await asyncio.gather(*(office.send() for _ in range(50)))
            await office.until(lambda: len(office.told.deferred) == 50)
            await office.send()
            await office.until(lambda: len(office.told.deferred) == 51)
            assert sink.sessions == 1
            _, outcome, again = office.told.deferred[-1]
            assert outcome.glitch
            assert again.due_at > office.now() + 800

    run(story())


def test_an_operator_who_retries_is_not_made_to_wait_for_a_dead_host(tmp_path: Path) -> None:
    async def story() -> None:
        retry = RetrySettings(glitch_interval_s=0.3)
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), retry=retry) as office:
            sink.answer("GREETING", CLOSE)
            await office.send()
            await office.until(lambda: office.told.deferred)
            office.scheduler.wake()
            await office.send()
            await office.until(lambda: office.told.delivered)
            (_, why), (connector, again) = office.told.next_hops
            assert why and connector == "out" and not again

    run(story())


def test_a_connection_refused_is_a_glitch(tmp_path: Path) -> None:
    async def story() -> None:
        async with post_office(tmp_path, to_smart_host(9)) as office:
            await office.send()
            await office.until(lambda: office.told.deferred)
            outcome = office.told.deferred[0][1]
            assert outcome.status == "4.4.1"
            assert "refused" in outcome.why
            assert outcome.glitch

    run(story())


def test_the_second_smart_host_takes_over_from_a_dead_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink:
            connector = SendConnector(
                name="pair",
                address_spaces=(AddressSpace(space="*"),),
                smart_hosts=(SmartHost(host="127.0.0.1", port=9), SmartHost(host="localhost", port=sink.port)),
            )
            async with post_office(tmp_path, connector) as office:
                await office.send()
                await office.until(lambda: office.told.delivered)
                assert not office.told.deferred

    run(story())


def test_without_a_send_connector_mail_waits_and_the_operator_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink:
            elsewhere = to_smart_host(sink.port, address_spaces=(AddressSpace(space="adatum.example"),))
            async with post_office(tmp_path, elsewhere, retry=RETRY) as office:
                await office.send()
                await office.until(lambda: office.told.deferred)
                assert office.told.deferred[0][1].status == "4.4.4"
                assert "gatepost send-connector add" in office.told.warnings[0]
                office.directory.change(elsewhere, to_smart_host(sink.port, "late"))
                await office.until(lambda: office.told.delivered)

    run(story())


def test_a_changed_connector_acts_on_mail_that_waits(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as old, Sink() as new, post_office(tmp_path, to_smart_host(old.port)) as office:
            old.always("GREETING", SILENCE)
            await asyncio.gather(*(office.send() for _ in range(5)))
            await office.until(lambda: old.sessions)
            office.directory.change(to_smart_host(new.port))
            await office.until(lambda: len(office.told.delivered) == 5)
            assert new.count == 5

    run(story())


def test_mail_for_a_tenants_domain_goes_that_tenants_way_whoever_sends_it(tmp_path: Path) -> None:
    """contoso hosts contoso.example; fabrikam's own connector would take everything."""

    async def story() -> None:
        async with Sink() as home, Sink() as elsewhere, post_office(tmp_path) as office:
            office.directory.hosted["contoso.example"] = "contoso"
            theirs = to_smart_host(elsewhere.port, tenant="fabrikam", name="fabrikam-all")
            office.directory.change(theirs, to_smart_host(home.port, tenant="contoso", name="contoso-home"))
            await office.send("a@contoso.example", tenant="fabrikam")
            await office.send("b@outside.example", tenant="fabrikam")
            await office.until(lambda: len(office.told.delivered) == 2)
            assert [message.recipients for message in home.messages] == [("a@contoso.example",)]
            assert [message.recipients for message in elsewhere.messages] == [("b@outside.example",)]
            # Without a way of contoso's nothing of fabrikam's takes its place.
            office.directory.change(theirs)
            await office.send("c@contoso.example", tenant="fabrikam")
            await office.until(lambda: len(office.told.deferred) == 1)
            assert len(elsewhere.messages) == 1

    run(story())


def test_a_tenants_mail_goes_by_its_own_connector_and_nobody_elses(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as contoso, Sink() as internet:
            connectors = (
                to_smart_host(contoso.port, "own", tenant="contoso"),
                to_smart_host(internet.port, "internet"),
            )
            async with post_office(tmp_path, *connectors) as office:
                await office.send(tenant="contoso")
                await office.send(tenant="fabrikam")
                await office.send(tenant=None)
                await office.until(lambda: len(office.told.delivered) == 3)
                assert (contoso.count, internet.count) == (1, 2)

    run(story())


def test_what_waits_beyond_the_memory_bound_is_read_from_the_store_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as sink,
            post_office(tmp_path, to_smart_host(sink.port), most_waiting_octets=100, per_destination=1) as office,
        ):
            sink.answer("GREETING", Pause(0.1), b"220 now\r\n")
            await asyncio.gather(*(office.send() for _ in range(10)))
            await office.until(lambda: len(office.told.delivered) == 10)
            assert sink.content == [CONTENT] * 10

    run(story())


def test_a_crowded_destination_leaves_its_due_mail_in_the_store(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as stuck, Sink() as sink:
            stuck.always("MAIL", SILENCE)
            connectors = (
                to_smart_host(stuck.port, "stuck", address_spaces=(AddressSpace(space="stuck.example"),)),
                to_smart_host(sink.port, "rest"),
            )
            async with post_office(tmp_path, *connectors, over_share=5, most_waiting=20, per_destination=1) as office:
                await asyncio.gather(*(office.send("x@stuck.example", fresh=False) for _ in range(60)))
                await office.until(lambda: stuck.open_sessions)
                await office.send("bob@fabrikam.example", fresh=False)
                await office.until(lambda: office.told.delivered)
                await office.until(lambda: office.scheduler.in_hand < 60)

    run(story())


def test_parameters_travel_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            dsn = DsnRequest(notify=frozenset({"SUCCESS"}), orcpt="rfc822;bob@fabrikam.example")
            await office.send(dsn=dsn, ret="HDRS", envid="QQ", body=Body.EIGHT_BIT_MIME)
            await office.until(lambda: office.told.delivered)
            (message,) = sink.messages
            assert message.mail_parameters == f"SIZE={len(CONTENT)} BODY=8BITMIME RET=HDRS ENVID=QQ"
            assert message.rcpt_parameters == ("NOTIFY=SUCCESS ORCPT=rfc822;bob@fabrikam.example",)

    run(story())


def test_the_protocol_log_shows_the_session_as_exchange_does(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink(keywords=("PIPELINING", "SIZE 1000")) as sink:
            connector = to_smart_host(sink.port, "Outbound to relay")
            async with post_office(tmp_path, connector) as office:
                await office.send()
                await office.until(lambda: office.told.delivered)
                await office.scheduler.stop()
                await office.until(lambda: office.log[-1].event == "-")
                message_id = office.told.delivered[0][0].message.id
                assert office.rows() == [
                    ("*", "", "attempting to connect"),
                    ("+", "", ""),
                    ("<", "220 sink.example ESMTP", ""),
                    (">", "EHLO edge.contoso.example", ""),
                    ("<", "250  sink.example PIPELINING SIZE 1000", ""),
                    ("*", "", f"sending message with RecordId {message_id} and InternetMessageId <1@contoso.example>"),
                    (">", f"MAIL FROM:<ann@contoso.example> SIZE={len(CONTENT)}", ""),
                    (">", "RCPT TO:<bob@fabrikam.example>", ""),
                    (">", "DATA", ""),
                    ("<", "250 2.1.0 sender ok", ""),
                    ("<", "250 2.1.5 recipient ok", ""),
                    ("<", "354 go on", ""),
                    ("<", "250 2.6.0 sunk", ""),
                    (">", "QUIT", ""),
                    ("<", "221 2.0.0 bye", ""),
                    ("-", "", "Local"),
                ]
                assert [row.sequence_number for row in office.log] == list(range(16))
                assert {row.connector_id for row in office.log} == {"Outbound to relay"}
                assert len({row.session_id for row in office.log}) == 1
                assert office.log[0].local_endpoint == ""
                assert office.log[1].local_endpoint.startswith("127.0.0.1:")

    run(story())


def test_a_connector_with_its_log_off_writes_none(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port, protocol_log=False)) as office:
            await office.send()
            await office.until(lambda: office.told.delivered)
            assert not office.log

    run(story())


def test_content_that_an_operator_removed_meanwhile_is_not_sent(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), per_destination=1) as office:
            sink.answer("GREETING", Pause(0.2), b"220 now\r\n")
            await office.send("bob@fabrikam.example")
            await office.send("eve@adatum.example")
            SqliteQueueAdmin(tmp_path).remove(QueueFilter(domain="adatum.example"))
            assert office.store.changed_by_others()
            await office.until(lambda: office.told.delivered)
            await office.until(lambda: not office.scheduler.in_hand)
            assert sink.count == 1

    run(story())


def test_an_operator_can_return_a_message_to_its_sender(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as out, Sink() as back:
            home = to_smart_host(back.port, "home", address_spaces=(AddressSpace(space="contoso.example"),))
            async with post_office(tmp_path, to_smart_host(out.port), home) as office:
                await office.send("defer@fabrikam.example")
                await office.until(lambda: office.told.deferred)
                SqliteQueueAdmin(tmp_path).bounce(QueueFilter(domain="fabrikam.example"), office.now())
                assert office.store.changed_by_others()
                office.scheduler.wake()
                await office.until(lambda: back.messages)
                assert office.told.failed[0][1].why == "an administrator returned the message"
                assert not out.messages

    run(story())


def test_while_the_queue_cannot_be_written_nothing_more_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "SETTLE_AGAIN_S", 0.02)

    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), per_destination=1) as office:
            broken = True
            settle = office.store.settle

            def settle_or_fail(settlement: Settlement) -> Promise[Sequence[Claim]]:
                return NotSettled() if broken else settle(settlement)

            monkeypatch.setattr(office.store, "settle", settle_or_fail)
            await office.send()
            await office.until(lambda: office.told.warnings)
            assert "disk full" in office.told.warnings[0]
            assert not office.scheduler.has_room
            for _ in range(5):
                await office.send()
            await asyncio.sleep(0.1)
            assert sink.count == 1
            assert not office.told.delivered
            broken = False
            await office.until(lambda: len(office.told.delivered) == 6)
            assert sink.count == 6

    run(story())


def test_stopping_lets_what_is_under_way_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            sink.answer("END", Pause(0.1), b"250 2.6.0 at last\r\n")
            await office.send()
            await office.until(lambda: sink.count)
            await office.scheduler.stop(grace_s=5)
            assert len(office.told.delivered) == 1
            assert sink.commands[-1] == "QUIT"

    run(story())


def test_stopping_does_not_wait_for_ever(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            sink.answer("MAIL", SILENCE)
            await office.send()
            await office.until(lambda: "MAIL" in " ".join(sink.commands))
            await office.scheduler.stop(grace_s=0.05)
            assert office.told.deferred[0][1].why.startswith("this server stopped")

    run(story())


def test_a_peer_that_reads_nothing_is_given_up(tmp_path: Path) -> None:
    timeouts = ClientTimeouts(command_s=5, data_s=5, block_s=0.3, end_of_data_s=5, quit_s=1)

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(b"250-x\r\n250 CHUNKING\r\n")
        for _ in range(2):
            await reader.readuntil(b"\r\n")
            writer.write(b"250 ok\r\n")
        await asyncio.sleep(30)

    async def story() -> None:
        server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
        port = server.sockets[0].getsockname()[1]
        async with post_office(tmp_path, to_smart_host(port), timeouts=timeouts) as office:
            await office.send(content=CONTENT + b"x" * 20_000_000)
            await office.until(lambda: office.told.deferred)
            assert office.told.deferred[0][1].why == "the next hop took the content too slowly"
        server.close()

    run(story())


def test_of_a_very_long_refusal_little_is_kept_anywhere_and_another_tenants_mail_goes_on(tmp_path: Path) -> None:
    refusal = b"550-" + b"x" * 300 + b"\r\n"

    async def scenario() -> None:
        async with Sink() as hostile, Sink() as honest:
            hostile.always("RCPT", refusal * 190 + b"550 5.7.1 the end\r\n")
            to_hostile = to_smart_host(
                hostile.port, "hostile", tenant="contoso", address_spaces=(AddressSpace(space="evil.example"),)
            )
            async with post_office(tmp_path, to_hostile, to_smart_host(honest.port, "honest")) as office:
                await office.send(*(f"user{n}@evil.example" for n in range(30)))
                await office.send("eve@other.example", tenant="fabrikam")
                await office.until(lambda: len(office.told.failed) == 30 and len(honest.messages) == 2)
                for _, failed in office.told.failed:
                    assert failed.reply is not None
                    assert len(failed.reply.lines) <= 20
                    assert "more lines" in failed.reply.lines[-2]
                rows = [row for row in office.log if row.data.startswith("550")]
                assert len(rows) == 30
                assert all(len(row.data) < 5000 for row in rows)
                (notification,) = (each for each in honest.messages if not each.reverse_path.strip("<>"))
                assert len(notification.content) < 150_000

    asyncio.run(scenario())


def test_the_banner_of_another_service_is_in_the_protocol_log_and_nowhere_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as sink:
            sink.always("GREETING", b"SSH-2.0-OpenSSH_9.2p1 internal-db01\r\n")
            async with post_office(tmp_path, to_smart_host(sink.port)) as office:
                await office.send()
                await office.until(lambda: office.told.deferred)
                _, deferred, again = office.told.deferred[0]
                assert deferred.why == again.reply == "the next hop does not speak SMTP"
                assert ("<", "SSH-2.0-OpenSSH_9.2p1 internal-db01", "") in office.rows()

    asyncio.run(scenario())
