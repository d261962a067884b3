"""All rules over one bundle: findings ranked, confidence held to what the evidence allows, contradictions said.

Laws: how specifically the evidence points at a cause decides the order, not how sure a rule is of itself; two causes that
fit equally are both `medium`; what people say is never proof; without proof there is no command.
"""

# ruff: noqa: E501 - a pattern or a sentence broken over lines reads worse

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatepost.doctor.addresses import refused_by_attribution
from gatepost.doctor.commands import fitted, for_every_program
from gatepost.doctor.derived import Derived, derive
from gatepost.doctor.evidence import EvidenceBundle, ReadItem, Unread
from gatepost.doctor.explanation import STATE_AGAINST_STATE, Explained, explained
from gatepost.doctor.finding import NAMED_BY_REPLY, Cited, Confidence, Finding, Fix, RuledOut
from gatepost.doctor.missing import missing
from gatepost.doctor.near_causes import spoken_against
from gatepost.doctor.path.stations import Station, stations
from gatepost.doctor.relay_side import held_to_the_verdict
from gatepost.doctor.rules import all_rules
from gatepost.exchange.source import Fact, Source

_ORDER: dict[Confidence, int] = {"high": 0, "medium": 1, "low": 2}
_EQUAL = 4
"""Specificities closer than this point equally well."""
_OBJECTS = NAMED_BY_REPLY - STATE_AGAINST_STATE + 1
"""By so much objects that contradict each other outweigh what a reply or somebody's words point at: just enough to go
before a reply that names another cause itself."""
_LAST_RESORT = 10
"""Said only where nothing else is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The report's content, findings best first."""

    findings: tuple[Finding, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    missing: tuple[str, ...] = ()
    contradictions: tuple[Cited, ...] = ()
    read: tuple[ReadItem, ...] = ()
    unread: tuple[Unread, ...] = ()
    path: tuple[Station, ...] = ()
    """The stations of the mail, in its order; empty where fewer than two are known."""


def diagnose(bundle: EvidenceBundle) -> Diagnosis:
    """What the evidence says."""
    facts = derive(bundle)
    verdicts = [rule(bundle, facts) for rule in all_rules()]
    model = explained(bundle)
    said = held_to_the_verdict(model.path, (each for each in verdicts if isinstance(each, Finding)))
    model = replace(model, findings=tuple(held_to_the_verdict(model.path, model.findings)))
    findings = together(model, ranked(list(said), bundle))
    findings = fitted(_said_once(for_every_program(findings, model.path)), model.path)
    named = {each.rule for each in findings}
    spoken = [each for each in verdicts if isinstance(each, RuledOut) and each.rule not in named]
    spoken += spoken_against(bundle, facts, named | {each.rule for each in spoken}) if findings else ()
    judged = named | {each.rule for each in spoken}
    spoken += [each for each in model.ruled_out if each.rule not in judged]
    return Diagnosis(
        findings=findings,
        ruled_out=tuple(spoken),
        missing=_to_bring(model, facts, findings),
        contradictions=_contradictions(bundle, facts),
        read=bundle.read,
        unread=bundle.unread,
        path=stations(model.path, findings[0] if findings else None),
    )


def _said_once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return commanded(_without_kin_of_the_first(findings))


def commanded(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Beside a proof, and what must be repaired with it, a possibility has no command; nor has what only says what
    happens, where another says why."""
    if not findings:
        return ()
    first = findings[0]
    if first.confidence != "high":
        why = not first.symptom and first.confidence == "medium"
        return tuple(
            replace(each, fix=()) if why and (each.symptom or _fits_less(each, first)) else each for each in findings
        )
    kept = {findings[0].rule, *findings[0].together_with}
    return tuple(each if each.confidence == "high" or each.rule in kept else replace(each, fix=()) for each in findings)


def _fits_less(finding: Finding, first: Finding) -> bool:
    """Not needed beside the first, and pointed at clearly less."""
    beside = finding is first or finding.rule in first.together_with
    return not beside and first.specificity - finding.specificity > _EQUAL


def by_rules(bundle: EvidenceBundle) -> tuple[Finding, ...]:
    """What the rules say without the path."""
    facts = derive(bundle)
    verdicts = [rule(bundle, facts) for rule in all_rules()]
    return ranked([each for each in verdicts if isinstance(each, Finding)], bundle)


def together(path: Explained, rules: Sequence[Finding]) -> tuple[Finding, ...]:
    """What the path shows and what the rules say, best first.

    Where the rules know no cause, or are less sure, the path speaks first. Of a cause that both know, as sure as the rule is, with the
    repair of the path where objects show the fault by themselves. Where the rules know another cause, the path adds
    what objects show by themselves.
    """
    by_cause = {each.rule: each for each in path.findings}
    rules = [replace(each, fix=_named(each.fix)) for each in rules]
    joined = [
        _of_one_cause(by_cause[each.rule], each, each.rule in path.by_state) if each.rule in by_cause else each
        for each in rules
    ]
    known = {each.rule for each in rules}
    only = [each for each in path.findings if each.rule not in known]
    if not rules or rules[0].confidence == "low":
        return (*only, *(each for each in joined if each.confidence != "low" or not only))
    if path.findings and _is_better(path.findings[0], rules[0], path.by_state):
        best = path.findings[0]
        first = next((each for each in joined if each.rule == best.rule), best)
        surest = min(first.confidence, best.confidence, key=_ORDER.__getitem__)
        joined = [replace(first, confidence=surest), *(each for each in joined if each.rule != best.rule)]
        only = [each for each in only if each is not best]
    covered = {cause for each in joined for cause in each.catalogue}
    needed = {rule for each in joined[:1] for rule in each.together_with}
    wanted = path.by_state | needed
    shown = (each for each in only if each.rule in wanted and not covered & set(each.catalogue))
    return (*joined, *shown)


def _is_better(path: Finding, rule: Finding, by_state: frozenset[str]) -> bool:
    """Whether the path's first finding goes before the rules': it is surer, or as sure and more telling."""
    if path.symptom:
        return False
    if path.confidence == "high" and path.rule in by_state and path.specificity >= STATE_AGAINST_STATE:
        return True
    surer = _ORDER[rule.confidence] - _ORDER[path.confidence]
    kin = rule.catalogue[:1] != path.catalogue[:1] and set(rule.catalogue[:1]) <= set(path.catalogue)
    return (
        surer > 0
        or (surer == 0 and kin)
        or (surer == 0 and rule.confidence != "high" and path.specificity > rule.specificity)
        or (
            surer == 0
            and path.rule in by_state
            and path.specificity + _OBJECTS > rule.specificity
            and rule.confidence != "high"
        )
    )


def _of_one_cause(path: Finding, rule: Finding, by_state: bool) -> Finding:
    first, second = (path, rule) if by_state else (rule, path)
    surest = path.confidence if path.together_with and rule.confidence == "high" else rule.confidence
    return replace(
        rule,
        confidence=surest,
        together_with=path.together_with,
        summary=first.summary,
        evidence=tuple(dict.fromkeys((*first.evidence, *second.evidence))),
        fix=_concrete(path.fix if by_state and path.fix else (*rule.fix, *path.fix)),
        verify=first.verify or second.verify,
    )


def _concrete(fixes: Sequence[Fix]) -> tuple[Fix, ...]:
    """Where one place has a command with its values, none for that place with a gap to fill in."""
    filled = {each.where for each in fixes if "<" not in _WITHOUT_PIN.sub("", each.command)}
    return tuple(
        each
        for each in dict.fromkeys(fixes)
        if each.where not in filled or "<" not in _WITHOUT_PIN.sub("", each.command)
    )


_WITHOUT_PIN = re.compile(r"<[IS]>|# [^\n]{0,300}$")
_NAMELESS = re.compile(r"(?P<option>-(?:Identity|Name)) '(?P<rest>| by [^']{1,60})'")


def _named(fixes: Sequence[Fix]) -> tuple[Fix, ...]:
    """An object whose name nobody told is a placeholder, never an empty name."""
    return tuple(
        each._replace(command=_NAMELESS.sub(r"\g<option> '<name of the connector>\g<rest>'", each.command))
        for each in fixes
    )


def ranked(findings: Sequence[Finding], bundle: EvidenceBundle) -> tuple[Finding, ...]:
    """Best first, and none surer than the evidence."""
    weak = _weak_sources(bundle)
    held = [_held_to_evidence(each, weak) for each in findings]
    held = [each for each in held if each.specificity > _LAST_RESORT] or held
    held.sort(key=lambda each: (-each.specificity, _ORDER[each.confidence], each.rule))
    held = _without_kin_of_the_first(_causes_before_symptoms(held))
    if held and held[0].confidence == "high":  # guesses beside a proof only distract
        held = [each for each in held if each.confidence != "low"]
    return tuple(map(_without_unproved_commands, _equal_ones_medium(held)))


def _weak_sources(bundle: EvidenceBundle) -> frozenset[Source]:
    """Where only a person's words or the reply with one text for a dozen causes stand."""
    weak = {each.source for each in bundle.prose} | {each.source for each in bundle.names}
    weak |= {each.source for each in bundle.replies if refused_by_attribution(each) and not each.attr}
    strong = {each.source for facts in _objects(bundle) for each in facts}
    return frozenset(weak - strong)


def _objects(bundle: EvidenceBundle) -> tuple[Sequence[Fact], ...]:
    return (
        bundle.certificates,
        bundle.tls,
        bundle.sessions,
        bundle.queue_errors,
        bundle.events,
        bundle.health,
        bundle.hcw,
        bundle.powershell_errors,
        bundle.commands,
        bundle.verifications,
        bundle.verdicts,
        bundle.inbound_connectors,
    )


def _held_to_evidence(finding: Finding, weak: frozenset[Source]) -> Finding:
    """Words alone make nothing certain."""
    if finding.confidence == "high" and all(each.source in weak for each in finding.evidence):
        return replace(finding, confidence="medium")
    return finding


def _causes_before_symptoms(findings: Sequence[Finding]) -> list[Finding]:
    causes = [each for each in findings if not each.symptom]
    if not causes or causes[0].specificity < 40:
        return list(findings)
    return causes + [each for each in findings if each.symptom]


def _without_kin_of_the_first(findings: Sequence[Finding]) -> list[Finding]:
    """What the first finding covers besides its own cause is not said a second time."""
    if not findings:
        return []
    covered = set(findings[0].catalogue)
    return [findings[0], *(each for each in findings[1:] if not set(each.catalogue[:1]) & covered)]


def _equal_ones_medium(findings: Sequence[Finding]) -> list[Finding]:
    """Rivals of the first that fit as well as it does leave neither certain."""
    if not findings:
        return []
    first = findings[0]
    rivals = {
        each.rule
        for each in findings[1:]
        if not each.symptom
        and first.specificity - each.specificity < _EQUAL
        and each.confidence == first.confidence
        and not set(each.catalogue) & set(first.catalogue)
    }
    if not rivals:
        return list(findings)
    return [
        replace(each, confidence="medium") if each.confidence == "high" and each.rule in rivals | {first.rule} else each
        for each in findings
    ]


def _without_unproved_commands(finding: Finding) -> Finding:
    return replace(finding, fix=()) if finding.confidence == "low" else finding


def _to_bring(model: Explained, facts: Derived, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What the path asks for where its finding is the first; before anything general where no cause is known."""
    if findings and findings[:1] == model.findings[:1]:
        return model.missing
    general = _missing(model, facts, findings)
    unknown = not findings or findings[0].confidence == "low"
    return tuple(dict.fromkeys((*model.missing, *general))) if unknown else general


def _missing(model: Explained, facts: Derived, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What the first finding asks for, then what is generally telling and not there."""
    if findings and findings[0].confidence == "high":
        return findings[0].missing
    return tuple(dict.fromkeys([*(findings[0].missing if findings else ()), *missing(model.path, facts)]))


def _contradictions(bundle: EvidenceBundle, facts: Derived) -> tuple[Cited, ...]:
    """What somebody says, and the evidence does not bear out."""
    said: list[Cited] = []
    opinions = [each for each in bundle.prose if each.topic == "reported-cause"]
    hellos = [each.hello_address for each in bundle.sessions if each.hello_address]
    for each in opinions:
        if "ipv6" in each.quote.casefold() and hellos and not any(":" in hello for hello in hellos):
            said.append(Cited(each.source, f"'{each.quote}': every session seen is IPv4"))
    newer = facts.renewed_after_sent
    for each in bundle.prose_of("renewed-certificate"):
        if newer is not None:
            said.append(
                Cited(each.source, f"'{each.quote}': yet the log at {newer.source} still shows the old certificate")
            )
            break
    for each in bundle.prose_of("no-change"):
        if renewal := facts.renewal:
            says = f"'{each.quote}': yet the certificate at {renewal.new.source} is new"
            said.append(Cited(each.source, says))
            break
    return tuple(said)
