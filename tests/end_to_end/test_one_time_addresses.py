"""Rehearsals and enrolments, over real sessions: what is seen, what it proves, and what a stranger cannot win."""

from collections.abc import Iterator
from typing import Any

import pytest

from end_to_end.api_client import Api, code_of, token_for
from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, Certificates, fabrikam_relays
from end_to_end.smtp_client import SmtpClient
from pki import Issued

REHEARSALS = "/v1/tenants/contoso/rehearsals"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Installation]:
    relay = Installation(
        tmp_path_factory.mktemp("relay"),
        client_roots=certificates.pki.roots_file,
        listeners={"main": "", "late": 'refuse_at = "end-of-data"'},
        api=True,
    )
    relay.init()
    for tenant in ("contoso", "fabrikam"):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
    relay("inbound-connector", "add", "contoso", "mail", "--certificate-name", "mail.contoso.com")
    relay("inbound-connector", "add", "fabrikam", "wild", "--certificate-name", "*.fabrikam.com")
    with Outside() as outside:
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{outside.sink().port}")
        with relay.serving():
            yield relay


def name_it(
    relay: Installation, address: str, certificate: Issued | None, mail_from: str = "", listener: str = "main"
) -> str:
    """A session that names `address` and then tries to send content; the reply to RCPT."""
    with SmtpClient(relay.port_of(listener), source="127.0.7.7") as smtp:
        if certificate:
            smtp.starttls(certificate)
        else:
            smtp.ehlo()
        smtp.command(f"MAIL FROM:<{mail_from}>")
        said = smtp.command(f"RCPT TO:<{address}>").text
        assert smtp.command("DATA").code == 554
        return said


def seen(api: Api, path: str) -> Any:
    return wait_until(lambda: (found := api.get(path).json())["state"] == "seen" and found, "the session to be seen")


class TestRehearsal:
    @pytest.mark.parametrize("listener", ["main", "late"])
    def test_the_relay_tells_what_it_saw_and_what_it_would_decide(
        self, relay: Installation, contoso: Api, certificates: Certificates, listener: str
    ) -> None:
        made = contoso.post(REHEARSALS, json={})
        assert made.status_code == 201 and made.json()["state"] == "waiting"
        said = name_it(relay, made.json()["address"], certificates.contoso, listener=listener)
        assert said.startswith("554 5.7.1 rehearsal-seen ")
        found = seen(contoso, f"{REHEARSALS}/{made.json()['id']}")
        assert found["seen"]["address"] == "127.0.7.7" and found["seen"]["ehlo"] == "mail.test"
        certificate = found["seen"]["tls"]["certificate"]
        assert certificate["verified"] and certificate["names"] == ["mail.contoso.com"]
        assert certificate["chain"][0]["sha256"] == certificates.contoso.sha256
        assert len(certificate["chain"]) == 2, "the chain as it was sent"
        verdicts = {each["mail_from"]: each["outcome"] for each in found["verdicts"]}
        assert verdicts == {"postmaster@contoso.com": "relay", "": "relay", "someone@foreign.example": "relay"}

    def test_a_next_certificate_that_would_be_refused_is_told_before_it_is_used(
        self, relay: Installation, contoso: Api, certificates: Certificates
    ) -> None:
        next_certificate = certificates.pki.leaf("smtp2.contoso.com")
        envelopes = [{"mail_from": "ann@contoso.com", "rcpt_to": "x@outside.example"}]
        made = contoso.post(REHEARSALS, json={"envelopes": envelopes}).json()
        name_it(relay, made["address"], next_certificate, mail_from="ann@contoso.com")
        (verdict,) = seen(contoso, f"{REHEARSALS}/{made['id']}")["verdicts"]
        assert verdict["outcome"] == "refused"
        assert "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-name-matches" in verdict["reply"]
        path = "/v1/tenants/contoso/inbound-connectors/next"
        contoso.put(path, json={"certificate_names": ["smtp2.contoso.com"]})
        (verdict,) = contoso.get(f"{REHEARSALS}/{made['id']}").json()["verdicts"]
        assert (verdict["outcome"], verdict["connector"]) == ("relay", "next"), "without a second session"
        contoso.delete(path)

    def test_without_tls_that_is_what_is_seen(self, relay: Installation, contoso: Api) -> None:
        made = contoso.post(REHEARSALS, json={}).json()
        name_it(relay, made["address"], None)
        found = seen(contoso, f"{REHEARSALS}/{made['id']}")
        assert found["seen"]["tls"] is None and {each["outcome"] for each in found["verdicts"]} == {"refused"}

    def test_an_address_is_good_once_and_a_guess_is_not(
        self, relay: Installation, contoso: Api, certificates: Certificates
    ) -> None:
        made = contoso.post(REHEARSALS, json={}).json()
        assert "rehearsal-seen" in name_it(relay, made["address"], certificates.contoso)
        first = seen(contoso, f"{REHEARSALS}/{made['id']}")["seen"]["session_id"]
        again = name_it(relay, made["address"], certificates.fabrikam)
        guess = name_it(relay, f"rehearsal-{'a' * 32}@relay.example.net", certificates.contoso)
        assert again == guess and again.startswith("550 5.1.1 one-time-address ")
        assert contoso.get(f"{REHEARSALS}/{made['id']}").json()["seen"]["session_id"] == first

    def test_nothing_is_changed_by_a_rehearsal(
        self, relay: Installation, contoso: Api, certificates: Certificates
    ) -> None:
        made = contoso.post(REHEARSALS, json={}).json()
        before = relay.told("audit", "list")[0]["version"]
        name_it(relay, made["address"], certificates.self_signed)
        seen(contoso, f"{REHEARSALS}/{made['id']}")
        assert relay.told("audit", "list")[0]["version"] == before
        assert relay.told("queue", "list")["recipients"] == 0
        fabrikam_relays(relay, certificates)

    def test_it_is_the_tenants_own(self, contoso: Api, fabrikam: Api) -> None:
        made = contoso.post(REHEARSALS, json={}).json()
        theirs = fabrikam.get(f"/v1/tenants/fabrikam/rehearsals/{made['id']}")
        absent = fabrikam.get(f"/v1/tenants/fabrikam/rehearsals/{'0' * 16}")
        assert theirs.status_code == absent.status_code == 404
        assert fabrikam.get(f"{REHEARSALS}/{made['id']}").status_code == 404

    def test_no_verdict_names_another_tenant(
        self, relay: Installation, fabrikam: Api, certificates: Certificates
    ) -> None:
        made = fabrikam.post("/v1/tenants/fabrikam/rehearsals", json={}).json()
        name_it(relay, made["address"], certificates.contoso)
        found = seen(fabrikam, f"/v1/tenants/fabrikam/rehearsals/{made['id']}")
        assert {(each["outcome"], each["tenant"]) for each in found["verdicts"]} == {("relay", None)}
        assert '"contoso' not in str(found["verdicts"]).replace("'", '"') and "contoso/" not in str(found["verdicts"])

    def test_a_tenant_has_so_many_at_once(self, relay: Installation) -> None:
        relay("tenant", "add", "eager")
        with Api(relay, token_for(relay, "--tenant", "eager")) as api:
            answers = [api.post("/v1/tenants/eager/rehearsals", json={}) for _ in range(21)]
        assert {answer.status_code for answer in answers[:20]} == {201}
        assert (answers[20].status_code, code_of(answers[20])) == (409, "limit-reached")


