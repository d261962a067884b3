"""Whatever a file holds, reading it gives evidence or says why not; it never raises."""

# ruff: noqa: E501 - evidence is as long as it is

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.doctor.bundle_file import dump_bundle, load_bundle
from gatepost.doctor.moments import moment
from gatepost.doctor.readers.replies import find_replies
from gatepost.doctor.reading import Collection, read_octets
from gatepost.exchange.distinguished_names import distinguished_name, issuer_and_subject
from soak import rounds

PIECES = [
    "550 5.7.64 TenantAttribution; Relay Access Denied [VI1.eop-eur05.prod.protection.outlook.com 2026-01-06T03:22:22.000Z 00",
    "#550 5.7.64 x ##",
    "[{LED=451 4.4.397 Error -> 421 4.4.2 Connection dropped};{MSG=};{FQDN=x};{IP=1.2.3.4};{LRT=1/2/2026 8:00:00 AM}]",
    "{LED=",
    "2026-04-02T08:00:01.110Z,EOP,08D2EBC82EDB2C7E,3,10.7.0.4:50110,203.0.113.36:25,<,250 x Hello [198.51.100.17] STARTTLS,",
    '2026-04-02T08:00:01.110Z,EOP,08D2EBC82EDB2C7E,4,,,*," CN=a, O=""B, C"" CN=c 0A 0123456789012345678901234567890123456789'
    ' x",Sending certificate Certificate subject',
    "016-04-02T08:00:01Z,EOP,,,,*,,Sending certificate",
    "016-04-02T08:00:02Z,EOP,,,,*,CN=x,Certificate subject",
    "#Fields: date-time,data,event",
    "#Log-type: SMTP Receive Protocol Log",
    "Jun  9 08:00:02 gw postfix/smtp[911]: C2D4E80123: to=<a@b.example>, relay=r[1.2.3.4]:25, delay=1, dsn=5.7.64, status=bounced (host r[1.2.3.4] said: 550 5.7.64 x (in reply to RCPT TO command))",
    "Jun  9 08:00:02 gw postfix/smtpd[911]: NOQUEUE: reject: RCPT from a[1.2.3.4]: 554 5.7.1 <x>: Relay access denied; from=<a> to=<b> proto=ESMTP helo=<c>",
    "smtp_tls_cert_file = /x",
    "relay/unix - - n - - smtp -o smtp_tls_security_level=encrypt",
    "Name : x",
    "TlsCertificateName : <I>CN=a<S>CN=b",
    "SenderIPAddresses : {1.2.3.4, ...}",
    "Name  DomainName  DomainType",
    "----  ----------  ----------",
    '"Name","Enabled","SenderIPAddresses","ConnectorType"',
    '{"Name": "x", "ConnectorType": "Partner", "SenderIPAddresses": ["1.2.3.4"]}',
    '{"outcome": "refused", "reasons": [{"code": 1}, 2], "evidence": 3}',
    '<Objs Version="1.1.0.1"><Obj RefId="0"><Props><S N="TlsCertificateName">x</S><Nil N="Fqdn" /></Props></Obj></Objs>',
    '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Objs >&b;</Objs>',
    "-----BEGIN CERTIFICATE-----",
    "MIIB",
    "-----END CERTIFICATE-----",
    "subject=CN = a",
    "X509v3 Extended Key Usage:",
    "    TLS Web Server Authentication",
    "notAfter=Jun 99 07:52:00 2026 GMT",
    "verify error:num=20:unable",
    " 0 s:CN = a",
    "   i:CN = b",
    "Event ID: 12014 Source: MSExchangeTransport",
    "TlsCertificateNameNotFound",
    "Name Equals Expected Actual",
    "TlsDomain  False  a  b",
    "2026-03-02 04:11:07 1abcde-000000-0a ** b@x.example R=r T=t H=h [1.2.3.4]: SMTP error after RCPT TO:<b>: 550 5.7.64 x",
    'smtpd[1]: 0123456789abcdef mta delivery to=<x> result="550 5.7.64 x"',
    "#Fields: date time c-ip cs-method cs-uri-query cs-host",
    "2026-01-01 00:00:00 1.2.3.4 - OutboundConnectionResponse 550+5.7.64 x",
    'Content-Type: multipart/report; boundary="b"',
    "Received: from x",
    "--b",
    "Content-Transfer-Encoding: quoted-printable",
    "Diagnostic-Code: smtp;550 5.7.64 x",
    "Remote-MTA: dns;x",
    "Generating server: x.example",
    "-> EHLO x",
    "<- 250-x",
    "<** 550 5.7.64 y",
    "mail from:<>",
    "certbot: Congratulations, renewed",
    "x.example. 300 IN MX 10 y.example.",
    "[PS] C:\\>Get-InboundConnector",
    "Since last week only every third mail fails; we renewed the certificate.",
    "",
    "",
    "| Name | TlsCertificateName |",
    "|---|---|",
    "| x | <I>CN=a<S>CN=b |",
    "! Thumbprint !! Services",
    "<table><tr><th>Thumbprint<td>x</tr></table>",
    "[PS] C:\\>Get-ExchangeCertificate | ft Thumbprint,Services",
    "@{Name=x; SenderIPAddresses={1.2.3.4}; ConnectorType=OnPremises}",
    "<Event><System><Provider Name='Schannel'/><EventID>36887</EventID></System></Event>",
    "Ereignis-ID: 12014 Quelle: MSExchangeTransport",
    "May  6 14:02:11 h sm-mta[1]: 546Bx2Qk061118: to=<a@b.example>, relay=r. [1.2.3.4], dsn=4.0.0, stat=Deferred: 403 4.7.0 x",
    "delivery 8841: failure: 1.2.3.4_failed_after_x/Remote_host_said:_550-5.7.1_a/550_5.7.1_b/",
    '{"response":"550 5.4.1 x","recipient":"a@b.example"}',
    '{"log":"postfix/smtp[1]: x","stream":"stdout"}',
    "web-1  | x",
    "[14:02] Ann: x",
    "$ dig +short MX x.example",
    "root@h:/# cat x",
    "relay, Jan 27, 2031, trustedCertEntry,",
    "Handshake Protocol: Client Hello",
    "javax.net.ssl.SSLHandshakeException: x",
    "Caused by: x",
    "Original message headers:",
    "From: Your organization's email server",
    "mail_version = 3.8.4",
    "- subject `CN=a', issuer `CN=b', serial 0x05, RSA key, activated `2031-01-01 00:00:00 UTC', expires `x'",
    "\x00",
    "“",
    '"',
    ",",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=40)), max_size=14).map("\n".join)
