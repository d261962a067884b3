"""The objects of the path contradict each other, and the doctor says so without any refusal in the evidence."""

# ruff: noqa: E501 - evidence is as long as it is

from pathlib import Path
from textwrap import dedent

import pytest

from gatepost.doctor.causes import all_causes
from gatepost.doctor.checks import all_checks
from gatepost.doctor.explanation import Explained, explained
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.reading import Collection, read_octets
from gatepost.doctor.symptoms import meaning_of, meanings, symptoms

PAGES = Path(__file__).parents[2] / "docs" / "doctor"


def bundle_of(**files: str):
    collection = Collection()
    for name, text in files.items():
        read_octets(f"{name}.txt", dedent(text).encode(), collection)
    return collection.bundle()


def findings(**files: str) -> Explained:
    return explained(bundle_of(**files))


def commands(result: Explained) -> str:
    return "\n".join(fix.command for fix in result.findings[0].fix)


SEND = """
[PS] C:\\>Get-SendConnector "To the cloud" | fl Fqdn,TlsCertificateName
Fqdn               : mail.heron.example
TlsCertificateName : <I>CN=R10, O=Let's Encrypt, C=US<S>CN=mail.heron.example
"""
STORE = """
[PS] C:\\>Get-ExchangeCertificate | fl Thumbprint,Services,Issuer,Subject,NotAfter
Thumbprint : {thumbprint}
Services   : {services}
Issuer     : CN={issuer}, O=Let's Encrypt, C=US
Subject    : CN=mail.heron.example
NotAfter   : 2027-01-01 09:00:00Z
"""
NEW = "AA51904A7A55D2BEDC6B0748ADB0E2575155882A"


def store(services: str = "IIS, SMTP", issuer: str = "R11") -> str:
    return STORE.format(thumbprint=NEW, services=services, issuer=issuer)


# --- a connector names a certificate that the store lacks ------------------------------------------------------------


def test_a_connector_that_names_a_missing_certificate_is_said_without_a_refusal():
    result = findings(connector=SEND, store=store())
    assert "B01" in result.findings[0].catalogue
    assert result.findings[0].confidence == "medium"
    assert "Set-SendConnector -Identity 'To the cloud'" in commands(result)
    assert NEW in commands(result)


def test_with_the_symptom_seen_it_is_certain():
    queue = (
        "LastError : 454 4.7.5 The certificate specified in TlsCertificateName of the SendConnector could not be found."
    )
    assert findings(connector=SEND, store=store(), queue=queue).findings[0].confidence == "high"


def test_a_connector_that_names_what_is_stored_is_no_fault():
    assert not findings(connector=SEND, store=store(issuer="R10")).findings


def test_a_store_that_was_not_shown_is_asked_for_and_nothing_is_said():
    result = findings(connector=SEND)
    assert not result.findings
    assert "Get-ExchangeCertificate" in result.missing[0]


def test_one_certificate_asked_for_is_not_the_whole_store():
    asked = store().replace("Get-ExchangeCertificate |", f"Get-ExchangeCertificate {NEW} |")
    assert not findings(connector=SEND, store=asked).findings


def test_of_two_servers_the_one_without_the_certificate_is_named():
    connector = SEND.replace("TlsCertificateName :", "SourceTransportServers : {EX1, EX2}\nTlsCertificateName :")
    first, second = store(issuer="R10"), store(issuer="R11").replace(NEW, "BB" + NEW[2:])
    result = findings(connector=connector, store_EX1=first, store_EX2=second)
    assert len(result.findings) == 1
    assert "EX2" in result.findings[0].summary
    assert "EX1" not in result.findings[0].summary


# --- a certificate lost its services ---------------------------------------------------------------------------------


def test_a_certificate_that_lost_smtp_is_said():
    result = findings(connector=SEND, store=store("IMAP, POP", issuer="R10"))
    assert "B06" in result.findings[0].catalogue
    assert f"Enable-ExchangeCertificate -Thumbprint {NEW}" in commands(result)


def test_services_before_and_after_are_compared():
    before = store("IIS, SMTP", issuer="R10").replace(NEW, "CC" + NEW[2:])
    result = findings(before=before, after=store("IMAP", issuer="R11"))
    assert "B06" in result.findings[0].catalogue
    assert "'IIS,SMTP'" in commands(result)


