"""A real SMTP session with another host, to see what it does: which certificates pass, what each stage is answered.

Laws: never sends content; whatever the host does is a value in the result, down to its silence; a session that was
opened is left with RSET and QUIT wherever the host still listens.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gatepost.mail.reply import RemoteReply
from gatepost.tenancy.evidence import CertificateFacts
from gatepost.tenancy.tenant import SmartHost

Answer = RemoteReply | str
"""What the host replied, or why there is no reply."""

# Firewalls that inspect SMTP write over what they do not know, and leave its length.
_MASKED_BANNER = re.compile(r"\*{4,}")
_MASKED_KEYWORD = re.compile(r"X{4,}[A-Z]?")

# No standard asks for it, but most servers greet with the address they see: "mx.contoso.com Hello [192.0.2.1]".
_SEEN_ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]{3,})\]")


class TlsSession(Protocol):
    """A handshake that is over, one way or the other."""

    @property
    def established(self) -> bool: ...

    @property
    def failure(self) -> str | None:
        """Why the connection is unusable; it may come after `established`."""

    @property
    def protocol(self) -> str: ...

    @property
    def cipher(self) -> str: ...

    @property
    def certificate_requested(self) -> bool: ...

    @property
    def certificate_sent(self) -> bool:
        """Ours, with proof of its key."""

    @property
    def peer_chain(self) -> tuple[CertificateFacts, ...]:
        """As presented, leaf first."""

    def problem_with_host(self, names: Sequence[str], at: datetime) -> str | None:
        """Why the peer's chain does not prove that it is one of `names`; None: it does."""


class Connection(Protocol):
    """Commands out, replies in. A wait that takes too long is an answer too."""

    @property
    def address(self) -> str:
        """The IP address that was reached."""

    @property
    def own_name(self) -> str:
        """What this machine calls itself."""

    async def answer(self) -> Answer: ...

    def send(self, command: str) -> None: ...

    async def start_tls(self) -> TlsSession: ...

    def close(self) -> None: ...


Dial = Callable[[], Awaitable[Connection | str]]
"""Connect, or say why that did not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    host: SmartHost
    ehlo: str | None = None
    """None: what this machine calls itself."""
    chain: tuple[CertificateFacts, ...] = ()
    """What is held ready for the host, leaf first."""
    mail_from: str | None = None
    """Without angle brackets; empty for the null reverse-path, None: no transaction is begun."""
    rcpt_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    stage: str
    sent: str | None
    reply: str
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime | None
    not_after: datetime | None
    purposes: tuple[str, ...] | None
    key: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSeen:
    established: bool
    protocol: str
    cipher: str
    chain: tuple[ShownCertificate, ...]
    """The host's."""
    problem: str | None
    """Why its chain does not prove its name."""
    failure: str | None
    late_alert: str | None
    """The refusal that came after `established`: in TLS 1.3 the client is done before the server has looked at the
    client's certificate (RFC 8446 4.4.2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCertificate:
    presented: bool
    """One was held ready."""
    requested: bool
    sent: bool
    subject: str | None
    names: tuple[str, ...]
    not_after: datetime | None
    chain: tuple[ShownCertificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    banner: bool
    keywords: tuple[str, ...]


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """By a reply of the host."""
    FAILED = "failed"
    """No connection, no TLS, or no reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    host: str
    address: str | None
    banner: str | None
    ehlo: tuple[str, ...]
    """Keywords before TLS."""
    ehlo_after_tls: tuple[str, ...]
    seen_address: str | None
    """Ours, as the host sees it."""
    masked: Masked
    starttls: bool
    """It was offered."""
    tls: TlsSeen | None
    certificate: OwnCertificate
    stages: tuple[Stage, ...]
    verdict: Outcome
    problems: tuple[str, ...]


async def probe(dial: Dial, question: Question, at: datetime) -> ProbeResult:
    """Open a session, take it as far as `question` asks, and leave."""
    session = _Session(question, at)
    connection = await dial()
    if isinstance(connection, str):
        session.note("connect", None, connection, Outcome.FAILED)
        return session.result()
    try:
        await session.hold(connection)
    finally:
        connection.close()
    return session.result()


