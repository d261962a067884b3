"""What large receivers demand of a sender, filled from the reply and from DNS answers."""

from doctor.pasted import commands, first


def test_the_spf_record_is_given_with_the_missing_address_in_it():
    reply = "550 5.7.23 SPF check failed: 198.51.100.20 is not allowed to send mail from own.example"
    record = '$ dig +short TXT own.example\n"v=spf1 include:spf.protection.outlook.com -all"\n'
    found = first(reply=reply, record=record)
    assert found and "O17" in found.catalogue
    assert '"v=spf1 ip4:198.51.100.20 include:spf.protection.outlook.com -all"' in commands(found)


def test_a_missing_pointer_is_asked_of_the_owner_of_the_network():
    found = first(reply="450 4.7.25 Client host rejected: cannot find your hostname, [198.51.100.20]")
    assert found and "O17" in found.catalogue
    assert "PTR record of 198.51.100.20" in commands(found)
