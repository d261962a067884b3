"""The commands of findings, fitted to what the evidence shows.

What flows: findings with the commands that a check or rule gives, and the path. Laws: commands are for the programs
that are there and for no other; a change of Exchange's objects is carried to the Edge where there is one; a gap is
filled last (gaps.py), when it is known which commands remain.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gatepost.doctor.afterwards import with_what_follows
from gatepost.doctor.causes import cause_named
from gatepost.doctor.evidence import EvidenceBundle
from gatepost.doctor.finding import Finding, Fix
from gatepost.doctor.gaps import filled
from gatepost.doctor.path.objects import MailPath
from gatepost.doctor.path.software import PROGRAMS, SERVERS, programs_of
from gatepost.doctor.repairs import RESTART_BOTH, RESTART_FRONT_END


def for_every_program(findings: Sequence[Finding], path: MailPath) -> tuple[Finding, ...]:
    """Each finding with the commands of repairs.toml that the evidence calls for."""
    there = programs_of(path.bundle)
    return tuple(_for_every_program(each, there) for each in findings)


def fitted(findings: Sequence[Finding], path: MailPath) -> tuple[Finding, ...]:
    there = programs_of(path.bundle)
    foreign = SERVERS - there if SERVERS & there else frozenset()
    edge = _has_an_edge(path.bundle)
    carried = [_carried_to_the_edge(each) if edge else each for each in map(_taken_up, findings)]
    changing = [_what_changes_something(each, path.bundle) for each in carried]
    done = (_for_what_is_there(_said_once(each), foreign) for each in filled(changing, path))
    return tuple(with_what_follows(each, path) for each in done)


def _said_once(finding: Finding) -> Finding:
    """Two commands that differ in quotes or a comment only are one."""
    given: dict[tuple[str, str], Fix] = {}
    for each in finding.fix:
        command = each.command.partition("   # ")[0].replace("'", "").strip()
        given.setdefault((each.where, command or each.command), each)
    return replace(finding, fix=tuple(given.values()))


_SETS: Final = re.compile(
    r"^Set-\w{3,40} -Identity (?:'[^']{1,120}'|[^\s']{1,120}) -(?P<name>\w{3,60}) \$(?P<value>true|false)(?:\s|$)"
)


def _what_changes_something(finding: Finding, bundle: EvidenceBundle) -> Finding:
    """A command that sets one property to the value that it has is none."""
    kept = tuple(each for each in finding.fix if not _has_it_already(each, bundle))
    return replace(finding, fix=kept) if kept and kept != finding.fix else finding


def _has_it_already(fix: Fix, bundle: EvidenceBundle) -> bool:
    sets = _SETS.match(fix.command)
    if sets is None:
        return False
    name = sets["name"].casefold()
    shown = {each.value.strip().casefold() for each in bundle.settings if each.name.casefold() == name}
    return shown == {sets["value"]}


def _for_every_program(finding: Finding, there: frozenset[str]) -> Finding:
    """Commands also for a program that is there and for which none was given; for anybody where there are none, and for
    every program where that is nobody."""
    if finding.confidence == "low":
        return finding
    given = {each.where for each in finding.fix}
    more = [
        Fix(each.where, each.command)
        for each in cause_named(finding.rule).repair
        if (each.where in there and each.where not in given)
        or (not given and (each.where not in PROGRAMS or each.where in there))
    ]
    if not given and not more:  # for which program is not shown: whoever reads it knows
        more = [Fix(each.where, each.command) for each in cause_named(finding.rule).repair]
    return replace(finding, fix=tuple(dict.fromkeys((*finding.fix, *more))))


def _for_what_is_there(finding: Finding, foreign: frozenset[str]) -> Finding:
    """Commands for the sender's program only; what is to be done on a relay may be any program's."""
    kept = tuple(each for each in finding.fix if each.where not in foreign or "relay" in each.command)
    return replace(finding, fix=kept) if kept and kept != finding.fix else finding


_CHANGES_THE_CERTIFICATE: Final = re.compile(
    r"\b(?:Set-(?P<end>Send|Receive)Connector\b[^\n]{0,300}-TlsCertificateName"
    r"|(?:Enable|Import)-ExchangeCertificate\b[^\n]{0,300}-Services '?[^\s]{0,40}SMTP)"
)


def _taken_up(finding: Finding) -> Finding:
    """Transport takes up another certificate for certain when its services start again."""
    changes = [found for each in finding.fix if (found := _CHANGES_THE_CERTIFICATE.search(each.command))]
    if not changes or any("-Service " in each.command for each in finding.fix):
        return finding
    inwards = all(each["end"] == "Receive" for each in changes)
    return replace(finding, fix=(*finding.fix, Fix("Exchange", RESTART_FRONT_END if inwards else RESTART_BOTH)))


_CHANGED_FOR_THE_EDGE = re.compile(
    r"\b(?:Set|New|Remove|Enable)-(?:SendConnector|AcceptedDomain|ExchangeCertificate|RemoteDomain)\b"
)


def _carried_to_the_edge(finding: Finding) -> Finding:
    """An Edge server learns of a change by EdgeSync."""
    if any("EdgeSync" in each.command or "EdgeSynchronization" in each.command for each in finding.fix):
        return finding
    if not any(each.where == "Exchange" and _CHANGED_FOR_THE_EDGE.search(each.command) for each in finding.fix):
        return finding
    carried = Fix("Exchange", "Start-EdgeSynchronization   # carries the change to the Edge servers")
    return replace(finding, fix=(*finding.fix, carried))


def _has_an_edge(bundle: EvidenceBundle) -> bool:
    """Whether an Edge server is subscribed: its connectors, an event of EdgeSync, or a server's role says so."""
    return (
        any(each.name.startswith("EdgeSync") for each in bundle.send_connectors)
        or any("edgesync" in each.provider.casefold() for each in bundle.events)
        or any(each.values("EdgeTransportServers") for each in bundle.transport_services)
    )
