"""The edge: Gatepost beside an organisation's own server, relaying through another Gatepost by client certificate."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import Certificates
from end_to_end.smtp_client import SmtpClient
from pki import Issued
from sink import Sink

MESSAGE = b"From: ann@contoso.com\r\nSubject: hello\r\n\r\nHello.\r\n"


@dataclass
class Scene:
    edge: Installation
    relay: Installation
    outside: Sink
    contoso: Sink
    """The on-premises server, beyond the edge: where contoso's notices and incoming mail end."""
    certificates: Certificates

    def send(self, recipient: str) -> None:
        """As the on-premises server: plain SMTP from beside the edge."""
        with SmtpClient(self.edge.port) as smtp:
            smtp.ehlo()
            answer = smtp.message("ann@contoso.com", recipient, MESSAGE)
            assert answer.code == 250, answer.text

    def present(self, issued: Issued) -> None:
        """Renew the edge's certificate: its files are replaced."""
        for source, name in ((issued.key_file, "edge.key"), (issued.chain_file, "edge.pem")):
            new = self.edge.folder / f"{name}.new"
            new.write_bytes(source.read_bytes())
            new.replace(self.edge.folder / name)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Scene]:
    roots = certificates.pki.roots_file
    json_log = 'log = "json"'
    relay = Installation(tmp_path_factory.mktemp("relay"), client_roots=roots, workers=1, top_settings=json_log)
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
    relay("inbound-connector", "set", "fabrikam", "mail", "--certificate-name", "*.fabrikam.com")
    edge_folder = tmp_path_factory.mktemp("edge")
    edge = Installation(edge_folder, hostname="edge.contoso.com", workers=1)
    certificate, key = edge_folder / "edge.pem", edge_folder / "edge.key"
    certificate.write_bytes(certificates.contoso.chain_file.read_bytes())
    key.write_bytes(certificates.contoso.key_file.read_bytes())
    with Outside() as outside:
        outside_sink, contoso_sink = outside.sink(), outside.sink()
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{outside_sink.port}")
        done = edge.run(
            *("init", "--edge", "--hostname", "edge.contoso.com", "--smart-host", relay.name_of("main")),
            *("--domain", "contoso.com", "--certificate", str(certificate), "--key", str(key)),
            *("--mailboxes", f"127.0.0.1:{contoso_sink.port}"),
        )
        assert done.returncode == 0, done.stderr
        assert edge.config.read_text().count("[[listener]]") == 1
        settings = edge.config.read_text().replace("127.0.0.1:2526", edge.name_of("main"))
        edge.config.write_text(f'{settings}[edge]\nhold_refused = "0s"\n')
        with relay.serving(), edge.serving():
            yield Scene(edge, relay, outside_sink, contoso_sink, certificates)


@pytest.fixture(autouse=True)
def neighbour_is_unaffected(scene: Scene) -> Iterator[None]:
    yield
    with SmtpClient(scene.relay.port) as smtp:
        smtp.starttls(scene.certificates.fabrikam)
        assert smtp.message("ben@fabrikam.com", "someone@outside.example", MESSAGE).code == 250


def test_mail_goes_from_the_on_premises_server_through_the_edge_and_the_relay(scene: Scene) -> None:
    scene.send("one@outside.example")
    message = taken(scene.outside, to="one@outside.example")
    assert message.reverse_path == "ann@contoso.com"
    assert message.content.endswith(MESSAGE)
    fields = re.findall(rb"(?m)^Received: .*\r\n(?:\t.*\r\n)+", message.content)
    assert len(fields) == 2
    assert b"by relay.example.net with ESMTPS" in fields[0]
    assert b"client certificate mail.contoso.com verified" in fields[0]
    assert b"from edge.contoso.com" in fields[0]
    assert b"by edge.contoso.com with ESMTP id" in fields[1]


def test_the_send_log_of_the_edge_shows_the_certificate_that_it_sent(scene: Scene) -> None:
    scene.send("two@outside.example")
    taken(scene.outside, to="two@outside.example")

    def rows() -> list[str]:
        found = [row for row in scene.edge.protocol_log("send").splitlines() if ",smart-host," in row]
        return found if any("two@outside.example" in row for row in found) else []

    found = wait_until(rows, "the send log")
    assert any("Sending certificate" in row and "mail.contoso.com" in row for row in found)
    assert any("Remote certificate" in row and "relay.example.net" in row for row in found)


def test_the_networks_of_an_edges_own_servers_are_not_foretold_as_wide(scene: Scene) -> None:
    assert not [each for each in scene.edge.told("forecast")["prospects"] if each["code"] == "wide-network"]


def test_a_stranger_cannot_relay_through_the_edge(scene: Scene) -> None:
    with SmtpClient(scene.edge.port) as smtp:
        smtp.ehlo()
        answer = smtp.mail("joe@litware.com", "someone@outside.example")
        assert answer.text.startswith("550 5.7.64 TenantAttribution; Relay Access Denied; ")


