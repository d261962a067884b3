"""Each kind of evidence is read for what it tells, in the forms in which people hand it in."""

# ruff: noqa: E501 - evidence is as long as it is

from textwrap import dedent

import pytest

from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.reading import Collection, read_octets

EOP = "AM3EUR05FT012.eop-eur05.prod.protection.outlook.com"


def read(text: str | bytes, name: str = "x.txt") -> EvidenceBundle:
    collection = Collection()
    read_octets(name, text if isinstance(text, bytes) else dedent(text).encode(), collection)
    return collection.bundle()


# --- replies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "enhanced"),
    [
        ("550 5.7.64 TenantAttribution; Relay Access Denied", 550, "5.7.64"),
        ('Expected response code 250 but got code "550", with message "550 5.7.64 TenantAttribution; x', 550, "5.7.64"),
        ("Mailbox unavailable. The server response was: 5.7.64 TenantAttribution; Relay Access Denied", 500, "5.7.64"),
        ("(550, b'5.7.64 TenantAttribution; Relay Access Denied [A.B.PROD.OUTLOOK.COM]')", 550, "5.7.64"),
        ("msmtp: errormsg='recipient address x not accepted; 550 5.7.64 TenantAttribution'", 550, "5.7.64"),
        ("#550 5.7.64 TenantAttribution; Relay Access Denied SMTP ##", 550, "5.7.64"),
        ("550 Relayzugriff verweigert 5.7.64 SMTP", 550, "5.7.64"),
        ("421 wörter dazwischen 4.4.2 Verbindung", 421, "4.4.2"),
        ("451 5.7.3 STARTTLS is required to send mail", 451, "5.7.3"),
        ("we get 5.7.64 since yesterday", 500, "5.7.64"),
        ("554 5.7.1 <r@x.example>: Relay access denied", 554, "5.7.1"),
        ("550 5.7.64 リレー アクセス拒否 SMTP", 550, "5.7.64"),
    ],
)
def test_a_reply_is_found_whatever_wraps_it(text, code, enhanced):
    (reply,) = read(text).replies
    assert (reply.code, reply.enhanced) == (code, enhanced)


@pytest.mark.parametrize(
    "text",
    ["Postfix 3.7.11 on Debian", "the 550 users", "10.5.7.1 is the server", "Version 15.1.2507.6", "at 5.7.2026"],
)
def test_numbers_that_are_no_replies_are_left_alone(text):
    assert not read(text).replies


def test_the_trailer_tells_who_refused_when_and_which_session():
    (reply,) = read(f"550 5.7.64 x [{EOP} 2026-01-06T03:22:22.000Z 08DE0001A2B3C4D5] and more words").replies
    assert (reply.trailer_host, reply.trailer_id, reply.said_by) == (EOP, "08DE0001A2B3C4D5", EOP)
    assert reply.trailer_at.at == 1767669742.0
    assert "more words" not in reply.text


def test_a_trailer_without_its_closing_bracket_is_read():
    (reply,) = read(f"550 5.7.64 x [{EOP}").replies
    assert reply.trailer_host == EOP


def test_a_quoted_reply_is_told_apart_from_the_one_that_quotes_it():
    outer, inner = read(
        '451 4.4.0 Primary target IP address responded with: "451 5.7.3 STARTTLS is required to send mail." Attempted failover to alternate host'
    ).replies
    assert (outer.enhanced, outer.inner) == ("4.4.0", False)
    assert (inner.enhanced, inner.inner) == ("5.7.3", True)


def test_attr_is_kept_apart():
    (reply,) = read(
        "550 5.7.64 Relay Access Denied ATTR36. For more details please refer to: https://x/kb/3169958"
    ).replies
    assert reply.attr == "ATTR36"


# --- bounces -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "label",
    ["Generating server:", "Serveur de génération :", "Server di generazione:", "Generierender Server:", "Bronserver:"],
)
def test_a_pasted_bounce_tells_server_recipient_and_remote_host_in_any_language(label):
    (reply,) = read(
        f"""
        Diagnostic information:

        {label} ex1.contoso.example

        bob@far.example
        contoso-example.mail.protection.outlook.com
        Remote Server returned '<#550 5.7.64 TenantAttribution; Relay Access Denied
        [{EOP}]>'

        Original message headers:
        """
    ).replies
    assert (reply.quoted_by, reply.forward_path) == ("ex1.contoso.example", "bob@far.example")
    assert (reply.kind, reply.trailer_host) == ("ndr", EOP)


