"""Tables as consoles, portals, wikis and exports draw them; a column, a command or a heading says of which server."""

# ruff: noqa: E501, RUF001 - tables are as wide as they are

from textwrap import dedent

import pytest

from gatepost.doctor.reading import Collection, read_octets


def read(text: str, name: str = "x.txt"):
    collection = Collection()
    read_octets(name, dedent(text).encode(), collection)
    return collection.bundle()


ONE, OTHER = "5F1662761ACA8DECA50DEB35B351D426ED0B1E6D", "05788F04DE8CC52EBF4597A74A89D04B7A88D00D"
CERTIFICATES = {
    "rule": f"""\
        [PS] C:\\>Get-ExchangeCertificate | ft Thumbprint,Services,NotAfter,Subject

        Thumbprint                               Services NotAfter            Subject
        ----------                               -------- --------            -------
        {ONE} ...WS..  14.08.2031 01:59:59 CN=hub.tern.example
        {OTHER} ....S..  09.03.2032 10:11:52 CN=EXA

        [PS] C:\\>""",
    "aligned to the right": f"""\
        Thumbprint                                Services            NotAfter Subject
        ----------                                --------            -------- -------
        {ONE}   ...WS.. 14.08.2031 01:59:59 CN=hub.tern.example
        {OTHER}   ....S.. 09.03.2032 10:11:52 CN=EXA""",
    "head only in the command": f"""\
        [PS] C:\\>Get-ExchangeCertificate | ft Thumbprint,Services,NotAfter,Subject -HideTableHeaders

        {ONE}  ...WS..  14.08.2031 01:59:59  CN=hub.tern.example
        {OTHER}  ....S..  09.03.2032 10:11:52  CN=EXA""",
    "german heads of the console": f"""\
        Fingerabdruck                             Dienste   Gültig bis           Antragsteller
        {ONE}  ...WS..   14.08.2031 01:59:59  CN=hub.tern.example
        {OTHER}  ....S..   09.03.2032 10:11:52  CN=EXA""",
    "wiki": f"""\
        {{| class="wikitable"
        ! Thumbprint !! Services !! NotAfter !! Subject
        |-
        | {ONE} || ...WS.. || 14.08.2031 01:59:59 || CN=hub.tern.example
        |-
        | {OTHER} || ....S.. || 09.03.2032 10:11:52 || CN=EXA
        |}}""",
    "box drawing": f"""\
        ┌────────────┬──────────┬──────────┬─────────┐
        │ Thumbprint │ Services │ NotAfter │ Subject │
        ├────────────┼──────────┼──────────┼─────────┤
        │ {ONE} │ ...WS.. │ 14.08.2031 01:59:59 │ CN=hub.tern.example │
        │ {OTHER} │ ....S.. │ 09.03.2032 10:11:52 │ CN=EXA │
        └────────────┴──────────┴──────────┴─────────┘""",
    "html with layout around": f"""\
        <html><body><table><tr><td><p>Our certificates</p></td></tr></table>
        <table border=1><thead><tr><th>Thumbprint<th>Services<th>NotAfter<th>Subject</tr></thead>
        <tr><td>{ONE}</td><td>...WS..</td><td>14.08.2031&nbsp;01:59:59</td><td><b>CN=hub.tern.example</b></td></tr>
        <tr><td>{OTHER}</td>
            <td>....S..</td><td>09.03.2032 10:11:52</td><td>CN=EXA</td></tr></table></body></html>""",
}


@pytest.mark.parametrize("form", CERTIFICATES)
def test_a_store_is_read_however_it_is_drawn(form):
    found = read(CERTIFICATES[form]).certificates
    assert [each.thumbprint for each in found] == [ONE, OTHER]
    assert [each.smtp_bound for each in found] == [True, True]
    assert [each.subject.common_name for each in found] == ["hub.tern.example", "EXA"]
    assert [each.not_after.text[:10] for each in found] == ["14.08.2031", "09.03.2032"]