def test_a_renewed_certificate_with_another_name_is_bounced_explained_and_mended(scene: Scene) -> None:
    scene.present(scene.certificates.pki.leaf("mail2.contoso.com"))

    # The edge takes up renewed files by itself; mail that was faster still passed.
    def bounced() -> bool:
        scene.send("three@outside.example")
        return any(message.reverse_path == "" for message in tuple(scene.contoso.messages))

    wait_until(bounced, "a notice of the refusal", pause_s=0.2)
    notice = next(message for message in scene.contoso.messages if message.reverse_path == "")
    text = notice.content.decode()
    assert notice.recipients == ("ann@contoso.com",)
    assert "certificate-name-matches-no-connector" in text and "mail2.contoso.com" in text
    assert "could not identify the sending organisation" in " ".join(text.split())
    session = re.search(r"gatepost why ([0-9A-F]{16})", text)
    assert session

    why = scene.relay.told("why", session[1])
    assert (why["outcome"], why["reason"]) == ("refused", "certificate-name-matches-no-connector")
    assert why["evidence"]["tls"]["certificate"]["names"] == ["mail2.contoso.com"]

    names = ("--certificate-name", "mail.contoso.com", "--certificate-name", "mail2.contoso.com")
    scene.relay("inbound-connector", "set", "contoso", "mail", *names)

    def relays() -> bool:
        scene.send("four@outside.example")
        return any("four@outside.example" in message.recipients for message in tuple(scene.outside.messages))

    wait_until(relays, "mail to flow again", pause_s=0.2)


def test_the_log_of_the_relay_is_one_json_object_a_line(scene: Scene) -> None:
    scene.send("five@outside.example")
    scene.relay.wait_for_output(r'"rcpt_to":\s*"five@outside\.example"')
    lines = [line for line in scene.relay.output.splitlines() if not line.startswith("gatepost: ")]
    events = [json.loads(line) for line in lines]
    assert {"accepted", "delivered"} <= {each["event"] for each in events}
    accepted = next(each for each in events if each["event"] == "accepted" and each["tenant"] == "contoso")
    assert scene.relay.told("why", accepted["session_id"])["evidence"]["mail_from"] == accepted["mail_from"]
    assert "PRIVATE KEY" not in scene.relay.output


def _hold_refused(edge: Installation, hold: str) -> None:
    """And start anew, so that it counts."""
    settings = edge.config.read_text().partition("[edge]")[0]
    edge.config.write_text(f'{settings}[edge]\nhold_refused = "{hold}"\n[retry]\ntransient_interval = "1s"\n')
    edge.stop()
    edge.start()


def _relay_takes_contosos_server(scene: Scene, *, is_taken: bool) -> None:
    scene.relay("inbound-connector", "enable" if is_taken else "disable", "contoso", "mail")

    def as_wanted() -> bool:
        with SmtpClient(scene.relay.port) as smtp:
            smtp.starttls(scene.certificates.contoso)
            return (smtp.mail("ann@contoso.com", "someone@outside.example").code == 250) == is_taken

    wait_until(as_wanted, "the relay to notice")


def test_mail_that_the_relay_refuses_is_kept_the_postmaster_is_written_to_and_the_mail_goes_later(scene: Scene) -> None:
    scene.present(scene.certificates.contoso)
    _hold_refused(scene.edge, "4h")
    _relay_takes_contosos_server(scene, is_taken=False)
    scene.send("kept@outside.example")
    scene.edge.wait_for_output(r"relay-refuses-us .*5\.7\.64 TenantAttribution")
    alarm = taken(scene.contoso, to="postmaster@contoso.com")
    assert alarm.reverse_path == ""
    assert b"refuses mail of this server" in alarm.content
    assert b"5.7.64 TenantAttribution; Relay Access Denied" in b" ".join(alarm.content.split())
    waiting = [each["recipient"] for each in scene.edge.told("queue", "list")["messages"]]
    assert [each["forward_path"] for each in waiting] == ["kept@outside.example"]
    assert "5.7.64 TenantAttribution" in waiting[0]["last_reply"]
    assert " failed " not in scene.edge.output
    _relay_takes_contosos_server(scene, is_taken=True)
    taken(scene.outside, to="kept@outside.example")
    about_it = [each for each in scene.contoso.messages if b"kept@outside.example" in each.content]
    assert not about_it, "the sender was not troubled"


def test_after_hold_refused_the_sender_is_told_by_the_way_to_the_mailboxes(scene: Scene) -> None:
    _hold_refused(scene.edge, "2s")
    _relay_takes_contosos_server(scene, is_taken=False)
    scene.send("lost@outside.example")

    def notice() -> list[bytes]:
        return [each.content for each in scene.contoso.messages if b"lost@outside.example" in each.content]

    (content,) = wait_until(notice, "the notice to ann")
    assert b"did not recognise the server" in content
    _relay_takes_contosos_server(scene, is_taken=True)


def test_serve_warns_where_a_notice_has_no_way_but_the_relay(scene: Scene, tmp_path: Path) -> None:
    edge = Installation(tmp_path, hostname="edge.contoso.com", workers=1)
    options = ("--smart-host", scene.relay.name_of("main"), "--domain", "contoso.com")
    done = edge.here("init", "--edge", "--hostname", "edge.contoso.com", *options)
    assert "no --mailboxes HOST" in done.stderr
    edge.config.write_text(edge.config.read_text().replace("127.0.0.1:2526", edge.name_of("main")))
    with edge.serving():
        edge.wait_for_output("no send connector leads to the mailboxes of contoso.com")
    edge("send-connector", "add", "mailboxes", "--address-space", "contoso.com", "--smart-host", "127.0.0.1:9")
    with edge.serving():
        assert "leads to the mailboxes" not in edge.output


def test_an_edge_needs_a_smart_host_and_a_domain(tmp_path: Path) -> None:
    edge = Installation(tmp_path)
    for options in ((), ("--smart-host", "relay.example.net"), ("--domain", "contoso.com")):
        done = edge.here("init", "--edge", *options)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
