"""`gatepost trace` on a real trace, with a second tenant's mail beside the first one's."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from contracts.trace_store_contract import NOON, event, received
from gatepost.cli import context
from gatepost.cli.main import main_app
from gatepost.store.trace.writer import Retention, SqliteTraceWriter
from gatepost.trace.story import What

CONFIG = 'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n'
DELIVERED = received(first=event(What.DELIVERED))
FOREIGN = received(
    NOON + 1,
    tenant="fabrikam",
    mail_from="eve\x1b[2J@fabrikam.com",
    first=event(What.DEFERRED, NOON + 2, reply="451 \u202enot now", due_at=NOON + 60),
)
REFUSED = received(NOON + 2, refused=True)

Gatepost = Callable[..., Result]


@pytest.fixture
def gatepost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatepost]:
    """One command line, in this process."""
    (tmp_path / "gatepost.toml").write_text(CONFIG)
    writer = SqliteTraceWriter(tmp_path / "data" / "trace", 0, Retention(max_age_s=0.0, max_octets=0), lambda: NOON)
    writer.write("tenants", [DELIVERED, FOREIGN])
    writer.write("strangers", [REFUSED])
    writer.close()
    monkeypatch.setenv("GATEPOST_CONFIG", str(tmp_path / "gatepost.toml"))

    def run(*words: str) -> Result:
        context.config.cache_clear()
        return CliRunner().invoke(main_app, words, catch_exceptions=False, standalone_mode=True)

    yield run
    context.config.cache_clear()


def test_the_newest_comes_first_and_pages_follow(gatepost: Gatepost) -> None:
    first = json.loads(gatepost("trace", "--json", "--limit", "2").stdout)
    assert [each["id"] for each in first["items"]] == [REFUSED.id, FOREIGN.id]
    second = json.loads(gatepost("trace", "--json", "--after", first["next"]).stdout)
    assert [each["id"] for each in second["items"]] == [DELIVERED.id] and second["next"] is None


def test_the_table_shows_what_a_stranger_wrote_and_does_nothing_of_it(gatepost: Gatepost) -> None:
    done = gatepost("trace")
    assert done.exit_code == 0 and "\x1b" not in done.stdout and "delayed" in done.stdout
    assert gatepost("trace", "--to", "nobody@x.example").stdout == "none\n"


def test_a_story_is_a_time_line(gatepost: Gatepost) -> None:
    done = gatepost("trace", "show", FOREIGN.id)
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout
    assert (
        "accepted" in done.stdout and "deferred by mx.example[192.0.2.9]:25 over TLSv1.3 in 0.25 s: 451" in done.stdout
    )
    assert "next attempt at 2026-12-01T12:01:00Z" in done.stdout


def test_csv_has_a_header_and_a_line_for_each(gatepost: Gatepost) -> None:
    rows = list(csv.DictReader(gatepost("trace", "--csv").stdout.splitlines()))
    assert [each["outcome"] for each in rows] == ["refused", "delayed", "delivered"]
    assert rows[2]["rcpt_to"] == DELIVERED.rcpt_to


def test_what_excludes_each_other_is_one_line(gatepost: Gatepost) -> None:
    for words in (("--json", "--csv"), ("--follow", "--since", "1h"), ("--limit", "0")):
        done = gatepost("trace", *words)
        assert done.exit_code == 2, words


def test_what_is_not_there_is_a_no(gatepost: Gatepost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.cli.trace._PAUSE_S", 0.0)
    done = gatepost("trace", "show", "<no@where>")
    assert done.exit_code == 1 and done.stderr.count("\n") == 1
