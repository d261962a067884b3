"""`gatepost queue …` on a real queue file, with a second tenant's mail beside the first one's."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from contracts.queue_messages import message, rescheduled
from gatepost.cli import context
from gatepost.cli.main import main_app
from gatepost.store.queue.sqlite_queue import SqliteQueueStore

CONFIG = 'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n'
CONTENT = b"Subject: a gr\xc3\xbc\xc3\x9fe\r\nX-Second: \x1b[2J2\r\n\r\nsecret body\r\n"

Gatepost = Callable[..., Result]


@pytest.fixture
def gatepost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatepost]:
    """One command line, in this process: exit code, stdout, stderr."""
    (tmp_path / "gatepost.toml").write_text(CONFIG)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("GATEPOST_CONFIG", str(tmp_path / "gatepost.toml"))

    def run(*words: str, input: str = "") -> Result:
        context.config.cache_clear()
        return CliRunner().invoke(main_app, words, input=input, catch_exceptions=False)

    yield run
    context.config.cache_clear()


@pytest.fixture
def mail(tmp_path: Path, gatepost: Gatepost) -> list[str]:
    """Three messages of contoso, one of them to two domains and deferred; one of tailspin. Their ids."""
    now = time.time()

    async def fill() -> list[str]:
        store = SqliteQueueStore(tmp_path / "data" / "queue", 0)
        deferred = (
            await store.accept(
                message("a@one.example", "b@two.example", content=CONTENT, received_at=now - 7300), claim=True
            )
        ).claims
        for claim in deferred:
            await store.settle(rescheduled(claim, now + 3700, "451 4.7.1 greylisted, try later"))
        await store.accept(message("c@one.example", received_at=now - 60), claim=False)
        await store.accept(message("d@one.example", received_at=now - 50), claim=False)
        await store.accept(message("x@one.example", tenant="tailspin", received_at=now - 40), claim=False)
        await store.close()
        return [deferred[0].message.id]

    return asyncio.run(fill())


def states(gatepost: Gatepost) -> dict[str, str]:
    found = json.loads(gatepost("queue", "list", "--json").stdout)
    return {each["recipient"]["forward_path"]: each["recipient"]["state"] for each in found["messages"]}


def test_an_empty_queue_is_no_failure(gatepost: Gatepost) -> None:
    result = gatepost("queue", "list")
    assert (result.exit_code, result.stdout) == (0, "the queue is empty\n")
    assert json.loads(gatepost("queue", "list", "--json").stdout) == {"recipients": 0, "counts": [], "messages": []}


def test_list_counts_by_tenant_destination_and_state_and_shows_the_oldest_first(
    gatepost: Gatepost, mail: list[str]
) -> None:
    result = gatepost("queue", "list", "--limit", "2")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["contoso", "one.example", "queued", "3", "2h"] in lines
    assert ["tailspin", "one.example", "queued", "1", "40s"] in [
        [*x[:4], "40s"] for x in lines if x[:1] == ["tailspin"]
    ]
    assert "the oldest 2 of 5" in result.stdout
    assert [mail[0], "2h", "old,", "queued,", "tried", "once,", "next", "in", "1h"] in lines
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_list_as_json_says_the_same_to_programs(gatepost: Gatepost, mail: list[str]) -> None:
    found = json.loads(gatepost("queue", "list", "--tenant", "contoso", "--json").stdout)
    assert found["recipients"] == 4
    assert {(each["domain"], each["recipients"]) for each in found["counts"]} == {
        ("one.example", 3),
        ("two.example", 1),
    }
    first = found["messages"][0]
    assert first["id"] == mail[0]
    assert first["recipient"]["last_reply"] == "451 4.7.1 greylisted, try later"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["received_at"])


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (["--domain", "ONE.example"], 4),
        (["--domain", "somebody@two.example"], 1),
        (["--older-than", "2h"], 2),
        (["--older-than", "45s", "--domain", "one.example", "--tenant", "contoso"], 3),
        (["--state", "queued"], 5),
    ],
)
def test_filters_must_all_hold(gatepost: Gatepost, mail: list[str], words: list[str], number: int) -> None:
    assert json.loads(gatepost("queue", "list", *words, "--json").stdout)["recipients"] == number


def test_a_filter_that_finds_nothing_exits_with_1(gatepost: Gatepost, mail: list[str]) -> None:
    assert gatepost("queue", "list", "--tenant", "nobody").exit_code == 1
    result = gatepost("queue", "hold", "--tenant", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "gatepost: no queued mail matches; see: gatepost queue list\n"


def test_show_has_envelope_recipients_last_reply_and_header_but_not_the_body(
    gatepost: Gatepost, mail: list[str]
) -> None:
    result = gatepost("queue", "show", mail[0])
    assert result.exit_code == 0
    for expected in ("alice@contoso.example", "a@one.example", "b@two.example", "451 4.7.1 greylisted", "a grüße"):
        assert expected in result.stdout
    assert "secret body" not in result.stdout
    headers = json.loads(gatepost("queue", "show", mail[0], "--json").stdout)["headers"]
    assert headers == "Subject: a grüße\nX-Second: \x1b[2J2"


def test_what_strangers_wrote_cannot_command_the_terminal(gatepost: Gatepost, mail: list[str]) -> None:
    assert "X-Second: \u241b[2J2" in gatepost("queue", "show", mail[0]).stdout


def test_a_message_that_is_not_there_exits_with_1(gatepost: Gatepost, mail: list[str]) -> None:
    for missing in ("0-999999", "7-1"):
        result = gatepost("queue", "show", missing)
        assert result.exit_code == 1
        assert f"message {missing} is not in the queue" in result.stderr


def test_hold_and_release_touch_what_was_chosen_and_no_other_tenant(gatepost: Gatepost, mail: list[str]) -> None:
    result = gatepost("queue", "hold", "--tenant", "contoso", "--domain", "one.example")
    assert (result.exit_code, result.stdout) == (0, "3 recipients held\n")
    held = {path for path, state in states(gatepost).items() if state == "held"}
    assert held == {"a@one.example", "c@one.example", "d@one.example"}
    again = gatepost("queue", "hold", "--tenant", "contoso", "--domain", "one.example")
    assert (again.exit_code, again.stderr) == (1, "gatepost: nothing to hold: the matching mail is held\n")
    assert gatepost("queue", "release", "--all").stdout == "3 recipients released\n"
    assert set(states(gatepost).values()) == {"queued"}


def test_retry_by_id_makes_the_whole_message_due(gatepost: Gatepost, mail: list[str]) -> None:
    assert gatepost("queue", "retry", mail[0]).stdout == "2 recipients due now\n"
    recipients = json.loads(gatepost("queue", "show", mail[0], "--json").stdout)["recipients"]
    assert all(datetime.fromisoformat(each["due_at"]) <= datetime.now(UTC) for each in recipients)


def test_bounce_marks_for_the_worker(gatepost: Gatepost, mail: list[str]) -> None:
    assert gatepost("queue", "bounce", "--domain", "two.example").stdout == "1 recipient about to bounce\n"
    assert states(gatepost)["b@two.example"] == "bouncing"


def test_remove_asks_with_the_number_and_takes_no_for_an_answer(gatepost: Gatepost, mail: list[str]) -> None:
    result = gatepost("queue", "remove", "--tenant", "contoso", input="n\n")
    assert result.exit_code == 1
    assert "remove 4 recipients for good" in result.stdout
    assert "nothing was removed" in result.stderr
    assert len(states(gatepost)) == 5


def test_remove_with_yes_does_not_ask(gatepost: Gatepost, mail: list[str]) -> None:
    assert gatepost("queue", "remove", "--tenant", "contoso", "--yes").stdout == "4 recipients removed\n"
    assert list(states(gatepost)) == ["x@one.example"]
    assert gatepost("queue", "show", mail[0]).exit_code == 1


@pytest.mark.parametrize("action", ["retry", "hold", "release", "remove", "bounce"])
def test_no_action_without_a_choice(gatepost: Gatepost, mail: list[str], action: str) -> None:
    result = gatepost("queue", action)
    assert result.exit_code == 2
    assert "choose the mail" in result.stderr
    assert gatepost("queue", action, "--all", "--tenant", "contoso").exit_code == 2
    assert set(states(gatepost).values()) == {"queued"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list", "--older-than", "4 hours"], "'4 hours' is not a duration: write a number and s, m, h, d or w"),
        (["list", "--state", "hold"], "'hold' is not a state of queued mail; did you mean 'held'?"),
        (["list", "--state", "zzz"], "there are queued, active, held, bouncing"),
        (["list", "--domain", "not a domain"], "'not a domain' is not a domain name"),
        (["show", "08DF0A1B2C3D4E40"], "'08DF0A1B2C3D4E40' is not a message id: they look like 0-4711"),
    ],
)
def test_a_slip_is_explained_in_one_line(gatepost: Gatepost, words: list[str], says: str) -> None:
    result = gatepost("queue", *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_who_ordered_what_can_be_looked_up(gatepost: Gatepost, mail: list[str]) -> None:
    assert gatepost("queue", "orders").stdout == "no orders\n"
    gatepost("queue", "hold", "--tenant", "contoso", "--domain", "two.example")
    gatepost("queue", "hold", "--tenant", "contoso", "--older-than", "1h")
    gatepost("queue", "release", mail[0])
    told = gatepost("queue", "orders").stdout
    assert re.search(r"release +message 0-\d+ +2 +yes", told)
    assert "received until" in told
    newest, by_age, oldest = json.loads(gatepost("queue", "orders", "--json").stdout)
    assert (newest["action"], newest["message_id"], newest["recipients"]) == ("release", mail[0], 2)
    assert (by_age["recipients"], by_age["domain"]) == (1, None)
    assert (oldest["action"], oldest["tenant"], oldest["domain"]) == ("hold", "contoso", "two.example")
    assert oldest["carried_out"]
    assert oldest["given_by"]