@pytest.mark.parametrize(
    "above",
    [
        "[PS] C:\\>Get-ExchangeCertificate -Server EXA",
        "EXA:",
        "On server EXA:",
        "Na serveru EXA:",
        "EXA: Get-ExchangeCertificate | ft",
    ],
)
def test_the_server_stands_above_the_table(above):
    found = read(
        f"{above}\n\nThumbprint                               Services Subject\n----------                               -------- -------\n{ONE} ...WS..  CN=hub.tern.example\n"
    ).certificates
    assert [each.server for each in found] == ["EXA"]


def test_a_column_names_the_server_of_each_row():
    found = read(
        f"""\
        PSComputerName Thumbprint                               Services
        -------------- ----------                               --------
        exa            {ONE} ...WS..
        exb            {OTHER} ....S..
        """
    ).certificates
    assert [(each.server, each.thumbprint) for each in found] == [("exa", ONE), ("exb", OTHER)]


def test_cells_that_the_console_wrapped_are_put_together():
    found = read(
        """\
        Identity                     Fqdn                     TlsCertificateName              TlsDomainCapabilities
        --------                     ----                     ------------------              ---------------------
        EXA\\Default Frontend EXA     EXA.corp.fjordlink.exam  <I>CN=GeoTrust TLS RSA CA G1,   {mail.protection.outlook.com:Ac
                                     ple                      OU=www.digicert.com, O=DigiCert ceptCloudServicesMail}
                                                              Inc, C=US<S>CN=hybrid.fjordlink
                                                              .example
        EXB\\Default Frontend EXB     EXB.corp.fjordlink.exam                                  {}
                                     ple
        """
    ).receive_connectors
    assert [each.fqdn if hasattr(each, "fqdn") else each.text("Fqdn") for each in found] == [
        "EXA.corp.fjordlink.example",
        "EXB.corp.fjordlink.example",
    ]
    issuer, subject = found[0].certificate_issuer_and_subject
    assert (issuer.common_name, subject.common_name) == ("GeoTrust TLS RSA CA G1", "hybrid.fjordlink.example")
    assert found[0].values("TlsDomainCapabilities") == ("mail.protection.outlook.com:AcceptCloudServicesMail",)
    assert found[1].text("TlsCertificateName") == ""


def test_two_tables_in_one_file_are_two_tables():
    bundle = read(
        f"""\
        Name,Enabled,ConnectorType,SenderIPAddresses
        Docks relay,True,OnPremises,198.51.100.76

        Thumbprint;Services;Subject
        {ONE};SMTP;CN=hub.tern.example
        """
    )
    assert [each.name for each in bundle.inbound_connectors] == ["Docks relay"]
    assert [each.thumbprint for each in bundle.certificates] == [ONE]


def test_issuer_and_subject_survive_where_html_took_them_for_markup():
    (connector,) = read(
        """\
        <html><body><table><tr><th>Name</th><th>TlsCertificateName</th><th>SmartHosts</th></tr><tr><td>Out</td>
        <td><I>CN=Sure CA, O=Sure, C=JP<S>CN=mail.tern.example, O=Tern</td><td>relay.tern.example</td></tr></table></body></html>"""
    ).send_connectors
    issuer, subject = connector.certificate_issuer_and_subject
    assert (issuer.common_name, subject.common_name) == ("Sure CA", "mail.tern.example")


# --- queues, traces, events ----------------------------------------------------------------------------------------


def test_a_queue_is_read_from_a_table():
    (error,) = read(
        """\
        Identity  Status MessageCount NextHopDomain              LastError
        --------  ------ ------------ -------------              ---------
        EXA\\482   Retry           305 tern.mail.example          451 4.7.0 Temporary server error. Please try again later
        EXA\\483   Ready             0 far.example
        """
    ).queue_errors
    assert (error.queue, error.status, error.message_count, error.next_hop) == (
        "EXA\\482",
        "Retry",
        305,
        "tern.mail.example",
    )