def test_a_bounce_as_a_message_is_taken_apart_and_its_lines_keep_their_numbers():
    text = f"""\
        Return-Path: <>
        Received: from a by b
        Subject: =?utf-8?q?Unzustellbar=3A_x?=
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="b1"

        --b1
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        Ihre Nachricht konnte nicht zugestellt werden.

        #550 5.7.64 TenantAttribution; Relay Acc=
        ess Denied [{EOP}]

        --b1
        Content-Type: message/delivery-status

        Reporting-MTA: dns;ex1.contoso.example

        Final-Recipient: rfc822;bob@far.example
        Action: failed
        Status: 5.7.64
        Diagnostic-Code: smtp;550 5.7.64 TenantAttribution; Relay Access Denied
         [{EOP}]
        Remote-MTA: dns;{EOP}

        --b1--
        """
    plain, status = sorted(read(text, "bounce.eml").replies, key=lambda each: each.source)
    assert (plain.source.line, status.source.line) == (13, 24)
    assert plain.trailer_host == EOP
    assert (status.quoted_by, status.forward_path, status.said_by) == ("ex1.contoso.example", "bob@far.example", EOP)


# --- SmtpSend ----------------------------------------------------------------------------------------------------

PREFIX = "2026-03-02T08:00:01.{n:03d}Z,Out to O365,08DE0001A2B3C4D5,{n},10.0.0.4:5011,203.0.113.36:25,"
DN = 'CN=mail.contoso.example, O=""Contoso, Inc."", S=Dubai, C=AE'
THUMBPRINT = "6F1B2C3D4E5F60718293A4B5C6D7E8F901234567"
GENERATIONS = {
    "one row per attribute": [
        "*,,Sending certificate",
        f'*,"{DN}",Certificate subject',
        '*,"CN=Some CA, O=CA",Certificate issuer name',
        "*,0A1B2C3D,Certificate serial number",
        f"*,{THUMBPRINT},Certificate thumbprint",
        "*,mail.contoso.example;contoso.example,Certificate alternate names",
    ],
    "labels joined": [
        f'*," {DN} CN=Some CA, O=CA 0A1B2C3D {THUMBPRINT} mail.contoso.example;contoso.example",Sending certificate Certificate subject Certificate issuer name Certificate serial number Certificate thumbprint Certificate subject alternate names'
    ],
    "with dates": [
        f'*," {DN} CN=Some CA, O=CA 0A1B2C3D {THUMBPRINT} 2026-03-01T00:00:00.000Z 2027-03-01T23:59:59.000Z mail.contoso.example;contoso.example",Sending certificate Subject Issuer name Serial number Thumbprint Not before Not after Subject alternate names'
    ],
}


def send_log(*rows: str, header: bool = True) -> str:
    lines = ["#Software: Microsoft Exchange Server", "#Log-Type: SMTP Send Protocol Log"] if header else []
    if header:
        lines.append(
            "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context"
        )
    return "\r\n".join([*lines, *(PREFIX.format(n=n) + row for n, row in enumerate(rows))]) + "\r\n"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_certificate_of_every_generation_of_send_logs_is_read(generation):
    (session,) = read(send_log(">,STARTTLS,", "<,220 2.0.0 SMTP server ready,", *GENERATIONS[generation])).sessions
    certificate = session.sent_certificate
    assert certificate.subject.common_name == "mail.contoso.example"
    assert certificate.subject.organization == "Contoso, Inc."
    assert ("ST", "Dubai") in certificate.subject.attributes
    assert certificate.issuer.common_name == "Some CA"
    assert (certificate.serial, certificate.thumbprint) == ("0A1B2C3D", THUMBPRINT)
    assert certificate.names == ("mail.contoso.example", "contoso.example")


REFUSED = (
    "+,,",
    '<,"220 AM.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at Mon, 2 Mar 2026",',
    ">,EHLO mail.contoso.example,",
    "<,250  AM.mail.protection.outlook.com Hello [198.51.100.7] SIZE 157286400 PIPELINING STARTTLS,",
    ">,STARTTLS,",
    "<,220 2.0.0 SMTP server ready,",
    *GENERATIONS["with dates"],
    "*,,TLS protocol SP_PROT_TLS1_2_CLIENT negotiation succeeded using bulk encryption algorithm CALG_AES_256",
    ">,EHLO mail.contoso.example,",
    "<,250  AM.mail.protection.outlook.com Hello [198.51.100.7] SIZE 157286400,",
    ">,MAIL FROM:<ann@contoso.example> SIZE=100,",
    ">,RCPT TO:<bob@far.example>,",
    "<,250 2.1.0 Sender OK,",
    f"<,550 5.7.64 TenantAttribution; Relay Access Denied [{EOP} 2026-03-02T08:00:01.121Z 08DE0001A2B3C4D5],",
    "-,,Remote",
)


def test_a_session_is_joined_with_stages_although_commands_were_pipelined():
    bundle = read(send_log(*REFUSED))
    (session,) = bundle.sessions
    assert (session.hello_address, session.ehlo_name, session.starttls_offered) == (
        "198.51.100.7",
        "mail.contoso.example",
        True,
    )
    assert (session.reverse_path, session.forward_paths) == ("ann@contoso.example", ("bob@far.example",))
    assert (session.accepted, session.ended, session.connector) == (False, "Remote", "Out to O365")
    assert (session.tls.protocol, session.tls.client_certificate_sent) == ("TLSv1.2", True)
    assert "STARTTLS" in session.keywords
    assert "STARTTLS" not in session.keywords_after_tls
    (refusal,) = bundle.replies
    assert (refusal.stage, refusal.forward_path, refusal.source.line) == ("rcpt", "bob@far.example", 17)
    assert [item.kind for item in bundle.read] == ["exchange-send-log"]


