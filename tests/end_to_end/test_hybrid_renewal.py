"""A certificate is renewed under another name: with the watch nobody notices; without it, doctor and wizard mend it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from end_to_end.hybrid_scene import HybridRelay, HybridScene, hybrid_relay, hybrid_scene
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import taken
from end_to_end.scene import MESSAGE
from end_to_end.smtp_client import SmtpClient
from gatepost.hybrid.plan import document, read_plan

EDGE_INIT = ("--edge", "--smart-host", "RELAY", "--domain", "contoso.com")
MESSAGES_A_SECOND = 20


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HybridRelay]:
    with hybrid_relay(tmp_path_factory.mktemp("relay")) as standing:
        yield standing


def foreseen(installation: Installation, code: str) -> list[dict[str, Any]]:
    found = json.loads(installation.here("forecast", "--json").stdout)["prospects"]
    return [each for each in found if each["code"] == code]


class Flow:
    """Mail to the outside, so many messages a second, each in a session of its own."""

    def __init__(self, scene: HybridScene) -> None:
        self._scene = scene
        self.sent: list[str] = []

    def run(self, enough: Event) -> None:
        begun = time.monotonic()
        while not enough.is_set():
            recipient = f"flow-{len(self.sent)}@outside.example"
            with SmtpClient(self._scene.edge.port) as smtp:
                smtp.ehlo()
                assert smtp.message("ann@contoso.com", recipient, MESSAGE).code == 250
            self.sent.append(recipient)
            enough.wait(max(0.0, begun + len(self.sent) / MESSAGES_A_SECOND - time.monotonic()))


@contextmanager
def flowing(scene: HybridScene) -> Iterator[Flow]:
    enough, flow = Event(), Flow(scene)
    thread = Thread(target=flow.run, args=(enough,), daemon=True)
    thread.start()
    try:
        yield flow
    finally:
        enough.set()
        thread.join(60)


def presented(scene: HybridScene) -> list[str]:
    """The names that the relay's sessions of the edge showed, in order."""
    rows = scene.edge.protocol_log("send").splitlines()
    return [row for row in rows if "Sending certificate" in row]


def test_with_follow_a_renewal_under_another_name_costs_no_refusal(standing: HybridRelay, tmp_path: Path) -> None:
    with hybrid_scene(standing, tmp_path, *EDGE_INIT, follow=True, workers=2) as scene:
        scene.plan()
        scene.apply()
        with flowing(scene) as flow:
            wait_until(lambda: len(flow.sent) > 2 * MESSAGES_A_SECOND, "mail to flow")
            scene.install(scene.pki.leaf("mail2.contoso.com"))
            wait_until(lambda: any("mail2.contoso.com" in row for row in presented(scene)), "the new certificate")
            renewed_at = len(flow.sent)
            wait_until(lambda: len(flow.sent) > renewed_at + 3 * MESSAGES_A_SECOND, "mail to flow on")
        for recipient in flow.sent:
            taken(scene.sink, to=recipient)
        assert all(message.reverse_path for message in tuple(scene.sink.messages)), "no notice of a refusal"
        assert "5.7.64" not in scene.relay.output + scene.edge.output
        assert '"refused"' not in scene.relay.output and " refused " not in scene.relay.output
        assert " renewal-rehearsed " in scene.edge.output
        (connector,) = scene.state()["relay"]["inbound"]
        assert connector["certificate_names"] == ["mail.contoso.com", "mail2.contoso.com"]
        assert scene.edge.here("hybrid", "plan").stdout == "nothing to do\n"


def test_without_follow_the_old_certificate_stays_and_an_alarm_names_the_fix(
    standing: HybridRelay, tmp_path: Path
) -> None:
    with hybrid_scene(standing, tmp_path, *EDGE_INIT) as scene:
        scene.plan()
        scene.apply()
        scene.relays()
        scene.install(scene.pki.leaf("mail2.contoso.com"))
        scene.edge.wait_for_output(" error renewal-refused ")
        line = next(each for each in scene.edge.output.splitlines() if " renewal-refused " in each)
        assert "certificate-name-matches-no-connector" in line
        assert "the certificate before it stays in use" in line
        assert "gatepost hybrid plan --out plan.json" in line
        # Across a restart too.
        scene.edge.stop()
        scene.edge.start()
        scene.relays()
        assert "mail2.contoso.com" not in presented(scene)[-1]
        done = scene.edge.here("hybrid", "verify")
        assert done.returncode == 1
        says = " ".join(done.stdout.split())
        assert "the certificate before it is presented, mail.contoso.com: mail flows with it until" in says
        assert "relayed NOT OK of the renewed certificate: " in says
        assert "contoso.token, until" in says
        (stuck,) = foreseen(scene.edge, "renewal-stuck")
        assert stuck["connector"] == "smart-host"
        assert "is not presented" in scene.edge("send-connector", "show", "smart-host")
        plan = scene.plan(options=())
        assert [(change["side"], change["object"]) for change in plan["changes"]] == [
            ("relay", "inbound-connector edge.contoso.com")
        ]
        scene.apply()

        def shown() -> bool:
            scene.relays()
            return "mail2.contoso.com" in presented(scene)[-1]

        wait_until(shown, "the new certificate", pause_s=0.5)
        assert scene.edge.here("hybrid", "verify").returncode == 0


