"""Who is on the path, how each is known, where the mail stops and where it is to be fixed."""

from pathlib import Path

from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.path.told import How
from gatepost.doctor.reading import read_files, read_text

BUNDLES = Path(__file__).parent.parent / "bundles"
REFUSED = "550 5.7.64 TenantAttribution; Relay Access Denied"


def drawn(bundle):
    return diagnose(bundle).path


def test_a_bare_reply_is_no_picture():
    assert drawn(read_text("pasted.txt", f"we get {REFUSED} since this morning")) == ()


def test_from_sender_to_recipient_with_what_translates_between():
    found = drawn(read_files([BUNDLES / "A01-french-bounce-and-send-log"]))
    assert [each.role for each in found] == ["Sender", "Your mail server", "NAT", "Relay", "Recipient"]
    server, nat, relay, recipient = found[1:]
    assert server.known[0].value == "EXC02 (Exchange)"
    assert any("relais2.lavande.example" in each.value and each.how is How.SEEN for each in server.known)
    assert (nat.known[0].value, nat.known[0].how) == ("10.3.0.5 becomes 198.51.100.77", How.INFERRED)
    assert nat.stops_after.startswith(REFUSED)
    assert [each.role for each in found if each.stops_after] == ["NAT"]
    assert relay.repair == "to be fixed here"
    assert any("(disabled)" in each.value for each in relay.known)
    assert recipient.known[0].value == "client@ailleurs.example"


def test_mail_from_the_cloud_comes_the_other_way_round():
    found = drawn(read_files([BUNDLES / "K01-listener-lost-starttls"]))
    assert [each.role for each in found] == ["Sender", "Relay", "Your mail server", "Recipient"]
    assert found[0].known[0].how is How.ASSUMED
    assert "STARTTLS is required" in found[1].stops_after
    assert found[2].repair == "to be fixed here"
    assert any("receive connector" in each.value for each in found[2].known)


def test_what_only_a_sentence_holds_is_claimed():
    (name, *_) = drawn(read_files([BUNDLES / "F01-hcw-warning-parent-missing"]))[1].known
    assert (name.value, name.how) == ("mail.corp.shag.example", How.CLAIMED)


def test_every_bundle_has_a_picture_or_none_and_never_an_error():
    pictures = [drawn(read_files([each])) for each in sorted(BUNDLES.iterdir())[::12]]
    assert sum(map(bool, pictures)) > len(pictures) // 3
    for stations in filter(None, pictures):
        assert stations[0].role == "Sender"
        assert stations[-1].role == "Recipient"
        assert not stations[-1].stops_after
        assert sum(bool(each.stops_after) for each in stations) <= 1
        assert sum(each.known[0].how > How.ASSUMED for each in stations) >= 2