class _Session:
    """One session under way, and what was seen in it so far."""

    def __init__(self, question: Question, at: datetime) -> None:
        self._question = question
        self._at = at
        self._address: str | None = None
        self._banner: str | None = None
        self._keywords: tuple[str, ...] = ()
        self._keywords_after_tls: tuple[str, ...] = ()
        self._seen_address: str | None = None
        self._tls: TlsSession | None = None
        self._late_alert: str | None = None
        self._stages: list[Stage] = []
        self._verdict = Outcome.ACCEPTED
        self._listening = True
        """The host still takes commands."""
        self._connection: Connection

    def note(self, stage: str, sent: str | None, reply: str, verdict: Outcome) -> None:
        self._stages.append(Stage(stage=stage, sent=sent, reply=reply, accepted=verdict is Outcome.ACCEPTED))
        if self._verdict is Outcome.ACCEPTED:
            self._verdict = verdict

    async def hold(self, connection: Connection) -> None:
        self._connection = connection
        self._address = connection.address
        self.note("connect", None, f"connected to {connection.address}", Outcome.ACCEPTED)
        if await self._opened() and self._question.mail_from is not None:
            await self._transaction(self._question.mail_from)
        if self._listening:
            await self._courtesy("quit", "QUIT")

    async def _opened(self) -> bool:
        """The session is as far as mail commands, under TLS where that could be had."""
        banner = await self._answered("banner", None)
        if banner is None:
            return False
        self._banner = str(banner)
        # RFC 5321 3.1: after 554, nothing but QUIT.
        if banner.kind != 2:
            return False
        keywords = await self._greet("ehlo")
        if keywords is None:
            return False
        self._keywords = keywords
        if not _offers_starttls(keywords):
            self.note("starttls", None, "STARTTLS is not offered", Outcome.FAILED)
            return True
        starttls = await self._answered("starttls", "STARTTLS")
        if starttls is not None and starttls.kind == 2:
            return await self._secured()
        return self._listening

    async def _greet(self, stage: str) -> tuple[str, ...] | None:
        """EHLO, and the keywords it is answered with."""
        reply = await self._answered(stage, f"EHLO {self._question.ehlo or self._connection.own_name}")
        if reply is None or reply.kind != 2:
            return None
        greeting, *keywords = (line[4:].strip() for line in reply.lines)
        if seen := _SEEN_ADDRESS.search(greeting):
            self._seen_address = seen[1]
        return tuple(keywords)

    async def _secured(self) -> bool:
        self._tls = tls = await self._connection.start_tls()
        if not tls.established:
            self._listening = False
            self.note("tls", None, tls.failure or "the handshake did not end", Outcome.FAILED)
            return False
        self.note("tls", None, f"established: {tls.protocol} {tls.cipher}", Outcome.ACCEPTED)
        # RFC 3207 4.2: what was said before does not count.
        keywords = await self._greet("ehlo-after-tls")
        self._keywords_after_tls = keywords or ()
        return keywords is not None

    async def _transaction(self, mail_from: str) -> None:
        addresses = (mail_from, *self._question.rcpt_to)
        # RFC 6531 3.4: only who says so may use addresses beyond ASCII.
        parameter = "" if all(address.isascii() for address in addresses) else " SMTPUTF8"
        mail = await self._answered("mail-from", f"MAIL FROM:<{mail_from}>{parameter}")
        if mail is None or mail.kind != 2:
            return
        for recipient in self._question.rcpt_to:
            if await self._answered("rcpt-to", f"RCPT TO:<{recipient}>") is None:
                return
        await self._courtesy("rset", "RSET")

    async def _courtesy(self, stage: str, command: str) -> None:
        """Many hosts hang up without a word, and by then nothing hangs on it."""
        verdict = self._verdict
        await self._answered(stage, command)
        self._verdict = verdict

    async def _answered(self, stage: str, command: str | None) -> RemoteReply | None:
        """Say it and hear the reply; None: the session is over."""
        if command is not None:
            self._connection.send(command)
        answer = await self._connection.answer()
        if isinstance(answer, str):
            self._listening = False
            if self._tls is not None and self._late_alert is None:
                self._late_alert = self._tls.failure
            self.note(stage, command, answer, Outcome.FAILED)
            return None
        self.note(stage, command, str(answer), Outcome.ACCEPTED if answer.kind == 2 else Outcome.REFUSED)
        # RFC 5321 3.8: 421 closes the session.
        if answer.code == 421:
            self._listening = False
        return answer if self._listening else None

    # What it comes to

    def result(self) -> ProbeResult:
        seen = ProbeResult(
            host=str(self._question.host),
            address=self._address,
            banner=self._banner,
            ehlo=self._keywords,
            ehlo_after_tls=self._keywords_after_tls,
            seen_address=self._seen_address,
            masked=self._masked(),
            starttls=_offers_starttls(self._keywords),
            tls=self._tls_seen(),
            certificate=self._own_certificate(),
            stages=tuple(self._stages),
            verdict=self._verdict,
            problems=(),
        )
        return replace(seen, problems=tuple(_problems(seen, self._at)))

    def _masked(self) -> Masked:
        keywords = (*self._keywords, *self._keywords_after_tls)
        return Masked(
            banner=bool(_MASKED_BANNER.search(self._banner or "")),
            keywords=tuple(dict.fromkeys(each for each in keywords if _MASKED_KEYWORD.fullmatch(each))),
        )

    def _tls_seen(self) -> TlsSeen | None:
        tls = self._tls
        if tls is None:
            return None
        return TlsSeen(
            established=tls.established,
            protocol=tls.protocol,
            cipher=tls.cipher,
            chain=_shown(tls.peer_chain),
            problem=tls.problem_with_host([self._question.host.host], self._at) if tls.established else None,
            failure=None if tls.established else tls.failure,
            late_alert=self._late_alert,
        )

    def _own_certificate(self) -> OwnCertificate:
        chain = _shown(self._question.chain)
        leaf = chain[0] if chain else None
        return OwnCertificate(
            presented=leaf is not None,
            requested=self._tls is not None and self._tls.certificate_requested,
            sent=self._tls is not None and self._tls.certificate_sent,
            subject=leaf.subject if leaf else None,
            names=leaf.names if leaf else (),
            not_after=leaf.not_after if leaf else None,
            chain=chain,
        )


