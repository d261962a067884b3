"""The table `mta_sts.toml`: each situation with real name servers, policy and mail hosts, and all of delivery."""

import time
import tomllib
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import uvloop

from delivery.post_office import LOOPBACK, post_office
from dns_server import DnsServer
from gatepost.delivery import next_hops
from gatepost.delivery.tls_demands import TlsDemands
from gatepost.net.dane import Dane
from gatepost.net.dns import Resolver
from gatepost.net.mta_sts import HttpsFetch, KeptPolicy, MtaSts, PolicyFiles
from gatepost.tenancy.mta_sts import StsMode, StsPolicy
from gatepost.tenancy.tenant import AddressSpace, SendConnector, TlsLevel
from pki import Issued, Pki
from policy_host import PolicyHost
from sink import CLOSE, Sink

SITUATIONS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "mta_sts.toml").read_text())["situation"]
HOST, DOMAIN, POLICY_HOST = "mx.fabrikam.example", "fabrikam.example", "mta-sts.fabrikam.example"
NAMES = [each["name"] for each in SITUATIONS]
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
PATH = "/.well-known/mta-sts.txt"


class Certificates:
    def __init__(self, folder: Path) -> None:
        self.pki = Pki(folder)
        names = ["mx.fabrikam.example", "second.fabrikam.example", POLICY_HOST]
        old = {"not_before": YESTERDAY - timedelta(days=9), "not_after": YESTERDAY}
        self.issued: dict[str, Issued] = {
            "good": self.pki.leaf(HOST, names=names),
            "other-name": self.pki.leaf("other.example"),
            "wildcard": self.pki.leaf("*.fabrikam.example"),
            "expired": self.pki.leaf(HOST, names=names, **old),
            "self-signed": self.pki.self_signed(HOST, names=names),
        }

    def files(self, kind: str) -> tuple[Path, Path]:
        issued = self.issued.get(kind, self.issued["good"])
        return issued.chain_file, issued.key_file


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("pki"))


def mail_host(situation: dict[str, Any], certificates: Certificates) -> Sink:
    kind = situation.get("certificate", "good")
    sink = Sink() if kind == "none" else Sink(certificate=certificates.files(kind))
    if kind == "broken":
        sink.always("STARTTLS", b"220 go\r\n", b"this is no TLS\r\n", CLOSE)
    return sink


def policy_host(situation: dict[str, Any], certificates: Certificates) -> PolicyHost:
    kind = situation.get("host", "good")
    host = PolicyHost(None if kind == "no-tls" else certificates.files(kind))
    host.hangs = kind == "hangs"
    mode, mx = situation.get("mode", "enforce"), situation.get("mx", [HOST])
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {each}" for each in mx), "max_age: 604800", ""]
    text = situation.get("policy", "\n".join(lines))
    if text == "large":
        text = "\n".join(lines) + "x: y\n" * 15_000
    # Where it leads is the same host with the policy, which a client that follows would find.
    more = f"Location: https://{POLICY_HOST}{PATH}\r\n" if situation.get("redirect") else ""
    host.says(text, situation.get("status", 200), situation.get("type", "text/plain; charset=utf-8"), more)
    return host


def fill(dns: DnsServer, situation: dict[str, Any], certificates: Certificates, port: int) -> None:
    dns.add(".", "SOA", "a. b. 1 1 1 1 1")
    dns.add(DOMAIN, "MX", f"10 {HOST}.", *(["20 second.fabrikam.example."] if situation.get("second_mx") else ()))
    for name in (HOST, "second.fabrikam.example"):
        dns.add(name, "A", "127.0.0.1")
    if situation.get("host") != "absent":
        dns.add(POLICY_HOST, "A", situation.get("address", "127.0.0.1"))
    if txt := situation.get("txt", ["v=STSv1; id=1;"]):
        dns.add(f"_mta-sts.{DOMAIN}", "TXT", *(f'"{each}"' for each in txt))
    for name in situation.get("fails", ()):
        dns.fails(name)
    if "tlsa" in situation:
        dns.signs(".")
        kind = situation.get("certificate", "good") if situation["tlsa"] == "match" else "wildcard"
        data = sha256(certificates.issued[kind].der).hexdigest()
        dns.add(f"_{port}._tcp.{HOST}", "TLSA", f"3 0 1 {data}")


def keep(folder: Path, kept: dict[str, Any]) -> None:
    policy = StsPolicy(kept["id"], StsMode(kept["mode"]), kept["max_age"], tuple(kept["mx"]))
    PolicyFiles(folder).put(DOMAIN, KeptPolicy(policy, time.time() - kept["age"]))


def test_there_are_forty_situations_with_names_of_their_own() -> None:
    assert len(set(NAMES)) == len(SITUATIONS) >= 40


@pytest.mark.parametrize("situation", SITUATIONS, ids=NAMES)
def test_what_must_happen_happens(
    situation: dict[str, Any], certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = situation["expect"]
    if "kept" in situation:
        keep(tmp_path / "kept", situation["kept"])

    async def story() -> None:
        async with (
            DnsServer() as dns,
            mail_host(situation, certificates) as sink,
            policy_host(situation, certificates) as host,
        ):
            monkeypatch.setattr(next_hops, "SMTP_PORT", sink.port)
            fill(dns, situation, certificates, sink.port)
            resolver = Resolver([dns.address], validated=True)
            fetch = HttpsFetch(resolver, LOOPBACK.kind_of, certificates.pki.roots_file, host.port)
            within_s = 0.3 if host.hangs else 20.0
            demands = TlsDemands(Dane(resolver), MtaSts(resolver, tmp_path / "kept", fetch, within_s=within_s))
            level = TlsLevel(situation.get("level", "auto"))
            way_out = SendConnector(name="out", address_spaces=(AddressSpace(space="*"),), tls=level)
            how = {"nameserver": dns.address, "tls_demands": demands, "roots": certificates.pki.roots_file}
            async with post_office(tmp_path, way_out, **how) as office:
                await office.send(f"bob@{DOMAIN}")
                await office.until(lambda: office.told.delivered or office.told.deferred)
                assert ("delivered" if office.told.delivered else "deferred") == expected["outcome"]
                if office.told.delivered:
                    outcome = office.told.delivered[0][1]
                    assert (outcome.tls is not None) == expected["tls"] == bool(sink.messages[0].tls)
                    assert expected.get("says", "") in (outcome.tls_policy or "")
                else:
                    assert sink.count == 0
                    assert expected["says"] in office.told.deferred[0][1].why
                assert all(asked == (POLICY_HOST, PATH) for asked in host.asked)
                if "asked" in expected:
                    assert len(host.asked) == expected["asked"]

    uvloop.run(story())