def test_rows_pasted_as_one_paragraph_with_a_lost_year_digit_and_smart_quotes_are_read():
    text = (
        send_log(*REFUSED, header=False).replace("\r\n", " ").replace('"', "“").replace("2026-03-02T08", "026-03-02T08")
    )
    (session,) = read(text).sessions
    assert session.hello_address == "198.51.100.7"
    assert session.refusal.enhanced == "5.7.64"
    assert session.sent_certificate.thumbprint == THUMBPRINT


def test_rows_with_blanked_endpoints_and_a_lost_comma_are_read():
    text = send_log(
        "*,,Sending certificate",
        "*,CN=mail.contoso.example Certificate subject",
        f"*,{THUMBPRINT},Certificate thumbprint",
        "*,,TLS negotiation failed with error NoCredentials",
        header=False,
    ).replace("10.0.0.4:5011,203.0.113.36:25", ",")
    (session,) = read(text).sessions
    assert session.sent_certificate.subject.common_name == "mail.contoso.example"
    assert (session.tls.failure, session.tls.established) == ("NoCredentials", False)


def test_a_receive_log_tells_that_no_client_certificate_came():
    text = send_log(
        "+,,",
        ">,220 ex1.contoso.example Microsoft ESMTP,",
        "<,EHLO x.outbound.protection.outlook.com,",
        ">,250  ex1.contoso.example Hello [40.107.0.1] SIZE 37748736 X-ANONYMOUSTLS,",
        "*,,Client certificate chain validation status: 'EmptyCertificate'",
        "<,MAIL FROM:<a@b.example>,",
        ">,451 5.7.3 STARTTLS is required to send mail,",
    ).replace("SMTP Send", "SMTP Receive")
    (session,) = read(text).sessions
    assert session.log == "receive"
    assert session.starttls_offered is False
    assert (session.tls.chain_status, session.tls.client_certificate_sent) == ("EmptyCertificate", False)
    assert session.refusal.stage == "mail"


def test_a_session_in_two_files_is_one():
    collection = Collection()
    rows = send_log(*REFUSED).split("\r\n")
    read_octets("SEND1.log", "\r\n".join(rows[:10]).encode(), collection)
    read_octets("SEND2.log", "\r\n".join(rows[:3] + rows[10:]).encode(), collection)
    (session,) = collection.bundle().sessions
    assert session.hello_address == "198.51.100.7"
    assert session.refusal.enhanced == "5.7.64"


# --- exports -----------------------------------------------------------------------------------------------------


def test_format_list_is_read_with_its_wrapped_values():
    bundle = read(
        """
        [PS] C:\\>Get-SendConnector "Outbound to Office 365" | fl

        Name                         : Outbound to Office 365
        TlsCertificateName           : <I>CN=DigiCert TLS RSA SHA256 2020 CA1, O=DigiCert Inc,
                                       C=US<S>CN=mail.contoso.example, O=Contoso
        SmartHosts                   : {[contoso-example.mail.protection.outlook.com]}
        RequireTLS                   : True
        Fqdn                         :

        Identity                     : Inbound from 1234
        ConnectorType                : OnPremises
        SenderIPAddresses            : {198.51.100.7, 198.51.100.8...}
        TlsSenderCertificateName     : *.contoso.example
        Enabled                      : False
        """
    )
    (send,) = bundle.send_connectors
    issuer, subject = send.certificate_issuer_and_subject
    assert (issuer.common_name, subject.common_name) == ("DigiCert TLS RSA SHA256 2020 CA1", "mail.contoso.example")
    assert send.smart_hosts == ("contoso-example.mail.protection.outlook.com",)
    assert (send.flag("requiretls"), send.fqdn) == (True, "")
    (inbound,) = bundle.inbound_connectors
    assert (inbound.name, inbound.enabled, inbound.connector_type) == ("Inbound from 1234", False, "onpremises")
    assert inbound.addresses == ("198.51.100.7", "198.51.100.8")
    assert inbound.truncated("SenderIPAddresses")


def test_json_exports_are_read_one_by_one_and_in_arrays():
    bundle = read(
        """
        [{"Name": "From office", "ConnectorType": "OnPremises", "Enabled": true, "SenderIPAddresses": ["198.51.100.7"],
          "TlsSenderCertificateName": null},
         {"DomainName": "contoso.example", "DomainType": "Authoritative", "Name": "contoso.example"}]
        """,
        "export.json",
    )
    (inbound,) = bundle.inbound_connectors
    assert (inbound.enabled, inbound.addresses, inbound.certificate_name) == (True, ("198.51.100.7",), "")
    assert bundle.accepted_domains[0].domain == "contoso.example"


