"""Debian's Postfix in a root of its own, with settings and services as the check wants them."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from peers import Room, stop, wait_for_greeting

SETTINGS = {
    "compatibility_level": "3.6",
    "maillog_file": "/var/log/postfix.log",
    "maillog_file_prefixes": "/var",
    "mynetworks": "127.0.0.0/8",
    "mydestination": "",
    "alias_maps": "",
    "local_recipient_maps": "",
    "disable_dns_lookups": "yes",
    "smtp_host_lookup": "native",
    "smtpd_peername_lookup": "no",
    "inet_protocols": "ipv4",
}

# Nothing is chrooted: the root is the peer's own already.
SERVICES = """\
postlog   unix-dgram n - n -   1 postlogd
pickup    unix n - n 60  1 pickup
cleanup   unix n - n -   0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 300 1 tlsmgr
rewrite   unix - - n -   - trivial-rewrite
bounce    unix - - n -   0 bounce
defer     unix - - n -   0 bounce
trace     unix - - n -   0 bounce
verify    unix - - n -   1 verify
flush     unix n - n 300 0 flush
proxymap  unix - - n -   - proxymap
smtp      unix - - n -   - smtp
relay     unix - - n -   - smtp
showq     unix n - n -   - showq
error     unix - - n -   - error
retry     unix - - n -   - error
discard   unix - - n -   - discard
anvil     unix - - n -   1 anvil
scache    unix - - n -   1 scache
"""


class Postfix:
    """`services` are lines of master.cf beside the usual ones; `tables` files of `/etc/postfix`."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str],
        services: Sequence[str],
        tables: Mapping[str, str] | None = None,
        shows: Sequence[Path] = (),
    ) -> None:
        self.room = Room("postfix", folder, shows=shows)
        self.log = self.room.var / "log" / "postfix.log"
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [f"{name} = {value}" for name, value in {**SETTINGS, **settings}.items()]
        self.room.write("postfix/main.cf", "\n".join(lines) + "\n")
        self.room.write("postfix/master.cf", SERVICES + "\n".join(services) + "\n")
        for name, text in (tables or {}).items():
            self.room.write(f"postfix/{name}", text)
        (self.room.var / "spool" / "postfix").mkdir()
        self.room.own("var/lib/postfix", "postfix")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *ports: int) -> None:
        """Until it greets at each of the ports."""
        self._process = self.room.start("/usr/sbin/postfix", "start-fg", output=self._output)
        for port in ports:
            wait_for_greeting(port, self._process, self.log)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
