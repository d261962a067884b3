"""evil proves a certificate that is not its own, and takes the mail of whoever presents it.

What worked: evil has its own mail come in over another's session (from a mailbox at a provider whose servers share one
certificate, or by a forward that keeps the envelope sender) to its enrolment address; the certificate of that session
was proven to be evil's, and later mail in such sessions went to evil's next hop.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import MESSAGE, Certificates, until_known
from end_to_end.smtp_client import SmtpClient
from pki import Issued, Pki
from sink import Sink

CONTOSO_ADDRESS = "127.0.1.1"
EVIL_ADDRESS = "127.0.66.1"
PROVIDER_ADDRESS = "127.0.77.1"


class Scene:
    """contoso, known in one of several ways; evil, who takes everything it gets to its own smart host."""

    def __init__(self, relay: Installation, outside: Outside, certificates: Certificates, own: Pki) -> None:
        self.relay = relay
        self.certificates = certificates
        self.own = own
        self.home, self.evil, self.internet = outside.sink(), outside.sink(), outside.sink()
        for tenant in {each["name"] for each in relay.told("tenant", "list")} - {"witness"}:
            relay("tenant", "remove", tenant, "--yes")
        for tenant, domain in (("contoso", "contoso.com"), ("evil", "evil.example"), ("fabrikam", "fabrikam.com")):
            relay("tenant", "add", tenant)
            relay("domain", "add", tenant, domain, "--verified")
        relay("inbound-connector", "add", "fabrikam", "mail", "--certificate-name", "*.fabrikam.com")
        relay("send-connector", "set", "internet", "--smart-host", host(self.internet))
        self.route("home", "contoso", "contoso.com", self.home)
        self.route("all", "evil", "*", self.evil)
        until_known(relay)

    def route(self, name: str, tenant: str, space: str, sink: Sink) -> None:
        space_and_host = ("--address-space", space, "--smart-host", host(sink))
        self.relay("send-connector", "add", name, "--tenant", tenant, *space_and_host)

    def pin(self, certificate: Issued) -> None:
        """What evil writes down beforehand."""
        pins = ("--certificate-sha256", certificate.sha256, "--public-key-sha256", certificate.public_key_sha256)
        self.relay("inbound-connector", "add", "evil", "theirs", *pins)

    def says(self, certificate: Issued, source: str, mail_from: str, to: str, ehlo: str = "mail.test") -> str:
        with SmtpClient(self.relay.port, source=source, ehlo=ehlo) as smtp:
            smtp.starttls(certificate)
            return smtp.message(mail_from, to, MESSAGE).text


def host(sink: Sink) -> str:
    return f"127.0.0.1:{sink.port}"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    relay = Installation(tmp_path_factory.mktemp("relay"), client_roots=certificates.pki.roots_file, workers=1)
    relay.init()
    with relay.serving():
        yield relay


@pytest.fixture
def scene(relay: Installation, outside: Outside, certificates: Certificates, tmp_path: Path) -> Scene:
    return Scene(relay, outside, certificates, Pki(tmp_path, name="Contoso own"))


def test_a_provider_that_shares_one_certificate_keeps_everybodys_incoming_mail(scene: Scene) -> None:
    """evil writes from its mailbox at the provider to its enrolment address."""
    provider = scene.certificates.pki.leaf("out.provider.example")
    scene.pin(provider)
    made = scene.relay.told("enroll", "evil")
    for ehlo in ("out.provider.example", made["ehlo"]):
        said = scene.says(provider, PROVIDER_ADDRESS, "me@evil.example", made["address"], ehlo)
        assert said.startswith(("550 5.7.1 enrolment-ehlo", "550 5.7.1 enrolment-public-certificate")), said
    assert scene.relay.told("proof", "list") == []
    said = scene.says(provider, PROVIDER_ADDRESS, "partner@woodgrove.example", "ceo@contoso.com")
    assert said.startswith("250"), said
    taken(scene.home, to="ceo@contoso.com")
    assert scene.evil.count == 0


def test_who_reads_the_ehlo_name_in_a_received_field_does_not_know_the_address(scene: Scene) -> None:
    """contoso sets the EHLO name; its server sends other mail meanwhile. evil would be first, with a key of its own."""
    made = scene.relay.told("enroll", "contoso")
    read = made["ehlo"].partition(".")[0]
    assert read not in made["address"]
    guessed = f"enrolment-{read}@{made['address'].partition('@')[2]}"
    evils = scene.own.self_signed("mail.contoso.com")
    said = scene.says(evils, EVIL_ADDRESS, "ann@contoso.com", guessed, made["ehlo"])
    assert said.startswith("550"), said
    assert scene.relay.told("proof", "list") == []
    honest = scene.own.self_signed("own.contoso.com")
    assert scene.says(honest, CONTOSO_ADDRESS, "ann@contoso.com", made["address"], made["ehlo"]).startswith("250")


KNOWN_BY = {
    "address": ("--address", f"{CONTOSO_ADDRESS}/32"),
    "own authority and wildcard": ("--certificate-name", "*.contoso.com", "--trust-anchor", "ROOT"),
    "own authority and exact name": ("--certificate-name", "mail.contoso.com", "--trust-anchor", "ROOT"),
    "unproven pin": ("--certificate-sha256", "SHA256"),
}


@pytest.mark.parametrize("disabled", [False, True], ids=["enabled", "disabled"])
@pytest.mark.parametrize("known_by", KNOWN_BY)
def test_a_forward_that_keeps_the_envelope_sender_proves_nothing(scene: Scene, known_by: str, disabled: bool) -> None:
    """contoso's server forwards evil's message to evil's enrolment address; even its EHLO name is taken for granted."""
    server = scene.own.leaf("mail.contoso.com")
    said_of = {"ROOT": str(scene.own.roots_file), "SHA256": server.sha256}
    options = [said_of.get(each, each) for each in KNOWN_BY[known_by]]
    scene.relay("inbound-connector", "add", "contoso", "server", *options, *(["--disabled"] if disabled else []))
    scene.pin(server)
    made = scene.relay.told("enroll", "evil")
    said = scene.says(server, CONTOSO_ADDRESS, "me@evil.example", made["address"])
    assert said.startswith("550 5.7.1 enrolment-ehlo"), said
    said = scene.says(server, CONTOSO_ADDRESS, "me@evil.example", made["address"], made["ehlo"])
    assert said.startswith("550 5.7.1 enrolment-claimed"), said
    assert "contoso" not in said.replace("Contoso own", "") and scene.relay.told("proof", "list") == []
    refused = wait_until(
        lambda: (
            (r := scene.relay.told("enroll", "evil", "--show", expect=1)["refused"])
            and r["code"] == "enrolment-claimed"
            and r
        ),
        "the refusal to be noted",
    )
    assert refused["claimed_by"] == ["contoso"], "the operator reads whose it is"
    foretold = scene.relay.told("forecast")["prospects"]
    assert "enrolment-refused" in {each["code"] for each in foretold}
    # contoso's own mail goes where it went, and none of it to evil.
    scene.says(server, CONTOSO_ADDRESS, "ann@contoso.com", "x@outside.example")
    scene.says(server, CONTOSO_ADDRESS, "", "y@outside.example")
    scene.says(server, CONTOSO_ADDRESS, "partner@woodgrove.example", "ceo@contoso.com")
    taken(scene.home, to="ceo@contoso.com")
    assert scene.evil.count == 0


