import asyncio
from itertools import pairwise

from gatepost.receiving.turns import Turns


def played(sessions: int, turns_each: int) -> list[str]:
    """What happened in which order, where each turn takes a whole slice, and somebody else wants to be served."""
    happened: list[str] = []
    clock = [0.0]

    async def play() -> None:
        turns = Turns(elapsed=lambda: clock[0])
        left = dict.fromkeys(range(sessions), turns_each)

        def turn(session: int) -> None:
            happened.append(f"turn {session}")
            clock[0] += 1.0
            left[session] -= 1
            if left[session]:
                turns.take(lambda: turn(session))

        for session in range(sessions):
            turns.take(lambda session=session: turn(session))  # type: ignore[misc]
        while any(left.values()):
            await asyncio.sleep(0)
            happened.append("others")

    asyncio.run(play())
    return happened


def test_between_two_turns_all_others_are_served() -> None:
    happened = played(sessions=3, turns_each=4)
    assert not any(a.startswith("turn") and b.startswith("turn") for a, b in pairwise(happened))


def test_sessions_take_their_turns_in_rotation() -> None:
    turns = [each for each in played(sessions=3, turns_each=2) if each != "others"]
    assert turns == ["turn 0", "turn 1", "turn 2"] * 2


def test_a_bug_in_one_turn_costs_the_others_nothing() -> None:
    happened: list[str] = []

    async def play() -> None:
        turns = Turns()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: happened.append("bug"))
        turns.take(lambda: 1 // 0)  # type: ignore[arg-type,return-value]
        turns.take(lambda: happened.append("turn"))
        for _ in range(5):
            await asyncio.sleep(0)
        turns.take(lambda: happened.append("turn"))
        await asyncio.sleep(0)

    asyncio.run(play())
    assert happened == ["bug", "turn", "turn"]
