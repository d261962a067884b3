"""What a relay of one's own refuses besides relaying, and a login that got lost on the way to the next one."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first

TOO_LARGE = """
    Mar 24 13:05:11 relay postfix/smtpd[4410]: NOQUEUE: reject: MAIL FROM from scanner.lan[{client}]: 552 5.3.4 Message size exceeds fixed limit; proto=ESMTP helo=<scanner>
"""
LOGGED_IN = '2026-05-11 10:02:39 1uEIiN-0000xk-1R => a@gull.example R=smarthost T=remote_smtp_smarthost H=smtp.provider.example [203.0.113.70] X=TLS1.2:ECDHE_SECP256R1__RSA_SHA256__AES_256_GCM:256 CV=yes A=login C="250 2.0.0 Ok"\n'
REFUSED = "2026-05-18 10:02:42 1uGq2L-0001aB-2c ** a@gull.example R=smarthost T=remote_smtp_smarthost H=cluster4.provider.example [203.0.113.71] X=TLS1.2:ECDHE_SECP256R1__RSA_SHA256__AES_256_GCM:256 CV=yes: SMTP error from remote mail server after RCPT TO:<a@gull.example>: 554 5.7.1 <a@gull.example>: Relay access denied\n"


def test_a_message_too_large_for_the_own_relay_is_its_limit():
    found = first(log=TOO_LARGE.format(client="10.7.1.7"))
    assert found and found.rule == "local-relay-refused-first"
    assert "message_size_limit" in commands(found) and "Set-Mailbox" not in commands(found)


def test_what_a_stranger_is_refused_for_is_no_fault():
    found = first(log=TOO_LARGE.format(client="198.51.100.9"))
    assert found is None or found.rule != "local-relay-refused-first"


def test_a_login_that_earlier_lines_have_is_missing():
    found = first(log=LOGGED_IN + REFUSED)
    assert found and found.rule == "smart-host-wants-login"
    assert "cluster4.provider.example:USER:PASSWORD" in commands(found)
    assert "mynetworks" not in commands(found)


def test_without_an_earlier_login_nothing_is_said_of_one():
    found = first(log=REFUSED)
    assert found is None or (found.rule != "smart-host-wants-login" and found.confidence != "high")