PATIENT = settings(max_examples=rounds(50, large=5000), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def bundle_of(octets: bytes):
    collection = Collection()
    read_octets("x", octets, collection)
    return collection.bundle()


@pytest.mark.soak
@PATIENT
@given(TEXTS)
def test_no_text_makes_a_reader_raise_and_what_was_read_is_saved_and_loaded_unchanged(text):
    bundle = bundle_of(text.encode("utf-8", "surrogatepass"))
    assert load_bundle(dump_bundle(bundle)) == bundle


@pytest.mark.soak
@PATIENT
@given(TEXTS, st.integers(0, 2**32))
def test_no_damaged_text_makes_a_reader_raise(text, seed):
    chance = random.Random(seed)
    octets = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(min(len(octets), 12)):
        octets[chance.randrange(len(octets))] = chance.randrange(256)
    bundle_of(bytes(octets))


@pytest.mark.soak
@PATIENT
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\x30\x82", b"\xff\xfe", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04"]),
)
def test_no_octets_make_a_reader_raise(octets, beginning):
    bundle = bundle_of(beginning + octets)
    assert bundle.read or bundle.unread


@pytest.mark.soak
@PATIENT
@given(st.text(max_size=200))
def test_the_small_parsers_take_any_text(text):
    moment(text)
    find_replies(text)
    distinguished_name(text)
    issuer_and_subject(text)
