"""What is demanded of the TLS of one attempt, and whether what happened meets it: two halves of one pure decision.

What flows through: the facts about a next hop (level of the send connector, TLSA records, MTA-STS policy) into
`demand_of`, which says what is demanded and why; then what the next hop offered and presented into `verdict_on`, which
says whether mail may go, and why. Delivery, `gatepost tls-policy` and the tables of tests call these and nothing else.

Laws:
- mail goes in the clear only where the demand is `none` or `opportunistic`;
- MTA-STS never overrides a failure of DANE (RFC 8461 2), and mode `testing` never holds mail back;
- each step is a `Because` with a stable code, explained in docs/reference/tls-policy.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from gatepost.tenancy.mta_sts import NO_POLICY, StsAnswer, StsMode
from gatepost.tenancy.tenant import TlsLevel
from gatepost.tenancy.tlsa import NOT_ASKED, Dnssec, TlsaAnswer, TlsaRecord, usable


class Source(StrEnum):
    DANE = "dane"
    MTA_STS = "mta-sts"
    CONNECTOR = "connector"
    OPPORTUNISTIC = "opportunistic"


class Because(NamedTuple):
    code: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """About one next hop, before it is dialled. Host and domain are domain keys, or addresses."""

    level: TlsLevel
    host: str
    domain: str | None = None
    """Whose mail host it is by MX; None: a smart host."""
    tls_domain: str | None = None
    tlsa: TlsaAnswer = NOT_ASKED
    sts: StsAnswer = NO_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    level: TlsLevel
    """Never `auto`: what `auto` came to."""
    source: Source
    because: tuple[Because, ...]
    server_name: str
    """What SNI asks for."""
    tlsa: tuple[TlsaRecord, ...] = ()
    names: tuple[str, ...] = ()
    """The certificate must carry one of them: level `verify`, and DANE's usage 2."""
    is_tested: bool = False
    """An MTA-STS policy in mode testing would have demanded `verify` for `names`."""
    blocked: Because | None = None
    """No mail to this host, whatever it offers."""

    @property
    def may_be_clear(self) -> bool:
        return self.blocked is None and self.level in _MAY_BE_CLEAR

    @property
    def tries_tls(self) -> bool:
        return self.level is not TlsLevel.NONE


_MAY_BE_CLEAR: Final = frozenset({TlsLevel.NONE, TlsLevel.OPPORTUNISTIC})


class Handshake(StrEnum):
    NOT_OFFERED = "not-offered"
    """No STARTTLS, or the next hop refused the command."""
    FAILED = "failed"
    DONE = "done"


class Seen(NamedTuple):
    """What the next hop offered and presented."""

    handshake: Handshake
    name_problem: str | None = None
    """Why its chain does not prove one of `Demand.names`; asked only where there are any."""
    tlsa_match: TlsaRecord | None = None
    """The record that its chain matches."""
    tlsa_problem: str = ""
    """Why it matches none."""
    failure: str = ""
    """Of the handshake."""


class TlsVerdict(NamedTuple):
    may_send: bool
    in_clear: bool
    code: str
    says: str
    """One line, at most so long that a trace can keep it."""
    status: str = ""
    """Enhanced status code, where mail may not be sent."""


# RFC 3463 3.8: X.7.4, security features not supported; X.7.5, cryptographic failure.
NOT_SUPPORTED: Final = "4.7.4"
NOT_PROVEN: Final = "4.7.5"


UNREMARKABLE: Final = frozenset({"in-the-clear", "starttls-not-offered", "encrypted"})
"""Codes of what is ordinary where nothing is demanded."""


def demand_of(facts: Facts) -> Demand:
    match facts.level:
        case TlsLevel.NONE:
            return _by_connector(facts, Source.CONNECTOR, "connector-none", "the send connector demands no TLS")
        case TlsLevel.OPPORTUNISTIC:
            return _by_connector(
                facts,
                Source.OPPORTUNISTIC,
                "connector-opportunistic",
                "the send connector uses TLS if it is offered",
            )
        case TlsLevel.ENCRYPT:
            return _by_connector(facts, Source.CONNECTOR, "connector-encrypt", "the send connector demands TLS")
        case TlsLevel.VERIFY:
            return _by_connector(
                facts,
                Source.CONNECTOR,
                "connector-verify",
                "the send connector demands a verified certificate",
                names=(facts.tls_domain or facts.host,),
            )
        case TlsLevel.DANE:
            return _dane_demanded(facts)
        case TlsLevel.AUTO:
            return _found_out(facts)


