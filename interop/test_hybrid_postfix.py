"""The wizard with a real Postfix as the sending side: planned, applied, kept, renewed, taken back to the octet."""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from messages import assert_same, awkward, submit
from peers import Room, free_port, stop, wait_for_greeting
from postfix import SERVICES, SETTINGS
from relay import Relay
from world import World

from pki import Issued


@dataclass
class Scene:
    world: World
    relay: Relay
    sender: Relay
    """Where the wizard keeps its memory, on the machine of Postfix."""
    folder: Path
    relay_port: int
    api_port: int
    port: int
    """Postfix's."""
    log: Path

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def present(self, issued: Issued) -> None:
        (self.folder / "mail.pem").write_bytes(issued.chain_file.read_bytes())
        (self.folder / "mail.key").write_bytes(issued.key_file.read_bytes())

    def files(self) -> dict[str, bytes]:
        return {name: (self.config / name).read_bytes() for name in ("main.cf", "master.cf")}

    @property
    def options(self) -> tuple[str, ...]:
        return (
            *("--postfix", "--config-directory", str(self.config)),
            *("--relay", f"https://127.0.0.1:{self.api_port}", "--relay-ca", str(self.world.pki.roots_file)),
            *("--token-file", str(self.folder / "contoso.token")),
            *("--smart-host", f"127.0.0.1:{self.relay_port}", "--domain", "contoso.com"),
            *("--certificate", str(self.folder / "mail.pem"), "--key", str(self.folder / "mail.key")),
        )

    def plan(self, *more: str) -> Any:
        return self.sender.answer("hybrid", "plan", *self.options, *more, "--out", "plan.json")

    def relays(self) -> None:
        token = self.world.token("wizard")
        recipient, content = f"{token}@outside.example.net", awkward(token)
        submit(self.port, recipient, content)
        arrived = self.world.outside.wait_for(recipient, 30).content
        assert b"client certificate" in arrived
        assert_same(content, arrived)


@pytest.fixture(scope="module")
def scene(world: World) -> Iterator[Scene]:
    folder = world.folder / "wizard"
    (folder / "config").mkdir(parents=True)
    relay_port, api_port, port = free_port(), free_port(), free_port()
    relay = Relay(folder / "relay")
    server = world.pki.leaf("relay.example.net")
    relay.configure(
        ports=(relay_port,),
        tls={"certificate": server.chain_file, "key": server.key_file, "client_roots": world.pki.roots_file},
        more=f'[api]\naddress = "127.0.0.1:{api_port}"',
    )
    for tenant in ("contoso", "fabrikam"):
        relay.command("tenant", "add", tenant)
        relay.command("domain", "add", tenant, f"{tenant}.com", "--verified")
    next_hop = ("--smart-host", f"127.0.0.1:{world.outside.port}", "--tls", "none")
    relay.command("send-connector", "add", "outside", "--address-space", "*;1", *next_hop)
    relay.command("token", "add", "--tenant", "contoso", "--out", str(folder / "contoso.token"))
    sender = Relay(folder / "sender", hostname="postfix.contoso.com")
    room = Room("postfix", folder / "postfix", shows=[folder])
    log = room.var / "log" / "postfix.log"
    scene = Scene(world, relay, sender, folder, relay_port, api_port, port, log)
    scene.present(world.pki.leaf("mail.contoso.com"))
    # Somebody else's smart host, which the wizard leaves where it is.
    settings = {**SETTINGS, "myhostname": "postfix.contoso.com", "relayhost": "[127.0.0.1]:9"}
    settings["smtpd_relay_restrictions"] = "permit_mynetworks,reject"
    lines = ["# Written by an administrator.", *(f"{name} = {value}" for name, value in settings.items())]
    (scene.config / "main.cf").write_text("\n".join(lines) + "\n")
    (scene.config / "master.cf").write_text(SERVICES + f"127.0.0.1:{port} inet n - n - - smtpd\n")
    room.write("postfix/main.cf", f"compatibility_level = 3.6\nalternate_config_directories = {scene.config}\n")
    (room.var / "spool" / "postfix").mkdir()
    room.own("var/lib/postfix", "postfix")
    relay.start()
    process = room.start("/usr/sbin/postfix", "-c", str(scene.config), "start-fg", output=folder / "postfix.out")
    try:
        wait_for_greeting(port, process, log)
        _programs(scene, room, process)
        yield scene
    finally:
        stop(process)
        relay.stop()


