"""A stranger begins messages to a hosted mailbox and never ends them, to fill the disk that all tenants share.

Before: five sessions of 60 MB each on a disk of 300 MB, and every tenant's mail got 452 until they went.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from attacks.hosted import fabrikam_sends, hosting
from end_to_end.installation import Installation, wait_until
from end_to_end.scene import MESSAGE
from end_to_end.smtp_client import Answer, SmtpClient
from gatepost.smtp.replies import TOO_SLOW

MIB = 1024 * 1024
LINE = b"x" * 998 + b"\r\n"


@contextmanager
def serving(folder: Path, settings: str, listener: str = "") -> Iterator[Installation]:
    """Two workers, which count together."""
    with hosting(folder, workers=2, tables=settings, listeners={"main": listener}) as relay:
        yield relay


class Unfinished:
    """A stranger's messages that have begun."""

    def __init__(self, relay: Installation, stack: ExitStack) -> None:
        self._relay, self._stack = relay, stack
        self.sessions: list[SmtpClient] = []

    def begin(self, source: str, octets: int) -> None:
        smtp = SmtpClient(self._relay.port, source=source)
        self._stack.callback(smtp.close)
        smtp.ehlo()
        assert smtp.mail("x@evil.example").code == 250
        if smtp.command("RCPT TO:<ceo@contoso.com>").code == 452:
            return
        assert smtp.command("DATA").code == 354
        for _ in range(octets // MIB):
            smtp.send(LINE * (MIB // len(LINE)))
        self.sessions.append(smtp)

    def chunk(self, source: str, octets: int) -> Answer:
        """The same by BDAT, of which the relay says when it has taken it: whoever begins after that begins later."""
        smtp = SmtpClient(self._relay.port, source=source)
        self._stack.callback(smtp.close)
        smtp.ehlo()
        assert smtp.mail("x@evil.example").code == 250
        assert smtp.command("RCPT TO:<ceo@contoso.com>").code == 250
        content = LINE * (octets // len(LINE))
        smtp.send(b"BDAT %d\r\n" % len(content) + content)
        return smtp.reply()

    def end(self) -> list[Answer]:
        for smtp in self.sessions:
            smtp.send(b".\r\n")
        return [smtp.reply() for smtp in self.sessions]


def test_what_is_unfinished_is_bounded_by_network_and_for_all_strangers(tmp_path: Path) -> None:
    settings = '[queue]\nunfinished = "8MiB"\nunfinished_per_network = "4MiB"\nunfinished_per_tenant = "6MiB"'
    with serving(tmp_path, settings) as relay, ExitStack() as stack:
        strangers = Unfinished(relay, stack)
        # Two addresses of one network, one after the other.
        assert [strangers.chunk(f"127.90.0.{number}", 3 * MIB).code for number in (1, 2)] == [250, 452]
        for source in ("127.91.0.1", "127.92.0.1", "127.93.0.1"):
            strangers.begin(source, 3 * MIB)
        # Small mail is never unfinished for long, and strangers' is taken as ever.
        assert fabrikam_sends(relay, MESSAGE + LINE * (5 * MIB // len(LINE))).code == 250
        codes = [answer.code for answer in strangers.end()]
        assert codes.count(452) >= 1 and codes.count(250) >= 1, codes
        wait_until(lambda: "content-full" in relay.output, "the operator to be told")


def test_what_a_worker_held_that_was_killed_after_a_reload_counts_no_more(tmp_path: Path) -> None:
    """Its place has a successor under another number, and nobody begins anew where it counted."""
    with serving(tmp_path, '[queue]\nunfinished = "4MiB"') as relay, ExitStack() as stack:
        strangers = Unfinished(relay, stack)
        strangers.begin("127.90.0.1", 3 * MIB)
        before = relay.worker_pids()
        assert relay.process is not None
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for_output("reloaded: 2 workers were replaced")
        # The worker that has the stranger's session stays for it.
        (busy,) = wait_until(
            lambda: (left := set(before) & set(relay.worker_pids())) and len(left) == 1 and left, "one"
        )
        os.kill(busy, signal.SIGKILL)

        def may_send() -> bool:
            strangers.sessions.clear()
            strangers.begin("127.91.0.1", 3 * MIB)
            return [answer.code for answer in strangers.end()] == [250]

        wait_until(may_send, "what it held to be forgotten", pause_s=0.5)


@pytest.mark.attack
def test_a_drip_is_broken_off_after_a_minute_and_gives_back_what_it_held(tmp_path: Path) -> None:
    with serving(tmp_path, '[queue]\nunfinished = "4MiB"') as relay, ExitStack() as stack:
        strangers = Unfinished(relay, stack)
        strangers.begin("127.90.0.1", 3 * MIB)
        (drip,) = strangers.sessions
        drip.socket.settimeout(1.0)
        said = None
        # The first minute brought three megabytes; the second does not.
        for _ in range(150):
            drip.send(b"x\r\n")
            with suppress(TimeoutError):
                said = drip.reply()
                break
        assert said is not None and said.text == str(TOO_SLOW)
        assert fabrikam_sends(relay).code == 250
        strangers.sessions.clear()
        strangers.begin("127.91.0.1", 3 * MIB)
        assert [answer.code for answer in strangers.end()] == [250]


@pytest.mark.attack
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_strangers_fill_a_small_disk_and_tenants_do_not_notice(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m", "tmpfs", str(disk)], check=True)
    try:
        # A limit for each network and for all strangers would be enough; without them the reserve alone must do.
        settings = (
            '[queue]\nleast_free_disk = "10MiB"\nreserved_disk = "40MiB"\n'
            'unfinished = "1GiB"\nunfinished_per_network = "1GiB"'
        )
        with serving(disk / "relay", settings) as relay, ExitStack() as stack:
            strangers = Unfinished(relay, stack)
            for number in range(5):
                strangers.begin(f"127.{90 + number}.0.1", 30 * MIB)
            left = os.statvfs(disk)
            assert left.f_bavail * left.f_frsize > 40 * MIB
            assert fabrikam_sends(relay).code == 250
            assert fabrikam_sends(relay, MESSAGE + LINE * (20 * MIB // len(LINE))).code == 250
            codes = [answer.code for answer in strangers.end()]
            assert 452 in codes, codes
            assert fabrikam_sends(relay).code == 250
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
