"""DNSSEC as it is: Knot signs zones of our own, unbound validates them.

signed.test     signed, and unbound has its key
bogus.test      signed, but unbound has another key: every answer is SERVFAIL
plain.test      not signed
"""

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
from peers import PeerError, Room, free_port, stop

SIGNED, BOGUS, PLAIN = "signed.test", "bogus.test", "plain.test"
_ZONES = (SIGNED, BOGUS, PLAIN)
_PATIENCE_S = 30.0

_KNOT = """
server:
    rundir: /run/knot
    listen: 127.0.0.1@{port}
database:
    storage: /var/lib/knot
log:
  - target: stderr
    any: info
policy:
  - id: own
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: /var/lib/knot
    file: %s.zone
zone:
{zones}
"""
_UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    username: ""
    chroot: ""
    directory: "/tmp"
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    do-not-query-localhost: no
    module-config: "validator iterator"
    local-zone: "test." nodefault
    domain-insecure: "{plain}"
{anchors}
remote-control:
    control-enable: no
{stubs}
"""


class SignedDns:
    def __init__(self, folder: Path, records: dict[str, Iterable[str]]) -> None:
        """`records`: lines of each zone."""
        self._zones_at, self.port = free_port(), free_port()
        self._knot, self._unbound = Room("knot", folder / "knot"), Room("unbound", folder / "unbound")
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        lines = [f"  - domain: {zone}\n" + _signing(zone) for zone in _ZONES]
        self._knot.write("knot/knot.conf", _KNOT.format(port=self._zones_at, zones="".join(lines)))
        for path in ("run/knot", "var/lib/knot"):
            (self._knot.root / path).mkdir(parents=True, exist_ok=True)
        for zone in _ZONES:
            text = [
                f"$ORIGIN {zone}.",
                "$TTL 300",
                "@ SOA ns hostmaster 1 3600 600 86400 300",
                "@ NS ns",
                "ns A 127.0.0.1",
            ]
            (self._knot.var / "lib" / "knot" / f"{zone}.zone").write_text(
                "\n".join([*text, *records.get(zone, ())]) + "\n"
            )

    def start(self) -> None:
        output = self._folder / "knot.output"
        self._processes.append(self._knot.start("/usr/sbin/knotd", "-c", "/etc/knot/knot.conf", output=output))
        key = self._wait(self._zones_at, SIGNED, "DNSKEY", output)
        self._wait(self._zones_at, BOGUS, "DNSKEY", output)
        anchors = [f'    trust-anchor: "{zone}. DNSKEY {key}"' for zone in (SIGNED, BOGUS)]
        stubs = [f"stub-zone:\n    name: {zone}\n    stub-addr: 127.0.0.1@{self._zones_at}" for zone in _ZONES]
        self._unbound.write(
            "unbound/gatepost.conf",
            _UNBOUND.format(port=self.port, plain=PLAIN, anchors="\n".join(anchors), stubs="\n".join(stubs)),
        )
        output = self._folder / "unbound.output"
        command = ("/usr/sbin/unbound", "-d", "-c", "/etc/unbound/gatepost.conf")
        self._processes.append(self._unbound.start(*command, output=output))
        self._wait(self.port, SIGNED, "SOA", output)

    def stop(self) -> None:
        for process in self._processes:
            stop(process)

    def _wait(self, port: int, name: str, kind: str, output: Path) -> str:
        """Until the server answers; its first record."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            try:
                answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", 1.0, port)
            except (dns.exception.DNSException, OSError):
                answer = None
            if answer is not None and answer.answer:
                return answer.answer[0][0].to_text()
            time.sleep(0.1)
        said = output.read_text(errors="replace").splitlines()[-1:] if output.exists() else []
        raise PeerError(f"no answer about {name} {kind} at port {port}: {' '.join(said)}")


def _signing(zone: str) -> str:
    return "" if zone == PLAIN else "    dnssec-signing: on\n    dnssec-policy: own\n"