def test_the_token_that_renewals_need_is_told_of_before_it_ends(standing: HybridRelay, tmp_path: Path) -> None:
    with hybrid_scene(standing, tmp_path, *EDGE_INIT) as scene:
        options = ("token", "add", "--tenant", "contoso", "--expires", "5d", "--out")
        scene.token.unlink()
        scene.relay(*options, str(scene.token))
        scene.plan()
        scene.apply()
        done = scene.edge.here("hybrid", "verify")
        assert "4 days left" in " ".join(done.stdout.split())
        (own,) = foreseen(scene.edge, "token-expires")
        assert (own["tenant"], own["within_days"]) == ("", 7)
        (contosos,) = foreseen(scene.relay, "token-expires")
        assert contosos["tenant"] == "contoso"
        scene.relays()


def test_files_that_do_not_fit_are_told_and_not_presented(standing: HybridRelay, tmp_path: Path) -> None:
    with hybrid_scene(standing, tmp_path, *EDGE_INIT) as scene:
        scene.plan()
        scene.apply()
        scene.certificate.write_bytes(scene.pki.leaf("mail.contoso.com").chain_file.read_bytes())
        scene.edge.wait_for_output(" warning renewal-not-rehearsed .*does not belong to the certificate")
        scene.relays()


def test_an_old_certificate_that_has_ended_is_no_better_than_a_refused_one(
    standing: HybridRelay, tmp_path: Path
) -> None:
    with hybrid_scene(standing, tmp_path, *EDGE_INIT) as scene:
        scene.plan()
        scene.apply()
        scene.edge.stop()
        # The copy that is presented, as it is some days later.
        (copy,) = (scene.edge.data / "hybrid" / "in-use").iterdir()
        ended = scene.pki.leaf("mail.contoso.com", not_after=datetime.now(UTC) - timedelta(minutes=1))
        copy.write_bytes(ended.chain_file.read_bytes() + ended.key_file.read_bytes())
        renewed = scene.pki.leaf("mail2.contoso.com")
        scene.install(renewed)
        scene.edge.start()
        scene.edge.wait_for_output(" error renewal-refused ")
        assert renewed.certificate_file.read_text() in copy.read_text()


def test_a_relay_that_cannot_be_asked_changes_nothing(standing: HybridRelay, tmp_path: Path) -> None:
    with hybrid_scene(standing, tmp_path, *EDGE_INIT) as scene:
        scene.plan()
        scene.apply()
        scene.token.write_text("gp_of_yesterday\n")
        scene.install(scene.pki.leaf("mail.contoso.com"))
        scene.edge.wait_for_output(" warning renewal-not-rehearsed .*does not accept the token")
        scene.relays()


def test_without_the_watch_the_doctor_finds_it_and_the_wizard_repairs_it(standing: HybridRelay, tmp_path: Path) -> None:
    """An edge that was set up by hand presents what is in its files."""
    with hybrid_scene(standing, tmp_path) as scene:
        scene.relay("inbound-connector", "add", "contoso", "mail", "--certificate-name", "mail.contoso.com")
        home = ("--smart-host", f"127.0.0.1:{scene.sink.port}")
        for command in (
            ("tenant", "add", "on-premises"),
            ("domain", "add", "on-premises", "contoso.com", "--verified"),
            ("inbound-connector", "add", "on-premises", "servers", "--address", "127.0.0.1"),
            ("send-connector", "add", "home", "--address-space", "contoso.com", *home),
        ):
            scene.edge(*command)
        files = ("--certificate", str(scene.certificate), "--key", str(scene.key))
        smart_host = ("--address-space", "*;1", "--smart-host", scene.relay.name_of("main"))
        scene.edge("send-connector", "add", "out", *smart_host, *files, "--tls", "encrypt")
        scene.relays()
        scene.install(scene.pki.leaf("mail2.contoso.com"))

        def refused() -> bool:
            with SmtpClient(scene.edge.port) as smtp:
                smtp.ehlo()
                smtp.message("ann@contoso.com", "three@outside.example", MESSAGE)
            return " relay-refuses-us " in scene.edge.output

        wait_until(refused, "the refusal", pause_s=0.3)
        logs = scene.edge.data / "protocol-log" / "send"
        wait_until(lambda: "5.7.64" in scene.edge.protocol_log("send"), "the send log")
        best = scene.edge.told("doctor", str(logs))["findings"][0]
        assert "A01" in best["catalogue"], best
        assert "certificate-name-matches-no-connector" in json.dumps(best)
        scene.plan()
        scene.apply()
        # The edge's session with the relay is still open; the relay's worker knows the new name within a second.
        time.sleep(1.0)
        scene.relays()


def test_the_old_name_goes_when_it_has_been_replaced_for_seven_days(standing: HybridRelay, tmp_path: Path) -> None:
    """By the clock of the plan's journal, moved back: nobody waits a week."""
    with hybrid_scene(standing, tmp_path, *EDGE_INIT) as scene:
        scene.plan()
        scene.apply()
        scene.install(scene.pki.leaf("mail2.contoso.com"))
        scene.plan(options=())
        scene.apply()
        file = scene.edge.data / "hybrid" / "applies" / "000002" / "plan.json"
        plan = read_plan(file.read_text(), str(file))
        earlier = (datetime.now(UTC) - timedelta(days=8)).isoformat()
        file.write_text(json.dumps(document(replace(plan, made_at=earlier))))
        scene.plan(options=())
        scene.apply()
        (connector,) = scene.state()["relay"]["inbound"]
        assert connector["certificate_names"] == ["mail2.contoso.com"]
        scene.relays()
