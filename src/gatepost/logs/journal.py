"""systemd's journal in its native protocol, one datagram an entry: https://systemd.io/JOURNAL_NATIVE_PROTOCOL

What flows through: fields of an entry in, `NAME=value` lines out, or the length and the octets where a value has line
breaks; an entry too large for a datagram goes as a sealed file in memory. Laws: what a peer put into a value is a value
and never a field; a journal that stands still is waited for a second at most.
"""

import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

SOCKET: Final = "/run/systemd/journal/socket"
_PATIENCE_S: Final = 1.0
_EVENTS: Final = UUID("5b1ac1f7-6b0e-4d0c-9a37-4f0f2a5f6f11")
"""In which every event has its MESSAGE_ID."""
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_NO_FIELD: Final = re.compile(r"[^A-Z0-9_]")
_LONGEST_NAME: Final = 64


@lru_cache(1024)
def message_id(event: str) -> str:
    """The same for every entry of one event, on every machine and in every version."""
    return uuid5(_EVENTS, event).hex


@lru_cache(1024)
def field_name(name: str) -> str:
    """As the journal takes it: `GATEPOST_QUEUE_ID`."""
    return _NO_FIELD.sub("_", f"GATEPOST_{name.upper()}")[:_LONGEST_NAME]


def entry(fields: Mapping[str, str]) -> bytes:
    lines = ((name.encode("ascii"), value.encode("utf-8", "backslashreplace")) for name, value in fields.items())
    return b"".join(_line(name, value) for name, value in lines)


def _line(name: bytes, value: bytes) -> bytes:
    if b"\n" not in value:
        return name + b"=" + value + b"\n"
    return name + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"


class Journal:
    """Its methods raise `OSError`: there is no journal, or it stands still."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, octets: bytes) -> None:
        """One entry."""
        try:
            self._send(octets)
        except OSError:
            # It was started anew, with another socket: the next attempt finds that.
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None

    def _send(self, octets: bytes) -> None:
        connected = self._connected()
        try:
            connected.send(octets)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._send_as_file(connected, octets)

    def _send_as_file(self, connected: socket.socket, octets: bytes) -> None:
        descriptor = os.memfd_create("gatepost-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(octets)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            socket.send_fds(connected, [b""], [descriptor])
        finally:
            os.close(descriptor)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connecting = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            try:
                connecting.settimeout(_PATIENCE_S)
                connecting.connect(self._path)
            except OSError:
                connecting.close()
                raise
            self._socket = connecting
        return self._socket
