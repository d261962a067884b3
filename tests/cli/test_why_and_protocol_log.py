"""`why` and `protocol-log` on stored files, by the real command line."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from end_to_end.installation import in_this_process
from gatepost.logs.log_writer import LogWriter
from gatepost.logs.protocol_log_files import ProtocolLogFiles
from gatepost.logs.session_records import SessionRecords
from gatepost.mail.session_id import SessionIds
from gatepost.protocol_log.codec import Side
from gatepost.protocol_log.record import Event, ProtocolLogRecord

REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied; no-certificate-presented"
CONFIG = 'hostname = "relay.example.net"\n[[listener]]\naddress = "127.0.0.1:2525"\n'


class Installation:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gatepost.toml").write_text(CONFIG)
        self.session_id = SessionIds(1).next(time.time() - 7200)
        writer = LogWriter()
        rows = ProtocolLogFiles(folder / "data/protocol-log/receive", Side.RECEIVE, writer)
        sessions = SessionRecords[dict[str, Any]](folder / "data/sessions", 1, lambda record: (record, ()), writer)
        rows.add(self._row(0, Event.CONNECT, ""))
        rows.add(self._row(1, Event.SEND, REFUSAL))
        sessions.add(self._record())
        writer.close()

    def _row(self, number: int, event: Event, data: str) -> ProtocolLogRecord:
        at = time.time() - 7200
        return ProtocolLogRecord(
            at, "127.0.0.1:2525", self.session_id, number, "127.0.0.1:2525", "192.0.2.1:5", event, data, ""
        )

    def _record(self) -> dict[str, Any]:
        reasons = [{"code": "no-certificate-presented", "connector": None, "says": "None came."}]
        recipient = {
            "rcpt_to": "bob@fabrikam.com",
            "outcome": "refused",
            "reason": "no-certificate-presented",
            "tenant": None,
            "connector": None,
            "basis": None,
            "reply": REFUSAL,
            "reasons": reasons,
            "warnings": [],
            "directory_version": 3,
        }
        transaction = {
            "number": 0,
            "mail_from": "ann@contoso.com",
            "recipients": [recipient],
            "first": 0,
            "reply": None,
            "queue_id": None,
            "size": 0,
        }
        return {
            "session_id": self.session_id,
            "at": "2026-01-01T00:00:00Z",
            "closed_at": "2026-01-01T00:00:01Z",
            "closed": "Remote",
            "listener": "127.0.0.1:2525",
            "address": "192.0.2.1",
            "ehlo": "mail\x1b[2J[red]x",
            "tls": None,
            "transactions": [transaction],
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return in_this_process("--config", str(self.folder / "gatepost.toml"), *arguments)


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("relay"))


def test_why_answers_with_the_contracts_object(relay: Installation) -> None:
    done = relay("why", f"{REFUSAL} [relay.example.net 2026-01-01T00:00:00.000Z {relay.session_id.lower()}]", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["session_id"] == relay.session_id
    assert document["outcome"] == "refused"
    assert document["reply"] == REFUSAL
    assert document["reasons"][0]["code"] == "no-certificate-presented"
    assert document["directory_version"] == 3
    assert document["evidence"]["address"] == "192.0.2.1"
    assert {"tenant", "connector", "basis", "warnings", "at"} <= document.keys()


def test_why_tells_people_the_verdict_first_and_lets_no_peer_paint_the_terminal(relay: Installation) -> None:
    done = relay("why", relay.session_id)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: no-certificate-presented\n")
    assert "192.0.2.1" in done.stdout
    assert "[red]x" in done.stdout
    assert "\x1b" not in done.stdout


def test_an_unknown_session_is_one_line_and_exit_code_1(relay: Installation) -> None:
    for command in (("why",), ("protocol-log", "show")):
        done = relay(*command, SessionIds(2).next(1_767_268_800.0))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        assert "go back to" in done.stderr


def test_what_is_no_session_id_is_wrong_use(relay: Installation) -> None:
    done = relay("why", "550 no")
    assert done.returncode == 2
    assert "16 hexadecimal digits" in done.stderr


def test_a_conversation_is_shown_for_people_and_programs(relay: Installation) -> None:
    shown = relay("protocol-log", "show", relay.session_id)
    assert shown.returncode == 0, shown.stderr
    assert "!!--> 550 5.7.64" in shown.stdout
    document = json.loads(relay("protocol-log", "show", relay.session_id, "--json").stdout)
    assert [row["event"] for row in document["records"]] == ["+", ">"]
    assert document["records"][1]["data"] == REFUSAL
