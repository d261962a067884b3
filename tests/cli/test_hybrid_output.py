"""What `gatepost hybrid` shows."""

import pytest

from gatepost.cli.hybrid_output import ApplyProgress, count, show_drifts, show_kept
from gatepost.hybrid.errors import Drift
from gatepost.hybrid.merge import Kept
from gatepost.hybrid.sides.relay import Waiting


def waiting(says: str, left_s: float) -> Waiting:
    return Waiting(record_name="_gatepost.contoso.com", record_value="v", says=says, left_s=left_s)


def test_a_record_is_shown_once_and_what_dns_says_each_time_that_it_is_new(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = ApplyProgress()
    for says in ("nothing", "nothing", "another value"):
        progress.waiting(waiting(says, 10))
    out = capsys.readouterr().out
    assert out.count('publish: _gatepost.contoso.com TXT "v"') == 1
    assert (out.count("nothing"), out.count("another value")) == (1, 1)


def test_a_value_changed_by_hand_comes_with_the_option_that_overwrites_it(capsys: pytest.CaptureFixture[str]) -> None:
    kept = Kept(side="edge", object="send-connector mail", field="enabled", now=False, wanted=True)
    show_kept((kept,), "kept:")
    assert "--overwrite 'send-connector mail.enabled'" in " ".join(capsys.readouterr().out.split())


def test_a_drift_says_what_was_planned_and_what_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_drifts((Drift(side="relay", object="inbound-connector mail", differences={"names": (["a"], [])}),))
    assert "relay: inbound-connector mail.names was a, is now nothing" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "text"), [(1, "1 change"), (2, "2 changes"), (0, "0 changes")])
def test_things_are_counted_in_words(number: int, text: str) -> None:
    assert count(number, "change") == text
