"""A POST ends, whatever its receiver does, and what went wrong is one line without the secret path."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alarm_receiver import SECRET, Receiver
from end_to_end.installation import free_port
from gatepost.alarm.told import SIGNATURE_HEADER, signature
from gatepost.net import webhook
from gatepost.net.webhook import WebhookFailed, post, shown
from pki import Issued, Pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def localhost(pki: Pki) -> Issued:
    return pki.leaf("localhost")


@pytest.fixture
def receiver(tmp_path: Path, localhost: Issued) -> Iterator[Receiver]:
    with Receiver(tmp_path, localhost.chain_file, localhost.key_file, free_port()) as receiver:
        yield receiver


def send(receiver: Receiver, roots: Path | None) -> None:
    headers = {SIGNATURE_HEADER: signature(SECRET.encode(), b'{"a": 1}', time.time())}
    asyncio.run(post(receiver.url, b'{"a": 1}', headers, roots))


def test_what_is_posted_comes_as_it_was_signed(receiver: Receiver, pki: Pki) -> None:
    send(receiver, pki.roots_file)
    assert receiver.taken == [{"a": 1}]
    assert receiver.posted[0]["path"] == "/hook/capability-in-the-path"


@pytest.mark.parametrize(
    ("behaviour", "says"), [("500", "answers HTTP 500"), ("404", "answers HTTP 404"), ("redirect", "redirects")]
)
def test_what_is_no_2xx_is_a_failure_and_no_redirect_is_followed(
    receiver: Receiver, pki: Pki, behaviour: str, says: str
) -> None:
    receiver.kill()
    receiver.start(behaviour)
    with pytest.raises(WebhookFailed, match=says) as failed:
        send(receiver, pki.roots_file)
    assert "capability" not in str(failed.value) and "\n" not in str(failed.value)
    assert [each["path"] for each in receiver.posted] == ["/hook/capability-in-the-path"]


@pytest.mark.parametrize("behaviour", ["silent", "drip"])
def test_a_receiver_that_does_not_end_is_left(
    receiver: Receiver, pki: Pki, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_LONGEST_S", 1.0)
    receiver.kill()
    receiver.start(behaviour)
    with pytest.raises(WebhookFailed):
        send(receiver, pki.roots_file)


def test_nothing_is_sent_to_a_receiver_that_cannot_prove_itself(receiver: Receiver, tmp_path: Path) -> None:
    for roots in (None, Pki(tmp_path / "other").roots_file):
        with pytest.raises(WebhookFailed, match="not trusted"):
            send(receiver, roots)
    assert receiver.posted == []


def test_a_receiver_that_is_away_and_roots_that_are_none_are_one_line(receiver: Receiver, tmp_path: Path) -> None:
    receiver.kill()
    for roots in (None, tmp_path / "none.pem"):
        with pytest.raises(WebhookFailed) as failed:
            send(receiver, roots)
        assert "\n" not in str(failed.value)


def test_no_path_is_shown() -> None:
    assert shown("https://hooks.example.net:8443/T0/secret?key=1") == "https://hooks.example.net:8443"