def _programs(scene: Scene, room: Room, process: "subprocess.Popen[bytes]") -> None:
    """`postconf` and `postfix` as the wizard finds them on the machine of Postfix: here, in its room."""
    programs = scene.folder / "programs"
    programs.mkdir()
    postconf = shlex.join(room.command("/usr/sbin/postconf"))
    # In a process namespace of its own, Postfix cannot be told by its number from within another.
    reload = f'case " $* " in *" reload "*) kill -HUP {_master(process.pid)};; esac'
    for name, text in (("postconf", f'exec {postconf} "$@"'), ("postfix", reload)):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"


def _master(pid: int) -> int:
    """Postfix's first process, below `pid`."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        if Path(f"/proc/{child}/comm").read_text().strip() == "master":
            return child
        if found := _master(child):
            return found
    return 0


def test_from_nothing_to_relayed_mail_kept_renewed_and_taken_back_to_the_octet(scene: Scene) -> None:
    before = scene.files()
    plan = scene.plan()
    assert scene.files() == before
    assert [(change["side"], change["object"]) for change in plan["changes"] if change["side"] == "postfix"] == [
        ("postfix", "master.cf gatepost/unix"),
        ("postfix", "main.cf default_transport"),
    ]
    shown = scene.sender.command("hybrid", "plan", *scene.options)
    assert f"postconf -c {scene.config} -e 'default_transport = gatepost:[127.0.0.1]:{scene.relay_port}'" in shown
    scene.sender.command("hybrid", "apply", "plan.json")
    scene.relays()
    assert scene.plan()["changes"] == []

    # An option that somebody changed by hand stays.
    applied = (scene.config / "master.cf").read_text()
    by_hand = applied.replace("smtp_tls_security_level=encrypt", "smtp_tls_security_level=may")
    (scene.config / "master.cf").write_text(by_hand)
    plan = scene.plan()
    assert plan["changes"] == []
    assert [f"{each['object']}.{each['field']}" for each in plan["kept"]] == [
        "master.cf gatepost/unix.-o smtp_tls_security_level"
    ]
    (scene.config / "master.cf").write_text(applied)

    # A renewal under another name is refused, found in Postfix's log, and mended by plan and apply.
    scene.present(scene.world.pki.leaf("mail2.contoso.com"))
    subprocess.run(["postfix", "reload"], check=True)
    token = scene.world.token("wizard")
    submit(scene.port, f"{token}@outside.example.net", awkward(token), reverse_path=f"{token}@contoso.com")
    _wait_for(scene.log, "certificate-name-matches-no-connector")
    best = json.loads(scene.sender.command("doctor", str(scene.log), "--json"))["findings"][0]
    assert "A01" in best["catalogue"]
    plan = scene.plan()
    assert {change["side"] for change in plan["changes"]} == {"relay"}
    scene.sender.command("hybrid", "apply", "plan.json")
    scene.relays()

    scene.sender.command("hybrid", "undo")
    scene.sender.command("hybrid", "undo")
    assert scene.files() == before
    assert json.loads(scene.relay.command("inbound-connector", "list", "contoso", "--json")) == []


def _wait_for(log: Path, text: str) -> None:
    for _ in range(300):
        if text in log.read_text(errors="replace"):
            return
        time.sleep(0.1)
    raise AssertionError(f"{log} does not say {text}: {log.read_text(errors='replace')[-2000:]}")
