"""What reads octets from the network, a function a target: each states its invariant, and raises where it is broken.

Common to all: nothing raises for what a peer sends, and an input costs bounded time and memory. `fuzz/network.py` looks
for inputs that reach new code; `tests/house/test_fuzz_corpus.py` plays the seeds it begins with, `fuzz/corpus/TARGET/`.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cutting import play_every_way

from gatepost.mail.address import NULL_REVERSE_PATH, Mailbox
from gatepost.mail.envelope import NO_DSN_REQUEST, Envelope
from gatepost.mail.path_grammar import BadPath, read_forward_path, read_mailbox, read_reverse_path
from gatepost.net.certificates import facts, lineage
from gatepost.net.judgement import Judge
from gatepost.net.tls_server import ServerTlsContexts
from gatepost.receiving.proxy_protocol import Incomplete, Proxied, read_header
from gatepost.smtp.client_effects import ClientEffect, Close, Ready, SendContent, StartTls, TransactionEnded
from gatepost.smtp.client_session import ClientSession
from gatepost.smtp.client_settings import ClientSettings, StartTlsUse
from gatepost.smtp.outgoing import OutgoingTransaction
from gatepost.smtp.parameters import mail_parameters, recipient_parameters
from gatepost.smtp.server_effects import AskMail
from pki import Issued, Pki
from tls_wire import BareClient

CORPUS = Path(__file__).resolve().parent / "corpus"
FOUND = CORPUS.parent / "found"
NEXT_WRITE = b"\x1e"
"""Stands between what a peer writes before and after it has read what was answered."""
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def smtp_server(octets: bytes) -> None:
    """The server machine: effects do not depend on how the octets were cut; see fuzz/cutting.py for the rest."""
    play_every_way([write for write in octets.split(NEXT_WRITE) if write] or [b""])


class _Recipient:
    forward_path = "bob@partner.example"
    dsn = NO_DSN_REQUEST


class _Content:
    size = 26

    def chunks(self) -> Iterable[bytes]:
        return iter((b"Subject: x\r\n\r\n", b".\r\nhello\r\n\r\n"))


def smtp_client(octets: bytes) -> None:
    """The client machine, and a server that speaks out of turn: each transaction ends once, each recipient with a
    verdict, and none is delivered without a 2xx of the server's."""
    _Sender().hears([octets])
    _Sender().hears(octets[at : at + 1] for at in range(len(octets)))


class _Sender:
    """Plays two transactions with a server that says whatever it likes."""

    def __init__(self) -> None:
        self._session = ClientSession(ClientSettings(ehlo_name="edge.example", starttls=StartTlsUse.WHEN_OFFERED))
        self._begun = 0
        self._ends: list[TransactionEnded] = []

    def hears(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._do(self._session.octets_received(piece))
        self._do(self._session.peer_closed())
        assert len(self._ends) == self._begun, "a transaction ended more or less than once"
        for end in self._ends:
            assert len(end.verdicts) == 2, "a recipient is without a verdict"
            taken = [verdict.reply for verdict in end.verdicts if verdict.kind == 2]
            assert all(reply and reply.code // 100 == 2 for reply in taken), "delivered without a 2xx"

    def _do(self, effects: Sequence[ClientEffect]) -> None:
        for effect in effects:
            if isinstance(effect, TransactionEnded):
                self._ends.append(effect)
            match effect:
                case SendContent():
                    self._do(self._session.content_sent())
                case StartTls():
                    self._do(self._session.tls_established())
                case Ready() | TransactionEnded() if self._session.idle and self._begun < 2:
                    self._begun += 1
                    self._do(self._session.begin(_transaction()))
                case Close():
                    assert self._session.closed


_ANN = Mailbox("ann", "tenant.example", "ann@tenant.example")


def _transaction() -> OutgoingTransaction:
    return OutgoingTransaction(
        envelope=Envelope(reverse_path=_ANN), recipients=[_Recipient(), _Recipient()], content=_Content()
    )


def proxy_header(octets: bytes) -> None:
    """The PROXY header: a decision, once reached, does not change with what comes later."""
    decided = None
    for end in range(min(len(octets), 300) + 1):
        found = read_header(octets[:end])
        if decided is not None:
            rest = found.rest if isinstance(found, Proxied) else None
            assert type(found) is type(decided) and (rest is None or octets[:end].endswith(rest))
        elif not isinstance(found, Incomplete):
            decided = found


def commands(octets: bytes) -> None:
    """Paths and parameters: what is read as a mailbox, reads the same when written again."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return  # the machine refuses such a line before anything reads it
    for found in (read_reverse_path(text), read_forward_path(text, postmaster_at="relay.example"), read_mailbox(text)):
        mailbox = getattr(found, "path", found)
        if not isinstance(found, BadPath) and isinstance(mailbox, Mailbox):
            again = read_mailbox(str(mailbox))
            assert again == mailbox, f"{mailbox} is read again as {again}"
    mail_parameters(text, AskMail(envelope=Envelope(reverse_path=NULL_REVERSE_PATH)))
    recipient_parameters(text, smtputf8=True)


@cache
def _pki() -> Pki:
    return Pki(Path(tempfile.mkdtemp(prefix="gatepost-fuzz-")))


@cache
def _judge() -> Judge:
    return Judge(_pki().roots_file)


def certificates(octets: bytes) -> None:
    """A certificate, alone and in a chain below a good leaf: facts never raise, and no mutilated leaf verifies."""
    certificate = facts(octets)
    lineage(octets)
    good = tuple(facts(der) for der in _leaf().chain)
    _judge()((certificate, *good[1:]), (), NOW)
    _judge()((good[0], certificate), (), NOW)


@cache
def _leaf() -> Issued:
    return _pki().leaf("mail.contoso.com")


@cache
def _tls() -> ServerTlsContexts:
    server = _pki().leaf("relay.example.net")
    return ServerTlsContexts([(server.chain_file, server.key_file)], _judge())


def tls_server(octets: bytes) -> None:
    """The TLS server: a true ClientHello, then anything; what breaks sets `failure`."""
    session = _tls().accept()
    if octets[:1] == b"\x00":
        session.feed(BareClient(_leaf()).take_ciphertext())
        octets = octets[1:]
    for at in range(0, len(octets), 64):
        session.feed(octets[at : at + 64])
        session.take_ciphertext()
    if session.established:
        session.evidence(NOW)
    session.close()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "smtp-server": smtp_server,
    "smtp-client": smtp_client,
    "proxy-header": proxy_header,
    "commands": commands,
    "certificates": certificates,
    "tls-server": tls_server,
}
