"""The TLS policy over its whole input space, and the tables of what must happen."""

from hypothesis import given
from hypothesis import strategies as st

from gatepost.tenancy.mta_sts import StsAnswer, StsMode, StsPolicy
from gatepost.tenancy.tenant import TlsLevel
from gatepost.tenancy.tls_policy import (
    Demand,
    Facts,
    Handshake,
    Seen,
    Source,
    TlsVerdict,
    demand_of,
    verdict_on,
)
from gatepost.tenancy.tlsa import Dnssec, TlsaAnswer, TlsaRecord, usable

DATA = st.sampled_from((b"", bytes(32), bytes(64), b"\x01" * 32))
RECORDS = st.builds(TlsaRecord, st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), DATA)
TLSA = st.builds(
    TlsaAnswer,
    st.sampled_from(Dnssec),
    st.lists(RECORDS, max_size=4).map(tuple),
    st.sampled_from(("", "mx.fabrikam.example", "other.example")),
    st.just("no answer"),
)
MX = st.sampled_from(("mx.fabrikam.example", "*.fabrikam.example", "elsewhere.example"))
POLICY = st.builds(
    StsPolicy, st.just("1"), st.sampled_from(StsMode), st.just(86400), st.lists(MX, min_size=1).map(tuple)
)
STS = st.builds(
    StsAnswer, st.none() | POLICY, st.sampled_from(("", "the fetch failed")), st.sampled_from(("", "no answer"))
)
FACTS = st.builds(
    Facts,
    level=st.sampled_from(TlsLevel),
    host=st.just("mx.fabrikam.example"),
    domain=st.sampled_from((None, "fabrikam.example")),
    tls_domain=st.sampled_from((None, "fabrikam.example")),
    tlsa=TLSA,
    sts=STS,
)
SEEN = st.builds(
    Seen,
    st.sampled_from(Handshake),
    st.sampled_from((None, "the certificate is for another name")),
    st.none() | RECORDS,
    st.just("no TLSA record matches"),
    st.just("it broke"),
)


def test_what_nobody_knows_is_told_from_what_is_not_there() -> None:
    for answer, expected in ((StsAnswer(unknown="SERVFAIL"), "mta-sts-lookup-failed"), (StsAnswer(), "mta-sts-none")):
        demand = demand_of(
            Facts(level=TlsLevel.AUTO, host="mx.fabrikam.example", domain="fabrikam.example", sts=answer)
        )
        assert [step.code for step in demand.because] == [expected, "opportunistic"]


def enforced(facts: Facts) -> bool:
    return facts.domain is not None and facts.sts.policy is not None and facts.sts.policy.mode is StsMode.ENFORCE


def has_dane(facts: Facts) -> bool:
    return facts.tlsa.state is Dnssec.SECURE and bool(usable(facts.tlsa.records))


def forbids_clear(facts: Facts) -> bool:
    """Said once more, and differently: from the rules, not from the code."""
    if facts.level in (TlsLevel.ENCRYPT, TlsLevel.VERIFY, TlsLevel.DANE):
        return True
    if facts.level in (TlsLevel.NONE, TlsLevel.OPPORTUNISTIC):
        return False
    signed = facts.tlsa.state is Dnssec.SECURE and bool(facts.tlsa.records)
    return signed or facts.tlsa.state is Dnssec.FAILED or enforced(facts)


def both(facts: Facts, seen: Seen) -> tuple[Demand, TlsVerdict]:
    demand = demand_of(facts)
    return demand, verdict_on(demand, seen)


@given(FACTS, SEEN)
def test_nothing_goes_in_the_clear_where_any_demand_forbids_it(facts: Facts, seen: Seen) -> None:
    demand, verdict = both(facts, seen)
    if forbids_clear(facts):
        assert not demand.may_be_clear
        assert not (verdict.may_send and verdict.in_clear)
        assert not (verdict.may_send and seen.handshake is not Handshake.DONE)


@given(FACTS, SEEN)
def test_mta_sts_never_overrides_a_failure_of_dane(facts: Facts, seen: Seen) -> None:
    _, verdict = both(facts, seen)
    if facts.level is not TlsLevel.AUTO:
        return
    if facts.tlsa.state is Dnssec.FAILED:
        assert not verdict.may_send
    if has_dane(facts) and (seen.handshake is not Handshake.DONE or seen.tlsa_match is None):
        assert not verdict.may_send


@given(FACTS, SEEN)
def test_a_policy_in_mode_testing_changes_nothing_that_is_sent(facts: Facts, seen: Seen) -> None:
    policy = facts.sts.policy
    if policy is None or policy.mode is not StsMode.TESTING:
        return
    without = Facts(
        level=facts.level, host=facts.host, domain=facts.domain, tls_domain=facts.tls_domain, tlsa=facts.tlsa
    )
    with_policy, plain = both(facts, seen)[1], both(without, seen)[1]
    assert (with_policy.may_send, with_policy.in_clear) == (plain.may_send, plain.in_clear)


@given(FACTS, SEEN)
def test_a_connector_that_demands_a_certificate_gets_one(facts: Facts, seen: Seen) -> None:
    demand, verdict = both(facts, seen)
    if not verdict.may_send:
        return
    if demand.level is TlsLevel.VERIFY:
        assert seen.name_problem is None
        assert demand.names
    if facts.level is TlsLevel.DANE:
        assert seen.tlsa_match is not None
        assert has_dane(facts)


@given(FACTS, SEEN)
def test_every_demand_and_every_refusal_says_why(facts: Facts, seen: Seen) -> None:
    demand, verdict = both(facts, seen)
    assert demand.because
    assert demand.level is not TlsLevel.AUTO
    assert verdict.code and verdict.says
    assert len(verdict.says) <= 200
    assert verdict.may_send != bool(verdict.status)


@given(FACTS)
def test_what_the_connector_demands_is_never_lowered(facts: Facts) -> None:
    demand = demand_of(facts)
    if facts.level not in (TlsLevel.AUTO, TlsLevel.DANE):
        assert demand.level is facts.level
        assert demand.source in (Source.CONNECTOR, Source.OPPORTUNISTIC)
