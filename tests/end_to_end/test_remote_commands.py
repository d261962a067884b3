"""`gatepost --server`: the same commands put to a relay elsewhere, with the same words, JSON and exit codes."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from end_to_end.api_client import token_for
from end_to_end.installation import Installation, elsewhere, free_port, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, Certificates
from end_to_end.smtp_client import SmtpClient


@dataclass
class Elsewhere:
    """A command line on another machine, with a token file and the relay's certificate."""

    relay: Installation
    token_file: Path

    def __call__(self, *arguments: str, expect: int = 0) -> tuple[str, str]:
        """Standard output and standard error."""
        done = elsewhere(*self.options, *arguments)
        assert done.returncode == expect, f"gatepost {' '.join(arguments)}: exit {done.returncode}: {done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def told(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json")[0])

    @property
    def options(self) -> tuple[str, ...]:
        certificate = self.relay.folder / "server.pem"
        return ("--server", self.relay.api_url, "--token-file", str(self.token_file), "--ca", str(certificate))


@pytest.fixture(scope="module")
def relay(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, outside: Outside
) -> Iterator[Installation]:
    relay = Installation(
        tmp_path_factory.mktemp("relay"),
        client_roots=certificates.pki.roots_file,
        api=True,
        workers=1,
        tables=f'[dns]\nnameservers = ["{outside.dns.address}"]\n',
    )
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
    relay("send-connector", "set", "internet", "--smart-host", "127.0.0.1:9")
    with relay.serving():
        yield relay


@pytest.fixture(scope="module")
def operator(relay: Installation) -> Elsewhere:
    return _with_token(relay, "--operator")


@pytest.fixture(scope="module")
def contoso(relay: Installation) -> Elsewhere:
    return _with_token(relay, "--tenant", "contoso")


def _with_token(relay: Installation, *options: str) -> Elsewhere:
    file = relay.folder / f"{options[-1].strip('-')}.elsewhere"
    file.write_text(token_for(relay, *options))
    return Elsewhere(relay, file)


READING = [
    ("tenant", "list"),
    ("tenant", "show", "contoso"),
    ("domain", "list"),
    ("domain", "list", "fabrikam"),
    ("domain", "show", "contoso.com"),
    ("inbound-connector", "list"),
    ("inbound-connector", "list", "contoso"),
    ("inbound-connector", "show", "contoso", "mail"),
    ("send-connector", "list"),
    ("send-connector", "show", "internet"),
    ("audit", "list"),
    ("audit", "list", "domain", "--limit", "2"),
    ("audit", "show", "3"),
    ("queue", "list"),
]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_is_read_is_the_same_here_and_there(
    relay: Installation, operator: Elsewhere, arguments: tuple[str, ...]
) -> None:
    assert operator.told(*arguments) == relay.told(*arguments)
    assert operator(*arguments)[0] == relay.here(*arguments).stdout


def test_a_tenant_is_set_up_from_elsewhere_and_removed(relay: Installation, operator: Elsewhere) -> None:
    assert operator("tenant", "add", "litware")[0] == "added tenant litware\n"
    assert "exists already" in operator("tenant", "add", "litware", expect=1)[1]
    shown, _ = operator("domain", "add", "litware", "litware.com")
    assert '_gatepost.litware.com TXT "gatepost-verification=' in shown
    added = ("inbound-connector", "add", "litware", "in", "--certificate-name", "mail.litware.com")
    assert "litware/in is stored but not enabled: certificate name" in operator(*added, expect=1)[1]
    assert "set litware in" in operator(*added, expect=1)[1]
    assert "stays disabled" in operator("inbound-connector", "enable", "litware", "in", expect=1)[1]
    operator("domain", "set", "litware.com", "--verified")
    operator("inbound-connector", "enable", "litware", "in")
    operator("inbound-connector", "set", "litware", "in", "--address", "192.0.2.1")
    assert relay.told("inbound-connector", "show", "litware", "in")["addresses"] == ["192.0.2.1/32"]
    operator("send-connector", "add", "out", "--tenant", "litware", "--address-space", "*", "--smart-host", "192.0.2.2")
    assert relay.told("send-connector", "show", "litware/out")["tenant"] == "litware"
    operator("send-connector", "disable", "litware/out")
    operator("inbound-connector", "set", "litware", "in", "--comment", "the hub in Hamburg")
    assert relay.told("inbound-connector", "show", "litware", "in")["comment"] == "the hub in Hamburg"
    assert relay.told("inbound-connector", "show", "fabrikam", "mail")["comment"] is None
    assert "still has" in operator("tenant", "remove", "litware", expect=1)[1]
    operator("tenant", "remove", "litware", "--yes")
    operator("tenant", "show", "litware", expect=1)


