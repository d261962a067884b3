"""Gauges have their series although there is nothing to tell of."""

from gatepost.app.figures.gauges import gauges
from gatepost.config import Config


def test_an_empty_queue_is_zero_in_each_state(installed: Config) -> None:
    found = {metric.name: metric for metric in gauges(installed)}
    assert {each.labels["state"]: each.value for each in found["gatepost_queue_recipients"].samples} == {
        "queued": 0,
        "active": 0,
        "held": 0,
        "bouncing": 0,
    }
    assert all(each.value == 0 for each in found["gatepost_queue_oldest_seconds"].samples)
    (certificate,) = found["gatepost_certificate_not_after_seconds"].samples
    assert certificate.value > 1.7e9
