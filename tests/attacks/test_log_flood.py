"""A stranger is refused until every log folder has been written several times over; honest evidence is still there.

Counted in octets, not in seconds: the flood ends when the folders have been filled four times.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.scene import CONTOSO_ADDRESS, FABRIKAM_ADDRESS, MESSAGE, UNLISTED_ADDRESS
from end_to_end.smtp_client import SmtpClient

FOLDER = 1024 * 1024
SETTINGS = f"""
[protocol_log]
max_folder_size = {FOLDER}
max_file_size = {FOLDER // 8}
[sessions]
max_folder_size = {FOLDER}
"""
LIMITS = """\
[listener.limits]
sessions_per_minute = 1000000
refusals = 1000000
refusals_per_minute = 1000000
"""
"""None: what bounds a flood before it reaches the logs is tried elsewhere."""
OUTSIDE = "someone@outside.example"
MOVED_ADDRESS = "127.0.4.1"
"""contoso's own server, from an address that no connector lists."""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Outside() as outside:
        sink = outside.sink()
        relay = Installation(tmp_path_factory.mktemp("relay"), workers=1, tables=SETTINGS, listeners={"main": LIMITS})
        relay.init()
        for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
            relay("tenant", "add", tenant)
            relay("domain", "add", tenant, f"{tenant}.com", "--verified")
            relay("inbound-connector", "add", tenant, "mail", "--address", address)
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}")
        home = ("--address-space", "contoso.com", "--smart-host", f"127.0.0.1:{sink.port}")
        relay("send-connector", "add", "home", *home)
        with relay.serving():
            for tenant, address in (("contoso", CONTOSO_ADDRESS), ("fabrikam", FABRIKAM_ADDRESS)):
                with SmtpClient(relay.port, source=address) as smtp:
                    smtp.ehlo()
                    assert smtp.message(f"ann@{tenant}.com", f"{tenant}@outside.example", MESSAGE).code == 250
                taken(sink, to=f"{tenant}@outside.example")
            yield relay


def _refused(relay: Installation, source: str, sender: str) -> str:
    """The session's id."""
    with SmtpClient(relay.port, source=source) as smtp:
        smtp.ehlo()
        answer = smtp.mail(sender, OUTSIDE)
    assert answer.code == 550
    return answer.session_id


class _Written:
    """How much has been written into a folder, whatever was removed again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[tuple[int, str], int] = {}

    @property
    def octets(self) -> int:
        for path in self._folder.rglob("*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                # Names come again; what was written first, at least, tells the files apart.
                key = (status.st_ino, path.open("rb").read(400).hex()[-40:])
                self._sizes[key] = max(self._sizes.get(key, 0), status.st_size)
        return sum(self._sizes.values())


def test_a_strangers_accepted_recipients_fill_no_tenants_share(relay: Installation) -> None:
    """The stranger writes to a mailbox of contoso, and never sends the content."""
    for number in range(24):
        with SmtpClient(relay.port, source=f"127.77.0.{number + 1}") as smtp:
            smtp.ehlo()
            for _ in range(10):
                assert smtp.command(f"MAIL FROM:<{'s' * 60}@stranger.example>").code == 250
                assert smtp.command(f"RCPT TO:<ceo{'x' * 60}@contoso.com>").code == 250
                assert smtp.command("RSET").code == 250

    def busy(kind: str) -> list[Path]:
        return [
            *relay.data.glob(f"protocol-log/receive/busy-{kind}-*/*"),
            *relay.data.glob(f"sessions/busy-{kind}-*/*"),
        ]

    wait_until(lambda: len({path.parent.parent for path in busy("strangers")}) == 2, "both folders to call it busy")
    assert busy("tenants") == []


@pytest.mark.attack
def test_evidence_of_honest_people_outlives_a_strangers_flood(relay: Installation) -> None:
    honest = _refused(relay, MOVED_ADDRESS, "ann@contoso.com")
    relay("why", honest)
    folders = [_Written(relay.data / "protocol-log" / "receive"), _Written(relay.data / "sessions")]
    last, sent = "", 0
    while min(folder.octets for folder in folders) < 4 * FOLDER:
        for _ in range(100):
            last = _refused(relay, UNLISTED_ADDRESS, f"a{'x' * 60}@{'e' * 60}.{'v' * 60}.example")
            sent += 1
        assert sent < 20_000, "the folders do not fill"
    for session_id in (honest, last):
        assert session_id in relay("why", session_id)
        assert session_id in relay("protocol-log", "show", session_id)
    for tenant in ("contoso", "fabrikam"):
        assert f"ann@{tenant}.com" in relay.protocol_log("receive"), "what tenants sent is there"
        assert f"ann@{tenant}.com" in relay.protocol_log("send")
    for folder in ("protocol-log/receive", "sessions"):
        size = sum(path.stat().st_size for path in (relay.data / folder).rglob("*") if path.is_file())
        assert size < 2 * FOLDER


def test_the_rows_of_a_refusal_are_shown_at_once(relay: Installation) -> None:
    with SmtpClient(relay.port, source=UNLISTED_ADDRESS) as smtp:
        smtp.ehlo()
        session_id = smtp.mail("a@evil.example", OUTSIDE).session_id
        assert "VERDICT" in relay("protocol-log", "show", session_id), "while the session goes on"
    wait_until(lambda: "disconnected" in relay("protocol-log", "show", session_id), "the last row")
