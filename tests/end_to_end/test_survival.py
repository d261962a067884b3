"""What is acknowledged is delivered, whoever stops; and what cannot start says why in one line. Kills: test_torture."""

import os
import resource
import signal
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import Installation, free_port, wait_until
from end_to_end.load import Client, under_load
from end_to_end.outside import taken
from end_to_end.scene import Certificates, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from sink import Sink

MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"


@pytest.fixture
def relay(tmp_path: Path, certificates: Certificates, sink: Sink) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay", client_roots=certificates.pki.roots_file)
    with_two_tenants(relay, sink.port)
    yield relay
    if relay.process is not None:
        relay.stop()


def clients_of(relay: Installation, certificates: Certificates) -> list[Client]:
    return [
        Client("contoso-address", relay, "ann@contoso.com", source="127.0.1.1"),
        Client("contoso-certificate", relay, "ann@contoso.com", certificate=certificates.contoso),
        Client("fabrikam-address", relay, "ben@fabrikam.com", source="127.0.2.1"),
        Client("fabrikam-certificate", relay, "ben@fabrikam.com", certificate=certificates.fabrikam),
    ]


def acknowledged(clients: list[Client]) -> set[str]:
    return {recipient for client in clients for recipient in client.acknowledged}


def arrived(sink: Sink) -> Counter[str]:
    return Counter(recipient for message in tuple(sink.messages) for recipient in message.recipients)


def wait_for_more(clients: list[Client], messages: int) -> None:
    """Until every client has got so many more acknowledged."""
    goals = [len(client.acknowledged) + messages for client in clients]
    wait_until(
        lambda: all(len(client.acknowledged) >= goal for client, goal in zip(clients, goals, strict=True)),
        "clients to be served",
    )


def test_workers_do_not_outlive_their_supervisor_and_a_new_one_can_start_at_once(
    relay: Installation, certificates: Certificates, sink: Sink
) -> None:
    relay.start()
    workers = relay.worker_pids()
    clients = clients_of(relay, certificates)
    assert relay.process is not None
    with under_load(*clients):
        wait_for_more(clients, 10)
        relay.process.send_signal(signal.SIGKILL)
        relay.process.wait()
        relay.start()
        wait_for_more(clients, 10)
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "the old workers to end")
    sent = acknowledged(clients)
    wait_until(lambda: sent <= set(arrived(sink)), lambda: f"{len(sent - set(arrived(sink)))} messages that got 250")


def test_a_worker_comes_back_as_it_was_while_the_configuration_is_being_edited(relay: Installation, sink: Sink) -> None:
    relay.start()
    relay.config.write_text("half-written [")
    for victim in relay.worker_pids():
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: victim not in relay.worker_pids(), "the worker to be gone")
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "edited@outside.example", MESSAGE).code == 250
    taken(sink, to="edited@outside.example")


def test_a_worker_that_cannot_be_started_for_want_of_descriptors_is_started_later(
    relay: Installation, sink: Sink
) -> None:
    relay.start()
    assert relay.process is not None
    usual = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
    os.kill(relay.worker_pids()[0], signal.SIGKILL)
    relay.wait_for_output("worker [01] cannot be started: .*Too many open files")
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_for_output("reload failed, keeping the running configuration: ")
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, usual)
    wait_until(lambda: len(relay.worker_pids()) == 2, "the worker to be back")
    relay.output_begins_here()
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_for_output("reloaded: 2 workers were replaced")


def test_sigterm_lets_a_transaction_in_flight_finish(relay: Installation, sink: Sink) -> None:
    relay.start()
    assert relay.process is not None
    busy, idle = (SmtpClient(relay.port, source="127.0.1.1") for _ in range(2))
    busy.ehlo()
    idle.ehlo()
    assert busy.mail("ann@contoso.com", "last@outside.example").code == 250
    assert busy.command("DATA").code == 354
    busy.send(b"Subject: half\r\n")
    relay.process.send_signal(signal.SIGTERM)
    # The idle session is told to come back later: the server is stopping.
    assert idle.reply().text.startswith("421 4.3.2 ")
    assert idle.closed()
    busy.send(b"\r\nwhole\r\n.\r\n")
    assert busy.reply().code == 250
    assert busy.reply().text.startswith("421 4.3.2 ")
    relay.stop()
    if not arrived(sink)["last@outside.example"]:
        relay.start()
    assert taken(sink, to="last@outside.example").content.endswith(b"Subject: half\r\n\r\nwhole\r\n")


