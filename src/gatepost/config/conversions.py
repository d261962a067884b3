"""What a setting may be: each function turns a value of the file into one of ours, or raises `ValueError` with what it
must be."""

import difflib
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from gatepost.mail.domain import DomainError, domain_key
from gatepost.mail.path_grammar import BadPath, read_mailbox

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?\Z")
_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,17}\Z")
_SIZES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a string in quotes")
    return value


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('must be a list, such as ["127.0.0.1:5353"]')
    return tuple(text(each) for each in value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a table: [name] on a line of its own")
    return value


def mappings(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("must be a list of tables: [[name]] on a line of its own")
    return [mapping(each) for each in value]


def web_origin(value: Any) -> str:
    """`https://console.example.net:8444`, as a browser writes an origin (RFC 6454 6.2)."""
    found = urlsplit(text(value).removesuffix("/"))
    if found.scheme != "https" or not found.hostname or found.username or found.path or found.query or found.fragment:
        raise ValueError('must be https, a host and perhaps a port, such as "https://console.example.net:8444"')
    return found.geturl().removesuffix(":443") if found.port == 443 else found.geturl()


def issuer(value: Any) -> str:
    """As the provider writes itself, to the octet; without TLS only on this machine."""
    found = urlsplit(text(value))
    is_here = found.scheme == "http" and found.hostname in ("127.0.0.1", "::1", "localhost")
    if not (found.scheme == "https" or is_here) or not found.hostname or found.username or found.query:
        raise ValueError('must be the https address of the issuer, such as "https://login.example.com/realms/staff"')
    return text(value)


def label(value: Any) -> str:
    if not _LABEL.match(text(value)):
        raise ValueError("must be up to 18 lowercase letters, digits and hyphens")
    return text(value)


def domain(value: Any) -> str:
    try:
        return domain_key(text(value))
    except DomainError as error:
        raise ValueError(str(error)) from None


def mailbox(value: Any) -> str:
    read_as = read_mailbox(text(value))
    if isinstance(read_as, BadPath):
        raise ValueError(f"{read_as.says}; write it like postmaster@example.net")
    return str(value)


def name_servers(value: Any) -> tuple[str, ...]:
    return tuple(_name_server(each) for each in texts(value))


def addresses(value: Any) -> tuple[str, ...]:
    return tuple(_address(each) for each in texts(value))


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an address: write 192.0.2.53 or 2001:db8::53") from None


def _name_server(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        endpoint(text)
    return text


def whole(least: int, most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return convert


def one_of(*words: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if value not in words:
            near = difflib.get_close_matches(str(value), words, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"must be one of {', '.join(words)}{hint}")
        return str(value)

    return convert


def duration(value: Any) -> float:
    """Seconds. Written `90s`, `15m`, `4h`, `2d`."""
    found = _DURATION.match(value) if isinstance(value, str) else None
    if not found:
        raise ValueError('must be a duration, such as "90s", "15m", "4h", "2d"')
    return float(found[1]) * _UNITS[found[2]]


def days(value: Any) -> float:
    """The same, counted in days."""
    return duration(value) / 86400


def octets(least: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        found = _SIZE.match(str(value)) if not isinstance(value, bool) else None
        if not found or int(found[1]) * _SIZES[found[2]] < least:
            raise ValueError(f'must be a size of at least {least} bytes, such as "150MiB"')
        return int(found[1]) * _SIZES[found[2]]

    return convert


def or_auto(convert: Callable[[Any], int]) -> Callable[[Any], int | None]:
    """`"auto"`, which is None: it follows from something else."""
    return lambda value: None if value == "auto" else convert(value)


def endpoint(value: Any) -> tuple[str, int]:
    """`127.0.0.1:25`, `[::1]:25`; the address is an IP address, since a listener binds to one."""
    host, separator, port = text(value).rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ip_address(bare)
    except ValueError:
        raise ValueError('must be an IP address and a port, such as "0.0.0.0:25" or "[::]:25"') from None
    if not separator or not port.isdigit() or not 0 <= int(port) <= 65535 or (address.version == 6 and bare == host):
        raise ValueError('must be an IP address and a port, such as "0.0.0.0:25" or "[::]:25"')
    return str(address), int(port)


def https_url(value: Any) -> str:
    """Without user and password, which would be sent in the clear to logs of proxies; with a host."""
    url = text(value)
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme == "https" and parts.hostname and parts.port != 0 and not parts.fragment
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError('must be an https URL, such as "https://alerts.example.net/gatepost"')
    if parts.username is not None or parts.password is not None:
        raise ValueError("must have no user and no password: alarms are signed, see secret_file")
    return url


def networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(each) for each in texts(value))
    except ValueError as error:
        raise ValueError(f'must be a list of networks, such as ["192.0.2.0/24"]: {error}') from None


def shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
