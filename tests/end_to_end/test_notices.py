"""Notices over a real relay: the contact gets its mail once, the neighbour without prospects none."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside, taken
from end_to_end.smtp_client import SmtpClient
from gatepost.admin.forecast.notices import Notice
from gatepost.app.forecasting import NoticeRounds
from gatepost.logs.event_log import EventLog
from gatepost.logs.log_writer import LogWriter
from pki import Pki

MESSAGE = b"Subject: hello\r\n\r\nHello.\r\n"


def test_a_contact_is_written_to_once(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    ends = {"contoso": timedelta(days=5), "fabrikam": timedelta(days=80)}
    relay = Installation(tmp_path / "relay", client_roots=pki.roots_file, workers=1, listeners={"main": ""})
    relay.init()
    for tenant in ends:
        relay("tenant", "add", tenant)
        relay("tenant", "set", tenant, "--contact", f"post@{tenant}.example")
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        relay("inbound-connector", "add", tenant, "mail", "--certificate-name", f"mail.{tenant}.com")
    with Outside() as outside:
        sink = outside.sink()
        relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink.port}")
        with relay.serving():
            for tenant, left in ends.items():
                with SmtpClient(relay.port) as smtp:
                    smtp.starttls(pki.leaf(f"mail.{tenant}.com", not_after=datetime.now(UTC) + left))
                    assert smtp.message(f"ann@{tenant}.com", "bob@outside.example", MESSAGE).code == 250
            notice = taken(sink, to="post@contoso.example")
            assert notice.reverse_path == ""
            assert b"certificate-expires, connector mail" in notice.content
            wait_until(lambda: "notice-sent" in relay.output, "the event of the notice")
            assert "tenant=contoso contact=post@contoso.example" in relay.output
    assert not any("post@fabrikam.example" in each.recipients for each in sink.messages)
    assert _told_in_another_round(relay) == []
    relay.settings.notices_file.unlink()
    assert _told_in_another_round(relay) == ["contoso"], "it was the memory of what was told that kept it quiet"


def _told_in_another_round(relay: Installation) -> list[str]:
    told: list[str] = []

    async def keep(notice: Notice) -> str:
        told.append(notice.tenant)
        return "0-1"

    with Path(os.devnull).open("wb") as nowhere:
        writer = LogWriter()
        events = EventLog("text", writer, fd=nowhere.fileno())
        asyncio.run(NoticeRounds(relay.settings, keep, events).go())
        events.flush()
    return told
