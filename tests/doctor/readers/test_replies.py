"""Where a reply ends: not at a name in brackets or in quotation marks within its sentence."""

import pytest

from gatepost.doctor.readers.replies import find_replies


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
