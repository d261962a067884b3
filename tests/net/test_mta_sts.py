"""Policies that are kept; what is fetched and what is not: tests/delivery/mta_sts.toml."""

import asyncio
import os
from pathlib import Path

import pytest

from dns_server import DnsServer
from gatepost.net import mta_sts
from gatepost.net.dns import Resolver
from gatepost.net.mta_sts import KeptPolicy, MtaSts, NotFetched, PolicyFiles
from gatepost.tenancy.mta_sts import NO_POLICY, StsMode, StsPolicy

POLICY = StsPolicy("1", StsMode.ENFORCE, 86_400, ("mx.fabrikam.example",))
TEXT = "version: STSv1\nmode: enforce\nmx: mx.fabrikam.example\nmax_age: 86400\n"


class Host:
    """Counts, and fails as long as it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False
        self.text = TEXT

    async def __call__(self, domain: str) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise NotFetched("it is away")
        return self.text


def test_what_one_worker_keeps_another_reads_and_a_second_domain_is_not_touched(tmp_path: Path) -> None:
    one, another = PolicyFiles(tmp_path), PolicyFiles(tmp_path)
    assert another.get("fabrikam.example") is None
    one.put("fabrikam.example", KeptPolicy(POLICY, 1000.0))
    assert another.get("fabrikam.example") == KeptPolicy(POLICY, 1000.0)
    assert another.get("contoso.example") is None


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    files = PolicyFiles(tmp_path)
    files.put("fabrikam.example", KeptPolicy(POLICY, 1000.0))
    (file,) = tmp_path.iterdir()
    file.write_text('{"domain": "fabrikam.example"')
    assert PolicyFiles(tmp_path).get("fabrikam.example") is None


def test_many_attempts_at_once_fetch_once_and_a_failure_is_not_repeated_for_five_minutes(tmp_path: Path) -> None:
    now, host = [1_000_000.0], Host()

    async def story() -> None:
        async with DnsServer() as server:
            server.add("_mta-sts.fabrikam.example", "TXT", '"v=STSv1; id=1"')
            policies = MtaSts(Resolver([server.address]), tmp_path, host, lambda: now[0])
            host.fails = True
            found = await asyncio.gather(*(policies.policy("fabrikam.example") for _ in range(5)))
            assert {each.problem for each in found} == {"it is away"}
            assert (await policies.policy("fabrikam.example")).problem == "it is away"
            assert host.asked == 1
            host.fails = False
            now[0] += 301
            assert (await policies.policy("fabrikam.example")).policy == POLICY
            assert host.asked == 2

    asyncio.run(story())


def test_an_old_policy_is_fetched_again_beside_the_work_before_it_ends(tmp_path: Path) -> None:
    now, host = [1_000_000.0], Host()

    async def story() -> None:
        async with DnsServer() as server:
            server.add("_mta-sts.fabrikam.example", "TXT", '"v=STSv1; id=1"')
            policies = MtaSts(Resolver([server.address]), tmp_path, host, lambda: now[0])
            PolicyFiles(tmp_path).put("fabrikam.example", KeptPolicy(POLICY, now[0] - 50_000))
            assert (await policies.policy("fabrikam.example")).policy == POLICY
            await asyncio.gather(*policies._fetches.values())
            kept = PolicyFiles(tmp_path).get("fabrikam.example")
            assert kept is not None and kept.fetched_at == now[0]
            await policies.policy("fabrikam.example")
            assert host.asked == 1

    asyncio.run(story())


@pytest.mark.parametrize("max_age", [0, 1])
def test_a_policy_that_ends_at_once_is_not_fetched_for_each_message(tmp_path: Path, max_age: int) -> None:
    now, host = [1_000_000.0], Host()
    host.text = TEXT.replace("86400", str(max_age))

    async def story() -> None:
        async with DnsServer() as server:
            for number, domain in enumerate(("fabrikam.example", "contoso.example"), 1):
                server.add(f"_mta-sts.{domain}", "TXT", f'"v=STSv1; id={number}"')
            policies = MtaSts(Resolver([server.address]), tmp_path, host, lambda: now[0])
            for _ in range(20):
                found = (await policies.policy("fabrikam.example")).policy
                assert found is not None and (found.mode, found.max_age_s) == (StsMode.ENFORCE, max_age)
                now[0] += 10
            assert host.asked == 1
            await policies.policy("contoso.example")
            now[0] += 101
            await policies.policy("fabrikam.example")
            assert host.asked == 3

    asyncio.run(story())


def test_of_too_many_files_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mta_sts, "_MOST_KEPT", 10)
    monkeypatch.setattr(mta_sts, "_COUNT_AFTER", 5)
    folder = tmp_path / "kept"
    files = PolicyFiles(folder)
    for number in range(40):
        files.put(f"{number}.example", KeptPolicy(POLICY, 1000.0))
        for file in folder.iterdir():
            os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))
        assert len(list(folder.iterdir())) < 15
    assert files.get("0.example") is None
    assert files.get("39.example") == KeptPolicy(POLICY, 1000.0)


def test_a_name_server_that_says_nothing_is_waited_for_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mta_sts, "_DNS_WITHIN_S", 0.05)
    now = [1_000_000.0]

    async def story() -> None:
        async with DnsServer() as server:
            server.is_silent("_mta-sts.fabrikam.example")
            policies = MtaSts(Resolver([server.address]), tmp_path, Host(), lambda: now[0])
            for _ in range(3):
                found = await policies.policy("fabrikam.example")
                assert found.policy is None and "no name server answered" in found.unknown
            asked = len(server.asked)
            assert await policies.policy("contoso.example") == NO_POLICY
            now[0] += 61
            await policies.policy("fabrikam.example")
            assert asked == 1
            assert server.asked.count(("_mta-sts.fabrikam.example", "TXT")) == 2

    asyncio.run(story())


def test_a_name_server_that_fails_is_told_from_a_domain_that_announces_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with DnsServer() as server:
            server.fails("_mta-sts.fabrikam.example")
            server.add("_mta-sts.contoso.example", "TXT", '"something else"')
            policies = MtaSts(Resolver([server.address]), tmp_path, Host())
            found = await policies.policy("fabrikam.example")
            assert found.policy is None and "SERVFAIL" in found.unknown
            for domain in ("contoso.example", "northwind.example"):
                assert await policies.policy(domain) == NO_POLICY

    asyncio.run(story())
