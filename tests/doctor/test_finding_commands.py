"""Every command that a finding or a page gives can be pasted: it parses, its placeholders are seen to be such, and what
came from the evidence is data in it, whatever signs it holds."""

import json
import re
import shlex
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest
import tree_sitter_powershell
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from doctor.field_score import FIELD, cases_of, evidence_of
from gatepost.cli.main import main_app
from gatepost.doctor.causes import all_causes
from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.finding import Fix
from gatepost.doctor.reading import read_files, read_text
from gatepost.doctor.renewal import rehearsed
from gatepost.exchange.powershell import quoted
from pki import Pki
from soak import rounds

DOCS = Path(__file__).parents[2] / "docs"
BUNDLES = sorted(each for each in (Path(__file__).parent / "bundles").iterdir() if each.is_dir())
POWERSHELL = Parser(Language(tree_sitter_powershell.language()))
IN_POWERSHELL = frozenset(("Exchange", "Exchange Online", "Windows", ".NET"))
IN_A_SHELL = frozenset(
    ("Postfix", "Exim", "Gatepost", "OpenSMTPD", "sendmail", "qmail", "Java", "Python", "PHP", "Node.js", "Go")
)
FOR_PEOPLE = frozenset(("network", "PKI", "application", "certificate authority", "device"))


# --- what is well formed ---------------------------------------------------------------------------------------------


def assert_powershell(command: str) -> Node:
    """The tree of a script; a command before it, for the grammar knows no script of comments alone."""
    root = POWERSHELL.parse(f"Get-Date\n{command}\n".encode()).root_node
    assert not root.has_error, command
    bare = [each.text.decode() for each in nodes(root, "generic_token")]
    assert not [each for each in bare if "<" in each], f"a placeholder outside a string, where < is reserved: {command}"
    return root


def nodes(node: Node, kind: str) -> list[Node]:
    found = [node] if node.type == kind else []
    return found + [inner for child in node.children for inner in nodes(child, kind)]