def test_csv_exports_keep_that_they_lost_their_arrays():
    (inbound,) = read(
        '"Name","ConnectorType","Enabled","SenderIPAddresses"\n'
        '"A","Partner","True","Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]"\n'
    ).inbound_connectors
    assert inbound.connector_type == "partner"
    assert inbound.truncated("SenderIPAddresses")
    assert inbound.addresses == ()


def test_tables_are_read_by_their_columns():
    bundle = read(
        """
        Name              DomainName        DomainType    Default
        ----              ----------        ----------    -------
        Contoso           contoso.example   Authoritative True
        Sub               sub.b.example     InternalRelay False

        Thumbprint                                Services   Subject
        ----------                                --------   -------
        6F1B2C3D4E5F60718293A4B5C6D7E8F901234567  IP.WS..    CN=mail.contoso.example, O=Con...
        A01B2C3D4E5F60718293A4B5C6D7E8F901234567  ...W...    CN=old.contoso.example
        """
    )
    assert [each.domain for each in bundle.accepted_domains] == ["contoso.example", "sub.b.example"]
    first, second = bundle.certificates
    assert (first.smtp_bound, second.smtp_bound) == (True, False)
    assert first.subject.common_name == "mail.contoso.example"


def test_clixml_is_read_and_entities_are_not_expanded():
    text = """\
        <Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0">
        <TN RefId="0"><T>Deserialized.SmtpSendConnectorConfig</T></TN><ToString>Out</ToString><Props>
        <S N="Name">Out</S><B N="CloudServicesMailEnabled">true</B><Nil N="TlsDomain" />
        <Obj N="TlsCertificateName" RefId="1"><ToString>&lt;I&gt;CN=CA&lt;S&gt;CN=mail.contoso.example</ToString>
        <Props><S N="CertificateSubject">CN=mail.contoso.example</S><S N="CertificateIssuer">CN=CA</S></Props></Obj>
        <Obj N="SmartHosts" RefId="2"><LST><S>contoso-example.mail.protection.outlook.com</S></LST></Obj>
        </Props></Obj></Objs>"""
    (connector,) = read(text, "send.xml").send_connectors
    assert connector.certificate_issuer_and_subject[1].common_name == "mail.contoso.example"
    assert connector.smart_hosts == ("contoso-example.mail.protection.outlook.com",)
    assert connector.flag("CloudServicesMailEnabled") is True
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    )
    assert not read(f"{bomb}]><Objs Version='1'>&j;</Objs>").send_connectors


def test_a_list_that_was_shown_and_is_empty_is_evidence():
    (command,) = read(
        "[PS] C:\\>Get-InboundConnector\n[PS] C:\\>Get-AcceptedDomain | ft\n\nName DomainName\n"
    ).cmdlets_empty
    assert command.command == "Get-InboundConnector"


def test_exchange_certificates_as_a_list_are_read():
    (certificate,) = read(
        """
        CertificateDomains : {mail.contoso.example, autodiscover.contoso.example}
        HasPrivateKey      : False
        IsSelfSigned       : False
        Issuer             : CN=R12, O=Let's Encrypt, C=US
        NotAfter           : 5/31/2026 3:12:29 AM
        RootCAType         : ThirdParty
        SerialNumber       : 0A1B2C3D
        Services           : IIS
        Status             : RevocationCheckFailure
        Subject            : CN=mail.contoso.example
        Thumbprint         : 6F1B2C3D4E5F60718293A4B5C6D7E8F901234567
        """
    ).certificates
    assert (certificate.has_private_key, certificate.smtp_bound, certificate.status) == (
        False,
        False,
        "RevocationCheckFailure",
    )
    assert certificate.names == ("mail.contoso.example", "autodiscover.contoso.example")
    assert certificate.root_type == "ThirdParty"
    assert certificate.not_after.at == 1780197149.0


# --- Exchange's other evidence -----------------------------------------------------------------------------------


def test_a_queues_last_error_is_taken_apart():
    bundle = read(
        f"LastError : [{{LED=450 4.4.317 Cannot connect to remote server [Message=UntrustedRoot] [LastAttemptedIP=1.2.3.4:25] -> 550 5.7.64 x [{EOP}]}};{{MSG=}};{{FQDN=mail.contoso.example}};{{IP=1.2.3.4}};{{LRT=6/10/2026 8:01:02 AM}}]"
    )
    (error,) = bundle.queue_errors
    assert (error.fqdn, error.address) == ("mail.contoso.example", "1.2.3.4")
    assert ("Message", "UntrustedRoot") in error.details
    assert error.inner.startswith("550 5.7.64")
    assert [each.enhanced for each in bundle.replies] == ["4.4.317", "5.7.64"]


def test_an_event_keeps_its_number_source_and_message():
    (event,) = read(
        """
        Log Name:      Application
        Source:        MSExchangeTransport
        Event ID:      12014
        Computer:      EX1.contoso.example
        Description:
        Microsoft Exchange could not find a certificate that contains the domain name <I>CN=a<S>CN=b in the personal store.
        """
    ).events
    assert (event.event_id, event.provider, event.server) == (12014, "MSExchangeTransport", "EX1.contoso.example")
    assert "<I>CN=a<S>CN=b" in event.message


