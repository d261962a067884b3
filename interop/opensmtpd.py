"""Debian's OpenSMTPD in a root of its own, relaying by rules as the check wants them."""

import subprocess
from pathlib import Path

from peers import Room, stop, wait_for_greeting

# By itself it has five connections to one address and waits between two of them; idle ones count for ten seconds.
SETTINGS = """\
smtp max-message-size 150M
mta limit conn-delay-route 0 reconn-delay-route 0 max-conn-per-host 100 max-conn-per-route 100
"""


class OpenSmtpd:
    """Accepts everything from anybody at its port, and sends it on by `rules`."""

    def __init__(self, folder: Path, *, port: int, rules: str, files: dict[str, str]) -> None:
        self.room = Room("opensmtpd", folder)
        self.log = folder / "output"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.room.write("smtpd.conf", f"{SETTINGS}listen on 127.0.0.1 port {port}\n{rules}\n")
        self.room.write("mailname", "opensmtpd.contoso.com\n")
        for name, text in files.items():
            self.room.write(f"smtpd/{name}", text)
            (self.room.etc / "smtpd" / name).chmod(0o600)
        (self.room.var / "spool" / "smtpd").mkdir(mode=0o711)
        (self.room.var / "lib" / "opensmtpd" / "empty").mkdir(parents=True, mode=0o755)

    def start(self) -> None:
        # In the foreground it writes its log to standard error.
        self._process = self.room.start("/usr/sbin/smtpd", "-d", output=self.log)
        wait_for_greeting(self._port, self._process, self.log)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
