"""Mail through the whole relay: in by certificate or address, out by send connector, notices back to the sender."""

import json
import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import CONTOSO_ADDRESS, UNLISTED_ADDRESS, Certificates
from end_to_end.smtp_client import SmtpClient
from gatepost.app import open_queue_admin
from gatepost.queue.store import QueueFilter
from pki import Pki
from sink import SILENCE, Sink, SunkMessage

RECEIVED = re.compile(rb"Received: from mail\.test \(\[127\.[0-9.]+\]\)\r\n(?:\t[^\r\n]+\r\n)+")

PLAIN_SINK = ("PIPELINING", "SIZE 157286400")

SETTINGS = """
[retry]
glitch_interval = "500ms"
transient_interval = "500ms"
interval = "500ms"
delay_notice_after = "500ms"
"""

MESSAGE = b"From: ann@contoso.com\r\nSubject: hello\r\n\r\nHello.\r\n"


@dataclass
class World:
    relay: Installation
    certificates: Certificates
    outside: Outside
    internet: Sink
    contoso: Sink
    """contoso's own server, where its notices arrive."""
    fabrikam: Sink

    def contoso_session(self) -> SmtpClient:
        smtp = SmtpClient(self.relay.port)
        smtp.starttls(self.certificates.contoso)
        return smtp

    def send(self, *recipients: str, sender: str = "ann@contoso.com", content: bytes = MESSAGE) -> None:
        with self.contoso_session() as smtp:
            assert smtp.mail(sender, *recipients).code == 250
            answer = smtp.content(content)
            assert answer.code == 250, answer.text

    def connector(self, name: str, space: str, sink: Sink, *options: str) -> None:
        host = ("--address-space", space, "--smart-host", f"127.0.0.1:{sink.port}")
        self.relay("send-connector", "add", name, *host, *options)

    def is_done(self, domain: str) -> bool:
        """Nothing waits for `domain`."""
        return not open_queue_admin(self.relay.settings).counts(QueueFilter(domain=domain))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[World]:
    roots = certificates.pki.roots_file
    relay = Installation(
        tmp_path_factory.mktemp("relay"),
        client_roots=roots,
        tables=SETTINGS,
        tls_settings=f'server_roots = "{roots}"',
        top_settings='postmaster = "admin@contoso.com"',
    )
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"*.{tenant}.com")
    relay("inbound-connector", "set", "contoso", "mail", "--address", "127.0.1.0/24")
    with Outside() as outside:
        world = World(relay, certificates, outside, outside.sink(), outside.sink(), outside.sink())
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{world.internet.port}")
        world.connector("to-contoso", "contoso.com", world.contoso)
        world.connector("to-fabrikam", "fabrikam.com", world.fabrikam)
        with relay.serving():
            yield world


