"""MAIL, RCPT and content in, replies out: what is taken, whose it is, and what a refusal says."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatepost.mail.trace import MOST_HOPS
from gatepost.queue.store import Avoid
from gatepost.receiving import replies
from gatepost.tenancy.appointment import Appointment, Purpose
from gatepost.tenancy.enrolment import Objection
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.record import Record
from gatepost.tenancy.tenant import TenantLimits
from receiving.relay_side import CONTOSO, FABRIKAM, HOSTNAME, LETTER, MIB, STRANGER, Relay, mailbox, relay

Scenario = Callable[[Relay], Awaitable[None]]
NOBODY = Avoid(tenants=frozenset(), lanes=frozenset())
TRACE = b"Received: from a by b; Sun, 1 Mar 2026 00:00:00 +0000\r\n"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    def run(scenario: Scenario, **said: Any) -> None:
        async def whole() -> None:
            async with relay(tmp_path, **said) as opened:
                await scenario(opened)

        asyncio.run(whole())

    return run


def queued(opened: Relay) -> list[tuple[str | None, str]]:
    """Whose mail delivery got, and to whom it goes."""
    return [(claim.tenant, path.forward_path) for claim in opened.submitted for path in claim.recipients]


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


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_tenants_limit_is_no_other_tenants(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        for sender, address, codes in (
            ("ann@contoso.com", CONTOSO, [250, 450]),
            ("joe@fabrikam.com", FABRIKAM, [250, 250]),
        ):
            said = []
            for _ in range(2):
                session = opened.session(address)
                session.mail(sender)
                said.append(session.recipient().code)
                if said[-1] == 250:
                    await session.content()
            assert said == codes

    run(scenario, limits=TenantLimits(messages_per_minute=1))


def test_a_session_counts_among_its_tenants_until_it_ends(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        first, second = opened.session(), opened.session()
        for session, code in ((first, 250), (second, 450)):
            session.mail()
            assert session.recipient().code == code
        first.acceptance.end(CONTOSO)
        assert second.recipient().code == 250

    run(scenario, limits=TenantLimits(sessions=1))


def test_a_message_too_large_for_its_tenant_is_refused_when_declared_and_when_it_came(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        session = opened.session()
        session.mail(declared_size=1001)
        assert session.recipient().code == 552
        session.mail(declared_size=10)
        assert session.recipient().code == 250
        assert (await session.content(LETTER + b"x" * 1000)).code == 552
        joe = await opened.session(FABRIKAM).message("joe@fabrikam.com", "b@x.example", octets=LETTER + b"x" * 1000)
        assert joe.code == 250
        assert queued(opened) == [("fabrikam", "b@x.example")]

    run(scenario, limits=TenantLimits(message_size=1000))


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
                code = (await session.acceptance.end_content(1)).code
                assert code == (250 if ends == "taken" else 452)
            assert opened.unfinished.of("tenant contoso") == 0
            assert session.acceptance.no_room is None

    run(scenario)


# --- mail for this server --------------------------------------------------------------------------------------------


def test_mail_for_postmaster_is_taken_from_anybody_and_goes_where_the_operator_says(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        reply = await opened.session(STRANGER).message("x@outside.example", f"PostMaster@{HOSTNAME}")
        assert (reply.code, queued(opened)) == (250, [(None, "admin@contoso.com")])

    run(scenario, postmaster=mailbox("admin@contoso.com"))


class Addresses:
    """One-time addresses that wait, and what was seen there."""

    def __init__(self, *appointments: Appointment, objection: Objection | None = None) -> None:
        self.waiting = {each.local_part: each for each in appointments}
        self.verdict = objection
        self.seen: list[tuple[str, Record]] = []

    def at(self, local_part: str) -> Appointment | None:
        return self.waiting.get(local_part)

    def objection(self, appointment: Appointment, evidence: Evidence, judge: object, at: datetime) -> Objection | None:
        return self.verdict

    def refused(self, appointment: Appointment, seen: Record, objection: Objection) -> None:
        self.seen.append(("refused", seen))

    def rehearsed(self, appointment: Appointment, seen: Record, at: datetime) -> None:
        self.seen.append(("rehearsed", seen))

    async def enrolled(self, appointment: Appointment, seen: Record, at: datetime) -> bool:
        self.seen.append(("enrolled", seen))
        return self.waiting.pop(appointment.local_part, None) is not None


def one_time(purpose: Purpose) -> Appointment:
    made_at = datetime(2026, 3, 1, tzinfo=UTC)
    return Appointment(
        id="1",
        purpose=purpose,
        tenant="contoso",
        local_part=f"{purpose}-{'a' * 32}",
        made_at=made_at,
        expires_at=made_at + timedelta(hours=1),
    )


def test_a_rehearsal_records_the_session_and_takes_nothing(run: Callable[..., None]) -> None:
    addresses = Addresses(rehearsal := one_time(Purpose.REHEARSAL))

    async def scenario(opened: Relay) -> None:
        session = opened.session(STRANGER)
        session.mail("x@outside.example")
        assert session.recipient(f"{rehearsal.local_part}@{HOSTNAME}").code == 554
        ((what, seen),) = addresses.seen
        assert (what, seen["address"], seen["mail_from"]) == ("rehearsed", STRANGER, "x@outside.example")
        assert session.recipient(f"rehearsal-{'b' * 32}@{HOSTNAME}") is replies.ONE_TIME_ADDRESS

    run(scenario, one_time_addresses=addresses)


def test_an_enrolment_takes_a_message_of_its_own_which_goes_no_further(run: Callable[..., None]) -> None:
    addresses = Addresses(enrolment := one_time(Purpose.ENROLMENT))
    to = f"{enrolment.local_part}@{HOSTNAME}"

    async def scenario(opened: Relay) -> None:
        session = opened.session()
        session.mail()
        assert session.recipient(to).code == 250
        assert session.recipient("bob@outside.example") is replies.ENROLMENT_ALONE
        assert (await session.content()).code == 250
        assert (addresses.seen[-1][0], queued(opened)) == ("enrolled", [])
        session.mail()
        assert session.recipient("bob@outside.example").code == 250
        assert session.recipient(to) is replies.ONE_TIME_ADDRESS, "it is good once"

    run(scenario, one_time_addresses=addresses)


def test_an_enrolment_address_is_refused_beside_other_recipients_and_to_whom_proves_nothing(
    run: Callable[..., None],
) -> None:
    enrolment = one_time(Purpose.ENROLMENT)
    addresses = Addresses(enrolment)
    to = f"{enrolment.local_part}@{HOSTNAME}"

    async def scenario(opened: Relay) -> None:
        session = opened.session()
        session.mail()
        session.recipient("bob@outside.example")
        assert session.recipient(to) is replies.ENROLMENT_ALONE
        addresses.verdict = Objection(code="no-certificate", says="No certificate was presented", claimed_by=())
        session.mail()
        assert session.recipient(to).code == 550
        assert addresses.seen[-1][0] == "refused"

    run(scenario, one_time_addresses=addresses)


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_an_account_holds_what_is_new_and_never_changes(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        session = opened.session()
        acceptance = session.acceptance
        assert not acceptance.has_unreported
        session.mail()
        session.recipient("one@outside.example")
        assert acceptance.has_unreported
        (first,) = acceptance.take_unreported()
        assert not acceptance.has_unreported
        session.recipient("two@outside.example")
        await session.content()
        (second,) = acceptance.take_unreported()
        assert [len(first.decisions), first.first, first.queue_id] == [1, 0, None]
        assert [len(second.decisions), second.first, second.number] == [2, 1, 0]
        assert second.queue_id is not None and second.reply is not None
        await session.message("ann@contoso.com", "three@outside.example")
        (third,) = acceptance.take_unreported()
        assert (third.number, third.first) == (1, 0)

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
