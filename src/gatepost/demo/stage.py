"""The demo's stage: a relay for two tenants, an edge beside contoso's mail server, two mailboxes, and certificates."""

import os
import random
import socket
from collections.abc import Mapping
from pathlib import Path

import gatepost
from gatepost.demo.authority import Authority, Identity
from gatepost.demo.hosts import Host
from gatepost.demo.mailbox import Mailbox
from gatepost.demo.messages import Sender, SteadyMail
from gatepost.demo.processes import Child, Processes
from gatepost.demo.waiting import Setback

RELAY = "relay.example.net"
EDGE = "edge.contoso.com"
ANN = "ann@contoso.com"
SCANNER = "scanner@contoso.com"
CAROL = "carol@fabrikam.com"
BOB = "bob@example.org"

OLD_NAME = "mail.contoso.com"
NEW_NAME = "smtp.contoso.com"
FABRIKAM_NAME = "mail.fabrikam.com"
OLD_ADDRESS = "127.0.0.2"
NEW_ADDRESS = "127.0.0.3"

# Below the ports that systems give to outgoing connections: nobody takes one between our look and our use.
_PORTS = range(20000, 32000)


class Stage:
    """Folders, certificates and free ports are there from the start; what runs is started by the story."""

    def __init__(self, folder: Path, *, columns: int, colour: bool, console: bool = False) -> None:
        self.folder = folder
        environment = _environment(columns, colour)
        self._processes = Processes(environment)
        relay, edge, self._outside_port, self._premises_port, console_port = _free_ports(5)
        self.console_address = f"127.0.0.1:{console_port}" if console else None
        """Of the relay's."""
        self.relay = Host("relay", _new(folder / "relay"), relay, self._processes, environment)
        self.edge = Host("edge", _new(folder / "edge"), edge, self._processes, environment)
        self.outside = Mailbox(_new(folder / "outside"))
        """Bob's."""
        self.premises = Mailbox(_new(folder / "premises"))
        """Ann's, on contoso's own mail server."""
        self.authority = Authority(self.relay.folder / "roots.pem")
        self.edge_identity = _identity(self.edge.folder)
        self.authority.issue(OLD_NAME, self.edge_identity)
        fabrikam = _identity(_new(folder / "fabrikam"))
        self.authority.issue(FABRIKAM_NAME, fabrikam)
        self.fabrikam = SteadyMail(Sender(name=FABRIKAM_NAME, port=relay, identity=fabrikam), CAROL, BOB)
        self.ann = Sender(name="exchange.contoso.com", port=edge)
        """Contoso's mail server, which hands its users' mail to the edge."""

    @property
    def edge_at_relay(self) -> Sender:
        """What the edge is to the relay."""
        return Sender(name=EDGE, port=self.relay.port, identity=self.edge_identity)

    def scanner(self, address: str) -> Sender:
        return Sender(name="scanner.contoso.com", port=self.relay.port, address=address)

    @property
    def outside_host(self) -> str:
        return f"127.0.0.1:{self._outside_port}"

    @property
    def premises_host(self) -> str:
        return f"127.0.0.1:{self._premises_port}"

    def open_mailboxes(self) -> None:
        started = [
            self._mailbox("mx.example.org", self._outside_port, self.folder / "outside"),
            self._mailbox("exchange.contoso.com", self._premises_port, self.folder / "premises"),
        ]
        for child in started:
            child.wait_until_says("listening")

    def _mailbox(self, name: str, port: int, folder: Path) -> Child:
        return self._processes.start(name, folder, "-m", "gatepost.demo.mailbox", name, str(port), str(folder))

    def end(self) -> None:
        """Stop everything; raises `Setback` if something does not stop."""
        self.fabrikam.end()
        self._processes.stop()


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _identity(folder: Path) -> Identity:
    return Identity(certificate=folder / "mail.pem", key=folder / "mail.key")


def _environment(columns: int, colour: bool) -> Mapping[str, str]:
    """What the demo's processes and commands see: its own installation, and nobody's configuration."""
    package = Path(gatepost.__file__).parents[1]
    path = [package, *map(Path.absolute, map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONIOENCODING": "utf-8"}
    environment["COLUMNS"] = str(columns)
    for name in ("GATEPOST_CONFIG", "FORCE_COLOR"):
        environment.pop(name, None)
    return environment | ({"FORCE_COLOR": "1"} if colour else {"NO_COLOR": "1"})


def _free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise Setback(f"no {count} free ports from {_PORTS.start} to {_PORTS.stop}")
