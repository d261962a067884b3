"""What verified chains have shown of intermediates: learnt from them alone, bounded, and each tenant's own its own."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from gatepost.net.certificates import facts
from gatepost.net.intermediates import (
    MOST_OF_A_TENANT,
    MOST_OF_TENANTS,
    MOST_SHARED,
    SHARED,
    Authority,
    Intermediate,
    KnownIntermediates,
    bounded,
)
from gatepost.net.judgement import Judge
from gatepost.net.roots import TrustStore
from gatepost.tenancy.evidence import PresentedCertificate
from pki import Issued, Pki

NOW = datetime.now(UTC)


class Memory:
    """What all processes share."""

    def __init__(self) -> None:
        self.kept: list[Intermediate] = []
        self.told = 0

    def changed(self) -> Sequence[Intermediate] | None:
        if len(self.kept) == self.told:
            return None
        self.told = len(self.kept)
        return list(self.kept)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def judge_of(pki: Pki, memory: Memory, *, learns: bool = True) -> Judge:
    known = KnownIntermediates(memory, memory.kept.append if learns else None)
    return Judge(pki.roots_file, intermediates=known)


def missing(judge: Judge, *chain: Issued, anchors: tuple[str, ...] = (), tenant: str = "") -> str:
    """The issuer that is told to be missing; `verified` where none is."""
    found = judge(tuple(facts(each.der) for each in chain), anchors, NOW, tenant)
    return found.missing_issuer if isinstance(found, PresentedCertificate) else "verified"


def test_a_leaf_that_came_alone_misses_an_intermediate_once_a_whole_chain_was_seen(pki: Pki, memory: Memory) -> None:
    quiet = pki.authority("Quiet R7", issuer=pki.root)
    alone, whole = pki.leaf("a.contoso.com", issuer=quiet), pki.leaf("mail.fabrikam.com", issuer=quiet)
    judge = judge_of(pki, memory)
    assert missing(judge, alone) == ""
    assert missing(judge, whole, quiet) == "verified"
    assert missing(judge, alone) == "CN=Quiet R7"
    assert missing(judge_of(pki, memory, learns=False), alone) == "CN=Quiet R7", "every other process knows too"


def test_each_step_of_a_longer_chain_is_known(pki: Pki, memory: Memory) -> None:
    upper = pki.authority("Upper R8", issuer=pki.root)
    lower = pki.authority("Lower R9", issuer=upper)
    leaf = pki.leaf("a.contoso.com", issuer=lower)
    judge = judge_of(pki, memory)
    assert missing(judge, leaf, lower) == ""
    assert missing(judge, leaf, lower, upper) == "verified"
    assert missing(judge, leaf) == "CN=Lower R9"
    assert missing(judge, leaf, lower) == "CN=Upper R8", "the one that is missing is named, not the leaf's issuer"


def test_nothing_is_learnt_from_a_chain_that_does_not_verify(pki: Pki, stranger: Pki, memory: Memory) -> None:
    quiet = stranger.authority("Quiet R7", issuer=stranger.root)
    leaf = stranger.leaf("a.contoso.com", issuer=quiet)
    judge = judge_of(pki, memory)
    assert missing(judge, leaf, quiet, stranger.root) == ""
    old = pki.leaf("b.contoso.com", issuer=pki.authority("Quiet R8", issuer=pki.root), not_after=NOW.replace(year=2020))
    assert missing(judge, old, old.issuer) == ""  # type: ignore[arg-type]
    assert memory.kept == []
    assert missing(judge, leaf) == ""


def test_another_key_under_a_known_name_is_not_known(pki: Pki, stranger: Pki, memory: Memory) -> None:
    quiet = pki.authority("Quiet R7", issuer=pki.root)
    impostor = stranger.authority("Quiet R7", issuer=stranger.root)
    judge = judge_of(pki, memory)
    assert missing(judge, pki.leaf("a.contoso.com", issuer=quiet), quiet) == "verified"
    assert missing(judge, stranger.leaf("b.contoso.com", issuer=impostor)) == ""
    without_key_id = pki.leaf("c.contoso.com", issuer=quiet, authority_key_id=False)
    assert missing(judge, without_key_id) == "CN=Quiet R7", "what does not say the key is taken by its name"


def test_what_a_tenants_own_anchors_show_is_known_for_that_tenant_alone(
    pki: Pki, stranger: Pki, memory: Memory
) -> None:
    quiet = stranger.authority("Quiet R7", issuer=stranger.root)
    whole, alone = stranger.leaf("a.contoso.com", issuer=quiet), stranger.leaf("b.contoso.com", issuer=quiet)
    anchors = (stranger.root.pem,)
    judge = judge_of(pki, memory)
    assert missing(judge, whole, quiet, anchors=anchors, tenant="contoso") == "verified"
    assert missing(judge, alone, anchors=anchors, tenant="contoso") == "CN=Quiet R7"
    assert missing(judge, alone, anchors=anchors, tenant="fabrikam") == "", "the same anchor, another tenant"
    assert missing(judge, alone) == "", "against the shared roots nothing was learnt"


def test_an_intermediate_below_a_root_that_is_trusted_no_more_is_not_missing(
    pki: Pki, stranger: Pki, memory: Memory
) -> None:
    quiet = stranger.authority("Quiet R7", issuer=stranger.root)
    leaf = stranger.leaf("a.contoso.com", issuer=quiet)
    assert missing(judge_of(stranger, memory), leaf, quiet) == "verified"
    assert missing(judge_of(pki, memory), leaf) == ""


def _known(scope: str, number: int, size: int = 8) -> Intermediate:
    return Intermediate(scope, Authority(f"cn={number:0{size}}", b"k"), Authority("cn=root", b""))


def test_memory_is_bounded_and_one_tenant_fills_its_own_share_alone() -> None:
    shared = [_known(SHARED, number) for number in range(MOST_SHARED + 100)]
    greedy = [_known("greedy", number) for number in range(10 * MOST_OF_A_TENANT)]
    many = [_known(f"t{number}", 0) for number in range(MOST_OF_TENANTS + 100)]
    assert bounded([*shared, *greedy]) == [*shared[100:], *greedy[-MOST_OF_A_TENANT:]], "the oldest goes"
    assert len(bounded([*many, *shared])) == MOST_SHARED + MOST_OF_TENANTS


def test_what_is_too_large_is_not_kept(pki: Pki, memory: Memory) -> None:
    long_name = pki.authority("Quiet R7", issuer=pki.root, organisation="\u0416" * 64)
    leaf = pki.leaf("a.contoso.com", issuer=long_name)
    known = KnownIntermediates(memory, memory.kept.append)
    path = tuple(facts(each.der) for each in (leaf, long_name, pki.root))
    huge = (path[0], _renamed(path[1], "x" * 600), path[2])
    known.learn(huge, SHARED)
    assert memory.kept == []
    known.learn(path, SHARED)
    assert len(memory.kept) == 1
    known.learn(path, SHARED)
    assert len(memory.kept) == 1, "once is enough"
    assert known.lead_from(path[0], TrustStore([pki.root.der]), SHARED)


def _renamed(certificate, name: str):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(certificate, subject=name)
