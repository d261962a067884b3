"""The table `dane.toml`: each situation with a real name server, a real mail host and the whole of delivery."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from delivery.post_office import NoPolicies, post_office
from dns_server import DnsServer
from gatepost.delivery import next_hops
from gatepost.delivery.tls_demands import TlsDemands
from gatepost.net.dane import Dane
from gatepost.net.dns import Resolver
from gatepost.tenancy.tenant import AddressSpace, SendConnector, SmartHost, TlsLevel
from pki import Issued, Pki
from sink import CLOSE, Sink

SITUATIONS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "dane.toml").read_text())["situation"]
HOST, DOMAIN = "mx.fabrikam.example", "fabrikam.example"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


class Certificates:
    """Made once: keys take time."""

    def __init__(self, folder: Path) -> None:
        self.pki = Pki(folder)
        self.issued = {
            "good": self.pki.leaf(HOST),
            "other-name": self.pki.leaf("other.example"),
            "domain-name": self.pki.leaf(DOMAIN),
            "expired": self.pki.leaf(HOST, not_before=YESTERDAY - timedelta(days=9), not_after=YESTERDAY),
            "self-signed": self.pki.self_signed(HOST),
            "next": self.pki.leaf(HOST),
        }
        self.with_root = folder / "with-root.pem"
        good = self.issued["good"]
        self.with_root.write_bytes(good.chain_file.read_bytes() + self.pki.roots_file.read_bytes())

    def files(self, kind: str) -> tuple[Path, Path]:
        good = self.issued["good"]
        if kind == "with-root":
            return self.with_root, good.key_file
        if kind == "without-chain":
            return good.certificate_file, good.key_file
        issued: Issued = self.issued["good" if kind == "broken" else kind]
        return issued.chain_file, issued.key_file

    def octets(self, made_from: str, presented: str) -> bytes:
        if made_from == "leaf":
            presented = presented if presented in self.issued else "good"
            return self.issued[presented].der
        if made_from == "other":
            return self.issued["other-name"].der
        if made_from in ("root", "intermediate"):
            return getattr(self.pki, made_from).der  # type: ignore[no-any-return]
        return self.issued[made_from].der


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("pki"))


def record(text: str, certificates: Certificates, presented: str) -> str:
    usage, selector, matching, made_from = text.split()
    der = certificates.octets(made_from, presented)
    if selector == "1":
        key = x509.load_der_x509_certificate(der).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    data = der if matching == "0" else (sha512 if matching == "2" else sha256)(der).digest()
    return f"{usage} {selector} {matching} {data.hex()}"


def fill(dns: DnsServer, situation: dict[str, Any], certificates: Certificates, port: int) -> None:
    presented = situation.get("certificate", "good")
    dns.add(".", "SOA", "a. b. 1 1 1 1 1")
    if situation.get("validates", True):
        dns.signs(".")
    dns.add(DOMAIN, "MX", f"10 {HOST}.", *(["20 second.example."] if situation.get("second_mx") else ()))
    dns.add("second.example", "A", "127.0.0.1")
    dns.leaves_unsigned("second.example")
    if target := situation.get("cname"):
        dns.add(HOST, "CNAME", f"{target}.")
    dns.add(target or HOST, "A", "127.0.0.1")
    for name in situation.get("tlsa_at", [HOST]):
        if "tlsa" in situation:
            values = [record(each, certificates, presented) for each in situation["tlsa"]]
            dns.add(f"_{port}._tcp.{name}", "TLSA", *values)
    for name in situation.get("unsigned", ()):
        dns.leaves_unsigned(name)
    for name in situation.get("fails", ()):
        dns.fails(f"_{port}._tcp.{HOST}" if name == "TLSA" else name)


def sink_of(situation: dict[str, Any], certificates: Certificates) -> Sink:
    kind = situation.get("certificate", "good")
    sink = Sink() if kind == "none" else Sink(certificate=certificates.files(kind))
    if kind == "broken":
        sink.always("STARTTLS", b"220 go\r\n", b"this is no TLS\r\n", CLOSE)
    return sink


def connector(situation: dict[str, Any], port: int) -> SendConnector:
    hosts = (SmartHost(host=HOST, port=port),) if situation.get("smart_host") else ()
    level = TlsLevel(situation.get("level", "auto"))
    return SendConnector(name="out", address_spaces=(AddressSpace(space="*"),), smart_hosts=hosts, tls=level)


def names() -> Iterator[str]:
    return (each["name"] for each in SITUATIONS)


def test_there_are_forty_situations_with_names_of_their_own() -> None:
    assert len(set(names())) == len(SITUATIONS) >= 40


@pytest.mark.parametrize("situation", SITUATIONS, ids=names())
def test_what_must_happen_happens(
    situation: dict[str, Any], certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with DnsServer() as dns, sink_of(situation, certificates) as sink:
            monkeypatch.setattr(next_hops, "SMTP_PORT", sink.port)
            fill(dns, situation, certificates, sink.port)
            demands = TlsDemands(Dane(Resolver([dns.address], validated=True)), NoPolicies())
            way_out = connector(situation, sink.port)
            async with post_office(tmp_path, way_out, nameserver=dns.address, tls_demands=demands) as office:
                await office.send(f"bob@{DOMAIN}")
                await office.until(lambda: office.told.delivered or office.told.deferred)
                expected = situation["expect"]
                assert ("delivered" if office.told.delivered else "deferred") == expected["outcome"]
                if office.told.delivered:
                    outcome = office.told.delivered[0][1]
                    assert (outcome.tls is not None) == expected["tls"] == bool(sink.messages[0].tls)
                    assert expected.get("says", "") in (outcome.tls_policy or "")
                    assert ("says" in expected) == bool(outcome.tls_policy)
                else:
                    assert sink.count == 0
                    assert expected["says"] in office.told.deferred[0][1].why

    uvloop.run(story())


def test_a_look_up_that_fails_is_waited_for_once_for_all_addresses_of_a_host(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    situation = {"tlsa": ["3 1 1 leaf"], "fails": ["TLSA"], "second_mx": True}

    async def story() -> None:
        async with DnsServer() as dns, sink_of(situation, certificates) as sink:
            monkeypatch.setattr(next_hops, "SMTP_PORT", sink.port)
            fill(dns, situation, certificates, sink.port)
            dns.add(HOST, "A", "127.0.0.2", "127.0.0.3", "127.0.0.4")
            demands = TlsDemands(Dane(Resolver([dns.address], validated=True)), NoPolicies())
            way_out = connector(situation, sink.port)
            async with post_office(tmp_path, way_out, nameserver=dns.address, tls_demands=demands) as office:
                await office.send(f"bob@{DOMAIN}")
                await office.until(lambda: office.told.delivered)
            assert dns.asked.count((f"_{sink.port}._tcp.{HOST}", "TLSA")) == 1

    uvloop.run(story())
