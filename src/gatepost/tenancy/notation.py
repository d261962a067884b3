"""How administrators write names, fingerprints, networks, hosts and times; a slip in them is explained."""

import re
from difflib import get_close_matches
from ipaddress import IPv6Network, ip_address, ip_network, summarize_address_range

from gatepost.errors import BadRequest, Named
from gatepost.mail.domain import DomainError, domain_key
from gatepost.mail.path_grammar import BadPath, read_mailbox
from gatepost.mail.visible import is_plain
from gatepost.tenancy.tenant import LIMIT_NAMES, AddressSpace, Network, SmartHost

_ADDRESS = Named(name="addresses", option="address")
_LIMIT = Named(name="limits", option="limit")
_MATCH_SUBDOMAINS = Named(name="match_subdomains", option="match-subdomains")

_SIZE_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

LONGEST_NAME = 64
LONGEST_COMMENT = 256

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
_LONGEST_PREFIX = {"ipv4_prefix": 32, "ipv6_prefix": 128}
_SECONDS_IN = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z])\Z")
_HEX = re.compile(r"[0-9a-f]+\Z")
_RANGE = re.compile(r"([0-9a-fA-F.:]{1,60})\s{0,9}-\s{0,9}([0-9a-fA-F.:]{1,60})\Z")


def object_name(text: str, kind: str) -> str:
    """The name of a tenant or connector. It stands in commands, in paths (RFC 3986 5.2.4 takes `.` and `..` out of
    them) and in `tenant/connector`."""
    if not text or text != text.strip() or not is_plain(text):
        raise BadRequest(
            f"'{text}' cannot be the name of a {kind}: use visible characters, without a blank at either end"
        )
    if text in (".", ".."):
        raise BadRequest(f"'{text}' cannot be the name of a {kind}: it would mean a folder in a path")
    if "/" in text or "\\" in text or text.startswith("-"):
        raise BadRequest(f"'{text}' cannot be the name of a {kind}: no '/' or '\\' in it, and no '-' in front")
    if len(text) > LONGEST_NAME:
        raise BadRequest(f"'{text[:20]}…' is too long for the name of a {kind}: at most {LONGEST_NAME} characters")
    return text


def accepted_domain(text: str) -> str:
    """A domain a tenant can own: no wildcard, no top-level domain, no address."""
    if text.startswith("*."):
        raise BadRequest(f"'{text}': write {text[2:]} and add ", _MATCH_SUBDOMAINS, " for what lies below it")
    key = _domain(text)
    if "." not in key:
        raise BadRequest(f"'{text}' is a top-level domain: write the whole domain, such as contoso.com")
    if _is_address(key):
        raise BadRequest(f"'{text}' is an address, not a domain")
    return key


def certificate_name(text: str) -> str:
    """`mail.contoso.com` or `*.contoso.com`, as a domain key."""
    if text.upper().startswith("<I>") or "<S>" in text.upper():
        raise BadRequest(
            f"'{text}' is issuer and subject, as Exchange's sending side writes them",
            next_step="a connector goes by a DNS name in the certificate: write that name, such as mail.contoso.com",
        )
    if "=" in text or "@" in text:
        raise BadRequest(f"'{text}' is not a DNS name: write one of the certificate's names, such as mail.contoso.com")
    wildcard, base = text.startswith("*."), text.removeprefix("*.")
    if "*" in base:
        raise BadRequest(f"'{text}': '*' can only stand for the whole first label, as in *.contoso.com")
    if _is_address(base):
        raise BadRequest(f"'{text}' is an address: say ", _ADDRESS, f" {base}")
    key = _domain(base)
    if "." not in key:
        raise BadRequest(f"'{text}' is not a full name: write it with its domain, such as mail.contoso.com")
    return f"*.{key}" if wildcard else key


