"""What stands between the sender and the relay, told by what arrives: a certificate of somebody else's making, packets
that only pass when they are small."""

# ruff: noqa: E501 - a sentence broken over lines reads worse

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from gatepost.doctor.certificates_told import is_public, shown
from gatepost.doctor.checks.check import Check
from gatepost.doctor.checks.handshake import signs
from gatepost.doctor.evidence import CertificateSeen, ShellCommand
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.told import seen
from gatepost.doctor.repairs import Advice, Edit

_SERVICES: Final = ("outlook.com", "office365.us", "mx.microsoft", "google.com", "gmail.com", "amazonaws.com")


def service_shows_its_own_certificate(path: MailPath) -> Iterator[Check]:
    """A large service's certificate is issued by a public authority; another issuer is whoever opens the session."""
    if signs(path, "anti-virus-issuer"):
        return  # the issuer names itself, and the host that it runs on
    if signs(path, "trust-store-updated") and signs(path, "verified-elsewhere"):
        return  # another host of this network trusts it: the store is what differs
    forged = next((each for each in path.bundle.certificates if _is_of_a_service(each) and _is_forged(each)), None)
    if forged is None or forged.issuer is None:
        return
    if not (_names_a_box(forged) or _another_view(path, forged)):
        return  # some authority that is not known here; the service may have changed its own
    by = forged.issuer.common_name or forged.issuer.text
    host = forged.presented_by or f"{shown(forged)}:25"
    genuine = _another_view(path, forged)
    yield Check(
        cause="proxy-ends-tls",
        standing="broken",
        subject=by,
        says=f"The certificate met at {host} is issued by {by}: a firewall, proxy or scanner on the way opens the session and signs in the service's name. The service talks to that box and never sees your client certificate.",
        premises=(
            seen(forged, forged, f"met at {host}: {shown(forged)}, issued by {forged.issuer.text}"),
            *((seen(genuine, genuine, "from elsewhere the same host shows another issuer"),) if genuine else ()),
        ),
        explains=frozenset(("not-attributed", "peer-untrusted", "issuer-not-found", "handshake-broke", "nothing-goes")),
        way="out",
        edits=(
            Advice(
                "network",
                f"On the box that signs as {by}: exempt the mail server's traffic to port 25 of *.mail.protection.outlook.com from SMTP proxy, e-mail scanning and TLS inspection (an exception rule above the inspecting one, by source address); do not import its authority instead",
            ),
        ),
        verify=f"openssl s_client -starttls smtp -connect {host} </dev/null | openssl x509 -noout -issuer   # shows a public authority",
        alone=True,
        place=35,
    )


def _is_of_a_service(certificate: CertificateSeen) -> bool:
    host = certificate.presented_by.rpartition(":")[0].casefold()
    names = (host, *(each.removeprefix("*.") for each in certificate.all_names))
    return certificate.role != "sent" and any(each.endswith(_SERVICES) for each in names)


_BOXES: Final = (
    *(
        "inspection",
        "ssl proxy",
        "proxy ca",
        "ssl ca",
        "untrusted ca",
        "decrypt",
        "interception",
        "webfilter",
        "firewall",
    ),
    *(
        "fortinet",
        "fortigate",
        "sophos",
        "sonicwall",
        "watchguard",
        "zscaler",
        "checkpoint",
        "check point",
        "barracuda",
    ),
    *("palo alto", "untangle", "netskope", "forcepoint", "squid", "securly", "smoothwall", "kerio", "stormshield"),
)
"""What boxes on the way call the authority that they sign with."""


def _names_a_box(certificate: CertificateSeen) -> bool:
    return certificate.issuer is not None and any(each in certificate.issuer.text.casefold() for each in _BOXES)


def _another_view(path: MailPath, forged: CertificateSeen) -> CertificateSeen | None:
    """The same service's certificate, as it was seen from elsewhere."""
    same = (each for each in path.bundle.certificates if each is not forged and each.subject == forged.subject)
    return next((each for each in same if each.issuer and each.issuer != forged.issuer and not _is_forged(each)), None)


