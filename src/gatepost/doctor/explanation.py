"""Answers of the checks and symptoms into findings.

What flows: a broken check is a candidate; it explains the symptoms of its kinds, with its way and server. Candidates are
ranked: by the symptoms they explain, what is seen before what is claimed, then by the order of the path. Laws:
confidence is derived, never written down; a repair is offered only if, applied to the model, the fault is gone and
nothing that held breaks; what is not on the path of any complaint is a risk, not a cause.
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.doctor.causes import cause_named
from gatepost.doctor.checks import all_checks
from gatepost.doctor.checks.check import Check
from gatepost.doctor.evidence import EvidenceBundle, ReplySeen
from gatepost.doctor.finding import Cited, Confidence, Finding, Fix, RuledOut
from gatepost.doctor.path.joining import mail_path
from gatepost.doctor.path.objects import MailPath, Symptom, same_server
from gatepost.doctor.path.told import How, weakest
from gatepost.doctor.symptoms import symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What the model says of a bundle."""

    path: MailPath
    findings: tuple[Finding, ...] = ()
    by_state: frozenset[str] = frozenset()
    """Those findings, by rule, that objects show by themselves, whatever was observed."""
    ruled_out: tuple[RuledOut, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    check: Check
    symptoms: tuple[Symptom, ...]

    @property
    def known(self) -> How:
        return weakest(self.check.premises)

    @property
    def strongest_symptom(self) -> How | None:
        return max((each.how for each in self.symptoms), default=None)

    @property
    def rank(self) -> tuple[int, int, int, int]:
        told = self.strongest_symptom
        return (-(told if told is not None else -1), -len(self.symptoms), -self.known, self.check.place)


def explained(bundle: EvidenceBundle) -> Explained:
    path = mail_path(bundle, symptoms(bundle))
    checks = all_checks(path)
    candidates = sorted(_without_echoes(list(_candidates(path, checks))), key=lambda each: each.rank)
    return Explained(
        path=path,
        findings=tuple(_findings(path, checks, candidates)),
        by_state=frozenset(each.check.cause for each in candidates if each.check.alone),
        ruled_out=tuple(_ruled_out(checks, path.symptoms)),
        missing=tuple(_missing(checks, candidates)),
    )


def _candidates(path: MailPath, checks: Iterable[Check]) -> Iterator[Candidate]:
    for check in checks:
        if check.standing != "broken":
            continue
        fitting = tuple(each for each in path.symptoms if _comes_of(each, check))
        if fitting or check.alone:
            yield Candidate(check=check, symptoms=fitting)


def _without_echoes(candidates: list[Candidate]) -> Iterator[Candidate]:
    """What a reply alone names, and an object explains, is said once: by the object."""
    explained_by_objects = {
        id(symptom)
        for each in candidates
        if not each.check.by_reply and each.known >= How.INFERRED
        for symptom in each.symptoms
    }
    by_objects = {each.check.cause for each in candidates if not each.check.by_reply and each.check.edits}
    for each in candidates:
        if each.check.by_reply and each.check.cause in by_objects:
            continue  # the object says the same, and where
        if not each.check.by_reply or not {id(symptom) for symptom in each.symptoms} <= explained_by_objects:
            yield each


def _comes_of(symptom: Symptom, check: Check) -> bool:
    if symptom.cause == check.cause:
        return True
    if symptom.kind not in check.explains:
        return False
    if check.way and symptom.way and symptom.way != check.way:
        return False
    elsewhere = (
        symptom.server and check.servers and not any(same_server(symptom.server, each) for each in check.servers)
    )
    return not elsewhere or symptom.speaker != "here"


# --- findings -------------------------------------------------------------------------------------------------------


def _findings(path: MailPath, checks: Sequence[Check], candidates: Sequence[Candidate]) -> Iterator[Finding]:
    given: set[tuple[str, str]] = set()
    for each in candidates:
        key = (each.check.cause, each.check.subject)
        if key not in given:
            given.add(key)
            yield _finding(path, checks, each, candidates)


def _finding(path: MailPath, checks: Sequence[Check], candidate: Candidate, candidates: Sequence[Candidate]) -> Finding:
    check = candidate.check
    cause = cause_named(check.cause)
    together = tuple(dict.fromkeys(each.check.cause for each in candidates if _both_needed(candidate, each)))
    confidence = _confidence(path, candidate, candidates)
    cited = [told for each in check.premises if (told := each.cited()) is not None]
    cited += [Cited(each.fact.source, each.says) for each in candidate.symptoms[:3]]
    return Finding(
        confidence=confidence,
        specificity=_specificity(candidate),
        summary=check.says,
        evidence=tuple(dict.fromkeys(cited)),
        fix=_fix(path, checks, check) if confidence != "low" else (),
        verify=check.verify,
        missing=tuple(need.what for need in check.needs),
        symptom=check.names_what_happens,
        together_with=together,
        rule=check.cause,
        title=cause.title,
        catalogue=check.catalogue or cause.catalogue,
        side=cause.side,
    )


def _confidence(path: MailPath, candidate: Candidate, candidates: Sequence[Candidate]) -> Confidence:
    """High: everything it rests on was seen, it explains every refusal that was seen, and nothing else explains as much.
    Low: it rests on what is only assumed."""
    if candidate.known is How.ASSUMED:
        return "low"
    if candidate.known < How.SEEN or candidate.strongest_symptom != How.SEEN:
        return "medium"
    if any(_both_needed(candidate, each) for each in candidates):
        return "medium"
    seen = {id(each) for each in candidate.symptoms if each.how is How.SEEN}
    if any(id(each) not in seen for each in _refusals(path, candidate)):
        return "medium"
    for other in candidates:
        if other is candidate or other.check.cause == candidate.check.cause or other.known < How.SEEN:
            continue
        if seen <= {id(each) for each in other.symptoms}:
            return "medium"
    return "high"


def _refusals(path: MailPath, candidate: Candidate) -> Iterator[Symptom]:
    """The refusals that were seen; beside objects that contradict each other, one that names its cause is another story."""
    for each in path.symptoms:
        if isinstance(each.fact, ReplySeen) and each.how is How.SEEN and not (candidate.check.alone and each.cause):
            yield each


STATE_AGAINST_STATE: Final = 88
"""The specificity of objects that contradict each other where a symptom of it was seen (the table in finding.py)."""
_THE_RELAYS: Final = 60
"""From here on the path is the relay's: a fault of the sender's and one of the relay's side are two, not rivals."""


def _both_needed(one: Candidate, other: Candidate) -> bool:
    """Two faults on the two sides of the path, shown by objects, that each explain the refusals which were seen."""
    if one.check.cause == other.check.cause or min(one.known, other.known) < How.INFERRED:
        return False
    apart = (one.check.place < _THE_RELAYS) != (other.check.place < _THE_RELAYS)
    named = one.check.names_what_happens or other.check.names_what_happens
    shared = {id(each) for each in one.symptoms} & {id(each) for each in other.symptoms}
    return apart and bool(shared) and not named and bool(one.check.edits and other.check.edits)


def _specificity(candidate: Candidate) -> int:
    """Where it stands among the rules, as long as there are rules (see finding.py): state against state with a symptom
    88, one link inferred 70, words 50."""
    if candidate.known < How.INFERRED:
        return 50
    if candidate.known is How.INFERRED:
        return 70
    told = candidate.strongest_symptom
    return STATE_AGAINST_STATE if told is How.SEEN else 84 if told is not None else 78


def _fix(path: MailPath, checks: Sequence[Check], check: Check) -> tuple[Fix, ...]:
    """The commands, if the edits repair the model and break nothing that held."""
    changed = path
    for edit in check.edits:
        changed = edit.applied(changed)
    if changed is not path and not _repaired(checks, all_checks(changed), check):
        return ()
    return tuple(dict.fromkeys(fix for edit in check.edits for fix in edit.commands()))


def _repaired(before: Sequence[Check], after: Sequence[Check], check: Check) -> bool:
    broken = {(each.cause, each.subject) for each in after if each.standing == "broken"}
    held = {(each.cause, each.subject) for each in before if each.standing == "holds"}
    return (check.cause, check.subject) not in broken and not held & broken


# --- what is ruled out, what to bring ---------------------------------------------------------------------------------


def _ruled_out(checks: Iterable[Check], observed: Sequence[Symptom]) -> Iterator[RuledOut]:
    """Checks that hold on what was seen, and whose failure would look like this."""
    kinds = {each.kind for each in observed}
    given: set[str] = set()
    for check in checks:
        if check.standing != "holds" or not check.explains & kinds or check.cause in given:
            continue
        if weakest(check.premises) is How.SEEN:
            given.add(check.cause)
            cited = tuple(told for each in check.premises if (told := each.cited()) is not None)
            yield RuledOut(because=check.says, evidence=cited, rule=check.cause, title=cause_named(check.cause).title)


def _missing(checks: Iterable[Check], candidates: Sequence[Candidate]) -> Iterator[str]:
    """What would decide the checks that nothing decides, cheapest first."""
    needs = [need for each in checks if each.standing == "unknown" for need in each.needs]
    needs += [need for each in candidates for need in each.check.needs]
    yield from dict.fromkeys(need.what for need in sorted(needs, key=lambda each: each.cost))
