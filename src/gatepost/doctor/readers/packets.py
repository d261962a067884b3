"""Decoded captures: what tshark and Wireshark print of TLS, and tcpdump of segments.

What flows: a head line begins a message, the lines below it tell its parts. Law: an alert's sender is told only where
the capture names both ends.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from typing import Any, Final

from gatepost.doctor.evidence import PacketSeen
from gatepost.doctor.page import Page
from gatepost.exchange.source import Fact

_MESSAGE: Final = re.compile(
    r"(?:Handshake (?:Protocol|Type):|\b(?:TLS|SSL)v\d(?:\.\d)?)\s{0,4}(?P<kind>Client Hello|Server Hello|Certificate Request|Certificate)\b"
)
_ALERT: Final = re.compile(r"Alert\s*\(Level:\s*(?P<level>\w+),\s*Description:\s*(?P<description>[\w ]{3,40})\)")
_NUMBER: Final = re.compile(r"^\s*Description:\s*(?P<description>[\w ]{3,40})\s\((?P<number>\d{1,3})\)")
_VERSION: Final = re.compile(r"^\s*Version:\s*(?P<version>(?:TLS|SSL) \d\.\d)\b")
_BESIDE: Final = re.compile(r"\bVersion:\s*(?P<version>(?:TLS|SSL) \d\.\d)\b")
_CIPHER: Final = re.compile(r"^\s*Cipher Suite:\s*(?P<cipher>TLS_\w{3,60})")
_EXTENSION: Final = re.compile(r"^\s*Extensions?:\s*(?P<names>[a-z_][\w ,]{2,200})")
_PART: Final = re.compile(
    r"^\s+(?:Alert Message|Level:|Length:|Content Type:|Handshake Type:|Random|Session ID|Cipher Suites|Compression|Extensions Length|Signature (?:Hash )?Algorithm|Supported (?:Group|Version)|Server Name|Type:|GMT Unix)"
)
_ENDS: Final = re.compile(
    r"(?P<sender>\d{1,3}(?:\.\d{1,3}){3}(?:[:.]\d{1,5})?)\s*(?:->|\u2192|>)\s*(?P<receiver>\d{1,3}(?:\.\d{1,3}){3}(?:[:.]\d{1,5})?)"
)
_TCPDUMP: Final = re.compile(
    r"^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{1,9} (?:[\w.]{1,20} (?:In|Out)\s+)?IP6? (?P<sender>\S{3,100}) > (?P<receiver>\S{3,100}): Flags \[(?P<flags>[A-Z.]{1,6})\](?P<rest>.*)$"
)


def read(page: Page) -> Iterator[Fact]:
    message: dict[str, Any] | None = None
    ends: re.Match[str] | None = None
    for index, line in page.free():
        ends = _ENDS.search(line[:300]) or ends
        if segment := _TCPDUMP.match(line):
            page.take(index)
            yield _segment(page, index, segment)
        elif (head := _MESSAGE.search(line[:300])) or (alert := _ALERT.search(line[:300])):
            if message is not None:
                yield PacketSeen(**message)
            page.take(index)
            kind = head["kind"].casefold().replace(" ", "-") if head else "alert"
            message = {
                "source": page.source(index),
                "quote": line.strip()[:300],
                "kind": kind,
                "ciphers": (),
                "extensions": (),
            }
            if head and (version := _BESIDE.search(line[:300])):
                message["version"] = version["version"]
            if not head and alert:
                message["description"] = alert["description"].strip()
            if ends is not None:
                message |= {"sender": ends["sender"], "receiver": ends["receiver"]}
        elif message is not None and _part(message, line):
            page.take(index)
    if message is not None:
        yield PacketSeen(**message)


def _part(message: dict[str, Any], line: str) -> bool:
    """Whether the line is a part of the message; adds what it tells."""
    if version := _VERSION.match(line):
        message.setdefault("version", version["version"])
    elif cipher := _CIPHER.match(line):
        message["ciphers"] = (*message["ciphers"], cipher["cipher"])
    elif extension := _EXTENSION.match(line):
        names = tuple(each.strip() for each in extension["names"].split(",") if each.strip())
        message["extensions"] = (*message["extensions"], *names)
    elif number := _NUMBER.match(line):
        message["description"], message["alert"] = number["description"].strip(), int(number["number"])
    else:
        return bool(_PART.match(line))
    return True


def _segment(page: Page, index: int, match: re.Match[str]) -> PacketSeen:
    length = re.search(r"\blength (\d{1,6})", match["rest"])
    return PacketSeen(
        source=page.source(index),
        quote=page.lines[index].strip()[:300],
        kind="segment",
        description=match["flags"],
        sender=match["sender"],
        receiver=match["receiver"],
        length=int(length[1]) if length else None,
        repeated="retransmission" in match["rest"],
    )
