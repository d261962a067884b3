"""The two relays that are measured, set up alike: same certificate, same sink, same disk, both durable.

Each has a port for plain sessions, where the client's address gives the right to relay (to Gatepost: together with the
reverse-path), and one for TLS sessions where only the client's certificate does.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parent.parent / folder) for folder in ("interop", "tests")]

from peers import free_port, version
from postfix import Postfix
from relay import Relay

from pki import Issued, Pki

BY_ADDRESS, BY_CERTIFICATE = "load@northwind.com", "load@contoso.com"
"""Reverse-paths of the two kinds of sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """One server certificate for both, and one client certificate; EC P-256 below one intermediate."""

    server: Issued
    client: Issued
    roots: Path

    @classmethod
    def made(cls, folder: Path) -> "Certificates":
        pki = Pki(folder)
        return cls(server=pki.leaf("relay.example.net"), client=pki.leaf("mail.contoso.com"), roots=pki.roots_file)


class PostfixContestant:
    name = "Postfix"

    def __init__(self, folder: Path, certificates: Certificates, sink_port: int) -> None:
        self.version = version("postfix").partition("-")[0]
        self.plain_port, self.tls_port = free_port(), free_port()
        by_certificate = "-o smtpd_relay_restrictions=permit_tls_clientcerts,reject -o smtpd_tls_security_level=encrypt"
        self._postfix = Postfix(
            folder,
            settings=_postfix_settings(certificates, sink_port),
            services=[
                f"127.0.0.1:{self.plain_port} inet n - n - - smtpd -o smtpd_tls_security_level=none",
                f"127.0.0.1:{self.tls_port} inet n - n - - smtpd {by_certificate}",
            ],
            tables={"clients": f"{_colons(certificates.client.sha256)} mail.contoso.com\n"},
            shows=[certificates.roots.parent],
        )

    @property
    def pid(self) -> int:
        return self._postfix.pid

    def start(self) -> None:
        self._postfix.start(self.plain_port, self.tls_port)

    def stop(self) -> None:
        self._postfix.stop()


def _colons(fingerprint: str) -> str:
    return ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2)).upper()


def _postfix_settings(certificates: Certificates, sink_port: int) -> dict[str, str]:
    return {
        "relayhost": f"[127.0.0.1]:{sink_port}",
        "default_process_limit": "100",
        "default_destination_concurrency_limit": "50",
        "initial_destination_concurrency": "50",
        # Its brake on senders while the queue drains slower than it fills.
        "in_flow_delay": "0",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
        "smtpd_relay_restrictions": "permit_mynetworks,reject",
        "smtpd_recipient_restrictions": "",
        "smtpd_recipient_limit": "5000",
        "smtpd_tls_ask_ccert": "yes",
        "smtpd_tls_fingerprint_digest": "sha256",
        "relay_clientcerts": "texthash:/etc/postfix/clients",
        "smtpd_tls_chain_files": f"{certificates.server.key_file},{certificates.server.chain_file}",
        "smtpd_tls_CAfile": str(certificates.roots),
        "smtpd_tls_session_cache_database": "",
        "smtp_tls_security_level": "none",
        "message_size_limit": "157286400",
    }


class GatepostContestant:
    name = "Gatepost"

    def __init__(self, folder: Path, certificates: Certificates, sink_port: int, workers: int | None = None) -> None:
        """`workers`: None for the default."""
        from gatepost import __version__

        self.version = __version__
        self.plain_port = self.tls_port = free_port()
        relay = self._relay = Relay(folder)
        relay.configure(
            ports=(self.plain_port,),
            tls={
                "certificate": certificates.server.chain_file,
                "key": certificates.server.key_file,
                "client_roots": certificates.roots,
            },
            more=f"workers = {workers}" if workers else "",
        )
        for tenant in ("contoso", "northwind", "fabrikam"):
            relay.set_up("tenant", "add", tenant)
            relay.set_up("domain", "add", tenant, f"{tenant}.com", "--verified")
        # One tenant is known by its certificate alone, one by its address alone; the third is only there.
        connector = ("inbound-connector", "add")
        relay.set_up(*connector, "contoso", "by-certificate", "--certificate-name", "mail.contoso.com")
        relay.set_up(*connector, "northwind", "by-address", "--address", "127.0.0.1/32")
        relay.set_up(*connector, "fabrikam", "by-certificate", "--certificate-name", "mail.fabrikam.com")
        sink = ("--smart-host", f"127.0.0.1:{sink_port}", "--tls", "none")
        relay.set_up("send-connector", "add", "sink", "--address-space", "*;1", *sink)

    @property
    def pid(self) -> int:
        return self._relay.pid

    def start(
        self, environment: Mapping[str, str] | None = None, *, under: Sequence[str] = (), seconds: float = 30.0
    ) -> None:
        self._relay.start(environment, under=under, seconds=seconds)

    def stop(self) -> None:
        self._relay.stop()


Contestant = PostfixContestant | GatepostContestant