def test_a_listener_that_serves_the_expired_twin_is_said():
    outside = """
        $ openssl s_client -starttls smtp -connect mail.heron.example:25 | openssl x509 -noout -subject -dates -fingerprint -sha1
        subject=CN = mail.heron.example
        notAfter=Sep 29 04:11:08 2026 GMT
        sha1 Fingerprint=31:F5:0E:CC:7A:F4:5A:72:A9:B9:CB:E2:42:CC:5E:08:39:BA:AC:52
        $ date -u
        Thu Oct  1 07:40:12 UTC 2026
        """
    twin = (
        store("IIS", issuer="R3")
        .replace(NEW, "31F50ECC7AF45A72A9B9CBE242CC5E0839BAAC52")
        .replace("2027-01-01", "2026-09-29")
    )
    result = findings(outside=outside, store=store(), twin=twin)
    assert "B09" in result.findings[0].catalogue
    assert "Remove-ExchangeCertificate -Thumbprint 31F50ECC" in commands(result)
    assert NEW not in commands(result)


def test_an_enabled_certificate_without_its_key_is_said():
    result = findings(connector=SEND, store=store(issuer="R10") + "HasPrivateKey : False\n")
    assert result.findings[0].rule == "private-key-missing"


# --- causes, replies and pages ---------------------------------------------------------------------------------------


def test_every_cause_has_its_page():
    assert [each for each in all_causes() if not (PAGES / f"{each}.md").is_file()] == []


def test_every_cause_that_a_reply_names_says_what_it_is_and_what_repairs_it():
    for meaning in meanings():
        if meaning.cause:
            cause = all_causes()[meaning.cause]
            assert cause.says and cause.repair


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("550 5.7.711 Access denied, bad inbound connector. AS(2204) [AM0.PROD.OUTLOOK.COM]", "inbound-connector-blocked"),
        ("451 4.4.4 Mail received as unauthenticated, incoming to a recipient domain configured in a hosted tenant which has no mail-enabled subscriptions. ATTR5", "recipient-tenant-without-licence"),
        ("554 5.4.14 Hop count exceeded - possible mail loop ATTR34", "mail-loop"),
        ("550 5.7.30 Basic authentication is not supported for Client Submission.", "basic-authentication-refused"),
        ("550 5.7.515 Access denied, sending domain x.example does not meet the required authentication level", "sender-authentication-demanded"),
        ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "recipient-not-in-accepted-domains"),
        ("450 4.7.323 tlsa-invalid: The domain failed DANE validation", "recipient-policy-demands-tls"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; Error: open resolver", "block-list-refuses-resolver"),
    ],
)  # fmt: skip
def test_a_reply_that_names_its_cause_is_that_cause(text, cause):
    (reply,) = bundle_of(bounce=text).replies
    assert meaning_of(reply).cause == cause
    assert explained(bundle_of(bounce=text)).findings[0].rule == cause


def test_checks_of_nothing_say_nothing():
    bundle = bundle_of(words="Hello, we have a question.")
    assert all_checks(mail_path(bundle, symptoms(bundle))) == ()


# --- handshakes, resolvers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "cause", "command"),
    [
        ({"log": "Error: SSL routines:tls_validate_record_header:wrong version number\n", "env": "SMTP_HOST=smtp.x.example\nSMTP_PORT=587\nSMTP_TLS=ssl/tls\n"}, "O10", "STARTTLS"),
        ({"hello": "Cipher Suite: TLS_RSA_WITH_AES_128_CBC_SHA (0x002f)\nAlert (Level: Fatal, Description: Handshake Failure)\n"}, "I02", "ECDHE"),
        ({"reg": "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client\n    Enabled    REG_DWORD    0x0\n"}, "I01", "DisabledByDefault"),
        ({"chain": " 0 s:CN=smtp.x.example\n   i:O=Avast Web/Mail Shield, CN=Avast Web/Mail Shield Root\n"}, "O13", "Mail Shield"),
        ({"log": "550 5.7.64 TenantAttribution; Relay Access Denied [relay.x.example]\nNo available client authentication scheme\n", "store": "relay, Jan 27, 2026, trustedCertEntry,\n"}, "O14", "-inkey"),
        ({"win": "The certificate was found but is not valid for use with Exchange Server (reason: PrivateKeyMissing).\n"}, "B07", "Import-ExchangeCertificate"),
        ({"log": "May 12 09:15:00 m postfix/smtp[219]: 5B2A31C0F7: to=<a@x.example>, relay=none, delay=41, delays=21/0/20/0, dsn=4.4.3, status=deferred (Host or domain name not found. Name service error for name=r.x.example type=A: Host not found, try again)\n", "sh": "# ls /var/spool/postfix/etc/\nhosts services\n"}, "O11", "/var/spool/postfix/etc"),
        ({"log": "May 12 09:15:00 m postfix/smtpd[21]: NOQUEUE: reject: RCPT from a.x.example[192.0.2.1]: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; Error: open resolver; from=<a@x.example> to=<b@y.example> proto=ESMTP helo=<a>\n"}, "O09", "127.0.0.[2..11]"),
    ],
)  # fmt: skip
def test_what_a_log_or_tool_says_is_its_cause(files, cause, command):
    result = findings(**files)
    assert cause in result.findings[0].catalogue
    assert command in commands(result)


