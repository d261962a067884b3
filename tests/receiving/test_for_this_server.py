"""Mail for this server's own name: its postmaster, and one-time addresses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gatepost.receiving import replies
from gatepost.tenancy.enrolment import Objection
from gatepost.tenancy.evidence import Evidence
from gatepost.tenancy.fields import Record
from gatepost.tenancy.one_time_address import OneTimeAddress, Purpose
from receiving.relay_side import HOSTNAME, STRANGER, Relay, mailbox, queued


def test_mail_for_postmaster_is_taken_from_anybody_and_goes_where_the_operator_says(run: Callable[..., None]) -> None:
    async def scenario(opened: Relay) -> None:
        reply = await opened.session(STRANGER).message("x@outside.example", f"PostMaster@{HOSTNAME}")
        assert (reply.code, queued(opened)) == (250, [(None, "admin@contoso.com")])

    run(scenario, postmaster=mailbox("admin@contoso.com"))


class Addresses:
    """One-time addresses that wait, and what was seen there."""

    def __init__(self, *one_time_addresses: OneTimeAddress, objection: Objection | None = None) -> None:
        self.waiting = {each.local_part: each for each in one_time_addresses}
        self.verdict = objection
        self.seen: list[tuple[str, Record]] = []

    def at(self, local_part: str) -> OneTimeAddress | None:
        return self.waiting.get(local_part)

    def objection(
        self, one_time_address: OneTimeAddress, evidence: Evidence, judge: object, at: datetime
    ) -> Objection | None:
        return self.verdict

    def refused(self, one_time_address: OneTimeAddress, seen: Record, objection: Objection) -> None:
        self.seen.append(("refused", seen))

    def rehearsed(self, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> None:
        self.seen.append(("rehearsed", seen))

    async def enrolled(self, one_time_address: OneTimeAddress, seen: Record, at: datetime) -> bool:
        self.seen.append(("enrolled", seen))
        return self.waiting.pop(one_time_address.local_part, None) is not None


def one_time(purpose: Purpose) -> OneTimeAddress:
    made_at = datetime(2026, 3, 1, tzinfo=UTC)
    return OneTimeAddress(
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
