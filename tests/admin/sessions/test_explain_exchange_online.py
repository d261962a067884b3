"""What Exchange Online would do: the answer by one tenant's exports, and beside it all that it rests on unproved."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from gatepost.admin.sessions.explain import Question
from gatepost.admin.sessions.explain_exchange_online import CloudOutcome, explain_exchange_online
from gatepost.doctor.reading import read_text
from gatepost.exchange.exported_tenant import exported_tenant, judge_as_told
from gatepost.mail.address import NULL_REVERSE_PATH
from gatepost.mail.path_grammar import read_mailbox
from gatepost.tenancy.evidence import CertificateFacts

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def certificate(name: str, *, issuer: str = "CN=A CA", until: int = 2027, purposes=("serverAuth", "clientAuth")):
    return CertificateFacts(
        der=b"",
        sha256="0" * 64,
        public_key_sha256="",
        subject=f"CN={name}",
        issuer=issuer,
        serial="1",
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(until, 1, 1, tzinfo=UTC),
        common_names=(name,),
        dns_names=(name,),
        purposes=purposes,
        key="RSA 2048",
        signature_algorithm="sha256",
    )


def ask(connectors, domains, *, presents=None, address="192.0.2.1", sender="a@contoso.com", to="x@far.example"):
    exports = [*connectors, *({"DomainName": each, "DomainType": "Authoritative"} for each in domains)]
    question = Question(
        address=ip_address(address),
        ehlo="",
        tls=False,
        chain=(presents,) if presents else (),
        reverse_path=read_mailbox(sender) if sender else NULL_REVERSE_PATH,
        forward_paths=(read_mailbox(to),),
    )
    tenant = exported_tenant(read_text(json.dumps(exports)).exports)
    (answer,) = explain_exchange_online(tenant, question, judge_as_told, NOW)
    return answer


def connector(name="HQ", **more):
    return {"Name": name, "ConnectorType": "OnPremises", "Enabled": True, "TlsSenderCertificateName": None, **more}


WILDCARD = connector(TlsSenderCertificateName="*.contoso.com")
EXACT = connector(TlsSenderCertificateName="mail.contoso.com")
LISTED = connector(SenderIPAddresses=["198.51.100.10"])
LOCKED = connector("lock", ConnectorType="Partner", SenderDomains=["*"], RestrictDomainsToIPAddresses=True,
                   SenderIPAddresses=["198.51.100.10"])  # fmt: skip
OTHER = connector("Fabrikam's own", TlsSenderCertificateName="*.fabrikam.com")
"""A connector beside the one that is meant; it must never be the answer."""


@pytest.mark.parametrize(
    ("connectors", "asked", "outcome", "name"),
    [
        ([WILDCARD, OTHER], {"presents": certificate("mail.contoso.com")}, "relay", "HQ"),
        ([WILDCARD, OTHER], {"presents": certificate("mail.contoso.com"), "sender": ""}, "relay", "HQ"),
        ([WILDCARD, OTHER], {"presents": certificate("mail.contoso.com"), "to": "x@contoso.com"}, "deliver", "HQ"),
        ([WILDCARD, OTHER], {"presents": certificate("mail.contoso.com", until=2025)}, "not-known", None),
        ([WILDCARD, OTHER], {"presents": certificate("a.contoso.com", issuer="CN=a.contoso.com")}, "not-known", None),
        ([LISTED, OTHER], {"address": "198.51.100.10"}, "relay", "HQ"),
        ([LISTED, OTHER], {"address": "198.51.100.10", "sender": ""}, "not-known", None),
        ([LISTED, OTHER], {"address": "198.51.100.10", "sender": "", "to": "x@contoso.com"}, "deliver", "HQ"),
        ([LISTED, OTHER], {"address": "198.51.100.11"}, "not-known", None),
        ([LISTED, OTHER], {"address": "198.51.100.11", "to": "x@contoso.com"}, "incoming", None),
        ([LOCKED], {"address": "198.51.100.11", "to": "x@contoso.com"}, "refused", None),
        ([{**LISTED, "Enabled": False}], {"address": "198.51.100.10"}, "not-known", None),
    ],
)
def test_the_answer_is_the_services_as_far_as_it_is_public(connectors, asked, outcome, name):
    answer = ask(connectors, ["contoso.com"], **asked)
    assert (answer.outcome, answer.attribution.connector) == (outcome, name)


def test_a_recipient_outside_the_export_is_not_known_rather_than_refused():
    answer = ask([LISTED], ["contoso.com"], address="192.0.2.9")
    assert answer.outcome is CloudOutcome.NOT_KNOWN
    assert answer.reply == "550 5.7.64 TenantAttribution; Relay Access Denied"
    assert any("far.example" in each and "another tenant" in each for each in answer.not_known)
    assert not any("of no tenant" in reason.says for reason in answer.attribution.reasons)


def test_another_tenants_closer_connector_cannot_be_seen_and_is_named():
    answer = ask([WILDCARD], ["contoso.com"], presents=certificate("mail.contoso.com"))
    assert any("Another tenant" in each for each in answer.not_known)


@pytest.mark.parametrize(
    ("connectors", "domains", "asked", "question"),
    [
        ([EXACT], ["contoso.com"], {"presents": certificate("mail.contoso.com")}, "not an accepted domain"),
        ([EXACT], ["mail.contoso.com"], {"presents": certificate("*.contoso.com")}, "certificate for *.domain"),
        ([{**LISTED, "RequireTls": True}], ["contoso.com"], {"address": "198.51.100.10"}, "RequireTls"),
        ([LOCKED], ["contoso.com"], {"sender": "", "to": "x@contoso.com"}, "null sender"),
    ],
)
def test_where_the_rules_are_not_public_and_it_matters_the_answer_says_so(connectors, domains, asked, question):
    told = [each for each in ask(connectors, domains, **asked).not_public if question in each]
    assert len(told) == 1
    assert "otherwise the answer" in told[0]


def test_an_open_question_that_changes_nothing_is_not_told():
    answer = ask([WILDCARD], ["contoso.com"], presents=certificate("mail.contoso.com"))
    assert not any("otherwise the answer" in each for each in answer.not_public)


def test_a_certificate_for_servers_only_is_told_of():
    answer = ask([WILDCARD], ["contoso.com"], presents=certificate("mail.contoso.com", purposes=("serverAuth",)))
    assert answer.outcome is CloudOutcome.RELAY
    assert any("clientAuth" in each for each in answer.not_public)
