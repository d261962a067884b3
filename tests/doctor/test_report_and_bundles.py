"""The command: what it reads, in which forms it tells, and how it ends."""

import json
import re
import sys
from html.parser import HTMLParser

import pytest

from gatepost.cli.main import run
from gatepost.doctor import report
from gatepost.doctor.bundle_file import BundleError, dump_bundle, load_bundle
from gatepost.doctor.diagnosis import Diagnosis, diagnose
from gatepost.doctor.finding import Cited, Finding, Fix, RuledOut
from gatepost.doctor.reading import read_files, read_text
from gatepost.exchange.source import Source

BARE = "Hello, we get 550 5.7.64 TenantAttribution; Relay Access Denied since this morning"
CONNECTOR = (
    "Name : From office\nConnectorType : OnPremises\nTlsSenderCertificateName : old.contoso.example\nEnabled : False\n"
)

HOSTILE = "\x1b[31m<script>alert(1)</script>`x` | *y*"
DIAGNOSIS = Diagnosis(
    findings=(
        Finding(
            rule="some-rule",
            title="Some rule",
            catalogue=("A01",),
            confidence="high",
            specificity=85,
            side="tenant",
            summary=f"The connector expects another name. {HOSTILE}",
            evidence=(Cited(Source("SEND.log", 31), HOSTILE),),
            fix=(Fix("Exchange Online", "Set-InboundConnector -Identity 'x' -TlsSenderCertificateName 'y'"),),
            verify="Send one message.",
        ),
    ),
    ruled_out=(RuledOut(because="the chain is whole", rule="other", title="Other"),),
    missing=("the chain",),
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pasted.txt").write_text(BARE)
    (tmp_path / "connector.txt").write_text(CONNECTOR)
    return tmp_path


def test_json_has_the_contracts_keys(folder, capsys):
    assert run(["doctor", "--json", str(folder)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"findings", "ruled_out", "missing", "read"} <= set(told)
    keys = {"rule", "catalogue", "confidence", "side", "summary", "evidence", "fix", "verify", "page"}
    assert all(keys <= set(each) for each in told["findings"])
    assert {"source": "connector.txt", "as": "inbound-connector", "items": 1} in told["read"]


def test_a_bare_reply_is_told_with_low_confidence_and_without_a_command(tmp_path, capsys):
    (tmp_path / "pasted.txt").write_text(BARE)
    run(["doctor", "--json", str(tmp_path / "pasted.txt")])
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0]["confidence"] == "low"
    assert told["findings"][0]["fix"] == []
    assert told["missing"]


def test_the_terminal_report_says_the_cause_first_and_quotes_file_and_line():
    shown = [line.text for line in report.lines(DIAGNOSIS, 80)]
    assert shown[0].startswith("The connector expects another name.")
    assert "  SEND.log:31" in shown
    assert "    Set-InboundConnector -Identity 'x' -TlsSenderCertificateName 'y'" in shown
    assert not any("\x1b" in line for line in shown)
    assert all(len(line) <= 80 for line in shown)


def test_the_html_report_needs_nothing_else_and_runs_nothing():
    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.seen = set()

        def handle_starttag(self, tag, attributes):
            self.seen.add(tag)
            assert not {name for name, _ in attributes} & {"src", "href", "onload", "onclick"}

    page = report.html(DIAGNOSIS)
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert not re.search(r"https?://", page)


def test_the_markdown_report_keeps_strangers_signs_as_signs():
    told = report.markdown(DIAGNOSIS)
    assert "<script>" not in re.sub(r"``.*?``|`[^`]*`", "", told)
    assert "    Set-InboundConnector" in told


def test_html_and_markdown_and_the_saved_bundle_are_written(folder, tmp_path, capsys):
    page, saved = tmp_path / "out.html", tmp_path / "out.json"
    assert run(["doctor", "--html", str(page), "--save", str(saved), "--markdown", str(folder)]) == 0
    assert "# Doctor report" in capsys.readouterr().out
    assert page.read_text().startswith("<!doctype html>")
    run(["doctor", "--json", str(folder / "pasted.txt"), str(folder / "connector.txt")])
    first = json.loads(capsys.readouterr().out)
    run(["doctor", "--json", "--bundle", str(saved)])
    again = json.loads(capsys.readouterr().out)
    assert [each["rule"] for each in again["findings"]] == [each["rule"] for each in first["findings"]]


def test_standard_input_is_read(monkeypatch, capsys):
    from io import BytesIO, TextIOWrapper

    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(BARE.encode())))
    assert run(["doctor", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["read"][0]["source"] == "standard input"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to read"),
        (["{}/none.txt"], "no such file"),
        (["{}/empty"], "holds no file"),
        (["{}/zip.zip"], "unpack it"),
        (["{}/zeros"], "empty"),
        (["--bundle", "{}/pasted.txt"], "--bundle"),
        (["--next", "{}/pasted.txt", "{}/pasted.txt"], "--next"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(folder, capsys, arguments, says):
    (folder / "empty").mkdir()
    (folder / "zip.zip").write_bytes(b"PK\x03\x04abc")
    (folder / "zeros").write_bytes(b"\0" * 1000)
    assert run(["doctor", *(each.format(folder) for each in arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_redaction_hides_names_in_the_report_and_in_the_saved_bundle(folder, tmp_path, capsys):
    saved = tmp_path / "out.json"
    run(["doctor", "--redact", "--json", "--save", str(saved), str(folder / "connector.txt")])
    assert "contoso" not in capsys.readouterr().out + saved.read_text()


def test_a_bundle_is_the_same_after_saving_and_loading(folder):
    bundle = read_files([folder])
    assert load_bundle(dump_bundle(bundle)) == bundle


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"gatepost-evidence-bundle": 9}',
        '{"gatepost-evidence-bundle": 1, "replies": 3}',
        '{"gatepost-evidence-bundle": 1, "replies": [{"code": "x"}]}',
        '{"gatepost-evidence-bundle": 1, "replies": [{"nothing": 1}]}',
        '{"gatepost-evidence-bundle": 1, "what": []}',
    ],
)
def test_a_damaged_bundle_is_one_clear_line(text):
    with pytest.raises(BundleError):
        load_bundle(text)


def test_the_report_on_a_diagnosis_of_nothing_says_so():
    diagnosis = diagnose(read_text("nothing of interest"))
    assert report.lines(diagnosis)[0].text == "No cause found in this evidence."


def test_a_page_is_named_for_every_finding(folder):
    for finding in diagnose(read_files([folder])).findings:
        assert finding.page == f"gatepost help cause {finding.rule}"
