from gatepost.receiving.pace import ContentPace


def plays(least: int, octets: int, every_s: float, until_s: float, paused_s: float = 0.0) -> float | None:
    """When content that brings `octets` every so many seconds is found to be too slow."""
    pace, at = ContentPace(least, 0.0), 0.0
    while at < until_s:
        at += every_s
        pace.not_reading(paused_s)
        pace.took(octets)
        if pace.is_too_slow(at):
            return at
    return None


def test_a_line_of_64_kbit_a_second_is_fast_enough_however_long_it_takes() -> None:
    assert plays(1000, 8_000, 1.0, 20 * 3600.0) is None


def test_a_drip_is_too_slow_after_its_first_minute() -> None:
    assert plays(1000, 1, 1.0, 3600.0) == 60.0
    assert plays(1000, 1, 170.0, 3600.0) == 170.0


def test_a_burst_now_and_then_does_not_make_up_for_a_minute_without_any() -> None:
    pace = ContentPace(1000, 0.0)
    pace.took(10_000_000)
    assert not pace.is_too_slow(60.0)
    pace.took(1)
    assert pace.is_too_slow(121.0)


def test_the_whole_may_take_ten_minutes_and_then_time_in_proportion_to_its_size() -> None:
    found = plays(1000, 2_000, 1.0, 36_000.0)
    assert found is not None and 1100 <= found <= 1300


def test_time_in_which_we_did_not_read_is_not_the_peers() -> None:
    assert plays(1000, 8_000, 60.0, 3600.0) is not None
    assert plays(1000, 300_000, 60.0, 3600.0) is None
    assert plays(1000, 8_000, 60.0, 3600.0, paused_s=59.0) is None


def test_without_a_least_rate_nothing_is_too_slow() -> None:
    assert plays(0, 1, 170.0, 36_000.0) is None