def sha256(text: str, what: str) -> str:
    """64 hex digits, however they were grouped: `AB:CD`, `ab cd`, `abcd`."""
    digits = re.sub(r"[\s:-]", "", text).lower()
    if not _HEX.match(digits):
        raise BadRequest(f"'{_short(text)}' is not a SHA-256 of a {what}: 64 hex digits, with or without colons")
    if len(digits) == 40:
        raise BadRequest(
            f"'{_short(text)}' is a SHA-1 thumbprint (40 digits)",
            next_step="64 are needed: openssl x509 -in FILE -noout -fingerprint -sha256",
        )
    if len(digits) != 64:
        raise BadRequest(f"'{_short(text)}' has {len(digits)} hex digits", next_step=f"a SHA-256 of a {what} has 64")
    return digits


def network(text: str) -> Network:
    """One address or a network in CIDR form."""
    if found := _RANGE.match(text):
        raise BadRequest(f"'{text}' is a range: write it as {_range_as_networks(found[1], found[2])}")
    if "%" in text:
        raise BadRequest(
            f"'{text}': an address with a zone (%) is valid on one host only", next_step="leave out the zone"
        )
    try:
        parsed = ip_network(text.strip("[]"))
    except ValueError:
        raise BadRequest(_why_no_network(text)) from None
    if isinstance(parsed, IPv6Network) and parsed.subnet_of(_IPV4_MAPPED):
        mapped = parsed.network_address.ipv4_mapped
        raise BadRequest(f"'{text}' is an IPv4 address written as IPv6: write {mapped}/{parsed.prefixlen - 96}")
    return parsed


def domain_pattern(text: str) -> str:
    """`*`, `domain` or `*.domain`."""
    if text == "*":
        return text
    wildcard, base = text.startswith("*."), text.removeprefix("*.")
    if "*" in base:
        raise BadRequest(f"'{text}': '*' must stand alone or before a domain, as in *.contoso.com")
    return f"*.{_domain(base)}" if wildcard else _domain(base)


def address_space(text: str) -> AddressSpace:
    """`SPACE[;COST]`."""
    space, separator, cost = text.partition(";")
    if not separator:
        return AddressSpace(space=domain_pattern(space))
    if not cost.isascii() or not cost.isdigit() or not 1 <= int(cost) <= 100:
        raise BadRequest(f"'{text}': the cost behind ';' is a whole number from 1 (preferred) to 100")
    return AddressSpace(space=domain_pattern(space), cost=int(cost))