def test_health_checker_and_wizard_tables_are_read():
    bundle = read(
        """
        Exchange Health Checker version 24.01
            Connector Name: Outbound to Office 365
            Certificate Found On Server: False
            TlsCertificateName Status: TlsCertificateNameNotFound

        Set-InboundConnector -Identity 'Inbound from 1234'
        Name                      Equals  Expected              Actual
        TlsSenderCertificateName  False   *.contoso.example     mail.contoso.example
        """
    )
    assert ("Certificate Found On Server", "False") in [(each.label, each.value) for each in bundle.health]
    (row,) = bundle.hcw
    assert (row.property_name, row.equals, row.expected, row.actual) == (
        "TlsSenderCertificateName",
        False,
        "*.contoso.example",
        "mail.contoso.example",
    )


# --- Postfix and others ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", ["2026-03-02T04:17:20.551004+00:00", "Mar  2 04:17:20"])
@pytest.mark.parametrize("queue_id", ["C2D4E80123", "4fBz6h2Q7Lz1w"])
def test_postfix_lines_are_read_in_both_stamps_and_both_queue_ids(stamp, queue_id):
    bundle = read(
        f"""\
        {stamp} gw postfix/qmgr[1]: {queue_id}: from=<>, size=100, nrcpt=1 (queue active)
        {stamp} gw postfix/smtp[9]: Untrusted TLS connection established to r.example[192.0.2.80]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256
        {stamp} gw postfix/smtp[9]: {queue_id}: to=<a@far.example>, relay=r.example[192.0.2.80]:25, delay=1, delays=0/0/1/0, dsn=5.7.64, status=bounced (host r.example[192.0.2.80] said: 550 5.7.64 TenantAttribution; Relay Access Denied [r.example] (in reply to RCPT TO command))
        """
    )
    (reply,) = bundle.replies
    assert (reply.stage, reply.queue_id, reply.reverse_path, reply.said_by_address) == (
        "rcpt",
        queue_id,
        "",
        "192.0.2.80",
    )
    (line,) = bundle.postfix_tls
    assert (line.trust, line.client_certificate_sent, line.process) == ("Untrusted", False, 9)


def test_postfixs_own_refusal_is_told_apart():
    (reject,) = read(
        "Jun  9 08:00:02 gw postfix/smtpd[911]: NOQUEUE: reject: RCPT from p.example[10.0.0.9]: 554 5.7.1 <b@far.example>: Relay access denied; from=<a@x.example> to=<b@far.example> proto=ESMTP helo=<p>"
    ).relay_rejects
    assert (reject.code, reject.client_address, reject.stage, reject.helo) == (554, "10.0.0.9", "rcpt", "p")
    assert (reject.reverse_path, reject.forward_path) == ("a@x.example", "b@far.example")


def test_settings_of_postfix_are_read_with_their_service():
    bundle = read(
        """\
        smtp_tls_security_level = may
        relayhost = [r.example]:25
        eop       unix  -       -       n       -       -       smtp
          -o smtp_tls_cert_file=/etc/ssl/c.pem
        """
    )
    assert bundle.postfix_setting("smtp_tls_security_level").value == "may"
    assert bundle.postfix_setting("smtp_tls_cert_file", "eop/unix").value == "/etc/ssl/c.pem"


def test_exims_refusal_is_read():
    bundle = read(
        "2026-03-02 04:11:07 1tABCD-000000001Ab-2c3d ** bob@far.example R=smart T=remote_smtp H=r.example [192.0.2.80] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes: SMTP error from remote mail server after RCPT TO:<bob@far.example>: 550 5.7.64 TenantAttribution; Relay Access Denied"
    )
    assert (bundle.replies[0].stage, bundle.replies[0].said_by_address) == ("rcpt", "192.0.2.80")
    assert bundle.exim[0].tls.startswith("TLS1.3")


@pytest.mark.parametrize(
    "text",
    [
        "=== Connected to r.example.\n<-  220 r.example ESMTP\n -> EHLO x\n<-  250-r.example Hello [198.51.100.7]\n<-  250 STARTTLS\n -> MAIL FROM:<>\n<-  250 2.1.0 Ok\n -> RCPT TO:<b@far.example>\n<** 550 5.7.64 TenantAttribution; Relay Access Denied\n",
        "220 r.example ESMTP\nehlo x\n250-r.example Hello [198.51.100.7]\n250 STARTTLS\nmail from:<>\n250 2.1.0 Ok\nrcpt to:<b@far.example>\n550 5.7.64 TenantAttribution; Relay Access Denied\n",
    ],
    ids=["swaks", "telnet"],
)
def test_dialogues_are_read_as_sessions(text):
    (session,) = read(text).sessions
    assert (session.log, session.reverse_path, session.forward_paths) == ("transcript", "", ("b@far.example",))
    assert session.refusal.stage == "rcpt"
    assert session.starttls_offered is True


