"""An account of a session holds what is new, and never changes."""

from collections.abc import Callable

from receiving.relay_side import Relay


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
