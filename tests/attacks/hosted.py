"""A relay where contoso's mailboxes are hosted and fabrikam sends, for strangers to try what they can."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from end_to_end.installation import Installation
from end_to_end.outside import Outside
from end_to_end.scene import FABRIKAM_ADDRESS, MESSAGE
from end_to_end.smtp_client import Answer, SmtpClient

CONTOSO_ADDRESS = "127.88.0.1"
OUTSIDE = "someone@outside.example"


@contextmanager
def hosting(folder: Path, **settings: Any) -> Iterator[Installation]:
    """`settings`: of the installation."""
    with Outside() as outside:
        relay = Installation(folder, **settings)
        relay.init()
        for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
            relay("tenant", "add", tenant)
            relay("domain", "add", tenant, f"{tenant}.com", "--verified")
            relay("inbound-connector", "add", tenant, "mail", "--address", address)
        hop = ("--smart-host", f"127.0.0.1:{outside.sink().port}")
        relay("send-connector", "set", "internet", *hop)
        relay("send-connector", "add", "home", "--address-space", "contoso.com", *hop)
        with relay.serving():
            yield relay


def fabrikam_sends(relay: Installation, content: bytes = MESSAGE) -> Answer:
    with SmtpClient(relay.port, source=FABRIKAM_ADDRESS) as smtp:
        smtp.ehlo()
        return smtp.message("ben@fabrikam.com", OUTSIDE, content)