def smart_host(text: str) -> SmartHost:
    """`HOST[:PORT]`; an IPv6 address stands in brackets when a port follows."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_address(address) or (rest and not rest.startswith(":")):
            raise BadRequest(
                f"'{text}' is not a host: write an address in brackets and an optional port, as in [2001:db8::25]:25"
            )
        return SmartHost(host=str(ip_address(address)), port=_port(rest[1:], text) if rest else 25)
    if text.count(":") > 1:
        if not _is_address(text):
            raise BadRequest(f"'{text}' is not a host: put an IPv6 address in brackets, as in [2001:db8::25]:25")
        return SmartHost(host=str(ip_address(text)))
    host, separator, port = text.partition(":")
    name = host if _is_address(host) else _domain(host)
    return SmartHost(host=name, port=_port(port, text) if separator else 25)


def mailbox(text: str, field: Named) -> str:
    """`user@example.com`, as a path has it."""
    found = read_mailbox(text)
    if isinstance(found, BadPath):
        raise BadRequest(field, f" {text}: {found.says}")
    return str(found)


def host_name(text: str, field: Named) -> str:
    """A name for EHLO or a certificate."""
    if _is_address(text.strip("[]")):
        raise BadRequest(field, f" '{text}': must be a host name, not an address")
    return _domain(text)


def _domain(text: str) -> str:
    try:
        return domain_key(text)
    except DomainError as error:
        raise BadRequest(str(error)) from None


def _port(text: str, whole: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise BadRequest(f"'{whole}': the port behind ':' is a whole number from 1 to 65535")
    return int(text)


def _is_address(text: str) -> bool:
    if ":" not in text and not text[-1:].isdigit():
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _why_no_network(text: str) -> str:
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        return f"'{text}' is not an address or network: write it as 192.0.2.10, 192.0.2.0/24 or 2001:db8::/48"
    host = text.partition("/")[0]
    return f"'{text}' has bits set behind its prefix: write {loose} for the network, or {host} for the one host"


def _range_as_networks(first: str, last: str) -> str:
    try:
        networks = list(summarize_address_range(ip_address(first), ip_address(last)))
    except (ValueError, TypeError):
        return "networks, such as 192.0.2.0/24"
    shown = " ".join(f"--address {each}" for each in networks[:8])
    return shown if len(networks) <= 8 else f"{shown} … ({len(networks)} networks)"


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:23]}…"


_LARGEST_LIMIT = 1024**4
"""Of octets, 1 TiB: what is larger is a slip of the pen."""


def limit_count(text: str) -> int | None:
    """A limit of a tenant: a whole number, or None for `default`."""
    if text == "default":
        return None
    if not text.isascii() or not text.isdigit():
        raise BadRequest(f"'{text}' is not a limit: write a whole number, 0 for no limit, or default")
    return _bounded(int(text), text)


def _bounded(limit: int, text: str) -> int:
    if limit > _LARGEST_LIMIT:
        raise BadRequest(f"'{text}' is too large for a limit: write at most {_LARGEST_LIMIT}, or 0 for no limit")
    return limit


def named_limit(text: str) -> tuple[str, int | None]:
    """`NAME=VALUE`, as `tenant set --limit` takes it."""
    written, separator, value = text.partition("=")
    name = written.replace("-", "_")
    if not separator or name not in LIMIT_NAMES:
        near = get_close_matches(name, LIMIT_NAMES, n=1)
        known = ", ".join(each.replace("_", "-") for each in LIMIT_NAMES)
        hint = f"did you mean {near[0].replace('_', '-')}?" if near and separator else f"known: {known}"
        raise BadRequest(_LIMIT, f" {text}: write it as NAME=COUNT, such as inbound-connectors=400", next_step=hint)
    limit = limit_size(value) if name == "message_size" else limit_count(value)
    return name, limit and usable_limit(name, limit)


def usable_limit(name: str, limit: int) -> int:
    """The limit, if there is one of that name and it can be that large."""
    if name not in LIMIT_NAMES:
        near = get_close_matches(name, LIMIT_NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(LIMIT_NAMES)}"
        raise BadRequest(_LIMIT, f" {name}: there is no such limit", next_step=hint)
    if limit > _LONGEST_PREFIX.get(name, limit):
        raise BadRequest(_LIMIT, f" {name}={limit}: a prefix has at most {_LONGEST_PREFIX[name]} bits")
    return _bounded(limit, str(limit))


def limit_size(text: str) -> int | None:
    """A limit of a size: `25MiB`, `64KiB`, octets without a unit, or None for `default`."""
    for unit, octets in _SIZE_UNITS.items():
        if text.endswith(unit) and text.removesuffix(unit).isdigit():
            return _bounded(int(text.removesuffix(unit)) * octets, text)
    if text != "default" and not (text.isascii() and text.isdigit()):
        raise BadRequest(f"'{text}' is not a size: write it as 25MiB or 512KiB, 0 for no limit, or default")
    return limit_count(text)


def size_text(octets: int) -> str:
    """As it would be written: in the largest unit that divides it."""
    units = ((unit, size) for unit, size in reversed(_SIZE_UNITS.items()) if octets and octets % size == 0)
    return next((f"{octets // size}{unit}" for unit, size in units), str(octets))


def comment(text: str) -> str:
    """A note for people: it stands in tables and logs, so it is one line."""
    if not is_plain(text):
        raise BadRequest("a comment must be one line of visible characters")
    if len(text) > LONGEST_COMMENT:
        raise BadRequest(f"the comment has {len(text)} characters", next_step=f"at most {LONGEST_COMMENT} are allowed")
    return text


def duration_s(text: str) -> float:
    """`90s`, `15m`, `4h`, `2d`, `1w` in seconds. Raises `BadRequest`."""
    match = _DURATION.match(text)
    if not match or match[2] not in _SECONDS_IN:
        raise BadRequest(f"'{text}' is not a duration: write a number and s, m, h, d or w, such as 90s, 15m, 4h or 2d")
    return float(match[1]) * _SECONDS_IN[match[2]]
