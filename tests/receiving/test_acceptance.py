"""MAIL, RCPT and content in, replies out: what is taken, whose it is, and what a refusal says."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from contracts.directory_contract import connector
from gatepost.mail.trace import MOST_HOPS
from gatepost.queue.store import Avoid
from gatepost.receiving import replies
from gatepost.store.directory.editor import SqliteDirectoryEditor
from receiving.relay_side import CONTOSO, FABRIKAM, LETTER, MIB, STRANGER, Relay, queued, relay

NOBODY = Avoid(tenants=frozenset(), keys=frozenset())
TRACE = b"Received: from a by b; Sun, 1 Mar 2026 00:00:00 +0000\r\n"


# --- whose mail it is ------------------------------------------------------------------------------------------------


def test_mail_is_taken_for_the_tenant_whose_server_sends_it(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        assert (await opened.session(CONTOSO).message("ann@contoso.com", "bob@outside.example")).code == 250
        assert (await opened.session(FABRIKAM).message("joe@fabrikam.com", "eve@outside.example")).code == 250
        assert queued(opened) == [("contoso", "bob@outside.example"), ("fabrikam", "eve@outside.example")]

    run(scenario)


def test_250_has_the_message_on_stable_storage_behind_it(tmp_path: Path) -> None:
    async def accept() -> None:
        async with relay(tmp_path, claim_at_once=lambda tenant: False) as opened:
            reply = await opened.session().message("ann@contoso.com", "bob@outside.example")
            assert (reply.code, opened.submitted) == (250, [])
            (claim,) = opened.store.claim_due(opened.now + 1, 10, NOBODY)
            octets = b"".join(opened.store.open_content(claim.message).chunks())
            assert octets.startswith(b"Received: from mail.peer.example") and octets.endswith(LETTER)
            assert b"gatepost: relay, by address" in octets

    asyncio.run(accept())


def test_mail_is_taken_only_while_the_session_is_still_the_tenants(tmp_path: Path) -> None:
    async def accept() -> None:
        async with relay(tmp_path) as opened:
            sessions = opened.session(CONTOSO), opened.session(FABRIKAM), opened.session(STRANGER)
            for session, sender in zip(sessions, ("ann@contoso.com", "joe@fabrikam.com", "x@y.example"), strict=True):
                session.mail(sender)
                assert session.recipient("ann@contoso.com").code == 250
            with closing(SqliteDirectoryEditor(tmp_path / "directory.sqlite", who="tester")) as editor:
                editor.remove_inbound_connector(connector("servers", "contoso"))
            assert opened.directory.refresh()
            replies = [await session.content() for session in sessions]
            assert [reply.code for reply in replies] == [451, 250, 250]
            assert "attribution-changed" in str(replies[0])

    asyncio.run(accept())


def test_one_transaction_may_be_of_a_recipients_tenant_and_another_of_nobodys(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        stranger = opened.session(STRANGER)
        stranger.mail("x@outside.example")
        assert stranger.recipient("ann@contoso.com").code == 250
        assert stranger.recipient("joe@fabrikam.com").code == 250
        refusal = stranger.recipient("eve@elsewhere.example")
        assert str(refusal).startswith("550 5.7.64 TenantAttribution; Relay Access Denied")
        assert (await stranger.content()).code == 250
        assert queued(opened) == [("contoso", "ann@contoso.com"), ("fabrikam", "joe@fabrikam.com")]
        assert stranger.acceptance.by_stranger and stranger.acceptance.refused

    run(scenario)


def test_a_refusal_says_nothing_of_anybodys_configuration_and_the_event_has_its_reason(
    run: Callable[..., None],
) -> None:
    async def scenario(opened: Relay) -> None:
        stranger = opened.session(STRANGER)
        stranger.mail("ann@contoso.com")
        refusal = str(stranger.recipient())
        assert "servers" not in refusal and FABRIKAM not in refusal and "08DD34FA3086278D" in refusal
        (told,) = opened.told("refused")
        assert (told["mail_from"], told["rcpt_to"], told["reply"]) == (
            "ann@contoso.com",
            "bob@outside.example",
            refusal,
        )

    run(scenario)


def test_a_refusal_can_wait_for_the_end_of_the_content_and_nothing_is_stored(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        stranger = opened.session(STRANGER)
        stranger.mail("x@outside.example")
        assert stranger.recipient("eve@elsewhere.example") is replies.RECIPIENT_OK
        assert (await stranger.content()).code == 550
        assert queued(opened) == []

    run(scenario, refuse_at_end=True)


# --- what is refused before anybody is attributed --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"require_tls": True}, replies.STARTTLS_FIRST),
        ({"waiting": lambda: 20_000}, replies.STORE_BUSY),
        ({"is_full": lambda: True}, replies.QUEUE_FULL),
    ],
)
def test_mail_is_refused_where_the_listener_or_the_queue_cannot_take_any(
    run: Callable[..., None], said: dict[str, Any], refusal: object
) -> None:
    async def scenario(opened: Relay) -> None:
        session = opened.session()
        assert session.mail() is refusal
        assert (session.acceptance.transaction, session.acceptance.refusals.total) == (None, 1)

    run(scenario, **said)


def test_irregular_paths_are_taken_of_tenants_own_servers_alone(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        for address, code in ((CONTOSO, 250), (STRANGER, 501)):
            session = opened.session(address)
            session.mail("x@outside.example" if address is STRANGER else "ann@contoso.com")
            to = "joe@fabrikam.com"
            assert session.recipient(to, irregular="A path is written in brackets").code == code

    run(scenario)


def test_a_message_that_goes_in_circles_ends_here(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        session = opened.session()
        assert (await session.message("ann@contoso.com", "b@x.example", octets=TRACE * MOST_HOPS + LETTER)).code == 250
        looping = TRACE * (MOST_HOPS + 1) + LETTER
        assert await session.message("ann@contoso.com", "b@x.example", octets=looping) is replies.TOO_MANY_HOPS
        in_the_body = LETTER + TRACE * (MOST_HOPS + 1)
        assert (await session.message("ann@contoso.com", "b@x.example", octets=in_the_body)).code == 250

    run(scenario)


def test_room_for_unfinished_content_is_given_back_whatever_becomes_of_it(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        session = opened.session()
        for ends in ("taken", "dropped", "refused"):
            session.mail()
            session.recipient()
            session.acceptance.begin_content()
            session.acceptance.content(b"x" * (2 * MIB if ends == "refused" else MIB // 2))
            assert (session.acceptance.no_room is replies.CONTENT_FULL) == (ends == "refused")
            assert opened.unfinished.of("tenant contoso") > 0
            if ends == "dropped":
                session.acceptance.drop_content()
            else:
                code = (await session.end_content(1)).code
                assert code == (250 if ends == "taken" else 452)
            assert opened.unfinished.of("tenant contoso") == 0
            assert session.acceptance.no_room is None

    run(scenario)


def test_refusals_that_repeat_are_counted_and_told_as_a_number_at_the_end(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        stranger = opened.session(STRANGER)
        stranger.mail("x@outside.example")
        for number in range(30):
            assert stranger.recipient(f"{number}@elsewhere.example").code == 550
        (account,) = stranger.acceptance.take_unreported()
        assert len(account.decisions) + account.more_refused == 30
        assert len(opened.told("refused")) == len(account.decisions)
        stranger.acceptance.end(STRANGER)
        (again,) = opened.told("refused-again")
        assert again["recipients"] == account.more_refused

    run(scenario)
