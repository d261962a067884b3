"""Every code of the TLS policy is on its page, and the page has no other."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "gatepost" / "tenancy" / "tls_policy.py"
PAGE = REPOSITORY / "docs" / "reference" / "tls-policy.md"


def test_every_code_is_on_the_page_and_no_other() -> None:
    text = SOURCE.read_text("utf-8")
    prefixes = r"connector|opportunistic|dane|mta-sts|certificate|encrypted|handshake|starttls|in-the-clear"
    written = set(re.findall(rf'"((?:{prefixes})(?:-[a-z-]+)?)"', text)) - {"dane", "mta-sts", "connector"}
    shown = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert written == shown
