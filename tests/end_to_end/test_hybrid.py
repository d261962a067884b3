"""The wizard on real processes: an edge, a relay with two tenants, the outside world."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from end_to_end.hybrid_scene import HybridRelay, HybridScene, hybrid_relay, hybrid_scene
from end_to_end.installation import free_port
from gatepost.app.hybrid import SystemClock
from gatepost.app.relay_client import RelayClient
from gatepost.hybrid.errors import ApplyError
from gatepost.hybrid.plan import Change
from gatepost.hybrid.sides.relay import RelaySide
from pki import Pki

EDGE_INIT = ("--edge", "--smart-host", "RELAY", "--domain", "contoso.com")
CONNECTOR = "inbound-connector edge.contoso.com"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HybridRelay]:
    with hybrid_relay(tmp_path_factory.mktemp("relay")) as standing:
        yield standing


@pytest.fixture(scope="module")
def serving(standing: HybridRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HybridScene]:
    with hybrid_scene(standing, tmp_path_factory.mktemp("edge")) as scene:
        yield scene


@pytest.fixture
def scene(standing: HybridRelay, serving: HybridScene) -> Iterator[HybridScene]:
    serving.edge_begins_again()
    serving.relay_begins_again(standing.token)
    yield serving
    serving.neighbour_is_served()


@pytest.fixture
def unverified(scene: HybridScene) -> HybridScene:
    scene.relay("domain", "remove", "contoso.com")
    return scene


def test_from_nothing_to_relayed_mail_in_one_plan_and_one_apply(scene: HybridScene) -> None:
    _from_nothing_to_relayed_mail(scene)


def test_the_same_where_init_made_an_edge(standing: HybridRelay, tmp_path: Path) -> None:
    with hybrid_scene(standing, tmp_path, *EDGE_INIT) as scene:
        _from_nothing_to_relayed_mail(scene)


def _from_nothing_to_relayed_mail(scene: HybridScene) -> None:
    before = scene.state()
    plan = scene.plan()
    assert scene.state() == before
    for change in plan["changes"]:
        assert {"side", "object", "action", "before", "after", "why", "risk"} <= set(change)
    file = scene.edge.folder / "plan.json"
    assert file.stat().st_mode & 0o077 == 0
    assert "PRIVATE KEY" not in file.read_text()
    assert scene.token.read_text().strip() not in file.read_text()
    scene.apply()
    scene.relays()
    again = scene.edge.run("hybrid", "plan", *scene.options)
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")
    assert scene.edge.here("hybrid", "verify").returncode == 0
    # The copy that is presented holds the key too.
    (copy,) = (scene.edge.data / "hybrid" / "in-use").iterdir()
    assert copy.stat().st_mode & 0o077 == 0
    done = scene.edge.here("hybrid", "undo")
    assert done.returncode == 0, done.stderr
    assert scene.state() == before
    assert list((scene.edge.data / "hybrid" / "in-use").iterdir()) == []


def test_the_way_to_the_mailboxes_is_missed_asked_for_and_planned(scene: HybridScene) -> None:
    (note,) = [each for each in scene.plan()["notes"] if "mailboxes" in each]
    assert "contoso.com" in note and "--mailboxes HOST" in note
    plan = scene.plan("--mailboxes", f"127.0.0.1:{scene.sink.port}")
    assert not [each for each in plan["notes"] if "mailboxes" in each]
    scene.apply()
    scene.relays()
    way = scene.edge.told("send-connector", "show", "mailboxes")
    assert [each["space"] for each in way["address_spaces"]] == ["contoso.com"]
    assert way["certificate"] is None
    again = scene.edge.here("hybrid", "plan")
    assert (again.returncode, again.stdout, again.stderr) == (0, "nothing to do\n", "")
    assert scene.edge.here("hybrid", "verify").returncode == 0
    assert scene.edge.here("hybrid", "undo").returncode == 0
    assert scene.edge.told("send-connector", "list") != [way]


def test_a_domain_that_is_not_verified_is_waited_for_and_gone_on_with_later(unverified: HybridScene) -> None:
    scene = unverified
    before = scene.state()
    scene.plan()
    waiting = scene.apply(1, "--wait", "1")
    assert '_gatepost.contoso.com TXT "gatepost-verification=' in waiting.stdout
    assert len(waiting.stderr.splitlines()) == 1
    assert "go on with the same gatepost hybrid apply" in waiting.stderr
    assert not any(each["enabled"] for each in scene.state()["relay"]["inbound"])
    assert [each["enabled"] for each in scene.state()["edge"]["sent"] if each["name"] == "to-relay"] == [False]
    value = scene.relay.told("domain", "list", "contoso")[0]["token"]
    scene.outside.dns.add("_gatepost.contoso.com", "TXT", '"gatepost-verification=of-somebody-else"')
    assert "of-somebody-else" in scene.apply(1, "--wait", "0.5").stdout
    scene.outside.dns.add("_gatepost.contoso.com", "TXT", f'"gatepost-verification={value}"')
    done = scene.apply(0, "--wait", "30")
    # What was done is not done again.
    assert "create accepted-domain contoso.com: done" not in done.stdout
    scene.relays()
    assert scene.edge.here("hybrid", "undo").returncode == 0
    assert scene.state() == before


def test_a_domain_that_was_there_unverified_is_so_again_after_undo(unverified: HybridScene) -> None:
    scene = unverified
    scene.relay("domain", "add", "contoso", "contoso.com")
    before = scene.state()
    value = before["relay"]["domains"][0]["token"]
    scene.outside.dns.add("_gatepost.contoso.com", "TXT", f'"gatepost-verification={value}"')
    scene.plan()
    scene.apply()
    done = scene.edge.here("hybrid", "undo")
    assert done.returncode == 0, done.stderr
    assert _without_moments(scene.state()) == _without_moments(before)


def test_undo_leaves_what_the_operator_vouched_for_and_takes_the_rest_back(unverified: HybridScene) -> None:
    scene = unverified
    scene.relay("domain", "add", "contoso", "contoso.com")
    scene.plan()
    scene.apply(1, "--wait", "0")
    scene.relay("domain", "remove", "contoso.com")
    scene.relay("domain", "add", "contoso", "contoso.com", "--verified")
    applied = scene.apply()
    assert "update accepted-domain contoso.com: was done" in applied.stdout
    done = scene.edge.here("hybrid", "undo")
    assert done.returncode == 0, done.stderr
    state = scene.state()["relay"]
    assert [each["verified"] for each in state["domains"]] == [True]
    assert state["inbound"] == []
    assert "nothing to undo" in scene.edge.here("hybrid", "undo").stderr


def _without_moments(state: object) -> object:
    """When something was looked at is no state of it, and a claim has its whole time again."""
    moments = ("checked_at", "claimed_at")
    return json.loads(json.dumps(state), object_hook=lambda each: {k: v for k, v in each.items() if k not in moments})


def test_nothing_is_applied_when_somebody_was_there_in_between(scene: HybridScene) -> None:
    scene.plan()
    scene.relay("inbound-connector", "add", "contoso", "edge.contoso.com", "--address", "192.0.2.1")
    before = scene.state()
    done = scene.apply(1)
    assert f"relay: {CONNECTOR} was absent, is now present" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("gatepost: nothing was changed; create a new plan")
    assert scene.state() == before
    # What did nothing is nothing to undo.
    assert "nothing has been applied from here" in scene.edge.here("hybrid", "undo").stderr


def test_a_plan_that_is_in_force_is_not_applied_again(scene: HybridScene) -> None:
    scene.plan()
    scene.apply()
    state = scene.state()
    assert scene.apply().stdout.startswith("nothing to do: this plan was applied before")
    assert scene.state() == state
    assert scene.edge.here("hybrid", "undo").returncode == 0
    scene.apply()
    scene.relays()


def test_a_plan_file_that_was_edited_is_refused(scene: HybridScene) -> None:
    scene.plan()
    file = scene.edge.folder / "plan.json"
    file.write_text(file.read_text().replace("mail.contoso.com", "mail.fabrikam.com"))
    before = scene.state()
    done = scene.apply(2)
    assert "plan.json was edited after it was made" in done.stderr
    assert scene.state() == before


def test_what_an_administrator_changed_since_is_kept_at_both_sides_and_by_undo(scene: HybridScene) -> None:
    scene.plan()
    scene.apply()
    spare = ("--smart-host", scene.relay.name_of("main"), "--smart-host", "127.0.0.1:9")
    scene.edge("send-connector", "set", "to-relay", *spare, "--tls", "opportunistic", "--fqdn", "out.contoso.com")
    names = ("--certificate-name", "mail.contoso.com", "--certificate-name", "app.contoso.com")
    scene.relay("inbound-connector", "set", "contoso", "edge.contoso.com", *names)
    by_hand = scene.state()
    plan = scene.plan()
    assert plan["changes"] == []
    assert {f"{each['object']}.{each['field']}" for each in plan["kept"]} == {
        f"{CONNECTOR}.certificate_names",
        "send-connector to-relay.smart_hosts",
        "send-connector to-relay.tls",
    }
    assert scene.state() == by_hand
    plan = scene.plan("--overwrite", "send-connector to-relay.tls")
    assert [(change["before"]["tls"], change["after"]["tls"]) for change in plan["changes"]] == [
        ("opportunistic", "encrypt")
    ]
    scene.apply()
    assert scene.edge.here("hybrid", "undo").returncode == 0
    assert scene.state() == by_hand
    done = scene.edge.here("hybrid", "undo")
    assert done.returncode == 1
    assert "--overwrite" in done.stdout
    assert "app.contoso.com" in json.dumps(scene.state()["relay"])


@pytest.mark.parametrize("mark", ["begun", "done"])
def test_an_apply_killed_at_every_step_is_gone_on_with(unverified: HybridScene, mark: str) -> None:
    scene = unverified
    scene.relay("domain", "add", "contoso", "contoso.com")
    value = scene.state()["relay"]["domains"][0]["token"]
    scene.outside.dns.add("_gatepost.contoso.com", "TXT", f'"gatepost-verification={value}"')
    steps = [change["order"] for change in scene.plan()["changes"]]
    for step in steps:
        script = str(Path(__file__).parent / "killed_apply.py")
        arguments = ("--config", str(scene.edge.config), "hybrid", "apply", "plan.json")
        killed = subprocess.run(
            [sys.executable, script, mark, str(step), *arguments], cwd=scene.edge.folder, capture_output=True
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    scene.apply()
    scene.relays()
    assert scene.plan()["changes"] == []
    assert len(list((scene.edge.data / "hybrid" / "applies").glob("0*"))) == 1


def test_one_administrator_at_a_time(scene: HybridScene) -> None:
    scene.plan()
    folder = scene.edge.data / "hybrid"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert "another gatepost hybrid command" in scene.apply(1).stderr
    finally:
        os.close(lock)
    scene.apply()


class Meddled(RelayClient):
    """Just before it writes to a connector, somebody else does."""

    def __init__(self, scene: HybridScene) -> None:
        super().__init__(scene.relay.api_url, scene.token, scene.relay.folder / "server.pem")
        self._scene = scene

    def request(self, method: str, path: str, *rest: Any, **more: Any) -> Any:
        if method in ("PUT", "DELETE"):
            self._scene.relay("inbound-connector", "set", "contoso", "mail", "--address", "192.0.2.77")
        return super().request(method, path, *rest, **more)


def test_a_change_by_somebody_else_at_the_same_moment_is_never_overwritten(scene: HybridScene) -> None:
    scene.relay("inbound-connector", "add", "contoso", "mail", "--certificate-name", "mail.contoso.com")
    api = Meddled(scene)
    side = RelaySide(api, "contoso", SystemClock())
    before = side.read(["inbound-connector mail"])["inbound-connector mail"]
    assert before is not None
    for after in ({**before, "certificate_names": ["mail2.contoso.com"]}, None):
        change = Change(
            order=1,
            side="relay",
            object="inbound-connector mail",
            action="update" if after else "delete",
            before=side.read(["inbound-connector mail"])["inbound-connector mail"],
            after=after,
            why="",
            risk="none",
        )
        scene.relay("inbound-connector", "set", "contoso", "mail", "--address", "192.0.2.1")
        change = replace(change, before=side.read([change.object])[change.object])
        with pytest.raises(ApplyError, match="at the same moment"):
            side.write(change)
        (connector,) = scene.state()["relay"]["inbound"]
        assert connector["addresses"] == ["192.0.2.77/32"]
        assert connector["certificate_names"] == ["mail.contoso.com"]
    api.close()


# --- rehearsal --------------------------------------------------------------------------------------------------------


def test_the_next_certificate_is_rehearsed_while_the_old_one_is_in_use(scene: HybridScene) -> None:
    scene.plan()
    scene.apply()
    before = scene.state()
    same = scene.pki.leaf("mail.contoso.com")
    found = scene.edge.told("hybrid", "rehearse", "--certificate", str(same.chain_file), "--key", str(same.key_file))
    assert found["seen"]["address"] == "127.0.0.1"
    assert found["seen"]["tls"]["certificate"]["sha256"] == same.sha256
    assert [(each["mail_from"], each["outcome"]) for each in found["verdicts"]] == [
        ("postmaster@contoso.com", "relay"),
        ("", "relay"),
        ("someone@foreign.example", "relay"),
    ]
    assert found["differences"] == []
    other = scene.pki.leaf("mail2.contoso.com")
    files = ("--certificate", str(other.chain_file), "--key", str(other.key_file))
    found = scene.edge.told("hybrid", "rehearse", *files, expect=1)
    assert {each["outcome"] for each in found["verdicts"]} == {"refused"}
    assert all({"reply", "reasons", "rcpt_to"} <= set(each) for each in found["verdicts"])
    assert scene.state() == before
    scene.relays()
    assert tuple(scene.sink.messages)[-1].recipients[0].startswith("r")


def test_a_rehearsal_needs_no_apply_before_it(scene: HybridScene) -> None:
    scene.relay("inbound-connector", "add", "contoso", "mail", "--certificate-name", "mail.contoso.com")
    where = scene.options[:6]
    smart_host = ("--smart-host", scene.relay.name_of("main"))
    files = ("--certificate", str(scene.certificate), "--key", str(scene.key))
    found = scene.edge.told("hybrid", "rehearse", *where, *smart_host, *files, "--source-address", "127.0.5.1")
    assert found["seen"]["address"] == "127.0.5.1"
    assert found["accepted"]
    # A new line, known by its address alone: the own sender counts.
    scene.relay("inbound-connector", "add", "contoso", "line", "--address", "127.0.5.2")
    found = scene.edge.told("hybrid", "rehearse", *where, *smart_host, "--source-address", "127.0.5.2")
    assert found["seen"]["tls"]["certificate"] is None
    assert [each["outcome"] for each in found["verdicts"]] == ["relay", "refused", "refused"]


class Stripping:
    """A device between that takes STARTTLS out of what the relay offers."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            relay = socket.create_connection(("127.0.0.1", self._target))
            Thread(target=self._pass, args=(client, relay, False), daemon=True).start()
            Thread(target=self._pass, args=(relay, client, True), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, strip: bool) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data.replace(b"250-STARTTLS\r\n", b"") if strip else data)
        except OSError:
            pass
        for each in (source, target):
            each.close()