def _is_forged(certificate: CertificateSeen) -> bool:
    issuer = certificate.issuer
    if issuer is None or not issuer.attributes or is_public(certificate):
        return False
    return not any(each in issuer.text.casefold() for each in ("microsoft", "google", "amazon", "digicert"))


# --- the largest packet that passes ---------------------------------------------------------------------------------


class _Ping(NamedTuple):
    shown: ShellCommand
    size: int
    passes: bool


_IP_AND_ICMP: Final = 28
_TCP_AND_IP: Final = 40


def full_packets_pass(path: MailPath) -> Iterator[Check]:
    """`ping -M do -s N`, `ping -f -l N`: large packets are lost that must not be fragmented, small ones pass."""
    pings = [ping for each in path.bundle.shell if (ping := _ping(each)) is not None]
    lost = min((each for each in pings if not each.passes), key=lambda each: each.size, default=None)
    passing = max((each for each in pings if each.passes), key=lambda each: each.size, default=None)
    if lost is None or passing is None or passing.size >= lost.size:
        return
    unit = passing.size + _IP_AND_ICMP
    narrow = next((each for each in path.bundle.shell if "mtu " in each.output and _narrower(each)), None)
    yield Check(
        cause="certificate-flight-lost",
        standing="broken",
        subject=str(unit),
        says=f"Packets of {lost.size + _IP_AND_ICMP} bytes do not pass, those of {unit} do: a tunnel or line on the way takes less and reports nothing. EHLO is small and passes; the certificates of the TLS handshake fill whole packets and are lost.",
        premises=(
            seen(lost, lost.shown, f"{lost.shown.command}: lost"),
            seen(passing, passing.shown, f"{passing.shown.command}: passes"),
            *((seen(narrow, narrow, narrow.output.strip()[:120]),) if narrow else ()),
        ),
        explains=frozenset(("handshake-broke", "nothing-goes")),
        way="out",
        edits=tuple(_smaller(path, unit, narrow)),
        verify="openssl s_client -starttls smtp shows the certificates at once, and queued mail leaves.",
        alone=True,
        place=40,
    )


def _smaller(path: MailPath, unit: int, narrow: ShellCommand | None) -> Iterator[Edit]:
    tunnel = _interface(narrow.output) if narrow else "TUNNEL"
    wide = next((each for each in path.bundle.shell if "mtu 1500" in each.output), None)
    inside = _interface(wide.output) if wide else "INTERFACE"
    yield Advice(
        "network",
        f"iptables -t mangle -A FORWARD -o {tunnel} -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu   # on the gateway, and the same with -i {tunnel}; Cisco: ip tcp adjust-mss {unit - _TCP_AND_IP}",
    )
    yield Advice(
        "network",
        f"ip link set dev {inside} mtu {unit}   # or lower the MTU on the mail server; Windows: netsh interface ipv4 set subinterface 'Ethernet' mtu={unit} store=persistent. Let ICMP 'fragmentation needed' through",
    )


def _narrower(shown_link: ShellCommand) -> bool:
    number = shown_link.output.partition("mtu ")[2].split()
    return bool(number) and number[0].isdecimal() and int(number[0]) < 1500


def _interface(output: str) -> str:
    """`7: wg0: <...> mtu 1420`"""
    parts = output.strip().split(":")
    return parts[1].strip().partition("@")[0] if len(parts) > 2 else "INTERFACE"


_SIZES: Final = ("-s", "-l")


def _ping(command: ShellCommand) -> _Ping | None:
    words = command.command.split()
    if not words or words[0].removesuffix(".exe") != "ping" or not ({"-f", "do"} & set(words)):
        return None
    size = next((after for word, after in pairwise(words) if word in _SIZES), "")
    if not size.isdecimal():
        return None
    output = command.output.casefold()
    lost = any(
        each in output for each in (" 100% packet loss", "100% loss", "(100%", "needs to be fragmented", "too long")
    )
    passes = any(each in output for each in (" 0% packet loss", "0% loss", "(0%", "ttl=")) and not lost
    return _Ping(command, int(size), passes) if lost or passes else None
