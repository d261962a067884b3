"""Shares of log folders: who writes much loses their own evidence, whoever they are and however many names they use."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.logs.log_series import FileLimits, FileNames
from gatepost.logs.log_shares import PARTS, SharedSeries, Whose, network_of, remove_old
from gatepost.logs.log_writer import LogWriter
from gatepost.logs.protocol_log_files import FollowedProtocolLogs, ProtocolLogFiles, StoredProtocolLogs
from gatepost.logs.session_records import SessionRecords, StoredSessions
from gatepost.mail.session_id import SessionIds
from gatepost.protocol_log.codec import Side
from gatepost.protocol_log.record import Event, ProtocolLogRecord
from soak import rounds

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
FULL = rounds(256, large=1024) * 1024
"""Octets of a full file; floods and folders are so many of them."""
LIMITS = FileLimits(file_size=FULL, folder_size=8 * FULL)
NAMES = FileNames(prefix="RECV", suffix=".LOG")
HONEST, FLOOD = "198.51.100.7", "203.0.113.9"
ROW = "550 5.7.64 TenantAttribution; Relay Access Denied " + "x" * 950


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Log:
    """A receive log of one worker, whose sessions have one row."""

    def __init__(self, folder: Path, limits: FileLimits = LIMITS) -> None:
        self.clock = Clock()
        self.folder = folder
        self._ids = SessionIds(1)
        self.files = ProtocolLogFiles(folder, Side.RECEIVE, LogWriter(), limits, self.clock, in_shares=True)

    def session(self, address: str, tenant: str | None = None, rows: int = 1, *, by_stranger: bool = False) -> str:
        self.clock.now += 0.001
        session_id = self._ids.next(self.clock.now)
        for number in range(rows):
            self.files.add(
                ProtocolLogRecord(
                    self.clock.now, "c", session_id, number, "192.0.2.1:25", f"{address}:5", Event.SEND, ROW, ""
                )
            )
        self.files.belongs(session_id, tenant, by_stranger=by_stranger, ended=True)
        return session_id

    def flood(self, address: str, octets: int, tenant: str | None = None, *, by_stranger: bool = False) -> None:
        for count in range(octets // 1024):
            self.session(address, tenant, by_stranger=by_stranger)
            if count % 64 == 0:
                self.files.flush()
        self.files.flush()

    def has(self, session_id: str) -> bool:
        return bool(StoredProtocolLogs({Side.RECEIVE: self.folder}).session(session_id))

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*.LOG"))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


@pytest.mark.soak
def test_a_strangers_flood_flushes_neither_tenants_rows_nor_those_of_other_strangers(log: Log) -> None:
    kept = [log.session(HONEST), log.session("192.0.2.5", "contoso"), log.session("2001:db8::1", "fabrikam")]
    last = ""
    for _ in range(rounds(1, large=8)):
        log.flood(FLOOD, 16 * FULL)
        last = log.session(FLOOD)
        log.files.flush()
    assert [log.has(each) for each in kept] == [True] * 3
    assert log.has(last), "the newest rows of a flood are kept"
    assert log.size < 2 * LIMITS.folder_size


@pytest.mark.soak
def test_a_tenants_flood_flushes_no_other_tenants_rows(log: Log) -> None:
    kept = [log.session("192.0.2.5", "contoso") for _ in range(50)] + [log.session(HONEST)]
    log.flood("192.0.2.6", rounds(16, large=80) * FULL, "fabrikam")
    assert all(log.has(each) for each in kept)


@pytest.mark.soak
def test_mail_that_a_stranger_sends_to_a_tenant_flushes_no_rows_of_the_tenant(log: Log) -> None:
    log.flood("192.0.2.5", FULL // 4, "contoso")
    kept = [log.session("192.0.2.5", "contoso")] + [log.session(HONEST, "contoso", by_stranger=True) for _ in range(20)]
    for _ in range(rounds(1, large=8)):
        log.flood(FLOOD, 16 * FULL, "contoso", by_stranger=True)
    assert all(log.has(each) for each in kept)


@pytest.mark.soak
def test_two_busy_tenants_do_not_flush_each_other(log: Log) -> None:
    log.flood("192.0.2.5", FULL, "contoso")
    kept = log.session("192.0.2.5", "contoso")
    log.flood("192.0.2.6", rounds(16, large=80) * FULL, "fabrikam")
    assert log.has(kept)


@pytest.mark.soak
def test_a_flood_from_many_networks_flushes_no_tenants_rows(log: Log) -> None:
    kept = [log.session("192.0.2.5", "contoso") for _ in range(50)]
    for network in range(256):
        log.flood(f"203.0.{network}.1", FULL // 4)
    assert all(log.has(each) for each in kept)


@pytest.mark.soak
def test_what_one_part_leaves_free_others_use(log: Log) -> None:
    log.flood("192.0.2.6", 16 * FULL, "fabrikam")
    assert log.size > 0.8 * LIMITS.folder_size
    log.flood(FLOOD, 16 * FULL)
    log.flood("192.0.2.6", 16 * FULL, "fabrikam")
    assert 0.5 * LIMITS.folder_size < log.size < 1.5 * LIMITS.folder_size


@pytest.mark.soak
def test_who_is_always_busy_leaves_the_quiet_files_to_the_quiet(log: Log) -> None:
    kept = [log.session("192.0.2.5", "contoso") for _ in range(50)]
    for _ in range(48):
        log.flood("192.0.2.6", FULL // 2, "fabrikam")
        log.clock.now += 3600
    quiet = sum(path.stat().st_size for path in log.folder.glob("*.LOG"))
    assert quiet < FULL // 2
    assert all(log.has(each) for each in kept)
    log.clock.now += 3600
    log.session("192.0.2.6", "fabrikam")
    log.files.flush()
    assert sum(path.stat().st_size for path in log.folder.glob("*.LOG")) > quiet


def test_files_of_before_there_were_shares_are_read_and_counted(tmp_path: Path) -> None:
    before = ProtocolLogFiles(tmp_path, Side.RECEIVE, LogWriter(), LIMITS, Clock())
    old = SessionIds(1).next(NOON)
    before.add(ProtocolLogRecord(NOON, "c", old, 0, "", "", Event.SEND, "y" * 7 * FULL, ""))
    before.finish()
    log = Log(tmp_path)
    assert log.has(old)
    log.flood("192.0.2.6", 8 * FULL, "fabrikam")
    assert log.size < 1.5 * LIMITS.folder_size
    assert not log.has(old), "it was furthest beyond its part"


def test_the_rows_of_a_session_stay_together_from_the_first(log: Log) -> None:
    session_id = SessionIds(2).next(NOON)
    first, second = (
        ProtocolLogRecord(NOON, "c", session_id, number, "", f"{HONEST}:5", Event.SEND, "220", "") for number in (0, 1)
    )
    log.files.add(first)
    log.files.flush()
    assert log.files.waiting == 1
    log.files.belongs(session_id, "contoso")
    log.files.add(second)
    log.files.flush()
    assert log.files.waiting == 0
    assert [path.parent for path in log.folder.rglob("*.LOG")] == [log.folder]


def test_a_session_of_which_nobody_says_whose_it_is_is_written_after_a_moment(log: Log) -> None:
    session_id = log.session(HONEST, rows=0)
    log.files.add(ProtocolLogRecord(NOON, "c", session_id, 0, "", f"{HONEST}:5", Event.CONNECT, "", ""))
    log.files.flush()
    assert not log.has(session_id)
    log.clock.now += 2.1
    log.files.flush()
    assert log.has(session_id)
    assert log.files.waiting == 0


def test_idle_connections_without_number_hold_bounded_memory(log: Log) -> None:
    for number in range(30_000):
        log.files.add(ProtocolLogRecord(NOON, "c", f"{number:016X}", 0, "", f"{FLOOD}:5", Event.CONNECT, "", ""))
    log.files.flush()
    assert log.files.waiting <= 20_000


def test_the_last_rows_are_written_when_the_log_is_closed(log: Log) -> None:
    log.files.add(ProtocolLogRecord(NOON, "c", "08DE" * 4, 0, "", f"{HONEST}:5", Event.CONNECT, "", ""))
    log.files.finish()
    assert sum(len(path.read_bytes().splitlines()) for path in log.folder.rglob("*.LOG")) == 6


def test_rows_of_every_share_are_followed(log: Log) -> None:
    followed = FollowedProtocolLogs({Side.RECEIVE: log.folder})
    log.flood(FLOOD, 2 * FULL)
    log.session(HONEST)
    log.session("192.0.2.5", "contoso")
    log.files.flush()
    assert len(followed.new_rows()) == 2 * FULL // 1024 + 2


def test_without_a_limit_of_the_folder_nothing_is_removed(tmp_path: Path) -> None:
    log = Log(tmp_path, replace(LIMITS, folder_size=0))
    first = log.session(FLOOD)
    log.flood(FLOOD, 4 * FULL)
    assert log.has(first)


def test_files_past_their_age_go_in_every_share(tmp_path: Path) -> None:
    for share in PARTS:
        (tmp_path / share).mkdir(exist_ok=True)
        (tmp_path / share / "RECV2025110112-1.LOG").write_bytes(b"x")
        (tmp_path / share / "RECV2026010112-1.LOG").write_bytes(b"x")
    remove_old(tmp_path, NAMES, LIMITS, NOON)
    assert {path.name for path in tmp_path.rglob("*.LOG")} == {"RECV2026010112-1.LOG"}


def test_the_parts_are_one_whole() -> None:
    assert sum(PARTS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("mx.example", "mx.example"),
        ("", ""),
    ],
)
def test_neighbours_are_one_stranger(address: str, network: str) -> None:
    assert network_of(address) == network


@given(
    st.lists(
        st.tuples(
            st.builds(Whose, st.none() | st.text(), st.booleans()), st.text(), st.integers(0, 10**9), st.floats(0, 1e10)
        ),
        max_size=50,
    )
)
def test_any_name_has_a_share(tmp_path_factory: pytest.TempPathFactory, writers: Sequence[Any]) -> None:
    shares = SharedSeries(Path(), NAMES, LIMITS)
    assert {shares.share_of(*writer) for writer in writers} <= set(PARTS)


# Session records


def _record(session_id: str, address: str, first: int, tenant: str | None, closed: bool, number: int = 0) -> Any:
    recipient = {"rcpt_to": f"r{first}@x.example", "outcome": "refused" if tenant is None else "relay"}
    return {
        "session_id": session_id,
        "address": address,
        "tls": None,
        "closed": "Remote" if closed else None,
        "closed_at": "2026-01-01T12:00:01Z" if closed else None,
        "pad": "x" * 900,
        "transactions": [{"number": number, "recipients": [recipient], "first": first, "reply": None}],
        "tenant": tenant,
    }


@pytest.fixture
def records(tmp_path: Path) -> SessionRecords[Any]:
    return SessionRecords[Any](
        tmp_path, 1, lambda record: (record, ()), LogWriter(), LIMITS, Clock(), whose=lambda each: Whose(each["tenant"])
    )


def test_a_session_whose_records_are_in_two_shares_is_put_together_in_order(
    tmp_path: Path, records: SessionRecords[Any]
) -> None:
    session_id = SessionIds(1).next(NOON)
    records.add(_record(session_id, HONEST, 0, None, False))
    records.flush()
    records.add(_record(session_id, HONEST, 1, "contoso", True))
    records.finish()
    assert len({path.parent for path in tmp_path.rglob("*.jsonl")}) == 2
    found = StoredSessions(tmp_path).find(session_id)
    assert found is not None and found["closed"] == "Remote"
    assert [each["rcpt_to"] for each in found["transactions"][0]["recipients"]] == ["r0@x.example", "r1@x.example"]


@pytest.mark.soak
def test_records_of_an_honest_refusal_outlive_a_strangers_flood(tmp_path: Path, records: SessionRecords[Any]) -> None:
    ids = SessionIds(1)
    kept = [ids.next(NOON), ids.next(NOON)]
    records.add(_record(kept[0], HONEST, 0, None, True))
    records.add(_record(kept[1], "192.0.2.5", 0, "contoso", True))
    for count in range(32 * FULL // 1024):
        records.add(_record(ids.next(NOON), FLOOD, 0, None, True))
        if count % 256 == 0:
            records.flush()
    records.finish()
    stored = StoredSessions(tmp_path)
    assert all(stored.find(each) for each in kept)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")) < 2 * LIMITS.folder_size
