"""`gatepost tls-policy` with a real name server and a real mail host."""

import asyncio
from hashlib import sha256
from pathlib import Path

import pytest

from dns_server import DnsServer
from gatepost import config as configuration
from gatepost.admin.sessions.tls_policy import TlsPolicyShown
from gatepost.app.tls_policy import _ask
from gatepost.delivery import next_hops
from gatepost.tenancy.tenant import AddressSpace, SendConnector, TlsLevel
from pki import Issued, Pki
from sink import Sink

HOST, DOMAIN = "mx.fabrikam.example", "fabrikam.example"
AUTO = SendConnector(name="out", address_spaces=(AddressSpace(space="*"),), tls=TlsLevel.AUTO)
TOML = """
hostname = "relay.example.net"
[[listener]]
address = "127.0.0.1:2525"
[delivery]
allow_internal = ["127.0.0.0/8"]
[dns]
nameservers = ["{address}"]
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


def look(
    folder: Path, monkeypatch: pytest.MonkeyPatch, presented: Issued, published: Issued | None, *, live: bool
) -> tuple[TlsPolicyShown, Sink]:
    async def story() -> tuple[TlsPolicyShown, Sink]:
        files = (presented.chain_file, presented.key_file)
        async with DnsServer() as dns, Sink(certificate=files) as sink:
            monkeypatch.setattr(next_hops, "SMTP_PORT", sink.port)
            dns.signs(".")
            dns.add(".", "SOA", "a. b. 1 1 1 1 1")
            dns.add(DOMAIN, "MX", f"10 {HOST}.")
            dns.add(HOST, "A", "127.0.0.1")
            if published:
                dns.add(f"_{sink.port}._tcp.{HOST}", "TLSA", f"3 0 1 {sha256(published.der).hexdigest()}")
            config = configuration.parse(folder / "gatepost.toml", TOML.format(address=dns.address))
            return await _ask(config, AUTO, DOMAIN, live), sink

    return asyncio.run(story())


def test_without_live_nobody_is_connected_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pki: Pki) -> None:
    leaf = pki.leaf(HOST)
    shown, sink = look(tmp_path, monkeypatch, leaf, leaf, live=False)
    assert (shown.level, shown.source) == ("dane", "dane")
    (hop,) = shown.next_hops
    assert (hop.tlsa, hop.seen, hop.blocked) == (("3 0 1",), None, False)
    assert sink.sessions == 0


def test_live_shows_what_the_host_presents_and_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pki: Pki
) -> None:
    leaf, other = pki.leaf(HOST), pki.leaf("other.example")
    shown, sink = look(tmp_path, monkeypatch, leaf, leaf, live=True)
    seen = shown.next_hops[0].seen
    assert seen is not None and seen.takes_mail
    assert (seen.tls, seen.code) == ("TLSv1.3", "dane-matched")
    assert sink.commands[-1] == "QUIT" and not any(each.startswith("MAIL") for each in sink.commands)

    shown, _ = look(tmp_path, monkeypatch, leaf, other, live=True)
    seen = shown.next_hops[0].seen
    assert seen is not None and not seen.takes_mail
    assert "matches none of the TLSA records" in seen.says
    assert not shown.takes_mail


def test_a_domain_that_asks_for_nothing_is_opportunistic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pki: Pki
) -> None:
    shown, _ = look(tmp_path, monkeypatch, pki.leaf(HOST), None, live=True)
    assert (shown.level, shown.source) == ("opportunistic", "opportunistic")
    assert [step.code for step in shown.because] == ["dane-no-records", "mta-sts-none", "opportunistic"]
    assert shown.next_hops[0].seen is not None and shown.next_hops[0].seen.code == "encrypted"
