"""A stranger writes commands to the operator's terminal into everything a peer may write; every command shows them.

U+009B is CSI and U+009D is OSC to xterm and VTE also in UTF-8; U+202E and U+2066 turn the text around that follows.
"""

import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.api_client import token_for
from end_to_end.installation import Installation, elsewhere, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import CONTOSO_ADDRESS, FABRIKAM_ADDRESS, UNLISTED_ADDRESS
from end_to_end.smtp_client import SmtpClient
from gatepost.mail.visible import is_plain

LEGITIMATE = "grüße日本"
HOSTILE = f"{LEGITIMATE}\x9b31m\x9d0x\x9c\u202e\u2066\u200b\u00ad\ufeff\u3164\U000e0041"
OUTSIDE = "someone@outside.example"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Outside() as outside:
        sink = outside.sink()
        sink.always("END", f"451 4.7.1 {HOSTILE}\r\n".encode())
        relay = Installation(tmp_path_factory.mktemp("relay"), workers=1, api=True)
        relay.init()
        for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
            relay("tenant", "add", tenant)
            relay("domain", "add", tenant, f"{tenant}.com", "--verified")
            relay("inbound-connector", "add", tenant, "mail", "--address", address)
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}")
        with relay.serving():
            yield relay


@pytest.fixture(scope="module")
def refused(relay: Installation) -> str:
    """The session of a stranger."""
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        answer = smtp.mail(f"a{HOSTILE}@evil.example", f"b{HOSTILE}@outside.example", parameters="SMTPUTF8")
    assert answer.code == 550
    wait_until(lambda: LEGITIMATE in relay.protocol_log("receive"), "the refusal in the protocol log")
    return answer.session_id


@pytest.fixture(scope="module")
def waiting(relay: Installation) -> tuple[str, str]:
    """A message that the next hop does not take, and the session that brought it: ids."""
    with SmtpClient(relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.mail(f"ann{HOSTILE}@contoso.com", OUTSIDE, parameters="SMTPUTF8").code == 250
        assert smtp.content(f"Subject: {HOSTILE}\r\n\r\nHello.\r\n".encode()).code == 250
    wait_until(lambda: "451 4.7.1" in relay.protocol_log("send"), "the next hop to refuse it")
    [message] = wait_until(
        lambda: [each for each in relay.told("queue", "list")["messages"] if each["recipient"]["last_reply"]],
        "the attempt",
    )
    return message["id"], message["session_id"]


def _unseen(text: str) -> list[str]:
    return [line for line in text.replace("\t", "\n").split("\n") if not is_plain(line)]


def _shows_all(text: str) -> bool:
    return not _unseen(text) and LEGITIMATE in text


def test_why_and_the_protocol_log_show_what_a_stranger_wrote(relay: Installation, refused: str) -> None:
    for command in (("why", refused), ("protocol-log", "show", refused)):
        for form in ((), ("--json",)):
            assert _shows_all(relay(*command, *form)), command
    assert refused in relay("why", refused)
    assert relay.told("why", refused)["evidence"]["mail_from"] == f"a{HOSTILE}@evil.example"


def test_files_of_the_log_hold_nothing_for_a_terminal(
    relay: Installation, refused: str, waiting: tuple[str, str]
) -> None:
    for text in (relay.protocol_log("receive"), relay.protocol_log("send")):
        assert _shows_all(text.replace("\r\n", "\n"))
    assert _unseen(relay.output) == []


def test_the_queue_shows_what_a_next_hop_said(relay: Installation, waiting: tuple[str, str]) -> None:
    queue_id, session_id = waiting
    for command in (
        ("queue", "show", queue_id),
        ("queue", "show", queue_id, "--json"),
        ("queue", "list", "--json"),
        ("why", session_id),
        ("why", session_id, "--json"),
    ):
        assert _shows_all(relay(*command)), command
    for command in (("queue", "list"), ("audit", "list"), ("audit", "list", "--json"), ("export", "directory")):
        assert _unseen(relay(*command)) == [], command


def test_the_doctor_shows_what_stands_in_evidence(
    relay: Installation, refused: str, waiting: tuple[str, str], tmp_path: Path
) -> None:
    hostile = tmp_path / f"bounce{HOSTILE}.txt"
    hostile.write_text(f"<x{HOSTILE}@contoso.com>: 550 5.7.64 TenantAttribution; Relay Access Denied {HOSTILE}\n")
    logs = relay.data / "protocol-log"
    for form in ((), ("--json",), ("--markdown",)):
        done = relay.here("doctor", *form, str(hostile), str(logs))
        assert done.returncode in (0, 1), done.stderr
        assert _shows_all(done.stdout), form
        assert _unseen(done.stderr) == []
    page = tmp_path / "report.html"
    relay.here("doctor", "--html", str(page), str(hostile))
    assert _shows_all(page.read_text("utf-8"))


def test_explain_shows_what_was_asked(relay: Installation) -> None:
    asked = ("explain", "--address", UNLISTED_ADDRESS, "--mail-from", f"a{HOSTILE}@evil.example")
    for form in ((), ("--json",)):
        assert _unseen(relay(*asked, "--rcpt-to", OUTSIDE, *form, expect=1)) == []


def test_errors_show_what_was_asked(relay: Installation) -> None:
    for command in (("why", HOSTILE), ("tenant", "show", HOSTILE), ("tenant", "add", HOSTILE), (HOSTILE,)):
        done = relay.here(*command)
        assert done.returncode
        assert _unseen(done.stderr + done.stdout) == [], command


def test_what_a_relay_elsewhere_says_is_shown(relay: Installation, refused: str) -> None:
    token = relay.folder / "operator.elsewhere"
    token.write_text(token_for(relay, "--operator"))
    server = ("--server", relay.api_url, "--token-file", str(token), "--ca", str(relay.folder / "server.pem"))
    for command in (("why", refused), ("why", refused, "--json"), ("tenant", "show", HOSTILE), ("queue", "list")):
        done = elsewhere(*server, *command)
        assert _unseen(done.stderr + done.stdout) == [], command


def test_on_a_terminal_only_our_own_colours_are_commands(relay: Installation, refused: str) -> None:
    shown, terminal = pty.openpty()
    command = [*relay._command("why", refused)]
    with subprocess.Popen(command, stdout=terminal, stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"}):
        os.close(terminal)
        said = b"".join(iter(lambda: _read(shown), b""))
    os.close(shown)
    text = re.sub(r"\x1b\[[\d;]*m", "", said.decode().replace("\r\n", "\n"))
    assert _shows_all(text)
    assert "\\x9b31m" in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so at the end
        return b""
