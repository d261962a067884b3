"""Who stands between: a service's certificate by a foreign authority, packets that pass only when they are small."""

from doctor.pasted import commands, first

REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied [AM5EUR03FT019.eop-EUR03.prod.protection.outlook.com]"
FETCHED = """
mx$ openssl s_client -starttls smtp -connect own-example.mail.protection.outlook.com:25 </dev/null | openssl x509 -text
subject=C = US, O = Microsoft Corporation, CN = mail.protection.outlook.com
issuer={issuer}
"""
PINGS = """
vm$ ping -M do -s 1472 -c 2 192.0.2.90
2 packets transmitted, 0 received, 100% packet loss
vm$ ping -M do -s 1372 -c 2 192.0.2.90
2 packets transmitted, 2 received, {rate} packet loss
gw$ ip link show tun3
4: tun3: <POINTOPOINT,UP> mtu 1420
"""
STALLED = (
    "Mar 02 11:00:14 vm postfix/smtp[402]: "
    "SSL_connect error to relay.own.example[192.0.2.90]:25: Connection timed out\n"
)


def test_a_service_whose_certificate_a_box_signed_never_sees_ours():
    found = first(reply=REFUSAL, fetched=FETCHED.format(issuer="O = Box Makers, CN = Box Inspection CA"))
    assert found and "J02" in found.catalogue
    assert "Box Inspection CA" in commands(found)


def test_a_service_with_a_certificate_of_a_public_authority_is_itself():
    found = first(reply=REFUSAL, fetched=FETCHED.format(issuer="C = US, O = DigiCert Inc, CN = DigiCert Cloud CA"))
    assert found is None or "J02" not in found.catalogue


def test_the_largest_packet_that_passes_is_the_mtu_to_set():
    found = first(log=STALLED, net=PINGS.format(rate="0%"))
    assert found and "J05" in found.catalogue
    assert "-o tun3" in commands(found)
    assert "mtu 1400" in commands(found)


def test_pings_that_are_all_lost_say_nothing_about_their_size():
    found = first(log=STALLED, net=PINGS.format(rate="100%"))
    assert found is None or "1400" not in commands(found)
