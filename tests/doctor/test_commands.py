"""Commands are for the programs that the evidence shows, and a change reaches the Edge."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first
from gatepost.doctor.commands import fitted, for_every_program
from gatepost.doctor.explanation import explained
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.reading import read_text

EXIM = "2026-05-18 10:02:42 1uGq2L-0001aB-2c ** a@gull.example R=smarthost T=remote_smtp H=tern-example.mail.protection.outlook.com [203.0.113.71]: SMTP error from remote mail server after RCPT TO:<a@gull.example>: 550 5.7.64 TenantAttribution; Relay Access Denied\n"


def complete(text: str, *fixes: Fix, confidence: str = "medium") -> list[Fix]:
    finding = Finding(confidence=confidence, specificity=70, summary="", rule="application-envelope-domain", fix=fixes)
    path = explained(read_text(text, "evidence.txt")).path
    (done,) = fitted(for_every_program([finding], path), path)
    return list(done.fix)


def test_a_program_for_which_nothing_was_given_gets_its_own():
    wheres = [each.where for each in complete(EXIM, Fix("application", "set the envelope sender"))]
    assert wheres == ["application", "Exim"]


def test_what_is_for_a_server_that_is_not_there_is_left_out():
    wheres = [each.where for each in complete(EXIM, Fix("Postfix", "postfix reload"), Fix("application", "set it"))]
    assert wheres == ["application", "Exim"]


def test_without_proof_there_is_no_command():
    assert complete(EXIM, confidence="low") == []


def test_a_change_is_carried_to_the_edge():
    edge = "Name : EdgeSync - To cloud\nSmartHosts : {tern-example.mail.protection.outlook.com}\n"
    given = complete(edge, Fix("Exchange", "Set-SendConnector -Identity A -RequireTLS $true"))
    assert "Start-EdgeSynchronization" in given[-1].command


def test_beside_what_says_why_that_which_says_what_happens_has_no_command():
    hub = """
        compatibility_level = 3.6
        mynetworks = 127.0.0.0/8
        relay_clientcerts = lmdb:/etc/postfix/relay_clientcerts
        smtpd_relay_restrictions = permit_mynetworks permit_tls_clientcerts reject_unauth_destination
        smtpd_tls_ask_ccert = yes
        mail_version = 3.8.4
        $ cat relay_clientcerts
        65:04:C5:33:C3:1C:7E:8C:A3:AE:FD:5B:8D:B2:32:40 branch
    """
    log = "Feb 10 10:44:56 hub postfix/smtpd[18792]: NOQUEUE: reject: RCPT from branch.tern.example[198.51.100.150]: 554 5.7.1 <a@gull.example>: Relay access denied; from=<b@tern.example> to=<a@gull.example> proto=ESMTP helo=<branch>\n"
    found = first(hub=hub, log=log)
    assert found and found.rule == "fingerprint-digest-differs"
    assert "md5" in commands(found) and "mynetworks" not in commands(found)


def test_a_command_that_sets_what_is_set_already_is_left_out():
    off = "Set-CASMailbox -Identity lab -SmtpClientAuthenticationDisabled $false"
    mailboxes = (
        "Identity    SmtpClientAuthenticationDisabled\n--------    --------------------------------\nlab         {}\n"
    )
    other = Fix("application", "log in with OAuth")
    assert off not in [each.command for each in complete(mailboxes.format("False"), Fix("Exchange Online", off), other)]
    assert off in [each.command for each in complete(mailboxes.format("True"), Fix("Exchange Online", off), other)]


def test_another_certificate_is_taken_up_by_a_restart():
    exchange = "Name : To cloud\nSmartHosts : {tern-example.mail.protection.outlook.com}\n"
    given = complete(exchange, Fix("Exchange", "Enable-ExchangeCertificate -Thumbprint AA -Services SMTP"))
    assert given[-1].command.startswith("Restart-Service MSExchangeTransport")
    given = complete(exchange, Fix("Exchange", "Set-SendConnector -Identity A -SmartHosts b.example"))
    assert "Restart-Service" not in given[-1].command


def test_one_command_in_two_spellings_is_given_once():
    fixes = [Fix("Exchange Online", f"Set-InboundConnector -Identity {each} -Enabled $true") for each in ("HQ", "'HQ'")]
    assert [each.where for each in complete(EXIM, *fixes)] == ["Exchange Online", "Exim"]


def test_where_no_program_is_shown_every_programs_command_is_given():
    finding = Finding(confidence="medium", specificity=70, summary="", rule="cloud-services-mail-disabled")
    (done,) = for_every_program([finding], explained(read_text("X-Header: 1\n", "evidence.txt")).path)
    assert [each.where for each in done.fix] == ["Exchange"]
