"""The story of each message and each refusal: found by everybody whom it concerns, and by nobody else."""

import csv
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.api_client import Api, code_of
from end_to_end.installation import Installation, wait_until
from end_to_end.loaded_gatepost import is_readable
from end_to_end.outside import Outside, taken
from end_to_end.scene import UNLISTED_ADDRESS, Certificates, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from sink import Sink

RETRY = '[retry]\nglitch_interval = "1h"\ntransient_interval = "1h"\ninterval = "1h"\n'


@pytest.fixture(scope="module")
def internet(outside: Outside) -> Sink:
    return outside.sink()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, internet: Sink) -> Iterator[Any]:
    roots = certificates.pki.roots_file
    relay = Installation(tmp_path_factory.mktemp("relay"), client_roots=roots, api=True, tables=RETRY)
    with_two_tenants(relay, internet.port)
    with relay.serving():
        yield relay


def content(message_id: str, subject: str = "hello") -> bytes:
    return f"From: ann\r\nSubject: {subject}\r\nMessage-ID: <{message_id}>\r\n\r\nHello.\r\n".encode()


def send(relay: Installation, sender: str, *to: str, source: str = "127.0.1.1", message_id: str) -> str:
    """Returns the queue id, or the refusal of the first recipient."""
    with SmtpClient(relay.port, source=source) as smtp:
        smtp.ehlo()
        answer = smtp.mail(sender, *to)
        if answer.code == 250:
            answer = smtp.content(content(message_id))
        return answer.text if answer.code != 250 else answer.text.split()[2]


