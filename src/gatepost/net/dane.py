"""DANE (RFC 7672): the TLSA records of a mail host, and how far they can be relied on.

What flows through: a mail host, and the domain whose MX record led to it; out comes a `TlsaAnswer`. All questions but
that about the signed name go through the worker's resolver and its cache, so that a host asked for again costs
microseconds.

Laws:
- what a name server says of validation counts only from this machine, or from one that the operator listed;
- nothing is believed until a name that is known to be signed came back validated: a resolver that does not validate
  would make every signed domain look unsigned, or bogus. Until then DANE is disabled, and said to be;
- the signed name is asked for again and again, past the cache. When validation comes or goes, what was answered before
  is forgotten: it says the wrong thing about validation until its time to live ends;
- TLSA records are asked for only where the way to the host is signed (RFC 7672 2.2); a failure there is no answer
  "none" (2.1.2).
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_address
from typing import Any, Final

from gatepost.net.dns import Answer, Resolver, is_address
from gatepost.queue.next_hop import DnsProblem
from gatepost.tenancy.tlsa import NOT_ASKED, Dnssec, TlsaAnswer, TlsaRecord

# The root is signed, and everybody can ask for it.
SIGNED_NAME: Final = "."

_DOCKER: Final = "127.0.0.11"
"""Docker's name server, which passes on what another one said (of validation too) over the network."""

_ASK_AGAIN_S: Final = 60.0
_MOST_RECORDS: Final = 100


def not_trusted(servers: Sequence[str], trusted: Collection[str]) -> str | None:
    """The first name server whose word on validation counts for nothing; None: all are trusted."""
    return next((each for each in servers if each not in trusted and not _is_on_this_machine(each)), None)


def _is_on_this_machine(server: str) -> bool:
    return is_address(server) and ip_address(server).is_loopback and server != _DOCKER


class Dane:
    """One per worker."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        trusted: Collection[str] = (),
        signed_name: str = SIGNED_NAME,
        changed: Callable[[str | None], None] = lambda problem: None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`resolver` asks for validation. `changed` is called when DANE becomes disabled, with the reason, or is
        enabled."""
        self._resolver = resolver
        self._signed_name = signed_name
        self._changed = changed
        self._elapsed = elapsed
        stranger = not_trusted(resolver.servers, trusted)
        self._never = stranger and (
            f"name server {stranger} is neither on this machine nor listed in trusted of [dns], so it is not relied on "
            "for DNSSEC"
        )
        self._problem: str | None = self._never or None
        self._ask_again_at = 0.0
        self._is_said = False
        self._asking: asyncio.Task[None] | None = None

    async def why_disabled(self) -> str | None:
        """None: it is enabled. Waits for the first answer about the signed name; later ones come beside the work."""
        if not self._never and self._elapsed() >= self._ask_again_at:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.get_running_loop().create_task(self._ask_for_signed_name())
            if not self._is_said:
                await asyncio.shield(self._asking)
        elif not self._is_said:
            self._say(self._problem)
        return self._problem

    async def _ask_for_signed_name(self) -> None:
        name = self._signed_name.rstrip(".")
        self._resolver.forget(name, "SOA")
        answer = await self._resolver.answer(name, "SOA")
        self._ask_again_at = self._elapsed() + _ASK_AGAIN_S
        problem: str | None = None
        if isinstance(answer, DnsProblem):
            if self._is_said and self._problem is None:
                # Whoever can suppress the answer must not be able to disable DANE.
                return
            problem = f"signed name {self._signed_name} cannot be looked up: {answer.why}"
        elif not answer.is_authentic:
            problem = f"name server {', '.join(self._resolver.servers[:3])} does not validate DNSSEC"
        if problem != self._problem or not self._is_said:
            if self._is_said:
                self._resolver.forget()
            self._say(problem)

    def _say(self, problem: str | None) -> None:
        self._problem = problem
        self._is_said = True
        self._changed(problem)

    async def look_up(self, domain: str | None, host: str, port: int) -> TlsaAnswer:
        """`domain`: whose MX record led to `host`; None: it is a smart host."""
        if is_address(host) or (domain and domain.startswith("[")):
            return NOT_ASKED
        if why := await self.why_disabled():
            return TlsaAnswer(Dnssec.DISABLED, why=why)
        if domain is not None:
            signed = await self._mx_is_signed(domain, host)
            if isinstance(signed, TlsaAnswer):
                return signed
        return await self._by_addresses(host, port)

    async def _mx_is_signed(self, domain: str, host: str) -> TlsaAnswer | None:
        """None: it is, and goes on to be asked."""
        answer = await self._resolver.answer(domain, "MX")
        if isinstance(answer, DnsProblem):
            return _failed(answer)
        if not answer.is_authentic:
            return TlsaAnswer(Dnssec.INSECURE)
        hosts = {record.exchange.to_text(omit_final_dot=True).lower() for record in answer.records} or {domain}
        # What led here came out of the cache a moment ago; what it says now is what is signed.
        return None if host in hosts else TlsaAnswer(Dnssec.INSECURE)

    async def _by_addresses(self, host: str, port: int) -> TlsaAnswer:
        """RFC 7672 2.2.2: the name at the end of signed CNAME records first, then the name as it stands in MX."""
        four, six = await asyncio.gather(self._resolver.answer(host, "A"), self._resolver.answer(host, "AAAA"))
        answers = [each for each in (four, six) if isinstance(each, Answer)]
        found = next((each for each in answers if each.records), None)
        if found is None:
            problem = next((each for each in (four, six) if isinstance(each, DnsProblem)), None)
            return _failed(problem) if problem else TlsaAnswer(Dnssec.INSECURE)
        if found.is_authentic:
            for base in dict.fromkeys((found.canonical, host)):
                answer_at_base = await self._tlsa(base, port)
                if answer_at_base.records or answer_at_base.state is not Dnssec.SECURE:
                    return answer_at_base
            return TlsaAnswer(Dnssec.SECURE, base=host)
        if found.canonical == host:
            return TlsaAnswer(Dnssec.INSECURE)
        # The target is not signed; the name that points at it may be.
        alias = await self._resolver.answer(host, "CNAME")
        if isinstance(alias, DnsProblem):
            return _failed(alias)
        return await self._tlsa(host, port) if alias.is_authentic else TlsaAnswer(Dnssec.INSECURE)

    async def _tlsa(self, base: str, port: int) -> TlsaAnswer:
        answer = await self._resolver.answer(f"_{port}._tcp.{base}", "TLSA")
        if isinstance(answer, DnsProblem):
            return _failed(answer)
        if not answer.is_authentic:
            # An insecure delegation or CNAME below a signed name.
            return TlsaAnswer(Dnssec.INSECURE)
        return TlsaAnswer(Dnssec.SECURE, tuple(map(_record, answer.records[:_MOST_RECORDS])), base)


def _record(record: Any) -> TlsaRecord:
    return TlsaRecord(record.usage, record.selector, record.mtype, record.cert)


def _failed(problem: DnsProblem) -> TlsaAnswer:
    return TlsaAnswer(Dnssec.FAILED, why=problem.why)