def test_a_tenant_signs_its_mail_from_elsewhere_and_nobody_elses(
    relay: Installation, operator: Elsewhere, contoso: Elsewhere, outside: Outside
) -> None:
    made = contoso.told("dkim", "add", "contoso", "contoso.com", "--algorithm", "ed25519")
    assert operator.told("dkim", "list") == relay.told("dkim", "list") == contoso.told("dkim", "list") == [made]
    own = ("contoso", "contoso.com")
    assert contoso("dkim", "show", *own)[0] == relay.here("dkim", "show", *own).stdout
    assert "there is no DKIM record" in contoso("dkim", "check", *own, expect=1)[0]
    assert "there is no DKIM record" in contoso("dkim", "activate", *own, expect=1)[1]
    outside.dns.add(made["record"]["name"], "TXT", f'"{made["record"]["value"]}"')
    assert "DNS shows the key" in contoso("dkim", "check", *own)[0]
    assert f"is signed with {made['selector']} (ed25519) from now on" in contoso("dkim", "activate", *own)[0]
    following = contoso.told("dkim", "add", *own, "--algorithm", "ed25519")
    assert following["selector"] == f"{made['selector']}a"
    assert "signs mail" in contoso("dkim", "remove", *own, "--selector", made["selector"], expect=1)[1]
    assert "leaves unsigned now" in contoso("dkim", "retire", *own)[1]
    contoso("dkim", "remove", *own, "--selector", following["selector"])
    assert "no tenant 'fabrikam'" in contoso("dkim", "add", "fabrikam", "fabrikam.com", expect=1)[1]
    assert "no accepted domain" in contoso("dkim", "add", "contoso", "fabrikam.com", expect=1)[1]
    assert "on the relay itself" in operator("dkim", "list", "-", expect=1)[1]


