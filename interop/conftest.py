"""One Gatepost with two tenants, the outside world, and real peers around it, for all checks of a run."""

import os
import shutil
import smtplib
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / "tests")]

from messages import assert_same, awkward  # noqa: E402
from outside import Outside  # noqa: E402
from peers import BUILD, PeerError, free_port, unpacked  # noqa: E402
from receivers import EximReceiver, PostfixReceiver  # noqa: E402
from relay import Relay  # noqa: E402
from states import Authorities, states  # noqa: E402
from world import World  # noqa: E402

from pki import Issued  # noqa: E402


def pytest_sessionstart() -> None:
    """Debian and root are what it takes. In CI a check that cannot run is a failure. Here, because what is downloaded
    is no part of the time that a check may take."""
    try:
        if os.geteuid() != 0:
            raise PeerError("real peers need a root of their own each: run this as root")
        for name in (
            "postfix",
            "exim",
            "opensmtpd",
            "swaks",
            "prometheus",
            "opendkim",
            "dkimpy",
            "rspamd",
            "knot",
            "unbound",
        ):
            unpacked(name)
    except PeerError as error:
        if os.environ.get("CI") == "true":
            pytest.exit(f"interop: {error}", returncode=1)
        pytest.exit(f"interop: nothing was checked: {error}", returncode=2)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    folder = BUILD / "interop" / f"run-{os.getpid()}"
    folder.mkdir(parents=True)
    authorities = Authorities.made(folder)
    pki = authorities.trusted
    outside = Outside()
    port = free_port()
    relay = Relay(folder / "gatepost")
    server = pki.leaf("relay.example.net")
    relay.configure(
        ports=(port,),
        tls={
            "certificate": server.chain_file,
            "key": server.key_file,
            "client_roots": pki.roots_file,
            "server_roots": pki.roots_file,
        },
    )
    for tenant in ("contoso", "fabrikam"):
        relay.command("tenant", "add", tenant)
        relay.command("domain", "add", tenant, f"{tenant}.com", "--verified")
        name = ("--certificate-name", f"mail.{tenant}.com")
        relay.command("inbound-connector", "add", tenant, "on-premises", *name)
    next_hop = ("--smart-host", f"127.0.0.1:{outside.port}", "--tls", "none")
    relay.command("send-connector", "add", "outside", "--address-space", "*;1", *next_hop)
    relay.start()
    yield World(
        folder=folder,
        states=states(authorities),
        lone_states=states(authorities, by_root=True),
        pki=pki,
        outside=outside,
        relay=relay,
        port=port,
    )
    relay.stop()
    outside.stop()
    if not os.environ.get("KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


class Fabrikam:
    """The second tenant: its server sends a message again and again, whatever goes on with the first."""

    def __init__(self, world: World, certificate: Issued) -> None:
        self._world = world
        self._context = ssl.create_default_context(cafile=str(world.pki.roots_file))
        self._context.check_hostname = False
        self._context.load_cert_chain(certificate.chain_file, certificate.key_file)
        self._ended = threading.Event()
        self._sent = threading.Condition()
        self._last: tuple[str, bytes] | None = None
        self._trouble: Exception | None = None
        threading.Thread(target=self._send_on, daemon=True).start()

    def flows(self) -> None:
        """A message sent from now on is accepted, and arrives."""
        with self._sent:
            self._last = None
            assert self._sent.wait_for(lambda: self._last or self._trouble, timeout=20), "fabrikam's mail stands still"
            assert self._trouble is None, f"fabrikam's mail was not accepted: {self._trouble}"
            assert self._last is not None
            recipient, content = self._last
        assert_same(content, self._world.outside.wait_for(recipient).content)

    def end(self) -> None:
        self._ended.set()

    def _send_on(self) -> None:
        while not self._ended.wait(0.1):
            token = self._world.token("fabrikam")
            recipient, content = f"{token}@outside.example.net", awkward(token)
            try:
                self._send(recipient, content)
            except (OSError, smtplib.SMTPException) as error:
                self._trouble = error
            with self._sent:
                self._last = (recipient, content)
                self._sent.notify_all()

    def _send(self, recipient: str, content: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self._world.port, local_hostname="mail.fabrikam.com", timeout=20) as client:
            client.starttls(context=self._context)
            client.sendmail("bob@fabrikam.com", [recipient], content, mail_options=["BODY=8BITMIME"])


@pytest.fixture(scope="session")
def _fabrikam(world: World) -> Iterator[Fabrikam]:
    fabrikam = Fabrikam(world, world.pki.leaf("mail.fabrikam.com"))
    yield fabrikam
    fabrikam.end()


@pytest.fixture(autouse=True)
def second_tenant(_fabrikam: Fabrikam) -> Iterator[None]:
    yield
    _fabrikam.flows()


@pytest.fixture(scope="session")
def postfix_receiver(world: World) -> Iterator[PostfixReceiver]:
    receiver = PostfixReceiver(world.folder / "postfix-receiver", world.pki, world.outside.port)
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def exim_receiver(world: World) -> Iterator[EximReceiver]:
    receiver = EximReceiver(world.folder / "exim-receiver", world.pki, world.outside.port)
    receiver.start()
    yield receiver
    receiver.stop()
