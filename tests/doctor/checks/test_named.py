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