def test_limits_of_a_tenant_are_set_from_elsewhere(
    relay: Installation, operator: Elsewhere, contoso: Elsewhere
) -> None:
    """What is not mentioned stays, and other tenants keep theirs."""
    relay("tenant", "set", "fabrikam", "--sessions", "7")
    operator("tenant", "set", "fabrikam", "--message-size", "25MiB", "--limit", "ipv4-prefix=20")
    operator("tenant", "set", "fabrikam", "--contact", "ops@fabrikam.com", "--limit", "domains=0")
    assert relay.told("tenant", "show", "fabrikam")["limits"] == {
        **{"message_size": 26214400, "sessions": 7, "domains": 0, "ipv4_prefix": 20}
    }
    operator("tenant", "set", "fabrikam", *("--sessions", "default", "--message-size", "default"))
    operator("tenant", "set", "fabrikam", *("--limit", "domains=default", "--limit", "ipv4-prefix=default"))
    assert relay.told("tenant", "show", "fabrikam")["limits"] == {}
    assert relay.told("tenant", "show", "contoso")["limits"] == {}
    assert "only the operator" in contoso("tenant", "set", "contoso", "--sessions", "0", expect=1)[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("inbound-connector", "add", "contoso", "wrong", "--certificate-name", "CN=mail"),
        ("inbound-connector", "add", "contoso", "wrong"),
        ("inbound-connector", "set", "contoso", "mail", "--restrict-to-address"),
        ("send-connector", "add", "wrong", "--address-space", "*", "--tls", "sometimes"),
        ("tenant", "add", "contoso"),
        ("domain", "add", "contoso", "contoso.com"),
        ("inbound-connector", "add", "contoso", "mail", "--address", "192.0.2.1"),
        ("send-connector", "add", "internet", "--address-space", "*"),
        ("queue", "show", "nonsense"),
        ("queue", "hold"),
        ("tenant", "set", "contoso", "--limit", "ipv4-prefix=33"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_told_in_the_same_words(
    relay: Installation, operator: Elsewhere, arguments: tuple[str, ...]
) -> None:
    here = relay.here(*arguments)
    assert operator(*arguments, expect=here.returncode)[1] == here.stderr


def test_a_tenant_works_with_its_own_part(relay: Installation, contoso: Elsewhere, certificates: Certificates) -> None:
    assert [each["name"] for each in contoso.told("tenant", "list")] == ["contoso"]
    assert {each["tenant"] for each in contoso.told("inbound-connector", "list")} == {"contoso"}
    assert "there is no tenant 'fabrikam'" in contoso("tenant", "show", "fabrikam", expect=1)[1]
    contoso("send-connector", "add", "home", "--address-space", "contoso.com", "--smart-host", "hub.example:587")
    assert contoso.told("send-connector", "show", "home")["smart_hosts"] == [{"host": "hub.example", "port": 587}]
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificates.contoso)
        assert smtp.message("ann@contoso.com", "x@outside.example", MESSAGE).code == 250
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificates.other_name)
        refused = smtp.mail("ann@contoso.com", "x@outside.example")
    assert contoso.told("why", refused.session_id)["outcome"] == "refused"
    wait_until(lambda: contoso.told("queue", "list")["recipients"] == 1, "the message to wait")
    message = contoso.told("queue", "list")["messages"][0]["id"]
    assert contoso.told("queue", "show", message)["recipients"][0]["tenant"] == "contoso"
    assert contoso("queue", "hold", message)[0] == "1 recipient held\n"
    assert contoso("queue", "remove", "--all", "--yes")[0] == "1 recipient removed\n"
    assert all("fabrikam" not in json.dumps(entry) for entry in contoso.told("audit", "list", "--limit", "0"))


def test_a_tenant_asks_for_its_own_forecast_from_elsewhere(
    relay: Installation, contoso: Elsewhere, operator: Elsewhere
) -> None:
    for tenant in ("contoso", "fabrikam"):
        relay("token", "add", "--tenant", tenant, "--expires", "5d", "--out", str(relay.folder / f"{tenant}.soon"))
        used = elsewhere(
            *operator.options[:2],
            "--token-file",
            str(relay.folder / f"{tenant}.soon"),
            *operator.options[4:],
            "tenant",
            "list",
        )
        assert used.returncode == 0, used.stderr
    own = json.loads(contoso("forecast", "--json", expect=1)[0])["prospects"]
    assert [(each["code"], each["tenant"]) for each in own] == [("token-expires", "contoso")]
    assert "fabrikam" not in contoso("forecast", expect=1)[0]
    everybody = json.loads(operator("forecast", "--json", expect=1)[0])["prospects"]
    assert {each["tenant"] for each in everybody} == {"contoso", "fabrikam"}
    assert "no tenant" in contoso("forecast", "--tenant", "fabrikam", expect=1)[1]


def test_explain_says_the_same_here_and_there(
    relay: Installation, operator: Elsewhere, certificates: Certificates
) -> None:
    known, other = certificates.contoso.chain_file, certificates.other_name.chain_file
    for code, *options in (
        (0, "--certificate", str(known), "--mail-from", "a@contoso.com", "--rcpt-to", "b@outside.example"),
        (1, "--certificate", str(other), "--mail-from", "a@contoso.com", "--rcpt-to", "b@outside.example"),
        (1, "--address", "192.0.2.9", "--mail-from", "", "--rcpt-to", "b@outside.example", "--tls"),
    ):
        here = relay.here("explain", *options, "--json")
        there = json.loads(operator("explain", *options, "--json", expect=code)[0])
        assert _without_time(there) == _without_time(json.loads(here.stdout))
        assert here.returncode == code
    wrong = ("explain", "--address", "192.0.2", "--mail-from", "", "--rcpt-to", "b@outside.example")
    assert operator(*wrong, expect=2)[1] == relay.here(*wrong).stderr