def test_a_device_that_takes_starttls_out_is_told_and_the_edge_stays_as_it_was(scene: HybridScene) -> None:
    device = Stripping(scene.relay.port)
    try:
        before = scene.state()
        options = [each.replace(scene.relay.name_of("main"), f"127.0.0.1:{device.port}") for each in scene.options]
        scene.plan(options=tuple(options))
        done = scene.apply(1)
        assert "STARTTLS was not offered on this path" in done.stderr
        assert not any(each["enabled"] for each in scene.state()["edge"]["sent"] if each["name"] == "to-relay")
        assert scene.edge.here("hybrid", "undo").returncode == 0
        assert scene.state() == before
    finally:
        device.close()


# --- what goes wrong --------------------------------------------------------------------------------------------------


def _complaint(scene: HybridScene, exit_code: int, **other: str) -> str:
    """What `hybrid plan` says when options are other than they should be: one line."""
    options = list(scene.options)
    for name, value in other.items():
        options[options.index(f"--{name.replace('_', '-')}") + 1] = value
    before = scene.state()
    done = scene.edge.here("hybrid", "plan", *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (exit_code, 1), (done.stdout, done.stderr)
    assert scene.state() == before
    return done.stderr


def test_each_mistake_has_its_line(scene: HybridScene, tmp_path: Path) -> None:
    strange = Pki(tmp_path / "strange", name="Strange")
    said = _complaint(scene, 1, relay=f"https://127.0.0.1:{free_port()}")
    assert "cannot be reached" in said
    assert "[api]" in said
    said = _complaint(scene, 1, relay_ca=str(strange.roots_file))
    assert "is not trusted" in said
    assert "--relay-ca" in said
    assert "no.where.invalid:8443 cannot be reached" in _complaint(scene, 1, relay="https://no.where.invalid:8443")
    assert "https://relay.example.net" in _complaint(scene, 2, relay="relay.example.net")
    said = _complaint(scene, 1, relay=f"https://127.0.0.1:{scene.relay.port}")
    assert "[api]" in said
    other = scene.pki.leaf("mail.contoso.com")
    assert "does not belong to the certificate" in _complaint(scene, 2, key=str(other.key_file))
    now = datetime.now(UTC)
    early = scene.pki.leaf("mail.contoso.com", not_before=now + timedelta(hours=2))
    said = _complaint(scene, 2, certificate=str(early.chain_file), key=str(early.key_file))
    assert "set the clock" in said
    late = scene.pki.leaf("mail.contoso.com", not_before=now - timedelta(days=9), not_after=now - timedelta(days=1))
    assert "expired on" in _complaint(scene, 2, certificate=str(late.chain_file), key=str(late.key_file))
    foreign = scene.pki.leaf("mail.litware.com")
    said = _complaint(scene, 2, certificate=str(foreign.chain_file), key=str(foreign.key_file))
    assert "carries mail.litware.com, nothing at or below contoso.com" in said
    token = tmp_path / "old.token"
    scene.relay("token", "add", "--tenant", "contoso", "--expires", "0.001s", "--out", str(token))
    said = _complaint(scene, 1, token_file=str(token))
    assert "token-expired" in said
    assert "gatepost token add" in said
    assert "cannot be read" in _complaint(scene, 2, token_file=str(tmp_path / "none.token"))


def test_a_relay_that_goes_away_midway_is_gone_on_with(scene: HybridScene) -> None:
    scene.plan()
    script = str(Path(__file__).parent / "killed_apply.py")
    arguments = ("--config", str(scene.edge.config), "hybrid", "apply", "plan.json")
    subprocess.run([sys.executable, script, "done", "2", *arguments], cwd=scene.edge.folder, capture_output=True)
    scene.relay.stop()
    said = scene.apply(1).stderr
    assert len(said.splitlines()) == 1
    assert "cannot be reached" in said
    scene.relay.start()
    scene.apply()
    scene.relays()


def test_certificates_are_compared_by_what_the_relay_would_make_of_them(scene: HybridScene) -> None:
    scene.plan()
    scene.apply()
    folder = scene.edge.folder / "certificates"
    folder.mkdir()
    good = scene.pki.leaf("mail.contoso.com", purposes=("serverAuth",))
    lone = scene.pki.leaf("mail.contoso.com")
    foreign = scene.pki.leaf("mail.litware.com")
    for name, file, key in (
        ("good", good.chain_file, good.key_file),
        ("lone", lone.certificate_file, lone.key_file),
        ("foreign", foreign.chain_file, good.key_file),
    ):
        (folder / f"{name}.pem").write_bytes(file.read_bytes())
        (folder / f"{name}.key").write_bytes(key.read_bytes())
    scene.edge.config.write_text(
        scene.edge.config.read_text().replace("[tls]\n", f'[tls]\nclient_roots = "{scene.pki.roots_file}"\n')
    )
    found = {
        Path(each["file"]).stem: each for each in scene.edge.told("hybrid", "certificates", str(folder))["certificates"]
    }
    assert found["good"]["satisfies"] == ["edge.contoso.com"]
    assert found["good"]["usable"]
    assert any("serverAuth only" in each for each in found["good"]["warnings"])
    assert any("same names" in each for each in found["good"]["warnings"])
    assert not found["lone"]["usable"]
    assert any("put it behind the certificate" in each for each in found["lone"]["warnings"])
    assert any("does not belong to it" in each for each in found["foreign"]["warnings"])
    assert any("no verified domain of yours covers mail.litware.com" in each for each in found["foreign"]["warnings"])