@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_a_message_trace_is_read_with_the_errors_of_its_queue(delimiter):
    text = delimiter.join(["Received", "Sender", "Recipient", "Status", "Detail"]) + "\n"
    text += (
        delimiter.join(["2031-03-03 07:44:10", "a@tern.example", "b@far.example", "Delivered", "250 2.0.0 Ok"]) + "\n"
    )
    text += delimiter.join(
        [
            "2031-03-03 08:06:31",
            "a@tern.example",
            "c@far.example",
            "Pending",
            '"Reason: [{LED=450 4.7.324 dnssec-invalid: no};{MSG=};{FQDN=far.mail.example};{IP=};{LRT=3/3/2031 8:06:31 AM}]"',
        ]
    )
    bundle = read(text)
    assert [(each.event, each.recipient) for each in bundle.traced] == [
        ("Delivered", "b@far.example"),
        ("Pending", "c@far.example"),
    ]
    assert [(each.enhanced, each.said_by) for each in bundle.replies] == [("4.7.324", "far.mail.example")]
    assert [each.fqdn for each in bundle.queue_errors] == ["far.mail.example"]


def test_events_are_read_from_a_table_and_from_the_viewers_csv():
    table = read(
        """\
        TimeCreated            Id LevelDisplayName Message
        -----------            -- ---------------- -------
        3/3/2031 8:06:31 AM 12014 Error            Microsoft Exchange could not find a certificate that contains the domain name x
        """
    ).events
    viewer = read(
        """\
        Level,Date and Time,Source,Event ID,Task Category
        Error,3/3/2031 8:06:31 AM,MSExchangeFrontEndTransport,12014,TransportService,"Microsoft Exchange could not find a certificate that contains the domain name x"
        """
    ).events
    assert [each.event_id for each in (*table, *viewer)] == [12014, 12014]
    assert viewer[0].provider == "MSExchangeFrontEndTransport"
    assert all("domain name x" in each.message for each in (*table, *viewer))


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Identidad : EX\\48\nTipoEntrega : SmartHostConnectorDelivery\nEstado : Retry\nRecuentoMensajes : 305\nUltimoError : 450 4.7.230 too old",
        "Identity：EX\\48\nDeliveryType：SmartHostConnectorDelivery\nStatus：Retry\nMessageCount：305\nLastError：450 4.7.230 too old",
    ],
    ids=["spanish", "full-width colons"],
)
def test_a_queues_list_is_read_in_another_language(text):
    (error,) = read(text).queue_errors
    assert (error.queue, error.message_count, error.status) == ("EX\\48", 305, "Retry")


def test_objects_that_a_string_was_made_of_are_read():
    (connector,) = read(
        "@{Name=From the docks; Enabled=True; ConnectorType=OnPremises; SenderIPAddresses={198.51.100.7, 198.51.100.8}}"
    ).inbound_connectors
    assert (connector.name, connector.addresses) == ("From the docks", ("198.51.100.7", "198.51.100.8"))


def test_yaml_lists_are_lists():
    (connector,) = read(
        "- Name: From the docks\n  ConnectorType: OnPremises\n  SenderIPAddresses:\n  - 198.51.100.7\n  - 198.51.100.8\n  Enabled: true\n"
    ).inbound_connectors
    assert connector.addresses == ("198.51.100.7", "198.51.100.8")
    assert connector.enabled is True


def test_a_head_that_was_lost_above_its_dashes_stands_in_the_command():
    found = read(
        f"""\
        [PS] C:\\>Get-ExchangeCertificate | ft Thumbprint,Services,NotAfter,Subject -AutoSize

        ----------                               --------  --------              -------
        {ONE} ...WS..   11/14/2031 11:59:59 PM CN=hub.tern.example, O=Tern
        {OTHER} IP.....   11/20/2031 11:59:59 PM CN=mail.tern.example, O=Tern
        """
    ).certificates
    assert [(each.thumbprint, each.smtp_bound) for each in found] == [(ONE, True), (OTHER, False)]


def test_of_a_table_without_a_head_no_part_is_taken_for_the_whole():
    found = read(
        f"""\
        [PS] C:\\>Get-ExchangeCertificate | select Services,FriendlyName

        ...WS..  {ONE}
        IP..... {OTHER} and more
        """
    ).certificates
    assert not found
