"""Where a reply ends: not at a name in brackets or in quotation marks within its sentence."""

# ruff: noqa: E501 - evidence is as long as it is

import pytest

from gatepost.doctor.readers.replies import find_replies
from gatepost.doctor.reading import read_text


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("550 5.7.26 blocked: SPF [kite.example] with ip: [198.51.100.7] = did not pass", "did not pass"),
        ("{LED=450 4.4.8 MX hosts of 'kite.example' failed MTA-STS validation.}", "validation.}"),
        ("Remote Server returned '550 5.7.64 Relay Access Denied [x.outlook.com]' and more", "[x.outlook.com]"),
        ("failed with '550 5.7.1 Unable to relay' today", "relay"),
    ],
)
def test_a_sentence_is_read_to_its_end(text: str, end: str):
    assert find_replies(text)[0].text.endswith(end)


def test_phpmailer_says_the_codes_last():
    line = (
        "[2026-02-18 13:05:44] mail.ERROR SMTP Error: data not accepted. SMTP server error: DATA END command failed "
        "Detail: Message rejected: Email address is not verified. SMTP code: 554 Additional SMTP info: 5.7.1\n"
    )
    (reply,) = read_text(line).replies
    assert (reply.code, reply.enhanced) == (554, "5.7.1")
    assert reply.text.startswith("Message rejected: Email address is not verified")


def test_sendmail_logs_the_enhanced_code_of_a_reply_whose_text_it_keeps_to_itself():
    lines = (
        "Sep 22 03:14:07 web sendmail[18844]: 68M1E7Ab018844: from=<a@web.local>, size=911, nrcpts=1, relay=a@localhost\n"
        "Sep 22 03:14:08 web sendmail[18846]: 68M1E7Ab018844: to=<b@gull.example>, delay=00:00:01, mailer=relay, relay=tern-example.mail.protection.outlook.com. [52.101.73.31], dsn=5.7.64, stat=Service unavailable\n"
    )
    (reply,) = read_text(lines, "maillog").replies
    assert (reply.code, reply.enhanced, reply.reverse_path) == (550, "5.7.64", "a@web.local")
