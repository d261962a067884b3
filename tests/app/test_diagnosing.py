"""The doctor asked apart: its report, or why it was given up; one tenant takes no place of another or of operators."""

import sys
from typing import Any

import pytest

from gatepost.app import diagnosing
from gatepost.app.diagnosing import GivenUp, diagnosed


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosing, "_PATIENCE_S", 300.0)


def test_the_report_is_the_doctors() -> None:
    found = diagnosed({"a bounce": "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-expired"}, None)
    assert isinstance(found, dict) and found["findings"][0]["catalogue"] == ["C03"]


def test_what_takes_too_long_is_given_up_and_leaves_its_place(monkeypatch: Any) -> None:
    monkeypatch.setattr(diagnosing, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(diagnosing, "_WAIT_S", 0.01)
    assert [diagnosed({"x": "y"}, "contoso") for _ in range(4)] == [GivenUp.TOO_LONG] * 4
    monkeypatch.setattr(diagnosing, "_PATIENCE_S", 300.0)
    assert isinstance(diagnosed({"x": "550 5.7.64 no"}, "contoso"), dict)


def test_a_doctor_that_ends_without_a_report_is_not_called_slow(monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    assert diagnosed({"x": "y"}, "contoso") is GivenUp.FAILED
    assert diagnosed({"x": "y"}, None) is GivenUp.FAILED


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> diagnosing._Places:
    monkeypatch.setattr(diagnosing, "_WAIT_S", 0.0)
    places = diagnosing._Places()
    monkeypatch.setattr(diagnosing, "_places", places)
    monkeypatch.setattr(diagnosing, "_asked", lambda texts: {})
    return places


def test_a_tenant_has_one_place_and_takes_none_of_others(places: diagnosing._Places) -> None:
    with places.one("contoso"):
        assert diagnosed({"x": "y"}, "contoso") is GivenUp.BUSY
        assert diagnosed({"x": "y"}, "fabrikam") == {}
        with places.one("fabrikam"):
            assert diagnosed({"x": "y"}, "tailspin") is GivenUp.BUSY
            assert diagnosed({"x": "y"}, None) == {}, "one is kept for operators"
    assert diagnosed({"x": "y"}, "contoso") == {}


def test_operators_take_no_place_of_tenants(places: diagnosing._Places) -> None:
    with places.one(None):
        assert diagnosed({"x": "y"}, None) is GivenUp.BUSY
        assert diagnosed({"x": "y"}, "contoso") == {}
