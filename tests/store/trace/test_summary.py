"""A summary never says no to what is there, seldom says perhaps to what is not, and is of its file alone."""

from pathlib import Path

import pytest

from contracts.trace_store_contract import CERTIFICATE, NOON, later, received
from gatepost.store.trace.day_file import DayFile, files_in, open_to_write
from gatepost.store.trace.reader import SqliteTraceReader
from gatepost.store.trace.summary import Question
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.trace.search import Wanted
from gatepost.trace.story import Outcome, What

KEEP = Retention(max_age_s=0.0, max_octets=0)
DAY_S = 86400.0


def writer(folder: Path, now: float) -> SqliteTraceWriter:
    return SqliteTraceWriter(folder, 0, KEEP, lambda: now)


@pytest.fixture
def finished(tmp_path: Path) -> DayFile:
    """A day with a message that was returned, one that was delivered later, and a hundred others."""
    rows = [received(NOON + number, rcpt_to=f"user{number}@outside.example") for number in range(100)]
    ended = [later(each, What.DELIVERED, NOON + 200) for each in rows[1:]]
    returned = later(rows[0], What.FAILED, NOON + 201)
    first = writer(tmp_path, NOON)
    first.write("tenants", rows, [*ended, returned])
    first.close()
    tidies = writer(tmp_path, NOON + 2 * DAY_S)
    tidies.write("tenants", [])
    tidies.close()
    (file,) = files_in(tmp_path)
    assert file.summary.exists()
    return file


def test_what_is_there_may_be_there(finished: DayFile) -> None:
    for wanted in (
        Wanted(rcpt_to="USER7@outside.example"),
        Wanted(mail_from="ann@contoso.com"),
        Wanted(tenant="contoso", domain="outside.example", address="192.0.2.1"),
        Wanted(certificate=CERTIFICATE.sha256),
        Wanted(certificate="mail.contoso.com"),
        Wanted(outcomes=frozenset({Outcome.BOUNCED})),
        Wanted(outcomes=frozenset({Outcome.DELIVERED})),
        Wanted(subject="anything"),
        Wanted(),
    ):
        assert Question(wanted).may_be_in(finished), wanted


def test_what_is_not_there_is_told_from_it_nearly_always(finished: DayFile) -> None:
    absent = [Wanted(rcpt_to=f"nobody{number}@outside.example") for number in range(1000)]
    assert sum(Question(each).may_be_in(finished) for each in absent) < 60
    assert not Question(Wanted(reason="certificate-weak-key")).may_be_in(finished)
    assert not Question(Wanted(tenant="fabrikam")).may_be_in(finished)
    assert not Question(Wanted(outcomes=frozenset({Outcome.DELAYED, Outcome.REMOVED}))).may_be_in(finished)
    assert not Question(Wanted(outcomes=frozenset({Outcome.REFUSED}))).may_be_in(finished)


def test_a_summary_that_is_missing_damaged_or_of_another_file_says_perhaps(finished: DayFile) -> None:
    question = Question(Wanted(tenant="fabrikam"))
    octets = finished.summary.read_bytes()
    for other in (b"", octets[:10], octets[:30], b"x" * 100, octets[:8] + b"\1" + octets[9:]):
        finished.summary.write_bytes(other)
        assert question.may_be_in(finished), other[:40]
    finished.summary.unlink()
    assert question.may_be_in(finished)


def test_a_file_that_is_written_to_again_has_none_until_it_is_finished_again(finished: DayFile, tmp_path: Path) -> None:
    again = writer(tmp_path, NOON + 3)
    again.write("tenants", [received(NOON + 300, tenant="fabrikam", rcpt_to="late@outside.example")])
    assert not finished.summary.exists()
    for wanted in (Wanted(tenant="fabrikam"), Wanted(outcomes=frozenset({Outcome.QUEUED}))):
        assert len(SqliteTraceReader(tmp_path).search(wanted, 5).items) == 1
    again.close()


def test_it_goes_with_its_file_and_counts_among_its_octets(finished: DayFile) -> None:
    assert finished.size == finished.path.stat().st_size + finished.summary.stat().st_size
    finished.remove()
    assert not finished.summary.exists() and not finished.path.exists()


def test_while_its_file_has_a_log_it_says_perhaps(finished: DayFile) -> None:
    question = Question(Wanted(tenant="fabrikam"))
    assert not question.may_be_in(finished)
    connection = open_to_write(finished)
    connection.execute("INSERT INTO word (kind, text) VALUES (1, 'fabrikam')")
    assert question.may_be_in(finished)
    connection.close()


def test_what_a_crash_left_of_one_goes_when_the_file_is_opened_or_removed(finished: DayFile, tmp_path: Path) -> None:
    finished.new_summary.write_bytes(b"half")
    again = writer(tmp_path, NOON + 3)
    again.write("tenants", [received(NOON + 300)])
    assert not finished.new_summary.exists()
    again.close()
    finished.new_summary.write_bytes(b"half")
    finished.remove()
    assert not finished.new_summary.exists()