def _by_connector(facts: Facts, source: Source, code: str, says: str, names: tuple[str, ...] = ()) -> Demand:
    return Demand(level=facts.level, source=source, because=(Because(code, says),), server_name=facts.host, names=names)


def _dane_demanded(facts: Facts) -> Demand:
    """Level `dane`: records that can be relied on, or no mail."""
    by_connector = Because("connector-dane", "the send connector demands DANE")
    if found := _dane(facts):
        return _after(found, by_connector)
    why = _without_dane(facts.tlsa)
    return Demand(
        level=TlsLevel.DANE,
        source=Source.DANE,
        because=(by_connector, why),
        server_name=facts.host,
        blocked=why,
    )


def _found_out(facts: Facts) -> Demand:
    """Level `auto`: DANE where there is one, MTA-STS where there is one, else opportunistic."""
    tlsa = facts.tlsa
    if found := _dane(facts):
        return found
    steps: tuple[Because, ...] = () if tlsa.state is Dnssec.NOT_ASKED else (_without_dane(tlsa),)
    if found := _mta_sts(facts):
        return _after(found, *steps)
    if steps and steps[0].code == "dane-records-unusable":
        # RFC 7672 2.2: the host promises TLS, although nothing that it publishes can be compared.
        return Demand(level=TlsLevel.ENCRYPT, source=Source.DANE, because=steps, server_name=tlsa.base or facts.host)
    steps += _without_mta_sts(facts)
    return Demand(
        level=TlsLevel.OPPORTUNISTIC,
        source=Source.OPPORTUNISTIC,
        because=(*steps, Because("opportunistic", "TLS is used where it is offered")),
        server_name=facts.host,
        names=(facts.host,) if _is_tested(facts) else (),
        is_tested=_is_tested(facts),
    )


def _dane(facts: Facts) -> Demand | None:
    tlsa = facts.tlsa
    if tlsa.state is Dnssec.FAILED:
        # RFC 7672 2.1.2: whoever can suppress the answer could make this relay do without; another host may do.
        why = Because("dane-lookup-failed", f"the TLSA records of {facts.host} cannot be looked up: {tlsa.why}")
        return Demand(level=TlsLevel.DANE, source=Source.DANE, because=(why,), server_name=facts.host, blocked=why)
    records = usable(tlsa.records) if tlsa.state is Dnssec.SECURE else ()
    if not records:
        return None
    base = tlsa.base or facts.host
    kinds = ", ".join(dict.fromkeys(record.kind for record in records))
    return Demand(
        level=TlsLevel.DANE,
        source=Source.DANE,
        because=(Because("dane-records", f"{base} publishes signed TLSA records ({kinds})"),),
        server_name=base,
        tlsa=records,
        # RFC 7672 3.2.2: the TLSA base domain, and the domain whose MX record led here.
        names=tuple(dict.fromkeys(name for name in (base, facts.host, facts.domain) if name)),
    )


def _without_dane(tlsa: TlsaAnswer) -> Because:
    match tlsa.state:
        case Dnssec.DISABLED:
            return Because("dane-disabled", f"DANE is disabled: {tlsa.why}")
        case Dnssec.INSECURE:
            return Because("dane-not-signed", "the name of the host, or the MX record, is not signed with DNSSEC")
        case Dnssec.SECURE if tlsa.records:
            kinds = ", ".join(dict.fromkeys(record.kind for record in tlsa.records[:5]))
            return Because("dane-records-unusable", f"none of the TLSA records can be used ({kinds})")
        case Dnssec.SECURE:
            return Because("dane-no-records", "the host publishes no TLSA record")
        case _:
            return Because("dane-not-asked", "the host is an address, which has no TLSA record")


def _mta_sts(facts: Facts) -> Demand | None:
    """Mode `enforce`."""
    policy = facts.sts.policy
    if policy is None or facts.domain is None or policy.mode is not StsMode.ENFORCE:
        return None
    why = Because("mta-sts-enforce", f"{facts.domain} has an MTA-STS policy in mode enforce")
    stray = None if policy.covers(facts.host) else _stray(facts)
    return Demand(
        level=TlsLevel.VERIFY,
        source=Source.MTA_STS,
        because=(why, *((stray,) if stray else ())),
        server_name=facts.host,
        names=(facts.host,),
        blocked=stray,
    )


def _stray(facts: Facts) -> Because:
    return Because(
        "mta-sts-mx-not-listed", f"the MTA-STS policy of {facts.domain} does not list mail host {facts.host}"
    )


def _is_tested(facts: Facts) -> bool:
    policy = facts.sts.policy
    return facts.domain is not None and policy is not None and policy.mode is StsMode.TESTING


