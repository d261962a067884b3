"""The doctor asked apart: its report, or None where it was given up."""

from typing import Any

import pytest

from gatepost.app import diagnosing
from gatepost.app.diagnosing import diagnosed


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosing, "_PATIENCE_S", 300.0)


def test_the_report_is_the_doctors() -> None:
    found = diagnosed({"a bounce": "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-expired"})
    assert found is not None and found["findings"][0]["catalogue"] == ["C03"]


def test_what_takes_too_long_is_given_up_and_leaves_its_place(monkeypatch: Any) -> None:
    monkeypatch.setattr(diagnosing, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(diagnosing, "_WAIT_S", 0.01)
    assert [diagnosed({"x": "y"}) for _ in range(4)] == [None] * 4
    monkeypatch.setattr(diagnosing, "_PATIENCE_S", 300.0)
    assert diagnosed({"x": "550 5.7.64 no"}) is not None


def test_so_many_at_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(diagnosing, "_WAIT_S", 0.01)
    with diagnosing._places, diagnosing._places:
        assert diagnosed({"x": "y"}) is None