def found(relay: Installation, *options: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = relay.told("trace", *options)["items"]
    return items


def found_soon(relay: Installation, outcome: str, *options: str) -> dict[str, Any]:
    def look() -> list[dict[str, Any]]:
        return [each for each in found(relay, *options) if each["outcome"] == outcome]

    items: list[dict[str, Any]] = wait_until(look, lambda: f"{outcome}: {found(relay, *options)}")
    assert len(items) == 1
    return items[0]


def test_a_delivered_message_is_one_story_from_session_to_next_hop(relay: Installation, internet: Sink) -> None:
    queue_id = send(relay, "ann@contoso.com", "bob@outside.example", message_id="one@contoso.com")
    taken(internet, to="bob@outside.example")
    item = found_soon(relay, "delivered", "--to", "BOB@outside.example")
    assert item | {"at": "", "session_id": "", "id": "", "reply": ""} == {
        "id": "",
        "session_id": "",
        "queue_id": queue_id,
        "message_id": "<one@contoso.com>",
        "at": "",
        "tenant": "contoso",
        "connector": "mail",
        "basis": "address",
        "address": "127.0.1.1",
        "listener": relay.name_of("main"),
        "mail_from": "ann@contoso.com",
        "rcpt_to": "bob@outside.example",
        "subject": None,
        "size": len(content("one@contoso.com")),
        "outcome": "delivered",
        "reason": None,
        "reply": "",
        "next_hop": f"127.0.0.1[127.0.0.1]:{internet.port}",
        "tls": None,
        "certificate": None,
    }
    reply = f"250 2.6.0 {queue_id} Queued mail for delivery"
    for name in (item["id"], item["session_id"], queue_id, "<one@contoso.com>", reply):
        story = relay.told("trace", "show", name)
        assert story["id"] == item["id"]
        assert [each["event"] for each in story["events"]] == ["accepted", "delivered"]
    assert relay("trace", "show", queue_id)


def test_a_refusal_is_in_the_trace_with_its_reason_and_reply(relay: Installation, certificates: Certificates) -> None:
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.starttls(certificates.other_name)
        answer = smtp.mail("eve@contoso.com", "refused@outside.example")
    item = found_soon(relay, "refused", "--to", "refused@outside.example")
    assert item["reason"] == "certificate-name-matches-no-connector"
    assert item["reply"] == answer.text
    assert (item["tenant"], item["queue_id"], item["message_id"]) == (None, None, None)
    assert item["certificate"]["names"] == ["mail.litware.com"]
    assert item["tls"] == "TLSv1.3"
    story = relay.told("trace", "show", answer.text)
    assert [each["event"] for each in story["events"]] == ["refused"]
    for options in (
        ("--certificate", "mail.litware.com"),
        ("--certificate", item["certificate"]["sha256"]),
        ("--reason", "certificate-name-matches-no-connector"),
        ("--outcome", "refused", "--domain", "contoso.com"),
        ("--address", UNLISTED_ADDRESS),
    ):
        assert [each["id"] for each in found(relay, *options)] == [item["id"]], options


def test_what_is_tried_again_and_what_bounced_shows_every_attempt(relay: Installation, internet: Sink) -> None:
    send(relay, "ann@contoso.com", "defer.dora@outside.example", message_id="later@contoso.com")
    item = found_soon(relay, "delayed", "--message-id", "later@contoso.com")
    assert item["reply"].startswith("451 ")
    send(relay, "ann@contoso.com", "refuse.rob@outside.example", message_id="never@contoso.com")
    bounced = found_soon(relay, "bounced", "--message-id", "never@contoso.com")
    assert bounced["reply"].startswith("550 5.1.1")
    # The notification is a message of its own, in the sender's session.
    notification = found_soon(relay, "delivered", "--from", "<>", "--to", "ann@contoso.com")
    assert notification["session_id"] == bounced["session_id"]
    assert relay("trace", "--outcome", "bounced", "--csv").splitlines()[0].startswith("at,outcome,")


def test_a_subject_is_recorded_of_the_tenant_that_asked_for_it_alone(relay: Installation) -> None:
    send(relay, "ann@contoso.com", "before@outside.example", message_id="before@contoso.com")
    relay("tenant", "set", "contoso", "--trace-subject", "on")
    wait_until(lambda: relay.told("tenant", "show", "contoso")["trace_subject"], "the change")

    def recorded() -> bool:
        send(relay, "ann@contoso.com", "subject@outside.example", message_id="subject@contoso.com")
        wait_until(lambda: found(relay, "--message-id", "subject@contoso.com"), "the message")
        return bool(found(relay, "--subject", "HELLO"))

    # A change is live within a second.
    wait_until(recorded, "the subject to be recorded")
    with SmtpClient(relay.port, source="127.0.2.1") as smtp:
        smtp.ehlo()
        smtp.message("fay@fabrikam.com", "other@outside.example", content("fay@fabrikam.com"))
    found_soon(relay, "delivered", "--message-id", "fay@fabrikam.com")
    assert {each["tenant"] for each in found(relay, "--subject", "hello")} == {"contoso"}
    relay("tenant", "set", "contoso", "--trace-subject", "off")


def test_what_an_operator_does_to_queued_mail_is_in_its_story_with_a_name(relay: Installation) -> None:
    queue_id = send(relay, "ann@contoso.com", "defer.olga@outside.example", message_id="removed@contoso.com")
    found_soon(relay, "delayed", "--message-id", "removed@contoso.com")
    relay("queue", "hold", queue_id)
    relay("queue", "remove", queue_id, "--yes")
    item = found_soon(relay, "removed", "--message-id", "removed@contoso.com")
    assert found(relay, "--outcome", "removed") == [item]
    events = relay.told("trace", "show", queue_id)["events"]
    assert [each["event"] for each in events] == ["accepted", "deferred", "held", "removed"]
    assert events[-1]["by"]


def test_a_tenant_sees_its_own_and_what_was_refused_of_it(
    relay: Installation, contoso: Api, fabrikam: Api, certificates: Certificates
) -> None:
    send(relay, "ann@contoso.com", "secret@outside.example", message_id="secret@contoso.com")
    found_soon(relay, "delivered", "--message-id", "secret@contoso.com")
    with SmtpClient(relay.port, source="127.0.2.1") as smtp:
        smtp.ehlo()
        # fabrikam's server, with a reverse-path of nobody's.
        refusal = smtp.mail("app@elsewhere.example", "someone@outside.example").text
    found_soon(relay, "refused", "--from", "app@elsewhere.example")
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        by_path = smtp.mail("forged@contoso.com", "someone@outside.example").text
    found_soon(relay, "refused", "--from", "forged@contoso.com")

    def seen(api: Api, **query: str) -> list[dict[str, Any]]:
        answer = api.get("/v1/trace", params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    assert [each["mail_from"] for each in seen(contoso, **{"message_id": "secret@contoso.com"})] == ["ann@contoso.com"]
    assert seen(fabrikam, **{"message_id": "secret@contoso.com"}) == []
    assert [each["reply"] for each in seen(contoso, **{"from": "forged@contoso.com"})] == [by_path]
    assert seen(fabrikam, **{"from": "forged@contoso.com"}) == []
    by_address = seen(fabrikam, address="127.0.2.1", outcome="refused")
    assert [each["mail_from"] for each in by_address] == ["…@elsewhere.example"]
    assert [each["rcpt_to"] for each in by_address] == ["…@outside.example"]
    assert seen(contoso, address="127.0.2.1") == []
    assert contoso.get(f"/v1/trace/{by_address[0]['session_id']}").status_code == 404
    assert fabrikam.get("/v1/trace/" + refusal.replace("/", "%2F")).json()["outcome"] == "refused"
    assert {each["tenant"] for each in seen(contoso)} <= {"contoso", None}
    answer = contoso.get("/v1/trace", params={"tenant": "fabrikam"})
    assert (answer.status_code, code_of(answer)) == (404, "not-found")


def test_pages_follow_one_another_and_a_cursor_opens_its_own_search_only(relay: Installation, operator: Api) -> None:
    for number in range(5):
        send(relay, "pages@contoso.com", f"p{number}@outside.example", message_id=f"p{number}@contoso.com")
    wait_until(lambda: len(found(relay, "--from", "pages@contoso.com")) == 5, "five items")
    first = operator.get("/v1/trace", params={"from": "pages@contoso.com", "limit": 2}).json()
    second = operator.get("/v1/trace", params={"from": "pages@contoso.com", "cursor": first["next"]}).json()
    assert [each["rcpt_to"][:2] for each in first["items"] + second["items"]] == ["p4", "p3", "p2", "p1", "p0"]
    assert second["next"] is None
    for query in ({"cursor": first["next"]}, {"from": "pages@contoso.com", "cursor": first["next"][:-2] + "xx"}):
        answer = operator.get("/v1/trace", params=query)
        assert (answer.status_code, code_of(answer)) == (400, "bad-cursor")
    done = relay.here("trace", "--after", first["next"])
    assert (done.returncode, done.stderr) == (
        2,
        "gatepost: --after: the cursor does not belong to this search; begin without it\n",
    )


def test_what_was_written_survives_the_kill_of_a_worker(relay: Installation, internet: Sink) -> None:
    send(relay, "ann@contoso.com", "killed@outside.example", message_id="killed@contoso.com")
    found_soon(relay, "delivered", "--message-id", "killed@contoso.com")
    for pid in relay.worker_pids():
        os.kill(pid, signal.SIGKILL)
    found_soon(relay, "delivered", "--message-id", "killed@contoso.com")
    send(relay, "ann@contoso.com", "after@outside.example", message_id="after@contoso.com")
    found_soon(relay, "delivered", "--message-id", "after@contoso.com")


def test_following_shows_each_as_it_comes(relay: Installation, internet: Sink) -> None:
    command = [*relay._command("trace"), "--follow", "--json", "--from", "follow@contoso.com"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        for _ in range(60):
            # Nobody says when the follower has begun to look.
            send(relay, "follow@contoso.com", "followed@outside.example", message_id="f@contoso.com")
            if is_readable(follower.stdout.fileno(), 0.5):
                break
        follower.send_signal(signal.SIGINT)
        line = follower.stdout.readline()
    assert '"rcpt_to": "followed@outside.example"' in line


def test_hostile_text_is_inert_in_every_output(relay: Installation, internet: Sink) -> None:
    sender = '"=cmd|calc"@contoso.com'
    send(relay, sender, "csv@outside.example", message_id="=1+1@contoso.com")
    found_soon(relay, "delivered", "--to", "csv@outside.example")
    line = list(csv.reader(relay("trace", "--to", "csv@outside.example", "--csv").splitlines()))[1]
    assert not any(cell[:1] in ("=", "+", "-", "@") for cell in line)


@pytest.mark.parametrize(
    "options",
    [
        ("--outcome", "lost"),
        ("--from", "ann"),
        ("--address", "here"),
        ("--since", "yesterday"),
        ("--domain", "a..b"),
        ("--after", "nonsense"),
    ],
)
def test_a_wrong_filter_is_one_line(relay: Installation, options: tuple[str, str]) -> None:
    done = relay.here("trace", *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and options[0] in done.stderr


def test_a_damaged_day_is_said_and_skipped(relay: Installation, tmp_path: Path) -> None:
    send(relay, "ann@contoso.com", "whole@outside.example", message_id="whole@contoso.com")
    found_soon(relay, "delivered", "--message-id", "whole@contoso.com")
    damaged = relay.data / "trace" / "tenants" / "20260101-w0-1.sqlite"
    damaged.write_bytes(b"no database" * 1000)
    done = relay.here("trace", "--domain", "contoso.com", "--limit", "1000", "--json")
    assert done.returncode == 0
    assert str(damaged) in done.stderr and "damaged" in done.stderr
    damaged.unlink()
