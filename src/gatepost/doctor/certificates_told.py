"""Certificates in the evidence: whether a name matches, which one was presented, which replaced which.

Names are matched as Exchange Online is documented to: alternate names, else the common name; a wildcard stands for one
label (`reference` says nothing certain beyond that, so a deeper name is a cause of its own, not a match).
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import re
from collections.abc import Iterable, Sequence

from gatepost.doctor.addresses import refused_by_attribution
from gatepost.doctor.evidence import CertificateSeen, EvidenceBundle, Moment, SmtpSession
from gatepost.tenancy.names import covers, lies_deeper

_DAY = 86400.0
_APPLIANCE = re.compile(
    r"forti(?:gate|net|mail)|sonicwall|watchguard|sophos|barracuda|mikrotik|zyxel|synology|qnap|plesk|cpanel|localhost|wmsvc|"
    r"ironport|cisco|palo ?alto|check ?point|kerio|meraki|draytek|unifi|ubnt|pfsense|opnsense|snake-?oil|example\.com|"
    r"f5 networks|netscaler|citrix|kemp|default (?:company|ssl|certificate)|self[- ]?signed|some-?(?:state|organization)|untangle|mdaemon",
    re.IGNORECASE,
)
_PUBLIC_AUTHORITIES = re.compile(
    r"let'?s encrypt|digicert|sectigo|comodo|globalsign|entrust|godaddy|go daddy|geotrust|thawte|rapidssl|verisign|symantec|ssl\.com|"
    r"buypass|quovadis|actalis|certum|swisssign|amazon|google trust|zerossl|usertrust|harica|telekom security|d-trust|identrust|"
    r"starfield|network solutions|trustwave|microsoft (?:rsa|ecc|azure|it|internet)|baltimore|cybertrust|gts ca|isrg|wosign|startcom|"
    r"^(?:r|e|yr|ye)\d{1,2}$",
    re.IGNORECASE,
)


def normalized_name(text: str) -> str:
    """What somebody who wrote `text` for a certificate's name meant: without quotes, blanks, `CN=`, final dot, in A-labels."""
    name = text.strip().strip("\"'\u201c\u201d\u2018\u2019\u00ab\u00bb").strip()
    name = re.sub(r"^(?:CN\s*=|DNS:)\s*", "", name, flags=re.IGNORECASE)
    name = re.sub(r"[\s\u200b-\u200f\u00ad\ufeff]", "", name).strip(".").casefold()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return name
    return name


def matches(name: str, pattern: str) -> bool:
    """Whether a certificate's `name` satisfies a connector's `pattern` for certain, both lower-case."""
    return covers(pattern, name) and not lies_deeper(name, pattern)


def names_of(certificate: CertificateSeen) -> tuple[str, ...]:
    """Every name it carries, the common name included: Exchange looks at both."""
    common = certificate.subject.common_name.casefold() if certificate.subject else ""
    return tuple(dict.fromkeys(each for each in (*(n.casefold() for n in certificate.names), common) if each))


def satisfies(certificate: CertificateSeen, pattern: str) -> bool:
    return any(matches(each, pattern) for each in names_of(certificate))


def shown(certificate: CertificateSeen) -> str:
    """A short name for people."""
    if names := names_of(certificate):
        return names[-1] if certificate.subject and certificate.subject.common_name else names[0]
    return (
        certificate.subject.text
        if certificate.subject and certificate.subject.text
        else certificate.thumbprint or "the certificate"
    )


def is_leaf(certificate: CertificateSeen) -> bool:
    return (
        certificate.role not in ("intermediate", "root", "remote")
        and not certificate.is_authority
        and certificate.depth in (0, None)
    )


def is_self_signed(certificate: CertificateSeen) -> bool:
    if certificate.self_signed is not None:
        return certificate.self_signed
    subject, issuer = certificate.subject, certificate.issuer
    return bool(subject and issuer and subject.attributes and subject.key == issuer.key)


