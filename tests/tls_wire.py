"""Two TLS sessions joined in memory, and a bare TLS client of any kind to meet a server with."""

from pathlib import Path
from typing import Protocol

from OpenSSL import SSL

from pki import Issued


class Session(Protocol):
    established: bool
    failure: str | None

    def feed(self, ciphertext: bytes) -> bytes: ...

    def take_ciphertext(self) -> bytes: ...


class BareClient:
    """A client with nothing of Gatepost in it."""

    def __init__(
        self,
        issued: Issued | None = None,
        *,
        chain_file: Path | None = None,
        version: int | None = None,
        server_name: str | None = None,
        groups: bytes | None = None,
        suites: bytes | None = None,
    ) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if version:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
        if groups:
            assert SSL._lib.SSL_CTX_set1_curves_list(context._context, groups) == 1
        if suites:
            context.set_tls13_ciphersuites(suites)
        if issued:
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            context.use_certificate_chain_file(str(chain_file or issued.chain_file))
            context.use_privatekey_file(str(issued.key_file))
        self.connection = SSL.Connection(context, None)
        self.connection.set_connect_state()
        if server_name:
            self.connection.set_tlsext_host_name(server_name.encode())
        self.established = False
        self.failure: str | None = None
        self._step()

    def feed(self, ciphertext: bytes) -> bytes:
        if ciphertext:
            self.connection.bio_write(ciphertext)
        return self._step()

    def take_ciphertext(self) -> bytes:
        taken = b""
        try:
            while True:
                taken += self.connection.bio_read(65536)
        except SSL.WantReadError:
            return taken

    def _step(self) -> bytes:
        received = b""
        try:
            if not self.established:
                self.connection.do_handshake()
                self.established = True
            while True:
                received += self.connection.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.failure = repr(error)
        return received


def join(client: Session, server: Session, cut: int | None = None) -> tuple[bytes, bytes]:
    """Carry octets both ways until neither has more, in pieces of `cut`; returns the plaintext each has received."""
    to_client = to_server = b""
    while True:
        up, down = client.take_ciphertext(), server.take_ciphertext()
        if not up and not down:
            return to_client, to_server
        for piece in _pieces(up, cut):
            to_server += server.feed(piece)
        for piece in _pieces(down, cut):
            to_client += client.feed(piece)


def _pieces(octets: bytes, size: int | None) -> list[bytes]:
    step = size or max(len(octets), 1)
    return [octets[start : start + step] for start in range(0, len(octets), step)]
