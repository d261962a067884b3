"""A short run of the torture: one kill of each kind and some more. The long one is `make torture N=1000`."""

from pathlib import Path

from end_to_end.outside import Outside
from end_to_end.torture import Torture


def test_what_was_acknowledged_arrives_whole_whatever_is_killed(tmp_path: Path) -> None:
    with Outside() as outside:
        reckoning = Torture(tmp_path, seed=1, outside=outside).run(kills=6)
    assert reckoning.holds, f"\n{reckoning}"
    assert reckoning.acknowledged > 20
    assert reckoning.told > 20
    assert {"worker", "all", "supervisor", "reload"} <= reckoning.kills.keys()