def test_a_proof_made_by_a_message_alone_counts_no_more(scene: Scene) -> None:
    """evil made its proof while that was enough; the directory still holds it."""
    from datetime import UTC, datetime

    from gatepost.app import open_editor
    from gatepost.tenancy.proof import Proof, ProvenBy

    server = scene.own.self_signed("mail.contoso.com")
    scene.pin(server)
    editor = open_editor(scene.relay.settings)
    proof = Proof(
        tenant="evil",
        certificate_sha256=server.sha256,
        public_key_sha256=server.public_key_sha256,
        at=datetime.now(UTC),
        session_id="0" * 16,
        address=CONTOSO_ADDRESS,
        by=ProvenBy.MESSAGE,
    )
    editor.put_proof(proof)
    editor.close()
    listed = scene.relay.told("proof", "list", "evil")
    assert {each["state"] for each in listed} == {"made-by-message"}
    assert scene.relay.told("inbound-connector", "show", "evil", "theirs")["proven_pins"] == []
    assert "proof-does-not-count" in {each["code"] for each in scene.relay.told("forecast")["prospects"]}
    said = scene.says(server, CONTOSO_ADDRESS, "", "x@outside.example")
    assert said.startswith("550 5.7.64"), said
    assert scene.evil.count == 0


def test_an_honest_proof_takes_no_mail_that_bears_anothers_domain(scene: Scene) -> None:
    """evil's own server, proven; it serves contoso too, as a hoster's does, with the same certificate."""
    shared = scene.own.self_signed("mx.hoster.example")
    scene.pin(shared)
    made = scene.relay.told("enroll", "evil")
    assert scene.says(shared, EVIL_ADDRESS, "me@evil.example", made["address"], made["ehlo"]).startswith("250")
    wait_until(
        lambda: scene.says(shared, EVIL_ADDRESS, "", "bounce@outside.example").startswith("250"), "the proof to be live"
    )
    taken(scene.evil, to="bounce@outside.example")
    assert scene.says(shared, EVIL_ADDRESS, "partner@woodgrove.example", "ceo@contoso.com").startswith("250")
    taken(scene.home, to="ceo@contoso.com")
    assert scene.says(shared, EVIL_ADDRESS, "ann@contoso.com", "z@outside.example").startswith("550 5.7.64")
    assert scene.says(shared, EVIL_ADDRESS, "me@evil.example", "cfo@contoso.com").startswith("250")
    taken(scene.home, to="cfo@contoso.com")
    recipients = {each for message in scene.evil.messages for each in message.recipients}
    assert not any(each.endswith("@contoso.com") for each in recipients)
