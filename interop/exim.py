"""Debian's Exim in a root of its own, with main settings and routes as the check wants them."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peers import Room, stop, wait_for_greeting

# Lists are divided by colons unless they begin with another sign, as `<;` does.
MAIN = """\
primary_hostname = exim.contoso.com
local_interfaces = <; {listeners}
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
log_selector = +received_recipients +smtp_protocol_error +tls_peerdn
syslog_timestamp = no
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 0
smtp_accept_max_nonmail = 1000
message_size_limit = 150M
acl_smtp_rcpt = accept
acl_smtp_data = accept
tls_on_connect_ports =
never_users =
remote_max_parallel = 5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Mail for `domains` goes to a port of the loopback, with these options of Exim's smtp transport."""

    name: str
    domains: str
    port: int
    options: tuple[str, ...] = ()

    @property
    def router(self) -> str:
        lines = ("driver = manualroute", f"domains = {self.domains}", "route_list = * 127.0.0.1", "self = send")
        return _section(self.name, *lines, f"transport = {self.name.replace('-', '_')}")

    @property
    def transport(self) -> str:
        return _section(self.name, "driver = smtp", f"port = {self.port}", "allow_localhost", *self.options)


def _section(name: str, *lines: str) -> str:
    # Exim's names have no hyphen.
    return f"{name.replace('-', '_')}:\n" + "".join(f"  {line}\n" for line in lines)


class Exim:
    """Accepts everything from anybody at its ports, and sends it on by its routes."""

    def __init__(
        self,
        folder: Path,
        *,
        ports: Sequence[int],
        main: str = "",
        routes: Sequence[Route],
        files: dict[str, str],
    ) -> None:
        self.room = Room("exim", folder)
        self.log = self.room.var / "log" / "exim4" / "mainlog"
        self._ports = ports
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None
        listeners = " ; ".join(f"[127.0.0.1]:{port}" for port in ports)
        parts = [MAIN.format(listeners=listeners), main]
        parts += ["begin routers", *(route.router for route in routes)]
        parts += ["begin transports", *(route.transport for route in routes)]
        self.room.write("exim4/exim4.conf", "\n".join([*parts, "begin retry", "* * F,1m,1m", ""]))
        for name, text in files.items():
            # Exim reads keys under its own account.
            self.room.write(f"exim4/{name}", text)
        for path in ("var/spool/exim4", "var/log/exim4"):
            self.room.own(path, "Debian-exim", 0o750)

    def start(self) -> None:
        self._process = self.room.start("/usr/sbin/exim4", "-bdf", "-q10m", output=self._output)
        for port in self._ports:
            wait_for_greeting(port, self._process, self._output)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
