"""Lines as programs wrap them, without their wrapping."""

from gatepost.doctor.readers.wrappings import unwrapped
from gatepost.doctor.reading import read_text


def test_a_programs_level_is_no_speaker_of_a_chat():
    lines = ["[2026-03-02 11:20:31] app.ERROR: first", "[2026-03-02 11:21:02] app.INFO: second"]
    assert unwrapped(lines) == lines


def test_what_people_say_in_a_chat_stands_alone():
    assert unwrapped(["[11:52] jp: first", "[11:53] ann: second"]) == ["first", "second"]


def test_a_dialogue_of_hmailserver_is_a_session():
    head = '"SMTPC"\t2588\t53\t"2026-03-02 09:14:11.{0}"\t"203.0.113.36"\t"{1}"\n'
    said = [
        "RECEIVED: 220 x.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready",
        "SENT: EHLO relay.kite.example",
        "RECEIVED: 250-x.mail.protection.outlook.com Hello [198.51.100.7][nl]250 STARTTLS",
        "SENT: MAIL FROM:<a@kite.example>",
        "SENT: RCPT TO:<b@out.example>",
        "RECEIVED: 550 5.7.64 TenantAttribution; Relay Access Denied [x.prod.protection.outlook.com]",
    ]
    text = "".join(head.format(number, each) for number, each in enumerate(said))
    (session,) = read_text(text, "hmailserver.log").sessions
    assert session.hello_address == "198.51.100.7" and session.replies[-1].enhanced == "5.7.64"
