"""`gatepost probe` against a relay that serves, and against servers that do what no relay should."""

import json
import os
import re
import socketserver
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest
from OpenSSL import SSL

from end_to_end.installation import PATIENCE_S, Installation, elsewhere, free_port
from end_to_end.scene import Certificates
from pki import Issued, Pki

ENVELOPE = ("--mail-from", "ann@contoso.com", "--rcpt-to", "someone@outside.example")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    with patch.dict(os.environ, COLUMNS="80"):
        return elsewhere(*arguments)


def probed(port: int, *arguments: str, expect: int = 0) -> Any:
    done = run(
        "probe", f"127.0.0.1:{port}", "--ehlo", "mail.contoso.com", "--timeout", str(PATIENCE_S), *arguments, "--json"
    )
    assert done.returncode == expect, done.stderr + done.stdout
    return json.loads(done.stdout)


def presenting(issued: Issued) -> tuple[str, ...]:
    return "--certificate", str(issued.chain_file), "--key", str(issued.key_file)


def stages(found: Any) -> dict[str, str]:
    return {each["stage"]: each["reply"] for each in found["stages"]}


# --- a relay ---------------------------------------------------------------------------------------------------------


def test_a_certificate_of_a_tenant_is_asked_for_sent_and_accepted(
    furnished_relay: Installation, certificates: Certificates
) -> None:
    found = probed(furnished_relay.port, *presenting(certificates.contoso), *ENVELOPE)
    assert found["verdict"] == "accepted"
    assert found["address"] == "127.0.0.1"
    assert "relay.example.net" in found["banner"]
    assert found["starttls"] and "STARTTLS" in found["ehlo"] and "STARTTLS" not in found["ehlo_after_tls"]
    assert found["tls"]["protocol"] == "TLSv1.3" and found["tls"]["late_alert"] is None
    assert found["tls"]["chain"][0]["names"] == ["relay.example.net"]
    own = found["certificate"]
    assert (own["presented"], own["requested"], own["sent"]) == (True, True, True)
    assert own["names"] == ["mail.contoso.com"] and len(own["chain"]) == 2
    assert list(stages(found)) == [
        *("connect", "banner", "ehlo", "starttls", "tls", "ehlo-after-tls", "mail-from", "rcpt-to", "rset", "quit")
    ], "no content is sent"
    assert found["masked"] == {"banner": False, "keywords": []}


def test_without_a_certificate_the_refusal_is_quoted(furnished_relay: Installation) -> None:
    found = probed(furnished_relay.port, *ENVELOPE, expect=1)
    assert found["verdict"] == "refused"
    assert "no-certificate-presented" in stages(found)["rcpt-to"]
    assert any(problem.startswith("rcpt-to: 550 5.7.64") for problem in found["problems"])
    assert (found["certificate"]["requested"], found["certificate"]["sent"]) == (True, False)
    assert "quit" in stages(found)


def test_an_expired_certificate_is_told_of_beside_the_refusal(
    furnished_relay: Installation, certificates: Certificates
) -> None:
    found = probed(furnished_relay.port, *presenting(certificates.expired), *ENVELOPE, expect=1)
    assert "certificate-expired" in stages(found)["rcpt-to"]
    assert any("presented here expired" in problem for problem in found["problems"])


def test_people_read_it_in_eighty_columns(furnished_relay: Installation, certificates: Certificates) -> None:
    done = run("probe", f"127.0.0.1:{furnished_relay.port}", *presenting(certificates.contoso), *ENVELOPE)
    assert done.returncode == 0, done.stderr
    assert re.match(r"127\.0\.0\.1:\d+: accepted\n", done.stdout)
    assert "mail.contoso.com" in done.stdout and "RCPT TO:<someone@outside.example>" in done.stdout


def test_beside_a_configuration_its_name_and_roots_are_used(
    furnished_relay: Installation, certificates: Certificates
) -> None:
    own_root = furnished_relay.folder / "server.pem"
    trusting = furnished_relay.folder / "trusting.toml"
    settings = furnished_relay.config.read_text("utf-8")
    trusting.write_text(settings.replace("[tls]", f'[tls]\nserver_roots = "{own_root}"'), "utf-8")
    done = run("--config", str(trusting), "probe", f"localhost:{furnished_relay.port}", "--json")
    found = json.loads(done.stdout)
    assert found["stages"][2]["sent"] == "EHLO relay.example.net"
    assert found["tls"]["problem"] == "the server's certificate is for relay.example.net, not for localhost"