def _without_time(document: Any) -> Any:
    """A refusal has the time in it."""
    return re.sub(r"[0-9T:.-]{20,}Z", "", json.dumps(document))


def test_explain_tells_a_tenant_nothing_that_depends_on_another(
    relay: Installation, contoso: Elsewhere, certificates: Certificates
) -> None:
    own = ("--certificate", str(certificates.contoso.chain_file))
    assert contoso.told("explain", *own, "--mail-from", "a@contoso.com", "--rcpt-to", "b@out.example")["connector"]
    asked = (
        *("explain", "--certificate", str(certificates.fabrikam.chain_file), "--address", "192.0.2.77"),
        *("--mail-from", "a@fabrikam.com", "--rcpt-to", "b@out.example", "--rcpt-to", "b@fabrikam.com", "--json"),
    )
    relay("inbound-connector", "add", "fabrikam", "guessed", "--certificate-name", "*.fabrikam.com")
    relay("inbound-connector", "set", "fabrikam", "guessed", "--address", "192.0.2.77")
    assert relay.here(*asked).returncode == 0
    known, _ = contoso(*asked, expect=1)
    relay("inbound-connector", "remove", "fabrikam", "guessed")
    unknown, _ = contoso(*asked, expect=1)
    versions = re.compile(r'"directory_version": \d+')
    assert _without_time(versions.sub("", known)) == _without_time(versions.sub("", unknown))
    assert "fabrikam/" not in known and "Other tenants are not considered" in known


def test_a_token_that_may_read_may_ask_explain(relay: Installation) -> None:
    reader = _with_token(relay, "--tenant", "contoso", "--scope", "read")
    reader("explain", "--mail-from", "a@contoso.com", "--rcpt-to", "b@out.example", expect=1)
    says = reader("explain", "--listener", "x", "--mail-from", "", "--rcpt-to", "b@out.example", expect=1)[1]
    assert "only the operator may set listener" in says


def test_what_keeps_the_relay_from_answering_is_one_line(
    relay: Installation, operator: Elsewhere, tmp_path: Path
) -> None:
    expired = _with_token(relay, "--tenant", "contoso", "--expires", "0.001s")
    says = expired("tenant", "list", expect=2)[1]
    assert says.count("\n") == 1 and "expired" in says and "gatepost token add" in says
    nobody = ("--server", f"https://127.0.0.1:{free_port()}", *operator.options[2:])
    strange = (*operator.options[:-1], str(_other_certificate(tmp_path)))
    for options, expected in ((nobody, "cannot be reached"), (strange, "the right PEM file with --ca")):
        done = elsewhere(*options, "tenant", "list")
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and expected in done.stderr, done.stderr
    for options in (operator.options[:2], operator.options[2:]):
        done = elsewhere(*options, "tenant", "list")
        assert done.returncode == 2 and "--server" in done.stderr and done.stderr.count("\n") == 1
    done = elsewhere(*operator.options, "token", "list")
    assert done.returncode == 2 and "works on the relay itself" in done.stderr


def _other_certificate(folder: Path) -> Path:
    other = Installation(folder / "other")
    other.init()
    return other.folder / "server.pem"


def test_a_tenant_enrols_a_server_from_elsewhere(contoso: Elsewhere, operator: Elsewhere) -> None:
    assert "has no enrolment yet" in contoso("enroll", "contoso", "--show", expect=1)[1]
    made = json.loads(contoso("enroll", "contoso", "--json")[0])
    assert made["address"].endswith("@relay.example.net") and made["ehlo"] in made["how"]["postfix"]
    assert f"no message has arrived yet at {made['address']}" in contoso("enroll", "contoso", "--show", expect=1)[0]
    assert made["ehlo"] in operator("enroll", "contoso", "--json", "--show", expect=1)[0]
    assert "no tenant" in contoso("enroll", "fabrikam", expect=1)[1]
