"""What Gatepost signs, other programs verify: every signature of every message, and none of what was changed after."""

import json
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from messages import awkward, large
from peers import BUILD, DIES_WITH_US, free_port
from verifiers import VERIFIERS, Records, Rspamd, Verifier, strings
from world import World

from pki import Issued

DOMAIN = "signed.contoso.com"
KEYS = {"r2": "rsa2048", "r4": "rsa4096", "ed": "ed25519"}
DNS_SERVER = Path(__file__).resolve().parent.parent / "tests" / "dns_server.py"

AUTHORS = {
    "plain": b"alice@signed.contoso.com",
    "named": b'"Alice, of Contoso" <alice@signed.contoso.com>',
    "below": b"Alice <alice@mail.signed.contoso.com>",
}


@pytest.fixture(scope="module")
def records(world: World) -> Iterator[Records]:
    """contoso signs with an RSA and an Ed25519 key. Activation asks DNS, so a name server shows the records."""
    relay, port = world.relay, free_port()
    relay.command("domain", "add", "contoso", DOMAIN, "--verified")
    made = {}
    for selector, algorithm in KEYS.items():
        key = json.loads(
            relay.command("dkim", "add", "contoso", DOMAIN, "--selector", selector, "--algorithm", algorithm, "--json")
        )
        made[key["record"]["name"]] = key["record"]["value"]
    zone = world.folder / "zone"
    zone.write_text("".join(f"{name} TXT {strings(text)}\n" for name, text in made.items()))
    command = [*DIES_WITH_US, sys.executable, str(DNS_SERVER), "--port", str(port), "--zone", str(zone)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert server.stdout is not None and server.stdout.readline()
    config = relay.folder / "gatepost.toml"
    before = config.read_text()
    config.write_text(f'{before}[dns]\nnameservers = ["127.0.0.1:{port}"]\n')
    for selector in ("r2", "ed"):
        relay.command("dkim", "activate", "contoso", DOMAIN, "--selector", selector)
    config.write_text(before)
    yield made
    server.kill()
    server.wait()


@pytest.fixture(scope="module", params=VERIFIERS)
def verifier(request: pytest.FixtureRequest, world: World, records: Records) -> Iterator[Verifier]:
    folder = BUILD / "interop" / f"verifier-{request.param}"
    (folder / "mail").mkdir(parents=True, exist_ok=True)
    made = VERIFIERS[request.param](folder, records)
    yield made
    made.stop()


@pytest.mark.parametrize("make", [awkward, large])
@pytest.mark.parametrize("author", AUTHORS)
def test_another_program_verifies_what_we_sign(world: World, verifier: Verifier, author: str, make) -> None:  # type: ignore[no-untyped-def]
    content = make(world.token("signed"))
    if isinstance(verifier, Rspamd):
        # It takes a form feed for white space; RFC 6376 2.8 knows space and tab alone, and so do the others.
        content = content.replace(b"\x0c", b"")
    message = _arrived(world, "mail.contoso.com", _by(AUTHORS[author], content))
    assert verifier.verdicts(message) == {f"{DOMAIN}/r2": True, f"{DOMAIN}/ed": True}
    hop = b"Received: from elsewhere.example by here.example; Thu, 01 Jan 2026 12:00:01 +0000\r\n"
    assert all(verifier.verdicts(hop + message).values())
    for changed in (
        message.replace(b"trailing space", b"trailing spade"),
        message.replace(b"\r\nSubject:", b"\r\nFrom: mallory@evil.example\r\nSubject:"),
    ):
        assert changed != message and not any(verifier.verdicts(changed).values())


def test_another_tenants_server_gets_no_signature_in_that_name(world: World, records: Records) -> None:
    forged = _by(AUTHORS["plain"], awkward(world.token("forged")))
    assert b"DKIM-Signature" not in _arrived(world, "mail.fabrikam.com", forged)


def _by(author: bytes, content: bytes) -> bytes:
    return content.replace(b"Alice <alice@contoso.com>", author, 1)


def _arrived(world: World, server: str, content: bytes) -> bytes:
    recipient = f"{world.token('dkim')}@outside.example.net"
    certificate: Issued = world.pki.leaf(server)
    context = ssl.create_default_context(cafile=str(world.pki.roots_file))
    context.check_hostname = False
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    with smtplib.SMTP("127.0.0.1", world.port, local_hostname=server, timeout=20) as client:
        client.starttls(context=context)
        sender = f"alice@{server.partition('.')[2]}"
        client.sendmail(sender, [recipient], content, mail_options=["BODY=8BITMIME"])
    return world.outside.wait_for(recipient).content