# --- other servers ---------------------------------------------------------------------------------------------------


class Scripted(socketserver.BaseRequestHandler):
    """Says a banner, and answers each command by its first word."""

    banner = "220 mx.contoso.com ESMTP"
    replies: dict[str, str] = {}

    def handle(self) -> None:
        self._say(self.banner)
        lines = self.request.makefile("rb")
        for line in lines:
            word = line.split()[0].decode().upper()
            self._say(self.replies.get(word, "250 ok"))
            if word == "QUIT":
                return

    def _say(self, reply: str) -> None:
        self.request.sendall(reply.replace("\n", "\r\n").encode() + b"\r\n")


@contextmanager
def scripted(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class MaskedByAFirewall(Scripted):
    banner = "220 ****************************************2****"
    replies = {"EHLO": "250-mx.contoso.com Hello [192.0.2.77], pleased to meet you\n250-PIPELINING\n250 XXXXXXXA"}


def test_a_firewall_that_writes_over_banner_and_keyword_is_named() -> None:
    with scripted(MaskedByAFirewall) as port:
        found = probed(port, *ENVELOPE, expect=1)
    assert found["masked"] == {"banner": True, "keywords": ["XXXXXXXA"]}
    assert found["seen_address"] == "192.0.2.77"
    assert not found["starttls"] and found["tls"] is None
    assert any("inspects SMTP" in problem for problem in found["problems"])
    assert stages(found)["rcpt-to"] == "250 ok"


class Unwilling(Scripted):
    banner = "554 5.7.1 no service for 192.0.2.77"


def test_a_host_that_refuses_at_the_banner_hears_quit_only() -> None:
    with scripted(Unwilling) as port:
        found = probed(port, *ENVELOPE, expect=1)
    assert list(stages(found)) == ["connect", "banner", "quit"]
    assert found["verdict"] == "refused"


class NotSmtp(Scripted):
    banner = "HTTP/1.1 400 Bad Request"


def test_a_host_that_speaks_something_else_is_quoted() -> None:
    with scripted(NotSmtp) as port:
        found = probed(port, expect=1)
    assert found["verdict"] == "failed"
    assert "HTTP/1.1 400" in stages(found)["banner"]


class Silent(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1)


def test_a_host_that_says_nothing_is_given_up() -> None:
    with scripted(Silent) as port:
        done = run("probe", f"127.0.0.1:{port}", "--timeout", "0.2", "--json")
    assert done.returncode == 1
    assert stages(json.loads(done.stdout))["banner"] == "no reply within 0.2 s"


def test_a_port_where_nobody_listens_is_a_failed_stage() -> None:
    found = probed(free_port(), expect=1)
    assert found["address"] is None and found["verdict"] == "failed"
    assert "Connection refused" in stages(found)["connect"]


def demanding(issued: Issued, version: int) -> type[Scripted]:
    """A server that wants a certificate which nobody has."""

    class Demanding(Scripted):
        replies = {"EHLO": "250-mx.contoso.com\n250 STARTTLS", "STARTTLS": "220 go ahead"}

        def handle(self) -> None:
            for reply in (self.banner, *self.replies.values()):
                self._say(reply)
                if reply is not self.replies["STARTTLS"]:
                    self.request.recv(1000)
            context = SSL.Context(SSL.TLS_SERVER_METHOD)
            context.set_max_proto_version(version)
            context.use_certificate_chain_file(str(issued.chain_file))
            context.use_privatekey_file(str(issued.key_file))
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: False)
            connection = SSL.Connection(context, self.request)
            connection.set_accept_state()
            with pytest.raises(SSL.Error):
                connection.do_handshake()
            self.request.recv(1000)

    return Demanding


