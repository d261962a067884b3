"""Who serves is who was heard of a moment ago."""

from dataclasses import replace

from admin.status.well import NOW, WELL, worker


def test_a_worker_that_is_silent_does_not_serve_and_none_does_where_the_server_is_not_running() -> None:
    one_silent = replace(WELL, workers=[worker(0), worker(1, at=NOW - 11)])
    assert [each["number"] for each in one_silent.serving] == [0]
    assert replace(WELL, running_since=None).serving == []
