"""Which of several certificates is the one that was presented."""

from gatepost.doctor.certificates_told import on_the_refused_host
from gatepost.doctor.reading import read_text

PRINTED = """
root@relay2:~# openssl x509 -in /etc/postfix/relay.pem -noout -subject
subject=CN = relay2.gull.example

root@relay1:~# openssl x509 -in /etc/postfix/relay.pem -noout -subject
subject=CN = relay1.gull.example
"""
LOG = (
    "Jan 14 10:21:07 relay2 postfix/smtp[1]: 4C1F: to=<a@tern.example>, relay=mx.tern.example[203.0.113.7]:25, "
    "delay=1, dsn={dsn}, status={status} (host mx.tern.example[203.0.113.7] said: {said})\n"
)


def found(log: str) -> list[str]:
    bundle = read_text(PRINTED, "certificates.txt").joined(read_text(log, "mail.log"))
    return [each.all_names[0] for each in on_the_refused_host(bundle, bundle.certificates)]


def test_a_certificate_is_of_the_host_at_whose_prompt_it_was_printed():
    assert found(LOG.format(dsn="5.7.64", status="bounced", said="550 5.7.64 no")) == ["relay2.gull.example"]


def test_a_host_that_delivers_was_not_refused():
    assert found(LOG.format(dsn="2.0.0", status="sent", said="250 ok")) == []
