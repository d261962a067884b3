"""An edge and a relay that know nothing of each other yet, a second tenant at the relay, and the outside world."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, until_known
from end_to_end.smtp_client import SmtpClient
from pki import Issued, Pki
from sink import Sink

_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class HybridRelay:
    relay: Installation
    outside: Outside
    pki: Pki
    token: str
    fabrikam: Issued


@dataclass
class HybridScene:
    edge: Installation
    relay: Installation
    outside: Outside
    sink: Sink
    """Everybody else's mail server."""
    pki: Pki
    first: Issued
    """What is at `certificate` and `key` in the beginning."""
    certificate: Path
    key: Path
    token: Path
    fabrikam: Issued

    def relay_begins_again(self, token: str) -> None:
        """The tenant has its verified domain and nothing else; the neighbour and the logs go on."""
        for each in self.relay.told("inbound-connector", "list", "contoso"):
            self.relay("inbound-connector", "remove", "contoso", each["name"])
        for each in self.relay.told("domain", "list", "contoso"):
            self.relay("domain", "remove", each["domain"])
        self.relay("domain", "add", "contoso", "contoso.com", "--verified")
        self.relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{self.sink.port}")
        until_known(self.relay)
        self.relay.output_begins_here()
        self.outside.dns.remove("_gatepost.contoso.com")
        self.token.unlink(missing_ok=True)
        self.token.write_text(token)
        self.token.chmod(0o600)
        self.install(self.first)

    def edge_begins_again(self) -> None:
        """As plain `gatepost init` made it."""
        for each in self.edge.told("send-connector", "list"):
            if each["name"] != "internet":
                self.edge("send-connector", "remove", each["name"])
        shutil.rmtree(self.edge.data / "hybrid", ignore_errors=True)
        self.edge.write_config()

    def install(self, issued: Issued) -> None:
        """As a renewal does it: key and certificate moved over the old ones."""
        for target, source in ((self.key, issued.key_file), (self.certificate, issued.chain_file)):
            new = target.with_name(f".{target.name}.new")
            new.write_bytes(source.read_bytes())
            new.chmod(0o600)
            new.replace(target)

    @property
    def options(self) -> tuple[str, ...]:
        return (
            *("--relay", self.relay.api_url, "--relay-ca", str(self.relay.folder / "server.pem")),
            *("--token-file", str(self.token), "--smart-host", self.relay.name_of("main"), "--domain", "contoso.com"),
            *("--certificate", str(self.certificate), "--key", str(self.key)),
        )

    def plan(self, *more: str, options: tuple[str, ...] | None = None) -> dict[str, Any]:
        """As a program asks for it; the plan file is `plan.json` in the edge's folder."""
        done = self.edge.here(
            "hybrid", "plan", *(self.options if options is None else options), *more, "--out", "plan.json", "--json"
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def apply(self, expect: int = 0, *more: str) -> "subprocess.CompletedProcess[str]":
        done = self.edge.here("hybrid", "apply", "plan.json", *more)
        assert done.returncode == expect, (done.stdout, done.stderr)
        return done

    def relays(self, sender: str = "ann@contoso.com") -> None:
        """A message handed to the edge reaches the outside."""
        recipient = f"r{next(_numbers)}@outside.example"
        with SmtpClient(self.edge.port) as smtp:
            smtp.ehlo()
            answer = smtp.message(sender, recipient, MESSAGE)
        assert answer.code == 250, answer.text
        wait_until(
            lambda: any(recipient in each.recipients for each in tuple(self.sink.messages)),
            lambda: f"{recipient}: {self.edge.output[-3000:]}\n{self.relay.output[-3000:]}",
        )

    def neighbour_is_served(self) -> None:
        with SmtpClient(self.relay.port) as smtp:
            smtp.starttls(self.fabrikam)
            assert smtp.message("ben@fabrikam.com", "someone@outside.example", MESSAGE).code == 250

    def state(self) -> dict[str, Any]:
        """All that an administrator sees of both sides, but for what sessions did since."""
        return {
            "relay": self._objects(self.relay, "contoso"),
            "neighbour": self._objects(self.relay, "fabrikam"),
            "edge": self._objects(self.edge, None),
        }

    def _objects(self, installation: Installation, tenant: str | None) -> dict[str, Any]:
        domains = installation.told("domain", "list", *([tenant] if tenant else []))
        inbound = installation.told("inbound-connector", "list", *([tenant] if tenant else []))
        of = ("--tenant", tenant) if tenant else ()
        return {
            "domains": domains,
            "inbound": [{field: value for field, value in each.items() if field != "use"} for each in inbound],
            "sent": installation.told("send-connector", "list", *of),
        }


@contextmanager
def hybrid_relay(folder: Path) -> Iterator[HybridRelay]:
    """The relay serves; it takes a second of processor time to begin, so the scenes of a module share it."""
    pki = Pki(folder / "pki", organisation="Known Authority")
    relay = Installation(folder / "relay", client_roots=pki.roots_file, workers=1, api=True)
    with Outside() as outside:
        relay.init()
        relay.tables = f'[dns]\nnameservers = ["{outside.dns.address}"]\n'
        relay.write_config()
        for tenant in ("contoso", "fabrikam"):
            relay("tenant", "add", tenant)
        relay("domain", "add", "fabrikam", "fabrikam.com", "--verified")
        relay("inbound-connector", "add", "fabrikam", "mail", "--certificate-name", "*.fabrikam.com")
        token = folder / "contoso.token"
        relay("token", "add", "--tenant", "contoso", "--out", str(token))
        with relay.serving():
            yield HybridRelay(
                relay=relay,
                outside=outside,
                pki=pki,
                token=token.read_text(),
                fabrikam=pki.leaf("mail.fabrikam.com"),
            )


@contextmanager
def hybrid_scene(
    standing: HybridRelay, folder: Path, *edge_init: str, follow: bool = False, workers: int = 1
) -> Iterator[HybridScene]:
    """Both serve. The edge was made by plain `gatepost init`, or with the options given."""
    relay = standing.relay
    edge = Installation(folder / "edge", hostname="edge.contoso.com", workers=workers)
    edge.tables = "[hybrid]\nfollow = true\n" if follow else ""
    edge.init(*(each.replace("RELAY", relay.name_of("main")) for each in edge_init))
    scene = HybridScene(
        edge=edge,
        relay=relay,
        outside=standing.outside,
        sink=standing.outside.sink(),
        pki=standing.pki,
        first=standing.pki.leaf("mail.contoso.com"),
        certificate=folder / "mail.pem",
        key=folder / "mail.key",
        token=folder / "contoso.token",
        fabrikam=standing.fabrikam,
    )
    scene.relay_begins_again(standing.token)
    with edge.serving():
        yield scene
        scene.neighbour_is_served()
