"""What to bring next comes with the command that shows it, and with the names that the evidence has."""

# ruff: noqa: E501 - evidence is as long as it is

from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.reading import read_text

REFUSED = "550 5.7.64 TenantAttribution; Relay Access Denied"


def asked(text: str) -> str:
    return "\n".join(diagnose(read_text(text, "evidence.txt")).missing)


def test_the_address_and_the_connectors_are_asked_for_by_command():
    told = asked(f"The relay says: {REFUSED}\n")
    assert "curl -4 https://ifconfig.me" in told and "TlsSenderCertificateName" in told


def test_the_log_of_the_program_that_is_there_is_asked_for():
    told = asked(f"# postconf -n\nrelayhost = [tern-example.mail.protection.outlook.com]:25\n\nIt says: {REFUSED}\n")
    assert "/var/log/mail.log" in told and "SmtpSend" not in told


def test_a_broken_handshake_asks_for_one_by_hand_with_that_host():
    line = "Feb 10 13:07:40 relay postfix/smtp[31190]: SSL_connect error to mail.gull.example[198.51.100.88]:25: lost connection\n"
    told = asked(line)
    assert "-connect mail.gull.example:25" in told and "posttls-finger" in told


def test_a_broken_handshake_beside_a_reply_is_asked_for_as_well():
    told = asked(
        "Feb 10 13:07:40 relay postfix/smtp[31190]: SSL_connect error to mail.gull.example[198.51.100.88]:25: lost connection\n"
        "Feb 10 13:09:40 relay postfix/smtp[31190]: 4XkZ1q3TbKz9v: to=<a@gull.example>, relay=mail.gull.example[198.51.100.88]:25, delay=1, delays=0/0/1/0, dsn=4.0.0, status=deferred (host mail.gull.example[198.51.100.88] said: 451 Temporary local problem)\n"
    )
    assert "-connect mail.gull.example:25" in told
