"""A socket to one SMTP server, for looking at what it does: commands out, replies in, TLS when asked for.

Law: whatever the host does, or does not do in time, is an answer.
"""

import asyncio
import socket
from os import strerror

from gatepost.mail.reply import RemoteReply
from gatepost.net.tls_client import ClientTlsContexts, ClientTlsSession
from gatepost.smtp.reply_reader import Garbled, ReplyReader

_AT_ONCE = 65_536


class ProbeConnection:
    """One session with a host, for as long as somebody asks."""

    def __init__(
        self,
        address: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tls: ClientTlsSession,
        timeout_s: float,
    ) -> None:
        self.address = address
        self._reader = reader
        self._writer = writer
        self._tls = tls
        self._secured = False
        self._timeout_s = timeout_s
        self._replies = ReplyReader()
        self._waiting: list[RemoteReply | Garbled] = []

    @property
    def own_name(self) -> str:
        return socket.getfqdn()

    async def answer(self) -> RemoteReply | str:
        try:
            async with asyncio.timeout(self._timeout_s):
                while not self._waiting:
                    octets = await self._octets()
                    if isinstance(octets, str):
                        return octets
                    self._waiting += self._replies.feed(octets)
        except TimeoutError:
            return f"no reply within {self._timeout_s:g} s"
        except OSError as error:
            return f"the connection broke: {error.strerror or error}"
        found = self._waiting.pop(0)
        if isinstance(found, Garbled):
            return f"{found.why}: '{found.said}'"
        return found

    def send(self, command: str) -> None:
        octets = command.encode() + b"\r\n"
        if self._secured:
            self._tls.write(octets)
            octets = self._tls.take_ciphertext()
        self._writer.write(octets)

    async def start_tls(self) -> ClientTlsSession:
        # RFC 3207 4.2: what came in the clear after the reply to STARTTLS is not a part of the session.
        self._replies = ReplyReader()
        self._waiting.clear()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._shake_hands()
        except TimeoutError:
            self._tls.failure = f"the TLS handshake was not done within {self._timeout_s:g} s"
        except OSError as error:
            self._tls.failure = f"the connection broke in the TLS handshake: {error.strerror or error}"
        self._secured = self._tls.established
        return self._tls

    def close(self) -> None:
        if self._secured:
            self._tls.close()
            self._writer.write(self._tls.take_ciphertext())
        self._writer.close()

    async def _shake_hands(self) -> None:
        tls = self._tls
        self._writer.write(tls.take_ciphertext())
        while not tls.established and tls.failure is None:
            octets = await self._reader.read(_AT_ONCE)
            if not octets:
                tls.failure = "the host closed the connection in the TLS handshake"
                return
            self._waiting += self._replies.feed(tls.feed(octets))
            self._writer.write(tls.take_ciphertext())

    async def _octets(self) -> bytes | str:
        """What the host says next; why it will say no more."""
        if self._tls.failure is not None:
            return f"TLS broke: {self._tls.failure}"
        octets = await self._reader.read(_AT_ONCE)
        if not octets or self._tls.ended:
            return "the host closed the connection"
        if not self._secured:
            return octets
        plaintext = self._tls.feed(octets)
        self._writer.write(self._tls.take_ciphertext())
        return plaintext


async def dial(
    host: str,
    port: int,
    contexts: ClientTlsContexts,
    certificate: str | None,
    key: str | None,
    timeout_s: float,
    source_address: str | None = None,
) -> ProbeConnection | str:
    """Connect to the first address of `host` that answers; why none does, else. `certificate` and `key` are held ready
    for TLS; `source_address` is the one of this machine to go out by."""
    addresses = await _addresses(host, port, timeout_s)
    if isinstance(addresses, str):
        return addresses
    problems = []
    for address in addresses:
        try:
            async with asyncio.timeout(timeout_s):
                source = (source_address, 0) if source_address else None
                reader, writer = await asyncio.open_connection(address, port, local_addr=source)
        except TimeoutError:
            problems.append(f"{address} port {port}: no answer within {timeout_s:g} s")
        except OSError as error:
            problems.append(f"{address} port {port}: {_why(error)}")
        else:
            return ProbeConnection(address, reader, writer, contexts.connect(host, certificate, key), timeout_s)
    return f"cannot connect to {'; '.join(problems)}"


def _why(error: OSError) -> str:
    """The library says the address again, which stands before."""
    return strerror(error.errno) if error.errno else str(error)


async def _addresses(host: str, port: int, timeout_s: float) -> tuple[str, ...] | str:
    """By the system's resolver, which knows the hosts file too."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return f"the address of {host} was not found within {timeout_s:g} s"
    except (OSError, UnicodeError) as error:
        return f"{host} has no address: {getattr(error, 'strerror', None) or error}"
    return tuple(dict.fromkeys(str(socket_address[0]) for *_, socket_address in found))