# --- certificates and tools --------------------------------------------------------------------------------------


def test_openssl_text_is_read_with_purposes_and_names():
    (certificate,) = read(
        """\
        Certificate:
            Data:
                Serial Number:
                    03:0a:1b:2c
                Signature Algorithm: sha256WithRSAEncryption
                Issuer: C = US, O = Let's Encrypt, CN = R12
                Validity
                    Not Before: Mar  2 03:12:30 2026 GMT
                    Not After : May 31 03:12:29 2026 GMT
                Subject:
                X509v3 extensions:
                    X509v3 Key Usage: critical
                        Digital Signature
                    X509v3 Extended Key Usage:
                        TLS Web Server Authentication
                    X509v3 Subject Alternative Name: critical
                        DNS:mta1.curlew.example, DNS:*.curlew.example
        """,
        "new-leaf.txt",
    ).certificates
    assert certificate.subject.attributes == ()
    assert certificate.issuer.common_name == "R12"
    assert certificate.purposes == ("serverAuth",)
    assert certificate.key_usage == ("digitalSignature",)
    assert certificate.names == ("mta1.curlew.example", "*.curlew.example")
    assert (certificate.serial, certificate.role) == ("030A1B2C", "new")


def test_verdicts_on_chains_are_read_with_their_depth():
    bundle = read(
        "depth=0 CN = a\nverify error:num=20:unable to get local issuer certificate\n    Verify return code: 21 (unable to verify the first certificate)\n"
        "error 26 at 1 depth lookup: unsuitable certificate purpose\n"
    )
    assert [(each.code, each.depth) for each in bundle.verifications] == [(20, 0), (21, None), (26, 1)]


def test_pem_is_read(tmp_path):
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.contoso.example")])
    at = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0xABC)
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("MAIL.contoso.example")]), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    for octets in (pem.encode(), certificate.public_bytes(serialization.Encoding.DER), pem.encode("utf-16")):
        (found,) = read(octets, "old.pem").certificates
        assert (found.serial, found.purposes, found.self_signed, found.role) == ("ABC", ("serverAuth",), True, "old")
        assert found.names == ("mail.contoso.example",)


def test_dns_answers_and_renewal_logs_are_read():
    bundle = read(
        """\
        ;; ANSWER SECTION:
        contoso.example.  300 IN MX 10 contoso-example.mail.protection.outlook.com.

        2026-03-02 04:11:07,220:INFO:certbot._internal.renewal:Congratulations, all renewals succeeded: /etc/letsencrypt/live/mta1.curlew.example/fullchain.pem (success)
        """
    )
    assert bundle.dns[0].values == ("10 contoso-example.mail.protection.outlook.com",)
    assert (bundle.certbot[0].succeeded, bundle.certbot[0].names) == (True, ("mta1.curlew.example",))


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "topic"),
    [
        ("We renewed the certificate on Monday.", "renewed-certificate"),
        ("Das Zertifikat wurde letzte Woche erneuert.", "renewed-certificate"),
        ("Firewall got a second line last week.", "changed-network"),
        ("Random failures, about every third mail.", "intermittent"),
        ("Only out of office replies bounce.", "only-null-sender"),
        ("We ran the HCW again yesterday.", "ran-hcw"),
        ("Internal mail works fine.", "internal-works"),
        ("Our colleague says it is IPv6.", "reported-cause"),
        ("Mails hang in the queue on EX1.", "queues"),
    ],
)
def test_words_give_topics(sentence, topic):
    assert topic in [each.topic for each in read(sentence).prose if not each.negated]


def test_a_denied_change_is_no_change():
    facts = [each for each in read("We did not renew the certificate.").prose if each.topic == "renewed-certificate"]
    assert all(each.negated for each in facts)


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "because"),
    [(b"PK\x03\x04xxx", "zip"), (b"%PDF-1.7", "PDF"), (b"\x00" * 50, "empty"), (b"\x89PNG..", "picture")],
)
def test_what_cannot_be_used_is_said(octets, because):
    (unread,) = read(octets).unread
    assert because in unread.because


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_any_encoding_is_read(encoding):
    text = "Seit gestern für alle: 550 5.7.64 TenantAttribution; Relay Access Denied"
    (reply,) = read(text.encode(encoding)).replies
    assert reply.enhanced == "5.7.64"


def test_a_quoted_mail_is_read_without_its_marks():
    bundle = read("> TlsSenderCertificateName : mail.contoso.example\n> Enabled : True\n> ConnectorType : OnPremises\n")
    assert bundle.inbound_connectors[0].certificate_name == "mail.contoso.example"


def test_one_property_asked_for_by_an_expression_is_read():
    (connector,) = read(
        '[PS] C:\\>(Get-SendConnector "Outbound to Office 365").TlsCertificateName\n<I>CN=R10, O=CA<S>CN=mail.contoso.example\n'
    ).send_connectors
    assert connector.name == "Outbound to Office 365"
    assert connector.certificate_issuer_and_subject[0].common_name == "R10"


