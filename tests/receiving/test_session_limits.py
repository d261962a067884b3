"""What its tenant's limits leave to one session; no other tenant notices."""

from collections.abc import Callable

from gatepost.tenancy.tenant import TenantLimits
from receiving.relay_side import CONTOSO, FABRIKAM, LETTER, Relay, queued


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
