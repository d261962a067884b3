"""Listeners and what stands before them."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first
from gatepost.doctor.checks.listening import (
    edge_has_the_same_values,
    listeners_trust_the_service_alike,
    relay_listener_lists_its_clients,
)
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import read_text
from gatepost.doctor.symptoms import symptoms


def path(text: str, words: str = ""):
    bundle = read_text(text, "evidence.txt").joined(read_text(words, "words.txt"))
    return mail_path(bundle, symptoms(bundle))


RELAY = "Identity : EX1\\Relay\nRemoteIPRanges : {10.1.1.10-10.1.1.20}\nPermissionGroups : AnonymousUsers\n\n550 5.7.1 Unable to relay\n\n"


def test_a_client_outside_the_ranges_is_added():
    (broken,) = relay_listener_lists_its_clients(path(RELAY, "The new application server is 10.1.1.31\n"))
    assert (
        broken.edits[0]
        .commands()[0]
        .command.startswith("Set-ReceiveConnector -Identity 'EX1\\Relay' -RemoteIPRanges @{Add='10.1.1.31'}")
    )


def test_a_client_within_the_ranges_is_not():
    assert list(relay_listener_lists_its_clients(path(RELAY, "The new application server is 10.1.1.12\n"))) == []


def test_edgesync_says_that_it_did_not_run():
    text = "SyncStatus : Inconclusive\nName : EDGE1\nSendConnectorStatus : NotSynchronized\n"
    (broken,) = edge_has_the_same_values(path(text))
    assert broken.subject == "EDGE1"


def test_a_name_that_the_edge_cannot_take_is_why_edgesync_fails():
    shown = """
        [PS] C:\\>Test-EdgeSynchronization
        SyncStatus : Failed
        FailureDetail : The value of property TlsCertificateName exceeds the maximum length 256
        ConfigurationStatus: Incomplete
    """
    found = first(edge=shown)
    assert found and found.rule == "certificate-name-too-long-for-edge" and "-Fqdn" in commands(found)


EDGE = "Name : EDGE1\nSyncStatus : Failed\nSendConnectorStatus : NotSynchronized\n\n"


def test_an_edge_with_the_values_of_before_is_why_no_certificate_is_found():
    named = "Name : To cloud\nSmartHosts : {own-example.mail.protection.outlook.com}\nTlsCertificateName : <I>CN=%s<S>CN=edge.own.example\n\n"
    both = named % "Old CA" + named % "New CA"
    (broken,) = edge_has_the_same_values(path(EDGE + both))
    assert "no-certificate-found" in broken.explains
    (alone,) = edge_has_the_same_values(path(EDGE + named % "New CA"))
    assert "no-certificate-found" not in alone.explains


FRONT_END = "Identity : {server}\\Default Frontend {server}\nBindings : {{0.0.0.0:25}}\nTlsDomainCapabilities : {{{capabilities}}}\n\n"
TRUSTS = "mail.protection.outlook.com:AcceptCloudServicesMail"


def test_a_listener_that_lost_what_the_others_have_needs_no_complaint():
    text = FRONT_END.format(server="EX2", capabilities=TRUSTS) + FRONT_END.format(server="EX3", capabilities="")
    (broken,) = listeners_trust_the_service_alike(mail_path(read_text(text, "shell.txt"), ()))
    assert broken.cause == "tls-domain-capabilities-lost" and broken.subject == "EX3\\Default Frontend EX3"
    assert TRUSTS in broken.edits[0].commands()[0].command


def test_listeners_that_agree_are_left_alone():
    for capabilities in (TRUSTS, ""):
        text = "".join(FRONT_END.format(server=each, capabilities=capabilities) for each in ("EX2", "EX3"))
        assert list(listeners_trust_the_service_alike(mail_path(read_text(text, "shell.txt"), ()))) == []
