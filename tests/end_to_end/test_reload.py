"""`systemctl reload`: new workers take over from old ones, and nobody outside notices."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.load import Client, under_load
from end_to_end.outside import Outside, taken
from end_to_end.scene import Certificates, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from sink import Sink
from soak import rounds

MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"


@pytest.fixture
def relay(tmp_path: Path, certificates: Certificates, sink: Sink) -> Iterator[Installation]:
    relay = Installation(tmp_path / "relay", client_roots=certificates.pki.roots_file)
    with_two_tenants(relay, sink.port)
    relay.start()
    yield relay
    if relay.process is not None:
        relay.stop()


@pytest.fixture(scope="module")
def lasting(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, outside: Outside
) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), client_roots=certificates.pki.roots_file)
    with_two_tenants(relay, outside.sink().port)
    with relay.serving():
        yield relay


@pytest.fixture
def configured(lasting: Installation) -> Iterator[Installation]:
    """For a reload after which it serves as before, or nearly so."""
    hostname, workers = lasting.hostname, lasting.workers
    wait_until(lambda: len(lasting.worker_pids()) == workers, "those that were replaced before to have gone")
    yield lasting
    lasting.hostname, lasting.workers = hostname, workers
    lasting.write_config()


def reload(relay: Installation, says: str) -> None:
    assert relay.process is not None
    before = len(re.findall(says, relay.output))
    relay.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(re.findall(says, relay.output)) > before, lambda: f"serve to say {says}")


REPLACED = "reloaded: 2 workers were replaced"


@dataclass
class Newcomers:
    """One new connection after the other, each with one message."""

    relay: Installation
    served: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    """From the first SYN to the 250 of a message."""
    turned_away: list[str] = field(default_factory=list)

    def run(self, enough: Event) -> None:
        while not enough.is_set():
            recipient = f"newcomer-{len(self.served)}-{len(self.turned_away)}@outside.example"
            began_at = time.monotonic()
            try:
                with SmtpClient(self.relay.port, source="127.0.2.1") as smtp:
                    smtp.ehlo()
                    answer = smtp.message("ben@fabrikam.com", recipient, MESSAGE)
                    assert answer.code == 250, answer.text
            except (OSError, AssertionError) as error:
                self.turned_away.append(repr(error))
            else:
                self.served.append(recipient)
                self.longest_s = max(self.longest_s, time.monotonic() - began_at)
            enough.wait(0.02)

    @contextmanager
    def coming(self) -> Iterator[None]:
        enough = Event()
        thread = Thread(target=self.run, args=(enough,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join(60)


@pytest.mark.soak
def test_a_reload_under_load_loses_nothing_repeats_nothing_and_turns_nobody_away(
    relay: Installation, certificates: Certificates, sink: Sink
) -> None:
    clients = [
        Client("contoso-address", relay, "ann@contoso.com", source="127.0.1.1"),
        Client("contoso-certificate", relay, "ann@contoso.com", certificate=certificates.contoso),
        Client("fabrikam-certificate", relay, "ben@fabrikam.com", certificate=certificates.fabrikam),
    ]
    newcomers = Newcomers(relay)
    workers = set(relay.worker_pids())
    with under_load(*clients), newcomers.coming():
        for _ in range(rounds(2, large=9)):
            served = len(newcomers.served)
            wait_until(lambda served=served: len(newcomers.served) > served + 10, "newcomers to be served")
            reload(relay, REPLACED)
        wait_until(lambda: not workers & set(relay.worker_pids()), "the first workers to have gone")
    print(f"{len(newcomers.served)} newcomers; the longest waited {newcomers.longest_s * 1000:.0f} ms for its 250")
    assert newcomers.turned_away == []
    assert [client.refused for client in clients] == [[], [], []]
    sent = {recipient for client in clients for recipient in client.acknowledged} | set(newcomers.served)
    assert {0, 1, 2, 3} <= {client.worker_of[to] for client in clients for to in client.acknowledged}
    wait_until(lambda: sent <= {to for message in tuple(sink.messages) for to in message.recipients}, "all of it")
    arrived = [to for message in sink.messages for to in message.recipients]
    assert len(arrived) == len(set(arrived))


def test_what_waits_in_the_old_workers_queues_is_the_new_ones(relay: Installation, sink: Sink) -> None:
    for number in range(8):
        with SmtpClient(relay.port, source="127.0.1.1") as smtp:
            smtp.ehlo()
            assert smtp.message("ann@contoso.com", f"defer-{number}@outside.example", MESSAGE).code == 250
    wait_until(lambda: all(each["recipient"]["attempts"] for each in waiting(relay)), "the first attempts")
    assert len(waiting(relay)) == 8
    reload(relay, REPLACED)
    sink.always("RCPT", b"250 2.1.5 now it is\r\n")

    def delivered() -> bool:
        # It may be on its way already; then there is nothing to retry.
        relay.here("queue", "retry", "--all")
        return not waiting(relay)

    wait_until(delivered, "the successors to deliver it", pause_s=0.3)
    for number in range(8):
        taken(sink, to=f"defer-{number}@outside.example")


def waiting(relay: Installation) -> list[dict[str, dict[str, object]]]:
    listed: list[dict[str, dict[str, object]]] = relay.told("queue", "list")["messages"]
    return listed


def test_new_settings_are_in_force_after_a_reload(configured: Installation) -> None:
    relay = configured
    relay.hostname = "renamed.example.net"
    relay.write_config()
    reload(relay, REPLACED)

    def greeting() -> str:
        with SmtpClient(relay.port, source="127.0.2.1") as smtp:
            return smtp.greeting.text

    # A worker that was replaced serves who came to it in the last moment.
    wait_until(lambda: "renamed.example.net" in greeting(), "the successors to greet")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("half-written [", "reload failed, keeping the running configuration: .*gatepost.toml"),
        (
            'hostname = "a.example"\ndata = "data"\nworkers = 3\n',
            "reload failed, keeping the running configuration: .*no listener",
        ),
    ],
)
def test_settings_that_are_wrong_change_nothing(change: str, says: str, configured: Installation) -> None:
    relay = configured
    workers = relay.worker_pids()
    relay.config.write_text(change)
    reload(relay, says)
    assert relay.worker_pids() == workers
    with SmtpClient(relay.port, source="127.0.2.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ben@fabrikam.com", "still@outside.example", MESSAGE).code == 250


def test_what_only_a_restart_can_change_is_said(configured: Installation) -> None:
    relay = configured
    workers = relay.worker_pids()
    relay.workers = 3
    relay.write_config()
    reload(
        relay,
        "reload failed, keeping the running configuration: workers changed in .*; restart the service to apply it",
    )
    assert relay.worker_pids() == workers


def test_a_successor_that_cannot_start_leaves_the_worker_where_it_is(relay: Installation, sink: Sink) -> None:
    (relay.data / "queue" / "2.sqlite").write_bytes(b"this is no database" * 1000)
    workers = relay.worker_pids()
    reload(relay, "reload stopped: worker 2 could not start; worker 0 continues")
    assert relay.worker_pids() == workers
    with SmtpClient(relay.port, source="127.0.2.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ben@fabrikam.com", "still@outside.example", MESSAGE).code == 250
    taken(sink, to="still@outside.example")


def test_a_reload_of_the_api_sounds_like_no_fault(tmp_path: Path, sink: Sink) -> None:
    relay = Installation(tmp_path, workers=1, api=True)
    with_two_tenants(relay, sink.port)
    with relay.serving():
        before = relay.worker_pids()
        reload(relay, "reloaded: 1 workers were replaced")
        wait_until(lambda: not set(before) & set(relay.worker_pids()), "worker and API to be replaced")
        for source, sender in (("127.0.1.1", "ann@contoso.com"), ("127.0.2.1", "ben@fabrikam.com")):
            with SmtpClient(relay.port, source=source) as smtp:
                smtp.ehlo()
                assert smtp.message(sender, "someone@outside.example", MESSAGE).code == 250
        assert "ended with" not in relay.output