def test_a_dialog_that_calls_starttls_ssl_is_no_fault_by_itself():
    assert not findings(env="SMTP_HOST=smtp.x.example\nSMTP_PORT=587\nSMTP_TLS=ssl/tls\n").findings


def test_a_hello_with_ecdhe_suites_too_is_no_fault():
    hello = "Cipher Suite: TLS_RSA_WITH_AES_128_CBC_SHA\nCipher Suite: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
    assert not findings(hello=hello).findings


def test_a_listed_address_is_the_cause_only_where_the_banner_is_whole():
    log = """
        <-  220 AM1.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready
         -> EHLO x.example
        <-  250-AM1.mail.protection.outlook.com Hello [198.51.100.213]
        <-  250-SIZE 157286400
        <-  250 CHUNKING
        """
    listed = "mxtoolbox on 198.51.100.213: LISTED CBL (sending machine is infected)"
    assert "E07" in findings(log=log, words=listed).findings[0].catalogue
    masked = log.replace("220 AM1.mail.protection.outlook.com Microsoft ESMTP", "220 ****************************")
    assert not findings(log=masked, words=listed).findings


# --- trust, endpoints, Postfix ---------------------------------------------------------------------------------------

QUEUE = "Identity : EX\\7\nNextHopDomain : heron.mail.onmicrosoft.com\nStatus : Retry\nLastError : [{{LED=454 4.7.5 Certificate validation failure, Reason:UntrustedRoot}};{{MSG=}};{{FQDN={host}}};{{IP=203.0.113.36}};{{LRT=2/20/2024 9:58:31 AM}}]\n"


def test_4_7_5_in_the_own_queue_is_the_own_verdict_on_the_peer():
    result = findings(queue=QUEUE.format(host="heron-mail-onmicrosoft-com.mail.protection.outlook.com"))
    assert "C05" in result.findings[0].catalogue
    assert result.findings[0].confidence == "medium"
    assert "Enable-ExchangeCertificate" not in commands(result)


def test_an_element_above_the_leaf_that_ended_is_another_chain_and_no_clock():
    chain = "CertContext[0][0]: CN=mail.x.example    NotAfter: 26/01/2023\nCertContext[0][1]: CN=Good Root, O=Trust    NotAfter: 30/09/2030\nCertContext[0][2]: CN=Old Root, O=Trust    NotAfter: 30/09/2021\n  Element.dwErrorStatus = CERT_TRUST_IS_NOT_TIME_VALID (0x1)\n"
    result = findings(chain=chain, now="PS C:\\> Get-Date\n03 November 2022 08:31:10\n")
    assert "C06" in result.findings[0].catalogue
    assert "Old Root" in commands(result)
    assert "Good Root" in commands(result)


def test_an_update_of_the_trust_store_that_dropped_the_root_is_said():
    chain = " 0 s:CN=mail.protection.outlook.com\n   i:O=Trust, CN=Issuing CA\n 1 s:O=Trust, CN=Issuing CA\n   i:O=Trust, CN=Old Global Root\nVerify return code: 20 (unable to get local issuer certificate)\n"
    result = findings(
        chain=chain,
        history="2026-04-20 22:14:09|install|ca-certificates|2.84|noarch\n",
        other="Verify return code: 0 (ok)\n",
    )
    assert "O01" in result.findings[0].catalogue
    assert "Old Global Root" in commands(result)


def test_dns_routing_that_meets_another_certificate_is_said_without_a_refusal():
    connector = "Name : To cloud\nAddressSpaces : {SMTP:heron.mail.onmicrosoft.com;1, SMTP:heron.example;1}\nDNSRoutingEnabled : True\nSmartHosts : {}\nTlsDomain : mail.protection.outlook.com\n"
    result = findings(connector=connector, dns="heron.example. 300 IN MX 10 gw.filter.example.\n")
    assert "H04" in result.findings[0].catalogue
    assert "heron-mail-onmicrosoft-com.mail.protection.outlook.com" in commands(result)
    cloud = findings(
        connector=connector, dns="heron.example. 300 IN MX 10 heron-example.mail.protection.outlook.com.\n"
    )
    assert not cloud.findings