def _without_mta_sts(facts: Facts) -> tuple[Because, ...]:
    policy, problem, unknown = facts.sts
    if facts.domain is None:
        return ()
    if _is_tested(facts):
        testing = Because("mta-sts-testing", f"{facts.domain} has an MTA-STS policy in mode testing")
        assert policy is not None
        return (testing,) if policy.covers(facts.host) else (testing, _stray(facts))
    if policy is not None:
        return (Because("mta-sts-withdrawn", f"{facts.domain} has an MTA-STS policy in mode none"),)
    if problem:
        return (Because("mta-sts-unavailable", f"the MTA-STS policy of {facts.domain} cannot be had: {problem}"),)
    if unknown:
        why = f"whether {facts.domain} announces an MTA-STS policy cannot be looked up: {unknown}"
        return (Because("mta-sts-lookup-failed", why),)
    return (Because("mta-sts-none", f"{facts.domain} announces no MTA-STS policy"),)


def _after(demand: Demand, *steps: Because) -> Demand:
    return Demand(
        level=demand.level,
        source=demand.source,
        because=(*steps, *demand.because),
        server_name=demand.server_name,
        tlsa=demand.tlsa,
        names=demand.names,
        blocked=demand.blocked,
    )


def verdict_on(demand: Demand, seen: Seen) -> TlsVerdict:
    if demand.blocked:
        return TlsVerdict(False, False, demand.blocked.code, demand.blocked.says, NOT_PROVEN)
    if demand.level is TlsLevel.NONE:
        return TlsVerdict(True, True, "in-the-clear", "no TLS: the send connector demands none")
    match seen.handshake:
        case Handshake.NOT_OFFERED:
            return _not_offered(demand)
        case Handshake.FAILED:
            return _handshake_failed(demand, seen.failure)
        case Handshake.DONE:
            return _presented(demand, seen)


def _not_offered(demand: Demand) -> TlsVerdict:
    if demand.is_tested:
        return _test_failed(in_clear=True, why="STARTTLS is not offered, and mail goes in the clear")
    if demand.may_be_clear:
        return TlsVerdict(True, True, "starttls-not-offered", f"{demand.source}: in the clear, STARTTLS is not offered")
    why = f"the next hop does not offer STARTTLS, which {_who(demand)} demands"
    return TlsVerdict(False, False, "starttls-not-offered", why, NOT_SUPPORTED)


def _handshake_failed(demand: Demand, failure: str) -> TlsVerdict:
    if demand.is_tested:
        return _test_failed(in_clear=True, why=f"the TLS handshake failed, and mail goes in the clear: {failure}")
    if demand.may_be_clear:
        says = f"{demand.source}: in the clear, because the TLS handshake failed: {failure}"
        return TlsVerdict(True, True, "handshake-failed", says)
    return TlsVerdict(
        False, False, "handshake-failed", f"TLS failed, which {_who(demand)} demands: {failure}", NOT_PROVEN
    )


def _presented(demand: Demand, seen: Seen) -> TlsVerdict:
    match demand.level:
        case TlsLevel.DANE:
            if seen.tlsa_match is None:
                return TlsVerdict(False, False, "dane-mismatch", seen.tlsa_problem, NOT_PROVEN)
            return TlsVerdict(True, False, "dane-matched", f"dane: the certificate matches TLSA {seen.tlsa_match.kind}")
        case TlsLevel.VERIFY:
            if seen.name_problem:
                return TlsVerdict(False, False, "certificate-not-verified", seen.name_problem, NOT_PROVEN)
            return TlsVerdict(True, False, "certificate-verified", f"{_origin(demand)}: certificate verified")
        case TlsLevel.ENCRYPT:
            return TlsVerdict(True, False, "encrypted", f"{_origin(demand)}: encrypted, the certificate is not checked")
    if demand.is_tested and seen.name_problem:
        return _test_failed(in_clear=False, why=seen.name_problem)
    return TlsVerdict(True, False, "encrypted", "opportunistic: encrypted, the certificate is not checked")


def _test_failed(*, in_clear: bool, why: str) -> TlsVerdict:
    """RFC 8461 5.1: the mail goes out all the same."""
    says = f"{Source.OPPORTUNISTIC}: mta-sts in mode testing would refuse: {why}"
    return TlsVerdict(True, in_clear, "mta-sts-testing-failed", says)


def _origin(demand: Demand) -> str:
    return f"connector {demand.level}" if demand.source is Source.CONNECTOR else demand.source


def _who(demand: Demand) -> str:
    match demand.source:
        case Source.DANE:
            return "DANE"
        case Source.MTA_STS:
            return "the MTA-STS policy of the recipient's domain"
        case _:
            return "the send connector"