@cache
def assert_shell(command: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=command, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, f"{command}\n{checked.stderr}"
    words = words_of(command)
    assert not {"<", "<<"} & set(words), f"a placeholder that a shell takes for a file: {command}"
    for each in gatepost_commands(words):
        assert_of_ours(each)


def words_of(command: str) -> list[str]:
    found = shlex.shlex(command, posix=True, punctuation_chars="();<>|&")
    found.whitespace_split = True
    return list(found)


def gatepost_commands(words: list[str]) -> list[list[str]]:
    """The arguments of each `gatepost` among commands joined by `;`, `&&` and `|`."""
    commands: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set(";&|"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [each[1:] for each in commands if each[:1] == ["gatepost"]]


def assert_of_ours(arguments: list[str]) -> None:
    """It is a command of this version, with options that it has; nothing is run."""
    command = typer.main.get_command(main_app)
    context = command.make_context("gatepost", list(arguments), resilient_parsing=False)
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def assert_can_be_pasted(fix: Fix) -> None:
    if fix.where in IN_POWERSHELL:
        assert_powershell(fix.command)
    elif fix.where in IN_A_SHELL:
        assert_shell(fix.command)
    else:
        assert fix.where in FOR_PEOPLE, f"is {fix.where!r} a shell, or for people?"


# --- what findings give ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda each: each.name)
def test_the_commands_of_a_bundles_report_can_be_pasted(folder):
    diagnosis = diagnose(read_files([each for each in sorted(folder.iterdir()) if each.name != "expect.toml"]))
    for finding in diagnosis.findings:
        for fix in finding.fix:
            assert_can_be_pasted(fix)


@pytest.mark.parametrize(
    "arguments",
    [
        ["inbound-connector", "set", "T", "N", "--certificate-nam", "x"],
        ["inbound-connector", "vanish"],
        ["domain", "add"],
    ],
)
def test_a_command_that_we_do_not_have_is_not_taken(arguments):
    with pytest.raises(Exception, match=r"(?i)no such|missing|possible"):
        assert_of_ours(arguments)


def test_a_bare_placeholder_is_not_taken():
    with pytest.raises(AssertionError):
        assert_powershell("Set-DistributionGroup -Identity <group> -Alias x")
    with pytest.raises(AssertionError):
        assert_shell("gatepost domain add <tenant> contoso.com")


# --- values with signs in them ---------------------------------------------------------------------------------------

VISIBLE = st.one_of(st.characters(codec="utf-8", exclude_categories=("C", "Z")), st.sampled_from(" '\"$`;&|"))
NAMES = st.text(VISIBLE, min_size=1, max_size=30).map(
    str.strip
).filter(lambda name: name and not name.startswith("-"))  # fmt: skip


@given(NAMES)
@example("O'Brien's \"relay\" $(Remove-Item C:\\) `n ; & | <I>CN=x<S>")
@example("\u2018typographic\u2019 \u201aand\u201b")
def test_a_value_is_one_powershell_string_and_comes_out_as_it_went_in(name):
    root = assert_powershell(f"Set-InboundConnector -Identity {quoted(name)} -Enabled $true")
    (literal,) = [each.text.decode() for each in nodes(root, "verbatim_string_characters")]
    for sign in "'\u2018\u2019\u201a\u201b":
        literal = literal[0] + literal[1:-1].replace(sign * 2, sign) + literal[-1]
    assert literal[1:-1] == name


@pytest.mark.soak
@settings(max_examples=rounds(20, large=1200), deadline=None)
@given(NAMES)
@example('Büro\'s "relay" $(reboot) `reboot` ; & | <I>CN=x<S>')
@example("new line")
def test_a_connectors_name_is_data_in_every_command_that_names_it(name):
    name = f"Relay {name}"  # nothing that reads as $null or as a list
    connector = {"Name": name, "ConnectorType": "OnPremises", "Enabled": False, "TlsSenderCertificateName": "a.example"}
    refusal = "550 5.7.64 TenantAttribution; Relay Access Denied [AM1.eop-eur05.prod.protection.outlook.com]"
    findings = diagnose(read_text(json.dumps([connector]) + "\n" + refusal)).findings
    fixes = [fix for finding in findings for fix in finding.fix]
    assert {fix.where for fix in fixes} >= {"Exchange Online", "Gatepost"}
    for fix in fixes:
        assert_can_be_pasted(fix)
    enabling = next(fix.command for fix in fixes if fix.where == "Gatepost")
    assert shlex.split(enabling) == ["gatepost", "inbound-connector", "enable", "TENANT", name]


# --- what a rehearsal gives ---


@pytest.mark.parametrize("new", ["mail.contoso.example", "post.contoso.example", "O'Brien.contoso.example"])
@pytest.mark.parametrize("purposes", [("serverAuth",), ("serverAuth", "clientAuth")])
def test_the_commands_of_a_rehearsed_renewal_can_be_pasted(new, purposes, tmp_path):
    pki, other = Pki(tmp_path / "old"), Pki(tmp_path / "new", "Other")
    names = {"names": ["mail.contoso.example"]} if "'" in new else {}
    old, following = pki.leaf("mail.contoso.example"), other.leaf(new, purposes=purposes, **names)
    (tmp_path / "connectors.json").write_text(
        '[{"Name": "From O\'Brien", "ConnectorType": "OnPremises", "Enabled": true, '
        '"TlsSenderCertificateName": "mail.contoso.example"}]'
    )
    (tmp_path / "send.txt").write_text(
        "Name               : To cloud\nSmartHosts         : {contoso-example.mail.protection.outlook.com}\n"
        "TlsCertificateName : <I>CN=Test Intermediate CA<S>CN=mail.contoso.example\n"
    )
    evidence = read_files([old.certificate_file, tmp_path / "connectors.json", tmp_path / "send.txt"])
    findings = rehearsed(read_files([following.certificate_file]), evidence, time.time()).findings
    fixes = [fix for finding in findings for fix in finding.fix]
    assert fixes
    for fix in fixes:
        assert_can_be_pasted(fix)


# --- what pages give -------------------------------------------------------------------------------------------------

_BLOCK = re.compile(r"^```powershell\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`((?:Get|Set|New|Remove|Enable|Import|Export|Restart|Start|Stop|Test|Validate)-[A-Z]\w+ [^`]+)`")


def test_the_powershell_of_the_documentation_parses():
    texts = [path.read_text("utf-8") for path in sorted(DOCS.rglob("*.md"))]
    written = [command for text in texts for pattern in (_BLOCK, _SPAN) for command in pattern.findall(text)]
    assert written
    for command in written:
        assert_powershell(command)


# --- what a relay of ours says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        (
            "address-matches-no-connector address 198.51.100.7",
            "gatepost inbound-connector set TENANT NAME --add-address 198.51.100.7",
        ),
        (
            "certificate-name-matches-no-connector certificate name mail.contoso.com",
            "gatepost inbound-connector set TENANT NAME --add-certificate-name mail.contoso.com",
        ),
        ("reverse-path-domain-not-verified reverse-path domain contoso.com", "gatepost domain verify contoso.com"),
    ],
)
def test_on_the_relays_side_a_receive_log_is_enough(reason, command):
    row = "2026-06-09T08:00:01.00{0}Z,0.0.0.0:25,08DE0001A2B3C4D5,{0},192.0.2.1:25,198.51.100.7:5011,{1},\n"
    log = "#Log-Type: SMTP Receive Protocol Log\n" + "".join(
        row.format(number, what)
        for number, what in enumerate(
            (
                "+,",
                "<,EHLO mail.contoso.com",
                "<,MAIL FROM:<ann@contoso.com>",
                f'>,"550 5.7.64 TenantAttribution; Relay Access Denied; {reason} [r.example 2026-06-09T08:00:01Z 08]"',
            )
        )
    )
    first = diagnose(read_text(log)).findings[0]
    assert first.rule == "relay-said-why"
    assert first.fix[0].command.partition("   #")[0] == command
    assert_can_be_pasted(first.fix[0])


@pytest.mark.parametrize("case", cases_of(FIELD / "first"), ids=lambda each: each.name)
def test_the_commands_of_a_field_cases_report_can_be_pasted(case):
    for finding in diagnose(evidence_of(case)).findings:
        for fix in finding.fix:
            assert_can_be_pasted(fix)


@pytest.mark.parametrize("cause", all_causes().values(), ids=lambda each: each.id)
def test_the_commands_that_a_cause_has_by_itself_can_be_pasted(cause):
    for where, command, _ in cause.repair:
        assert_can_be_pasted(Fix(where, re.sub(r"\{\w+\}", "x.example", command)))
