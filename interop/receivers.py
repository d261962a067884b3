"""Other organisations' mail servers that Gatepost delivers to, each at one port per way of being delivered to.

They pass what they got to the outside world, where its octets are compared, and their logs say how it came.
"""

from pathlib import Path

from exim import Exim, Route
from peers import free_port
from postfix import Postfix

from pki import Pki

WAYS = ("bdat-tls", "data-tls", "bdat-plain", "data-plain")


class PostfixReceiver:
    name = "postfix"

    def __init__(self, folder: Path, pki: Pki, outside: int) -> None:
        self.ports = {way: free_port() for way in WAYS}
        server = self.certificate = pki.leaf("receiver.example.org")
        self._postfix = Postfix(
            folder,
            settings={
                "myhostname": "receiver.example.org",
                "relayhost": f"[127.0.0.1]:{outside}",
                "smtpd_relay_restrictions": "permit_mynetworks,reject",
                "smtpd_tls_chain_files": f"{server.key_file},{server.chain_file}",
                "smtpd_tls_CAfile": str(pki.roots_file),
                "smtpd_tls_ask_ccert": "yes",
                "smtpd_tls_received_header": "yes",
                "message_size_limit": "157286400",
                # Its log shows every command it is given.
                "debug_peer_list": "127.0.0.1",
                "debug_peer_level": "1",
            },
            services=[self._service(way) for way in WAYS],
            shows=[pki.folder],
        )

    def start(self) -> None:
        self._postfix.start(*self.ports.values())

    def stop(self) -> None:
        self._postfix.stop()

    def came_by(self, way: str, recipient: str) -> set[str]:
        """`BDAT` or `DATA`, and `TLS` when the session was under it, as this server's own log has it."""
        lines = [line for line in self._postfix.log.read_text().splitlines() if f"receiver-{way}/smtpd" in line]
        mine = next(at for at, line in enumerate(lines) if recipient in line)
        process = lines[mine].split()[4]
        said = [line.partition("]: ")[2] for line in lines if line.split()[4] == process]
        verbs = {line.split()[2].upper() for line in said if line.startswith("< ") and len(line.split()) > 2}
        return (verbs & {"BDAT", "DATA"}) | ({"TLS"} if "STARTTLS" in verbs else set())

    def _service(self, way: str) -> str:
        chunking, cover = way.split("-")
        options = [
            f"syslog_name=receiver-{way}",
            f"smtpd_discard_ehlo_keywords={'chunking' if chunking == 'data' else ''}",
            f"smtpd_tls_security_level={'may' if cover == 'tls' else 'none'}",
        ]
        return f"127.0.0.1:{self.ports[way]} inet n - n - - smtpd {' '.join(f'-o {one}' for one in options)}"


class EximReceiver:
    name = "exim"

    def __init__(self, folder: Path, pki: Pki, outside: int) -> None:
        self.ports = {way: free_port() for way in WAYS}
        server = pki.leaf("receiver.example.org")
        self._exim = Exim(
            folder,
            ports=list(self.ports.values()),
            main=(
                f"chunking_advertise_hosts = {self._at('bdat')}\n"
                f"tls_advertise_hosts = {self._at('tls')}\n"
                "tls_certificate = /etc/exim4/server.pem\n"
                "tls_privatekey = /etc/exim4/server.key\n"
            ),
            routes=[Route(name="onward", domains="*", port=outside)],
            files={"server.pem": server.chain_file.read_text(), "server.key": server.key_file.read_text()},
        )

    def start(self) -> None:
        self._exim.start()

    def stop(self) -> None:
        self._exim.stop()

    def came_by(self, way: str, recipient: str) -> set[str]:
        """`BDAT` or `DATA`, and `TLS` when the session was under it, as this server's own log has it."""
        lines = self._exim.log.read_text().splitlines()
        arrival = next(line for line in lines if " <= " in line and recipient in line)
        # `K` marks a message that came in chunks, `X=` the protocol and cipher.
        return {"BDAT" if " K " in arrival else "DATA"} | ({"TLS"} if " X=TLS" in arrival else set())

    def _at(self, part: str) -> str:
        """`*` at the ports of the ways with this part, nobody at the others."""
        ports = ":".join(str(port) for way, port in self.ports.items() if part in way.split("-"))
        return f"${{if inlist{{$received_port}}{{{ports}}}{{*}}{{}}}}"