def test_values_within_sentences_are_read():
    bundle = read(
        "Our inbound connector has TlsSenderCertificateName = mail.contoso.example and is fine.\n"
        "Accepted domains: contoso.example, fabrikam.example.\n"
    )
    assert bundle.inbound_connectors[0].certificate_name == "mail.contoso.example"
    assert [each.domain for each in bundle.accepted_domains] == ["contoso.example", "fabrikam.example"]


def test_a_command_that_sets_a_value_is_not_a_connector():
    assert not read(
        "Set-InboundConnector -Identity x -TlsSenderCertificateName mail.contoso.example"
    ).inbound_connectors


def test_a_mails_header_fields_are_no_words_and_do_not_hide_those_below():
    bundle = read("From: Jo\nTo: Al\nSubject: since we renewed the certificate\nOnly out of office replies bounce.\n")
    assert {"only-null-sender", "renewed-certificate"} <= {each.topic for each in bundle.prose}
    assert "only-internal" not in {each.topic for each in bundle.prose}


def test_a_refusal_of_gateposts_tells_its_reason_code():
    (verdict,) = read(
        "550 5.7.64 TenantAttribution; Relay Access Denied; certificate-name-matches-no-connector x [relay.example.net 2026-06-07T08:09:10.123Z 08DCAABBCCDDEEFF]"
    ).verdicts
    assert verdict.reasons[0][0] == "certificate-name-matches-no-connector"
    assert verdict.session_id == "08DCAABBCCDDEEFF"


def test_reasons_in_gateposts_own_log_belong_to_their_session():
    bundle = read(
        send_log(
            "*,refused,attribution of bob@far.example",
            "*,certificate-expired,the certificate expired yesterday",
            "*,address-not-in-range,198.51.100.7 is not listed",
        )
    )
    (verdict,) = bundle.verdicts
    assert [code for code, _, _ in verdict.reasons] == ["certificate-expired", "address-not-in-range"]


def test_message_tracking_is_searched_for_last_errors():
    (error,) = read(
        "#Log-type: Message Tracking Log\n#Fields: date-time,client-ip,recipient-status\n"
        '2026-03-02T08:00:01.100Z,10.0.0.4,"{[{LED=451 4.4.397 Error communicating with target host. -> 421 4.4.2 Connection dropped due to TimedOut};{MSG=};{FQDN=x.example};{IP=104.47.1.36};{LRT=3/2/2026 8:00:00 AM}]}"\n'
    ).queue_errors
    assert (error.inner, error.fqdn) == ("421 4.4.2 Connection dropped due to TimedOut", "x.example")


def test_a_handshakes_failure_quoted_without_its_row_is_read():
    (tls,) = read("On EX2 the log says: TLS negotiation failed with error NoCredentials").tls
    assert (tls.established, tls.failure) == (False, "NoCredentials")


def test_wizard_tables_with_equals_first_are_read():
    (row,) = read(
        "Equal | Name | Actual | Expected\nFalse | TlsCertificateName | <I>CN=R10<S>CN=a | <I>CN=R12<S>CN=a\n"
    ).hcw
    assert (row.property_name, row.equals, row.actual) == ("TlsCertificateName", False, "<I>CN=R10<S>CN=a")


def test_certutil_tells_provider_and_that_the_key_is_missing():
    (certificate,) = read(
        """
        ================ Certificate 1 ================
        Serial Number: 0a1b2c3d
        Issuer: CN=R12, O=Let's Encrypt, C=US
         NotBefore: 3/2/2026 3:12 AM
         NotAfter: 5/31/2026 3:12 AM
        Subject: CN=mail.contoso.example
        Cert Hash(sha1): 6f1b2c3d4e5f60718293a4b5c6d7e8f901234567
          Provider = Microsoft Software Key Storage Provider
        Missing stored keyset
        """
    ).certificates
    assert (certificate.thumbprint[:4], certificate.has_private_key) == ("6F1B", False)
    assert certificate.provider == "Microsoft Software Key Storage Provider"


def test_a_wizards_table_with_long_blanks_costs_no_more_than_others():
    head = "Name Equals Expected Actual\n"
    assert not read(head + ("Requ   " + " " * 40 + "x  " * 300 + "\n") * 30).hcw


def test_an_alert_of_many_words_costs_no_more_than_others():
    line = "Jun  9 08:00:02 gw postfix/smtp[9]: warning: TLS library problem: sslv3 alert " + "a " * 500 + "!"
    assert read(f"{line}\n" * 20).postfix_tls


@pytest.mark.parametrize(
    "text", ["expect:\n  cause: G10\n  fix: what the wizard wrote", 'first = "A01"\nceiling = "high"\n']
)
def test_what_a_cases_author_expects_is_no_evidence(text: str):
    bundle = read(text, "expect.yaml")
    assert [each.because for each in bundle.unread] == ["what the author of a case expects: no evidence"]
    assert not bundle.prose and not bundle.read


# --- forms, rows without a head, chains, clocks ------------------------------------------------------------------


