"""What one tenant's mail costs another: counted in attempts and turns, never in time."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from delivery.post_office import PostOffice, post_office, to_smart_host
from gatepost.delivery.destination import MOST_FRUITLESS
from gatepost.queue.retry import RetrySettings
from gatepost.smtp.client_settings import ClientTimeouts
from gatepost.tenancy.tenant import AddressSpace
from sink import CLOSE, SILENCE, Pause, Sink

DEAD = (AddressSpace(space="*.dead.example"), AddressSpace(space="dead.example"))
BACKLOG = 700


def run(test: Coroutine[None, None, None]) -> None:
    uvloop.run(test)


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def dials(office: PostOffice, connector: str) -> int:
    return sum(row.connector_id == connector and row.context == "attempting to connect" for row in office.log)


async def backlog(office: PostOffice, tenant: str = "contoso", number: int = BACKLOG) -> None:
    await asyncio.gather(
        *(office.send(f"{n}@d{n % 5}.dead.example", tenant=tenant, fresh=False) for n in range(number))
    )


async def until_in_time(office: PostOffice, done: Callable[[], object], most_s: int = 130) -> None:
    """Done before so many seconds of the office's clock are over."""
    for _ in range(most_s):
        if done():
            return
        office.offset += 1
        await asyncio.sleep(0.01)
    await office.until(done)


def test_a_dead_next_hop_costs_one_dial_and_few_attempts_however_much_waits_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        dead = to_smart_host(closed_port(), "dead", address_spaces=DEAD)
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), dead) as office:
            await backlog(office)
            await office.until(lambda: office.told.deferred)
            for n in range(50):
                await office.send(f"{n}@alive.example", tenant="tailspin", fresh=n % 2 == 0)
            await office.until(lambda: sink.count == 50)
            await asyncio.sleep(0.1)
            assert dials(office, "dead") == 1
            # What one round claims before it hears of the failure, and what it held already.
            assert len(office.told.deferred) <= 400
            assert {claim.tenant for claim, _, _ in office.told.deferred} == {"contoso"}

    run(story())


def test_when_a_dead_next_hop_is_up_again_all_that_waited_goes_out(tmp_path: Path) -> None:
    async def story() -> None:
        port = closed_port()
        quick = RetrySettings(glitch_interval_s=0.2, transient_interval_s=0.2, interval_s=0.2)
        async with post_office(tmp_path, to_smart_host(port), retry=quick) as office:
            await backlog(office)
            await office.until(lambda: office.told.deferred)
            async with Sink(keep=False) as sink:
                office.directory.change(to_smart_host(sink.port))
                await office.until(lambda: sink.count == BACKLOG)

    run(story())


def test_a_next_hop_that_takes_sessions_and_no_mail_is_left_alone_after_a_few(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port), per_destination=1) as office:
            sink.always("MAIL", b"421 4.3.2 shutting down\r\n", CLOSE)
            await backlog(office)
            await office.until(lambda: len(office.told.deferred) >= MOST_FRUITLESS)
            await asyncio.sleep(0.1)
            assert sink.sessions == MOST_FRUITLESS
            assert len(office.told.deferred) <= 400
            assert {str(outcome.reply) for _, outcome, _ in office.told.deferred} == {"421 4.3.2 shutting down"}

    run(story())


def test_refused_messages_do_not_make_a_next_hop_count_as_down(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port)) as office:
            for n in range(3 * MOST_FRUITLESS):
                await office.send(f"defer{n}@x.example")
            await office.until(lambda: len(office.told.deferred) == 3 * MOST_FRUITLESS)
            await office.send("bob@x.example")
            await office.until(lambda: sink.count == 1)

    run(story())


def test_senders_are_told_in_time_though_a_dead_next_hop_is_not_attempted_for_each_message(tmp_path: Path) -> None:
    async def story() -> None:
        dead = to_smart_host(closed_port(), "dead", address_spaces=DEAD)
        retry = RetrySettings(glitch_interval_s=900, delay_notice_s=1000, expiry_s=2000)
        async with (
            Sink(keep=False) as home,
            post_office(tmp_path, to_smart_host(home.port), dead, retry=retry, over_share=10) as office,
        ):
            await backlog(office, number=300)
            await office.until(lambda: office.told.deferred)
            assert len(office.told.deferred) < 300
            office.offset = 880
            await asyncio.sleep(0.05)
            assert home.count == 0
            office.offset = 1_850
            await until_in_time(office, lambda: home.count == 300)
            assert not office.told.failed
            office.offset = 2_850
            await until_in_time(office, lambda: len(office.told.failed) == 300)
            assert dials(office, "dead") < 10

    run(story())


def test_tenants_take_turns_at_one_next_hop(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as sink,
            post_office(tmp_path, to_smart_host(sink.port), per_destination=1, over_share=50) as office,
        ):
            sink.always("MAIL", Pause(0.002), b"250 ok\r\n")
            for n in range(60):
                await office.send(f"{n}@x.example", tenant="contoso", sender="flood@contoso.example")
            await backlog(office, number=60)
            for n in range(10):
                await office.send(f"{n}@x.example", tenant="tailspin", sender="ann@tailspin.example", fresh=n % 2 == 0)
            before = sink.count
            await office.until(lambda: sink.count == 130)
            senders = [message.reverse_path for message in sink.messages]
            last = max(n for n, sender in enumerate(senders) if sender == "ann@tailspin.example")
            # Each of tailspin's ten has one of contoso's before it, and some were under way when they came.
            assert last <= before + 50

    run(story())


def test_one_tenant_takes_half_of_the_memory_and_some_is_left_for_every_other(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Sink() as sink,
            post_office(tmp_path, to_smart_host(sink.port), per_destination=1, most_waiting=100) as office,
        ):
            sink.always("MAIL", Pause(5.0), b"250 ok\r\n")
            sent = 0
            while office.scheduler.has_room_for("contoso"):
                await office.send(f"{sent}@x.example")
                sent += 1
            assert 50 <= sent <= 52
            assert office.scheduler.has_room_for("tailspin")
            for tenant in ("t1", "t2", "t3", "t4", "t5"):
                while office.scheduler.has_room_for(tenant):
                    await office.send("x@x.example", tenant=tenant)
                assert office.scheduler.has_room_for("tailspin")

    run(story())


def test_hosts_that_never_answer_leave_connections_to_other_tenants(tmp_path: Path) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            sink = await stack.enter_async_context(Sink())
            connectors = [to_smart_host(sink.port)]
            for n in range(12):
                silent = await stack.enter_async_context(Sink())
                silent.always("GREETING", SILENCE)
                space = (AddressSpace(space=f"d{n}.example"),)
                connectors.append(to_smart_host(silent.port, f"silent{n}", address_spaces=space))
            patient = ClientTimeouts(greeting_s=300, command_s=5, data_s=5, block_s=5, end_of_data_s=5, quit_s=1)
            how = {"connections": 10, "timeouts": patient}
            office = await stack.enter_async_context(post_office(tmp_path, *connectors, **how))
            for n in range(12):
                await office.send(f"x@d{n}.example", tenant="contoso")
            await office.send("x@alive.example", tenant="tailspin")
            await office.until(lambda: sink.count == 1)

    run(story())