def is_public(certificate: CertificateSeen) -> bool | None:
    """Whether a public authority issued it; None where the issuer is not told."""
    if is_self_signed(certificate):
        return False
    if certificate.root_type:
        return certificate.root_type.casefold() in ("thirdparty", "autoroot")
    if certificate.issuer is None or not certificate.issuer.attributes:
        return None
    values = [value for kind, value in certificate.issuer.attributes if kind in ("CN", "O", "OU")]
    if any(_PUBLIC_AUTHORITIES.search(each) for each in values):
        return True
    return False if _is_own_authority(certificate, values) else None


_PRIVATE_AUTHORITY = re.compile(
    r"\b(?:internal|intern|private|enterprise|corp(?:orate)?|lab|local|domain controller|AD ?CS|my ?CA|openssl|easy-?rsa|test)\b",
    re.IGNORECASE,
)


def _is_own_authority(certificate: CertificateSeen, issuer: Sequence[str]) -> bool:
    """Whether the issuer is the organisation's own: of its directory, of its name, or named as such."""
    if certificate.issuer and any(kind == "DC" for kind, _ in certificate.issuer.attributes):
        return True
    if any(_PRIVATE_AUTHORITY.search(each) for each in issuer) or certificate.issuer is None:
        return True
    organization = certificate.subject.organization if certificate.subject else ""
    if organization and organization == certificate.issuer.organization:
        return True
    own = {parent(name).partition(".")[0] for name in names_of(certificate) if "." in name}
    own |= {name for name in names_of(certificate) if "." not in name}
    written = " ".join(issuer).casefold()
    return any(len(each) > 3 and each in written for each in own)


def is_internal_name(name: str) -> bool:
    """A name no public authority issues for: one label, or under a suffix of inside networks."""
    suffix = name.rpartition(".")[2]
    return "." not in name or suffix in (
        "local",
        "lan",
        "internal",
        "corp",
        "intern",
        "localdomain",
        "home",
        "ad",
        "priv",
        "private",
    )


def is_appliance_default(certificate: CertificateSeen) -> bool:
    texts = [each.text for each in (certificate.subject, certificate.issuer) if each]
    return any(_APPLIANCE.search(each) for each in texts) and is_public(certificate) is not True


def same_certificate(one: CertificateSeen, other: CertificateSeen) -> bool | None:
    """None where nothing comparable is told of both."""
    if one.thumbprint and other.thumbprint:
        return one.thumbprint == other.thumbprint
    if one.serial and other.serial:
        return one.serial.lstrip("0").casefold() == other.serial.lstrip("0").casefold()
    one_ends, other_ends = at(one.not_after), at(other.not_after)
    return False if one_ends and other_ends and abs(one_ends - other_ends) > _DAY else None


def parent(name: str) -> str:
    """The registrable part as far as can be told without a list: the last two labels, three under a short second level."""
    labels = name.removeprefix("*.").split(".")
    if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])


def of_one_organisation(one: str, other: str) -> bool:
    return parent(one) == parent(other)


def at(moment: Moment | None) -> float | None:
    return moment.at if moment and moment.certainty != "year-unknown" else None


def refused_sessions(bundle: EvidenceBundle) -> tuple[SmtpSession, ...]:
    return tuple(
        each
        for each in bundle.sessions
        if each.log != "receive" and any(refused_by_attribution(reply) for reply in each.replies)
    )


def last(certificates: Iterable[CertificateSeen]) -> CertificateSeen | None:
    """The newest by time of use, else the last read."""
    found: Sequence[CertificateSeen] = list(certificates)
    if not found:
        return None
    return max(enumerate(found), key=lambda each: (at(each[1].at) or 0.0, each[0]))[1]


def on_the_refused_host(bundle: EvidenceBundle, certificates: Sequence[CertificateSeen]) -> list[CertificateSeen]:
    """Those that were printed at a prompt of the host whose log has the refusal."""
    hosts = {
        each.host.casefold() for each in bundle.postfix_deliveries if each.host and each.status not in ("sent", "")
    }
    return [each for each in certificates if _printed_on(bundle, each) in hosts]


def _printed_on(bundle: EvidenceBundle, certificate: CertificateSeen) -> str:
    """The host of the prompt above it."""
    above = [
        each
        for each in bundle.shell
        if each.source.file == certificate.source.file and each.source.line <= certificate.source.line
    ]
    return max(above, key=lambda each: each.source.line).server.casefold() if above else ""