@pytest.fixture(autouse=True)
def neighbour_is_unaffected(world: World, request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    recipient = f"{abs(hash(request.node.name))}@outside.example"
    with SmtpClient(world.relay.port) as smtp:
        smtp.starttls(world.certificates.fabrikam)
        assert smtp.message("ben@fabrikam.com", recipient, MESSAGE).code == 250
    taken(world.internet, to=recipient)


def original(message: SunkMessage) -> bytes:
    """The content without the field that the relay put before it."""
    received = RECEIVED.match(message.content)
    assert received, message.content[:400]
    return message.content[received.end() :]


def notices(sink: Sink, about: str) -> list[Message]:
    """Delivery status notifications that name a recipient."""
    return [
        message_from_bytes(each.content)
        for each in tuple(sink.messages)
        if each.reverse_path == "" and about.encode() in each.content
    ]


def notice(sink: Sink, about: str) -> Message:
    found: list[Message] = wait_until(lambda: notices(sink, about), f"a notice about {about}")
    return found[0]


def status_of(notice: Message) -> Message:
    """The fields of the one recipient."""
    assert notice.get_content_type() == "multipart/report"
    _, status, _ = notice.get_payload()
    assert isinstance(status, Message)
    _, recipient = status.get_payload()
    assert isinstance(recipient, Message)
    return recipient


# Content


CONTENTS = {
    "dots": b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\n...\r\nend.\r\n",
    "no header": b"\r\njust text\r\n",
    "empty": b"",
    "long lines": b"Subject: long\r\n\r\n" + (b"x" * 998 + b"\r\n") * 100,
    "spaces at the end": b"Subject: x \t\r\n\r\ntrailing  \t\r\n\r\n\r\n",
    "larger than memory keeps": b"Subject: big\r\n\r\n" + b"0123456789abcde\r\n" * 40_000,
}


@pytest.mark.parametrize("name", CONTENTS)
def test_mail_by_certificate_arrives_octet_for_octet(name: str, world: World) -> None:
    recipient = f"{name.replace(' ', '-')}@outside.example"
    with world.contoso_session() as smtp:
        assert smtp.mail("ann@contoso.com", recipient).code == 250
        assert smtp.command("DATA").code == 354
        smtp.send(re.sub(rb"(?m)^\.", b"..", CONTENTS[name]) + b".\r\n")
        assert smtp.reply().code == 250
    message = taken(world.internet, to=recipient)
    assert original(message) == CONTENTS[name]
    assert message.reverse_path == "ann@contoso.com"


def test_the_received_field_tells_of_tls_and_attribution(world: World) -> None:
    world.send("trace@outside.example")
    content = taken(world.internet, to="trace@outside.example").content
    field = " ".join(content.partition(b"Subject:")[0].decode().split())
    for words in (
        "with ESMTPS id ",
        "using TLSv1.3",
        "client certificate mail.contoso.com verified",
        "(gatepost: relay, by certificate)",
    ):
        assert words in field
    assert "fabrikam" not in field


def test_why_knows_a_session_that_was_accepted_and_one_that_goes_on(world: World) -> None:
    with world.contoso_session() as smtp:
        assert smtp.message("ann@contoso.com", "goes-on@outside.example", MESSAGE).code == 250
        field = taken(world.internet, to="goes-on@outside.example").content.partition(b"Subject:")[0].decode()
        session = re.search(r" id ([0-9A-F]{16})", field)
        assert session

        def told() -> dict[str, object] | None:
            done = world.relay.here("why", session[1], "--json")
            return json.loads(done.stdout) if done.returncode == 0 else None

        open_yet = wait_until(told, "the record of the open session")
        assert (open_yet["outcome"], open_yet["closed"]) == ("relay", None)
        assert smtp.message("ann@contoso.com", "goes-on-2@outside.example", MESSAGE).code == 250
    closed = wait_until(lambda: (found := told()) and found["closed"] and found, "the record of the whole session")
    assert (closed["tenant"], closed["connector"], closed["basis"]) == ("contoso", "mail", "certificate")
    assert [each["reply"][:3] for each in closed["transactions"]] == ["250", "250"]


def test_mail_by_address_arrives(world: World) -> None:
    with SmtpClient(world.relay.port, source=CONTOSO_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "by-address@outside.example", MESSAGE).code == 250
    assert original(taken(world.internet, to="by-address@outside.example")) == MESSAGE


def test_mail_from_anybody_to_a_hosted_domain_arrives_at_its_tenant(world: World) -> None:
    with SmtpClient(world.relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("joe@litware.com", "ben@fabrikam.com", MESSAGE).code == 250
    assert original(taken(world.fabrikam, to="ben@fabrikam.com")) == MESSAGE


def test_a_standard_library_client_gets_its_mail_through(world: World) -> None:
    with smtplib.SMTP(
        "127.0.0.1", world.relay.port, local_hostname="mail.test", source_address=(CONTOSO_ADDRESS, 0)
    ) as smtp:
        smtp.sendmail("ann@contoso.com", ["smtplib@outside.example"], MESSAGE)
    assert original(taken(world.internet, to="smtplib@outside.example")) == MESSAGE


def test_eight_bit_text_arrives_as_it_was(world: World) -> None:
    content = "Subject: Grüße\r\n\r\nÄÖÜ ß €\r\n".encode()
    with world.contoso_session() as smtp:
        assert smtp.mail("ann@contoso.com", "eight@outside.example", parameters="BODY=8BITMIME").code == 250
        assert smtp.content(content).code == 250
    message = taken(world.internet, to="eight@outside.example")
    assert original(message) == content
    assert "BODY=8BITMIME" in message.mail_parameters


def test_international_addresses_arrive(world: World) -> None:
    content = "From: änn@contoso.com\r\nSubject: Grüße\r\n\r\nhello\r\n".encode()
    with world.contoso_session() as smtp:
        assert smtp.mail("änn@contoso.com", "jürgen@outside.example", parameters="SMTPUTF8").code == 250
        assert smtp.content(content).code == 250
    message = taken(world.internet, to="jürgen@outside.example")
    assert message.reverse_path == "änn@contoso.com"
    assert message.content.endswith(content)
    assert "SMTPUTF8" in message.mail_parameters


def test_binary_content_arrives_in_chunks_as_it_was(world: World) -> None:
    content = b"Content-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) * 4 + b"\n.\r\n.\r\rend"
    with world.contoso_session() as smtp:
        assert smtp.mail("ann@contoso.com", "binary@outside.example", parameters="BODY=BINARYMIME").code == 250
        assert smtp.command("DATA").code == 503
        smtp.send(b"BDAT 100\r\n" + content[:100])
        assert smtp.reply().code == 250
        smtp.send(b"BDAT %d LAST\r\n" % len(content[100:]) + content[100:])
        assert smtp.reply().code == 250
    message = taken(world.internet, to="binary@outside.example")
    assert original(message) == content
    assert "BODY=BINARYMIME" in message.mail_parameters


def test_chunks_are_used_where_they_are_offered_and_content_is_the_same_where_not(world: World) -> None:
    old = world.outside.sink(keywords=PLAIN_SINK)
    world.connector("old", "old.example", old)
    content = CONTENTS["dots"]
    world.send("x@old.example", "chunked@outside.example", content=content)
    assert original(taken(old, to="x@old.example")) == content
    assert original(taken(world.internet, to="chunked@outside.example")) == content
    assert any(line.startswith("BDAT ") for line in world.internet.commands)
    assert "DATA" in old.commands


@pytest.mark.parametrize(
    ("parameters", "recipient", "status"),
    [("BODY=BINARYMIME", "binary@older.example", "5.6.1"), ("SMTPUTF8", "jürgen@older.example", "5.6.7")],
)
def test_what_the_next_hop_cannot_take_is_returned_rather_than_converted(
    parameters: str, recipient: str, status: str, world: World
) -> None:
    older = world.outside.sink(keywords=PLAIN_SINK)
    world.connector(f"older-{status.replace('.', '-')}", "older.example;1", older, "--tenant", "contoso")
    content = b"Subject: x\r\n\r\n\0\n\xc3\xbc"
    with world.contoso_session() as smtp:
        assert smtp.mail(f"ann+{status}@contoso.com", recipient, parameters=parameters).code == 250
        smtp.send(b"BDAT %d LAST\r\n" % len(content) + content)
        answer = smtp.reply()
        assert (answer.code == 250) == (parameters != "SMTPUTF8"), answer.text
        if answer.code != 250:
            assert smtp.mail(f"ann+{status}@contoso.com", recipient, parameters=parameters).code == 250
            assert smtp.content("Subject: ü\r\n\r\nü\r\n".encode()).code == 250
    returned = taken(world.contoso, to=f"ann+{status}@contoso.com")
    assert f"Status: {status}".encode() in returned.content
    assert older.messages == []
    world.relay("send-connector", "remove", f"older-{status.replace('.', '-')}")


# Recipients and routes


def test_several_recipients_go_once_to_each_place(world: World) -> None:
    first, second = world.outside.sink(), world.outside.sink()
    world.connector("first", "first.example", first)
    world.connector("second", "*.second.example", second)
    recipients = ("a@first.example", "b@first.example", "c@second.example", "d@deep.second.example", "cc@contoso.com")
    world.send(*recipients)
    assert sorted(taken(first, to="a@first.example").recipients) == ["a@first.example", "b@first.example"]
    taken(second, to="c@second.example")
    taken(second, to="d@deep.second.example")
    taken(world.contoso, to="cc@contoso.com")
    assert first.count == 1


def test_a_tenants_own_send_connector_goes_before_the_servers(world: World) -> None:
    own, common = world.outside.sink(), world.outside.sink()
    world.connector("common", "special.example", common)
    world.connector("own", "*", own, "--tenant", "contoso")
    try:
        world.send("x@special.example")
        assert original(taken(own, to="x@special.example")) == MESSAGE
        with SmtpClient(world.relay.port) as smtp:
            smtp.starttls(world.certificates.fabrikam)
            assert smtp.message("ben@fabrikam.com", "x@special.example", MESSAGE).code == 250
        assert taken(common, to="x@special.example").reverse_path == "ben@fabrikam.com"
        assert (own.count, common.count) == (1, 1)
    finally:
        world.relay("send-connector", "remove", "own")


def test_a_certificate_is_presented_by_its_connector_only(world: World) -> None:
    pki: Pki = world.certificates.pki
    here = pki.leaf("localhost", names=("localhost",))
    ours = pki.leaf("relay.example.net")
    presenting, common = (
        world.outside.sink(certificate=(here.chain_file, here.key_file), client_roots=pki.roots_file) for _ in range(2)
    )
    files = ("--certificate", str(ours.chain_file), "--key", str(ours.key_file))
    world.connector("presenting", "presenting.example", presenting, "--tls", "encrypt", *files)
    world.connector("common-tls", "common.example", common)
    world.send("x@presenting.example", "x@common.example")
    shown = taken(presenting, to="x@presenting.example")
    assert shown.tls and shown.client_certificate == ours.der
    hidden = taken(common, to="x@common.example")
    assert hidden.tls and hidden.client_certificate is None


def test_a_next_hop_that_does_not_prove_its_name_gets_nothing_at_level_verify(world: World) -> None:
    pki: Pki = world.certificates.pki
    right, wrong = pki.leaf("hop.example"), pki.leaf("other.example")
    trusted, untrusted = (world.outside.sink(certificate=(each.chain_file, each.key_file)) for each in (right, wrong))
    for name, sink in (("trusted", trusted), ("untrusted", untrusted)):
        world.connector(name, f"{name}.example", sink, "--tls", "verify", "--tls-domain", "hop.example")
    world.send("x@untrusted.example", "x@trusted.example")
    taken(trusted, to="x@trusted.example")
    told = notice(world.contoso, "x@untrusted.example")
    assert status_of(told)["Action"] == "delayed"
    assert status_of(told)["Status"] == "4.7.5"
    assert untrusted.messages == []
    world.relay("send-connector", "remove", "untrusted")


def test_a_destination_that_does_not_answer_holds_up_no_other(world: World) -> None:
    silent = world.outside.sink()
    silent.always("GREETING", SILENCE)
    world.connector("silent", "silent.example", silent)
    for number in range(30):
        world.send(f"x{number}@silent.example", f"beside-{number}@outside.example")
    for number in range(30):
        taken(world.internet, to=f"beside-{number}@outside.example")
    assert silent.messages == []


# Notices


def test_a_refused_recipient_is_told_to_the_sender_in_plain_words_and_the_others_are_served(world: World) -> None:
    world.send("refuse-1@outside.example", "taken-1@outside.example")
    taken(world.internet, to="taken-1@outside.example")
    told = notice(world.contoso, "refuse-1@outside.example")
    assert told["To"] == "<ann@contoso.com>"
    assert told["Auto-Submitted"].startswith("auto-")
    text = told.get_payload()[0].get_payload()
    assert "could not be delivered" in text and "550 5.1.1 no such recipient" in text
    recipient = status_of(told)
    assert recipient["Final-Recipient"] == "rfc822; refuse-1@outside.example"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert "550 5.1.1 no such recipient" in recipient["Diagnostic-Code"]
    assert b"taken-1@" not in told.as_bytes()
    assert "fabrikam" not in told.as_string()


def test_a_delay_is_told_once_and_the_mail_still_arrives(world: World) -> None:
    slow = world.outside.sink()
    slow.always("RCPT", b"451 4.2.1 not now\r\n")
    world.connector("slow", "slow.example", slow)
    world.send("late@slow.example")
    told = notice(world.contoso, "late@slow.example")
    recipient = status_of(told)
    assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.2.1")
    assert recipient["Will-Retry-Until"]
    slow.behave()
    assert original(taken(slow, to="late@slow.example")) == MESSAGE
    assert len(notices(world.contoso, "late@slow.example")) == 1


def test_notify_never_is_obeyed_and_the_null_reverse_path_gets_no_notice(world: World) -> None:
    with world.contoso_session() as smtp:
        assert smtp.mail("ann@contoso.com").code == 250
        assert smtp.command("RCPT TO:<refuse-never@outside.example> NOTIFY=NEVER").code == 250
        assert smtp.content(MESSAGE).code == 250
        assert smtp.message("", "refuse-null@outside.example", MESSAGE).code == 250
    failed = "rcpt_to=refuse-{}@outside.example"
    for which in ("never", "null"):
        world.relay.wait_for_output(re.escape(failed.format(which)))
    # A notice would be in the queue by the time that the message is not.
    for domain in ("outside.example", "contoso.com"):
        wait_until(lambda domain=domain: world.is_done(domain), f"mail to {domain} to be done")  # type: ignore[misc]
    world.send("refuse-after@outside.example")
    notice(world.contoso, "refuse-after@outside.example")
    assert notices(world.contoso, "refuse-never@") == notices(world.contoso, "refuse-null@") == []


def test_dsn_requests_are_passed_on_to_a_next_hop_that_knows_them(world: World) -> None:
    with world.contoso_session() as smtp:
        assert smtp.mail("ann@contoso.com", parameters="RET=HDRS ENVID=QQ314159").code == 250
        rcpt = "RCPT TO:<dsn@outside.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Dsn@Outside.Example"
        assert smtp.command(rcpt).code == 250
        assert smtp.content(MESSAGE).code == 250
    message = taken(world.internet, to="dsn@outside.example")
    assert "RET=HDRS" in message.mail_parameters and "ENVID=QQ314159" in message.mail_parameters
    (parameters,) = message.rcpt_parameters
    assert "NOTIFY=FAILURE,SUCCESS" in parameters and "ORCPT=rfc822;Dsn@Outside.Example" in parameters
    assert notices(world.contoso, "dsn@outside.example") == []


def test_success_is_told_as_relayed_where_the_next_hop_knows_no_dsn(world: World) -> None:
    old = world.outside.sink(keywords=PLAIN_SINK)
    world.connector("no-dsn", "no-dsn.example", old)
    with world.contoso_session() as smtp:
        assert smtp.mail("ann@contoso.com", parameters="ENVID=QQ+2B1").code == 250
        assert smtp.command("RCPT TO:<x@no-dsn.example> NOTIFY=SUCCESS ORCPT=rfc822;X@no-dsn.example").code == 250
        assert smtp.content(MESSAGE).code == 250
    taken(old, to="x@no-dsn.example")
    told = notice(world.contoso, "x@no-dsn.example")
    assert status_of(told)["Action"] == "relayed"
    assert status_of(told)["Original-Recipient"] == "rfc822; X@no-dsn.example"
    assert b"Original-Envelope-Id: QQ+1" in told.as_bytes()


# Loops, postmaster, logs


def test_a_message_that_has_passed_too_many_servers_is_refused(world: World) -> None:
    hop = b"Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    with world.contoso_session() as smtp:
        answer = smtp.message("ann@contoso.com", "loop@outside.example", hop * 101 + MESSAGE)
        assert answer.text.startswith("554 5.4.6 too-many-hops "), answer.text
        assert smtp.message("ann@contoso.com", "no-loop@outside.example", hop * 100 + MESSAGE).code == 250
    taken(world.internet, to="no-loop@outside.example")


@pytest.mark.parametrize("path", ["Postmaster", "POSTMASTER", "postmaster@relay.example.net"])
def test_mail_for_postmaster_is_taken_from_anybody(path: str, world: World) -> None:
    before = world.contoso.count
    with SmtpClient(world.relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        assert smtp.message("joe@litware.com", path, MESSAGE).code == 250
    wait_until(lambda: world.contoso.count > before, "postmaster's mail")
    taken(world.contoso, to="admin@contoso.com")


def test_both_protocol_logs_show_the_session_and_its_certificates(world: World) -> None:
    world.send("logged@outside.example")
    taken(world.internet, to="logged@outside.example")

    def sent() -> str:
        log = world.relay.protocol_log("send")
        return log if "RCPT TO:<logged@outside.example>" in log else ""

    rows = wait_until(sent, "the send log").splitlines()
    assert rows[0] == "#Software: Microsoft Exchange Server" or rows[0].startswith("#Software: ")
    assert any(
        row.startswith("#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint") for row in rows
    )
    received = world.relay.protocol_log("receive")
    assert "Remote certificate" in received and "relay tenant=contoso connector=mail basis=certificate" in received
    shown = world.relay.told("send-connector", "show", "internet")
    (source,) = shown["source_servers"]
    assert source["server"] == "relay.example.net"
    assert Path(source["protocol_log_folder"]).samefile(world.relay.data / "protocol-log" / "send")
