"""evil is removed while its server holds transactions open, and sends the content afterwards.

What worked: the recipients had been accepted, 1,000 in each of 200 sessions, and content may take hours; whatever was
sent then was accepted with 250 and delivered, though RCPT had long been refused.
"""

from contextlib import ExitStack
from pathlib import Path

from end_to_end.installation import Installation
from end_to_end.outside import Outside
from end_to_end.scene import MESSAGE, until_known, with_two_tenants
from end_to_end.smtp_client import SmtpClient, stuffed

OUTSIDE = "someone@outside.example"

REMOVALS = {
    "evil-1": ("tenant", "remove", "evil-1", "--yes"),
    "evil-2": ("domain", "remove", "evil-2.example"),
    "evil-3": ("inbound-connector", "remove", "evil-3", "own"),
    "evil-4": ("inbound-connector", "disable", "evil-4", "own"),
}
ADDRESSES = {"contoso.com": "127.0.1.1"} | {
    f"{tenant}.example": f"127.0.88.{number}" for number, tenant in enumerate(REMOVALS)
}


def test_content_that_ends_after_the_removal_is_not_taken(tmp_path: Path, outside: Outside) -> None:
    relay = Installation(tmp_path, workers=1)
    with_two_tenants(relay, outside.sink().port)
    for tenant in REMOVALS:
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.example", "--verified")
        relay("inbound-connector", "add", tenant, "own", "--address", ADDRESSES[f"{tenant}.example"])
    with relay.serving(), ExitStack() as open_sessions:
        until_known(relay)
        sessions = {}
        for domain, address in ADDRESSES.items():
            smtp = sessions[domain] = open_sessions.enter_context(SmtpClient(relay.port, source=address))
            smtp.ehlo()
            assert smtp.mail(f"x@{domain}", OUTSIDE).code == 250
            assert smtp.command("DATA").code == 354
        for removal in REMOVALS.values():
            relay(*removal)
        until_known(relay)
        for domain, smtp in sessions.items():
            smtp.send(stuffed(MESSAGE) + b".\r\n")
            answer = smtp.reply()
            if domain == "contoso.com":
                assert answer.code == 250, answer.text
            else:
                assert answer.text.startswith("451 4.7.1 attribution-changed "), (domain, answer.text)
                assert smtp.mail(f"x@{domain}", OUTSIDE).code == 550, domain
        assert {each["tenant"] for each in relay.told("queue", "list")["counts"]} <= {"contoso", "witness"}