class TestEnrolment:
    def test_one_message_proves_the_key_and_the_pin_counts_fully(
        self, relay: Installation, certificates: Certificates
    ) -> None:
        relay("tenant", "add", "tailspin")
        relay("domain", "add", "tailspin", "tailspin.com", "--verified")
        pin = ("--certificate-sha256", certificates.pinned.sha256)
        relay("inbound-connector", "add", "tailspin", "pinned", *pin)
        assert self.relays(relay, certificates.pinned).startswith("550 5.7.64")
        relay("enroll", "tailspin", "--show", expect=1)
        enrolment = relay.told("enroll", "tailspin")
        assert enrolment["ehlo"].endswith(".tailspin.com") and set(enrolment["how"]) == {"postfix", "exchange", "swaks"}
        assert all(enrolment["ehlo"] in command for command in enrolment["how"].values())
        # Without the token in the EHLO name the message proves nothing, and may be sent again.
        said = self.enrol(relay, enrolment["address"], certificates.pinned, "it@tailspin.com")
        assert said.startswith("550 5.7.1 enrolment-ehlo ") and "'mail.test'" in said
        refused = wait_until(
            lambda: relay.told("enroll", "tailspin", "--show", expect=1)["refused"], "the refusal to be noted"
        )
        assert (refused["code"], refused["address"]) == ("enrolment-ehlo", "127.0.7.7")
        assert "enrolment-ehlo" in relay("enroll", "tailspin", "--show", expect=1)
        said = self.enrol(relay, enrolment["address"], certificates.pinned, "it@tailspin.com", enrolment["ehlo"])
        assert said.startswith("250 2.6.0")
        shown = relay.told("enroll", "tailspin", "--show")
        assert shown["seen"]["address"] == "127.0.7.7"
        assert certificates.pinned.sha256 in shown["proved"]
        assert relay.told("inbound-connector", "show", "tailspin", "pinned")["proven_pins"] == [
            certificates.pinned.sha256
        ]
        wait_until(lambda: self.relays(relay, certificates.pinned).startswith("250"), "the proof to be live")
        assert shown["proposal"]["command"].startswith("gatepost inbound-connector add tailspin enrolled --public-key-")
        relay(*shown["proposal"]["command"].split()[1:])
        assert relay.told("inbound-connector", "show", "tailspin", "enrolled")["proven_pins"]
        proofs = relay.told("audit", "list", "pin tailspin/")
        assert {entry["who"] for entry in proofs} == {f"enrolment {enrolment['id']}"}
        assert proofs[0]["after"]["session_id"] == shown["seen"]["session_id"]
        assert relay.told("queue", "list")["recipients"] == 0, "the message goes nowhere"

    def test_a_proof_is_listed_and_can_be_taken_back(self, relay: Installation, certificates: Certificates) -> None:
        relay("tenant", "add", "wingtip")
        relay("domain", "add", "wingtip", "wingtip.com", "--verified")
        own = certificates.pki.self_signed("mail.wingtip.com")
        relay("inbound-connector", "add", "wingtip", "pinned", "--certificate-sha256", own.sha256)
        enrolment = relay.told("enroll", "wingtip")
        self.enrol(relay, enrolment["address"], own, "it@wingtip.com", enrolment["ehlo"])
        listed = relay.told("proof", "list", "wingtip")
        assert {each["pin"] for each in listed} == {own.sha256, own.public_key_sha256}
        assert {(each["state"], each["by"], each["ehlo"]) for each in listed} == {("counts", "ehlo", enrolment["ehlo"])}
        assert listed[0]["ends_at"] == own.certificate.not_valid_after_utc.isoformat().replace("+00:00", "Z")
        wait_until(lambda: self.relays(relay, own).startswith("250"), "the proof to be live")
        with Api(relay, token_for(relay, "--tenant", "wingtip")) as api:
            items = api.get("/v1/tenants/wingtip/proofs").json()["items"]
            assert {each["pin"] for each in items} == {own.sha256, own.public_key_sha256}
            assert api.delete(f"/v1/tenants/wingtip/proofs/{own.sha256}").status_code == 204
            assert api.delete(f"/v1/tenants/wingtip/proofs/{own.sha256}").status_code == 404
        relay("proof", "remove", "wingtip", own.public_key_sha256)
        assert relay.told("proof", "list", "wingtip") == []
        wait_until(lambda: self.relays(relay, own).startswith("550 5.7.64"), "the proof to be gone")
        assert [each["action"] for each in relay.told("audit", "list", "pin wingtip/")][:2] == ["take-back"] * 2

    def test_of_a_public_certificate_the_name_is_offered(
        self, relay: Installation, contoso: Api, certificates: Certificates
    ) -> None:
        made = contoso.post("/v1/tenants/contoso/enrolments").json()
        said = self.enrol(relay, made["address"], certificates.contoso, "it@contoso.com", made["ehlo"])
        assert said.startswith("550 5.7.1 enrolment-public-certificate The certificate mail.contoso.com ")
        assert "--certificate-name mail.contoso.com" in said
        found = wait_until(
            lambda: (now := contoso.get(f"/v1/tenants/contoso/enrolments/{made['id']}").json())["refused"] and now,
            "the refusal to be noted",
        )
        assert found["state"] == "waiting" and found["proved"] == []
        assert found["refused"]["code"] == "enrolment-public-certificate"
        assert "claimed_by" not in found["refused"] or found["refused"]["claimed_by"] is None
        assert found["proposal"]["connector"] == {"certificate_names": ["mail.contoso.com"]}

    def test_the_message_must_come_from_a_domain_of_the_tenant(
        self, relay: Installation, certificates: Certificates
    ) -> None:
        relay("tenant", "add", "stranger")
        relay("domain", "add", "stranger", "stranger.com", "--verified")
        made = relay.told("enroll", "stranger")
        for mail_from in ("", "ben@fabrikam.com", "x@nobody.example"):
            said = self.enrol(relay, made["address"], certificates.self_signed, mail_from, made["ehlo"])
            assert said.startswith("550 5.7.1 enrolment-sender")

    def test_an_enrolment_takes_a_message_of_its_own(
        self, relay: Installation, contoso: Api, certificates: Certificates
    ) -> None:
        made = contoso.post("/v1/tenants/contoso/enrolments").json()
        own = certificates.pki.self_signed("lab.contoso.com")
        relay("inbound-connector", "add", "contoso", "lab", "--certificate-sha256", own.sha256)
        with SmtpClient(relay.port, ehlo=made["ehlo"]) as smtp:
            smtp.starttls(own)

            def first_recipient() -> bool:
                smtp.command("RSET")
                smtp.command("MAIL FROM:<it@contoso.com>")
                return smtp.command("RCPT TO:<x@outside.example>").code == 250

            wait_until(first_recipient, "the connector to be live")
            assert smtp.command(f"RCPT TO:<{made['address']}>").text.startswith("452 4.5.3 enrolment-alone")
            smtp.command("RSET")
            smtp.command("MAIL FROM:<it@contoso.com>")
            assert smtp.command(f"RCPT TO:<{made['address']}>").code == 250
            assert smtp.command("RCPT TO:<x@outside.example>").text.startswith("452 4.5.3 enrolment-alone")

    @staticmethod
    def enrol(relay: Installation, address: str, certificate: Issued, mail_from: str, ehlo: str = "mail.test") -> str:
        with SmtpClient(relay.port, source="127.0.7.7", ehlo=ehlo) as smtp:
            smtp.starttls(certificate)
            return smtp.message(mail_from, address, MESSAGE).text

    @staticmethod
    def relays(relay: Installation, certificate: Issued) -> str:
        """What the server is told about mail that only a full identity may send."""
        with SmtpClient(relay.port) as smtp:
            smtp.starttls(certificate)
            smtp.command("MAIL FROM:<>")
            return smtp.command("RCPT TO:<x@outside.example>").text