def _offers_starttls(keywords: Sequence[str]) -> bool:
    return any(keyword.upper() == "STARTTLS" for keyword in keywords)


def _shown(chain: Sequence[CertificateFacts]) -> tuple[ShownCertificate, ...]:
    return tuple(
        ShownCertificate(
            subject=each.subject,
            issuer=each.issuer,
            names=each.names,
            not_before=each.not_before,
            not_after=each.not_after,
            purposes=each.purposes,
            key=each.key,
            sha256=each.sha256,
        )
        for each in chain
    )


def _problems(seen: ProbeResult, at: datetime) -> list[str]:
    """The first stage that did not go well, then all that may explain it."""
    failed = next((each for each in seen.stages if not each.accepted and each.stage not in ("rset", "quit")), None)
    found = [f"{failed.stage}: {failed.reply}"] if failed else []
    found += _problems_of_the_path(seen)
    if seen.tls is not None:
        found += _problems_of_tls(seen.tls, seen.certificate)
    found += _problems_of_the_certificate(seen.certificate, at)
    return found


def _problems_of_the_path(seen: ProbeResult) -> list[str]:
    if not seen.masked.banner and not seen.masked.keywords:
        return []
    what = ["the banner"] * seen.masked.banner + [f"the EHLO keyword {each}" for each in seen.masked.keywords]
    return [
        f"{' and '.join(what)} was written over: a firewall between here and {seen.host} inspects SMTP; turn its SMTP "
        "inspection off, or STARTTLS cannot work"
    ]


def _problems_of_tls(tls: TlsSeen, own: OwnCertificate) -> list[str]:
    found = []
    if tls.late_alert is not None:
        found.append(
            f"the host refused after the handshake was done here ({tls.late_alert}): in {tls.protocol} that is how it "
            "refuses the client certificate, or its absence"
        )
    if tls.problem is not None:
        found.append(tls.problem)
    if own.presented and tls.established and not own.requested:
        found.append("the host did not ask for a certificate, so it cannot recognise this one; another port may")
    if own.presented and own.requested and not own.sent:
        found.append("the host asked for a certificate, but the handshake ended without this one and proof of its key")
    return found


def _problems_of_the_certificate(own: OwnCertificate, at: datetime) -> list[str]:
    found = []
    for each in own.chain:
        if each.not_after is not None and each.not_after < at:
            found.append(f"the certificate {each.subject} presented here expired {each.not_after:%Y-%m-%d}")
        if each.not_before is not None and each.not_before > at:
            found.append(f"the certificate {each.subject} presented here is valid from {each.not_before:%Y-%m-%d}")
    leaf = own.chain[0] if own.chain else None
    if leaf and len(own.chain) == 1 and leaf.issuer != leaf.subject:
        found.append(
            f"the certificate is presented alone, without that of its issuer ({leaf.issuer}): a host that lacks "
            "it cannot verify ours"
        )
    if leaf and leaf.purposes is not None and not {"clientAuth", "anyExtendedKeyUsage"} & set(leaf.purposes):
        found.append("the certificate lacks the purpose clientAuth: hosts that insist on it refuse it")
    return found