@pytest.mark.parametrize("shown", [False, True], ids=["no certificate", "a certificate"])
def test_a_refusal_after_established_is_told_apart(tmp_path: Path, shown: bool) -> None:
    pki = Pki(tmp_path)
    server, own = pki.leaf("mx.contoso.com"), pki.leaf("mail.fabrikam.com")
    options: Sequence[str] = presenting(own) if shown else ()
    with scripted(demanding(server, SSL.TLS1_3_VERSION)) as port:
        late = probed(port, *options, expect=1)
    assert late["tls"]["established"] and "alert" in late["tls"]["late_alert"]
    assert stages(late)["ehlo-after-tls"].startswith("TLS broke: ")
    assert any("after the handshake was done here" in problem for problem in late["problems"])
    with scripted(demanding(server, SSL.TLS1_2_VERSION)) as port:
        early = probed(port, *options, expect=1)
    assert not early["tls"]["established"] and early["tls"]["late_alert"] is None
    assert "alert" in early["tls"]["failure"]


def test_a_certificate_that_some_hosts_refuse_is_told_of_beforehand(
    furnished_relay: Installation, tmp_path: Path
) -> None:
    pki = Pki(tmp_path)
    leaf = pki.leaf("mail.fabrikam.com", purposes=("serverAuth",))
    options = ("--certificate", str(leaf.certificate_file), "--key", str(leaf.key_file))
    problems = probed(furnished_relay.port, *options)["problems"]
    assert any("presented alone" in problem for problem in problems)
    assert any("clientAuth" in problem for problem in problems)


# --- joined to the doctor's other evidence ---------------------------------------------------------------------------


def diagnosed(port: int, *arguments: str) -> Any:
    done = run("doctor", "--json", "--probe", f"127.0.0.1:{port}", *arguments)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_the_doctor_judges_what_a_probe_saw(furnished_relay: Installation, certificates: Certificates) -> None:
    found = diagnosed(furnished_relay.port, *presenting(certificates.expired), *ENVELOPE)
    assert found["findings"][0]["catalogue"] == ["C03"]
    assert found["findings"][0]["evidence"][0]["source"].startswith("probe of 127.0.0.1:")
    assert found["read"][0]["as"] == "probe"


def test_the_doctor_joins_a_probe_to_files(
    furnished_relay: Installation, certificates: Certificates, tmp_path: Path
) -> None:
    export = tmp_path / "connectors.json"
    export.write_text('[{"Name": "HQ", "ConnectorType": "OnPremises", "Enabled": false, "SenderIPAddresses": []}]')
    found = diagnosed(furnished_relay.port, *presenting(certificates.contoso), str(export))
    assert {each["source"] for each in found["read"]} >= {
        "connectors.json",
        f"probe of 127.0.0.1:{furnished_relay.port}",
    }
    saved = tmp_path / "saved.json"
    assert run("doctor", "--probe", f"127.0.0.1:{furnished_relay.port}", "--save", str(saved)).returncode in (0, 1)
    assert run("doctor", "--bundle", str(saved)).returncode in (0, 1)


def test_the_doctor_knows_a_late_alert_by_its_number(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    saved = tmp_path / "saved.json"
    with scripted(demanding(pki.leaf("mx.contoso.com"), SSL.TLS1_3_VERSION)) as port:
        run("doctor", "--probe", f"127.0.0.1:{port}", *presenting(pki.leaf("mail.fabrikam.com")), "--save", str(saved))
    (tls,) = [each for each in json.loads(saved.read_text())["tls"] if each.get("kind") == "probe"]
    assert tls["alert"] == 48 and tls["established"] is False and tls["client_certificate_sent"] is True


def test_options_of_a_probe_without_a_probe_are_wrong_use(tmp_path: Path) -> None:
    done = run("doctor", "--mail-from", "a@contoso.com", str(tmp_path))
    assert done.returncode == 2 and "--probe" in done.stderr and done.stderr.count("\n") == 1


# --- wrong use -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--config", "absent.toml", "probe", "mx.contoso.com"), "absent.toml does not exist"),
        (
            (
                "probe",
                "mx.contoso.com:smtp",
            ),
            "the port behind ':'",
        ),
        (("probe", "mx.contoso.com", "--rcpt-to", "bob@contoso.com"), "--rcpt-to needs --mail-from"),
        (("probe", "mx.contoso.com", "--mail-from", "bob"), "--mail-from bob"),
        (("probe", "mx.contoso.com", "--certificate", "absent.pem"), "absent.pem"),
        (("probe", "mx.contoso.com", "--key", "own.key"), "name its certificate with --certificate"),
    ],
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr and done.stderr.count("\n") == 1