def test_the_submission_host_is_no_place_to_relay():
    settings = "Outbound security: Basic authentication, user relay@heron.example\nTCP port 587\nSmart host smtp.office365.com\nInbound connector: OnPremises, by address\n"
    result = findings(
        dialog=settings, bounce="550 5.7.60 SMTP; Client does not have permissions to send as this sender"
    )
    assert "H03" in result.findings[0].catalogue
    assert "heron-example.mail.protection.outlook.com, port 25" in commands(result)


POSTCONF = "inet_interfaces = all\nmyhostname = relay.heron.example\nmynetworks = 127.0.0.0/8 192.0.2.0/24\nrelayhost = [heron-example.mail.protection.outlook.com]:25\nsmtpd_tls_cert_file = /etc/ssl/relay.crt\nsmtpd_tls_key_file = /etc/ssl/relay.key\n"


def test_settings_of_the_receiving_side_are_no_client_certificate():
    log = "Mar  3 14:22:08 relay postfix/smtp[412]: 7F2E31C0A4: to=<a@x.example>, relay=heron-example.mail.protection.outlook.com[203.0.113.36]:25, delay=1, delays=0/0/1/0, dsn=4.7.0, status=deferred (host heron-example.mail.protection.outlook.com[203.0.113.36] said: 454 4.7.0 Failed to establish appropriate TLS channel: Access Denied (in reply to RCPT TO command))\n"
    result = findings(postconf=POSTCONF, log=log)
    assert "B17" in result.findings[0].catalogue
    assert "smtp_tls_security_level=encrypt" in commands(result)
    assert not findings(postconf=POSTCONF + "smtp_tls_security_level = encrypt\n", log=log).findings


def test_mynetworks_that_lack_the_ipv6_address_are_said():
    log = "May 16 09:41:12 smtp postfix/smtpd[88]: NOQUEUE: reject: RCPT from app.heron.example[2001:db8:7::19]: 554 5.7.1 <a@x.example>: Relay access denied; from=<b@heron.example> to=<a@x.example> proto=ESMTP helo=<app>\n"
    result = findings(postconf=POSTCONF, log=log)
    assert "H07" in result.findings[0].catalogue
    assert "IPv6" in result.findings[0].summary
    assert "[2001:db8:7::19]/128" in commands(result)


def test_a_smart_host_that_demands_a_login_is_told_from_one_that_does_not_know_the_tenant():
    log = "Mar  3 14:22:08 relay postfix/smtp[412]: 7F2E31C0A4: to=<a@x.example>, relay=smtp.provider.example[203.0.113.9]:587, delay=1, delays=0/0/1/0, dsn=5.7.0, status=bounced (host smtp.provider.example[203.0.113.9] said: 530 5.7.0 Authentication required (in reply to MAIL FROM command))\n"
    result = findings(
        postconf=POSTCONF.replace("heron-example.mail.protection.outlook.com]:25", "smtp.provider.example]:587"),
        log=log,
    )
    assert "O02" in result.findings[0].catalogue
    assert "smtp_sasl_auth_enable" in commands(result)


# --- listeners of several servers, restrictions, two faults ----------------------------------------------------------


def test_of_two_listeners_the_one_that_names_no_certificate_is_repaired_like_the_other():
    listeners = "Identity : EXA\\Default Frontend EXA\nBindings : {0.0.0.0:25}\nTlsCertificateName : <I>CN=R11, O=Let's Encrypt, C=US<S>CN=mail.heron.example\nTlsDomainCapabilities : {mail.protection.outlook.com:AcceptCloudServicesMail}\n\nIdentity : EXB\\Default Frontend EXB\nBindings : {0.0.0.0:25}\nTlsCertificateName :\nTlsDomainCapabilities : {}\n"
    result = findings(listeners=listeners)
    assert "K02" in result.findings[0].catalogue
    assert "'EXB\\Default Frontend EXB' -TlsCertificateName '<I>CN=R11" in commands(result)
    assert "-TlsDomainCapabilities 'mail.protection.outlook.com:AcceptCloudServicesMail'" in commands(result)
    assert "-Identity 'EXA" not in commands(result)


