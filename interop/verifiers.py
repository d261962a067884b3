"""Programs of others that verify DKIM signatures: opendkim, dkimpy, rspamd; each in a root of its own.

verifier.verdicts(message)      {"contoso.com/gp202612": True}, for every signature that the program looked at
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from peers import DIES_WITH_US, PeerError, Room, free_port, stop

Records = Mapping[str, str]
"""What DNS shows: name to text."""

Verdicts = dict[str, bool]

_DNS_SERVER = Path(__file__).resolve().parent.parent / "tests" / "dns_server.py"

_DKIMPY = """
import json, sys, dkim
records, message = json.load(open(sys.argv[1])), open(sys.argv[2], "rb").read()
def txt(name, timeout=5):
    return records.get(name.decode().rstrip("."), "").encode()
checked, verdicts = dkim.DKIM(message), {}
for at in range(message.lower().count(b"dkim-signature:")):
    try:
        holds = checked.verify(at, dnsfunc=txt)
    except dkim.DKIMException:
        holds = False
    verdicts[f"{checked.domain.decode()}/{checked.selector.decode()}"] = holds
print(json.dumps(verdicts))
"""

_OPENDKIM = re.compile(r"dkim=(pass|fail)[^;]*header\.d=(\S+)[^;]*header\.s=(\S+)")
_RSPAMD = re.compile(r"Symbol: R_DKIM_(ALLOW|REJECT) \([^)]*\)\[([^\]]*)\]")


class Verifier(Protocol):
    def verdicts(self, message: bytes) -> Verdicts: ...

    def stop(self) -> None: ...


class Opendkim:
    def __init__(self, folder: Path, records: Records) -> None:
        self._inside = folder / "mail"
        self._room = Room("opendkim", folder / "room", shows=[self._inside])
        (self._inside / "records").write_text("".join(f"{name} {text}\n" for name, text in records.items()))
        settings = f"Mode v\nTestDNSData file:{self._inside}/records\nAlwaysAddARHeader yes\n"
        (self._inside / "opendkim.conf").write_text(settings)

    def verdicts(self, message: bytes) -> Verdicts:
        (self._inside / "message").write_bytes(message)
        said = self._room.run(
            "/usr/sbin/opendkim", "-x", f"{self._inside}/opendkim.conf", "-vvv", "-t", f"{self._inside}/message",
            check=False,
        )  # fmt: skip
        return {f"{domain}/{selector}": verdict == "pass" for verdict, domain, selector in _OPENDKIM.findall(said)}

    def stop(self) -> None:
        """It runs for one message at a time."""


class Dkimpy:
    def __init__(self, folder: Path, records: Records) -> None:
        self._inside = folder / "mail"
        self._room = Room("dkimpy", folder / "room", shows=[self._inside])
        (self._inside / "records").write_text(json.dumps(dict(records)))
        (self._inside / "verify.py").write_text(_DKIMPY)

    def verdicts(self, message: bytes) -> Verdicts:
        (self._inside / "message").write_bytes(message)
        words = (f"{self._inside}/{name}" for name in ("verify.py", "records", "message"))
        verdicts: Verdicts = json.loads(self._room.run("/usr/bin/python3", *words))
        return verdicts

    def stop(self) -> None:
        """It runs for one message at a time."""


class Rspamd:
    """A server that asks a name server of ours."""

    def __init__(self, folder: Path, records: Records) -> None:
        self._inside = folder / "mail"
        self._room = Room("rspamd", folder / "room", shows=[self._inside])
        zone = self._inside / "zone"
        zone.write_text("".join(f"{name} TXT {strings(text)}\n" for name, text in records.items()))
        dns_port, self._port = free_port(), free_port()
        self._dns = subprocess.Popen(
            [*DIES_WITH_US, sys.executable, str(_DNS_SERVER), "--port", str(dns_port), "--zone", str(zone)],
            stdout=subprocess.DEVNULL,
        )
        # The list of top-level domains that it ships with takes a minute to compile, and nobody here needs it.
        (self._inside / "tld").write_text("com\nnet\n")
        (self._inside / "rspamd.conf").write_text(
            f'options {{ dns {{ nameserver = ["127.0.0.1:{dns_port}"]; }} filters = "dkim"; tempdir = "/tmp";'
            f' rrd = ""; url_tld = "{self._inside}/tld"; pidfile = "/tmp/rspamd.pid"; }}\n'
            f'logging {{ type = "file"; filename = "{self._inside}/rspamd.log"; level = "info"; }}\n'
            f'worker {{ type = "normal"; bind_socket = "127.0.0.1:{self._port}"; count = 1; }}\n'
            'dkim { dkim_cache_size = 10; }\nmetric { name = "default"; actions { reject = 100; } }\n'
        )
        self._process = self._room.start(
            "/usr/bin/rspamd", "-f", "--insecure", "-u", "root", "-g", "root", "-c", f"{self._inside}/rspamd.conf",
            output=folder / "output",
        )  # fmt: skip

    def verdicts(self, message: bytes) -> Verdicts:
        said = self._answer(message)
        return {
            label.replace(":s=", "/"): verdict == "ALLOW"
            for verdict, labels in _RSPAMD.findall(said)
            for label in re.sub(r"\([^)]*\)", "", labels).split(", ")
        }

    def _answer(self, message: bytes, seconds: float = 60.0) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # Until it listens this is refused. Of local networks it would verify nothing.
            command = ("/usr/bin/rspamc", "-h", f"127.0.0.1:{self._port}", "-i", "192.0.2.1", "symbols")
            said = self._room.run(*command, stdin=message, check=False)
            if "[Metric:" in said:
                return said
            time.sleep(0.5)
        raise PeerError(f"rspamd does not answer within {seconds:.0f} s: {said}")

    def stop(self) -> None:
        stop(self._process)
        self._dns.kill()
        self._dns.wait()


VERIFIERS = {"opendkim": Opendkim, "dkimpy": Dkimpy, "rspamd": Rspamd}


def strings(text: str) -> str:
    """A text as strings of the length that a TXT record may have."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
