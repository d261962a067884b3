"""Alarms of a relay that serves two tenants: to a receiver process that is killed and comes back, while processes of
the relay are killed too; and by mail through its own queue."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from alarm_receiver import SECRET, Receiver
from end_to_end.installation import PATIENCE_S, Installation, free_port, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import MESSAGE, with_two_tenants
from end_to_end.smtp_client import SmtpClient
from pki import Pki
from sink import Sink


@dataclass
class Scene:
    relay: Installation
    receiver: Receiver
    internet: Sink

    def alarms_process(self) -> int:
        found = self.relay.told_whatever("status")["processes"]
        return next(each["pid"] or 0 for each in found if each["name"] == "the alarms")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, outside: Outside) -> Iterator[Scene]:
    folder, internet = tmp_path_factory.mktemp("alarms"), outside.sink()
    pki = Pki(folder / "pki")
    localhost = pki.leaf("localhost")
    receiver = Receiver(folder, localhost.chain_file, localhost.key_file, free_port())
    relay = Installation(folder / "relay")
    relay.tables = (
        f'[alarm]\nwebhook = "{receiver.url}"\nsecret_file = "alarm.secret"\nroots = "{pki.roots_file}"\n'
        'mail = "ops@outside.example"\n'
    )
    relay.folder.mkdir()
    secret = relay.folder / "alarm.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    with_two_tenants(relay, internet.port)
    try:
        with relay.serving():
            yield Scene(relay, receiver, internet)
    finally:
        receiver.kill()


def test_a_test_reaches_the_webhook_and_the_mailbox(scene: Scene) -> None:
    wait_until(scene.relay.settings.alarms_file.exists, "the first look")
    failed = scene.relay("alarm", "test", expect=1)
    assert "https://localhost" in failed and "capability" not in failed and SECRET not in failed
    mail = taken(scene.internet, to="ops@outside.example")
    assert mail.reverse_path == "" and b"This is a test" in mail.content
    scene.receiver.start()
    scene.relay("alarm", "test")
    assert [each["state"] for each in scene.receiver.taken] == ["test"]


def test_an_alarm_is_told_though_relay_and_receiver_are_killed_meanwhile(scene: Scene) -> None:
    relay, receiver = scene.relay, scene.receiver
    receiver.kill()
    before = len(receiver.taken)
    # A damaged day of the trace: nothing else minds, and it stays.
    damaged = relay.data / "trace" / "tenants" / "20200101-w0-1.sqlite"
    damaged.parent.mkdir(parents=True, exist_ok=True)
    damaged.write_bytes(b"x" * 5000)
    # The relay is looked at, then three posts fail, each after a longer pause.
    wait_until(lambda: "alarm-not-sent" in relay.output, "the webhook to fail", patience_s=3 * PATIENCE_S)
    killed = scene.alarms_process()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: scene.alarms_process() not in (0, killed), "the process of the alarms to be there again")
    with SmtpClient(relay.port, source="127.0.1.1") as smtp:
        smtp.ehlo()
        assert smtp.message("ann@contoso.com", "bob@outside.example", MESSAGE).code == 250
    receiver.start()
    wait_until(lambda: len(receiver.taken) > before, "the receiver to be told")
    told = receiver.taken[before]
    assert (told["state"], told["code"], told["about"]) == ("firing", "trace-damaged", str(damaged))
    assert told["hostname"] == relay.hostname and told["reminder"] is False
    assert "trace-damaged" in relay("alarm", "list")
    assert SECRET not in relay.output and "capability" not in relay.output
    assert len({each["id"] for each in receiver.taken[before:]}) == 1, "told once, or once more with the same id"