def test_a_table_that_lost_its_rule_is_read_with_issuer_and_subject():
    (certificate,) = read(
        """
        Thumbprint                                Services   NotAfter     Issuer                       Subject
        1634577217CA125D6C0BE122C480B96753EF8CDE  ...WS..    2025-12-21   CN=R11, O=Let's Encrypt      CN=relay.x.example
        """
    ).certificates
    assert certificate.issuer.common_name == "R11"
    assert certificate.subject.common_name == "relay.x.example"
    assert certificate.smtp_bound


def test_rows_without_any_head_are_told_by_the_form_of_their_cells():
    bundle = read(
        """
        EX-C\\Default Frontend EX-C    EX-C    relay.x.example   <I>CN=R11, O=Let's Encrypt, C=US<S>CN=relay.x.example
        Outbound to Office 365 (C)    -       relay.x.example   <I>CN=R11, O=Let's Encrypt, C=US<S>CN=relay.x.example
        2634577217CA125D6C0BE122C480B96753EF8CDE  IP..S..   CN=R11, O=Let's Encrypt   CN=relay.x.example
        """
    )
    (receive,), (send,), (certificate,) = bundle.receive_connectors, bundle.send_connectors, bundle.certificates
    assert (receive.server, receive.text("Fqdn")) == ("EX-C", "relay.x.example")
    assert send.certificate_issuer_and_subject[0].common_name == "R11"
    assert certificate.issuer.common_name == "R11"


def test_a_fetched_certificate_knows_the_listener_and_the_clock_the_time():
    bundle = read(
        """
        $ openssl s_client -starttls smtp -connect mail.x.example:25 </dev/null | openssl x509 -noout -subject -dates
        subject=CN = mail.x.example
        notAfter=Sep 29 04:11:08 2021 GMT
        $ date -u
        Fri Oct  1 07:40:12 UTC 2021
        """
    )
    assert bundle.certificates[0].presented_by == "mail.x.example:25"
    assert bundle.clocks[0].at.at > bundle.certificates[0].not_after.at


def test_each_element_of_a_windows_chain_is_read_with_its_fault():
    bundle = read(
        """
        CertContext[0][0]: CN=mail.x.example          NotAfter: 26/01/2023
        CertContext[0][1]: CN=Old Root, O=Trust       NotAfter: 30/09/2021
          Element.dwErrorStatus = CERT_TRUST_IS_NOT_TIME_VALID (0x1)
        """
    )
    assert [each.depth for each in bundle.certificates] == [0, 1]
    assert (bundle.verifications[0].depth, bundle.verifications[0].subject) == (1, "CN=Old Root, O=Trust")


def test_the_admin_centres_form_is_a_connector():
    (connector,) = read(
        """
        From: Your organization's email server   To: Office 365
        By verifying that the IP address of the sending server matches: 10.0.0.14
        """
    ).inbound_connectors
    assert (connector.connector_type, connector.addresses) == ("onpremises", ("10.0.0.14",))


def test_a_mail_dialog_tells_host_port_and_login():
    (settings,) = read(
        "Outbound security: Basic authentication\nTCP port 587\nSmart host smtp.office365.com\n"
    ).submissions
    assert (settings.host, settings.port, settings.login) == ("smtp.office365.com", 587, True)
    (settings,) = read("SMTP server: relay.x.example  Port: 25  Username: (empty)\n").submissions
    assert (settings.host, settings.port, settings.login) == ("relay.x.example", 25, False)


def test_an_application_log_tells_the_envelope_after_the_reply():
    (reply,) = read(
        'code "550", with message "550 5.7.64 TenantAttribution; x\n" to=a@b.example from=100@localhost\n'
    ).replies
    assert (reply.reverse_path, reply.forward_path) == ("100@localhost", "a@b.example")


def test_output_said_to_be_none_is_empty_output():
    assert read("Get-InboundConnector\n(no output)\n").cmdlets_empty


def test_a_queues_connector_may_have_blanks_in_its_name():
    queue = (
        "Identity : EX\\1\nNextHopConnector : Outbound to Office 365 - 9d0c\nStatus : Retry\nLastError : 454 4.7.5 x\n"
    )
    assert read(queue).queue_errors[0].connector == "Outbound to Office 365 - 9d0c"


def test_iis_rows_are_read_without_their_head():
    line = "2020-06-03 08:15:22 192.0.2.1 OutboundConnectionResponse SMTPSVC1 APP - 25 - - 550+5.7.60+SMTP;+x 0 0 6 0\n"
    assert read(line).replies[0].enhanced == "5.7.60"


def test_a_value_one_column_to_the_left_is_not_cut_within_its_word():
    table = """
        Identity  DeliveryType               Status NextHopDomain                     LastError
        --------  ------------               ------ -------------                     ---------
        EX16\\52   SmartHostConnectorDelivery Retry x-example.mail.protecti... 454 4.7.5 The certificate could not be found.
        """
    assert read(table).queue_errors[0].last_error.startswith("454 4.7.5")
