"""An alarm is raised once, repeated daily and cleared; however much is wrong, few are raised."""

from collections.abc import Sequence

from gatepost.alarm.alarms import OTHERS, Alarm, Problem, look

NOON = 1_796_126_400.0
DAY = 86400.0
FULL = Problem(code="queue-full", says="It is full.", do="free space")


class Looking:
    """One look after the other."""

    def __init__(self) -> None:
        self.known: Sequence[Alarm] = ()
        self.now = NOON

    def __call__(self, *problems: Problem, after_s: float = 5.0) -> list[tuple[str, str, bool]]:
        self.now += after_s
        looked = look(self.known, problems, self.now)
        self.known = looked.alarms
        return [(each.alarm.state.value, each.alarm.about, each.is_reminder) for each in looked.notifications]


def test_what_two_looks_find_is_raised_once_and_what_one_finds_is_not() -> None:
    looking = Looking()
    assert looking(FULL) == []
    assert looking() == []
    assert looking(FULL) == []
    assert looking(FULL) == [("firing", "", False)]
    assert [looking(FULL) for _ in range(100)] == [[]] * 100


def test_it_is_repeated_once_a_day_and_cleared_when_it_has_stayed_away() -> None:
    looking = Looking()
    looking(FULL)
    looking(FULL)
    since = looking.known[0].since
    assert looking(FULL, after_s=DAY - 1) == []
    assert looking(FULL, after_s=1) == [("firing", "", True)]
    assert looking(FULL, after_s=DAY) == [("firing", "", True)]
    assert looking(after_s=299) == []
    assert looking(FULL, after_s=1) == []
    assert looking(after_s=300) == [("resolved", "", False)]
    assert looking.known[0].since == since
    assert looking(after_s=100) == [] and len(looking.known) == 1
    assert looking(after_s=7 * DAY) == [] and looking.known == []


def test_what_comes_again_after_it_was_cleared_is_a_new_alarm() -> None:
    looking = Looking()
    looking(FULL)
    looking(FULL)
    looking(after_s=400)
    looking(FULL)
    assert looking(FULL) == [("firing", "", False)]
    assert looking.known[0].since > NOON + 400


def test_a_clock_that_goes_back_neither_clears_nor_repeats_for_ever() -> None:
    looking = Looking()
    looking(FULL)
    looking(FULL)
    assert looking(after_s=-DAY) == []
    assert [looking(FULL) for _ in range(3)] == [[("firing", "", True)], [], []]


def test_many_of_a_kind_are_few_alarms_and_stay_the_same_ones() -> None:
    looking = Looking()
    many = [Problem(code="token-expires", about=f"t{number:03}", says="It ends.", do="renew") for number in range(500)]
    looking(*many, FULL)
    raised = looking(*reversed(many), FULL)
    assert len(raised) == 12 and ("firing", OTHERS, False) in raised and ("firing", "", False) in raised
    others = next(each for each in looking.known if each.about == OTHERS)
    assert "490 more" in others.says
    assert looking(*many, FULL) == []
    # One of the first is over: another takes its place.
    assert looking(*many[1:], FULL) == []
    assert looking(*many[1:], FULL) == [("firing", "t010", False)]


def test_a_tenant_with_a_hundred_faults_hides_none_of_another() -> None:
    looking = Looking()
    many = [Problem(code="next-hop-down", about=f"a/out{number}", says="x", do="y") for number in range(100)]
    looking(*many)
    assert [about for _, about, _ in looking(*many)] == ["a/out0", "a/out1", "a/out2", OTHERS]
    of_another = Problem(code="next-hop-down", about="b/out", says="x", do="y")
    looking(*many, of_another)
    assert looking(*many, of_another) == [("firing", "b/out", False)]


def test_two_tenants_have_alarms_of_their_own_and_long_texts_are_cut() -> None:
    looking = Looking()
    down = [Problem(code="next-hop-down", about=f"{each}/out", says="x" * 5000, do="y") for each in ("a", "b")]
    looking(*down)
    assert looking(*down) == [("firing", "a/out", False), ("firing", "b/out", False)]
    assert len(looking.known[0].says) == 1000
