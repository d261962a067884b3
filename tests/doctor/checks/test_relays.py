"""A relay behind a bridge or a balancer, and a port that nobody answers."""

# ruff: noqa: E501 - evidence is as long as it is

from doctor.pasted import commands, first


def test_clients_that_come_from_the_bridge_make_the_list_worthless():
    log = """
        Jun  1 08:00:01 2f3a postfix/smtpd[99]: connect from unknown[172.18.0.1]
        Jun  1 08:00:01 2f3a postfix/smtpd[99]: 51A2B3: client=unknown[172.18.0.1]
    """
    found = first(log=log)
    assert found and found.rule == "relay-list-sees-the-bridge" and "J03" in found.catalogue


REJECTS = """
    Mar 11 05:11:11 r1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[10.1.0.50]: 554 5.7.1 <x@far.example>: Relay access denied; from=<a@own.example> to=<x@far.example> proto=ESMTP helo=<printer>
    Mar 11 05:11:19 r1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[10.1.0.50]: 554 5.7.1 <y@far.example>: Relay access denied; from=<b@own.example> to=<y@far.example> proto=ESMTP helo=<erp>
"""
BALANCER = """
frontend smtp
    bind {address}:25
    default_backend pf
backend pf
    server r1 10.1.0.11:25 check
"""


def test_different_clients_from_the_balancers_address_are_hidden_by_it():
    found = first(log=REJECTS, haproxy=BALANCER.format(address="10.1.0.50"))
    assert found and found.rule == "relay-list-sees-the-bridge"
    assert "usesrc" in commands(found)


def test_a_balancer_of_another_address_hides_nobody():
    found = first(log=REJECTS, haproxy=BALANCER.format(address="10.9.0.1"))
    assert found is None or found.rule != "relay-list-sees-the-bridge"


def test_a_silence_on_port_25_is_never_certain():
    found = first(
        tool="nc: connect to own-example.mail.protection.outlook.com port 25 (tcp) failed: Connection timed out"
    )
    assert found and "H06" in found.catalogue and found.confidence == "medium"


def test_a_port_that_was_tried_by_hand_and_stayed_silent_is_blocked():
    tried = "ubuntu@instance-1:~$ telnet tern-example.mail.protection.outlook.com 25\nTrying 203.0.113.36...\ntelnet: Unable to connect to remote host: Connection timed out\n"
    found = first(session=tried)
    assert found and found.rule == "port-25-blocked" and "587" in commands(found)


def test_a_silent_port_of_this_host_itself_is_no_block():
    tried = "root@relay:~# telnet 127.0.0.1 25\nTrying 127.0.0.1...\ntelnet: Unable to connect to remote host: Connection refused\n"
    assert first(session=tried) is None
