"""evil pins, lists and names everything, and routes everything: two hundred real sessions, and what its next hop gets.

The directory holds every way in which a server may be known; each session is a server of one owner with a real
certificate, its own or a forwarded envelope sender, and a recipient of somebody. A next hop of a tenant may get what
the tenant's own servers send, what bears its domain from a server that it shares, and what is for its own domain.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, Certificates
from end_to_end.smtp_client import SmtpClient
from gatepost.app import open_editor
from pki import Issued, Pki
from sink import Sink

SESSIONS = 200
DOMAIN_OF = {"contoso": "contoso.com", "fabrikam": "fabrikam.com", "evil": "evil.example"}
FOREIGN = "woodgrove.example"
ADDRESS_OF = {"contoso": "127.0.1.1", "fabrikam": "127.0.2.1", "evil": "127.0.66.1", "provider": "127.0.77.1"}


class Stage:
    def __init__(self, relay: Installation, outside: Outside, certificates: Certificates, own: Pki) -> None:
        self.relay = relay
        self.hops: dict[str, Sink] = {name: outside.sink() for name in (*DOMAIN_OF, "internet")}
        pki = certificates.pki
        self.shown: dict[str, list[Issued | None]] = {
            "contoso": [pki.leaf("mail.contoso.com"), own.leaf("app.contoso.com"), None],
            "fabrikam": [pki.self_signed("mail.fabrikam.com"), own.self_signed("old.fabrikam.com"), None],
            "evil": [pki.leaf("mail.evil.example"), own.self_signed("box.evil.example"), None],
            "provider": [pki.leaf("out.provider.example"), own.self_signed("mx.provider.example")],
        }
        self.own = own
        self._furnish()

    def _furnish(self) -> None:
        relay = self.relay
        relay.init()
        for tenant, domain in DOMAIN_OF.items():
            relay("tenant", "add", tenant)
            relay("domain", "add", tenant, domain, "--verified")
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{self.hops['internet'].port}")
        for tenant, domain in DOMAIN_OF.items():
            host = f"127.0.0.1:{self.hops[tenant].port}"
            spaces = ["*", domain] if tenant != "evil" else ["*", *DOMAIN_OF.values()]
            options = [option for space in spaces for option in ("--address-space", space)]
            relay("send-connector", "add", f"{tenant}-all", "--tenant", tenant, *options, "--smart-host", host)
        add = ("inbound-connector", "add")
        relay(*add, "contoso", "name", "--certificate-name", "mail.contoso.com")
        anchor = ("--trust-anchor", str(self.own.roots_file))
        relay(*add, "contoso", "own-ca", "--certificate-name", "*.contoso.com", *anchor)
        relay(*add, "fabrikam", "address", "--address", f"{ADDRESS_OF['fabrikam']}/32")
        every = [each for shown in self.shown.values() for each in shown if each]
        pins = [option for each in every for option in ("--certificate-sha256", each.sha256)]
        relay(*add, "evil", "pins", *pins)
        relay(*add, "evil", "name", "--certificate-name", "mail.evil.example")
        addresses = [option for each in ADDRESS_OF.values() for option in ("--address", f"{each}/32")]
        relay(*add, "evil", "addresses", *addresses)
        relay(*add, "evil", "theirs", "--certificate-name", "mail.contoso.com", "--disabled")

    def enrol_what_can_be(self) -> set[str]:
        """evil tries each certificate from each owner's server; only its own server says the EHLO name."""
        proven = set()
        for owner, shown in self.shown.items():
            for certificate in filter(None, shown):
                made = self.relay.told("enroll", "evil")
                ehlo = made["ehlo"] if owner == "evil" else f"mail.{owner}.example"
                with SmtpClient(self.relay.port, source=ADDRESS_OF[owner], ehlo=ehlo) as smtp:
                    smtp.starttls(certificate)
                    if smtp.message("me@evil.example", made["address"], MESSAGE).code == 250:
                        proven.add(certificate.name)
                # So that not too many wait at once.
                if owner != "evil":
                    self._use_up(made)
        return proven

    def _use_up(self, made: dict[str, str]) -> None:
        editor = open_editor(self.relay.settings)
        one_time_address = editor.one_time_address(made["id"])
        assert one_time_address is not None and one_time_address.seen is None, "nothing came of it"
        editor.keep_one_time_address(replace(one_time_address, seen={"session_id": ""}))
        editor.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, outside: Outside, certificates: Certificates) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    relay = Installation(folder / "relay", client_roots=certificates.pki.roots_file)
    stage = Stage(relay, outside, certificates, Pki(folder / "own", name="Contoso own"))
    with relay.serving():
        yield stage


@pytest.mark.attack
def test_no_tenants_next_hop_gets_what_is_nothing_to_it(stage: Stage) -> None:
    assert stage.enrol_what_can_be() <= {"box.evil.example"}
    chance = random.Random("capture over sockets")
    sent: dict[str, tuple[str, str, str]] = {}
    for number in range(SESSIONS):
        owner = chance.choice(list(stage.shown))
        certificate = chance.choice(stage.shown[owner])
        sender = chance.choice(["", *DOMAIN_OF.values(), FOREIGN])
        recipient = chance.choice([*DOMAIN_OF.values(), FOREIGN])
        to = f"r{number}@{recipient}"
        with SmtpClient(stage.relay.port, source=ADDRESS_OF[owner], ehlo=f"mail.{owner}.example") as smtp:
            if certificate:
                smtp.starttls(certificate)
            else:
                smtp.ehlo()
            answer = smtp.message(f"s@{sender}" if sender else "", to, MESSAGE)
        if answer.code == 250:
            sent[to] = (owner, sender, recipient)
        else:
            assert "5.7.64" in answer.text or "5.7.51" in answer.text, answer.text
    assert len(sent) > SESSIONS // 4
    got: dict[str, str] = {}

    def all_there() -> bool:
        for name, hop in stage.hops.items():
            got.update({to: name for message in tuple(hop.messages) for to in message.recipients})
        return set(sent) <= set(got)

    wait_until(all_there, lambda: f"mail that came nowhere: {sorted(set(sent) - set(got))[:5]}")
    for to, hop in got.items():
        if hop == "internet" or to not in sent:
            continue
        owner, sender, recipient = sent[to]
        what = f"{hop} gets mail of {owner}'s server from <{sender}> to {recipient}"
        hosted = next((name for name, domain in DOMAIN_OF.items() if domain == recipient), None)
        if hosted:
            assert hop == hosted, what
        else:
            assert hop == owner or DOMAIN_OF[hop] == sender, what
