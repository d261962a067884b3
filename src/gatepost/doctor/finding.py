"""What a rule says: a finding, that its cause is ruled out, or nothing.

A rule is a pure function `(bundle, facts) -> Finding | RuledOut | None`, registered by the decorator `rule` with its id,
the catalogue's ids, a title and the side that acts. `None`: the evidence says nothing about this cause.

`specificity` says how narrowly the evidence points at this cause and no other, and decides the order of findings:

| from | what the evidence holds |
|---|---|
| 95 | the reply, event or tool names the cause itself |
| 85 | two facts that together leave no other cause: value against value, session against object |
| 70 | the mechanism is seen, one link is inferred |
| 50 | circumstances fit: words, a date, one side of a comparison |
| 30 | a possibility worth checking |
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from gatepost.doctor.derived import Derived
from gatepost.doctor.evidence import EvidenceBundle, Side
from gatepost.exchange.source import Fact, Source

NAMED_BY_REPLY: Final = 95
"""The specificity where the reply, event or tool names the cause itself."""
Confidence = Literal["high", "medium", "low"]


class Cited(NamedTuple):
    """A piece of evidence: where it stands and what it says."""

    source: Source
    says: str


class Fix(NamedTuple):
    """A command for one side, with the object and the new value filled in."""

    where: str
    """`Exchange` (Exchange Management Shell), `Exchange Online`, `Gatepost`, `Postfix`, `Exim`, `network`, `Windows`, ..."""
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A cause the evidence points at."""

    confidence: Confidence
    specificity: int
    summary: str
    evidence: tuple[Cited, ...] = ()
    fix: tuple[Fix, ...] = ()
    """The safest and most fitting first; nothing that changes production without proof comes first."""
    verify: str = ""
    missing: tuple[str, ...] = ()
    """What would make it certain."""
    symptom: bool = False
    """True: another finding, where there is one, is what lies behind it."""
    together_with: tuple[str, ...] = ()
    """Rules of the findings that must be repaired as well: neither repair is enough."""
    takes: str = ""
    """How long until the repair shows."""
    waiting_mail: str = ""
    """What becomes of the mail that was refused or waits."""
    rule: str = ""
    title: str = ""
    catalogue: tuple[str, ...] = ()
    side: Side = "none"

    @property
    def page(self) -> str:
        """The command that prints the cause's page."""
        return f"gatepost help cause {self.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """A cause the evidence speaks against."""

    because: str
    evidence: tuple[Cited, ...] = ()
    rule: str = ""
    title: str = ""


Verdict = Finding | RuledOut | None
Judge = Callable[[EvidenceBundle, Derived], Verdict]


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rule; calling it stamps its verdict with its id, title, catalogue ids and side."""

    id: str
    catalogue: tuple[str, ...]
    title: str
    side: Side
    judge: Judge = field(repr=False)

    def __call__(self, bundle: EvidenceBundle, facts: Derived) -> Verdict:
        verdict = self.judge(bundle, facts)
        if isinstance(verdict, Finding):
            return replace(
                verdict,
                rule=self.id,
                title=self.title,
                catalogue=verdict.catalogue or self.catalogue,
                side=self.side if verdict.side == "none" else verdict.side,
            )
        if isinstance(verdict, RuledOut):
            return replace(verdict, rule=self.id, title=self.title)
        return None


def rule(id: str, *catalogue: str, title: str, side: Side) -> Callable[[Judge], Rule]:
    """Registers the function below it. `catalogue[0]` is the cause it is for; further ids are kin it covers."""

    def register(judge: Judge) -> Rule:
        return Rule(id, catalogue, title, side, judge)

    return register


def cite(source: Source | Fact, says: str = "") -> Cited:
    """A citation; of a fact without words, its own quote."""
    if isinstance(source, Fact):
        return Cited(source.source, says or source.quote)
    return Cited(source, says)


def found(
    confidence: Confidence,
    specificity: int,
    summary: str,
    evidence: Sequence[Cited] = (),
    *,
    fix: Sequence[Fix] = (),
    verify: str = "",
    missing: Sequence[str] = (),
    catalogue: Sequence[str] = (),
    side: Side = "none",
    symptom: bool = False,
) -> Finding:
    """A finding, to be stamped by its rule; `catalogue` and `side` only where they differ from the rule's."""
    return Finding(
        confidence=confidence,
        specificity=specificity,
        summary=summary,
        evidence=tuple(dict.fromkeys(evidence)),
        fix=tuple(fix),
        verify=verify,
        missing=tuple(missing),
        catalogue=tuple(catalogue),
        side=side,
        symptom=symptom,
    )


def ruled_out(because: str, *evidence: Cited) -> RuledOut:
    return RuledOut(because=because, evidence=evidence)
