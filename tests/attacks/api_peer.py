"""A peer of the Management API that says, octet by octet, what no library would."""

import json
import socket
import ssl
from contextlib import suppress
from typing import Any

from end_to_end.installation import Installation


def stranger(relay: Installation, address: str = "127.0.0.1") -> socket.socket:
    """A connection from `address`, on which nothing was said yet."""
    sock = socket.socket()
    sock.settimeout(30)
    sock.bind((address, 0))
    sock.connect(("127.0.0.1", relay.port_of("api")))
    return sock


def secured(relay: Installation, address: str = "127.0.0.1") -> ssl.SSLSocket:
    """The same behind its handshake."""
    trust = ssl.create_default_context(cafile=str(relay.folder / "server.pem"))
    trust.check_hostname = False
    return trust.wrap_socket(stranger(relay, address))


def head(token: str | None, line: str = "GET /v1/whoami", *fields: str) -> bytes:
    """The head of a request, without its last empty line."""
    authorization = [f"Authorization: Bearer {token}"] if token else []
    return "".join(f"{each}\r\n" for each in [f"{line} HTTP/1.1", "Host: x", *authorization, *fields]).encode()


def everything(sock: socket.socket) -> bytes:
    """What the server says until it closes."""
    said = b""
    with suppress(OSError):
        while octets := sock.recv(65536):
            said += octets
    return said


def answer_in(said: bytes) -> tuple[int, dict[str, Any]]:
    """Status and body of the only answer in `said`; it must be JSON."""
    top, _, body = said.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in top.lower(), said[:300]
    return int(top.split()[1]), json.loads(body)


def is_closed(sock: socket.socket) -> bool:
    """Whether the server has ended the connection, waiting for it as long as the socket is patient."""
    try:
        return not sock.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True
