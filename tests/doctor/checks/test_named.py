"""A cause that a reply names: its repair is for whoever said it, and speaks of the file that the program names."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first


def test_what_one_provider_wants_says_nothing_to_anothers_customer():
    refused = first(log="host smtp.gmail.com[142.250.1.1] said: 535 5.7.8 Username and Password not accepted\n")
    assert refused and refused.rule == "login-refused"
    assert "app password" in commands(refused) and "Set-CASMailbox" not in commands(refused)
    refused = first(log="host smtp.office365.com[52.97.1.1] said: 535 5.7.139 Authentication unsuccessful\n")
    assert refused and "Set-CASMailbox" in commands(refused) and "app password" not in commands(refused)


def test_a_chain_file_that_does_not_begin_with_the_key_is_made_anew():
    log = (
        "Feb 10 13:07:40 relay postfix/smtp[31190]: warning: error loading chain from /etc/postfix/tls/relay.pem: key not first\n"
        "Feb 10 13:07:41 relay postfix/smtp[31190]: 2F0C840D21: to=<a@gull.example>, relay=tern-example.mail.protection.outlook.com[52.101.71.8]:25, delay=0.6, delays=0.1/0.02/0.48/0, dsn=4.7.5, status=deferred (TLS is required, but our TLS engine is unavailable)\n"
    )
    broken = first(log=log)
    assert broken and broken.rule == "key-store-incomplete"
    assert "openssl pkey -in /etc/postfix/tls/relay.pem" in commands(broken) and "postfix reload" in commands(broken)


def test_a_service_that_does_not_know_the_sender_is_no_refused_login():
    log = "Message rejected: 554 Message rejected: Email address is not verified. The following identities failed the check in region US-EAST-1: a@tern.example\n"
    refused = first(log=log)
    assert refused and refused.rule == "sender-not-verified-at-service" and "create-email-identity" in commands(refused)


def test_where_an_object_says_the_same_the_repair_is_the_objects():
    connector = "Identity : MX1\\Anonymous Relay\nBindings : {0.0.0.0:25}\nRemoteIPRanges : {10.8.0.20, 10.8.0.21}\nPermissionGroups : AnonymousUsers\nEnabled : True\n"
    words = "The scanner (10.8.0.31) gets: 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain\n"
    refused = first(connector=connector, words=words)
    assert refused and refused.rule == "recipient-not-in-accepted-domains"
    assert "-RemoteIPRanges @{Add='10.8.0.31'}" in commands(refused) and "New-ReceiveConnector" not in commands(refused)


def test_an_alert_in_a_schannel_event_names_the_old_version():
    event = "Log Name: System\nSource: Schannel\nEvent ID: 36887\nComputer: APP01\nDescription: A fatal alert was received from the remote endpoint. The TLS protocol defined fatal alert code is 70.\n"
    told = first(event=event)
    assert told and told.rule == "only-old-tls-versions"


def test_exim_that_goes_on_without_tls_shows_no_certificate():
    log = (
        "2026-05-05 09:00:00 1w9Yh5-000000008kQ-2Gd3 H=tern-example.mail.protection.outlook.com [52.1.1.1] TLS error on connection (gnutls_handshake): A TLS fatal alert has been received.\n"
        "2026-05-05 09:00:00 1w9Yh5-000000008kQ-2Gd3 TLS session failure: delivering unencrypted to tern-example.mail.protection.outlook.com [52.1.1.1] (not in hosts_require_tls)\n"
        "2026-05-05 09:00:00 1w9Yh5-000000008kQ-2Gd3 ** a@gull.example R=r T=t H=tern-example.mail.protection.outlook.com [52.1.1.1]: SMTP error from remote mail server after RCPT TO:<a@gull.example>: 550 5.7.64 TenantAttribution; Relay Access Denied [X.prod.outlook.com 2026-05-05T09:00:00.000Z 08DE61E5A0B7C144]\n"
    )
    told = first(log=log)
    assert told and told.rule == "fell-back-to-plain-text" and "hosts_require_tls" in commands(told)


def test_a_handshake_that_found_nothing_in_common_is_repaired_on_windows_as_well():
    log = "2026-01-24T07:20:18.354Z,To cloud,08DE5A3311C0A2D7,9,10.0.0.1:4,52.101.1.1:25,*,,TLS negotiation failed with error AlgorithmMismatch\n"
    told = first(log=log)
    assert told and told.rule == "no-common-cipher"


def test_exims_port_465_without_smtps_needs_no_complaint():
    told = first(exim="begin transports\nremote_smtp:\n  driver = smtp\n  port = 465\n  hosts_require_tls = *\n")
    assert told and told.rule == "implicit-tls-mismatch" and "protocol = smtps" in commands(told)