def test_mail_is_refused_for_now_while_the_disk_is_full_and_taken_again_after(relay: Installation, sink: Sink) -> None:
    relay.start()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "before@outside.example", MESSAGE).code == 250
        taken(sink, to="before@outside.example")
        for pid in relay.worker_pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, usual[1]))
        for content in (MESSAGE, MESSAGE + b"x" * 78 + b"\r\n" * 10_000):
            answer = smtp.message("ann@contoso.com", "full@outside.example", content)
            assert answer.code in (451, 452), answer.text
            assert answer.text[4:].startswith("4.3.")
        for pid in relay.worker_pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, usual)
        wait_until(
            lambda: smtp.message("ann@contoso.com", "after@outside.example", MESSAGE).code == 250, "mail to be taken"
        )
    taken(sink, to="after@outside.example")
    assert not arrived(sink)["full@outside.example"]


# What cannot start


def refusal_to_start(relay: Installation) -> str:
    """The one line that `serve` says before it ends with exit code 2."""
    done = relay.serve_in_vain()
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("gatepost: ")
    return line


def test_an_occupied_port_is_one_line(relay: Installation) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", relay.port))
        other.listen()
        line = refusal_to_start(relay)
    assert f"127.0.0.1:{relay.port}" in line and "in use" in line


def test_a_data_folder_that_another_server_uses_is_one_line(relay: Installation) -> None:
    relay.start()
    port, relay.ports["main"] = relay.port, free_port()
    relay.write_config()
    line = refusal_to_start(relay)
    assert relay.process is not None
    assert str(relay.data) in line and str(relay.process.pid) in line
    relay.ports["main"] = port
    with SmtpClient(port, source="127.0.1.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "still@outside.example", MESSAGE).code == 250


def test_a_key_of_another_certificate_is_one_line(relay: Installation, certificates: Certificates) -> None:
    (relay.folder / "server.key").write_bytes(certificates.contoso.key_file.read_bytes())
    line = refusal_to_start(relay)
    assert "server.key" in line and "server.pem" in line


@pytest.mark.parametrize("file", ["server.pem", "server.key"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM at all", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_an_unusable_certificate_or_key_is_one_line(file: str, content: bytes | None, relay: Installation) -> None:
    if content is None:
        (relay.folder / file).unlink()
    else:
        (relay.folder / file).write_bytes(content)
    assert file in refusal_to_start(relay)


def test_unusable_roots_are_one_line(relay: Installation, tmp_path: Path) -> None:
    relay.client_roots = tmp_path / "missing-roots.pem"
    relay.write_config()
    assert "missing-roots.pem" in refusal_to_start(relay)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("retry_interval = 5", ("retry_interval", "gatepost.toml")),
        ("worker = 2", ("worker", "did you mean 'workers'?")),
        ("workers = 0", ("workers", "1 to 64")),
        ('postmaster = "nobody"', ("postmaster", "nobody")),
    ],
)
def test_a_setting_that_is_unknown_or_wrong_is_one_line(
    settings: str, words: tuple[str, ...], relay: Installation
) -> None:
    if settings.startswith("workers"):
        relay.workers = 0
    else:
        relay.top_settings = settings
    relay.write_config()
    line = refusal_to_start(relay)
    assert all(word in line for word in words), line


def test_a_data_folder_that_cannot_be_made_is_one_line(relay: Installation) -> None:
    relay.config.write_text(relay.config.read_text().replace('data = "data"', 'data = "server.pem/data"'))
    assert "server.pem/data" in refusal_to_start(relay)


def test_a_damaged_directory_is_one_line_for_serve_and_for_commands(relay: Installation) -> None:
    for each in relay.data.glob("directory.sqlite*"):
        each.unlink()
    (relay.data / "directory.sqlite").write_bytes(b"this is no database" * 1000)
    assert "directory.sqlite" in refusal_to_start(relay)
    done = relay.here("tenant", "list")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "directory.sqlite" in line


def test_a_directory_that_another_process_keeps_locked_is_one_line(relay: Installation) -> None:
    other = sqlite3.connect(relay.data / "directory.sqlite")
    try:
        other.execute("BEGIN EXCLUSIVE")
        done = relay.run("tenant", "add", "northwind", timeout_s=60)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "directory.sqlite is being changed by another process" in line
    finally:
        other.rollback()
        other.close()