def test_a_listener_on_port_25_without_tls_among_its_mechanisms_is_said():
    listener = "Identity : EX\\From the cloud\nBindings : {0.0.0.0:25}\nAuthMechanism : ExternalAuthoritative\nTlsCertificateName : <I>CN=R11, O=Let's Encrypt, C=US<S>CN=mail.heron.example\n"
    trace = "Cannot connect to remote server [Message=451 5.7.3 STARTTLS is required to send mail]"
    result = findings(listener=listener, trace=trace)
    assert "K01" in result.findings[0].catalogue
    assert "-AuthMechanism 'Tls, ExternalAuthoritative'" in commands(result)
    assert not findings(listener=listener.replace(": External", ": Tls, External"), trace=trace).findings


LOCK = "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. [A.eop-eur06.prod.protection.outlook.com]"
FILTER = "Name : Only from filter\nConnectorType : Partner\nSenderDomains : {smtp:*;1}\nSenderIPAddresses : {192.0.2.10}\nRestrictDomainsToIPAddresses : True\nAssociatedAcceptedDomains : {}\n"


def test_a_restriction_is_held_to_the_domains_that_the_filter_stands_before():
    result = findings(
        bounce=LOCK,
        connector=FILTER,
        facts="Recipient: alerts@heron.onmicrosoft.com.\nMX of heron.example is the filter.\n",
    )
    assert "G05" in result.findings[0].catalogue
    assert "-AssociatedAcceptedDomains heron.example" in commands(result)
    assert not findings(bounce=LOCK, connector=FILTER, facts="Recipient: alerts@heron.example.\n").findings


def test_the_exception_from_a_restriction_is_an_identity():
    allow = "\nName : Allow vendor\nConnectorType : Partner\nSenderDomains : {smtp:vendor.example;1}\nSenderIPAddresses : {}\nRestrictDomainsToIPAddresses : False\n"
    result = findings(bounce=LOCK, connector=FILTER + allow, words="Its certificate is CN=mta.vendor.example.")
    assert "-TlsSenderCertificateName mta.vendor.example" in commands(result)
    assert result.findings[0].confidence == "medium", "somebody says so"


def test_two_faults_on_the_two_sides_are_two_findings_that_need_each_other():
    sending = "AddressSpaces : {SMTP:*;1}\nSmartHosts : {mail.global.frontbridge.com}\nDNSRoutingEnabled : False\nTlsCertificateName :\n"
    result = findings(
        send=sending,
        tenant="Get-InboundConnector\n(no output)\n",
        bounce="550 5.4.1 Relay Access Denied",
        dns="heron-example.mail.protection.outlook.com. 10 IN A 203.0.113.36\n",
    )
    assert {each.rule for each in result.findings} == {"no-inbound-connector", "legacy-smart-host"}
    assert all(each.confidence == "medium" for each in result.findings)
    assert result.findings[0].together_with == (result.findings[1].rule,)


def test_a_connector_that_names_nobody_is_said():
    empty = (
        "Name : HQ\nEnabled : True\nConnectorType : OnPremises\nSenderIPAddresses : {}\nTlsSenderCertificateName :\n"
    )
    refused = "550 5.7.64 TenantAttribution; Relay Access Denied [A.PROD.OUTLOOK.COM]"
    assert "O04" in findings(connector=empty, bounce=refused).findings[0].catalogue
    assert not [
        f
        for f in findings(connector=empty.replace("{}", "{198.51.100.7}"), bounce=refused).findings
        if "O04" in f.catalogue
    ]


def test_a_certificate_in_the_web_hosting_store_is_said_where_transport_finds_none():
    log = "Store with CertificateStore... adding certificate to store WebHosting\n"
    queue = "LastError : 454 4.7.5 The certificate specified in TlsCertificateName of the SendConnector could not be found.\n"
    assert "O05" in findings(log=log, queue=queue).findings[0].catalogue
    assert not findings(log=log).findings


def test_a_list_of_another_digest_knows_no_client():
    settings = "compatibility_level = 3.6\nmynetworks = 127.0.0.0/8\nmyhostname = hub.heron.example\n"
    listed = "B5:3A:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE branch\n"
    log = "Mar  3 14:22:08 hub postfix/smtpd[41]: NOQUEUE: reject: RCPT from branch.heron.example[192.0.2.7]: 554 5.7.1 <a@x.example>: Relay access denied; from=<b@heron.example> to=<a@x.example> proto=ESMTP helo=<branch>\n"
    result = findings(postconf=settings, clients=listed, log=log)
    assert "O15" in result.findings[0].catalogue
    assert "smtpd_tls_fingerprint_digest=md5" in commands(result)
    old = findings(postconf=settings.replace("3.6", "2"), clients=listed, log=log)
    assert "O15" not in old.findings[0].catalogue
