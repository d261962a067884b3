"""A relay with tenants of every kind, and servers that show every kind of certificate to it.

contoso-org and fabrikam-org are whole; the others each have one thing amiss. Their names, and those of their
connectors, are words that stand in nothing a peer presents: no reply may hold one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from pathlib import Path

from end_to_end.installation import Installation, wait_until
from end_to_end.outside import Outside
from end_to_end.smtp_client import SmtpClient
from pki import BAD_SAN, Issued, Pki

CONTOSO_ADDRESS = "127.0.1.1"
FABRIKAM_ADDRESS = "127.0.2.1"
DEMANDING_ADDRESS = "127.0.3.1"
DISABLED_ADDRESS = "127.0.4.1"
UNLISTED_ADDRESS = "127.0.99.1"

MESSAGE = b"From: ann\r\nSubject: hello\r\n\r\nHello.\r\n"

TENANTS = {
    "contoso-org": ("contoso.com",),
    "fabrikam-org": ("fabrikam.com",),
    "tailspin-org": ("tailspin.com",),
    "adatum-org": ("adatum.com",),
    "northwind-org": ("northwind.com",),
}

LISTENERS = {
    "main": "",
    "client-auth": "require_client_auth = true",
    "tls": "require_tls = true",
    "late": 'refuse_at = "end-of-data"',
    "wildcards": "wildcard_certificates = true",
}


@dataclass(frozen=True)
class Shown:
    """What a server presents as its certificate: perhaps less than the whole chain."""

    chain: Path
    key: Path


class Certificates:
    """Each is made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.pki = Pki(folder / "known", organisation="Known Authority")
        self._strange = Pki(folder / "strange", name="Strange", organisation="Strange Authority")
        self._now = datetime.now(UTC)

    @cached_property
    def contoso(self) -> Issued:
        return self.pki.leaf("mail.contoso.com")

    @cached_property
    def contoso_rsa(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", key="RSA-2048")

    @cached_property
    def contoso_ed25519(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", key="Ed25519")

    @cached_property
    def fabrikam(self) -> Issued:
        return self.pki.leaf("mx7.fabrikam.com")

    @cached_property
    def server_auth_only(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", purposes=("serverAuth",))

    @cached_property
    def expired(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", not_after=self._now - timedelta(days=3))

    @cached_property
    def not_yet_valid(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", not_before=self._now + timedelta(days=3))

    @cached_property
    def self_signed(self) -> Issued:
        return self.pki.self_signed("mail.contoso.com")

    @cached_property
    def pinned(self) -> Issued:
        return self.pki.self_signed("relay.tailspin.com")

    @cached_property
    def unknown_issuer(self) -> Issued:
        return self._strange.leaf("mail.contoso.com", issuer=self._strange.root)

    @cached_property
    def unknown_chain(self) -> Issued:
        return self._strange.leaf("mail.contoso.com")

    @cached_property
    def without_intermediate(self) -> Shown:
        leaf = self.pki.leaf("mail.contoso.com")
        return Shown(leaf.certificate_file, leaf.key_file)

    @cached_property
    def quiet_chain(self) -> Issued:
        """Below an intermediate that nothing but the chain shows to be one."""
        return self.pki.leaf("mail.contoso.com", issuer=self.pki.authority("Known Authority R7", issuer=self.pki.root))

    @cached_property
    def quiet_alone(self) -> Shown:
        """Below one that nobody ever shows."""
        leaf = self.pki.leaf("mail.contoso.com", issuer=self.pki.authority("Known Authority R6", issuer=self.pki.root))
        return Shown(leaf.certificate_file, leaf.key_file)

    @cached_property
    def own_authority(self) -> Issued:
        """Below an authority that one connector of tailspin trusts, and nobody else."""
        return self._strange.leaf("app.tailspin.com")

    @cached_property
    def own_authority_misled(self) -> Shown:
        """With an intermediate that is not its issuer's."""
        chain = self._strange.bundle("misled.pem", self.own_authority, self.pki.intermediate)
        return Shown(chain, self.own_authority.key_file)

    @cached_property
    def own_authority_elsewhere(self) -> Issued:
        """A name of another tenant, vouched for by the authority of tailspin."""
        return self._strange.leaf("mx.fabrikam.com")

    @property
    def strange_root(self) -> Path:
        return self._strange.roots_file

    @cached_property
    def weak(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", key="RSA-1024")

    @cached_property
    def unreadable(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", san=BAD_SAN)

    @cached_property
    def for_mail_only(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", purposes=("emailProtection",))

    @cached_property
    def other_name(self) -> Issued:
        return self.pki.leaf("mail.litware.com")

    @cached_property
    def wildcard(self) -> Issued:
        return self.pki.leaf("*.contoso.com")

    @cached_property
    def both(self) -> Issued:
        return self.pki.leaf("mail.contoso.com", names=("mail.contoso.com", "mail.tailspin.com"))

    @cached_property
    def unowned(self) -> Issued:
        return self.pki.leaf("mail.northwind.com")

    @cached_property
    def disabled(self) -> Issued:
        return self.pki.leaf("mail.adatum.com")

    @cached_property
    def nameless(self) -> Issued:
        return self.pki.leaf(None, common_name=None)


def files_of(shown: Issued | Shown | None) -> tuple[Path | None, Path | None]:
    """What to present, and its key."""
    if shown is None:
        return None, None
    return (shown.chain_file, shown.key_file) if isinstance(shown, Issued) else (shown.chain, shown.key)


def with_two_tenants(relay: Installation, sink_port: int) -> None:
    """contoso.com at 127.0.1.1 and fabrikam.com at 127.0.2.1, or by certificate; all their mail goes to the sink."""
    relay.init()
    for tenant, address in (("contoso", "127.0.1.1"), ("fabrikam", "127.0.2.1")):
        relay("tenant", "add", tenant)
        relay("domain", "add", tenant, f"{tenant}.com", "--verified")
        names = ("--certificate-name", f"*.{tenant}.com", "--address", address)
        relay("inbound-connector", "add", tenant, "mail", *names)
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{sink_port}")


def until_known(relay: Installation) -> None:
    """Until the relay's only worker has the directory as it is now, which a session shows by its newest entry."""
    number = next(_WITNESSES)
    address = f"127.99.{number // 250}.{number % 250 + 1}"
    if "witness" not in {each["name"] for each in relay.told("tenant", "list")}:
        relay("tenant", "add", "witness")
        relay("domain", "add", "witness", "witness.example", "--verified")
        relay("inbound-connector", "add", "witness", "last", "--address", "127.99.255.1")

    def is_known() -> bool:
        with SmtpClient(relay.port, source=address) as smtp:
            smtp.ehlo()
            return smtp.mail("ann@witness.example", "x@outside.example").code == 250

    # What a worker has not looked up yet it reads as it is now. That nobody lists the address it remembers until it has
    # the whole directory anew.
    assert not is_known()
    # What the probe was told is in the log before anybody looks at it.
    wait_until(lambda: f"address {address} " in relay.output, "the probe to be logged")
    relay("inbound-connector", "set", "witness", "last", "--address", address)
    wait_until(is_known, "the worker to know the directory", pause_s=0.05)


_WITNESSES = count()


@contextmanager
def furnished(folder: Path, certificates: Certificates) -> Iterator[Installation]:
    """The relay, serving; all its mail ends in a sink."""
    relay = Installation(folder, client_roots=certificates.pki.roots_file, listeners=LISTENERS, workers=1)
    _furnish(relay, certificates)
    with Outside() as outside:
        _route(relay, outside.sink().port)
        with relay.serving():
            yield relay


def _furnish(relay: Installation, certificates: Certificates) -> None:
    relay.init()
    for tenant, domains in TENANTS.items():
        relay("tenant", "add", tenant)
        for domain in domains:
            relay("domain", "add", tenant, domain, "--verified")
    relay("domain", "add", "contoso-org", "contoso.net")
    add = ("inbound-connector", "add")
    relay(*add, "contoso-org", "conn-name", "--certificate-name", "mail.contoso.com")
    relay(*add, "contoso-org", "conn-office", "--address", "127.0.1.0/24")
    relay(*add, "fabrikam-org", "conn-wild", "--certificate-name", "*.fabrikam.com", "--address", "127.0.2.0/24")
    relay(*add, "tailspin-org", "conn-two", "--certificate-name", "mail.tailspin.com")
    anchor = ("--trust-anchor", str(certificates.strange_root))
    relay(*add, "tailspin-org", "conn-anchor", "--certificate-name", "app.tailspin.com", *anchor)
    relay(*add, "tailspin-org", "conn-pin", "--certificate-sha256", certificates.pinned.sha256)
    relay(*add, "tailspin-org", "conn-tls", "--address", "127.0.3.0/24", "--require-tls")
    disabled = ("--certificate-name", "mail.adatum.com", "--address", "127.0.4.0/24", "--disabled")
    relay(*add, "adatum-org", "conn-off", *disabled)
    relay(*add, "northwind-org", "conn-lost", "--certificate-name", "mail.northwind.com")
    relay("domain", "set", "northwind.com", "--no-verified")
    partner = ("--type", "partner", "--sender-domain")
    restricted = ("--certificate-name", "mail.supplier.com", "--restrict-to-certificate")
    relay(*add, "contoso-org", "conn-supplier", *partner, "supplier.com", *restricted)
    relay(*add, "contoso-org", "conn-bank", *partner, "bank.com", "--address", "127.0.5.0/24", "--restrict-to-address")
    relay(*add, "contoso-org", "conn-lawyer", *partner, "lawyer.com", "--require-tls")


def _route(relay: Installation, port: int) -> None:
    """Mail for the tenants' own domains, and all other mail, goes to one sink."""
    for domain in ("contoso.com", "fabrikam.com"):
        name = f"home-{domain.partition('.')[0]}"
        relay("send-connector", "add", name, "--address-space", domain, "--smart-host", f"127.0.0.1:{port}")
    relay("send-connector", "set", "internet", "--smart-host", f"127.0.0.1:{port}")


def fabrikam_relays(relay: Installation, certificates: Certificates) -> None:
    """The neighbour's mail goes out whatever happens to others."""
    with SmtpClient(relay.port) as smtp:
        smtp.starttls(certificates.fabrikam)
        answer = smtp.message("ben@fabrikam.com", "someone@outside.example", MESSAGE)
        assert answer.code == 250, answer.text
