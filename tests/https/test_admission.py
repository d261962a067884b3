"""What is counted of a request before and after it is known who asks; one tenant's share is not another's."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from gatepost.config import HttpsConfig
from gatepost.https.admission import AUDIT_A_DAY, Admission
from gatepost.https.gate import Peer
from gatepost.https.problem import Problem

SETTINGS = HttpsConfig(host="127.0.0.1", port=1, requests_per_minute=4, operators=(ip_network("192.0.2.0/24"),))


def peer(address: str) -> Peer:
    return Peer({"client": (address, 40000)}, SETTINGS)


def refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except Problem as problem:
        assert problem.status_code == 429 and "Retry-After" in (problem.headers or {})
        return True
    return False


def test_an_address_is_counted_and_operators_are_not() -> None:
    admission = Admission(SETTINGS, "token")
    assert [refused(lambda: admission.count_address(peer("198.51.100.1"))) for _ in range(2)] == [False, True]
    assert not refused(lambda: admission.count_address(peer("198.51.100.2")))
    assert not any(refused(lambda: admission.count_address(peer("192.0.2.7"))) for _ in range(9))


def test_a_caller_is_counted_by_itself() -> None:
    admission = Admission(SETTINGS, "token")
    assert [refused(lambda: admission.count_caller("ann", "by this person")) for _ in range(2)] == [False, True]
    assert not refused(lambda: admission.count_caller("fred", "by this person"))


def test_a_tenant_that_used_its_share_of_the_audit_waits_and_no_other() -> None:
    admission = Admission(SETTINGS, "token")
    admission.audit.use("contoso", AUDIT_A_DAY, time.monotonic())
    assert refused(lambda: admission.count_write("contoso"))
    assert not refused(lambda: admission.count_write("fabrikam")) and not refused(lambda: admission.count_write(None))


def test_a_caller_has_so_many_places_at_once() -> None:
    settings = replace(SETTINGS, limits=replace(SETTINGS.limits, requests_per_token=1))
    admission = Admission(settings, "token")
    with admission.known("ann", "contoso"):
        with pytest.raises(Problem), admission.known("ann", "contoso"):
            pass
        with admission.known("fred", "fabrikam"), admission.unknown(peer("198.51.100.1")):
            pass


def test_who_asks_is_looked_up_by_another_thread() -> None:
    admission = Admission(SETTINGS, "session")
    name = asyncio.run(admission.looked_up(peer("198.51.100.1"), lambda _: threading.current_thread().name, "secret"))
    assert name.startswith("session")
