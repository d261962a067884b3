"""Organisations' own mail servers, each able to present every certificate state to Gatepost.

The recipient's domain says how a message is sent: `good-tls13.example.net` gets it by the good certificate over TLS
1.3. Notices to the sender (`contoso.com`) go straight to the outside world, where checks read them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from exim import Exim, Route
from messages import submit
from opensmtpd import OpenSmtpd
from peers import free_port
from postfix import Postfix
from states import State

PROTOCOLS = {"tls12": "1.2", "tls13": "1.3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one message is sent: with this certificate, over this protocol."""

    state: State
    protocol: str

    @property
    def name(self) -> str:
        return f"{self.state.name}-{self.protocol}"

    @property
    def domain(self) -> str:
        return f"{self.name}.example.net"


class Sender(Protocol):
    port: int

    def start(self) -> None: ...

    def stop(self) -> None: ...


def all_ways(states: Iterable[State]) -> list[Way]:
    return [Way(state=state, protocol=protocol) for state in states for protocol in PROTOCOLS]


def send(sender: Sender, recipient: str, content: bytes, *, reverse_path: str) -> None:
    submit(sender.port, recipient, content, reverse_path=reverse_path)


class PostfixSender:
    def __init__(self, folder: Path, ways: list[Way], gatepost: int, outside: int) -> None:
        self.port = free_port()
        routes = [f"{way.domain} {way.name}:[127.0.0.1]:{gatepost}" for way in ways]
        self._postfix = Postfix(
            folder,
            settings={
                "myhostname": "postfix.contoso.com",
                "smtpd_relay_restrictions": "permit_mynetworks,reject",
                "transport_maps": "texthash:/etc/postfix/transport",
                "message_size_limit": "157286400",
            },
            services=[f"127.0.0.1:{self.port} inet n - n - - smtpd", *map(self._service, ways)],
            tables={"transport": "\n".join([*routes, f"contoso.com smtp:[127.0.0.1]:{outside}", ""])},
            shows=sorted({way.state.chain.parent for way in ways if way.state.chain}),
        )

    def start(self) -> None:
        self._postfix.start(self.port)

    def stop(self) -> None:
        self._postfix.stop()

    @staticmethod
    def _service(way: Way) -> str:
        protocol = f"TLSv{PROTOCOLS[way.protocol]}"
        options = ["smtp_tls_security_level=encrypt", f"{{smtp_tls_mandatory_protocols = >={protocol}, <={protocol}}}"]
        if way.state.chain:
            options += [f"smtp_tls_cert_file={way.state.chain}", f"smtp_tls_key_file={way.state.key}"]
        return f"{way.name} unix - - n - - smtp {' '.join(f'-o {option}' for option in options)}"


class EximSender:
    def __init__(self, folder: Path, ways: list[Way], gatepost: int, outside: int) -> None:
        self.port = free_port()
        notices = Route(name="notices", domains="contoso.com", port=outside)
        routes = [notices, *(self._route(way, gatepost) for way in ways)]
        self._exim = Exim(folder, ports=[self.port], routes=routes, files=_files(ways))

    def start(self) -> None:
        self._exim.start()

    def stop(self) -> None:
        self._exim.stop()

    @staticmethod
    def _route(way: Way, port: int) -> Route:
        # Debian builds Exim with GnuTLS, whose priority string this is.
        protocol = f"tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS{PROTOCOLS[way.protocol]}"
        options = ["hosts_require_tls = *", protocol]
        if way.state.chain:
            options += [f"tls_certificate = /etc/exim4/{way.state.name}.pem"]
            options += [f"tls_privatekey = /etc/exim4/{way.state.name}.key"]
        return Route(name=way.name, domains=way.domain, port=port, options=tuple(options))


class OpenSmtpdSender:
    """It chooses the protocol itself, and its key process knows RSA and ECDSA only."""

    def __init__(self, folder: Path, ways: list[Way], gatepost: int, outside: int) -> None:
        self.port = free_port()
        rules = [f'pki {way.state.name} {part} "/etc/smtpd/{way.state.name}.{suffix}"'
                 for way in ways if way.state.chain for part, suffix in (("cert", "pem"), ("key", "key"))]  # fmt: skip
        for way in ways:
            presents = f" pki {way.state.name}" if way.state.chain else ""
            rules.append(f'action "{way.name}" relay host "smtp+tls://127.0.0.1:{gatepost}" tls no-verify{presents}')
        rules.append(f'action "notices" relay host "smtp://127.0.0.1:{outside}"')
        rules += [f'match from any for domain "{way.domain}" action "{way.name}"' for way in ways]
        rules.append('match from any for domain "contoso.com" action "notices"')
        self._opensmtpd = OpenSmtpd(folder, port=self.port, rules="\n".join(rules), files=_files(ways))

    def start(self) -> None:
        self._opensmtpd.start()

    def stop(self) -> None:
        self._opensmtpd.stop()


def _files(ways: list[Way]) -> dict[str, str]:
    """For peers that read keys under their own account: copies in their own `/etc`."""
    files = {}
    for way in ways:
        if way.state.chain and way.state.key:
            files[f"{way.state.name}.pem"] = way.state.chain.read_text()
            files[f"{way.state.name}.key"] = way.state.key.read_text()
    return files
