"""The command suggested after a report can be pasted, and what the evidence tells stands in it."""

import shlex

from gatepost.doctor.diagnosis import diagnose
from gatepost.doctor.next_command import next_command
from gatepost.doctor.reading import read_text

REFUSAL = "550 5.7.64 TenantAttribution; Relay Access Denied"
SESSION = f"""
<-  250-AM5.mail.protection.outlook.com Hello [198.51.100.26]
 -> MAIL FROM:<bob@jay.example>
 -> RCPT TO:<ann@far.example>
<** {REFUSAL} [AM5.eop-EUR03.prod.protection.outlook.com]
"""
EXPORTS = """
[{"Name": "HQ", "ConnectorType": "OnPremises", "Enabled": true, "SenderIPAddresses": ["198.51.100.25"]},
 {"DomainName": "jay.example", "DomainType": "Authoritative"}]
"""


def suggested(text: str) -> str:
    bundle = read_text(text)
    return next_command(bundle, diagnose(bundle))


def test_with_exports_and_a_cause_the_change_is_asked_about_before_it_is_made():
    assert shlex.split(suggested(EXPORTS + SESSION)) == [
        *("gatepost", "explain", "--exchange-online", "FOLDER", "--address", "198.51.100.26"),
        *("--mail-from", "bob@jay.example", "--rcpt-to", "ann@far.example"),
    ]


def test_without_a_certain_cause_a_probe_of_the_relay_tells_more():
    words = shlex.split(suggested(f"relayhost = [jay-example.mail.protection.outlook.com]:25\n\n{REFUSAL}\n"))
    assert words[words.index("--probe") + 1] == "jay-example.mail.protection.outlook.com"
    assert "HOST" in suggested(REFUSAL)


def test_with_a_certain_cause_the_report_can_be_posted():
    off = '[{"Name": "HQ", "ConnectorType": "OnPremises", "Enabled": false, "SenderIPAddresses": ["198.51.100.26"]}]'
    assert "--redact" in suggested(off + SESSION)
